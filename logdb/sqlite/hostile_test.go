package sqlite_test

import (
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
)

// A page of one range of a great many positions holds nobody up: it is looked at as a range.
func TestRangeOfAGreatManyPositions(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const last = logdb.Position(1 << 45)
	stream := logdb.StreamID{Journal: "0123456789abcdef0123456789abcdef", Policy: "1"}
	page := logdb.Page{
		Meter: "m", Kind: logdb.KindHistorical, Stream: stream, JournalEnd: last + 1,
		Fates: []logdb.FateRange{{First: 1, Last: last, Fate: logdb.FateReduced, Into: last + 1}},
	}
	for _, page.Requested = range []bool{true, false, true} {
		if _, err := store.Accept(t.Context(), page, logdb.DefaultLimits()); err != nil {
			t.Fatalf("requested %v: %v", page.Requested, err)
		}
	}
	states, err := store.Streams(t.Context(), "m", logdb.KindHistorical)
	if err != nil || len(states) != 1 || states[0].Fates.Len() != int(last) {
		t.Errorf("%+v, %v", states, err)
	}
}
