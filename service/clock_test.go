package main

import (
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format/csvlog"
)

func TestClockTellsTheRepeatedHourApart(t *testing.T) {
	t.Parallel()
	zone := zoneOf("America/New_York")
	first := logdb.MillisOf(time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC))
	for _, tt := range []struct {
		at        logdb.Millis
		text, iso string
	}{
		{first, "2026-11-01 01:30:00 -04:00", "2026-11-01T01:30:00-04:00"},
		{first + 3_600_000, "2026-11-01 01:30:00 -05:00", "2026-11-01T01:30:00-05:00"},
		{first + 5, "2026-11-01 01:30:00.005 -04:00", "2026-11-01T01:30:00.005-04:00"},
	} {
		if got := clock(tt.at, zone); got != tt.text {
			t.Errorf("clock: got %s, want %s", got, tt.text)
		}
		if got := csvlog.Time(tt.at, zone); got != tt.iso {
			t.Errorf("isoTime: got %s, want %s", got, tt.iso)
		}
	}
	if got := clock(0, zone); got != "" {
		t.Errorf("no time prints %q", got)
	}
}

func TestParseWhen(t *testing.T) {
	t.Parallel()
	zone := zoneOf("Europe/Berlin")
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"now": now, "7d": now.AddDate(0, 0, -7), "-6h": now.Add(-6 * time.Hour), "2w": now.AddDate(0, 0, -14),
		"2026-03-01":                time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC),
		"2026-03-01T14:30":          time.Date(2026, 3, 1, 13, 30, 0, 0, time.UTC),
		"2026-03-01 14:30:05":       time.Date(2026, 3, 1, 13, 30, 5, 0, time.UTC),
		"2026-03-01T14:30:00-05:00": time.Date(2026, 3, 1, 19, 30, 0, 0, time.UTC),
		"1772323200000":             time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	} {
		got, err := parseWhen(text, zone, now)
		if err != nil || got != logdb.MillisOf(want) {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "1969-01-01", "10000-01-01T00:00:00Z", "5", "-", "-1x", "2026-13-01", "1e9d"} {
		if got, err := parseWhen(text, zone, now); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}

func FuzzParseWhen(f *testing.F) {
	for _, seed := range []string{"now", "7d", "-6h", "2026-03-01", "2026-03-01T14:30:00-05:00", "1772323200000", "NaNd"} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseWhen(text, time.UTC, now)
		if err == nil && (m > logdb.MaxTime || m < logdb.MinTime) {
			t.Errorf("%q gives %d", text, m)
		}
	})
}
