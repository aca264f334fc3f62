package comtrade

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb/format"
)

// Config is what a configuration file says.
type Config struct {
	Station, Device string
	// Year is the revision as the file states it, 1991 when it does not; Revision is the
	// standard that it stands for: 1991, 1999 or 2013.
	Year, Revision int
	Analog         []Analog
	Digital        []Digital
	LineHz         float64 // 0: not stated
	Rates          []Rate
	// Stamped is set when there is no sampling rate, so that the time stamps of the data rule.
	Stamped bool
	// Start and Trigger are in the zone that the file states, or in the one that the reader was
	// given. A zero Start could not be read; a zero Trigger was not set.
	Start, Trigger time.Time
	// Nano is set when times have more than six digits below the second: time stamps then count nanoseconds.
	Nano bool
	Type DataType
	// TimeFactor multiplies time stamps.
	TimeFactor float64
	// TimeCode, LocalCode, Quality and Leap are the 2013 fields as written.
	TimeCode, LocalCode, Quality, Leap string
}

// Analog is an analogue channel: its values are A * raw + B in Unit.
type Analog struct {
	Name, Phase, Component, Unit string
	A, B                         float64
	SkewMicros                   float64
	Min, Max                     float64 // of raw values, as stated
	Primary, Secondary           float64 // ratio of the transformer, 1 when not stated
	// SecondaryValues is set when A * raw + B is a secondary value.
	SecondaryValues bool
}

// ratio is what takes a secondary value to a primary one, 1 when the file does not tell.
func (a *Analog) ratio() float64 {
	if !a.SecondaryValues || !(a.Primary > 0) || !(a.Secondary > 0) || math.IsInf(a.Primary, 0) || math.IsInf(a.Secondary, 0) {
		return 1
	}
	return a.Primary / a.Secondary
}

// Digital is a digital channel.
type Digital struct {
	Name, Phase, Component string
	Normal                 string // the normal state as written
}

// Rate is a sampling rate up to and with sample number Last.
type Rate struct {
	Hz   float64
	Last int
}

// DataType is the form of the data.
type DataType string

// The forms of data.
const (
	ASCII    DataType = "ASCII"
	Binary   DataType = "BINARY"
	Binary32 DataType = "BINARY32"
	Float32  DataType = "FLOAT32"
)

// configReader reads a configuration line by line.
type configReader struct {
	file  string
	lines []string
	at    int // lines consumed
	opt   format.Options
	said  *remarks
	cfg   Config
}

// remarks collects what a report says of a file.
type remarks struct{ assumed, unclear []string }

func (r *remarks) assume(text string, args ...any) {
	r.assumed = append(r.assumed, fmt.Sprintf(text, args...))
}

func (r *remarks) miss(text string, args ...any) {
	r.unclear = append(r.unclear, fmt.Sprintf(text, args...))
}

// parseConfig reads the text of a configuration. modified is the time of the file, for a broken date.
func parseConfig(file, text string, modified time.Time, opt format.Options, said *remarks) (*Config, error) {
	text, _, _ = strings.Cut(text, "\x1a")
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	r := &configReader{file: file, lines: lines, opt: opt, said: said}
	for r.at < len(lines) && strings.TrimSpace(lines[r.at]) == "" {
		r.at++
	}
	for _, step := range []func() error{r.head, r.channels, r.rates, r.times, r.tail} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	r.finish(modified)
	return &r.cfg, nil
}

// next returns the fields of the next line, trimmed; ok is false at the end.
func (r *configReader) next() (fields []string, ok bool) {
	if r.at >= len(r.lines) {
		return nil, false
	}
	fields = strings.Split(r.lines[r.at], ",")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	r.at++
	return fields, true
}

func (r *configReader) fail(do, what string, args ...any) error {
	return &format.Error{File: r.file, Line: max(r.at, 1), What: fmt.Sprintf(what, args...), Do: do}
}

const doCheck = "Check that the file is complete and is the .cfg of a COMTRADE record"

func (r *configReader) ended(want string) error {
	return r.fail("The file is cut short: get it from the device again", "the file ends where %s should stand", want)
}

func field(fields []string, i int) string {
	if i < len(fields) {
		return fields[i]
	}
	return ""
}

func (r *configReader) head() error {
	f, ok := r.next()
	if !ok {
		return r.ended("the name of the station")
	}
	c := &r.cfg
	c.Station, c.Device, c.Year = field(f, 0), field(f, 1), 1991
	year := field(f, 2)
	if n, err := strconv.Atoi(year); err == nil {
		c.Year = n
	} else if year != "" {
		r.said.miss("the revision %q is no year; read as 1999", year)
		c.Year = 1999
	}
	switch {
	case c.Year > 2012:
		c.Revision = 2013
	case c.Year > 1991:
		c.Revision = 1999
	default:
		c.Revision = 1991
	}
	if c.Year != c.Revision && (c.Year != 1991 || c.Revision != 1991) {
		r.said.assume("revision %d is read as %d", c.Year, c.Revision)
	}
	return nil
}

func (r *configReader) channels() error {
	f, ok := r.next()
	if !ok {
		return r.ended("the number of channels")
	}
	total, err1 := strconv.Atoi(field(f, 0))
	analog, err2 := counted(field(f, 1), "A")
	digital, err3 := counted(field(f, 2), "D")
	if err1 != nil || err2 != nil || err3 != nil {
		return r.fail(doCheck, "want the number of channels as in 8,4A,4D, not %q", strings.Join(f, ","))
	}
	if analog+digital == 0 {
		return r.fail(doCheck, "there are no channels")
	}
	if total != analog+digital {
		r.said.miss("%d channels are announced in total, %d analogue and %d digital ones: the latter were taken", total, analog, digital)
	}
	// The counts are claims: channels are made line by line, and lines end.
	for i := range analog {
		f, ok := r.next()
		if !ok {
			return r.ended(fmt.Sprintf("analogue channel %d of %d", i+1, analog))
		}
		a, err := r.analog(f)
		if err != nil {
			return err
		}
		r.cfg.Analog = append(r.cfg.Analog, a)
	}
	for i := range digital {
		f, ok := r.next()
		if !ok {
			return r.ended(fmt.Sprintf("digital channel %d of %d", i+1, digital))
		}
		if len(f) < 2 {
			return r.fail(doCheck, "digital channel %d of %d has %d fields, want 3 or 5", i+1, digital, len(f))
		}
		d := Digital{Name: f[1], Normal: f[len(f)-1]}
		if len(f) >= 4 {
			d.Phase, d.Component, d.Normal = f[2], f[3], field(f, 4)
		}
		r.cfg.Digital = append(r.cfg.Digital, d)
	}
	return nil
}

// counted reads "4A"; a count without its letter is taken too.
func counted(text, letter string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.ToUpper(text), letter)))
	if err == nil && n < 0 {
		return 0, strconv.ErrRange
	}
	return n, err
}

func (r *configReader) analog(f []string) (Analog, error) {
	if len(f) < 7 {
		return Analog{}, r.fail(doCheck, "analogue channel %q has %d fields, want 13 (10 in 1991)", field(f, 1), len(f))
	}
	a := Analog{Name: f[1], Phase: f[2], Component: f[3], Unit: f[4], A: 1, Primary: 1, Secondary: 1}
	for _, v := range []struct {
		into *float64
		i    int
		name string
		need bool
	}{{&a.A, 5, "the factor a", true}, {&a.B, 6, "the offset b", true}, {&a.SkewMicros, 7, "the skew", false}, {&a.Min, 8, "the minimum", false},
		{&a.Max, 9, "the maximum", false}, {&a.Primary, 10, "the primary ratio", false}, {&a.Secondary, 11, "the secondary ratio", false}} {
		text := field(f, v.i)
		if text == "" {
			if v.need {
				r.said.miss("channel %s: %s is missing, %v was taken", a.Name, v.name, *v.into)
			}
			continue
		}
		n, err := number(text)
		switch {
		case err == nil:
			*v.into = n
		case v.need:
			return a, r.fail("Correct the line, or get the file from the device again", "channel %s: %s is %q, want a number", a.Name, v.name, text)
		default:
			r.said.miss("channel %s: %s is %q, which is no number", a.Name, v.name, text)
		}
	}
	switch side := strings.ToUpper(field(f, 12)); side {
	case "S":
		a.SecondaryValues = true
	case "P", "":
	default:
		r.said.miss("channel %s: the side is %q, want P or S; read as primary", a.Name, side)
	}
	return a, nil
}

// number reads a finite number.
func number(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return 0, strconv.ErrRange
	}
	return v, err
}
