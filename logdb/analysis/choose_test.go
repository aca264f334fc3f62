package analysis_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/logdbtest"
)

const (
	volts  logdb.ChannelKey = "readings.voltage.an"
	energy logdb.ChannelKey = "energy.interval.wh.received"
	hour   logdb.Millis     = 3_600_000
)

var day0 = logdb.MillisOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))

// rows makes one value v for each step in (first, last], at the end of the step.
func rows(log logdb.LogNo, key logdb.ChannelKey, first, last, step logdb.Millis, v float64) logdb.History {
	h := logdb.History{Log: log, Channels: []logdb.ChannelKey{key}, Columns: [][]float64{nil}}
	for t := first + step; t <= last; t += step {
		h.Times = append(h.Times, t)
		h.Columns[0] = append(h.Columns[0], v)
	}
	return h
}

// accept stores h as a page of a journal of its own.
func accept(t *testing.T, s logdb.Store, journal logdb.JournalID, from logdb.Position, h logdb.History) {
	t.Helper()
	for i := range h.Times {
		h.Positions = append(h.Positions, from+logdb.Position(i))
	}
	end := h.Positions[len(h.Positions)-1]
	p := logdb.Page{Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: journal, Policy: "1"}, Rows: []logdb.History{h}, JournalEnd: end}
	if _, err := s.Accept(t.Context(), p, logdb.Limits{}); err != nil {
		t.Fatal(err)
	}
}

const (
	journalA logdb.JournalID = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	journalB logdb.JournalID = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func sums(t *testing.T, src logdb.Source, key logdb.ChannelKey, edges ...logdb.Millis) []float64 {
	t.Helper()
	c, err := analysis.Choose(t.Context(), src, analysis.Query{Meter: "m", Channels: []logdb.ChannelKey{key}, First: edges[0], Last: edges[len(edges)-1]})
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	err = c.ReadBuckets(t.Context(), edges, func(_ int, b []logdb.Bucket) error {
		for _, x := range b {
			out = append(out, x.Sum)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func raw(t *testing.T, src logdb.Source, key logdb.ChannelKey, first, last logdb.Millis) (values []float64, times []logdb.Millis) {
	t.Helper()
	c, err := analysis.Choose(context.Background(), src, analysis.Query{Meter: "m", Channels: []logdb.ChannelKey{key}, First: first, Last: last})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Columns) != 1 {
		t.Fatalf("%d columns, want 1", len(c.Columns))
	}
	err = c.ReadSeries(t.Context(), []logdb.SeriesID{1}, first, last, func(_ logdb.SeriesID, b *logdb.Block) error {
		values = b.AppendValues(values)
		times = append(times, b.Times...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values, times
}

func same(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

// A range that is read in parts, wherever these meet, answers what it answers at once.
func TestPartsOfARangeWithAlternatives(t *testing.T) {
	t.Parallel()
	for _, key := range []logdb.ChannelKey{energy, volts} {
		s := logdbtest.NewModel(logdbtest.Config{})
		m5 := 5 * 60_000 * logdb.Millis(1)
		accept(t, s, journalA, 1, rows(0, key, day0+hour, day0+2*hour, m5, 1))
		accept(t, s, journalB, 1, rows(0, key, day0, day0+hour, m5, 2))
		all, _ := raw(t, s, key, day0, day0+3*hour)
		if len(all) < 23 { // of the voltage at the full hour one is left out
			t.Fatalf("%d values of %s", len(all), key)
		}
		for at := day0 + m5; at < day0+3*hour; at += m5 {
			one, _ := raw(t, s, key, day0, at)
			two, _ := raw(t, s, key, at, day0+3*hour)
			if got := slices.Concat(one, two); !same(got, all) {
				t.Errorf("%s, parts that meet at %s: %v, want %v", key, at, got, all)
			}
		}
	}
}

// Two managers that read one meter must not double its energy, and a hand-over from one to the
// other in mid-day must not lose any.
func TestAlternativesAreNeverAdded(t *testing.T) {
	t.Parallel()
	s := logdbtest.NewModel(logdbtest.Config{})
	m5 := 5 * 60_000 * logdb.Millis(1)
	accept(t, s, journalA, 1, rows(0, energy, day0, day0+14*hour, m5, 1))
	accept(t, s, journalB, 1, rows(0, energy, day0+10*hour, day0+24*hour, m5, 1))
	if got, want := sums(t, s, energy, day0, day0+24*hour), []float64{288}; !same(got, want) {
		t.Errorf("energy of the day %v, want %v", got, want)
	}
	if got, want := sums(t, s, energy, day0, day0+12*hour, day0+24*hour), []float64{144, 144}; !same(got, want) {
		t.Errorf("energy of the half days %v, want %v", got, want)
	}
	if v, _ := raw(t, s, energy, day0, day0+25*hour); len(v) != 288 {
		t.Errorf("%d raw values, want 288", len(v))
	}
}

func TestFinestCompleteLogOfTheDay(t *testing.T) {
	t.Parallel()
	s := logdbtest.NewModel(logdbtest.Config{})
	m1, m15 := logdb.Millis(60_000), logdb.Millis(900_000)
	// Day 0: the minute log is complete. Day 1: it has a hole, the quarter-hour log has none.
	accept(t, s, journalA, 1, rows(0, energy, day0, day0+24*hour, m1, 1))
	accept(t, s, journalA, 10_000, rows(0, energy, day0+24*hour, day0+30*hour, m1, 1))
	accept(t, s, journalA, 20_000, rows(1, energy, day0, day0+48*hour, m15, 15))
	if got, want := sums(t, s, energy, day0, day0+24*hour, day0+48*hour), []float64{1440, 1440}; !same(got, want) {
		t.Errorf("energy of the days %v, want %v", got, want)
	}
	if got, want := sums(t, s, energy, day0, day0+48*hour), []float64{2880}; !same(got, want) {
		t.Errorf("energy of both days in one bucket %v, want %v", got, want)
	}
	v, _ := raw(t, s, energy, day0, day0+49*hour)
	if len(v) != 1440+96 {
		t.Errorf("%d raw values, want a day of minutes and a day of quarters", len(v))
	}
	// A bucket across midnight is answered by one log only.
	if got, want := sums(t, s, energy, day0+23*hour, day0+25*hour), []float64{120}; !same(got, want) {
		t.Errorf("energy around midnight %v, want %v", got, want)
	}
}

// A change of policy continues one journal under another name: its parts are one whole.
func TestStreamsOfOneJournalAreOneWhole(t *testing.T) {
	t.Parallel()
	s := logdbtest.NewModel(logdbtest.Config{})
	m1 := logdb.Millis(60_000)
	accept(t, s, journalA, 1, rows(0, volts, day0, day0+hour, m1, 1))
	h := rows(0, volts, day0+hour, day0+2*hour, m1, 2)
	for i := range h.Times {
		h.Positions = append(h.Positions, 61+logdb.Position(i))
	}
	_, err := s.Accept(t.Context(), logdb.Page{
		Meter: "m", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: journalA, Policy: "2"},
		Rows: []logdb.History{h}, JournalEnd: 120,
	}, logdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	v, times := raw(t, s, volts, day0, day0+3*hour)
	if len(v) != 120 || v[0] != 1 || v[119] != 2 {
		t.Fatalf("%d values from %v to %v, want 120 from 1 to 2", len(v), v[0], v[len(v)-1])
	}
	for i := 1; i < len(times); i++ {
		if times[i] < times[i-1] {
			t.Fatalf("time %s after %s", times[i], times[i-1])
		}
	}
	if got, want := sums(t, s, volts, day0, day0+3*hour), []float64{60 + 120}; !same(got, want) {
		t.Errorf("sum %v, want %v", got, want)
	}
}

// Without a list of channels they come as the catalogue has them, and what it lacks last.
func TestAllChannelsInCatalogueOrder(t *testing.T) {
	t.Parallel()
	s := logdbtest.NewModel(logdbtest.Config{})
	for i, key := range []logdb.ChannelKey{"demand.max.va", "own.thing", energy, volts} {
		accept(t, s, journalA, logdb.Position(10*i+1), rows(0, key, day0, day0+hour/4, 900_000, 1))
	}
	c, err := analysis.Choose(t.Context(), s, analysis.Query{Meter: "m", First: day0, Last: day0 + hour})
	if err != nil {
		t.Fatal(err)
	}
	var got []logdb.ChannelKey
	for _, col := range c.Columns {
		got = append(got, col.Channel)
	}
	if want := []logdb.ChannelKey{volts, energy, "demand.max.va", "own.thing"}; !slices.Equal(got, want) {
		t.Errorf("channels %v, want %v", got, want)
	}
}
