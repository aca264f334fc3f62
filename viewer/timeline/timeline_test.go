package timeline_test

import (
	"maps"
	"math"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/timeline"
)

var nan = math.NaN()

func sag(at logdb.Millis, channel logdb.ChannelKey, worst, seconds float64) *logdb.Entry {
	return &logdb.Entry{Time: at, Position: logdb.Position(at), Excursion: &logdb.Excursion{Channel: channel, Worst: worst, WorstPercent: nan, Threshold: 249, DurationSeconds: seconds}}
}

func events() []timeline.Event {
	s := logdb.Settings{NominalVolts: 277, NominalHz: 60}
	list := []timeline.Event{
		timeline.Of(0, logdb.KindPQ, logdb.StreamID{}, sag(100_000, "readings.voltage.an", 138.5, 0.2), s),
		timeline.Of(0, logdb.KindPQ, logdb.StreamID{}, sag(100_010, "readings.voltage.bn", 240, 0.1), s),
		timeline.Of(1, logdb.KindPQ, logdb.StreamID{}, sag(101_500, "readings.voltage.an", 200, nan), s),
		timeline.Of(0, logdb.KindWaveform, logdb.StreamID{}, &logdb.Entry{Time: 99_900, Waveform: &logdb.Waveform{End: 100_400, Triggers: []string{"Van=Sag_start"}}}, s),
		timeline.Of(0, logdb.KindSystem, logdb.StreamID{}, &logdb.Entry{Time: 130_000, System: &logdb.SystemEvent{Type: logdb.SystemPowerUp, Description: "control power"}}, s),
		timeline.Of(0, logdb.KindSystem, logdb.StreamID{}, &logdb.Entry{Time: 900_000, System: &logdb.SystemEvent{Type: logdb.SystemLogRetrieval}}, s),
	}
	timeline.Sort(list)
	return list
}

func TestOf(t *testing.T) {
	t.Parallel()
	list := events()
	worst := &list[4] // the newest come first
	if worst.Time != 100_000 || worst.Name != "Sag" || worst.Severity != chart.Alarm || math.Abs(worst.Ratio-0.5) > 1e-9 || worst.Phase != "A" {
		t.Errorf("the sag to 50 %% for 0.2 s is %+v", worst)
	}
	if !list[0].Routine || list[1].Routine {
		t.Error("only the log retrieval is routine")
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		filter timeline.Filter
		want   int
	}{
		"all":                {timeline.Filter{}, 6},
		"no routine":         {timeline.Filter{NoRoutine: true}, 5},
		"kind":               {timeline.Filter{HiddenKinds: map[logdb.Kind]bool{logdb.KindPQ: true}}, 3},
		"meter":              {timeline.Filter{HiddenMeters: map[int]bool{0: true}}, 1},
		"time":               {timeline.Filter{First: 100_000, Last: 100_010}, 1},
		"alarms":             {timeline.Filter{Least: chart.Alarm}, 1},
		"words":              {timeline.Filter{Text: "SAG  feeder"}, 1},
		"name of a log":      {timeline.Filter{Text: "waveform"}, 1},
		"time of day":        {timeline.Filter{Text: "19:01 sag"}, 3}, // in New York; a recording says sag too
		"second":             {timeline.Filter{Text: "19:01:40 sag"}, 2},
		"day":                {timeline.Filter{Text: "1969-12-31 sag"}, 3},
		"another day":        {timeline.Filter{Text: "1970-01-01"}, 1},
		"nothing":            {timeline.Filter{Text: "swell"}, 0},
		"box":                {timeline.Filter{Box: &timeline.Box{FromSeconds: 0.05, ToSeconds: 0.15, FromRatio: 0, ToRatio: 1}}, 1},
		"box without an end": {timeline.Filter{Box: &timeline.Box{FromSeconds: 0, ToSeconds: 100, FromRatio: 0.7, ToRatio: 0.73}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := x.filter.Apply(events(), []string{"main", "feeder 2"}, []*time.Location{newYork, nil}); len(got) != x.want {
				t.Errorf("%d events pass, want %d", len(got), x.want)
			}
		})
	}
}

func TestRelated(t *testing.T) {
	t.Parallel()
	list := events()
	var why []timeline.Why
	for _, l := range timeline.Related(list, 4, timeline.StatedByNobody) {
		why = append(why, l.Why)
	}
	want := []timeline.Why{timeline.Recording, timeline.OtherPhase, timeline.OtherMeter, timeline.SystemAfter}
	if len(why) != len(want) {
		t.Fatalf("related are %v, want %v", why, want)
	}
	for i := range want {
		if why[i] != want[i] {
			t.Errorf("related are %v, want %v", why, want)
		}
	}
}

// An event of another meter is found by the right time: within the error of clocks, or by how far a clock is known to be ahead.
func TestRelatedByClocks(t *testing.T) {
	t.Parallel()
	s := logdb.Settings{NominalVolts: 277, NominalHz: 60}
	list := []timeline.Event{
		timeline.Of(0, logdb.KindPQ, logdb.StreamID{}, sag(100_000, "readings.voltage.an", 138.5, 0.2), s),
		timeline.Of(1, logdb.KindPQ, logdb.StreamID{}, sag(105_000, "readings.voltage.an", 200, nan), s),
		timeline.Of(2, logdb.KindPQ, logdb.StreamID{}, sag(102_200, "readings.voltage.an", 150, 0.1), s),
	}
	timeline.Sort(list)
	for name, x := range map[string]struct {
		clocks timeline.Clocks
		want   map[int]logdb.Millis // by meter: how much later than the event of meter 0
	}{
		"a second each":            {timeline.StatedByNobody, map[int]logdb.Millis{2: 2200}},
		"right to a tenth":         {timeline.Clocks{Error: 100}, map[int]logdb.Millis{}},
		"meter 1 is 5 s ahead":     {timeline.Clocks{Error: 100, Ahead: map[int]logdb.Millis{1: 5000}}, map[int]logdb.Millis{1: 0}},
		"up to five seconds":       {timeline.Clocks{Error: 5000}, map[int]logdb.Millis{1: 5000, 2: 2200}},
		"the event's own is ahead": {timeline.Clocks{Error: 100, Ahead: map[int]logdb.Millis{0: -2000}}, map[int]logdb.Millis{2: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[int]logdb.Millis{}
			for _, l := range timeline.Related(list, 2, x.clocks) {
				if l.Why == timeline.OtherMeter {
					got[list[l.Index].Meter] = l.Delta
				}
			}
			if !maps.Equal(got, x.want) {
				t.Errorf("found %v, want %v", got, x.want)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ got, want string }{
		{timeline.Seconds(nan), ""}, {timeline.Seconds(0), "0 s"}, {timeline.Seconds(0.0002), "200 µs"}, {timeline.Seconds(0.0833), "83.3 ms"}, {timeline.Seconds(75), "1 min 15 s"},
		{timeline.Quantity(nan, "V"), ""}, {timeline.Quantity(-12_345, "V"), "−12.35 kV"}, {timeline.Quantity(0.05, "ratio"), "5 %"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}
