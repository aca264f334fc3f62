package greenbutton

import (
	"fmt"
	"strconv"
	"time"
)

// LocalTime says how a site keeps time: an offset and, with two rules, summer time.
type LocalTime struct {
	OffsetSeconds    int64 // east of UTC, without summer time
	DSTSeconds       int64 // what summer time adds
	DSTStart, DSTEnd Rule
}

// Rule is a yearly moment in the coding of ESPI. The zero Rule and one with all bits set mean none.
type Rule uint32

// The operators of a rule.
const (
	onDayOfMonth      = 0
	onOrAfterDay      = 1
	firstWeekday      = 2 // 3 to 6: second to fifth
	lastWeekday       = 7
	noRule       Rule = 0xFFFFFFFF
)

func (p *parser) localField(name, text string) error {
	l := p.feed.Local
	switch name {
	case "tzOffset":
		return p.int64(text, name, &l.OffsetSeconds)
	case "dstOffset":
		return p.int64(text, name, &l.DSTSeconds)
	case "dstStartRule", "dstEndRule":
		v, err := strconv.ParseUint(text, 16, 32)
		if err != nil {
			return fmt.Errorf("%s %.40q: not eight hex digits", name, text)
		}
		if name == "dstStartRule" {
			l.DSTStart = Rule(v)
		} else {
			l.DSTEnd = Rule(v)
		}
	}
	return nil
}

// None reports whether r names no moment.
func (r Rule) None() bool { return r == 0 || r == noRule || r.month() < 1 || r.month() > 12 }

func (r Rule) month() int    { return int(r >> 28) }
func (r Rule) operator() int { return int(r >> 25 & 7) }
func (r Rule) day() int      { return int(r >> 20 & 31) }
func (r Rule) seconds() int  { return int(r>>12&31)*3600 + int(r&0xFFF) }

// weekday returns the day of the week; ESPI counts from Monday, 1.
func (r Rule) weekday() (time.Weekday, bool) {
	w := int(r >> 17 & 7)
	return time.Weekday(w % 7), w != 0
}

// In returns the moment of r in a year, on the site's clock written as if it were UTC.
func (r Rule) In(year int) (time.Time, bool) {
	if r.None() {
		return time.Time{}, false
	}
	at := func(day int) time.Time {
		return time.Date(year, time.Month(r.month()), day, 0, 0, r.seconds(), 0, time.UTC)
	}
	w, weekly := r.weekday()
	switch op := r.operator(); {
	case op == onDayOfMonth:
		return at(max(r.day(), 1)), r.day() > 0
	case !weekly:
		return time.Time{}, false
	case op == onOrAfterDay:
		return forward(at(max(r.day(), 1)), w), true
	case op == lastWeekday:
		last := at(1).AddDate(0, 1, -1)
		return last.AddDate(0, 0, -((int(last.Weekday()) - int(w) + 7) % 7)), true
	default:
		t := forward(at(1), w).AddDate(0, 0, 7*(op-firstWeekday))
		return t, int(t.Month()) == r.month()
	}
}

// forward returns the first w on or after t.
func forward(t time.Time, w time.Weekday) time.Time {
	return t.AddDate(0, 0, (int(w)-int(t.Weekday())+7)%7)
}

// OffsetAt returns the seconds that the site's clock is ahead of UTC at t.
func (l LocalTime) OffsetAt(t time.Time) int64 {
	standard := t.UTC().Add(time.Duration(l.OffsetSeconds) * time.Second)
	start, ok1 := l.DSTStart.In(standard.Year())
	end, ok2 := l.DSTEnd.In(standard.Year())
	if !ok1 || !ok2 || l.DSTSeconds == 0 {
		return l.OffsetSeconds
	}
	// The end is written on the clock of summer time.
	end = end.Add(-time.Duration(l.DSTSeconds) * time.Second)
	summer := !standard.Before(start) && standard.Before(end)
	if end.Before(start) { // the southern half of the earth
		summer = !standard.Before(start) || standard.Before(end)
	}
	if summer {
		return l.OffsetSeconds + l.DSTSeconds
	}
	return l.OffsetSeconds
}

// LocalTimeOf returns the rules of a zone in a year, as well as ESPI can say them: two changes a year at
// most, each on a weekday of its month.
func LocalTimeOf(zone *time.Location, year int) LocalTime {
	var changes []time.Time
	t := time.Date(year, 1, 1, 0, 0, 0, 0, zone)
	_, first := t.Zone()
	for len(changes) < 3 {
		_, next := t.ZoneBounds()
		if next.IsZero() || next.In(zone).Year() > year {
			break
		}
		changes, t = append(changes, next), next.In(zone)
	}
	l := LocalTime{OffsetSeconds: int64(first)}
	if len(changes) != 2 {
		_, last := time.Date(year, 12, 31, 23, 59, 59, 0, zone).Zone()
		l.OffsetSeconds = int64(last)
		return l
	}
	_, between := changes[0].In(zone).Zone()
	l.DSTStart, l.DSTEnd = ruleOf(changes[0], int64(first)), ruleOf(changes[1], int64(between))
	l.DSTSeconds = int64(between - first)
	if between < first { // summer is at the ends of the year
		l.OffsetSeconds, l.DSTSeconds = int64(between), int64(first-between)
		l.DSTStart, l.DSTEnd = l.DSTEnd, l.DSTStart
	}
	return l
}

// ruleOf codes a change of clocks, on the clock before it, as the n-th or the last weekday of its month.
func ruleOf(t time.Time, offset int64) Rule {
	c := t.UTC().Add(time.Duration(offset) * time.Second)
	op := firstWeekday + (c.Day()-1)/7
	if c.AddDate(0, 0, 7).Month() != c.Month() {
		op = lastWeekday
	}
	w := int(c.Weekday())
	if w == 0 {
		w = 7
	}
	return Rule(c.Month())<<28 | Rule(op)<<25 | Rule(w)<<17 | Rule(c.Hour())<<12 | Rule(c.Minute()*60+c.Second())
}
