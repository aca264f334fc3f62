package comtrade_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/comtrade"
)

// recording has every sort of channel: around zero, far from it, constant, whole, missing in part, digital.
func recording(timing *format.Timing) *format.Recording {
	nan := math.NaN()
	n := 40
	r := &format.Recording{Start: time.Date(2026, 10, 25, 0, 59, 59, 123e6, time.UTC), LineHz: 60}
	r.Trigger = r.Start.Add(2 * time.Millisecond)
	ch := func(name, unit string, f func(i int) float64) {
		s := format.Samples{Channel: format.Channel{Name: name, Unit: unit, Phase: "A"}, Timing: timing}
		for i := range n {
			s.Values = append(s.Values, f(i))
		}
		r.Channels = append(r.Channels, s)
	}
	ch("Van", "V", func(i int) float64 { return 170 * math.Sin(float64(i)/6.4) })
	ch("far, away", "V", func(i int) float64 { return 1e6 + float64(i)/3 })
	ch("constant", "A", func(int) float64 { return 7.25 })
	ch("whole", "A", func(i int) float64 { return float64(i - 20) })
	ch("missing", "A", func(i int) float64 {
		if i%3 == 1 {
			return nan
		}
		return float64(i) * 0.1
	})
	ch("absent", "A", func(int) float64 { return nan })
	for k := range 18 {
		s := format.Samples{Channel: format.Channel{Name: fmt.Sprintf("in %d", k)}, Timing: timing}
		for i := range n {
			s.Digital = append(s.Digital, byte((i>>(k%5))&1))
		}
		r.Channels = append(r.Channels, s)
	}
	return r
}

// What is written is read back: the same in every form, but for the steps of the type.
func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -5*3600-1800)
	stamps := make([]float64, 40)
	for i := range stamps {
		stamps[i] = float64(i*i) * 1e-3
	}
	for name, timing := range map[string]*format.Timing{
		"one rate":   format.Uniform(1.0 / 15360),
		"two rates":  {Segments: []format.Segment{{Count: 10, Step: 1.0 / 15360}, {Count: 100, Step: 1.0 / 960}}},
		"slow":       format.Uniform(3600),
		"no rate":    {Stamps: stamps},
		"an offset":  {Offset: 0.5, Segments: []format.Segment{{Count: 40, Step: 0.001}}},
		"no rate, 2": {Stamps: []float64{0, 1}},
	} {
		rec := recording(timing)
		if len(timing.Stamps) == 2 {
			for i := range rec.Channels {
				s := &rec.Channels[i]
				s.Values, s.Digital = s.Values[:min(2, len(s.Values))], s.Digital[:min(2, len(s.Digital))]
			}
		}
		for _, form := range []comtrade.Form{
			{Revision: 1999}, {Revision: 1999, Type: comtrade.ASCII}, {}, {Type: comtrade.ASCII}, {Type: comtrade.Binary}, {Type: comtrade.Binary32}, {Zone: zone},
		} {
			form.Station, form.Device = "North, bay 3", "meter 17"
			t.Run(fmt.Sprintf("%s/%d %s", name, form.Revision, form.Type), func(t *testing.T) {
				t.Parallel()
				var cfg, dat bytes.Buffer
				if err := comtrade.Write(&cfg, &dat, rec, form); err != nil {
					t.Fatal(err)
				}
				checkWritten(t, rec, form, fstest.MapFS{"r.cfg": {Data: cfg.Bytes()}, "r.dat": {Data: dat.Bytes()}}, "r.cfg")
				if form.Revision == 1999 {
					if err := comtrade.WriteCFF(io.Discard, rec, form); err == nil {
						t.Error("a .cff of 1999 was written")
					}
					return
				}
				var one bytes.Buffer
				if err := comtrade.WriteCFF(&one, rec, form); err != nil {
					t.Fatal(err)
				}
				checkWritten(t, rec, form, fstest.MapFS{"r.cff": {Data: one.Bytes()}}, "r.cff")
			})
		}
	}
}

func checkWritten(t *testing.T, rec *format.Recording, form comtrade.Form, dir fstest.MapFS, name string) {
	t.Helper()
	r := read(t, dir, name, format.Options{})
	if len(r.Content().NotUnderstood) > 0 {
		t.Errorf("not understood: %q", r.Content().NotUnderstood)
	}
	timing := rec.Channels[0].Timing
	first := time.Duration(math.Round(timing.At(0) * 1e9))
	if want := rec.Start.Add(first); !r.Start.Equal(want) || !r.Trigger.Equal(rec.Trigger) || r.Station != "North; bay 3" || r.LineHz != 60 {
		t.Errorf("start %v, want %v; trigger %v, want %v; station %q, %v Hz", r.Start, want, r.Trigger, rec.Trigger, r.Station, r.LineHz)
	}
	if form.Zone != nil {
		if _, offset := r.Start.Zone(); offset != -5*3600-1800 {
			t.Errorf("the offset is %d s", offset)
		}
	}
	got := r.Content().Recordings[0]
	if len(got.Channels) != len(rec.Channels) {
		t.Fatalf("%d channels, want %d", len(got.Channels), len(rec.Channels))
	}
	n := rec.Channels[0].Len()
	for i := range n {
		if d := got.Channels[0].Timing.At(i) - (timing.At(i) - timing.At(0)); math.Abs(d) > 1e-6*max(1, timing.At(n-1)/1000) {
			t.Fatalf("sample %d is %v s off", i, d)
		}
	}
	steps := map[comtrade.DataType]float64{comtrade.ASCII: 99998, comtrade.Binary: 32767, comtrade.Binary32: 1 << 31, comtrade.Float32: 1 << 24}[r.Type]
	for c := range rec.Channels {
		want, have := &rec.Channels[c], &got.Channels[c]
		if have.Name != strings.ReplaceAll(want.Name, ",", ";") || have.Unit != want.Unit || !bytes.Equal(have.Digital, want.Digital) || have.Len() != want.Len() {
			t.Fatalf("channel %q in %q with %d samples, want %q in %q with %d", have.Name, have.Unit, have.Len(), want.Name, want.Unit, want.Len())
		}
		for i, v := range want.Values {
			w := have.Values[i]
			if math.IsNaN(v) != math.IsNaN(w) || math.Abs(v-w) > math.Max(math.Abs(v), 170)/steps {
				t.Errorf("%s: sample %d is %v, want %v", want.Name, i, w, v)
			}
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	two := recording(format.Uniform(0.001))
	two.Channels[2].Timing = format.Uniform(0.002)
	for name, c := range map[string]struct {
		rec  *format.Recording
		form comtrade.Form
		says string
	}{
		"no samples":       {&format.Recording{}, comtrade.Form{}, "no samples"},
		"two timings":      {two, comtrade.Form{}, "constant"},
		"revision":         {recording(format.Uniform(1)), comtrade.Form{Revision: 1991}, "1991"},
		"type":             {recording(format.Uniform(1)), comtrade.Form{Type: "MORSE"}, "MORSE"},
		"type of revision": {recording(format.Uniform(1)), comtrade.Form{Revision: 1999, Type: comtrade.Float32}, "2013"},
	} {
		if err := comtrade.Write(io.Discard, io.Discard, c.rec, c.form); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No input makes the reader panic, or take more memory than the input allows.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"sample_ascii", "sample_bin"} {
		f.Add(load(f, name+".cfg"), load(f, name+".dat"))
	}
	f.Add(load(f, "sample_ascii_single_file.cff"), []byte{})
	f.Add([]byte("a,b,2013\n999999999,999999999A,999999999D\n"), []byte("1,2\n"))
	f.Add([]byte("a,b,1991\n1,1A,0D\n1,x,,,V,1,0,0,0,0\n50\n0\n0,1\n09/17/15,10:52:52.9\n09/17/15,10:52:53.0\nBINARY\n1e300\n"), []byte("\x01\x00\x00\x00\x00\x00\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, cfg, dat []byte) {
		dir := fstest.MapFS{"r.cfg": {Data: cfg}, "r.dat": {Data: dat}}
		r, err := comtrade.Read(context.Background(), format.File{Dir: dir, Name: "r.cfg"}, format.Options{})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if n := r.Count * (len(r.Config.Analog) + 2); n > 4*(len(cfg)+len(dat)) {
			t.Errorf("%d values of %d bytes", n, len(cfg)+len(dat))
		}
		c := r.Content()
		c.Report("r.cfg")
		entries, _ := c.Entries(logdb.KindWaveform)
		for _, e := range entries {
			if err := e.Check(logdb.KindWaveform); err != nil {
				t.Error(err)
			}
		}
		rec := &c.Recordings[0]
		for _, form := range []comtrade.Form{{}, {Type: comtrade.ASCII}} {
			if err := comtrade.WriteCFF(io.Discard, rec, form); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
	})
}

// FuzzSections: sections may be anything.
func FuzzSections(f *testing.F) {
	f.Add(load(f, "sample_ascii_single_file.cff"))
	f.Add([]byte("--- file type: CFG ---\na,b,2013\n--- file type: DAT BINARY: 99999999999 ---\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := comtrade.Read(context.Background(), format.File{Dir: fstest.MapFS{"r.cff": {Data: b}}, Name: "r.cff"}, format.Options{})
		if err == nil && r.Count == 0 {
			t.Error("a record without samples")
		}
	})
}
