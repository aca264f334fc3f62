package greenbutton

import (
	"bufio"
	"crypto/sha1"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
)

// Usage is what Write makes a feed of: the interval energy of one meter.
type Usage struct {
	Meter   string // names the usage point in the feed's links
	Title   string // for people
	Zone    *time.Location
	Updated time.Time
	Series  []Energy
}

// Energy is one channel of interval energy.
type Energy struct {
	Channel logdb.ChannelKey // energy.interval.*
	// Interval is the usual length of an interval, for the reading type.
	Interval time.Duration
	// Intervals gives the intervals in order of time; it is gone through twice, the same both times.
	Intervals iter.Seq2[Interval, error]
}

// Interval is the energy of the time from End - Duration to End.
type Interval struct {
	End      logdb.Millis
	Duration time.Duration
	Value    float64 // Wh, varh or VAh
}

// Written counts what Write did.
type Written struct {
	Readings int
	// Rounded counts the values that needed more digits than the feed's whole numbers have.
	Rounded int
}

// The bounds of an ESPI value, a signed number of 48 bits, and of the decimals that are tried for it.
const (
	maxValue    = 1<<47 - 1
	maxDecimals = 9
)

// Write writes a feed of interval energy. Energy received by the customer flows forward, in the words of
// ESPI, delivered energy in reverse. Values stay exact where nine decimals and 48 bits hold them.
func Write(w io.Writer, u Usage) (Written, error) {
	var done Written
	out := &writer{w: bufio.NewWriter(w), usage: u}
	plans := make([]plan, len(u.Series))
	for i, s := range u.Series {
		var err error
		if plans[i], err = planOf(s); err != nil {
			return done, fmt.Errorf("green button: %s: %w", s.Channel, err)
		}
	}
	out.head(plans)
	for i, s := range u.Series {
		if err := out.series(i, s, plans[i], &done); err != nil {
			return done, fmt.Errorf("green button: %s: %w", s.Channel, err)
		}
	}
	out.line(0, "</feed>")
	if out.err == nil {
		out.err = out.w.Flush()
	}
	if out.err != nil {
		return done, fmt.Errorf("green button: write: %w", out.err)
	}
	return done, nil
}

// plan is what the first pass over a series finds out.
type plan struct {
	flow, uom int
	decimals  int
	first     logdb.Millis
}

// codes returns the direction and the unit of measure that ESPI has for a channel.
func codes(channel logdb.ChannelKey) (flow, uom int, err error) {
	rest, ok := strings.CutPrefix(string(channel), "energy.interval.")
	if !ok {
		return 0, 0, fmt.Errorf("%w: only energy of intervals can be written", logdb.ErrInvalid)
	}
	switch unit, direction, _ := strings.Cut(rest, "."); {
	case rest == "vah":
		return flowForward, uomVAh, nil
	case unit == "wh" || unit == "varh":
		uom = map[string]int{"wh": uomWh, "varh": uomVarh}[unit]
		if flow, ok = map[string]int{"received": flowForward, "delivered": flowReverse, "net": flowNet, "total": flowTotal}[direction]; !ok {
			return 0, 0, fmt.Errorf("%w: the direction %q has no code", logdb.ErrInvalid, direction)
		}
		return flow, uom, nil
	default:
		return 0, 0, fmt.Errorf("%w: the unit %q has no code", logdb.ErrInvalid, unit)
	}
}

// Writable reports whether Write takes a channel.
func Writable(channel logdb.ChannelKey) bool {
	_, _, err := codes(channel)
	return err == nil
}

func planOf(s Energy) (plan, error) {
	var p plan
	var err error
	if p.flow, p.uom, err = codes(s.Channel); err != nil {
		return p, err
	}
	some, largest := false, 0.0
	for v, err := range s.Intervals {
		if err != nil {
			return p, err
		}
		if !some {
			p.first, some = v.End, true
		}
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || math.Abs(v.Value) > maxValue {
			return p, fmt.Errorf("%w: the value %v cannot be written", logdb.ErrInvalid, v.Value)
		}
		for p.decimals < maxDecimals && !isWhole(v.Value, p.decimals) {
			p.decimals++
		}
		largest = max(largest, math.Abs(v.Value))
	}
	for p.decimals > 0 && largest*math.Pow10(p.decimals) > maxValue {
		p.decimals--
	}
	return p, nil
}

// isWhole reports whether v with so many decimals is v again when it is read.
func isWhole(v float64, decimals int) bool {
	return math.Round(v*math.Pow10(decimals))/math.Pow10(decimals) == v
}

type writer struct {
	w     *bufio.Writer
	usage Usage
	err   error
}

func (o *writer) line(depth int, format string, args ...any) {
	if o.err == nil {
		_, o.err = fmt.Fprintf(o.w, strings.Repeat(" ", 2*depth)+format+"\n", args...)
	}
}

// escape makes text safe inside tags and attributes.
func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}

// id makes the identifier of an entry out of what it names, so that a feed written again is the same.
func (o *writer) id(parts ...string) string {
	h := sha1.Sum([]byte("metermanager green button\x00" + o.usage.Meter + "\x00" + strings.Join(parts, "\x00")))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func (o *writer) point() string { return "UsagePoint/" + escape(pathPart(o.usage.Meter)) }

// pathPart keeps a meter's name within one part of a link.
func pathPart(s string) string {
	if s == "" {
		return "1"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

func (o *writer) open(title string, self, up string, related ...string) {
	o.line(1, "<entry>")
	o.line(2, "<id>urn:uuid:%s</id>", o.id(self))
	o.line(2, `<link rel="self" href="%s"/>`, self)
	o.line(2, `<link rel="up" href="%s"/>`, up)
	for _, r := range related {
		o.line(2, `<link rel="related" href="%s"/>`, r)
	}
	o.line(2, "<title>%s</title>", escape(title))
	o.line(2, "<content>")
}

func (o *writer) shut() {
	updated := o.updated()
	o.line(2, "</content>")
	o.line(2, "<published>%s</published>", updated)
	o.line(2, "<updated>%s</updated>", updated)
	o.line(1, "</entry>")
}

func (o *writer) updated() string { return o.usage.Updated.UTC().Format("2006-01-02T15:04:05Z") }

// head writes the feed's own fields, the usage point and how its site keeps time.
func (o *writer) head(plans []plan) {
	zone, year := o.zone(), o.usage.Updated.Year()
	if len(plans) > 0 && plans[0].first != 0 {
		year = plans[0].first.Time().In(zone).Year()
	}
	o.line(0, `<?xml version="1.0" encoding="UTF-8"?>`)
	o.line(0, `<feed xmlns="%s" xmlns:espi="%s">`, namespaceAtom, namespaceESPI)
	o.line(1, "<id>urn:uuid:%s</id>", o.id("feed"))
	o.line(1, "<title>%s</title>", escape(o.usage.Title))
	o.line(1, "<updated>%s</updated>", o.updated())
	o.line(1, `<link rel="self" href="%s"/>`, "Batch")
	o.open(o.usage.Title, o.point(), "UsagePoint", o.point()+"/MeterReading", "LocalTimeParameters/1")
	o.line(3, "<espi:UsagePoint>")
	o.line(4, "<espi:ServiceCategory><espi:kind>0</espi:kind></espi:ServiceCategory>")
	o.line(3, "</espi:UsagePoint>")
	o.shut()
	l := LocalTimeOf(zone, year)
	o.open(zone.String(), "LocalTimeParameters/1", "LocalTimeParameters")
	o.line(3, "<espi:LocalTimeParameters>")
	o.line(4, "<espi:dstEndRule>%s</espi:dstEndRule>", l.DSTEnd)
	o.line(4, "<espi:dstOffset>%d</espi:dstOffset>", l.DSTSeconds)
	o.line(4, "<espi:dstStartRule>%s</espi:dstStartRule>", l.DSTStart)
	o.line(4, "<espi:tzOffset>%d</espi:tzOffset>", l.OffsetSeconds)
	o.line(3, "</espi:LocalTimeParameters>")
	o.shut()
}

// String writes r as ESPI does, eight hex digits.
func (r Rule) String() string {
	if r == 0 {
		r = noRule
	}
	return fmt.Sprintf("%08X", uint32(r))
}

func (o *writer) zone() *time.Location {
	if o.usage.Zone == nil {
		return time.UTC
	}
	return o.usage.Zone
}

// series writes the meter reading, its type, and one block for each day of the site.
func (o *writer) series(index int, s Energy, p plan, done *Written) error {
	n := strconv.Itoa(index + 1)
	meter, kind := o.point()+"/MeterReading/"+n, "ReadingType/"+n
	title := logdb.LookupChannel(s.Channel).Name
	o.open(title, meter, o.point()+"/MeterReading", meter+"/IntervalBlock", kind)
	o.line(3, "<espi:MeterReading/>")
	o.shut()
	o.open(title, kind, "ReadingType")
	o.line(3, "<espi:ReadingType>")
	for _, f := range []struct {
		name  string
		value int
	}{
		{"accumulationBehaviour", accumulationDelta}, {"commodity", 1}, {"dataQualifier", 12}, {"flowDirection", p.flow},
		{"intervalLength", int(s.Interval / time.Second)}, {"kind", 12}, {"phase", 769},
		{"powerOfTenMultiplier", -p.decimals}, {"timeAttribute", 0}, {"uom", p.uom},
	} {
		o.line(4, "<espi:%s>%d</espi:%s>", f.name, f.value, f.name)
	}
	o.line(3, "</espi:ReadingType>")
	o.shut()
	return o.blocks(meter+"/IntervalBlock", s, p, done)
}

func (o *writer) blocks(up string, s Energy, p plan, done *Written) error {
	zone := o.zone()
	var day []Interval
	var date time.Time
	number := 0
	flush := func() {
		if len(day) > 0 {
			number++
			o.block(up, up+"/"+strconv.Itoa(number), day, p, done)
			day = day[:0]
		}
	}
	for v, err := range s.Intervals {
		if err != nil {
			return err
		}
		start := v.start().In(zone)
		y, m, d := start.Date()
		if this := time.Date(y, m, d, 0, 0, 0, 0, time.UTC); !this.Equal(date) {
			flush()
			date = this
		}
		day = append(day, v)
	}
	flush()
	return nil
}

// start returns when the interval began, on a whole second.
func (v Interval) start() time.Time {
	return v.End.Time().Add(-v.Duration).Truncate(time.Second)
}

func (o *writer) block(up, self string, day []Interval, p plan, done *Written) {
	first, last := day[0].start(), day[len(day)-1]
	o.open("", self, up)
	o.line(3, "<espi:IntervalBlock>")
	o.line(4, "<espi:interval><espi:duration>%d</espi:duration><espi:start>%d</espi:start></espi:interval>",
		last.End.Time().Truncate(time.Second).Unix()-first.Unix(), first.Unix())
	for _, v := range day {
		n := math.Round(v.Value * math.Pow10(p.decimals))
		if n/math.Pow10(p.decimals) != v.Value {
			done.Rounded++
		}
		done.Readings++
		o.line(4, "<espi:IntervalReading><espi:timePeriod><espi:duration>%d</espi:duration><espi:start>%d</espi:start></espi:timePeriod><espi:value>%d</espi:value></espi:IntervalReading>",
			int64(v.Duration/time.Second), v.start().Unix(), int64(n))
	}
	o.line(3, "</espi:IntervalBlock>")
	o.shut()
}

// Energy returns the value of r in the type's unit, rounded once.
func (t *ReadingType) Energy(r Reading) float64 {
	if t.Multiplier < 0 {
		return float64(r.Value) / math.Pow10(-t.Multiplier)
	}
	return float64(r.Value) * math.Pow10(t.Multiplier)
}
