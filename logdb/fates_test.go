package logdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"metermanager/logdb"
)

const noon = logdb.Millis(1_700_006_400_000 + 12*3_600_000)

// fateRange is a range of a made-up fate, complete as Check wants it.
func fateRange(rng *rand.Rand) logdb.FateRange {
	first := logdb.Position(1 + rng.IntN(60))
	r := logdb.FateRange{First: first, Last: first + logdb.Position(rng.IntN(9)), Fate: logdb.Fate(1 + rng.IntN(5))}
	r.FirstTime = noon + logdb.Millis(rng.IntN(2))*logdb.DayMillis
	r.LastTime = r.FirstTime + logdb.Millis(rng.IntN(1000))
	switch r.Fate {
	case logdb.FateSkipped:
		r.Reason = []string{"day", "hour"}[rng.IntN(2)]
	case logdb.FateReduced:
		r.Into = logdb.Position(100 + rng.IntN(2))
	}
	return r
}

// meaning is what a set must keep of a position; times are kept per range, and of them the day counts.
type meaning struct {
	fate   logdb.Fate
	into   logdb.Position
	reason string
	day    logdb.Millis
}

func meaningOf(r logdb.FateRange) meaning {
	m := meaning{fate: r.Fate, into: r.Into, reason: r.Reason}
	if r.Fate == logdb.FateSkipped || r.Fate == logdb.FateReduced {
		m.day = r.FirstTime.Day()
	}
	return m
}

// TestFateSetAgainstMap plays random operations on a set and on a map of positions.
func TestFateSetAgainstMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var set logdb.FateSet
		naive := map[logdb.Position]meaning{}
		for step := range 60 {
			r := fateRange(rng)
			if rng.IntN(5) == 0 {
				set.Remove(r.First, r.Last)
				for p := r.First; p <= r.Last; p++ {
					delete(naive, p)
				}
			} else {
				set.Put(r)
				for p := r.First; p <= r.Last; p++ {
					naive[p] = meaningOf(r)
				}
			}
			if err := agree(&set, naive, rng); err != nil {
				t.Fatalf("seed %d step %d: %v\n%v", seed, step, err, set.Ranges())
			}
		}
	}
}

func agree(set *logdb.FateSet, naive map[logdb.Position]meaning, rng *rand.Rand) error {
	highest, counts := logdb.Position(0), map[logdb.Fate]int{}
	for p, m := range naive {
		highest = max(highest, p)
		counts[m.fate]++
	}
	if set.Highest() != highest || set.Len() != len(naive) {
		return fmt.Errorf("highest %d of %d positions, want %d of %d", set.Highest(), set.Len(), highest, len(naive))
	}
	for f := logdb.FateStored; f <= logdb.FateHeld; f++ {
		if set.Count(f) != counts[f] {
			return fmt.Errorf("%d positions are %s, want %d", set.Count(f), f, counts[f])
		}
	}
	for p := logdb.Position(0); p < 80; p++ {
		r, ok := set.At(p)
		m, want := naive[p]
		if ok != want || set.Has(p) != want || ok && (meaningOf(r) != m || p < r.First || p > r.Last) {
			return fmt.Errorf("position %d has %v %v, want %v %v", p, ok, r, want, m)
		}
	}
	for i, r := range set.Ranges() {
		if r.First > r.Last || i > 0 && r.First <= set.Ranges()[i-1].Last {
			return fmt.Errorf("range %d is not in order", i)
		}
		if n := set.Ranges(); i > 0 && n[i-1].Last+1 == r.First && meaningOf(n[i-1]) == meaningOf(r) {
			return fmt.Errorf("ranges %d and %d could be one", i-1, i)
		}
		if r.Fate == logdb.FateSkipped && r.FirstTime.Day() != r.LastTime.Day() {
			return fmt.Errorf("range %d spans two days", i)
		}
	}
	first := logdb.Position(1 + rng.IntN(70))
	last := first + logdb.Position(rng.IntN(20))
	var missing []logdb.Position
	for _, m := range set.Missing(first, last) {
		for p := m[0]; p <= m[1]; p++ {
			missing = append(missing, p)
		}
	}
	overlaps := false
	var want []logdb.Position
	for p := first; p <= last; p++ {
		if _, ok := naive[p]; ok {
			overlaps = true
		} else {
			want = append(want, p)
		}
	}
	if !slices.Equal(missing, want) || set.Overlaps(first, last) != overlaps {
		return fmt.Errorf("missing of %d to %d: %v, want %v; overlaps %v", first, last, missing, want, set.Overlaps(first, last))
	}
	return nil
}

func TestFateSetRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var set logdb.FateSet
		for range rng.IntN(30) {
			set.Put(fateRange(rng))
		}
		data, err := set.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		var got logdb.FateSet
		if err := got.UnmarshalBinary(bytes.TrimPrefix(data, []byte("before"))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !slices.Equal(got.Ranges(), set.Ranges()) {
			t.Fatalf("seed %d: %v became %v", seed, set.Ranges(), got.Ranges())
		}
		for cut := range len(data) - len("before") {
			if err := got.UnmarshalBinary(data[len("before") : len("before")+cut]); cut > 0 && !errors.Is(err, logdb.ErrInvalid) {
				t.Fatalf("seed %d: %d of %d bytes: %v", seed, cut, len(data), err)
			}
		}
	}
	var empty logdb.FateSet
	if err := empty.UnmarshalBinary(nil); err != nil || empty.Len() != 0 {
		t.Errorf("no bytes: %v, %d positions", err, empty.Len())
	}
}

func TestFateSetEdges(t *testing.T) {
	t.Parallel()
	var set logdb.FateSet
	if set.Highest() != 0 || set.Has(0) || set.Overlaps(1, 9) || len(set.Ranges()) != 0 {
		t.Error("the empty set holds something")
	}
	if got := fmt.Sprint(set.Missing(3, 5), set.Missing(5, 3)); got != "[[3 5]] []" {
		t.Errorf("missing of the empty set %s", got)
	}
	set.Put(logdb.FateRange{First: logdb.MaxPosition, Last: logdb.MaxPosition, Fate: logdb.FateStored})
	set.Put(logdb.FateRange{First: 1, Last: 1, Fate: logdb.FateStored})
	if got := fmt.Sprint(set.Missing(1, logdb.MaxPosition)); got != fmt.Sprintf("[[2 %d]]", logdb.MaxPosition-1) {
		t.Errorf("missing %s", got)
	}
	copied := set.Clone()
	copied.Remove(1, 1)
	copied.Put(logdb.FateRange{First: logdb.MaxPosition, Last: logdb.MaxPosition, Fate: logdb.FateHeld})
	if f, _ := set.At(logdb.MaxPosition); f.Fate != logdb.FateStored || !set.Has(1) {
		t.Error("a change of the copy changed the set")
	}
}

func TestFateSetUnmarshalErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		data []byte
	}{
		{"format", []byte{9, 0}},
		{"more ranges than bytes", []byte{1, 200, 1}},
		{"no such fate", []byte{1, 1, 6, 1, 0, 0, 0}},
		{"fate 0", []byte{1, 1, 0, 1, 0, 0, 0}},
		{"position 0", []byte{1, 1, 1, 0, 0, 0, 0}},
		{"bytes left", []byte{1, 1, 1, 1, 0, 0, 0, 7}},
		{"skipped without a reason", []byte{1, 1, 3, 1, 0, 0, 0, 0}},
		{"two ranges share a position", []byte{1, 2, 1, 1, 3, 0, 0, 1, 0, 2, 0, 0}},
		{"a time before 1970", []byte{1, 1, 1, 1, 0, 1, 0}},
		{"a length beyond all numbers", []byte{1, 1, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0}},
		{"beyond the last position", []byte{1, 1, 1, 255, 255, 255, 255, 255, 255, 255, 127, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := logdb.FateSet{}
			set.Put(logdb.FateRange{First: 1, Last: 1, Fate: logdb.FateStored})
			if err := set.UnmarshalBinary(tt.data); !errors.Is(err, logdb.ErrInvalid) {
				t.Errorf("error %v, want ErrInvalid", err)
			}
			if set.Len() != 0 {
				t.Errorf("an invalid set holds %d positions", set.Len())
			}
		})
	}
}

func TestFateNames(t *testing.T) {
	t.Parallel()
	for f := logdb.FateStored; f <= logdb.FateHeld; f++ {
		if got, err := logdb.ParseFate(f.String()); err != nil || got != f {
			t.Errorf("%s reads as %v, %v", f, got, err)
		}
	}
	for _, bad := range []string{"", "Stored", "fate(9)"} {
		if _, err := logdb.ParseFate(bad); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if s := logdb.Fate(9).String(); s != "fate(9)" {
		t.Errorf("an unknown fate prints as %q", s)
	}
}
