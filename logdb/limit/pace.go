package limit

import "metermanager/logdb"

// PaceReason is the reason of historical rows that come too close together.
const PaceReason = "minute"

// Pace lets one historical row of a log pass in each interval, in journal order. The
// zero value lets everything pass. Its fields are what a caller keeps between pages.
type Pace struct {
	IntervalMillis int64        // of logdb.Limits; 0 means no limit
	Last           logdb.Millis // time of the last row that passed
	Any            bool         // a row has passed
}

// Allow says whether a row of time t passes, and remembers it if it does. A row is over
// pace when it lies in the same interval, counted from 1970 UTC, as the last one that
// passed, and not before it: a clock set back opens a new run, whose rows are true ones.
func (p *Pace) Allow(t logdb.Millis) bool {
	if p.IntervalMillis > 0 && p.Any {
		step := logdb.Millis(p.IntervalMillis)
		if t >= p.Last && t.Floor(step) == p.Last.Floor(step) {
			return false
		}
	}
	p.Last, p.Any = t, true
	return true
}
