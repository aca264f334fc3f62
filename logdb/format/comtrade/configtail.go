package comtrade

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// rates reads the line frequency and the sampling rates.
func (r *configReader) rates() error {
	f, ok := r.next()
	if !ok {
		return r.ended("the line frequency")
	}
	if hz, err := number(field(f, 0)); err == nil && hz > 0 {
		r.cfg.LineHz = hz
	} else {
		r.said.miss("the line frequency is %q", field(f, 0))
	}
	if f, ok = r.next(); !ok {
		return r.ended("the number of sampling rates")
	}
	n, err := strconv.Atoi(field(f, 0))
	if err != nil || n < 0 {
		return r.fail(doCheck, "want the number of sampling rates, not %q", field(f, 0))
	}
	r.cfg.Stamped = n == 0
	for i := range max(n, 1) { // without a rate one line says where the samples end
		if f, ok = r.next(); !ok {
			return r.ended(fmt.Sprintf("sampling rate %d of %d", i+1, n))
		}
		hz, err1 := number(field(f, 0))
		last, err2 := number(field(f, 1))
		if err1 != nil || err2 != nil || last < 0 || hz < 0 || last > 1<<53 {
			return r.fail(doCheck, "want a sampling rate in Hz and its last sample, not %q", strings.Join(f, ","))
		}
		if n > 0 && hz == 0 {
			r.said.miss("sampling rate %d of %d is 0: the time stamps of the data were taken", i+1, n)
			r.cfg.Stamped = true
		}
		r.cfg.Rates = append(r.cfg.Rates, Rate{hz, int(last)})
	}
	return nil
}

// times reads the times of the first sample and of the trigger.
func (r *configReader) times() error {
	for i, into := range []*time.Time{&r.cfg.Start, &r.cfg.Trigger} {
		what := [...]string{"the time of the first sample", "the time of the trigger"}[i]
		f, ok := r.next()
		if !ok {
			return r.ended(what)
		}
		if len(f) == 1 && dataType(f[0]) != "" { // no such line: the type of the data follows
			r.said.miss("%s is missing", what)
			r.at--
			return nil
		}
		t, digits, swapped, err := parseTime(field(f, 0), field(f, 1), r.cfg.Revision)
		if err != nil {
			r.said.miss("%s, %q, cannot be read: %s", what, strings.Join(f, ","), err)
			continue
		}
		if swapped {
			r.said.assume("day and month of %s, %s, stand in the other order", what, field(f, 0))
		}
		*into = t
		r.cfg.Nano = r.cfg.Nano || digits > 6
	}
	return nil
}

// tail reads the type of the data and what later revisions put behind it; lines may be missing.
func (r *configReader) tail() error {
	c := &r.cfg
	c.TimeFactor = 1
	f, ok := r.next()
	if !ok || field(f, 0) == "" {
		r.said.miss("the type of the data is missing")
		return nil
	}
	if c.Type = dataType(f[0]); c.Type == "" {
		return r.fail("This program reads ASCII, BINARY, BINARY32 and FLOAT32", "data of type %q", f[0])
	}
	if f, ok = r.next(); ok && field(f, 0) != "" {
		if n, err := number(f[0]); err == nil && n > 0 {
			c.TimeFactor = n
		} else {
			r.said.miss("the factor of the time stamps is %q, 1 was taken", f[0])
		}
	}
	if f, ok = r.next(); ok {
		c.TimeCode, c.LocalCode = field(f, 0), field(f, 1)
	}
	if f, ok = r.next(); ok {
		c.Quality, c.Leap = strings.ToUpper(field(f, 0)), field(f, 1)
	}
	for {
		f, ok := r.next()
		if !ok {
			return nil
		}
		if len(f) > 1 || f[0] != "" {
			r.said.miss("line %d of the configuration, %q, is beyond its end", r.at, strings.Join(f, ","))
			return nil
		}
	}
}

func dataType(text string) DataType {
	switch t := DataType(strings.ToUpper(strings.TrimSpace(text))); t {
	case ASCII, Binary, Binary32, Float32:
		return t
	}
	return ""
}

// finish puts the times into their zone.
func (r *configReader) finish(modified time.Time) {
	c := &r.cfg
	zone := r.opt.Location()
	offset, ok := parseOffset(c.TimeCode)
	switch {
	case ok:
		zone = time.FixedZone("", int(offset/time.Second))
		if offset == 0 {
			zone = time.UTC
		}
	case c.TimeCode != "" && !strings.EqualFold(c.TimeCode, "x"):
		r.said.miss("the time code %q is no offset from UTC", c.TimeCode)
	}
	if !ok && r.opt.Zone == nil {
		r.said.assume("the file states no time zone; its times were read as UTC")
	}
	if c.Start.IsZero() && !modified.IsZero() {
		r.said.assume("the time of the first sample cannot be read; the time of the file was taken")
		c.Start = modified.UTC()
	} else if !c.Start.IsZero() {
		c.Start = inZone(c.Start, zone)
	}
	if c.Trigger.Year() == 1970 && c.Trigger.YearDay() == 1 {
		c.Trigger = time.Time{} // how devices say that there was none
	} else if !c.Trigger.IsZero() {
		c.Trigger = inZone(c.Trigger, zone)
	}
	if r.opt.LineHz > 0 {
		c.LineHz = r.opt.LineHz
	}
	r.quality()
}

func inZone(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// quality says what the clock of the device was worth.
func (r *configReader) quality() {
	switch q := r.cfg.Quality; {
	case q == "" || q == "0":
	case q == "F":
		r.said.assume("the device says that its clock was not reliable")
	case len(q) == 1 && q[0] >= '1' && q[0] <= '9' || q == "A" || q == "B":
		n := int(q[0] - '0')
		if q[0] >= 'A' {
			n = int(q[0]-'A') + 10
		}
		bounds := [...]string{"1 ns", "10 ns", "100 ns", "1 us", "10 us", "100 us", "1 ms", "10 ms", "0.1 s", "1 s", "10 s"}
		r.said.assume("the device says that its clock was not synchronised, but right within %s", bounds[n-1])
	default:
		r.said.miss("the time quality %q is not one of 0 to B and F", q)
	}
	switch r.cfg.Leap {
	case "", "0", "3":
	case "1":
		r.said.assume("a leap second was added during the recording")
	case "2":
		r.said.assume("a leap second was taken out during the recording")
	default:
		r.said.miss("the leap second code %q is not one of 0 to 3", r.cfg.Leap)
	}
}
