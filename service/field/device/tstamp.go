package device

import (
	"fmt"
	"time"

	"metermanager/logdb"
)

// TStamp is a meter-local time, as EIG meters keep it: of one second's resolution, or of a hundredth.
type TStamp struct {
	Year, Month, Day, Hour, Minute, Second int
	Hundredth                              int
	// DST is the meter's own mark that daylight time was in effect.
	DST bool
	// Partial: the record tells of a part of an interval, since the meter started or its clock was set. RolledBack: of more than
	// one, since the clock was set back within it. Apart: the record does not follow on the one before, or was made in test mode.
	Partial, RolledBack, Apart bool
}

const dstBit = 0x40 // of the hour byte

// ParseTStamp reads 6 bytes. Bits above the masks carry meter state and are dropped;
// a date that does not exist is an error: the record then keeps its raw bytes only.
func ParseTStamp(b []byte) (TStamp, error) {
	if len(b) < 6 {
		return TStamp{}, fmt.Errorf("%w: a timestamp of %d bytes", ErrRecord, len(b))
	}
	t := TStamp{
		Year: 2000 + int(b[0]&0x7F), Month: int(b[1] & 0x0F), Day: int(b[2] & 0x1F),
		Hour: int(b[3] & 0x1F), Minute: int(b[4] & 0x3F), Second: int(b[5] & 0x3F), DST: b[3]&dstBit != 0,
	}
	if t.Month < 1 || t.Month > 12 || t.Day < 1 || t.Hour > 23 || t.Minute > 59 || t.Second > 59 || t.Year > 2099 ||
		t.Day > time.Date(t.Year, time.Month(t.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return TStamp{}, fmt.Errorf("%w: % x is no time", ErrRecord, b[:6])
	}
	return t, nil
}

// AppendTStamp appends the 6 bytes of t in its own location, whose daylight time sets
// the DST bit.
func AppendTStamp(b []byte, t time.Time) []byte {
	h := byte(t.Hour())
	if Daylight(t) {
		h |= dstBit
	}
	return append(b, byte(t.Year()-2000), byte(t.Month()), byte(t.Day()), h, byte(t.Minute()), byte(t.Second()))
}

// Daylight reports whether daylight time holds at t in its own location: of the two offsets of a zone that has seasons, the larger one. IsDST by itself
// does not tell: the zone data has Irish winter time, and that of Morocco in Ramadan, as daylight time that is an hour less.
func Daylight(t time.Time) bool {
	begin, end := t.ZoneBounds() // zero where there is none
	_, own := t.Zone()
	for _, other := range [...]time.Time{begin.Add(-time.Second), end} {
		if other.Year() > 1 && season(t, other) {
			_, beside := other.Zone()
			return own > beside
		}
	}
	return t.IsDST()
}

// season reports whether there is a change of daylight time between two instants, and not one of the zone for good, about which no meter's bit says
// anything.
func season(a, b time.Time) bool { return a.IsDST() != b.IsDST() }

// String shows the meter's own reading.
func (t TStamp) String() string {
	s := fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second)
	if t.Hundredth > 0 {
		s += fmt.Sprintf(".%02d", t.Hundredth)
	}
	if t.DST {
		s += " DST"
	}
	return s
}

// Sub returns the time from o to t by the meter's clock.
func (t TStamp) Sub(o TStamp) time.Duration { return t.wall().Sub(o.wall()) }

func (t TStamp) wall() time.Time {
	return time.Date(t.Year, time.Month(t.Month), t.Day, t.Hour, t.Minute, t.Second, t.Hundredth*10_000_000, time.UTC)
}

// ParseTStamp8 reads the 8 bytes of the Nexus style: century, year, month, day, hour, minute, second and hundredth, with
// flags in the high bits of the last three.
func ParseTStamp8(b []byte) (TStamp, error) {
	if len(b) < 8 {
		return TStamp{}, fmt.Errorf("%w: a timestamp of %d bytes, want 8", ErrRecord, len(b))
	}
	t := TStamp{
		Year: 100*int(b[0]) + int(b[1]), Month: int(b[2]), Day: int(b[3]), Hour: int(b[4]),
		Minute: int(b[5] & 0x3F), Second: int(b[6] & 0x3F), Hundredth: int(b[7] & 0x7F),
		Partial: (b[6]|b[5])&0x80 != 0, RolledBack: b[5]&0x40 != 0, Apart: b[7]&0x80 != 0,
	}
	if b[1] > 99 || t.Year < 1990 || t.Year > 2099 || t.Month < 1 || t.Month > 12 || t.Day < 1 || t.Hour > 23 || t.Minute > 59 || t.Second > 59 ||
		t.Hundredth > 100 || t.Day > time.Date(t.Year, time.Month(t.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return TStamp{}, fmt.Errorf("%w: % x is no time", ErrRecord, b[:8])
	}
	return t, nil
}

// Clock turns the local times of one log, in the order of recording, into UTC.
//
// The zone decides. Where a reading fits two instants (the repeated hour) or the meter
// contradicts the zone, the DST bit decides if this meter is known to set it, else the
// order of recording: the first instant that is not before the last record.
type Clock struct {
	zone *time.Location
	last time.Time
	bits bool // the meter has been seen to set the DST bit
}

// NewClock starts a clock for records that follow last (zero: none known). setsDST tells
// that the meter's DST bit has been seen before.
func NewClock(zone *time.Location, last logdb.Millis, setsDST bool) *Clock {
	c := &Clock{zone: zone, bits: setsDST}
	if last > 0 {
		c.last = last.Time()
	}
	return c
}

// SetsDST reports whether a DST bit was seen.
func (c *Clock) SetsDST() bool { return c.bits }

// UTC converts the next record's time.
func (c *Clock) UTC(t TStamp) logdb.Millis {
	wall := t.wall()
	early, late := offsets(wall, c.zone)
	if t.DST {
		c.bits = true
	}
	pick := early
	switch {
	case early == late:
		pick = c.bent(wall, early, t.DST)
	case t.DST:
		pick = early // the larger offset is daylight time and comes first
	case c.bits:
		pick = late
	case c.last.IsZero() || !wall.Add(-early).Before(c.last):
		pick = early
	default:
		pick = late
	}
	out := wall.Add(-pick)
	c.last = out
	return logdb.MillisOf(out)
}

// Foresee tells the clock of readings that come next, in the order of recording, when what came before them is not known or lies
// apart, and reports whether they tell in which pass of the repeated hour the first of them stands. It was the later one if the repeated hour ends with no
// more than an interval between its last reading and the next: under the earlier one, that hour would be missing in between. interval 0 is that of the
// readings themselves. Where nothing follows that hour yet, the last reading tells by when it was read as the newest one: within an interval of it,
// and not of that hour before. read is zero when it was not the newest, or nobody knows.
func (c *Clock) Foresee(next []TStamp, interval time.Duration, read time.Time) bool {
	if len(next) == 0 {
		return false
	}
	first := next[0].wall()
	early, late := offsets(first, c.zone)
	if early == late || c.bits {
		return true
	}
	for i := range next {
		if next[i].DST { // it sets the bit, so that the first reading's own says what it was
			c.bits = true
			return true
		}
		at := next[i].wall()
		if i > 0 && !at.After(next[i-1].wall()) {
			return true // the hour is repeated behind the first reading
		}
		if e, l := offsets(at, c.zone); e != l {
			continue
		}
		step := interval
		switch {
		case step > 0:
		case i > 1:
			step = next[i-1].Sub(next[i-2])
		case i+1 < len(next):
			step = next[i+1].Sub(next[i])
		default:
			return false
		}
		gap := at.Sub(next[i-1].wall())
		if (gap - step).Abs() < (gap + early - late - step).Abs() {
			c.passed(first, early)
		}
		return true
	}
	if read.IsZero() || !even(next, &interval) {
		return false
	}
	const wrong = 5 * time.Minute // by which a meter's clock may be
	if interval+2*wrong > early-late {
		return false // the last reading of the earlier hour may be the newest one for longer
	}
	newest := next[len(next)-1].wall()
	fresh := func(offset time.Duration) bool {
		age := read.Sub(newest.Add(-offset))
		return age >= -wrong && age <= interval+wrong
	}
	if fresh(early) == fresh(late) {
		return false
	}
	if fresh(late) {
		c.passed(first, early)
	}
	return true
}

// even reports whether no reading is missing between others, at an interval which is that of the last two where it is not known.
func even(readings []TStamp, interval *time.Duration) bool {
	n := len(readings)
	if *interval <= 0 {
		if n < 2 {
			return false
		}
		*interval = readings[n-1].Sub(readings[n-2])
	}
	for i := 1; i < n; i++ {
		if readings[i].Sub(readings[i-1]) > *interval*3/2 {
			return false
		}
	}
	return true
}

// Recall tells the clock for which instant the next reading was taken before, under a zone, where it fits two under the same zone now.
func (c *Clock) Recall(next TStamp, at logdb.Millis, zone string) {
	wall := next.wall()
	if early, late := offsets(wall, c.zone); early != late && c.zone.String() == zone && logdb.MillisOf(wall.Add(-late)) == at {
		c.passed(wall, early)
	}
}

// passed notes that the earlier instant of a reading is over.
func (c *Clock) passed(wall time.Time, early time.Duration) {
	c.last = wall.Add(-early).Add(time.Millisecond)
}

// bent returns the offset of an unambiguous reading: the zone's, unless the meter says
// by its bit that it had not changed over (or had already), which happens around the
// switch of meters that change over at another hour.
func (c *Clock) bent(wall time.Time, zone time.Duration, dst bool) time.Duration {
	if !c.bits {
		return zone
	}
	at := wall.Add(-zone).In(c.zone)
	// Only near a change of the zone: elsewhere the bit is taken for a wrong setting.
	for _, d := range [...]time.Duration{-24 * time.Hour, 24 * time.Hour} {
		near := at.Add(d)
		_, s := near.Zone()
		off := time.Duration(s) * time.Second
		if season(at, near) && (zone > off) != dst {
			return off
		}
	}
	return zone
}

// offsets returns the UTC offsets under which wall is read in zone: equal ones when the
// reading is unambiguous, the larger (earlier instant) first when it repeats. A reading
// that the zone skips gets the offset before the change twice.
func offsets(wall time.Time, zone *time.Location) (early, late time.Duration) {
	off := func(at time.Time) time.Duration {
		_, s := at.In(zone).Zone()
		return time.Duration(s) * time.Second
	}
	before, after := off(wall.Add(-26*time.Hour)), off(wall.Add(26*time.Hour))
	a, b := wall.Add(-before), wall.Add(-after)
	okA, okB := off(a) == before, off(b) == after
	switch {
	case okA && okB && before >= after:
		return before, after
	case okA && okB:
		return after, before
	case okA:
		return before, before
	case okB:
		return after, after
	}
	return before, before
}
