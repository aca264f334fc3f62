package archive

import (
	"fmt"

	"github.com/parquet-go/parquet-go"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// Recording appends a part with the samples of a recording: channel after channel, numbered from 0 in the column run, and
// last the digital inputs, without a name.
func (w *Writer) Recording(s Series, codec *chunk.Codec, e *logdb.Entry) (Part, error) {
	var all logdb.Block // mantissas and exceptions of all channels
	var runs []int64
	var exponents []int32
	var names []parquet.Value
	add := func(name string, values []float64) {
		var b logdb.Block
		codec.Block(chunk.Points{Times: make([]logdb.Millis, len(values)), Positions: make([]logdb.Position, len(values)), Values: values}, &b)
		run, at := int64(len(names)), len(all.Mantissas)
		for _, x := range b.Exceptions {
			all.Exceptions = append(all.Exceptions, logdb.Exception{Index: at + x.Index, Value: x.Value})
		}
		for _, m := range b.Mantissas {
			all.Mantissas, runs, exponents = append(all.Mantissas, m), append(runs, run), append(exponents, int32(b.Exponent))
		}
		names = append(names, parquet.ByteArrayValue([]byte(name)).Level(0, 0, columnChannel))
	}
	for _, c := range e.Waveform.Channels {
		add(c.Name, c.Samples)
	}
	digital := make([]float64, len(e.Waveform.Digital))
	for i, d := range e.Waveform.Digital {
		digital[i] = float64(d)
	}
	add("", digital)
	n := len(all.Mantissas)
	times, positions := make([]logdb.Millis, n), make([]logdb.Position, n)
	for i := range n {
		times[i], positions[i] = e.Time, e.Position
	}
	x := 0
	return w.part(s, times, positions, map[int]func(int) parquet.Value{
		columnChannel:  func(i int) parquet.Value { return names[runs[i]] },
		columnRun:      func(i int) parquet.Value { return parquet.Int64Value(runs[i]).Level(0, 1, columnRun) },
		columnMantissa: func(i int) parquet.Value { return parquet.Int64Value(all.Mantissas[i]).Level(0, 1, columnMantissa) },
		columnExponent: func(i int) parquet.Value { return parquet.Int32Value(exponents[i]).Level(0, 1, columnExponent) },
		columnInterval: func(int) parquet.Value {
			return parquet.DoubleValue(e.Waveform.SampleIntervalMillis).Level(0, 1, columnInterval)
		},
		columnExact: exact(all.Exceptions, &x),
	})
}

// exact writes the exceptions, one after the other.
func exact(all []logdb.Exception, next *int) func(int) parquet.Value {
	return func(i int) parquet.Value {
		if *next < len(all) && all[*next].Index == i {
			*next++
			return parquet.DoubleValue(all[*next-1].Value).Level(0, 1, columnExact)
		}
		return parquet.NullValue().Level(0, 0, columnExact)
	}
}

// Samples fills in the samples of a recording whose channels have their names already.
func (f *File) Samples(part int, w *logdb.Waveform) (err error) {
	defer func() { err = f.wrap(recover(), err) }()
	r := f.part(part)
	runs := make([]int64, r.n)
	var b logdb.Block
	b.Mantissas = make([]int64, r.n)
	exponents, exact := make([]uint8, r.n), map[int]float64{}
	r.int64s(columnRun, func(i int, v int64) { runs[i] = v })
	r.int64s(columnMantissa, func(i int, v int64) { b.Mantissas[i] = v })
	r.values(columnExponent, func(i int, v parquet.Value) { exponents[i] = uint8(v.Int32()) })
	r.values(columnExact, func(i int, v parquet.Value) {
		if !v.IsNull() {
			exact[i] = v.Double()
		}
	})
	for i := 0; i < r.n && r.err == nil; {
		j := i
		one := logdb.Block{Exponent: exponents[i]}
		for ; j < r.n && runs[j] == runs[i] && exponents[j] == one.Exponent; j++ {
			if v, ok := exact[j]; ok {
				one.Exceptions = append(one.Exceptions, logdb.Exception{Index: j - i, Value: v})
			}
		}
		one.Mantissas = b.Mantissas[i:j]
		if runs[i] < 0 || int(runs[i]) > len(w.Channels) || one.Exponent > 18 {
			r.fail(fmt.Errorf("channel %d of %d", runs[i], len(w.Channels)))
			break
		}
		values := one.AppendValues(nil)
		if int(runs[i]) == len(w.Channels) {
			for _, v := range values {
				w.Digital = append(w.Digital, byte(v))
			}
		} else {
			c := &w.Channels[runs[i]]
			c.Samples = append(c.Samples, values...)
		}
		i = j
	}
	return r.end(part)
}
