package judge

import (
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// What a meter forgot before anybody read it is lost while nothing follows it: there is no record yet that a gap could stand before.
// What its memory holds must arrive.
func TestWhatAnEmptyMemoryForgot(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 6, 15, 6, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name           string
		held           int
		forgotten      time.Time
		problems, lost int
	}{
		{"forgotten", 0, made.Add(time.Hour), 0, 2},
		{"still held", 2, made.Add(time.Hour), 1, 0},
		{"made afterwards", 0, made, 1, 0},
		{"nothing was forgotten", 0, time.Time{}, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			truth := Truth{before: map[int]time.Time{sim.LogHist1: tc.forgotten}}
			truth.logs[0] = []sim.Record{{Time: made, True: made}, {Time: made.Add(time.Minute), True: made.Add(time.Minute)}}
			truth.held[0] = tc.held
			var r report
			var stats Stats
			if lost := truth.check(&r, logdb.KindHistorical, nil, &stats); lost != tc.lost || len(r.list) != tc.problems {
				t.Errorf("%d lost, want %d; %v", lost, tc.lost, r.list)
			}
		})
	}
}
