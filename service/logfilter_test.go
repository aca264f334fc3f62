package main

import (
	"fmt"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// TestEventFilters: words become what the API asks for, and what a log does not have is refused.
func TestEventFilters(t *testing.T) {
	t.Parallel()
	low := 0.5
	for _, c := range []struct {
		name  string
		of    eventFilters
		kind  logdb.Kind
		codes string
		query string // empty: refused
	}{
		{"nothing", eventFilters{}, logdb.KindHistorical, "[]", "-"},
		{"names and numbers of system events", eventFilters{Type: []string{"Power Loss", "11"}, Codes: []int64{3}}, logdb.KindSystem, "[3 1 11]", "-"},
		{"the last of the names", eventFilters{Type: []string{"other"}}, logdb.KindSystem, "[99]", "-"},
		{"a sag", eventFilters{Type: []string{"sag"}, MaxPercent: &low}, logdb.KindPQ, "[]", "max_percent=0.5&type=0"},
		{"above a limit", eventFilters{Type: []string{"above"}, MinDuration: &low, MinWorst: &low}, logdb.KindLimit, "[]", "min_duration=0.5&min_worst=0.5&type=1"},
		{"a trigger", eventFilters{Text: "sag", MaxDuration: &low}, logdb.KindWaveform, "[]", "max_duration=0.5&text=sag"},
		{"no such system event", eventFilters{Type: []string{"earthquake"}}, logdb.KindSystem, "", ""},
		{"no such type", eventFilters{Type: []string{"sideways"}}, logdb.KindPQ, "", ""},
		{"both types", eventFilters{Type: []string{"sag", "surge"}}, logdb.KindPQ, "", ""},
		{"type of a recording", eventFilters{Type: []string{"sag"}}, logdb.KindWaveform, "", ""},
		{"codes of limits", eventFilters{Codes: []int64{1}}, logdb.KindLimit, "", ""},
		{"text of PQ events", eventFilters{Text: "x"}, logdb.KindPQ, "", ""},
		{"duration of system events", eventFilters{MinDuration: &low}, logdb.KindSystem, "", ""},
		{"worst of recordings", eventFilters{MaxWorst: &low}, logdb.KindWaveform, "", ""},
		{"percent of values", eventFilters{MinPercent: &low}, logdb.KindHistorical, "", ""},
		{"withdrawn values", eventFilters{Withdrawn: true}, logdb.KindHistorical, "", ""},
	} {
		f, err := c.of.read(c.kind)
		if (err != nil) != (c.query == "") {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err != nil {
			continue
		}
		q := api.EventsQuery{Kind: c.kind, Filter: f.says}.Values().Encode()
		if q == "" {
			q = "-"
		}
		if q != c.query || fmt.Sprint(f.codes) != c.codes {
			t.Errorf("%s: %s and codes %v, want %s and %s", c.name, q, f.codes, c.query, c.codes)
		}
	}
}

// TestJoinCounts: events and limits of one day stand in one line, logs in their order, days in theirs.
func TestJoinCounts(t *testing.T) {
	t.Parallel()
	const d = logdb.DayMillis
	got := joinCounts(logdb.Kinds[:], []api.EventCount{{Kind: "pq", Day: 2 * d, Count: 5}, {Kind: "system", Day: d, Count: 1}}, []api.LimitCount{
		{Kind: "pq", Day: 2 * d, Fate: "skipped", Count: 3}, {Kind: "pq", Day: 2 * d, Fate: "skipped", Count: 4}, {Kind: "pq", Day: d, Fate: "skipped", Count: 1},
		{Kind: "historical", Day: d, Fate: "reduced", Count: 9},
	})
	want := fmt.Sprint([]dayCount{{"historical", d, 0, 0, 9}, {"system", d, 1, 0, 0}, {"pq", d, 0, 1, 0}, {"pq", 2 * d, 5, 7, 0}})
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if only := joinCounts([]logdb.Kind{logdb.KindSystem}, []api.EventCount{{Kind: "pq", Count: 5}}, nil); len(only) != 0 {
		t.Errorf("another log is counted: %v", only)
	}
}
