package chunk

import (
	"encoding/binary"
	"fmt"

	"metermanager/logdb"
)

// Roll is a series summed up in steps: what the hour tier keeps of a span of days. Step k covers
// [k*Step, (k+1)*Step), or (k*Step, (k+1)*Step] when Covers. Only steps with values are there.
type Roll struct {
	Step    logdb.Millis
	Covers  bool
	Steps   []int64 // rising
	Buckets []logdb.Bucket
	// The sums as mantissas where they are decimal, for adding them up exactly.
	sums logdb.Block
}

// AppendRoll appends r.
func (c *Codec) AppendRoll(dst []byte, r *Roll) ([]byte, error) {
	n := len(r.Steps)
	if n > MaxPoints {
		return dst, fmt.Errorf("encode %d steps: %w", n, ErrTooLarge)
	}
	s := c.get()
	defer c.put(s)
	dst = append(dst, formatRoll)
	dst = binary.AppendUvarint(dst, uint64(r.Step))
	covers := byte(0)
	if r.Covers {
		covers = 1
	}
	dst = binary.AppendUvarint(append(dst, covers), uint64(n))
	dst = appendSequence(c, s, dst, r.Steps)
	column := make([]int64, n)
	for _, of := range []func(*logdb.Bucket, logdb.Millis) int64{
		func(b *logdb.Bucket, _ logdb.Millis) int64 { return b.Count },
		func(b *logdb.Bucket, at logdb.Millis) int64 { return int64(b.FirstTime - at) },
		func(b *logdb.Bucket, at logdb.Millis) int64 { return int64(b.LastTime - at) },
	} {
		for i := range r.Buckets {
			column[i] = of(&r.Buckets[i], logdb.Millis(r.Steps[i])*r.Step)
		}
		dst = appendSequence(c, s, dst, column)
	}
	values := make([]float64, n)
	for _, of := range rollValues {
		for i := range r.Buckets {
			values[i] = *of(&r.Buckets[i])
		}
		dst = c.appendValues(s, dst, values)
	}
	return dst, nil
}

// rollValues are the columns of doubles; the sum stands last, so that it is at hand after decoding.
var rollValues = [...]func(*logdb.Bucket) *float64{
	func(b *logdb.Bucket) *float64 { return &b.Min },
	func(b *logdb.Bucket) *float64 { return &b.Max },
	func(b *logdb.Bucket) *float64 { return &b.First },
	func(b *logdb.Bucket) *float64 { return &b.Last },
	func(b *logdb.Bucket) *float64 { return &b.Sum },
}

// Roll reads what AppendRoll wrote into o, whose arrays are used again.
func (c *Codec) Roll(data []byte, o *Roll) error {
	s := c.get()
	defer c.put(s)
	r := reader{data: data}
	r.format(formatRoll)
	step := r.uvarint()
	if step == 0 || step > uint64(logdb.DayMillis) {
		r.fail("bad step")
	}
	o.Step = logdb.Millis(step)
	o.Covers = r.byte() == 1
	n := r.count()
	o.Steps = grown(o.Steps, n)
	o.Buckets = grown(o.Buckets, n)
	readSequence(c, s, &r, o.Steps)
	for i := 1; i < n; i++ {
		if o.Steps[i] <= o.Steps[i-1] {
			r.fail("steps do not rise")
			break
		}
	}
	if n > 0 && (o.Steps[0] < -1 || o.Steps[n-1] > int64(logdb.MaxTime)) {
		r.fail("steps out of range")
	}
	column := make([]int64, n)
	readSequence(c, s, &r, column)
	for i, v := range column {
		o.Buckets[i].Count = v
	}
	readSequence(c, s, &r, column)
	for i, v := range column {
		o.Buckets[i].FirstTime = logdb.Millis(o.Steps[i])*o.Step + logdb.Millis(v)
	}
	readSequence(c, s, &r, column)
	for i, v := range column {
		o.Buckets[i].LastTime = logdb.Millis(o.Steps[i])*o.Step + logdb.Millis(v)
	}
	for _, of := range rollValues {
		if r.err != nil {
			break
		}
		c.readValues(s, &r, n, &o.sums)
		s.floats = o.sums.AppendValues(s.floats[:0])
		for i, v := range s.floats {
			*of(&o.Buckets[i]) = v
		}
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("decode a roll-up of %d bytes: %w", len(data), err)
	}
	return nil
}

// AddTo adds steps [i, j) of a decoded roll-up to a.
func (o *Roll) AddTo(a *Accumulator, i, j int) {
	x := 0
	for x < len(o.sums.Exceptions) && o.sums.Exceptions[x].Index < i {
		x++
	}
	for ; i < j; i++ {
		if x < len(o.sums.Exceptions) && o.sums.Exceptions[x].Index == i {
			a.sum.Add(o.sums.Exceptions[x].Value)
			x++
		} else {
			a.sum.AddDecimal(o.sums.Mantissas[i], o.sums.Exponent)
		}
		a.part(o.Buckets[i])
	}
}

// StepOf returns the step that holds a value of time t.
func StepOf(t, step logdb.Millis, covers bool) int64 {
	if covers {
		t--
	}
	if t < 0 {
		return int64(t.Floor(step) / step)
	}
	return int64(t / step)
}

// RollUp appends the steps of points in order of time to r.
func (r *Roll) RollUp(b *logdb.Block) {
	var a Accumulator
	for i := 0; i < b.Len(); {
		k := StepOf(b.Times[i], r.Step, r.Covers)
		j := i + 1
		for j < b.Len() && StepOf(b.Times[j], r.Step, r.Covers) == k {
			j++
		}
		a.Reset()
		a.AddBlock(b, i, j)
		r.Steps = append(r.Steps, k)
		r.Buckets = append(r.Buckets, a.Bucket())
		i = j
	}
}
