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

// TestMarks checks the pace of a receiver, which gets pages in any order.
func TestMarks(t *testing.T) {
	t.Parallel()
	const minute = logdb.Millis(60_000)
	a, ab, b := []logdb.ChannelKey{"x.a"}, []logdb.ChannelKey{"x.a", "x.b"}, []logdb.ChannelKey{"x.b"}
	type row struct {
		p        logdb.Position
		t        logdb.Millis
		channels []logdb.ChannelKey
		want     bool
	}
	tests := []struct {
		name string
		rows []row
	}{
		{"in order", []row{{1, 0, a, true}, {2, 30_000, a, false}, {3, minute, a, true}}},
		{"a later page first", []row{{3, minute, a, true}, {1, 0, a, true}, {2, 30_000, a, true}, {4, minute + 1, a, false}}},
		{"a hole before the row", []row{{1, 10_000, a, true}, {4, 30_000, a, true}, {5, 40_000, a, false}}},
		{"the clock was set back and forth, pages in order", []row{{1, minute + 10_000, a, true}, {2, 0, a, true}, {3, minute + 30_000, a, true}}},
		{"the clock was set back and forth, the middle is missing", []row{{1, minute + 10_000, a, true}, {3, minute + 30_000, a, true}, {2, 0, a, true}}},
		{"a row before the mark, from before the clock was set back", []row{{3, 0, a, true}, {2, 30_000, a, true}}},
		{"other channels of the same minute", []row{{1, 0, a, true}, {2, 0, b, true}, {3, 30_000, ab, false}}},
		{"one channel of the row is new in the minute", []row{{1, 0, a, true}, {2, 30_000, ab, true}, {3, 40_000, b, false}}},
		{"rows without values", []row{{1, 0, nil, true}, {2, 0, nil, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			marks, decided := limit.Marks{}, map[logdb.Position]bool{}
			open := func(after, before logdb.Position) bool {
				for p := after + 1; p < before; p++ {
					if !decided[p] {
						return true
					}
				}
				return false
			}
			for i, r := range tt.rows {
				if got := marks.Allow(60_000, limit.Mark{Position: r.p, Time: r.t}, r.channels, open); got != r.want {
					t.Fatalf("row %d: allowed %v, want %v", i+1, got, r.want)
				}
				decided[r.p] = true
			}
		})
	}
	marks := limit.Marks{"x.a": {Position: 1}}
	if !marks.Allow(0, limit.Mark{Position: 2}, a, func(_, _ logdb.Position) bool { return false }) {
		t.Error("refused without a limit")
	}
}

// A clock set back by seconds repeats a minute, and a reset of the log parts one: the first row of the new run or generation is a
// true record, whose energy would be lost if the pace took it for a second one of that minute.
func TestMarksAcrossRuns(t *testing.T) {
	t.Parallel()
	marks, a := limit.Marks{}, []logdb.ChannelKey{"x.a"}
	none := func(_, _ logdb.Position) bool { return false }
	for i, r := range []struct {
		run, generation uint32
		want            bool
	}{{0, 0, true}, {0, 0, false}, {1, 0, true}, {1, 0, false}, {1, 1, true}, {1, 1, false}} {
		if got := marks.Allow(60_000, limit.Mark{Position: logdb.Position(i + 1), Run: r.run, Generation: r.generation, Time: 60_000}, a, none); got != r.want {
			t.Errorf("row %d, of run %d, generation %d: allowed %v, want %v", i+1, r.run, r.generation, got, r.want)
		}
	}
}
