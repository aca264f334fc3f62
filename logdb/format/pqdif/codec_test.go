package pqdif_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/pqdif"
)

// load reads bytes through the codec.
func load(b []byte, o format.Options) (*format.Content, error) {
	dir := fstest.MapFS{"x.pqd": {Data: b}}
	return pqdif.Codec().Read(context.Background(), format.File{Dir: dir, Name: "x.pqd"}, o)
}

func mustLoad(t *testing.T, b []byte, o format.Options) *format.Content {
	t.Helper()
	c, err := load(b, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// summary is what a content becomes, in a line each.
func summary(c *format.Content) (rows, waves, events []string) {
	h, _ := c.History()
	for _, h := range h {
		for k, ch := range h.Channels {
			rows = append(rows, fmt.Sprintf("%d %s %v %v", h.Log, ch, h.Times, h.Columns[k]))
		}
	}
	list, _ := c.Entries(logdb.KindWaveform)
	for _, e := range list {
		w := e.Waveform
		s := fmt.Sprintf("%v %v ms %v Hz %v", e.Time, w.SampleIntervalMillis, w.FrequencyHz, w.Triggers)
		for _, ch := range w.Channels {
			s += fmt.Sprintf(" %s %v", ch.Name, ch.Samples[:min(3, len(ch.Samples))])
		}
		waves = append(waves, s)
	}
	list, _ = c.Entries(logdb.KindPQ)
	for _, e := range list {
		x := e.Excursion
		events = append(events, fmt.Sprintf("%v %s type %d for %.3f s, %.2f V %.2f %% of %v", e.Time, x.Channel, x.Type, x.DurationSeconds, x.Worst, x.WorstPercent, x.Threshold))
	}
	return rows, waves, events
}

func TestExampleContent(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, example(t), format.Options{})
	r := c.Report("x.pqd")
	if r.Kind != "pqdif" || r.Version != "1.5" || r.Station != "PQDIF Convert" || r.Records != 50 || r.Recordings != 20 || r.Events != 9 ||
		*r.Start != "1999-06-01T01:06:20Z" || *r.Trigger != "1999-06-01T13:24:12.017512Z" || len(r.NotUnderstood) != 0 || len(r.Channels) != 696 {
		t.Errorf("%d channels, %+v", len(r.Channels), func() format.Report { r.Channels = nil; return r }())
	}
	for i, want := range []string{"SS RMS VAB min 96 34501.97", "SS RMS VAB max 96 34915.08", "SS RMS VAB  96 34627.98"} {
		ch := c.Report("x").Channels[i]
		if got := fmt.Sprintf("%s %s %d %.2f", ch.Name, ch.Statistic, ch.Samples, ch.First); got != want {
			t.Errorf("channel %d: %s, want %s", i, got, want)
		}
	}
	rows, _, events := summary(c)
	h, said := c.History()
	if len(h) != 27 || len(said) != 0 || h[26].Channels[2] != "readings.voltage.ab" || h[0].Times[1] != h[0].Times[0]+900_000 {
		t.Errorf("%d tables of rows, %v, %v", len(h), said, h[26].Channels)
	}
	if len(rows) != 27*18 {
		t.Errorf("%d columns of rows", len(rows))
	}
	// Each observation has voltages at 256 and currents at 128 samples a cycle; RMS variations add the phasors.
	list, said := c.Entries(logdb.KindWaveform)
	if len(list) != 45 || len(said) != 0 {
		t.Errorf("%d recordings, %v", len(list), said)
	}
	for i, want := range []string{
		"1999-06-01T13:24:12.000Z 0.06510416666666667 ms [Waveform VBC] 1536", "1999-06-01T13:24:12.000Z 0.13020833333333334 ms [Waveform VBC] 768",
		"1999-06-02T00:50:14.000Z 16.666666666666668 ms [Phasor VAB] 39",
	} {
		w := list[i].Waveform
		if got := fmt.Sprintf("%v %v ms %v %d", list[i].Time, w.SampleIntervalMillis, w.Triggers, len(w.Channels[0].Samples)); got != want {
			t.Errorf("recording %d: %s, want %s", i, got, want)
		}
	}
	if want := "1999-06-02T00:50:18.167Z readings.voltage.bc type 0 for 0.100 s, 29544.27 V 86.89 % of 32300.099609375"; events[2] != want {
		t.Errorf("event %s, want %s", events[2], want)
	}
}

func TestSharedContents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, station           string
		records, channels, rows int
		recordings              int
		notes                   int
	}{
		{"satec_22kv_event_a.pqd", "TAMPINES NT 22kV DE", 4, 8, 0, 1, 0},
		{"trend_11kv_20220920.pqd", "CPDIS_11KV_OSS0037_412693DX", 41, 462, 144 + 2880, 0, 31},
		{"trend_11kv_20220921.pqd", "CPDIS_11KV_OSS0037_412693DX", 41, 462, 144 + 2880, 0, 31},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			c := mustLoad(t, sharedFile(t, tt.file), format.Options{})
			r, rows := c.Report(tt.file), 0
			h, _ := c.History()
			for i := range h {
				rows += h[i].Len()
				if err := h[i].Check(); err != nil {
					t.Error(err)
				}
			}
			if r.Station != tt.station || r.Records != tt.records || len(r.Channels) != tt.channels || rows != tt.rows ||
				r.Recordings != tt.recordings || len(r.NotUnderstood) != tt.notes {
				t.Errorf("%s, %d records, %d channels, %d rows, %d recordings, %d notes", r.Station, r.Records, len(r.Channels), rows, r.Recordings, len(r.NotUnderstood))
			}
		})
	}
	t.Run("malformed", func(t *testing.T) {
		t.Parallel()
		_, err := load(sharedFile(t, "malformed_guid_as_vector.pqd"), format.Options{})
		var e *format.Error
		if !errors.As(err, &e) || e.Offset != 35488 || !strings.Contains(err.Error(), `"Group B": its start is a vector of text instead of a time`) {
			t.Errorf("%v", err)
		}
	})
}

// What becomes of the sorts of channels.
func TestContent(t *testing.T) {
	t.Parallel()
	thd := seriesDefn("avg", 19, 1, 0)
	copy(thd.children[2].data, guid("a6b31aec"+tailRMS))
	dist := []el{id("b48d8597"+tailF5F5, "dd56ef6e-7edd-11d2-b30a-00609789d193")}
	magnitude := []el{f64("2747d443"+tailChar, 70), f64("2747d444"+tailChar, 0.25)}
	wave := channelDefn("U", "waveform", 1, 1, timeDefn, seriesDefn("val", 6, 1, 230))
	phasor := channelDefn("RMS", "phasor", 1, 1, timeDefn, seriesDefn("val", 6, 1, 100))
	trend := func(name string, phase, measured uint32, series ...el) el {
		return channelDefn(name, "value log", phase, measured, append([]el{timeDefn}, series...)...)
	}
	at := stamp(25569, 3600) // 1970-01-01 01:00
	tests := []struct {
		name         string
		defns        []el
		extra        []el
		channels     []el
		rows, waves  string
		events, said string
	}{
		{"min, max and avg", []el{trend("V", 1, 1, seriesDefn("min", 6, 1, 0), seriesDefn("max", 6, 1, 0), seriesDefn("avg", 6, 1, 0))}, nil,
			[]el{instance(0, nil, one(values(0.0006)), one(values(1)), one(values(3)), one(values(2)))},
			"[0 readings.voltage.an.min [1970-01-01T01:00:00.001Z] [1] 0 readings.voltage.an.max [1970-01-01T01:00:00.001Z] [3] 0 readings.voltage.an [1970-01-01T01:00:00.001Z] [2]]", "[]", "[]", ""},
		{"percent", []el{trend("THD", 2, 2, thd)}, nil, []el{instance(0, nil, one(values(0)), one(values(5)))},
			"[0 thd.current.b [1970-01-01T01:00:00.000Z] [0.05]]", "[]", "[]", ""},
		{"harmonics", []el{trend("H", 1, 1, seriesDefn("avg", 6, 1, 0))}, nil,
			[]el{instance(0, []el{scalar("f90de218-e67b-4cf1-a295-b021a2d46767", 21, []byte{3, 0})}, one(values(0)), one(values(5)))},
			"[0 import.h-3 [1970-01-01T01:00:00.000Z] [5]]", "[]", "[]", ""},
		{"two steps", []el{trend("V", 1, 1, seriesDefn("avg", 6, 1, 0))}, nil,
			[]el{instance(0, nil, one(values(0, 600)), one(values(1, 2))), instance(0, nil, one(values(0, 60)), one(values(3, 4)))},
			"[1 readings.voltage.an [1970-01-01T01:00:00.000Z 1970-01-01T01:10:00.000Z] [1 2] 0 readings.voltage.an [1970-01-01T01:00:00.000Z 1970-01-01T01:01:00.000Z] [3 4]]", "[]", "[]", ""},
		{"amps of a voltage", []el{trend("V", 1, 1, seriesDefn("avg", 7, 1, 0))}, nil, []el{instance(0, nil, one(values(0)), one(values(5)))},
			"[0 import.v [1970-01-01T01:00:00.000Z] [5]]", "[]", "[]", "channel V: it measures a voltage in A"},
		{"more times than values", []el{trend("V", 1, 1, seriesDefn("avg", 6, 1, 0))}, nil, []el{instance(0, nil, one(values(0, 60, 120)), one(values(5, 6)))},
			"[0 readings.voltage.an [1970-01-01T01:00:00.000Z 1970-01-01T01:01:00.000Z] [5 6]]", "[]", "[]", "the series avg has 2 values at 3 times"},
		{"no values", []el{trend("V", 1, 1, seriesDefn("avg", 6, 1, 0))}, nil, []el{instance(0, nil, one(values(0, 60)), one(values()))},
			"[]", "[]", "[]", "channel V: it holds no values, at 2 times"},
		{"a waveform", []el{wave}, dist, []el{instance(0, magnitude, one(values(0, 0.0005, 0.001)), one(values(1, 2, 3)))},
			"[]", "[1970-01-01T01:00:00.000Z 0.5 ms NaN Hz [momentary sag] U [1 2 3]]",
			"[1970-01-01T01:00:00.000Z readings.voltage.an type 0 for 0.250 s, 161.00 V 70.00 % of NaN]", ""},
		{"a waveform at changing distances", []el{wave}, nil, []el{instance(0, nil, one(values(0, 0.001, 0.003)), one(values(1, 2, 4)))},
			"[]", "[1970-01-01T01:00:00.000Z 1.5 ms NaN Hz [import] U [1 2.5 4]]", "[]", ""},
		{"a magnitude in volts", []el{wave}, nil, []el{instance(0, []el{f64("2747d443"+tailChar, 63510)}, one(values(0, 0.0005)), one(values(1, 2)))},
			"[]", "[1970-01-01T01:00:00.000Z 0.5 ms NaN Hz [import] U [1 2]]", "[]", "the characteristic magnitude 63510 is no percentage of nominal"},
		{"variations", []el{phasor}, nil, []el{instance(0, nil, one(values(0, 1, 2, 3, 4, 5)), one(values(100, 80, 70, 95, 120, 120)))},
			"[]", "[1970-01-01T01:00:00.000Z 1000 ms NaN Hz [import] RMS [100 80 70]]",
			"[1970-01-01T01:00:01.000Z readings.voltage.an type 0 for 2.000 s, 70.00 V 70.00 % of 90 1970-01-01T01:00:04.000Z readings.voltage.an type 1 for NaN s, 120.00 V 120.00 % of 110.00000000000001]", ""},
		{"magnitude and duration", []el{channelDefn("M", "magdur", 2, 1, seriesDefn("val", 19, 1, 0), seriesDefn("duration", 2, 1, 0))}, nil,
			[]el{instance(0, nil, one(values(60, 130)), one(values(0.1, 2)))}, "[]", "[]",
			"[1970-01-01T01:00:00.000Z readings.voltage.bn type 0 for 0.100 s, NaN V 60.00 % of NaN 1970-01-01T01:00:00.000Z readings.voltage.bn type 1 for 2.000 s, NaN V 130.00 % of NaN]", ""},
		{"magnitude, duration and time", []el{channelDefn("M", "magdurtime", 2, 1, seriesDefn("val", 20, 1, 0), seriesDefn("duration", 2, 1, 0), timeDefn)}, nil,
			[]el{instance(0, nil, one(values(0.5)), one(values(0.1)), one(values(9)))}, "[]", "[]",
			"[1970-01-01T01:00:09.000Z readings.voltage.bn type 0 for 0.100 s, NaN V 50.00 % of NaN]", ""},
		{"energy", []el{channelDefn("kWh", "value log", 13, 4, timeDefn, seriesDefn("val", 23, 1, 0))}, nil, []el{instance(0, nil, one(values(0)), one(values(5)))},
			"[0 import.kwh [1970-01-01T01:00:00.000Z] [5]]", "[]", "[]", "channel kWh: the file does not say whether its energy is of an interval or of a counter"},
		{"a histogram", []el{channelDefn("H", "histogram", 1, 1, seriesDefn("val", 6, 1, 0))}, nil, []el{instance(0, nil, one(values(1)))},
			"[]", "[]", "[]", "channel H: the quantity type histogram is not kept"},
	}
	for _, tt := range tests {
		c, err := load(file(true, container(2, 1), source(tt.defns...), observation("o", at, tt.extra, tt.channels...)), format.Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		rows, waves, events := summary(c)
		if fmt.Sprint(rows) != tt.rows || fmt.Sprint(waves) != tt.waves || fmt.Sprint(events) != tt.events ||
			(len(c.NotUnderstood) > 0) != (tt.said != "") || !strings.Contains(fmt.Sprint(c.NotUnderstood), tt.said) {
			t.Errorf("%s:\nrows   %v\nwaves  %v\nevents %v\nsaid   %v", tt.name, rows, waves, events, c.NotUnderstood)
		}
	}
}

// Which channels set a recording off: counted among the instances, or, when a number gives that away, the definitions.
func TestTriggers(t *testing.T) {
	t.Parallel()
	wave := func(name string) el { return channelDefn(name, "waveform", 1, 1, timeDefn, seriesDefn("val", 6, 1, 0)) }
	trigger := func(n byte) []el {
		return []el{{tag: "3d786f8f" + tailF76E, kind: 3, phys: 32, size: 4, data: []byte{n, 0, 0, 0}},
			scalar("3d786f8e"+tailF76E, 50, stamp(25569, 3600.0625))}
	}
	series := []el{one(values(0, 0.125)), one(values(1, 2))}
	for _, tt := range []struct {
		first, second byte
		want          string
	}{{0, 1, "[[B] [C]]"}, {1, 2, "[[B] [C]]"}} {
		c := mustLoad(t, file(false, container(0, 0), source(wave("A"), wave("B"), wave("C")),
			observation("o", stamp(25569, 3600), trigger(tt.first), instance(1, nil, series...), instance(2, nil, series...)),
			observation("p", stamp(25569, 3600), trigger(tt.second), instance(1, nil, series...), instance(2, nil, series...))), format.Options{})
		var got [][]string
		for _, r := range c.Recordings {
			got = append(got, r.Triggers)
		}
		if fmt.Sprint(got) != tt.want || c.Recordings[0].Trigger.Sub(c.Recordings[0].Start) != 62500*time.Microsecond {
			t.Errorf("triggers %v, want %s; %v", got, tt.want, c.Recordings[0].Trigger)
		}
	}
}

// A file of which no observation can be read is an error that says where the first one stands.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	b := file(false, container(0, 0), source(voltsLog), rec{typ: "observation", body: body(text("3d786f8a"+tailF76E, "A"), text("3d786f8c"+tailF76E, "2007-06-26"))})
	_, err := load(b, format.Options{})
	var e *format.Error
	if want := len(file(false, container(0, 0), source(voltsLog))); !errors.As(err, &e) || e.Offset != int64(want) || !strings.Contains(err.Error(), `observation "A": its start is a vector of text instead of a time`) {
		t.Errorf("%v", err)
	}
	c := mustLoad(t, file(false, container(0, 0), source(voltsLog)), format.Options{})
	if fmt.Sprint(c.NotUnderstood) != "[the file has no observations]" {
		t.Errorf("a file without observations: %v", c.NotUnderstood)
	}
}

func TestZoneAndLimits(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 2*3600)
	b := file(false, container(0, 0), source(voltsLog), observation("o", stamp(45000, 86400.5), nil, instance(0, nil, one(values(0)), one(values(1)))))
	c := mustLoad(t, b, format.Options{Zone: zone})
	if got := c.Trends[0].Times[0].String(); got != "2023-03-15T22:00:00.500Z" || len(c.Assumed) != 1 || c.Settings.Serial != "4711" {
		t.Errorf("time %s, assumed %v, settings %+v", got, c.Assumed, c.Settings)
	}
	if _, err := load(b, format.Options{MaxBytes: 100}); err == nil || !strings.Contains(err.Error(), "at most 100 are read") {
		t.Errorf("the bound of a file: %v", err)
	}
	if _, err := load([]byte("PK"), format.Options{}); !errors.Is(err, pqdif.ErrFormat) {
		t.Errorf("another file: %v", err)
	}
	late := file(false, container(0, 0), source(voltsLog), observation("o", stamp(math.MaxUint32, 0), nil, instance(0, nil, one(values(0)), one(values(1)))))
	if h, said := mustLoad(t, late, format.Options{}).History(); len(h) != 0 || len(said) != 1 {
		t.Errorf("a time in the far future: %v, %v", h, said)
	}
}

func BenchmarkRead(b *testing.B) {
	data := example(b)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := load(data, format.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzCodec(f *testing.F) {
	f.Add(file(false, container(0, 0), source(voltsLog), observation("o", stamp(45000, 0), nil, instance(0, nil, one(values(0, 60)), one(values(1, 2))))))
	phasor := channelDefn("RMS", "phasor", 1, 1, timeDefn, seriesDefn("val", 6, 1, 100))
	f.Add(file(false, container(0, 0), source(phasor), observation("o", stamp(45000, 0), nil, instance(0, nil, one(values(0, 1, 2)), one(values(100, 80, 100))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := load(b, format.Options{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		c.Report("x")
		h, _ := c.History()
		for i := range h {
			if err := h[i].Check(); err != nil {
				t.Error(err)
			}
		}
		for _, kind := range []logdb.Kind{logdb.KindWaveform, logdb.KindPQ} {
			c.Entries(kind)
		}
	})
}
