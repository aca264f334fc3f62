package analysis_test

import (
	"math"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/logdbtest"
)

// TestCoverage: the interval is found in the data, so a gap, a repeated time and a day of 23 hours count as what they are.
func TestCoverage(t *testing.T) {
	t.Parallel()
	const minute, start = logdb.Millis(60_000), logdb.Millis(1_774_652_400_000) // 2026-03-27T23:00Z: the midnight before Berlin's last winter day
	m := logdbtest.NewModel(logdbtest.Config{})
	h := logdb.History{Channels: []logdb.ChannelKey{"energy.interval.wh.received"}, Columns: make([][]float64, 1)}
	for i := range logdb.Millis(47 * 4) {
		if at := start + (i+1)*15*minute; at <= start+6*60*minute || at > start+12*60*minute { // six hours are missing
			h.Times, h.Columns[0] = append(h.Times, at), append(h.Columns[0], 1)
		}
	}
	if _, err := m.Append(t.Context(), logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
		t.Fatal(err)
	}
	days := []logdb.Millis{start, start + logdb.DayMillis, start + 47*60*minute}
	c, err := analysis.Choose(t.Context(), m, analysis.Query{Meter: "m", First: days[0], Last: days[2]})
	if err != nil {
		t.Fatal(err)
	}
	step, err := c.Step(t.Context(), 0)
	if err != nil || step != 15*minute {
		t.Fatalf("step %d, %v", step, err)
	}
	err = c.ReadBuckets(t.Context(), days, func(_ int, b []logdb.Bucket) error {
		for i, want := range []float64{0.75, 1} {
			if got := analysis.Coverage(b[i].Count, days[i+1]-days[i], step); got != want {
				t.Errorf("day %d: %v, want %v", i, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := analysis.Coverage(0, minute, minute); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := analysis.Coverage(3, minute, minute); got != 1 {
		t.Errorf("of repeated times: %v", got)
	}
	if got := analysis.Coverage(3, minute, 0); !math.IsNaN(got) {
		t.Errorf("of an unknown interval: %v", got)
	}
}
