package limit_test

import (
	"fmt"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// TestTable checks every number of the table in system.md section 4: exactly so many records
// pass in a span, the next is refused for that span, and the span after it is free again.
func TestTable(t *testing.T) {
	t.Parallel()
	const second, minute, hour = logdb.Millis(1000), logdb.Millis(60_000), logdb.Millis(3_600_000)
	tests := []struct {
		kind   logdb.Kind
		window string
		max    int
		span   logdb.Millis
	}{
		{logdb.KindWaveform, "second", 1, second},
		{logdb.KindWaveform, "minute", 5, minute},
		{logdb.KindWaveform, "hour", 25, hour},
		{logdb.KindWaveform, "day", 50, logdb.DayMillis},
		{logdb.KindLimit, "second", 2, second},
		{logdb.KindLimit, "minute", 10, minute},
		{logdb.KindLimit, "hour", 50, hour},
		{logdb.KindLimit, "day", 100, logdb.DayMillis},
		{logdb.KindPQ, "second", 10, second},
		{logdb.KindPQ, "minute", 30, minute},
		{logdb.KindPQ, "hour", 100, hour},
		{logdb.KindPQ, "day", 200, logdb.DayMillis},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s per %s", tt.kind, tt.window), func(t *testing.T) {
			t.Parallel()
			windows := logdb.DefaultLimits().Of(tt.kind)
			counts := limit.Counts{}
			start := logdb.Millis(1_700_000_000_000).Floor(tt.span)
			// Spread over the span so that no shorter window fills first.
			for i := range tt.max {
				at := start + tt.span*logdb.Millis(i)/logdb.Millis(tt.max)
				if ok, reason := limit.Decide(windows, counts, at); !ok {
					t.Fatalf("record %d of %d refused for %q", i+1, tt.max, reason)
				}
			}
			if ok, reason := limit.Decide(windows, counts, start+tt.span-1); ok || reason != tt.window {
				t.Fatalf("record %d: ok %v reason %q, want refused for %q", tt.max+1, ok, reason, tt.window)
			}
			if ok, reason := limit.Decide(windows[:index(windows, tt.window)+1], counts, start+tt.span); !ok {
				t.Fatalf("first record of the next %s refused for %q", tt.window, reason)
			}
		})
	}
}

func index(windows []logdb.Window, name string) int {
	for i, w := range windows {
		if w.Name == name {
			return i
		}
	}
	return -1
}

func TestSystemEventsAndUnsetLimitsHaveNoWindows(t *testing.T) {
	t.Parallel()
	if w := logdb.DefaultLimits().Of(logdb.KindSystem); len(w) != 0 {
		t.Errorf("system events are limited: %v", w)
	}
	windows := []logdb.Window{{Name: "none", Millis: 1000}, {Name: "no span", Max: 1}}
	counts := limit.Counts{}
	for range 1000 {
		if ok, reason := limit.Decide(windows, counts, 5); !ok {
			t.Fatalf("refused for %q by a window without a limit", reason)
		}
	}
	if len(counts) != 0 || len(limit.Keys(windows, 5)) != 0 {
		t.Errorf("windows without a limit count: %v", counts)
	}
}

// TestWindowsAreAlignedToUTC checks that spans begin at whole seconds, minutes, hours and days
// of UTC: two bursts either side of a boundary both pass, whatever came first.
func TestWindowsAreAlignedToUTC(t *testing.T) {
	t.Parallel()
	windows := logdb.DefaultLimits().Of(logdb.KindWaveform)
	const midnight = logdb.Millis(1_700_006_400_000) // 2023-11-15T00:00:00Z
	if midnight.String() != "2023-11-15T00:00:00.000Z" {
		t.Fatal(midnight)
	}
	counts := limit.Counts{}
	for _, at := range []logdb.Millis{midnight - 1, midnight} {
		if ok, reason := limit.Decide(windows, counts, at); !ok {
			t.Errorf("%s refused for %q", at, reason)
		}
	}
	if ok, reason := limit.Decide(windows, counts, midnight+999); ok || reason != "second" {
		t.Errorf("second record of one second: ok %v reason %q", ok, reason)
	}
	want := []limit.Key{{"second", midnight + 1000}, {"minute", midnight}, {"hour", midnight}, {"day", midnight}}
	got := limit.Keys(windows, midnight+1500)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("key %d = %v, want %v", i, got[i], want[i])
		}
	}
}

// TestRefusedCountsNowhere checks that a burst that fills a second takes nothing from the minute.
func TestRefusedCountsNowhere(t *testing.T) {
	t.Parallel()
	windows := logdb.DefaultLimits().Of(logdb.KindWaveform)
	counts := limit.Counts{}
	passed := 0
	for i := range logdb.Millis(5) {
		for range 20 { // 20 recordings in each of 5 seconds
			if ok, _ := limit.Decide(windows, counts, i*1000+500); ok {
				passed++
			}
		}
	}
	if passed != 5 {
		t.Errorf("%d passed, want one in each of the five seconds", passed)
	}
	for key, want := range map[limit.Key]int{{Window: "minute"}: 5, {Window: "second"}: 1, {Window: "second", Start: 4000}: 1} {
		if counts[key] != want {
			t.Errorf("%v counts %d, want %d", key, counts[key], want)
		}
	}
}

// TestReasonIsFirstFullWindow fills two windows at once.
func TestReasonIsFirstFullWindow(t *testing.T) {
	t.Parallel()
	windows := []logdb.Window{{Name: "a", Millis: 1000, Max: 1}, {Name: "b", Millis: 60_000, Max: 1}}
	counts := limit.Counts{}
	limit.Decide(windows, counts, 0)
	if ok, reason := limit.Decide(windows, counts, 10); ok || reason != "a" {
		t.Errorf("ok %v reason %q, want refused for a", ok, reason)
	}
	if ok, reason := limit.Decide(windows, counts, 1000); ok || reason != "b" {
		t.Errorf("ok %v reason %q, want refused for b", ok, reason)
	}
}

func TestReleaseGivesSlotsBack(t *testing.T) {
	t.Parallel()
	windows := logdb.DefaultLimits().Of(logdb.KindPQ)
	counts := limit.Counts{}
	for range 10 {
		limit.Decide(windows, counts, 7)
	}
	for range 3 {
		limit.Release(windows, counts, 7)
	}
	for i := range 4 {
		if ok, _ := limit.Decide(windows, counts, 7); ok != (i < 3) {
			t.Errorf("record %d after 3 were released: ok %v", i+1, ok)
		}
	}
	limit.Release(windows, limit.Counts{}, 7)
	for range 100 {
		limit.Release(windows, counts, 7)
	}
	for k, n := range counts {
		t.Errorf("%v counts %d after everything was released", k, n)
	}
}
