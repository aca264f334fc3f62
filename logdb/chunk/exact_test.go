package chunk_test

import (
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
