package pqdif

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
)

// Kind is the name of the format in reports.
const Kind = "pqdif"

// Codec returns the reader of PQDIF files.
func Codec() format.Codec {
	return format.Codec{
		Kind:  Kind,
		Title: "PQDIF (IEEE 1159.3)",
		Sniff: func(_ string, head []byte) bool { return Is(head) },
		Read:  readFile,
	}
}

// readFile reads a file into a Content: value logs become trends, waveforms and phasors recordings,
// characterised disturbances events.
func readFile(ctx context.Context, f format.File, o format.Options) (*format.Content, error) {
	fail := func(at int64, err error) error {
		return &format.Error{File: f.Name, Offset: at, What: "the file cannot be read as PQDIF", Err: err}
	}
	file, err := f.Dir.Open(f.Name)
	if err != nil {
		return nil, fail(0, err)
	}
	defer file.Close()
	at, size, err := random(file, o.Bytes())
	if err != nil {
		return nil, fail(0, err)
	}
	limit := o.Bytes()
	r, err := NewReader(at, size, Config{
		MaxRecordBytes: int(min(64<<20, limit)),
		MaxTotalBytes:  limit,
		MaxElements:    int(min(8<<20, limit/8)),
		MaxValues:      int(limit / 8),
	})
	if err != nil {
		return nil, fail(0, err)
	}
	c := &content{out: &format.Content{Kind: Kind, Files: []string{f.Name}}, reader: r, zone: o.Location()}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		obs, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = c.observation(obs)
		}
		if err != nil {
			return nil, fail(r.next, err)
		}
		o.Report(min(r.next, size), size)
	}
	if c.seen == 0 && r.failed > 0 {
		n := r.failure
		return nil, &format.Error{File: f.Name, Offset: n.Offset, What: fmt.Sprintf("none of its %d observations can be read: %s", r.failed, n.Text),
			Do: "The program that wrote it does not keep to IEEE 1159.3; ask its maker for a file that does"}
	}
	c.finish(o.Zone == nil)
	return c.out, nil
}

// random gives random access to a file, which it reads into memory where its file system has none.
func random(file fs.File, limit int64) (io.ReaderAt, int64, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > limit {
		return nil, 0, fmt.Errorf("it has %d bytes, at most %d are read", info.Size(), limit)
	}
	if at, ok := file.(io.ReaderAt); ok {
		return at, info.Size(), nil
	}
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, 0, err
	}
	if int64(len(b)) > limit {
		return nil, 0, fmt.Errorf("it has more than %d bytes", limit)
	}
	return bytes.NewReader(b), int64(len(b)), nil
}

// content gathers what the observations of a file hold.
type content struct {
	out    *format.Content
	reader *Reader
	zone   *time.Location
	seen   int
	steps  []int64 // of the trends, in milliseconds
	// percents is set when an event has a percentage of nominal.
	percents          bool
	causes            []cause
	countsDefinitions bool
}

// finish adds what is known only at the end.
func (c *content) finish(zoneAssumed bool) {
	r, out := c.reader, c.out
	out.Records = r.Records
	v := r.Container.Version
	out.Version = fmt.Sprintf("%d.%d", v[0], v[1])
	if s := r.Source; s != nil {
		out.Station, out.Device = cmp.Or(s.Name, s.Location, r.Container.FileName), s.Serial
		out.Settings = logdb.Settings{Name: s.Name, Serial: s.Serial, Firmware: s.Version}
	} else {
		out.Station = r.Container.FileName
	}
	if positive(r.settings.nominalHz) {
		out.Settings.NominalHz = r.settings.nominalHz
	}
	c.numberLogs()
	c.nameTriggers()
	switch {
	case zoneAssumed && c.reader.Source != nil && c.reader.Source.TimeZone != "":
		out.Assumed = append(out.Assumed, fmt.Sprintf("times are read as UTC: the file names its zone %q only", c.reader.Source.TimeZone))
	case zoneAssumed:
		out.Assumed = append(out.Assumed, "times are read as UTC: the file names no zone")
	}
	if len(out.Trends) > 0 {
		out.Assumed = append(out.Assumed, "times of trends are kept as they stand: the file does not say whether they begin or end an interval")
	}
	if c.percents {
		out.Assumed = append(out.Assumed, "percentages of events are of the nominal value, not of a full scale")
	}
	for _, n := range r.Notes() {
		out.NotUnderstood = append(out.NotUnderstood, n.String())
	}
	if r.Source == nil || c.seen == 0 {
		out.NotUnderstood = append(out.NotUnderstood, "the file has no observations")
	}
}

// moment returns a time of the file in its zone, to the microsecond: the writers' day fractions hold no more.
func (c *content) moment(t Timestamp) (time.Time, bool) {
	u, ok := t.Time()
	if !ok {
		return time.Time{}, false
	}
	u = u.Round(time.Microsecond)
	return time.Date(u.Year(), u.Month(), u.Day(), u.Hour(), u.Minute(), u.Second(), u.Nanosecond(), c.zone), true
}

// observation takes one observation apart.
func (c *content) observation(o *Observation) error {
	start, ok := c.moment(o.Start)
	if !ok {
		c.reader.notes.add(o.Record, o.Offset, "observation %q starts at %v", o.Name, o.Start)
		return nil
	}
	c.seen++
	if c.out.Start.IsZero() {
		c.out.Start = start
	}
	p := &piece{content: c, obs: o, start: start, times: map[*element][]float64{}}
	if o.HasTrigger {
		if p.trigger, ok = c.moment(o.Triggered); ok && c.out.Trigger.IsZero() {
			c.out.Trigger = p.trigger
		}
	}
	for i := range o.Channels {
		if err := p.channel(i); err != nil {
			return err
		}
	}
	p.recording()
	return nil
}
