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

// A meter recorded at minutes 0 to 5, of which 0 and 1 were read; its clock was set back by four minutes, and what it recorded then was
// read. A gap tells of the lost ones where it reaches from the last one before them to the first one behind, or ends where it begins
// when that bears an earlier time.
func TestLostBeforeAClockWasSetBack(t *testing.T) {
	t.Parallel()
	minute := func(n int) time.Time { return time.Date(2026, 6, 15, 6, n, 0, 0, time.UTC) }
	at := func(n int) logdb.Millis { return logdb.MillisOf(minute(n)) }
	for _, tc := range []struct {
		name     string
		behind   int // minute of the first record behind the gap
		until    int // minute in which the memory was emptied, the last record having been made in the fifth
		gap      *logdb.Gap
		problems int
	}{
		{"as it was", 3, 60, &logdb.Gap{From: at(1), To: at(3), Cause: logdb.GapOverwritten}, 0},
		{"behind the gap's begin", 0, 60, &logdb.Gap{From: at(1), To: at(1), Cause: logdb.GapReset}, 0},
		{"another gap", 0, 60, &logdb.Gap{From: at(0), To: at(0), Cause: logdb.GapReset}, 1},
		{"ends too early", 3, 60, &logdb.Gap{From: at(1), To: at(2), Cause: logdb.GapOverwritten}, 1},
		{"none", 0, 60, nil, 1},
		{"emptied as the last was made", 3, 5, &logdb.Gap{From: at(1), To: at(3), Cause: logdb.GapOverwritten}, 0},
		{"emptied before the last was made", 3, 4, &logdb.Gap{From: at(1), To: at(3), Cause: logdb.GapOverwritten}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			truth := Truth{before: map[int]time.Time{sim.LogHist1: minute(tc.until)}}
			times := []int{0, 1, 2, 3, 4, 5, tc.behind}
			for i, m := range times {
				truth.logs[0] = append(truth.logs[0], sim.Record{Time: minute(m), True: minute(i), Values: []sim.Value{{Channel: "readings.frequency", Value: float64(i)}}})
			}
			var journal []logdb.Entry
			for _, i := range []int{0, 1, len(times) - 1} {
				journal = append(journal, logdb.Entry{Position: logdb.Position(len(journal) + 1), Op: logdb.OpAdd, Time: at(times[i]),
					Row: &logdb.Row{Channels: []logdb.ChannelKey{"readings.frequency"}, Values: []float64{float64(i)}}})
			}
			if tc.gap != nil {
				journal = append(journal, logdb.Entry{Position: 4, Op: logdb.OpGap, Time: tc.gap.From, Gap: tc.gap})
			}
			var r report
			var stats Stats
			if lost := truth.check(&r, logdb.KindHistorical, journal, &stats); lost != 4 || len(r.list) != tc.problems {
				t.Errorf("%d lost, want 4; %v", lost, r.list)
			}
		})
	}
}
