package analysis_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func utc(t testing.TB, s string) logdb.Millis {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return logdb.MillisOf(at)
}

func TestRollStep(t *testing.T) {
	t.Parallel()
	since := utc(t, "2024-01-01 00:00")
	for name, want := range map[string]logdb.Millis{
		"UTC": 60, "Europe/Berlin": 60, "America/New_York": 60, "Asia/Kolkata": 30, "Australia/Lord_Howe": 30,
		"Asia/Kathmandu": 15, "Pacific/Chatham": 15, "No/Where": 60, "": 60,
	} {
		if got := analysis.RollStep(name, since); got != want*60_000 {
			t.Errorf("%s: %d min, want %d", name, got/60_000, want)
		}
	}
	// Venezuela had half an hour until 2016: data from before need it, later data do not.
	if got := analysis.RollStep("America/Caracas", utc(t, "2015-01-01 00:00")); got != 30*60_000 {
		t.Errorf("Caracas from 2015: %d", got)
	}
	if got := analysis.RollStep("America/Caracas", since); got != 60*60_000 {
		t.Errorf("Caracas from 2024: %d", got)
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, zone, interval, first, last string
		want                              []string // UTC
	}{
		{"days", "Europe/Berlin", "1d", "2024-03-30 10:00", "2024-04-01 00:00",
			[]string{"2024-03-29 23:00", "2024-03-30 23:00", "2024-03-31 22:00", "2024-04-01 22:00"}},
		{"a day of 25 hours", "Europe/Berlin", "1d", "2024-10-26 22:00", "2024-10-27 23:00", []string{"2024-10-26 22:00", "2024-10-27 23:00"}},
		{"hours while the clock goes forward", "Europe/Berlin", "1h", "2024-03-31 00:00", "2024-03-31 03:00",
			[]string{"2024-03-31 00:00", "2024-03-31 01:00", "2024-03-31 02:00", "2024-03-31 03:00"}},
		{"hours while the clock goes back", "Europe/Berlin", "1h", "2024-10-27 00:30", "2024-10-27 02:00",
			[]string{"2024-10-27 00:00", "2024-10-27 01:00", "2024-10-27 02:00"}},
		{"a quarter of a day is an hour shorter", "Europe/Berlin", "6h", "2024-03-30 23:00", "2024-03-31 10:00",
			[]string{"2024-03-30 23:00", "2024-03-31 04:00", "2024-03-31 10:00"}},
		{"a quarter of a day is an hour longer", "Europe/Berlin", "6h", "2024-10-26 23:30", "2024-10-27 05:00",
			[]string{"2024-10-26 22:00", "2024-10-27 05:00"}},
		{"a query that begins behind the change", "Europe/Berlin", "6h", "2024-10-27 03:00", "2024-10-27 05:00",
			[]string{"2024-10-26 22:00", "2024-10-27 05:00"}},
		{"a query that ends before the change, within the span of it", "America/St_Johns", "3h", "2026-10-31 23:30", "2026-11-01 03:30",
			[]string{"2026-10-31 23:30", "2026-11-01 02:30", "2026-11-01 06:30"}},
		{"half an hour forward", "Australia/Lord_Howe", "1h", "2024-10-05 14:30", "2024-10-05 16:30",
			[]string{"2024-10-05 14:30", "2024-10-05 15:30", "2024-10-05 16:00", "2024-10-05 17:00"}},
		{"an odd offset", "Asia/Kathmandu", "1h", "2024-01-01 00:00", "2024-01-01 01:00",
			[]string{"2023-12-31 23:15", "2024-01-01 00:15", "2024-01-01 01:15"}},
		{"midnight does not exist", "America/Asuncion", "1d", "2023-09-30 04:00", "2023-10-02 03:00",
			[]string{"2023-09-30 04:00", "2023-10-01 04:00", "2023-10-02 03:00"}},
		{"midnight comes twice", "America/Havana", "1d", "2024-11-02 04:00", "2024-11-04 05:00",
			[]string{"2024-11-02 04:00", "2024-11-03 04:00", "2024-11-04 05:00"}},
		{"a day that never was", "Pacific/Apia", "1d", "2011-12-29 10:00", "2011-12-31 10:00",
			[]string{"2011-12-29 10:00", "2011-12-30 10:00", "2011-12-31 10:00"}},
		{"weeks begin on Monday", "Europe/Berlin", "1w", "2024-05-15 12:00", "2024-05-20 00:00",
			[]string{"2024-05-12 22:00", "2024-05-19 22:00", "2024-05-26 22:00"}},
		{"months", "America/New_York", "1mo", "2024-02-10 00:00", "2024-03-15 00:00",
			[]string{"2024-02-01 05:00", "2024-03-01 05:00", "2024-04-01 04:00"}},
		{"quarters of a year", "UTC", "3mo", "2024-05-10 00:00", "2024-07-01 00:00", []string{"2024-04-01 00:00", "2024-07-01 00:00"}},
		{"years", "UTC", "1y", "2024-05-10 00:00", "2025-01-01 00:00", []string{"2024-01-01 00:00", "2025-01-01 00:00"}},
		{"quarter hours", "Asia/Kolkata", "15m", "2024-01-01 00:05", "2024-01-01 00:30",
			[]string{"2024-01-01 00:00", "2024-01-01 00:15", "2024-01-01 00:30"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			interval, err := analysis.ParseInterval(tt.interval)
			if err != nil || interval.String() != tt.interval {
				t.Fatalf("interval %s, %v", interval, err)
			}
			got, err := analysis.Edges(zone(t, tt.zone), interval, utc(t, tt.first), utc(t, tt.last))
			if err != nil {
				t.Fatal(err)
			}
			var want []logdb.Millis
			for _, s := range tt.want {
				want = append(want, utc(t, s))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
}

// TestEdgesCover checks of random ranges in many zones that edges rise, cover the range, and do not depend on where
// the range begins.
func TestEdgesCover(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 3))
	zones := []string{"UTC", "Europe/Berlin", "America/Havana", "America/Asuncion", "Australia/Lord_Howe", "Asia/Kathmandu",
		"Africa/Casablanca", "Asia/Beirut", "Pacific/Apia", "Antarctica/Troll", "America/Nuuk"}
	intervals := []string{"15m", "1h", "5h", "1d", "3d", "1w", "1mo", "1y"}
	for range 3000 {
		loc := zone(t, zones[rnd.IntN(len(zones))])
		name := intervals[rnd.IntN(len(intervals))]
		interval, err := analysis.ParseInterval(name)
		if err != nil {
			t.Fatal(err)
		}
		first := utc(t, "2009-01-01 00:00") + logdb.Millis(rnd.Int64N(20*365*86_400_000))
		last := first + 1 + logdb.Millis(rnd.Int64N(20*86_400_000))
		if _, change := first.Time().In(loc).ZoneBounds(); !change.IsZero() && rnd.IntN(2) == 0 { // it ends around a change of the clock
			last = logdb.MillisOf(change) + logdb.Millis(rnd.Int64N(12*3_600_000)-6*3_600_000)
			first = min(first, last-1)
			first = max(first, last-1-logdb.Millis(rnd.Int64N(20*86_400_000)))
		}
		all, err := analysis.Edges(loc, interval, first, last)
		if err != nil {
			t.Fatal(err)
		}
		n := len(all)
		if n < 2 || all[0] > first || all[1] <= first || all[n-1] < last || all[n-2] >= last {
			t.Fatalf("%s in %s from %s to %s: %v", name, loc, first, last, all)
		}
		for i := 1; i < n; i++ {
			if all[i] <= all[i-1] {
				t.Fatalf("%s in %s: %s after %s", name, loc, all[i], all[i-1])
			}
		}
		// A range that begins at any later moment has the same edges from there on.
		later := first + logdb.Millis(rnd.Int64N(int64(last-first)))
		part, err := analysis.Edges(loc, interval, later, last)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(part, all[n-len(part):]) {
			t.Fatalf("%s in %s from %s: %v, from %s: %v", name, loc, first, all, later, part)
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	got, err := analysis.Buckets(3, 0, 100)
	if err != nil || !slices.Equal(got, []logdb.Millis{0, 33, 66, 100}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = analysis.Buckets(10, 5, 8); err != nil || !slices.Equal(got, []logdb.Millis{5, 6, 7, 8}) {
		t.Errorf("more buckets than milliseconds: %v, %v", got, err)
	}
	if got, err = analysis.Buckets(7, logdb.MinTime, logdb.MaxTime); err != nil || len(got) != 8 || got[7] != logdb.MaxTime {
		t.Errorf("%v, %v", got, err)
	}
}

func TestBadCalendar(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "h", "0h", "-1h", "1", "1x", "1 h", "99999999999999999999h", "1hh"} {
		if _, err := analysis.ParseInterval(s); !errors.Is(err, logdb.ErrInvalid) {
			t.Errorf("interval %q: %v", s, err)
		}
	}
	if _, err := analysis.Edges(time.UTC, analysis.Interval{Count: 1, Unit: analysis.Minute}, 0, logdb.MaxTime); !errors.Is(err, logdb.ErrInvalid) {
		t.Errorf("too many minutes: %v", err)
	}
	if _, err := analysis.Edges(time.UTC, analysis.Interval{Count: 1, Unit: analysis.Day}, 5, 5); !errors.Is(err, logdb.ErrInvalid) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := analysis.Buckets(0, 0, 1); !errors.Is(err, logdb.ErrInvalid) {
		t.Errorf("no buckets: %v", err)
	}
}
