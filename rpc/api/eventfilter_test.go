package api_test

import (
	"math"
	"net/url"
	"testing"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

func TestEventFilter(t *testing.T) {
	t.Parallel()
	sag := logdb.Entry{Excursion: &logdb.Excursion{DurationSeconds: 0.2, Worst: 80, WorstPercent: 66}}
	open := logdb.Entry{Excursion: &logdb.Excursion{DurationSeconds: math.NaN(), Worst: 80}}
	reset := logdb.Entry{System: &logdb.SystemEvent{Description: "Energy Reset by front panel"}}
	wave := logdb.Entry{Time: 1000, Waveform: &logdb.Waveform{End: 1500, Triggers: []string{"sag"}}}
	for _, c := range []struct {
		name, query string
		kind        logdb.Kind
		entry       logdb.Entry
		want        bool
	}{
		{"no filter", "", logdb.KindPQ, open, true},
		{"long enough", "min_duration=0.2", logdb.KindPQ, sag, true},
		{"too short", "min_duration=0.21", logdb.KindPQ, sag, false},
		{"too long", "max_duration=0.1", logdb.KindPQ, sag, false},
		{"no duration", "min_duration=0", logdb.KindPQ, open, false},
		{"worst inside", "min_worst=70&max_worst=80", logdb.KindLimit, sag, true},
		{"worst above", "max_worst=79", logdb.KindLimit, sag, false},
		{"percent inside", "min_percent=66&max_percent=66", logdb.KindPQ, sag, true},
		{"percent below", "min_percent=66.5", logdb.KindPQ, sag, false},
		{"a sag", "type=sag", logdb.KindPQ, sag, true},
		{"no surge", "type=surge", logdb.KindPQ, sag, false},
		{"text in other letters", "text=energy+reset", logdb.KindSystem, reset, true},
		{"another text", "text=login", logdb.KindSystem, reset, false},
		{"trigger and duration", "text=SAG&min_duration=0.5&max_duration=0.5", logdb.KindWaveform, wave, true},
	} {
		v, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := api.ParseEventsQuery(c.kind, v)
		if err != nil || q.Filter.Passes(&c.entry) != c.want {
			t.Errorf("%s: passes %t, %v", c.name, !c.want, err)
		}
		if again, err := api.ParseEventsQuery(c.kind, q.Values()); err != nil || again.Filter.Passes(&c.entry) != c.want {
			t.Errorf("%s, as a client sends it: passes %t, %v", c.name, !c.want, err)
		}
	}
	for query, kind := range map[string]logdb.Kind{
		"min_duration=long": logdb.KindPQ, "max_worst=NaN": logdb.KindPQ, "min_worst=1": logdb.KindSystem, "max_duration=1": logdb.KindSystem,
		"text=x": logdb.KindPQ, "text=x&raw=true": logdb.KindSystem,
		"type=sag": logdb.KindSystem, "type=7": logdb.KindPQ, "min_percent=1": logdb.KindWaveform, "type=above&raw=true": logdb.KindLimit,
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.ParseEventsQuery(kind, v); err == nil {
			t.Errorf("%s of %s is taken", query, kind)
		}
	}
}
