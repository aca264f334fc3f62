package model_test

import (
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// feeders is a session with meters of one zone, with nothing behind them.
func feeders(names ...string) *model.Session {
	s := &model.Session{}
	x := s.Add(source.Target{Place: "http://127.0.0.1:1"})
	for _, n := range names {
		x.Meters = append(x.Meters, &model.Meter{Meter: source.Meter{UID: logdb.MeterUID(n), Settings: logdb.Settings{Name: n, Zone: "America/New_York"}}, Source: x, Selected: true})
	}
	return s
}

// Phrases are understood in full, or not at all.
func TestPhrase(t *testing.T) {
	t.Parallel()
	s := feeders("Main incomer", "Feeder 3", "Feeder 30")
	zone := s.Meters()[0].Zone()
	at := func(day, hour int) logdb.Millis { return logdb.MillisOf(time.Date(2026, 3, day, hour, 0, 0, 0, zone)) }
	now := time.Date(2026, 3, 11, 15, 0, 0, 0, zone) // a Wednesday; the clock went forward on Sunday, the 8th
	for phrase, want := range map[string]struct {
		kinds       []logdb.Kind
		text        string
		least       chart.Severity
		first, last logdb.Millis
		meters      int
		sentence    string
	}{
		"sags last week on feeder 3":   {[]logdb.Kind{logdb.KindPQ}, "sag", 0, at(2, 0), at(9, 0), 2, "Show sags, last week, of Feeder 3, Feeder 30"},
		"Dips today":                   {[]logdb.Kind{logdb.KindPQ}, "sag", 0, at(11, 0), at(12, 0), 0, "Show sags, today"},
		"alarms yesterday":             {nil, "", chart.Alarm, at(10, 0), at(11, 0), 0, "Show alarms, yesterday"},
		"last 6 hours":                 {nil, "", 0, at(11, 9), at(11, 15) + 1, 0, "Show events, last 6 hours"},
		"recordings last 4d":           {[]logdb.Kind{logdb.KindWaveform}, "", 0, at(7, 15), at(11, 15) + 1, 0, "Show recordings, last 4d"},
		"system events and limits":     {[]logdb.Kind{logdb.KindSystem, logdb.KindLimit}, "", 0, 0, 0, 0, "Show system events and limit events"},
		"swells last month":            {[]logdb.Kind{logdb.KindPQ}, "swell", 0, logdb.MillisOf(time.Date(2026, 2, 1, 0, 0, 0, 0, zone)), at(1, 0), 0, "Show swells, last month"},
		"interruptions of main":        {[]logdb.Kind{logdb.KindPQ}, "interruption", 0, 0, 0, 1, "Show interruptions, of Main incomer"},
		"warnings this week at feeder": {nil, "", chart.Warning, at(9, 0), at(16, 0), 2, "Show warnings and alarms, this week, of Feeder 3, Feeder 30"},
	} {
		got, ok := s.Phrase(phrase, now)
		if !ok {
			t.Errorf("%q is not understood", phrase)
			continue
		}
		if got.Text != want.text || got.Least != want.least || got.First != want.first || got.Last != want.last || len(got.Meters) != want.meters || got.Sentence != want.sentence || len(got.Kinds) != len(want.kinds) {
			t.Errorf("%q is understood as %+v", phrase, got)
		}
		f := got.FilterOf()
		for _, k := range []logdb.Kind{logdb.KindPQ, logdb.KindWaveform, logdb.KindLimit, logdb.KindSystem} {
			shown := len(want.kinds) == 0
			for _, w := range want.kinds {
				shown = shown || w == k
			}
			if f.HiddenKinds[k] == shown {
				t.Errorf("%q: kind %v is hidden: %t", phrase, k, f.HiddenKinds[k])
			}
		}
	}
	for _, phrase := range []string{"", "export", "sags last blue moon", "sags on feeder 9", "sags and swells", "on feeder 3", "last 0 days", "sags today yesterday", "last week on"} {
		if got, ok := s.Phrase(phrase, now); ok {
			t.Errorf("%q is understood as %q", phrase, got.Sentence)
		}
	}
}

// The palette finds commands, meters and channels by their words.
func TestPalette(t *testing.T) {
	t.Parallel()
	s := feeders("Main incomer", "Feeder 3")
	commands := []model.Command{{"fit", "Fit", "0"}, {"trend", "Show the trend", "g d"}, {"export", "Export what is seen", "e"}}
	channels := []model.TrendChannel{{Meter: s.Meters()[1], Channel: source.Channel{Channel: logdb.LookupChannel("readings.voltage.an")}}}
	for text, want := range map[string]string{"": "Fit", "exp": "Export what is seen", "TREND show": "Show the trend", "feeder": "Feeder 3", "voltage.an": "Feeder 3 · Volts A-N", "sags today": "Show sags, today"} {
		got := s.Palette(text, commands, channels, time.Now())
		if len(got) == 0 || got[0].Title != want {
			t.Errorf("%q finds %v first, want %q", text, got, want)
		}
	}
	if got := s.Palette("nothing of this kind", commands, channels, time.Now()); len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

// Steps back and forth; a drag is one of them.
func TestUndo(t *testing.T) {
	t.Parallel()
	u := &model.Undo{}
	look := func(first logdb.Millis) model.Look { return model.Look{First: first, Last: first + 10} }
	if _, ok := u.Back(); ok {
		t.Fatal("there is nothing to undo")
	}
	start := time.Unix(0, 0)
	u.Start(look(0))
	u.Note(look(1), "move", start)
	u.Note(look(2), "move", start.Add(200*time.Millisecond))
	u.Note(look(2), "move", start.Add(300*time.Millisecond))
	u.Note(look(3), "zoom", start.Add(400*time.Millisecond))
	u.Note(look(4), "zoom", start.Add(5*time.Second))
	for _, want := range []logdb.Millis{3, 2, 0} {
		if got, ok := u.Back(); !ok || got.First != want {
			t.Fatalf("back to %d, want %d", got.First, want)
		}
	}
	if _, ok := u.Back(); ok {
		t.Error("back beyond the begin")
	}
	if got, ok := u.Forth(); !ok || got.First != 2 {
		t.Errorf("forth to %d, want 2", got.First)
	}
	u.Note(look(9), "zoom", start.Add(9*time.Second))
	if _, ok := u.Forth(); ok {
		t.Error("a new step ends what was undone")
	}
	if got, _ := u.Back(); got.First != 2 {
		t.Errorf("back to %d, want 2", got.First)
	}
}
