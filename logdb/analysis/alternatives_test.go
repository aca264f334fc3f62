package analysis_test

import (
	"maps"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
)

func TestChooseEvents(t *testing.T) {
	t.Parallel()
	states := []logdb.StreamState{
		{Stream: logdb.StreamID{Journal: "young", Policy: "0"}, Created: 90},
		{Stream: logdb.StreamID{Journal: "old", Policy: "1"}, Created: 80}, // a newer policy of the old journal
		{Stream: logdb.StreamID{Journal: "old", Policy: "0"}, Created: 10},
		{Stream: logdb.StreamID{Journal: "twin", Policy: "0"}, Created: 90},
	}
	counts := analysis.DayCounts{}
	add := func(journal logdb.JournalID, day logdb.Millis, n int) {
		for range n {
			counts.Add(journal, day)
		}
	}
	add("old", 1, 3)
	add("young", 1, 3) // a tie
	add("old", 2, 3)
	add("young", 2, 4)
	add("young", 3, 1) // alone
	add("young", 4, 2)
	add("twin", 4, 2) // a tie of equal age
	add("old", 5, 1)
	add("young", 5, 2)
	add("twin", 5, 3)
	want := map[logdb.Millis]logdb.JournalID{1: "old", 2: "young", 3: "young", 4: "twin", 5: "twin"}
	for range 20 { // maps have no order
		if got := analysis.ChooseEvents(states, counts); !maps.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if got := analysis.ChooseEvents(nil, nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
