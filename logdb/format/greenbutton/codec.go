package greenbutton

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// Kind is the name of the format in reports.
const Kind = "greenbutton"

// Codec returns the reader of Green Button files.
func Codec() format.Codec {
	return format.Codec{
		Kind:  Kind,
		Title: "Green Button (ESPI)",
		Sniff: func(_ string, head []byte) bool { return Is(head) },
		Read:  readFile,
	}
}

// readingBytes is what a reading takes in memory on its way into a Content, at most.
const readingBytes = 64

func readFile(ctx context.Context, f format.File, o format.Options) (*format.Content, error) {
	fail := func(err error) error {
		return &format.Error{File: f.Name, What: "the file cannot be read as Green Button", Err: err}
	}
	file, err := f.Dir.Open(f.Name)
	if err != nil {
		return nil, fail(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fail(err)
	}
	if info.Size() > o.Bytes() {
		return nil, fail(fmt.Errorf("it has %d bytes, at most %d are read", info.Size(), o.Bytes()))
	}
	in := &counted{r: file, limit: o.Bytes(), check: ctx.Err, total: info.Size(), report: o.Report}
	feed, err := Read(bufio.NewReaderSize(in, 1<<16), Config{MaxReadings: int(o.Bytes() / readingBytes)})
	if cause := ctx.Err(); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, fail(err)
	}
	return contentOf(feed, f.Name), nil
}

// counted tells the progress, and ends with the context or when a file, unpacked, is too large.
type counted struct {
	r           io.Reader
	limit       int64
	check       func() error
	done, total int64
	report      func(done, total int64)
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.done > c.limit {
		return 0, fmt.Errorf("it has more than %d bytes", c.limit)
	}
	c.report(min(c.done, c.total), c.total)
	return n, err
}

// contentOf turns a feed into a content: one trend for each meter reading.
func contentOf(feed *Feed, name string) *format.Content {
	c := &format.Content{Kind: Kind, Files: []string{name}, Station: feed.Title}
	for _, u := range feed.UsagePoints {
		if u.Title != "" {
			c.Station = u.Title
			break
		}
	}
	if feed.Local != nil {
		c.Notes = append(c.Notes, format.Note{Name: "local time", Text: feed.Local.String()})
	}
	b := &builder{feed: feed, out: c, named: map[string]int{}}
	for i := range feed.MeterReadings {
		b.meter(&feed.MeterReadings[i])
	}
	b.numberLogs()
	if c.Records == 0 {
		c.NotUnderstood = append(c.NotUnderstood, fmt.Sprintf("the file has no readings, only %d usage points and %d reading types", len(feed.UsagePoints), len(feed.Types)))
	}
	for _, n := range feed.Notes {
		c.NotUnderstood = append(c.NotUnderstood, n.String())
	}
	return c
}

// String says l for people.
func (l LocalTime) String() string {
	s := "UTC" + hours(l.OffsetSeconds)
	if l.DSTSeconds == 0 || l.DSTStart.None() || l.DSTEnd.None() {
		return s + " all year"
	}
	return fmt.Sprintf("%s, in summer UTC%s by the rules %s to %s", s, hours(l.OffsetSeconds+l.DSTSeconds), l.DSTStart, l.DSTEnd)
}

func hours(seconds int64) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
}

// builder makes the trends of a content.
type builder struct {
	feed  *Feed
	out   *format.Content
	point string         // the usage point that the content is about
	named map[string]int // how often a name came
	steps []int64        // of the trends, in seconds
}

func (b *builder) say(format string, args ...any) {
	b.out.NotUnderstood = append(b.out.NotUnderstood, fmt.Sprintf(format, args...))
}

// channel describes a meter reading.
func (b *builder) channel(m *MeterReading) format.Channel {
	ch := format.Channel{Name: cmp.Or(m.Title, "meter reading")}
	t := m.Type
	if t == nil {
		b.say("meter reading %q has no reading type: the unit of its values is unknown", ch.Name)
		return ch
	}
	ch.Name = cmp.Or(m.Title, t.Title, ch.Name)
	ch.Unit = t.Unit()
	key, doubt := t.Channel()
	ch.Key = key
	switch {
	case !t.Electric():
		ch.Key = ""
		b.say("meter reading %q is of commodity %d, not electricity: it is kept under its own name", ch.Name, t.Commodity)
	case key == "":
		b.say("meter reading %q is in %s, which has no channel: it is kept under its own name", ch.Name, ch.Unit)
	case doubt != "":
		b.say("meter reading %q: %s", ch.Name, doubt)
	}
	return ch
}

// meter adds the readings of m. A content is about one meter, which is the first usage point that has
// readings; those of others are kept under names of their own.
func (b *builder) meter(m *MeterReading) {
	if len(m.Readings) == 0 {
		return
	}
	ch := b.channel(m)
	if b.out.Records == 0 {
		b.point = m.UsagePoint
	} else if m.UsagePoint != b.point {
		b.say("meter reading %q belongs to another usage point, %s: it is kept under its own name", ch.Name, m.UsagePoint)
		ch.Name, ch.Key = m.UsagePoint+" "+ch.Name, ""
	}
	if b.named[ch.Name]++; b.named[ch.Name] > 1 {
		ch.Name = fmt.Sprintf("%s (%d)", ch.Name, b.named[ch.Name])
	}
	b.out.Records += len(m.Readings)
	list := b.once(m, ch.Name)
	tr := format.Trend{Channel: ch, Times: make([]logdb.Millis, len(list)), Values: make([]float64, len(list))}
	for i, r := range list {
		at := r.Start
		if m.Type == nil || !m.Type.momentary() {
			at += max(r.Duration, 0) // the row of an interval stands at its end
		}
		tr.Times[i] = logdb.Millis(at) * 1000
		tr.Values[i] = float64(r.Value)
		if m.Type != nil {
			tr.Values[i] = m.Type.Energy(r)
		}
	}
	if start := time.Unix(list[0].Start, 0).UTC(); b.out.Start.IsZero() || start.Before(b.out.Start) {
		b.out.Start = start
	}
	b.out.Trends = append(b.out.Trends, tr)
	b.steps = append(b.steps, list[0].Duration)
}

// momentary reports whether the values are of a moment, not of an interval or up to its end.
func (t *ReadingType) momentary() bool {
	return t.Accumulation == accumulationIndicating || t.Accumulation == accumulationInstantaneous
}

// once returns the readings in order of time, each interval once: feeds overlap, and energy counted twice
// is wrong. Of readings that contradict each other the later in the file counts, as in a feed of updates.
func (b *builder) once(m *MeterReading, name string) []Reading {
	list := slices.Clone(m.Readings)
	slices.SortStableFunc(list, func(x, y Reading) int {
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.Duration, y.Duration))
	})
	kept, repeats, changed := list[:1], 0, 0
	for _, r := range list[1:] {
		last := &kept[len(kept)-1]
		switch {
		case r == *last:
			repeats++
		case r.Start == last.Start && r.Duration == last.Duration:
			changed++
			*last = r
		default:
			kept = append(kept, r)
		}
	}
	if repeats > 0 {
		b.say("meter reading %q: %d readings repeat others and were left out", name, repeats)
	}
	if changed > 0 {
		b.say("meter reading %q: %d readings are of an interval that comes again with another value: the later one is kept", name, changed)
	}
	return kept
}

// numberLogs gives meter readings of one channel logs of their own, the shortest interval first.
func (b *builder) numberLogs() {
	steps := map[logdb.ChannelKey][]int64{}
	for i, t := range b.out.Trends {
		k := format.KeyOf(t.Channel, i+1)
		if n, found := slices.BinarySearch(steps[k], b.steps[i]); !found {
			steps[k] = slices.Insert(steps[k], n, b.steps[i])
		}
	}
	for i := range b.out.Trends {
		t := &b.out.Trends[i]
		n, _ := slices.BinarySearch(steps[format.KeyOf(t.Channel, i+1)], b.steps[i])
		t.Log = logdb.LogNo(min(n, 1<<16-1))
		t.Name = strings.ToValidUTF8(t.Name, "\uFFFD")
	}
}
