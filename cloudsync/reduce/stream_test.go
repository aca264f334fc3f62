package reduce_test

import (
	"fmt"
	"testing"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// What the receiver has of somebody else as it was recorded is known so from then on, an interval as a whole; what came late for it changes the first
// of its rows, as with whoever sent them.
func TestLearn(t *testing.T) {
	t.Parallel()
	type fates []logdb.FateRange
	stored := func(first, last logdb.Position) logdb.FateRange {
		return logdb.FateRange{First: first, Last: last, Fate: logdb.FateStored}
	}
	reduced := func(first, last, into logdb.Position) logdb.FateRange {
		return logdb.FateRange{First: first, Last: last, Fate: logdb.FateReduced, Into: into}
	}
	decided := fates{reduced(1, 3, 4), stored(4, 4), reduced(5, 6, 7), stored(7, 7), reduced(9, 10, 4), reduced(11, 11, 7)}
	for _, tt := range []struct {
		name         string
		there        fates
		asked        fates
		whole, after string // by position: s is stored, a digit what it is combined with, or changes
	}{
		{"sums", fates{reduced(1, 3, 4), stored(4, 4), stored(9, 10)}, nil, "", "444s77s.447"},
		{"rows", fates{stored(1, 4), reduced(5, 6, 7), stored(7, 7), stored(9, 11)}, nil, "1 2 3 4", "ssss77s.117"},
		{"some of the rows", fates{stored(2, 2)}, nil, "1 2 3 4", "ssss77s.117"},
		{"rows of both", fates{stored(1, 7), stored(9, 11)}, nil, "1 2 3 4 5 6 7", "sssssss.115"},
		{"what is asked for", fates{stored(1, 4)}, fates{stored(1, 4)}, "", "444s77s.447"},
		{"rows, and their sum was skipped and is asked for", fates{stored(1, 3)}, fates{stored(4, 4)}, "1 2 3 4", "ssss77s.117"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s reduce.Stream
			var there logdb.FateSet
			for set, list := range map[*logdb.FateSet]fates{&s.Fates: decided, &there: tt.there, &s.Asked: tt.asked} {
				for _, r := range list {
					set.Put(r)
				}
			}
			before := s.Fates.Clone()
			learned := s.Learn(&there)
			whole, after := "", ""
			for p := logdb.Position(1); p <= 11; p++ {
				if s.Whole.Has(p) {
					whole += fmt.Sprintf(" %d", p)
				}
				f, ok := s.Fates.At(p)
				switch {
				case !ok:
					after += "."
				case f.Fate == logdb.FateStored:
					after += "s"
				default:
					after += fmt.Sprint(f.Into)
				}
				if was, _ := before.At(p); ok && (was.Fate != f.Fate || was.Into != f.Into) != (learned.Has(p) && !(was.Fate == logdb.FateStored && f.Fate == logdb.FateStored)) {
					t.Errorf("position %d: %v before, %v now, learned: %v", p, was, f, learned.Has(p))
				}
			}
			if whole != "" {
				whole = whole[1:]
			}
			if whole != tt.whole || after != tt.after {
				t.Errorf("whole %q, fates %s; want %q, %s", whole, after, tt.whole, tt.after)
			}
			if again := s.Learn(&there); again.Len() != 0 {
				t.Errorf("learned twice: %v", again.Ranges())
			}
		})
	}
}
