package chunk_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// TestFewDecimals sums up values of which few have decimals, so that these are exceptions of their column: the sum is exact, from values and
// from steps.
func TestFewDecimals(t *testing.T) {
	t.Parallel()
	c, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 4000
	p := chunk.Points{}
	tenths := int64(0)
	for i := range n {
		v := int64(100_000 + i%977*10)
		if i%200 == 7 {
			v++
		}
		tenths += v
		p.Times, p.Positions, p.Values = append(p.Times, logdb.Millis(i)*900_000), append(p.Positions, logdb.Position(i+1)), append(p.Values, float64(v)/10)
	}
	want := float64(tenths) / 10
	data, err := c.AppendPoints(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	var b logdb.Block
	if err := c.Points(data, &b); err != nil {
		t.Fatal(err)
	}
	if len(b.Exceptions) == 0 {
		t.Fatal("no value is an exception")
	}
	var a chunk.Accumulator
	a.AddBlock(&b, 0, n)
	if got := a.Bucket().Sum; got != want {
		t.Errorf("sum of values %v, want %v", got, want)
	}
	roll := chunk.Roll{Step: 900_000}
	roll.RollUp(&b)
	if data, err = c.AppendRoll(nil, &roll); err != nil {
		t.Fatal(err)
	}
	var read chunk.Roll
	if err := c.Roll(data, &read); err != nil {
		t.Fatal(err)
	}
	a.Reset()
	read.AddTo(&a, 0, len(read.Steps))
	if got := a.Bucket().Sum; got != want {
		t.Errorf("sum of steps %v, want %v", got, want)
	}
}

// TestSumOfAnyCut adds decimal numbers of very different sizes in any order and cut into columns anyhow: the sum is the exact one, rounded once.
func TestSumOfAnyCut(t *testing.T) {
	t.Parallel()
	c, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		values := []float64{4531.9, 1.154964668617342, 8845.6}
		for range r.IntN(400) {
			v := float64(r.Int64N(1<<uint(1+r.IntN(52)))) / math.Pow10(r.IntN(16))
			if r.IntN(4) == 0 {
				v = -v
			}
			if _, _, ok := chunk.Decimal(v); ok {
				values = append(values, v)
			}
		}
		exact := new(big.Rat)
		for _, v := range values {
			m, e, _ := chunk.Decimal(v)
			exact.Add(exact, new(big.Rat).SetFrac(big.NewInt(m), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e)), nil)))
		}
		want, _ := exact.Float64()
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		var a, rolled chunk.Accumulator
		for start := 0; start < len(values); {
			end := start + 1 + r.IntN(len(values)-start)
			p := chunk.Points{Values: values[start:end]}
			for i := start; i < end; i++ {
				p.Times, p.Positions = append(p.Times, logdb.Millis(i)*60_000), append(p.Positions, logdb.Position(i+1))
			}
			data, err := c.AppendPoints(nil, p)
			if err != nil {
				t.Fatal(err)
			}
			var b logdb.Block
			if err := c.Points(data, &b); err != nil {
				t.Fatal(err)
			}
			a.AddBlock(&b, 0, len(b.Times))
			roll := chunk.Roll{Step: 60_000}
			roll.RollUp(&b)
			if data, err = c.AppendRoll(nil, &roll); err != nil {
				t.Fatal(err)
			}
			var read chunk.Roll
			if err := c.Roll(data, &read); err != nil {
				t.Fatal(err)
			}
			read.AddTo(&rolled, 0, len(read.Steps))
			start = end
		}
		if got := a.Bucket().Sum; got != want {
			t.Fatalf("seed %d: sum of %d values %v, want %v", seed, len(values), got, want)
		}
		if got := rolled.Bucket().Sum; got != want {
			t.Fatalf("seed %d: sum of %d steps of one value %v, want %v", seed, len(values), got, want)
		}
	}
}

// TestRollExtremes has steps whose figures are as far apart as doubles with exact integers allow, beside others.
func TestRollExtremes(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	const most = 1<<53 - 1
	pick := func() float64 {
		v := []float64{0, 1, -1, most, -most, 1 << 50, float64(rnd.Int64N(most))}[rnd.IntN(7)]
		return v / []float64{1, 1, 10, 1e5}[rnd.IntN(4)]
	}
	for range 2000 {
		roll := chunk.Roll{Step: 3_600_000}
		small := rnd.IntN(2) == 0
		for i := range 1 + rnd.IntN(120) {
			at := logdb.Millis(i) * roll.Step
			b := logdb.Bucket{Count: 1 + rnd.Int64N(4000), Min: pick(), Max: pick(), First: pick(), Last: pick(), Sum: pick(), FirstTime: at + 1, LastTime: at + 2}
			if small {
				b.Sum = float64(rnd.IntN(1000))
			}
			roll.Steps, roll.Buckets = append(roll.Steps, int64(i)), append(roll.Buckets, b)
		}
		data, err := c.AppendRoll(nil, &roll)
		if err != nil {
			t.Fatal(err)
		}
		var got chunk.Roll
		if err := c.Roll(data, &got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Buckets, roll.Buckets) {
			t.Fatalf("%+v came back as %+v", roll.Buckets, got.Buckets)
		}
	}
}
