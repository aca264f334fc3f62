package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
)

// zoneOf returns the zone of a name, UTC for "" and for one that this machine does not know.
func zoneOf(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil && name != "" && name != "Local" {
		return loc
	}
	return time.UTC
}

// clock prints m in a zone, with its offset: in autumn one hour comes twice.
func clock(m logdb.Millis, zone *time.Location) string {
	if m == 0 {
		return ""
	}
	layout := "2006-01-02 15:04:05 -07:00"
	if m%1000 != 0 {
		layout = "2006-01-02 15:04:05.000 -07:00"
	}
	return m.Time().In(zone).Format(layout)
}

// age prints how long ago m was.
func age(m logdb.Millis, now time.Time) string {
	if m == 0 {
		return "never"
	}
	d := now.Sub(m.Time())
	switch {
	case d < 0:
		return "in " + shortDuration(-d)
	case d < 2*time.Second:
		return "now"
	}
	return shortDuration(d) + " ago"
}

func shortDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 2*time.Minute:
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	case d < 2*time.Hour:
		return strconv.FormatInt(int64(d/time.Minute), 10) + " min"
	case d < 48*time.Hour:
		return strconv.FormatInt(int64(d/time.Hour), 10) + " h"
	}
	return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " days"
}

// parseWhen reads a moment as people write it: RFC 3339, a date or a date and time in
// zone, milliseconds since 1970, "now", or a span back from now such as 6h or 7d.
func parseWhen(text string, zone *time.Location, now time.Time) (logdb.Millis, error) {
	text = strings.TrimSpace(text)
	if text == "now" {
		return logdb.MillisOf(now), nil
	}
	if span, ok := strings.CutPrefix(text, "-"); ok {
		d, err := parseSpan(span)
		if err != nil {
			return 0, err
		}
		return bounded(text, logdb.MillisOf(now.Add(-d)))
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return bounded(text, logdb.MillisOf(t))
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return bounded(text, logdb.MillisOf(t))
		}
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) >= 8 {
		return bounded(text, logdb.Millis(ms))
	}
	if d, err := parseSpan(text); err == nil {
		return bounded(text, logdb.MillisOf(now.Add(-d)))
	}
	return 0, usageError{fmt.Sprintf("time %q: want a date (2026-03-01), a time (2026-03-01T14:30), RFC 3339, ms since 1970, now, or a span back such as 7d", text)}
}

func bounded(text string, m logdb.Millis) (logdb.Millis, error) {
	if m < logdb.MinTime || m > logdb.MaxTime {
		return 0, usageError{fmt.Sprintf("time %q lies outside the years 1970 to 9999", text)}
	}
	return m, nil
}

// parseSpan reads a length of time: Go's units, and d for 24 hours, w for 7 days.
func parseSpan(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			n, err := strconv.ParseFloat(number, 64)
			if err != nil || n < 0 || n > 20_000 || n != n {
				return 0, usageError{fmt.Sprintf("span %q: want a number of days such as 60d", text)}
			}
			return time.Duration(n * float64(unit)), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, usageError{fmt.Sprintf("span %q: want a number with a unit, such as 90m, 6h, 60d or 2w", text)}
	}
	return d, nil
}
