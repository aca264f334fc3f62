package analysis_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
)

// TestLoopsOverZonesEnd crosses the last day of leap years, where Time.ZoneBounds stands still.
func TestLoopsOverZonesEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		if step := analysis.RollStep(name, logdb.MillisOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))); step < 900_000 {
			t.Errorf("%s: step %d", name, step)
		}
		for _, year := range []int{2028, 2040, 2044} {
			first := logdb.MillisOf(time.Date(year, 12, 30, 0, 0, 0, 0, time.UTC))
			edges, err := analysis.Edges(zone, analysis.Interval{Count: 1, Unit: analysis.Hour}, first, first+4*logdb.DayMillis)
			if err != nil || len(edges) < 97 || len(edges) > 98 {
				t.Errorf("%s %d: %d edges of hours in 4 days, %v", name, year, len(edges), err)
			}
		}
	}
}
