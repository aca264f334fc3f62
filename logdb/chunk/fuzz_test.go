package chunk_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// FuzzDecode feeds every decoder with any bytes: an error or a result of bounded size, no panic.
func FuzzDecode(f *testing.F) {
	c := newCodec(f)
	p := chunk.Points{}
	for i := range 300 {
		p.Times = append(p.Times, logdb.Millis(i*60_000+i%7))
		p.Positions = append(p.Positions, logdb.Position(i+1))
		p.Values = append(p.Values, odd(i, float64(i*i%991)/100))
	}
	add := func(data []byte, err error) {
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	add(c.AppendPoints(nil, p))
	add(c.AppendSamples(nil, p.Values))
	walk := slices.Clone(p.Values)
	for i := range walk {
		walk[i] = 100 + float64(i*i%11)/10
	}
	add(c.AppendPoints(nil, chunk.Points{Times: p.Times, Positions: p.Positions, Values: walk}))
	raw := slices.Clone(p.Values)
	for i := range raw {
		raw[i] = math.Sin(float64(i))
	}
	add(c.AppendSamples(nil, raw))
	add(c.AppendMarks(nil, chunk.Marks{Times: p.Times, Positions: p.Positions, Runs: make([]uint32, 300), Generations: make([]uint32, 300)}))
	h := logdb.History{Times: p.Times, Positions: p.Positions, Columns: [][]float64{p.Values, append(slices.Repeat([]float64{math.NaN()}, 10), p.Values[10:]...)}}
	add(c.AppendPage(nil, &h, []int64{7, 3}))
	var b logdb.Block
	c.Block(p, &b)
	roll := chunk.Roll{Step: 900_000}
	roll.RollUp(&b)
	add(c.AppendRoll(nil, &roll))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b logdb.Block
		check := func(err error) {
			if err != nil && !errors.Is(err, chunk.ErrDamaged) {
				t.Errorf("err %v, want ErrDamaged", err)
			}
		}
		check(c.Values(data, &b))
		var part logdb.Block
		if in := c.PointsIn(data, &part, 1000, 2000); in == nil && (len(part.Positions) != part.Len() || len(part.Mantissas) != part.Len()) {
			t.Errorf("a part of %d times has %d positions and %d values", part.Len(), len(part.Positions), len(part.Mantissas))
		}
		err := c.Points(data, &b)
		check(err)
		if err == nil && (len(b.Positions) != b.Len() || len(b.AppendValues(nil)) != b.Len()) {
			t.Error("columns of different lengths")
		}
		var m chunk.Marks
		check(c.Marks(data, &m))
		_, err = c.Samples(data, nil)
		check(err)
		var r chunk.Roll
		if err = c.Roll(data, &r); err == nil && len(r.Steps) != len(r.Buckets) {
			t.Error("steps and buckets of different lengths")
		}
		check(err)
		var p chunk.Page
		err = c.Page(data, &p)
		check(err)
		for i := range p.Series {
			if err != nil {
				break
			}
			values, err := c.PageColumn(&p, i, nil)
			check(err)
			if err == nil && len(values) != p.Len() {
				t.Error("a column of another length")
			}
		}
	})
}

// FuzzRoundTrip makes points of any bytes and wants them back.
func FuzzRoundTrip(f *testing.F) {
	c := newCodec(f)
	f.Add([]byte("0123456789abcdef0123456789abcdef0123456789abcdef"), uint8(0))
	f.Add(slices.Repeat([]byte{0, 0, 0, 0, 0, 0, 0x59, 0x40}, 200), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, mode uint8) {
		var p chunk.Points
		for i := 0; i+8 <= len(data); i += 8 {
			bits := binary.LittleEndian.Uint64(data[i:])
			v := notNaN(bits)
			if mode&1 != 0 {
				v = float64(int32(bits)) / math.Pow(10, float64(mode>>4))
			}
			p.Values = append(p.Values, v)
			p.Times = append(p.Times, logdb.Millis(bits>>16)%logdb.MaxTime)
			p.Positions = append(p.Positions, logdb.Position(bits)&logdb.MaxPosition)
		}
		blob, err := c.AppendPoints(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		var b logdb.Block
		if err := c.Points(blob, &b); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Times, p.Times) || !slices.Equal(b.Positions, p.Positions) || !sameBits(b.AppendValues(nil), p.Values) {
			t.Error("not what was written")
		}
	})
}
