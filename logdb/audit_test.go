package logdb_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"metermanager/logdb"
)

// One value that was lost, changed, moved or added is named from two sums alone, and two are never named as one.
func TestDifferNamesTheValue(t *testing.T) {
	t.Parallel()
	const day = logdb.Millis(1_700_006_400_000)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rng.IntN(400)
		first := logdb.Position(1 + rng.IntN(1_000_000))
		var all []logdb.Point
		var claim logdb.Tally
		for i := range n {
			p := logdb.Point{Position: first + logdb.Position(i), Time: day + logdb.Millis(rng.IntN(int(logdb.DayMillis))), Bits: math.Float64bits(float64(rng.IntN(5)) / 8)}
			all = append(all, p)
			claim.AddBits(p.Position, p.Time, p.Bits)
		}
		known := func(yield func(logdb.Position) bool) {
			for p := first - min(first-1, 20_000); p < first+20_000; p++ {
				if !yield(p) {
					return
				}
			}
		}
		differ := func(held []logdb.Point) (was, is *logdb.Point) {
			var data logdb.Tally
			for _, p := range held {
				data.AddBits(p.Position, p.Time, p.Bits)
			}
			return logdb.Differ(claim, data, day, held, known)
		}
		i := rng.IntN(n)
		lost := append(append([]logdb.Point{}, all[:i]...), all[i+1:]...)
		if was, is := differ(lost); was == nil || *was != all[i] || is != nil {
			t.Fatalf("seed %d: lost %+v, named %+v, %+v", seed, all[i], was, is)
		}
		extra := logdb.Point{Position: first + logdb.Position(rng.IntN(n)), Time: day + 5, Bits: 77}
		if was, is := differ(append(append([]logdb.Point{}, all...), extra)); was != nil || is == nil || *is != extra {
			t.Fatalf("seed %d: added %+v, named %+v, %+v", seed, extra, was, is)
		}
		for _, change := range []func(*logdb.Point){
			func(p *logdb.Point) { p.Bits++ },
			func(p *logdb.Point) { p.Time = day + (p.Time-day+1)%logdb.DayMillis },
			func(p *logdb.Point) { p.Position += 1 << 20 },
			func(p *logdb.Point) { p.Bits, p.Time = p.Bits^9, day+(p.Time-day+60_000)%logdb.DayMillis },
		} {
			held := append([]logdb.Point{}, all...)
			change(&held[i])
			if was, is := differ(held); was == nil || is == nil || *was != all[i] || *is != held[i] {
				t.Fatalf("seed %d: %+v became %+v, named %+v, %+v", seed, all[i], held[i], was, is)
			}
		}
		if n > 2 {
			held := append([]logdb.Point{}, all[2:]...)
			if was, is := differ(held); was != nil || is != nil {
				t.Fatalf("seed %d: two were lost, and %+v, %+v was named", seed, was, is)
			}
			held = append([]logdb.Point{}, all...)
			held[0].Bits++
			held[1].Bits += 2
			if was, is := differ(held); was != nil || is != nil {
				t.Fatalf("seed %d: two were changed, and %+v, %+v was named", seed, was, is)
			}
		}
	}
}

// However ranges are cut and put, equal sets have equal sums, and another set has another sum.
func TestFateTallyKnowsTheSet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var set logdb.FateSet
		var sum logdb.FateTally
		for range 60 {
			first := logdb.Position(1 + rng.IntN(200))
			r := logdb.FateRange{First: first, Last: first + logdb.Position(rng.IntN(9)), Fate: logdb.Fate(1 + rng.IntN(5))}
			switch r.Fate {
			case logdb.FateReduced:
				r.Into, r.FirstTime = first+20, 1
			case logdb.FateSkipped:
				r.Reason, r.FirstTime = "day", logdb.Millis(rng.IntN(3))*logdb.DayMillis
			}
			r.LastTime = r.FirstTime
			for _, old := range set.Within(r.First, r.Last) {
				sum.Remove(old)
			}
			if rng.IntN(4) == 0 {
				set.Remove(r.First, r.Last)
			} else {
				set.Put(r)
				sum.Add(r)
			}
			if sum != set.Tally() {
				t.Fatalf("seed %d: the running sum differs from the set's", seed)
			}
		}
		for _, r := range set.Ranges() {
			other := set.Clone()
			if rng.IntN(2) == 0 {
				other.Remove(r.First, r.First)
			} else {
				r.Last, r.Fate, r.FirstTime, r.LastTime = r.First, 1+r.Fate%5, 0, 0
				other.Put(r)
			}
			if other.Tally() == sum {
				t.Fatalf("seed %d: a set without position %d has the same sum", seed, r.First)
			}
		}
	}
}
