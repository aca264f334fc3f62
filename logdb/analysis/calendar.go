package analysis

import (
	"fmt"
	"time"

	"metermanager/logdb"
)

// RollStep returns the step of the hour tier for a site in zone whose data begin at since: 60, 30 or
// 15 minutes, the largest that divides every offset of the zone from then on, so that the site's hours
// and days begin on a step. An unknown zone is UTC.
func RollStep(zone string, since logdb.Millis) logdb.Millis {
	const hour = 3600
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	step := hour
	// Rules repeat every year; a few years ahead of any data show all that are known.
	end := time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := since.Time(); at.Before(end); {
		local := at.In(loc)
		_, offset := local.Zone()
		for step > hour/4 && offset%step != 0 {
			step /= 2
		}
		_, next := zoneBounds(local)
		if next.IsZero() {
			break
		}
		at = next
	}
	return logdb.Millis(step) * 1000
}

// Unit is a span of the calendar.
type Unit uint8

// The units. Hours, days and so on are those of the zone: a day may have 23, 24 or 25 hours.
const (
	Minute Unit = iota
	Hour
	Day
	Week // from Monday
	Month
	Year
)

// Interval is a number of units.
type Interval struct {
	Count int
	Unit  Unit
}

var unitNames = [...]string{"m", "h", "d", "w", "mo", "y"}

// String writes i as ParseInterval reads it.
func (i Interval) String() string {
	if int(i.Unit) >= len(unitNames) {
		return "?"
	}
	return fmt.Sprint(i.Count) + unitNames[i.Unit]
}

// ParseInterval reads "15m", "1h", "1d", "1w", "1mo" or "1y".
func ParseInterval(s string) (Interval, error) {
	n, digits := 0, 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' && n < 1_000_000 {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	for u, name := range unitNames {
		if digits > 0 && n > 0 && s[digits:] == name {
			return Interval{n, Unit(u)}, nil
		}
	}
	return Interval{}, fmt.Errorf("%w: interval %q, want a number and m, h, d, w, mo or y, such as 15m", logdb.ErrInvalid, s)
}

// MaxEdges bounds the number of edges that one query may ask for.
const MaxEdges = 200_001

// Edges returns the rising calendar edges of zone that cover [first, last): the first is at first or
// before it, the last at last or after it. A local hour that occurs twice gives two edges, one that does not occur
// gives none.
func Edges(loc *time.Location, i Interval, first, last logdb.Millis) ([]logdb.Millis, error) {
	if i.Count < 1 || int(i.Unit) >= len(unitNames) || last <= first {
		return nil, fmt.Errorf("%w: edges every %s from %d to %d", logdb.ErrInvalid, i, first, last)
	}
	if i.Unit == Minute || i.Unit == Hour {
		return clockEdges(loc, i, first, last)
	}
	var out []logdb.Millis
	at := startOf(loc, i, first)
	for {
		edge := logdb.MillisOf(at)
		if len(out) == 0 || edge > out[len(out)-1] {
			out = append(out, edge)
		}
		if edge >= last {
			return out, nil
		}
		if len(out) >= MaxEdges {
			return nil, fmt.Errorf("%w: more than %d edges every %s from %s to %s", logdb.ErrInvalid, MaxEdges-1, i, first, last)
		}
		at = next(loc, i, at)
	}
}

// startOf returns the beginning of the unit that holds t; counts group from year 1, month 1 or the epoch.
func startOf(loc *time.Location, i Interval, t logdb.Millis) time.Time {
	local := t.Time().In(loc)
	y, m, d := local.Date()
	switch i.Unit {
	case Year:
		return midnight(loc, y-mod(y, i.Count), 1, 1)
	case Month:
		months := y*12 + int(m) - 1
		months -= mod(months, i.Count)
		return midnight(loc, months/12, time.Month(months%12+1), 1)
	case Week:
		days := daysSinceEpoch(y, m, d) + 3 // 1970-01-01 was a Thursday
		return midnight(loc, 1970, 1, 1+days-mod(days, 7*i.Count)-3)
	default:
		days := daysSinceEpoch(y, m, d)
		return midnight(loc, 1970, 1, 1+days-mod(days, i.Count))
	}
}

func next(loc *time.Location, i Interval, at time.Time) time.Time {
	// Noon is safe: midnight may not exist or lie before its own date where the clock changes at midnight.
	y, m, d := at.In(loc).Add(time.Hour).Date()
	switch i.Unit {
	case Year:
		return midnight(loc, y+i.Count, m, d)
	case Month:
		return midnight(loc, y, m+time.Month(i.Count), d)
	case Week:
		return midnight(loc, y, m, d+7*i.Count)
	default:
		return midnight(loc, y, m, d+i.Count)
	}
}

// midnight returns the first moment of a local day, also where the clock is set forward at midnight.
func midnight(loc *time.Location, y int, m time.Month, d int) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	ly, lm, ld := t.Date()
	if date := time.Date(ly, lm, ld, 0, 0, 0, 0, time.UTC); date.Before(want) {
		// Midnight was skipped and t lies in the day before: the day begins where the offset changes.
		if _, end := zoneBounds(t); !end.IsZero() {
			return end
		}
	}
	if start, _ := zoneBounds(t); !start.IsZero() {
		// Midnight may come twice; the day begins with the first one.
		before := start.Add(-time.Nanosecond).In(loc)
		if by, bm, bd := before.Date(); by == ly && bm == lm && bd == ld {
			_, old := before.Zone()
			if first := want.Add(-time.Duration(old) * time.Second); first.Before(t) {
				return first.In(loc)
			}
		}
	}
	return t
}

// clockEdges cuts minutes and hours by what a local clock shows: an edge is where it reaches a multiple of the
// step, or jumps over one. So hours stay whole where the clock is set by an hour, and a span of
// several hours becomes longer or shorter.
func clockEdges(loc *time.Location, i Interval, first, last logdb.Millis) ([]logdb.Millis, error) {
	step := logdb.Millis(i.Count) * 60_000
	if i.Unit == Hour {
		step *= 60
	}
	if (last-first)/step >= MaxEdges {
		return nil, fmt.Errorf("%w: more than %d edges every %s from %s to %s", logdb.ErrInvalid, MaxEdges-1, i, first, last)
	}
	at := first
	for {
		o := offsetAt(loc, at)
		if edge := o.floor(at, step); !o.known || edge >= o.start {
			at = edge
			break
		}
		if o.breaks(offsetAt(loc, o.start-1), step) {
			at = o.start
			break
		}
		at = o.start - 1 // the step began before the clock was set
	}
	out := []logdb.Millis{at}
	for o := offsetAt(loc, at); out[len(out)-1] < last; {
		edge := o.floor(at, step) + step
		if o.endless || edge < o.end {
			at = edge
			out = append(out, at)
			continue
		}
		next := offsetAt(loc, o.end)
		next.start = o.end
		at = o.end
		if next.breaks(o, step) {
			out = append(out, at)
		}
		o = next
	}
	return out, nil
}

// offset is a time in which a zone's clock goes evenly.
type offset struct {
	shift      logdb.Millis
	start, end logdb.Millis
	known      bool // start is known
	endless    bool
}

func offsetAt(loc *time.Location, t logdb.Millis) offset {
	local := t.Time().In(loc)
	_, seconds := local.Zone()
	start, end := zoneBounds(local)
	return offset{
		shift: logdb.Millis(seconds) * 1000, start: logdb.MillisOf(start), end: logdb.MillisOf(end),
		known: !start.IsZero(), endless: end.IsZero(),
	}
}

// floor returns when the clock last showed a multiple of step, had it always gone evenly.
func (o offset) floor(t, step logdb.Millis) logdb.Millis { return (t + o.shift).Floor(step) - o.shift }

// breaks reports whether an edge lies where o begins after the time before: the clock then shows a multiple of
// step, or has jumped over one.
func (o offset) breaks(before offset, step logdb.Millis) bool {
	shows := o.start + o.shift
	return shows.Floor(step) == shows || shows.Floor(step) != (o.start-1+before.shift).Floor(step)
}

// Buckets returns n+1 edges that cut [first, last) into n equal parts, whole milliseconds each.
func Buckets(n int, first, last logdb.Millis) ([]logdb.Millis, error) {
	if n < 1 || n >= MaxEdges || last <= first {
		return nil, fmt.Errorf("%w: %d buckets from %d to %d", logdb.ErrInvalid, n, first, last)
	}
	out := make([]logdb.Millis, 0, n+1)
	span := last - first
	for k := range n + 1 {
		// Split, so that the product stays small.
		edge := first + span/logdb.Millis(n)*logdb.Millis(k) + span%logdb.Millis(n)*logdb.Millis(k)/logdb.Millis(n)
		if len(out) == 0 || edge > out[len(out)-1] {
			out = append(out, edge)
		}
	}
	return out, nil
}

func daysSinceEpoch(y int, m time.Month, d int) int {
	return int(logdb.MillisOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) / logdb.DayMillis)
}

// mod is the remainder that is never negative.
func mod(a, b int) int { return (a%b + b) % b }
