package chunk_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

func newCodec(t testing.TB) *chunk.Codec {
	t.Helper()
	c, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// columns are the sorts of values that meters give, and those that codecs get wrong.
func columns(rnd *rand.Rand, n int) map[string][]float64 {
	of := func(f func(i int) float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = f(i)
		}
		return out
	}
	walk, step := 0.0, 0.0
	return map[string][]float64{
		"constant":       of(func(int) float64 { return 60 }),
		"zero":           of(func(int) float64 { return 0 }),
		"counter":        of(func(i int) float64 { return 7974004 + float64(i*20) }),
		"two decimals":   of(func(int) float64 { walk += float64(rnd.IntN(200) - 100); return (12000 + walk) / 100 }),
		"narrow":         of(func(int) float64 { step += float64(rnd.IntN(7) - 3); return (12000 + step) / 10 }),
		"five decimals":  of(func(int) float64 { return float64(rnd.IntN(20_000_000)) / 1e5 }),
		"negative":       of(func(i int) float64 { return -float64(rnd.IntN(1000)) / 1e3 }),
		"single":         of(func(int) float64 { return float64(float32(rnd.Float64() * 480)) }),
		"double":         of(func(int) float64 { return rnd.NormFloat64() }),
		"bits":           of(func(int) float64 { return notNaN(rnd.Uint64()) }),
		"some odd":       of(func(i int) float64 { return odd(i, float64(i%977)/10) }),
		"minus zero":     of(func(i int) float64 { return math.Copysign(0, float64(1-2*(i%2))) }),
		"huge and small": of(func(i int) float64 { return math.Pow(10, float64(i%600-300)) }),
		"2^53":           of(func(i int) float64 { return float64(1<<53 - 3 + i%6) }),
		"late decimals":  of(func(i int) float64 { return 5 + float64(i/(n/2+1))/1e6 }),
	}
}

func odd(i int, v float64) float64 {
	switch i % 100 {
	case 13:
		return math.Inf(1)
	case 14:
		return math.Inf(-1)
	case 15:
		return math.Copysign(0, -1)
	case 16:
		return 0.1 + 0.2
	}
	return v
}

func notNaN(bits uint64) float64 {
	if v := math.Float64frombits(bits); !math.IsNaN(v) {
		return v
	}
	return 1
}

func sameBits(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
}

func times(rnd *rand.Rand, n int) map[string][]logdb.Millis {
	of := func(f func(i int) logdb.Millis) []logdb.Millis {
		out := make([]logdb.Millis, n)
		for i := range out {
			out[i] = f(i)
		}
		return out
	}
	at := logdb.Millis(1_600_000_000_000)
	return map[string][]logdb.Millis{
		"regular":  of(func(i int) logdb.Millis { return 1_700_000_000_000 + logdb.Millis(i)*60_000 }),
		"gaps":     of(func(i int) logdb.Millis { at += logdb.Millis(1+rnd.IntN(50)/49*7) * 60_000; return at }),
		"jitter":   of(func(i int) logdb.Millis { at += 60_000 + logdb.Millis(rnd.IntN(30)); return at }),
		"repeated": of(func(i int) logdb.Millis { return logdb.Millis(i/3) * 1000 }),
		"bounds":   of(func(i int) logdb.Millis { return []logdb.Millis{logdb.MinTime, logdb.MaxTime}[min(1, i)] }),
	}
}

func TestPointsComeBackBitForBit(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	var b logdb.Block // used again, so that what an earlier decode left is seen
	for _, n := range []int{0, 1, 2, 3, 47, 48, 127, 128, 129, 1000, 10_080} {
		rnd := rand.New(rand.NewPCG(1, uint64(n)))
		for name, values := range columns(rnd, n) {
			for timing, at := range times(rnd, n) {
				p := chunk.Points{Times: at, Positions: make([]logdb.Position, n), Values: values}
				for i := range p.Positions {
					p.Positions[i] = logdb.Position(1 + i*2)
				}
				if timing == "jitter" {
					rnd.Shuffle(n, func(i, j int) { p.Positions[i], p.Positions[j] = p.Positions[j], p.Positions[i] })
				}
				data, err := c.AppendPoints(nil, p)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Points(data, &b); err != nil {
					t.Fatalf("%s, %s, %d: %v", name, timing, n, err)
				}
				if !slices.Equal(b.Times, at) || !slices.Equal(b.Positions, p.Positions) || !sameBits(b.AppendValues(nil), values) {
					t.Errorf("%s, %s, %d: not what was written", name, timing, n)
				}
				var direct logdb.Block
				c.Block(p, &direct)
				if !sameBits(direct.AppendValues(nil), values) {
					t.Errorf("%s, %s, %d: the block made without bytes differs", name, timing, n)
				}
			}
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	n := 10_080
	rnd := rand.New(rand.NewPCG(1, 2))
	cols := columns(rnd, n)
	for name, most := range map[string]float64{"constant": 0.01, "counter": 0.02, "two decimals": 1.2, "narrow": 0.365, "five decimals": 3.3, "single": 4.6, "some odd": 1.8} {
		p := chunk.Points{Times: times(rnd, n)["regular"], Positions: make([]logdb.Position, n), Values: cols[name]}
		for i := range p.Positions {
			p.Positions[i] = logdb.Position(1 + i)
		}
		data, err := c.AppendPoints(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if size := float64(len(data)) / float64(n); size > most {
			t.Errorf("%s: %.2f bytes a point, want at most %.2f", name, size, most)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	var p chunk.Page
	for _, n := range []int{1, 15, 96, 1000} {
		rnd := rand.New(rand.NewPCG(3, uint64(n)))
		h := logdb.History{Run: 3, Generation: 9, Times: times(rnd, n)["gaps"], Positions: make([]logdb.Position, n)}
		for i := range h.Positions {
			h.Positions[i] = logdb.Position(100 + i)
		}
		var series []int64
		names := []string{}
		for name, values := range columns(rnd, n) {
			names = append(names, name)
			col := slices.Clone(values)
			if len(names)%2 == 0 {
				for i := range col {
					if rnd.IntN(3) == 0 {
						col[i] = math.NaN()
					}
				}
			}
			h.Columns = append(h.Columns, col)
			series = append(series, int64(1000-len(names)*7))
		}
		h.Columns = append(h.Columns, slices.Repeat([]float64{math.NaN()}, n))
		series = append(series, 5)
		data, err := c.AppendPage(nil, &h, series)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Page(data, &p); err != nil {
			t.Fatal(err)
		}
		if p.Run != 3 || p.Generation != 9 || !slices.Equal(p.Times, h.Times) || !slices.Equal(p.Positions, h.Positions) || !slices.Equal(p.Series, series) {
			t.Fatalf("%d rows: not what was written", n)
		}
		for i := range series {
			got, err := c.PageColumn(&p, i, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range got {
				if want := h.Columns[i][k]; math.Float64bits(v) != math.Float64bits(want) && !(math.IsNaN(v) && math.IsNaN(want)) {
					t.Fatalf("%d rows, column %d: row %d is %v, want %v", n, i, k, v, want)
				}
			}
		}
	}
}

func TestMarksAndSamples(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	n := 5000
	m := chunk.Marks{Times: times(rnd, n)["repeated"], Positions: make([]logdb.Position, n), Runs: make([]uint32, n), Generations: make([]uint32, n)}
	for i := range n {
		m.Positions[i], m.Runs[i], m.Generations[i] = logdb.Position(i+1), uint32(i/1000), math.MaxUint32-uint32(i/3000)
	}
	data, err := c.AppendMarks(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	var got chunk.Marks
	if err := c.Marks(data, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Times, m.Times) || !slices.Equal(got.Positions, m.Positions) || !slices.Equal(got.Runs, m.Runs) || !slices.Equal(got.Generations, m.Generations) {
		t.Error("marks are not what was written")
	}
	for name, values := range columns(rnd, 4096) {
		values[17] = math.NaN() // a sample may be unknown
		data, err := c.AppendSamples(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Samples(data, nil)
		if err != nil || !sameBits(out, values) {
			t.Errorf("samples %s: %v", name, err)
		}
	}
}

func TestRoll(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	rnd := rand.New(rand.NewPCG(7, 8))
	n := 3000
	for name, values := range columns(rnd, n) {
		for _, covers := range []bool{false, true} {
			p := chunk.Points{Times: times(rnd, n)["gaps"], Positions: make([]logdb.Position, n), Values: values}
			var b logdb.Block
			c.Block(p, &b)
			roll := chunk.Roll{Step: 3_600_000, Covers: covers}
			roll.RollUp(&b)
			data, err := c.AppendRoll(nil, &roll)
			if err != nil {
				t.Fatal(err)
			}
			var got chunk.Roll
			if err := c.Roll(data, &got); err != nil {
				t.Fatal(err)
			}
			if got.Step != roll.Step || got.Covers != covers || !slices.Equal(got.Steps, roll.Steps) {
				t.Fatalf("%s: other steps", name)
			}
			for i, want := range roll.Buckets {
				if fmt.Sprint(got.Buckets[i]) != fmt.Sprint(want) {
					t.Fatalf("%s: step %d is %+v, want %+v", name, i, got.Buckets[i], want)
				}
			}
			// All steps together are what all values together are.
			var whole, parts chunk.Accumulator
			whole.AddBlock(&b, 0, n)
			got.AddTo(&parts, 0, len(got.Steps))
			w, g := whole.Bucket(), parts.Bucket()
			if w.Count != g.Count || w.Min != g.Min || w.Max != g.Max || w.First != g.First || w.Last != g.Last || w.FirstTime != g.FirstTime || w.LastTime != g.LastTime {
				t.Errorf("%s: %+v from steps, %+v from values", name, g, w)
			}
			if exact := name == "two decimals" || name == "narrow" || name == "counter" || name == "five decimals"; exact && w.Sum != g.Sum {
				t.Errorf("%s: sum %v from steps, %v from values", name, g.Sum, w.Sum)
			}
		}
	}
}

func TestStepOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		t      logdb.Millis
		covers bool
		want   int64
	}{
		{0, false, 0}, {3_599_999, false, 0}, {3_600_000, false, 1},
		{0, true, -1}, {1, true, 0}, {3_600_000, true, 0}, {3_600_001, true, 1},
	} {
		if got := chunk.StepOf(tt.t, 3_600_000, tt.covers); got != tt.want {
			t.Errorf("StepOf(%d, covers %v) = %d, want %d", tt.t, tt.covers, got, tt.want)
		}
	}
}

func TestSumIsExact(t *testing.T) {
	t.Parallel()
	var s chunk.Sum
	for range 10 {
		s.Add(0.1)
	}
	s.Add(12345678.25)
	s.Add(-12345678.25)
	if s.Value() != 1 {
		t.Errorf("ten times 0.1 is %v", s.Value())
	}
	var big chunk.Sum
	for range 5000 { // mantissas overflow 63 bits
		big.Add(float64(1<<53 - 1))
	}
	if want := float64(5000 * (1<<53 - 1)); big.Value() != want {
		t.Errorf("sum %v, want %v", big.Value(), want)
	}
	var mixed chunk.Sum
	mixed.Add(1e18)
	mixed.Add(1e-18)
	mixed.Add(math.Pi)
	if got := mixed.Value(); got != 1e18+math.Pi {
		t.Errorf("sum %v", got)
	}
	var inf chunk.Sum
	inf.Add(math.Inf(1))
	inf.Add(1.5)
	if got := inf.Value(); !math.IsInf(got, 1) {
		t.Errorf("sum %v", got)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	if _, err := c.AppendSamples(nil, make([]float64, chunk.MaxPoints+1)); !errors.Is(err, chunk.ErrTooLarge) {
		t.Errorf("err %v, want ErrTooLarge", err)
	}
}

// Every change of one byte is either noticed by the checksum or was none.
func TestChecksum(t *testing.T) {
	t.Parallel()
	if got := chunk.Checksum([]byte("123456789")); got != 0xe3069283 {
		t.Errorf("CRC-32C of 123456789 is %#x", got)
	}
}
