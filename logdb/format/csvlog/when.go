package csvlog

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errTime = errors.New("no time")

// timeReader reads the times of one file, which all have one form.
type timeReader struct {
	form  string // "iso" (anything with a date), "s", "ms", "us", or a pattern
	order order
}

// parse reads one time.
func (r *timeReader) parse(text string) (moment, error) {
	text = strings.TrimSpace(text)
	switch r.form {
	case "s":
		return since(text, 1e3)
	case "ms":
		return since(text, 1)
	case "us":
		return since(text, 1e-3)
	case "iso", "":
		return parseDate(text, r.order)
	}
	return parsePattern(text, r.form)
}

// since reads a time since 1970 whose unit is so many milliseconds.
func since(text string, unit float64) (moment, error) {
	v, err := strconv.ParseFloat(text, 64)
	if ms := v * unit; err == nil && math.Abs(ms) < 1e15 {
		return moment{time.UnixMilli(int64(math.Round(ms))).UTC(), true, time.UTC}, nil
	}
	return moment{}, errTime
}

// scanner takes a time apart from the left.
type scanner struct {
	s   string
	bad bool
}

func (c *scanner) digits(least, most int) (n, length int) {
	for length < len(c.s) && length < most && c.s[length] >= '0' && c.s[length] <= '9' {
		n = n*10 + int(c.s[length]-'0')
		length++
	}
	c.bad = c.bad || length < least
	c.s = c.s[length:]
	return n, length
}

func (c *scanner) one(of string) byte {
	if c.s == "" || strings.IndexByte(of, c.s[0]) < 0 {
		return 0
	}
	b := c.s[0]
	c.s = c.s[1:]
	return b
}

// clock is a wall clock's reading.
type clock struct{ year, month, day, hour, minute, second, nano int }

// time checks the reading. 24:00 is the end of a day.
func (k *clock) time() (time.Time, error) {
	if k.month < 1 || k.month > 12 || k.day < 1 || k.hour > 24 || k.minute > 59 || k.second > 60 || k.hour == 24 && k.minute+k.second+k.nano > 0 {
		return time.Time{}, errTime
	}
	if k.day > time.Date(k.year, time.Month(k.month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return time.Time{}, errTime
	}
	return time.Date(k.year, time.Month(k.month), k.day, k.hour, k.minute, k.second, k.nano, time.UTC), nil
}

func (k *clock) half(text string) error {
	if k.hour < 1 || k.hour > 12 {
		return errTime
	}
	k.hour %= 12
	if text[0] == 'p' || text[0] == 'P' {
		k.hour += 12
	}
	return nil
}

func century(year, digits int) int {
	switch {
	case digits > 2:
		return year
	case year >= 70:
		return year + 1900
	}
	return year + 2000
}

// parseDate reads ISO 8601 and its relatives: 2026-03-01, 1.3.2026 14:30, 03/01/26 2:30:15 PM, 20260301T143000Z.
func parseDate(text string, o order) (moment, error) {
	c := &scanner{s: text}
	var k clock
	first, n := c.digits(1, 8)
	switch {
	case n == 8:
		k.year, k.month, k.day = first/10_000, first/100%100, first%100
	default:
		sep := c.one("-/.")
		if sep == 0 {
			return moment{}, errTime
		}
		second, _ := c.digits(1, 2)
		if c.one(string(sep)) == 0 {
			return moment{}, errTime
		}
		third, m := c.digits(1, 4)
		switch {
		case n == 4:
			k.year, k.month, k.day = first, second, third
		case n > 2 || m == 3 || m == 1:
			return moment{}, errTime
		case o == monthFirst:
			k.year, k.month, k.day = century(third, m), first, second
		default:
			k.year, k.month, k.day = century(third, m), second, first
		}
	}
	if c.bad {
		return moment{}, errTime
	}
	if c.s != "" {
		if c.one("T ,t") == 0 {
			return moment{}, errTime
		}
		if err := c.clock(&k); err != nil {
			return moment{}, err
		}
	}
	t, err := k.time()
	if err != nil {
		return moment{}, err
	}
	return c.offset(t)
}

// clock reads the time of day.
func (c *scanner) clock(k *clock) error {
	c.s = strings.TrimLeft(c.s, " ")
	hour, n := c.digits(1, 6)
	switch k.hour = hour; {
	case n == 6:
		k.hour, k.minute, k.second = hour/10_000, hour/100%100, hour%100
	case n == 4:
		k.hour, k.minute = hour/100, hour%100
	case n > 2 || c.one(":") == 0:
		return errTime
	default:
		k.minute, _ = c.digits(2, 2)
		if c.one(":") != 0 {
			k.second, _ = c.digits(2, 2)
		}
	}
	if c.one(".,") != 0 {
		digits, n := c.digits(1, 9)
		for ; n < 9; n++ {
			digits *= 10
		}
		k.nano = digits
		for len(c.s) > 0 && c.s[0] >= '0' && c.s[0] <= '9' { // finer than nanoseconds
			c.s = c.s[1:]
		}
	}
	if c.bad {
		return errTime
	}
	rest := strings.TrimLeft(c.s, " ")
	if len(rest) >= 2 && (rest[1] == 'M' || rest[1] == 'm') && strings.IndexByte("aApP", rest[0]) >= 0 {
		c.s = rest[2:]
		return k.half(rest)
	}
	return nil
}

// offset reads what stands behind: nothing, Z, UTC, or an offset.
func (c *scanner) offset(t time.Time) (moment, error) {
	rest := strings.TrimSpace(c.s)
	switch strings.ToUpper(rest) {
	case "":
		return moment{t: t}, nil
	case "Z", "UTC", "GMT":
		return moment{t, true, time.UTC}, nil
	}
	rest = strings.TrimPrefix(rest, "UTC")
	o := &scanner{s: strings.Replace(rest, "\u2212", "-", 1)} // a real minus sign
	sign := o.one("+-")
	hours, n := o.digits(1, 4)
	minutes := 0
	if n > 2 {
		hours, minutes = hours/100, hours%100
	} else if o.one(":") != 0 {
		minutes, _ = o.digits(2, 2)
	}
	if sign == 0 || o.bad || o.s != "" || hours > 15 || minutes > 59 {
		return moment{}, errTime
	}
	seconds := hours*3600 + minutes*60
	if sign == '-' {
		seconds = -seconds
	}
	zone := time.UTC
	if seconds != 0 {
		zone = time.FixedZone("", seconds)
	}
	return moment{t.Add(-time.Duration(seconds) * time.Second), true, zone}, nil
}

// parsePattern reads a time by a pattern of YYYY YY MM DD hh mm ss AM.
func parsePattern(text, pattern string) (moment, error) {
	c := &scanner{s: text}
	k := clock{month: 1, day: 1}
	half := ""
	for p := pattern; p != ""; {
		token := ""
		for _, t := range []string{"YYYY", "YY", "MM", "DD", "hh", "mm", "ss", "AM"} {
			if strings.HasPrefix(p, t) {
				token = t
				break
			}
		}
		switch token {
		case "":
			if c.one(p[:1]) == 0 {
				return moment{}, errTime
			}
			p = p[1:]
			continue
		case "YYYY":
			k.year, _ = c.digits(4, 4)
		case "YY":
			year, n := c.digits(1, 2)
			k.year = century(year, n)
		case "AM":
			if len(c.s) < 2 {
				return moment{}, errTime
			}
			half, c.s = c.s[:2], c.s[2:]
		default:
			n, _ := c.digits(1, 2)
			*map[string]*int{"MM": &k.month, "DD": &k.day, "hh": &k.hour, "mm": &k.minute, "ss": &k.second}[token] = n
		}
		p = p[len(token):]
	}
	if c.one(".,") != 0 { // parts of a second
		digits, n := c.digits(1, 9)
		for ; n < 9; n++ {
			digits *= 10
		}
		k.nano = digits
	}
	if half != "" {
		if h := strings.ToUpper(half); h != "AM" && h != "PM" || k.half(half) != nil {
			return moment{}, errTime
		}
	}
	if c.bad {
		return moment{}, errTime
	}
	t, err := k.time()
	if err != nil {
		return moment{}, err
	}
	return c.offset(t)
}

// local takes readings of a wall clock to times, in the order of the file. Of the two times that an
// hour has in autumn the earlier one is taken, until it would lie before the row above.
type local struct {
	zone     *time.Location
	last     time.Time
	repeated int // readings that have two times
	skipped  int // readings that the clock skipped in spring
}

func (l *local) time(m moment) time.Time {
	if m.fixed {
		l.last = m.t
		return m.t
	}
	offset := func(at time.Time) time.Duration {
		_, s := at.In(l.zone).Zone()
		return time.Duration(s) * time.Second
	}
	early, late := m.t.Add(-offset(m.t.Add(-24*time.Hour))), m.t.Add(-offset(m.t.Add(24*time.Hour)))
	if late.Before(early) {
		early, late = late, early
	}
	good := func(at time.Time) bool { return at.Add(offset(at)).Equal(m.t) }
	at := early
	switch first, second := good(early), good(late); {
	case first && second && !early.Equal(late):
		l.repeated++
		if !early.After(l.last) {
			at = late
		}
	case !first && second:
		at = late
	case !first && !second:
		l.skipped++
		at = late
	}
	l.last = at
	return at
}
