package format_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/logdbtest"
)

const uid = logdb.MeterUID("file")

// content has everything that a file may hold: two tables, one of them out of order with an absent
// row, interval energy, two recordings, events with a gap among them.
func content() *format.Content {
	start := time.Date(2026, 3, 29, 0, 59, 59, 500e6, time.UTC)
	at := logdb.MillisOf(start)
	quarter := []logdb.Millis{at, at + 900_000, at + 1_800_000, at + 2_700_000}
	mixed := []logdb.Millis{at + 5, at, at + 10, at + logdb.DayMillis}
	nan := math.NaN()
	return &format.Content{
		Kind: "test", Station: "North", Settings: logdb.Settings{Serial: "17", Zone: "Europe/Berlin"},
		Trends: []format.Trend{
			{Channel: format.Channel{Name: "kW", Unit: "kW", Key: "readings.power.watts", Factor: 1e3}, Times: quarter, Values: []float64{1.5, nan, 2.25, -1}},
			{Channel: format.Channel{Name: "kWh", Unit: "kWh", Key: "energy.interval.wh.received", Factor: 1e3}, Times: quarter, Values: []float64{1, nan, 3, 4}},
			{Channel: format.Channel{Name: "Temp °F"}, Log: 1, Times: mixed, Values: []float64{70, 71.5, 72, 73}},
			{Channel: format.Channel{Name: "temp f"}, Log: 1, Times: mixed, Values: []float64{1, 2, 3}},
		},
		Recordings: []format.Recording{{
			Start: start, Trigger: start.Add(2 * time.Millisecond), LineHz: 50,
			Channels: []format.Samples{
				{Channel: format.Channel{Name: "UA", Unit: "kV"}, Timing: format.Uniform(0.001), Values: []float64{1, nan, 3}, Primary: 10},
				{Channel: format.Channel{Name: "digin 3"}, Timing: format.Uniform(0.001), Digital: []byte{0, 1, 1}},
				{Channel: format.Channel{Name: "trip"}, Timing: format.Uniform(0.001), Digital: []byte{0, 0, 1}},
				{Channel: format.Channel{Name: "IA", Unit: "A"}, Timing: format.Uniform(0.002), Values: []float64{7, 8}},
			},
		}},
		Events: []format.Event{
			{Kind: logdb.KindPQ, Entry: logdb.Entry{Op: logdb.OpAdd, Time: at + 7, Excursion: &logdb.Excursion{DurationSeconds: 0.1, Channel: "readings.voltage.an", Worst: 80, WorstPercent: nan, Threshold: 90}}},
			{Kind: logdb.KindPQ, Entry: logdb.Entry{Op: logdb.OpAdd, Time: at, Excursion: &logdb.Excursion{DurationSeconds: nan, Channel: "readings.voltage.bn", Worst: 70, WorstPercent: nan, Threshold: 90}}},
			{Kind: logdb.KindPQ, Entry: logdb.Entry{Op: logdb.OpGap, Time: at, Gap: &logdb.Gap{From: at, To: at + 9, Cause: logdb.GapStopped}}},
			{Kind: logdb.KindSystem, Entry: logdb.Entry{Op: logdb.OpAdd, Time: at, System: &logdb.SystemEvent{Type: logdb.SystemReset}}},
			{Kind: logdb.KindSystem, Entry: logdb.Entry{Op: logdb.OpAdd, Time: at, System: &logdb.SystemEvent{Type: logdb.SystemError, Code: 3}}},
		},
	}
}

// A file's source answers as a store does that was given the same records, question by question.
func TestSourceAnswersLikeAStore(t *testing.T) {
	t.Parallel()
	c := content()
	src := format.NewSource(c, uid)
	ctx := context.Background()
	settings, err := src.Settings(ctx, uid)
	if err != nil {
		t.Fatal(err)
	}
	if settings.UID != uid || settings.Name != "North" || settings.Serial != "17" {
		t.Errorf("settings %+v", settings)
	}
	var next logdb.JournalID
	model := logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID { return next }})
	if err := model.PutSettings(ctx, uid, settings); err != nil {
		t.Fatal(err)
	}
	for _, kind := range logdb.Kinds {
		states, err := src.Streams(ctx, uid, kind)
		if err != nil {
			t.Fatal(err)
		}
		if len(states) == 0 {
			continue
		}
		next = states[0].Stream.Journal
		b := logdb.Batch{Meter: uid, Kind: kind}
		if kind == logdb.KindHistorical {
			b.Rows, _ = c.History()
		} else {
			b.Entries, _ = c.Entries(kind)
		}
		if _, err := model.Append(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	want, got := answers(t, model), answers(t, src)
	if want != got {
		t.Errorf("the source differs from a store:\n%s", diff(want, got))
	}
	if n := strings.Count(want, "\n"); n < 60 {
		t.Errorf("only %d lines were compared:\n%s", n, want)
	}
	for _, line := range []string{
		"readings.power.watts=2250", "energy.interval.wh.received=1000", "import.temp-f=70", "import.temp-f_2=2",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q among the answers:\n%s", line, got)
		}
	}
}

// answers asks a source everything and prints what it says; numbers of series, which are its own, stay out.
func answers(t *testing.T, s logdb.Source) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	meters, err := s.Meters(ctx)
	check(err)
	say("meters %v", meters)
	_, err = s.Settings(ctx, "other")
	say("settings of another: %v", errors.Is(err, logdb.ErrUnknownMeter))
	list, err := s.Series(ctx, uid)
	check(err)
	start := logdb.MillisOf(time.Date(2026, 3, 29, 0, 59, 59, 500e6, time.UTC))
	for _, sr := range list {
		id := sr.ID
		sr.ID = 0
		say("series %+v", sr)
		for _, r := range [][2]logdb.Millis{{0, logdb.MaxTime}, {start, start + 900_000}, {start + 1, start + 900_001}} {
			check(s.ReadSeries(ctx, []logdb.SeriesID{id}, r[0], r[1], func(_ logdb.SeriesID, block *logdb.Block) error {
				for i, v := range block.AppendValues(nil) {
					say("  %s from %d: %d %d %s=%v", sr.Channel, r[0], block.Times[i], block.Positions[i], sr.Channel, v)
				}
				return nil
			}))
		}
		edges := []logdb.Millis{start - 900_000, start, start + 900_000, start + 1_800_000, start + 2_700_001, start + 2*logdb.DayMillis}
		check(s.ReadBuckets(ctx, []logdb.SeriesID{id}, edges, func(_ logdb.SeriesID, all []logdb.Bucket) error {
			for _, k := range all {
				say("  bucket %+v", k)
			}
			return nil
		}))
		if err := s.ReadBuckets(ctx, []logdb.SeriesID{id}, []logdb.Millis{5, 5}, nil); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("edges that do not rise: %v", err)
		}
	}
	for _, kind := range logdb.Kinds {
		states, err := s.Streams(ctx, uid, kind)
		check(err)
		for _, st := range states {
			st.Created = 0
			say("%s %+v", kind, st)
			for first := logdb.Position(1); ; {
				page, err := s.ReadStream(ctx, uid, kind, st.Stream, first, 2)
				check(err)
				check(page.Check())
				entries := page.Entries
				for i := range page.Rows {
					for k := range page.Rows[i].Len() {
						entries = append(entries, page.Rows[i].Entry(k))
					}
				}
				if len(entries) == 0 {
					break
				}
				for _, e := range entries {
					say("  %d %d %s %s %s", e.Position, e.Time, e.Op, e.ContentDigest(), page.Chain)
					first = e.Position + 1
				}
			}
			digests, err := s.Digests(ctx, uid, kind, st.Stream)
			check(err)
			for _, d := range digests {
				if d.Data.Count > 0 { // a store may keep days of nothing
					say("  digest %+v", d)
				}
			}
		}
		for _, q := range []logdb.EventQuery{{}, {Gaps: true}, {First: start + 1}, {Last: start + 7}, {Limit: 1}, {Channels: []logdb.ChannelKey{"readings.voltage.an"}}, {Codes: []int64{11}}} {
			q.Meter, q.Kind = uid, kind
			var last *logdb.EventCursor
			check(s.ReadEvents(ctx, q, func(id logdb.StreamID, e *logdb.Entry) error {
				say("event %s %s %d %d %s", kind, id, e.Position, e.Time, e.ContentDigest())
				last = &logdb.EventCursor{Time: e.Time, Stream: id, Position: e.Position}
				if kind == logdb.KindWaveform {
					full, err := s.Recording(ctx, uid, id, e.Position)
					check(err)
					say("  %v", reflect.ValueOf(*full.Waveform))
				}
				return nil
			}))
			q.After, q.Limit = last, 0
			check(s.ReadEvents(ctx, q, func(id logdb.StreamID, e *logdb.Entry) error {
				say("  then %d %d", e.Position, e.Time)
				return nil
			}))
		}
	}
	_, err = s.Recording(ctx, uid, logdb.StreamID{}, 1)
	say("no recording: %v", errors.Is(err, logdb.ErrNotFound))
	_, err = s.ReadStream(ctx, uid, logdb.KindPQ, logdb.StreamID{}, 1, 1)
	say("no stream: %v", errors.Is(err, logdb.ErrNotFound))
	return b.String()
}

// diff shows the first lines that differ.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nstore:  %s\nsource: %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(w), len(g))
}
