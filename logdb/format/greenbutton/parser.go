package greenbutton

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parser turns the tokens of a document into a feed. It holds one entry at a time.
type parser struct {
	cfg   Config
	feed  *Feed
	notes notes
	known bool // a feed or an ESPI document was seen

	path    []string
	text    strings.Builder
	entries int
	total   int

	entry    entry
	reading  interval
	value    string // of the present reading; "" when it has none
	quality  string
	readings map[string]int // index of a meter reading by its href
	types    []ReadingType
	current  int // the meter reading of the present block
}

// entry is what surrounds the documents of an Atom entry.
type entry struct {
	self, up, title string
	related         []string
	types           []int // indices of what stands in it
	points          []int
	meters          []int
}

// interval is a start and a duration in seconds; negative when absent.
type interval struct{ start, duration int64 }

var noInterval = interval{-1, -1}

func (p *parser) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		p.path = append(p.path, t.Name.Local)
		if len(p.path) > maxDepth {
			return fmt.Errorf("tags are nested deeper than %d", maxDepth)
		}
		p.text.Reset()
		return p.start(t)
	case xml.CharData:
		if p.text.Len()+len(t) <= maxTextBytes {
			p.text.Write(t)
		}
	case xml.EndElement:
		err := p.end(t.Name.Local)
		p.path = p.path[:len(p.path)-1]
		p.text.Reset()
		return err
	}
	return nil
}

// parent returns the name of the n-th element around the present one.
func (p *parser) parent(n int) string {
	if i := len(p.path) - 1 - n; i >= 0 {
		return p.path[i]
	}
	return ""
}

func (p *parser) start(t xml.StartElement) error {
	if t.Name.Space == namespaceESPI || t.Name.Space == namespaceAtom && t.Name.Local == "feed" {
		p.known = true
	}
	switch t.Name.Local {
	case "entry":
		if p.entries++; p.entries > p.cfg.MaxEntries {
			return fmt.Errorf("more than %d entries", p.cfg.MaxEntries)
		}
		p.entry = entry{}
	case "link":
		p.linkTag(t)
	case "UsagePoint":
		p.entry.points = append(p.entry.points, len(p.feed.UsagePoints))
		p.feed.UsagePoints = append(p.feed.UsagePoints, UsagePoint{Kind: -1})
	case "MeterReading":
		p.entry.meters = append(p.entry.meters, len(p.feed.MeterReadings))
		p.feed.MeterReadings = append(p.feed.MeterReadings, MeterReading{})
	case "ReadingType":
		p.entry.types = append(p.entry.types, len(p.types))
		p.types = append(p.types, ReadingType{IntervalLength: -1})
	case "LocalTimeParameters":
		if p.feed.Local != nil {
			p.notes.add("more than one set of local time parameters: the last one counts")
		}
		p.feed.Local = &LocalTime{}
	case "IntervalBlock":
		p.current = p.meter(p.entry)
		p.feed.MeterReadings[p.current].Blocks++
	case "IntervalReading":
		p.reading, p.value, p.quality = noInterval, "", ""
	case "ElectricPowerUsageSummary", "UsageSummary", "ElectricPowerQualitySummary":
		p.notes.add("a document %s is not kept", t.Name.Local)
	}
	return nil
}

func (p *parser) linkTag(t xml.StartElement) {
	var rel, href string
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "rel":
			rel = a.Value
		case "href":
			href = strings.TrimRight(a.Value, "/")
		}
	}
	if p.parent(1) != "entry" {
		return
	}
	switch rel {
	case "self":
		p.entry.self = href
	case "up":
		p.entry.up = href
	case "related":
		if len(p.entry.related) < 64 {
			p.entry.related = append(p.entry.related, href)
		}
	}
}

// meter returns the index of the meter reading that the blocks of e belong to, making it when its own
// entry has not come yet or never comes.
func (p *parser) meter(e entry) int {
	if len(e.meters) > 0 { // documents that stand together in one entry
		return e.meters[0]
	}
	href := before(e.self, "/IntervalBlock")
	if href == "" {
		href = before(e.up, "/IntervalBlock")
	}
	if href == "" && len(p.feed.MeterReadings) > 0 {
		return len(p.feed.MeterReadings) - 1
	}
	i, ok := p.readings[href]
	if !ok {
		i = len(p.feed.MeterReadings)
		p.feed.MeterReadings = append(p.feed.MeterReadings, MeterReading{Href: href, UsagePoint: before(href, "/MeterReading")})
		p.readings[href] = i
	}
	return i
}

// before returns what stands before the last mark in href, "" when mark is not in it.
func before(href, mark string) string {
	if i := strings.LastIndex(href, mark); i >= 0 {
		return href[:i]
	}
	return ""
}

func (p *parser) end(name string) error {
	text := strings.TrimSpace(p.text.String())
	switch p.parent(1) {
	case "feed":
		if name == "title" {
			p.feed.Title = text
		}
	case "entry":
		if name == "title" {
			p.entry.title = text
		}
	case "ServiceCategory":
		if n := len(p.feed.UsagePoints); name == "kind" && n > 0 {
			return p.int(text, name, &p.feed.UsagePoints[n-1].Kind)
		}
	case "ReadingType":
		return p.typeField(name, text)
	case "LocalTimeParameters":
		return p.localField(name, text)
	case "ReadingQuality":
		if name == "quality" {
			p.quality = text
		}
	case "timePeriod":
		if p.parent(2) == "IntervalReading" {
			return p.period(name, text)
		}
	case "IntervalReading":
		switch name {
		case "value":
			p.value = text
		case "cost":
			p.notes.add("the cost of a reading is not kept")
		}
	case "IntervalBlock":
		if name == "IntervalReading" {
			return p.take()
		}
	}
	if name == "entry" {
		p.closeEntry()
	}
	return nil
}

func (p *parser) period(name, text string) error {
	switch name {
	case "start":
		return p.int64(text, name, &p.reading.start)
	case "duration":
		return p.int64(text, name, &p.reading.duration)
	}
	return nil
}

// The latest second and the longest interval that a reading may have.
const (
	maxSecond   = 253_402_300_799
	maxDuration = 366 * 86400
)

// take keeps the reading that just ended.
func (p *parser) take() error {
	if p.total++; p.total > p.cfg.MaxReadings {
		return fmt.Errorf("more than %d readings", p.cfg.MaxReadings)
	}
	switch {
	case p.value == "":
		p.notes.add("a reading without a value")
		return nil
	case p.reading.start < 0 || p.reading.start > maxSecond:
		p.notes.add("a reading without a start")
		return nil
	case p.reading.duration > maxDuration:
		p.notes.add("a reading of %d seconds", p.reading.duration)
		return nil
	}
	v, err := strconv.ParseInt(p.value, 10, 64)
	if err != nil {
		p.notes.add("a reading whose value %.40q is no whole number", p.value)
		return nil
	}
	if p.quality != "" && p.quality != "0" {
		p.notes.add("the quality of a reading is not kept: %.40s", qualityName(p.quality))
	}
	m := &p.feed.MeterReadings[p.current]
	m.Readings = append(m.Readings, Reading{Start: p.reading.start, Duration: p.reading.duration, Value: v})
	return nil
}

// closeEntry gives the documents of an entry its links and title.
func (p *parser) closeEntry() {
	e := &p.entry
	for _, i := range e.points {
		p.feed.UsagePoints[i].Href, p.feed.UsagePoints[i].Title = e.self, e.title
	}
	for _, i := range e.types {
		p.types[i].Href, p.types[i].Title = e.self, e.title
	}
	for _, i := range e.meters {
		m := &p.feed.MeterReadings[i]
		m.Href, m.Title, m.related, m.UsagePoint = e.self, e.title, e.related, before(e.self, "/MeterReading")
		if j, ok := p.readings[e.self]; ok && j != i { // its blocks came first
			first := &p.feed.MeterReadings[j]
			first.Title, first.related, first.UsagePoint = m.Title, m.related, m.UsagePoint
			*m = MeterReading{Blocks: -1}
			continue
		}
		p.readings[e.self] = i
	}
	p.entry = entry{}
}

// errNumber marks a number that cannot be read where the feed's meaning hangs on it.
var errNumber = errors.New("not a whole number")

func (p *parser) int64(text, name string, to *int64) error {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s %.40q: %w", name, text, errNumber)
	}
	*to = v
	return nil
}

func (p *parser) int(text, name string, to *int) error {
	var v int64
	if err := p.int64(text, name, &v); err != nil {
		return err
	}
	if v < math.MinInt32 || v > math.MaxInt32 {
		return fmt.Errorf("%s %d is out of range", name, v)
	}
	*to = int(v)
	return nil
}

func (p *parser) typeField(name, text string) error {
	t := &p.types[len(p.types)-1]
	switch name {
	case "accumulationBehaviour":
		return p.int(text, name, &t.Accumulation)
	case "commodity":
		return p.int(text, name, &t.Commodity)
	case "flowDirection":
		return p.int(text, name, &t.Flow)
	case "intervalLength":
		return p.int64(text, name, &t.IntervalLength)
	case "kind":
		return p.int(text, name, &t.Kind)
	case "phase":
		return p.int(text, name, &t.Phase)
	case "powerOfTenMultiplier":
		if err := p.int(text, name, &t.Multiplier); err != nil {
			return err
		}
		if t.Multiplier < -12 || t.Multiplier > 12 {
			return fmt.Errorf("the multiplier 10^%d is out of range", t.Multiplier)
		}
	case "uom":
		return p.int(text, name, &t.UnitOfMeasure)
	}
	return nil
}

// link finds the type of every meter reading once all entries are known.
func (p *parser) link() {
	p.feed.Types = p.types
	byHref := make(map[string]*ReadingType, len(p.types))
	for i := range p.types {
		byHref[p.types[i].Href] = &p.types[i]
	}
	kept := p.feed.MeterReadings[:0]
	for _, m := range p.feed.MeterReadings {
		if m.Blocks < 0 {
			continue
		}
		for _, href := range m.related {
			if t := byHref[href]; t != nil && href != "" {
				m.Type = t
			}
		}
		if m.Type == nil && len(p.types) == 1 {
			m.Type = &p.types[0]
		}
		if m.Type != nil {
			for i := range m.Readings {
				if m.Readings[i].Duration < 0 {
					m.Readings[i].Duration = m.Type.IntervalLength
				}
			}
		}
		kept = append(kept, m)
	}
	p.feed.MeterReadings = kept
}
