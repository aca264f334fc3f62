package limit_test

import (
	"slices"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

func TestPace(t *testing.T) {
	t.Parallel()
	const minute = logdb.Millis(60_000)
	tests := []struct {
		name     string
		interval int64
		times    []logdb.Millis
		passed   []logdb.Millis
	}{
		{"a minute apart", 60_000, []logdb.Millis{0, minute, 2 * minute}, []logdb.Millis{0, minute, 2 * minute}},
		{"twice a minute", 60_000, []logdb.Millis{0, 30_000, 60_000, 90_000}, []logdb.Millis{0, 60_000}},
		{"aligned to UTC, not to the first row", 60_000, []logdb.Millis{59_999, 60_000}, []logdb.Millis{59_999, 60_000}},
		{"last and first millisecond of a minute", 60_000, []logdb.Millis{60_000, 119_999, 120_000}, []logdb.Millis{60_000, 120_000}},
		{"equal times in one run", 60_000, []logdb.Millis{5000, 5000}, []logdb.Millis{5000}},
		{"a clock set back opens a new run", 60_000, []logdb.Millis{minute, 30_000, 29_999}, []logdb.Millis{minute, 30_000, 29_999}},
		{"rows after the clock was set back", 60_000, []logdb.Millis{50_000, 10_000, 20_000, 60_000}, []logdb.Millis{50_000, 10_000, 60_000}},
		{"over pace does not move the mark", 60_000, []logdb.Millis{0, 59_000, 58_000}, []logdb.Millis{0}},
		{"another interval", 900_000, []logdb.Millis{0, 899_999, 900_000}, []logdb.Millis{0, 900_000}},
		{"no limit", 0, []logdb.Millis{1, 1, 2}, []logdb.Millis{1, 1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := limit.Pace{IntervalMillis: tt.interval}
			var passed []logdb.Millis
			for _, at := range tt.times {
				if p.Allow(at) {
					passed = append(passed, at)
				}
			}
			if !slices.Equal(passed, tt.passed) {
				t.Errorf("passed %v, want %v", passed, tt.passed)
			}
		})
	}
	if got := logdb.DefaultLimits().HistoricalIntervalMillis; got != 60_000 {
		t.Errorf("default interval is %d ms, want one record a minute", got)
	}
}
