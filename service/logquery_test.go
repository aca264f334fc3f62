package main

import (
	"math"
	"testing"

	"metermanager/logdb"
)

// How long an event lasted is open while no end was seen, and unknown when the entry says why.
func TestDurationOfAnEvent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		seconds   float64
		why, want string
	}{
		{5, "", "5"}, {0, "", "0"}, {math.NaN(), "", "open"}, {math.NaN(), "the meter's clock was set back meanwhile", "unknown"},
		{5, "corrected by somebody", "5"},
	} {
		x := logdb.Excursion{DurationSeconds: tc.seconds, Channel: "readings.voltage.an"}
		for _, kind := range []logdb.Kind{logdb.KindLimit, logdb.KindPQ} {
			if got := excursionCells(kind, "now", &x, tc.why); got[1] != tc.want || len(got) != len(eventHeads(kind, false, "UTC")) {
				t.Errorf("%v s, %q: %q, want %q", tc.seconds, tc.why, got, tc.want)
			}
		}
	}
}
