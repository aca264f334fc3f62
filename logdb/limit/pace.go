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

// Mark is a row: of each channel the last one that passed is kept.
type Mark struct {
	Position   logdb.Position
	Run        uint32
	Generation uint32
	Time       logdb.Millis
}

// Marks holds the last row that passed of each channel of one log of one stream: what a
// receiver keeps, in the transaction of the data, to hold the pace over pages. Forgetting
// records of the stream empties it.
type Marks map[logdb.ChannelKey]Mark

// Allow says whether a receiver stores a row, and marks its channels if so. A row of another run or generation always passes: a
// clock set back by seconds repeats the minute, what a meter recorded before and behind a reset of its log is combined apart, and
// both rows are true. The limit is one record a minute a channel: a row is over pace when each
// of its channels is, so that pages that hold other channels of the same minute pass.
//
// Fates are decided in journal order, but pages come in any order. open says whether a position between
// two others, both excluded, is still undecided; where one is, or where the row lies before the mark, the row that
// really went before is not known here, and the row passes. So a sender that keeps the pace never has a row
// refused, however its pages are cut and ordered.
func (m Marks) Allow(intervalMillis int64, row Mark, channels []logdb.ChannelKey, open func(after, before logdb.Position) bool) bool {
	over := len(channels) > 0
	for _, c := range channels {
		last, ok := m[c]
		pace := Pace{IntervalMillis: intervalMillis, Last: last.Time, Any: ok && last.Position < row.Position && last.Run == row.Run && last.Generation == row.Generation}
		if pace.Allow(row.Time) || open(last.Position, row.Position) {
			over = false
			break
		}
	}
	if over {
		return false
	}
	for _, c := range channels {
		if last, ok := m[c]; !ok || last.Position < row.Position {
			m[c] = row
		}
	}
	return true
}
