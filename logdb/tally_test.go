package logdb_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"metermanager/logdb"
)

type tallied struct {
	p logdb.Position
	t logdb.Millis
	v float64
}

func TestTallyDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var list []tallied
	for i := range 200 {
		list = append(list, tallied{logdb.Position(i + 1), noon + logdb.Millis(rng.IntN(50)), float64(rng.IntN(20))})
	}
	var want logdb.Tally
	for _, x := range list {
		want.AddValue(x.p, x.t, x.v)
	}
	for range 20 {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		var got, other logdb.Tally
		for i, x := range list {
			if i%3 == 0 {
				other.AddValue(x.p, x.t, x.v)
			} else {
				got.AddValue(x.p, x.t, x.v)
			}
			got.AddValue(9999, noon, float64(i)) // comes and goes
		}
		for i := range list {
			got.RemoveValue(9999, noon, float64(i))
		}
		got.Merge(other)
		if got != want {
			t.Fatalf("tally %v, want %v", got, want)
		}
	}
	for _, x := range list {
		want.RemoveValue(x.p, x.t, x.v)
	}
	if (want != logdb.Tally{}) {
		t.Errorf("everything taken out leaves %v", want)
	}
}

// TestTallyTellsApart changes one thing at a time; all tallies must differ.
func TestTallyTellsApart(t *testing.T) {
	t.Parallel()
	seen := map[logdb.Tally]tallied{}
	for _, x := range []tallied{
		{1, noon, 5}, {2, noon, 5}, {1, noon + 1, 5}, {1, noon, 5.000001}, {1, noon, -5}, {1, noon, 0}, {1, noon, math.Copysign(0, -1)},
		{1, 5, float64(noon)}, {logdb.Position(noon), 1, 5}, {5, noon, 1}, {1 << 40, noon, 5}, {1, noon, math.Inf(1)},
	} {
		var tally logdb.Tally
		tally.AddValue(x.p, x.t, x.v)
		if other, twice := seen[tally]; twice {
			t.Errorf("%v and %v have one tally", x, other)
		}
		seen[tally] = x
	}
	// Exchanged values of two records must show.
	var a, b logdb.Tally
	a.AddValue(1, noon, 5)
	a.AddValue(2, noon, 7)
	b.AddValue(1, noon, 7)
	b.AddValue(2, noon, 5)
	if a == b {
		t.Error("exchanged values have one tally")
	}
	// A record that stands twice must not cancel out.
	var twice logdb.Tally
	twice.AddValue(1, noon, 5)
	twice.AddValue(1, noon, 5)
	if twice.Sum == ([2]uint64{}) || twice.Count != 2 {
		t.Errorf("twice the same record: %v", twice)
	}
}

func TestTallyOfEntries(t *testing.T) {
	t.Parallel()
	one, two := logdb.DigestOf([]byte("one")), logdb.DigestOf([]byte("two"))
	half := one
	half[15]++
	seen := map[logdb.Tally]bool{}
	for _, d := range []logdb.Digest{one, two, half} {
		for p := logdb.Position(1); p < 4; p++ {
			var tally logdb.Tally
			tally.AddEntry(p, d)
			if seen[tally] {
				t.Errorf("position %d of %s has the tally of another", p, d)
			}
			seen[tally] = true
			tally.AddEntry(9, two)
			tally.RemoveEntry(p, d)
			tally.RemoveEntry(9, two)
			if (tally != logdb.Tally{}) {
				t.Errorf("what was taken out leaves %v", tally)
			}
		}
	}
}
