package greenbutton_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/greenbutton"
)

func TestContent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, want string
		notes      int
	}{
		{"coastal_single_family_sample.xml", "Coastal Single Family 362 2011-01-01T08:00:00Z Hourly Electricity Consumption [Wh] 362 703 510 1290 energy.interval.wh.received from 2011-01-01T09:00:00.000Z", 1},
		{"test_usage_data_1.xml", "Front Electric Meter 480 2012-03-01T05:00:00Z Fifteen Minute Electricity Consumption [Wh] 480 282 273 1659 energy.interval.wh.received from 2012-03-01T05:15:00.000Z", 5},
		{"ESPIIntervalBlock.xml", "Green Button Usage Feed 444 2013-01-01T05:00:00Z meter reading [] 444 21021 21021 25935 import.meter-reading from 2013-01-02T05:00:00.000Z", 2},
		{"ESPIUsagePoints.xml", "Green Button Sample Data File 0 none", 1},
		{"ESPIReadingTypes.xml", "Green Button Usage Feed 0 none", 1},
	} {
		c, err := greenbutton.Codec().Read(context.Background(), format.File{Dir: os.DirFS("testdata"), Name: tt.file}, format.Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		r := c.Report(tt.file)
		start := "none"
		if r.Start != nil {
			start = *r.Start
		}
		got := fmt.Sprintf("%s %d %s", r.Station, r.Records, start)
		for _, ch := range r.Channels {
			got += fmt.Sprintf(" %s [%s] %d %v %v %v", ch.Name, ch.Unit, ch.Samples, ch.First, ch.Min, ch.Max)
		}
		h, said := c.History()
		for _, h := range h {
			got += fmt.Sprintf(" %s from %v", h.Channels[0], h.Times[0])
			if err := h.Check(); err != nil {
				t.Error(err)
			}
		}
		if got != tt.want || len(r.NotUnderstood) != tt.notes || len(said) != 0 || r.Kind != "greenbutton" {
			t.Errorf("%s: %s\n%v %v", tt.file, got, r.NotUnderstood, said)
		}
	}
}

// meterFeed is a feed with a meter reading for each type.
func meterFeed(readings string, types ...string) string {
	var b strings.Builder
	b.WriteString(feedHead)
	for i, t := range types {
		fmt.Fprintf(&b, `<entry><link rel="self" href="UP/%[1]d/MeterReading/1"/><link rel="related" href="ReadingType/%[1]d"/><title>M</title><content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>`, i)
		fmt.Fprintf(&b, `<entry><link rel="self" href="ReadingType/%d"/><content><ReadingType xmlns="http://naesb.org/espi">%s</ReadingType></content></entry>`, i, t)
		fmt.Fprintf(&b, `<entry><link rel="self" href="UP/%d/MeterReading/1/IntervalBlock/1"/><content><IntervalBlock xmlns="http://naesb.org/espi">%s</IntervalBlock></content></entry>`, i, readings)
	}
	return b.String() + "</feed>"
}

func reading(start, duration, value int) string {
	return fmt.Sprintf("<IntervalReading><timePeriod><duration>%d</duration><start>%d</start></timePeriod><value>%d</value></IntervalReading>", duration, start, value)
}

func TestTypes(t *testing.T) {
	t.Parallel()
	code := func(pairs ...any) string {
		s := ""
		for i := 0; i < len(pairs); i += 2 {
			s += fmt.Sprintf("<%s>%v</%[1]s>", pairs[i], pairs[i+1])
		}
		return s
	}
	one := reading(0, 900, 5)
	for _, tt := range []struct{ name, text, want, said string }{
		{"received", meterFeed(one, code("uom", 72, "flowDirection", 1, "accumulationBehaviour", 4)), "0 energy.interval.wh.received [900000] [5]", ""},
		{"delivered, kWh", meterFeed(one, code("uom", 72, "flowDirection", 19, "powerOfTenMultiplier", 3)), "0 energy.interval.wh.delivered [900000] [5000]", ""},
		{"mWh", meterFeed(one, code("uom", 73, "flowDirection", 1, "powerOfTenMultiplier", -3)), "0 energy.interval.varh.received [900000] [0.005]", ""},
		{"a counter", meterFeed(one, code("uom", 71, "accumulationBehaviour", 1)), "0 energy.total.vah [900000] [5]", ""},
		{"no direction", meterFeed(one, code("uom", 72)), "0 energy.interval.wh.received [900000] [5]", "no flow direction"},
		{"net", meterFeed(one, code("uom", 72, "flowDirection", 4)), "0 energy.interval.wh.net [900000] [5]", "longer steps show its mean"},
		{"a moment", meterFeed(one, code("uom", 29, "phase", 65, "accumulationBehaviour", 12)), "0 readings.voltage.bn [0] [5]", ""},
		{"a current", meterFeed(one, code("uom", 5, "phase", 32)), "0 readings.current.c [900000] [5]", ""},
		{"power", meterFeed(one, code("uom", 38, "phase", 128)), "0 readings.power.watts.a [900000] [5]", ""},
		{"demand", meterFeed(one, code("uom", 38, "kind", 8)), "0 demand.watts.positive [900000] [5]", ""},
		{"an unknown phase", meterFeed(one, code("uom", 29, "phase", 7)), "0 readings.voltage.phase-7 [900000] [5]", "the phase 7 of a voltage"},
		{"gas", meterFeed(one, code("uom", 42, "commodity", 7)), "0 import.m [900000] [5]", "commodity 7, not electricity"},
		{"an unknown unit", meterFeed(one, code("uom", 1234)), "0 import.m [900000] [5]", "uom 1234, which has no channel"},
		{"repeats", meterFeed(reading(900, 900, 2)+one+reading(900, 900, 2)+reading(0, 900, 6), code("uom", 72, "flowDirection", 1)),
			"0 energy.interval.wh.received [900000 1800000] [6 2]", "1 readings repeat others"},
		{"two usage points", meterFeed(one, code("uom", 72, "flowDirection", 1), code("uom", 72, "flowDirection", 1)),
			"0 energy.interval.wh.received [900000] [5] 0 import.up-1-m [900000] [5]", "belongs to another usage point"},
	} {
		c, err := greenbutton.Codec().Read(context.Background(), format.File{Dir: fstest.MapFS{"x.xml": {Data: []byte(tt.text)}}, Name: "x.xml"}, format.Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		h, _ := c.History()
		for _, h := range h {
			for i, ch := range h.Channels {
				times := make([]int64, len(h.Times))
				for k, at := range h.Times {
					times[k] = int64(at)
				}
				got = append(got, fmt.Sprintf("%d %s %v %v", h.Log, ch, times, h.Columns[i]))
			}
		}
		if strings.Join(got, " ") != tt.want || (tt.said == "") != (len(c.NotUnderstood) == 0) || !strings.Contains(fmt.Sprint(c.NotUnderstood), tt.said) {
			t.Errorf("%s: %v; %v", tt.name, got, c.NotUnderstood)
		}
	}
}

// What a feed leaves out: links to the type, durations of readings; and texts without end.
func TestSparseFeed(t *testing.T) {
	t.Parallel()
	text := feedHead + "<title>" + strings.Repeat("long <!-- -->", 2000) + `</title><entry><content><ReadingType xmlns="http://naesb.org/espi"><uom>72</uom><flowDirection>1</flowDirection><intervalLength>900</intervalLength></ReadingType></content></entry>` +
		`<entry><content><IntervalBlock xmlns="http://naesb.org/espi"><IntervalReading><timePeriod><start>0</start></timePeriod><value>7</value></IntervalReading></IntervalBlock></content></entry></feed>`
	c, err := greenbutton.Codec().Read(context.Background(), format.File{Dir: fstest.MapFS{"x": {Data: []byte(text)}}, Name: "x"}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Trends[0].Key != "energy.interval.wh.received" || c.Trends[0].Times[0] != 900_000 || len(c.Station) > 5000 {
		t.Errorf("%+v at %v, a station of %d bytes", c.Trends[0].Channel, c.Trends[0].Times, len(c.Station))
	}
}

// Two resolutions of one channel go into two logs.
func TestTwoIntervals(t *testing.T) {
	t.Parallel()
	entry := func(n, duration int) string {
		return fmt.Sprintf(`<entry><link rel="self" href="UP/1/MeterReading/%[1]d"/><link rel="related" href="ReadingType/1"/><title>M%[1]d</title><content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>`+
			`<entry><link rel="self" href="UP/1/MeterReading/%[1]d/IntervalBlock/1"/><content><IntervalBlock xmlns="http://naesb.org/espi">%[2]s</IntervalBlock></content></entry>`, n, reading(0, duration, n))
	}
	text := feedHead + entry(1, 3600) + entry(2, 900) + `<entry><link rel="self" href="ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi"><uom>72</uom><flowDirection>1</flowDirection></ReadingType></content></entry></feed>`
	c, err := greenbutton.Codec().Read(context.Background(), format.File{Dir: fstest.MapFS{"x": {Data: []byte(text)}}, Name: "x"}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := c.History()
	got := ""
	for _, h := range h {
		got += fmt.Sprintf("log %d %s %v ", h.Log, h.Channels[0], h.Columns[0])
	}
	if want := "log 1 energy.interval.wh.received [1] log 0 energy.interval.wh.received [2] "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(c.NotUnderstood) != 0 || c.Trends[0].Times[0] != logdb.Millis(3_600_000) {
		t.Errorf("%v, %v", c.NotUnderstood, c.Trends[0].Times)
	}
}

func TestCodecErrors(t *testing.T) {
	t.Parallel()
	dir := fstest.MapFS{"bad.xml": {Data: []byte(feedHead + "<entry>")}}
	read := func(ctx context.Context, name string, o format.Options) error {
		_, err := greenbutton.Codec().Read(ctx, format.File{Dir: dir, Name: name}, o)
		return err
	}
	if err := read(context.Background(), "bad.xml", format.Options{}); !errors.Is(err, greenbutton.ErrFormat) || !strings.Contains(err.Error(), "at byte 70") {
		t.Errorf("a cut file: %v", err)
	}
	if err := read(context.Background(), "none.xml", format.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := read(context.Background(), "bad.xml", format.Options{MaxBytes: 10}); err == nil || !strings.Contains(err.Error(), "at most 10 are read") {
		t.Errorf("a large file: %v", err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(feedHead + strings.Repeat(" ", 100_000) + "</feed>")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{200_000: "", 50_000: "more than 50000 bytes"} {
		_, err := greenbutton.Codec().Read(context.Background(), format.File{Dir: format.Gunzip(fstest.MapFS{"x.gz": {Data: packed.Bytes()}}), Name: "x.gz"}, format.Options{MaxBytes: limit})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a packed file: %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := read(ctx, "bad.xml", format.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled read: %v", err)
	}
	for head, want := range map[string]bool{feedHead: true, `<x:IntervalBlock xmlns:x="http://naesb.org/espi">`: true, "\ufeff" + feedHead: true, "<html>": false, "a,b\n": false, "": false} {
		if greenbutton.Codec().Sniff("x", []byte(head)) != want {
			t.Errorf("%q: not %v", head, want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	info, err := os.Stat("testdata/ESPIIntervalBlock.xml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if _, err := greenbutton.Codec().Read(context.Background(), format.File{Dir: os.DirFS("testdata"), Name: "ESPIIntervalBlock.xml"}, format.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
