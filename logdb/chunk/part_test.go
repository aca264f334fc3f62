package chunk_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// TestPointsIn reads ranges of chunks of all kinds: what lies within the range is what Points gives of it.
func TestPointsIn(t *testing.T) {
	t.Parallel()
	c, err := chunk.New()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	within := func(b *logdb.Block, first, last logdb.Millis) (times []logdb.Millis, positions []logdb.Position, values []uint64) {
		for i, v := range b.AppendValues(nil) {
			if b.Times[i] >= first && b.Times[i] < last {
				times, positions, values = append(times, b.Times[i]), append(positions, b.Positions[i]), append(values, math.Float64bits(v))
			}
		}
		return times, positions, values
	}
	r := rand.New(rand.NewPCG(3, 4))
	parts := 0
	for round := range 60 {
		n := []int{1, 2, 40, 1440, 10_080}[round%5]
		var p chunk.Points
		v, at := 0, logdb.Millis(1_767_225_600_000)
		for i := range n {
			v += r.IntN(7) - 3
			if round%4 == 1 && r.IntN(9) == 0 {
				v += r.IntN(100_000)
			}
			at += 60_000
			if round%6 == 2 && r.IntN(50) == 0 {
				at += 60_000 // a gap
			}
			p.Times, p.Positions, p.Values = append(p.Times, at), append(p.Positions, logdb.Position(2*i+5)), append(p.Values, float64(v)/100)
			if round%6 == 3 && r.IntN(500) == 0 {
				p.Values[i] = math.Sqrt(float64(i + 2))
			}
		}
		data, err := c.AppendPoints(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		var whole, part logdb.Block
		if err := c.Points(data, &whole); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			first := p.Times[r.IntN(n)] + logdb.Millis(r.IntN(3)-1)
			last := first + logdb.Millis(r.IntN(2_000))*logdb.Millis(r.IntN(60_000))
			if r.IntN(10) == 0 {
				first, last = logdb.MinTime, logdb.MaxTime
			}
			if err := c.PointsIn(data, &part, first, last); err != nil {
				t.Fatal(err)
			}
			if part.Len() < whole.Len() {
				parts++
			}
			wt, wp, wv := within(&whole, first, last)
			gt, gp, gv := within(&part, first, last)
			if !slices.Equal(gt, wt) || !slices.Equal(gp, wp) || !slices.Equal(gv, wv) {
				t.Fatalf("round %d, %d to %d: %d values, want %d", round, first, last, len(gt), len(wt))
			}
		}
		if err := c.PointsIn(data[:len(data)-1], &part, p.Times[0], p.Times[0]+1); err == nil {
			t.Errorf("round %d: a chunk that was cut short was read", round)
		}
	}
	if parts < 200 {
		t.Errorf("only %d parts were read as such", parts)
	}
}
