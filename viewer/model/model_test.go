package model_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/pq"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

const (
	recordFile = "../../logdb/format/comtrade/testdata/wisp_1.cfg"
	tableFile  = "../../logdb/format/csvlog/testdata/il-electricity-cdd-hdd-hourly.csv.gz"
)

func open(t *testing.T, file string) *model.Session {
	t.Helper()
	s := &model.Session{}
	x := s.Add(source.Target{Place: file})
	c, err := model.Load(t.Context(), x.Target, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Take(x, c)
	t.Cleanup(func() { _ = c.Opened.Close() })
	return s
}

func wave(t *testing.T) *model.Wave {
	t.Helper()
	s := open(t, recordFile)
	set, err := model.LoadEvents(t.Context(), s.Selected(), 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := model.NewEvents()
	v.Take(set)
	e := &set.List[v.NewestRecording()]
	d, err := model.LoadWave(t.Context(), v.Meter(e), source.Ref{Position: e.Position, Stream: e.Stream})
	if err != nil {
		t.Fatal(err)
	}
	w := model.NewWave()
	w.Take(d)
	return w
}

func TestWaveMoves(t *testing.T) {
	t.Parallel()
	v := wave(t)
	full := v.To - v.From
	if full != v.Length() || full < 2000 {
		t.Fatalf("a recording of %v ms shows %v", v.Length(), full)
	}
	v.Zoom(500, 0.1)
	if math.Abs((v.To-v.From)/full-0.1) > 1e-6 || v.From > 500 || v.To < 500 {
		t.Errorf("zoomed to %v .. %v", v.From, v.To)
	}
	v.Pan(1e6)
	if v.To != v.Length() {
		t.Errorf("moved beyond the end: %v of %v", v.To, v.Length())
	}
	v.Fit()
	v.A, v.B = 100, 120
	if note := v.CursorNote(); !strings.Contains(note, "Δ 20.000 ms") || !strings.Contains(note, "1.00 cycles") {
		t.Errorf("cursors are told as %q", note)
	}
	r := v.Readouts()
	if r[0].Name != "UA" || r[0].A == "" || r[0].Delta == "" || r[0].RMSA == "" {
		t.Errorf("the first readout is %+v", r[0])
	}
	if h := v.Harmonics(500, pq.Voltage); len(h.Ratios) != 3 {
		t.Errorf("%d voltages have harmonics, want 3", len(h.Ratios))
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	v := wave(t)
	dir := t.TempDir()
	x := model.Exported{Wave: v.Data, Drawing: v.Drawing()}
	for _, name := range []string{"a.csv", "a.cff", "a.cfg", "a.png", "a.svg", "a.pdf"} {
		if err := model.Export(filepath.Join(dir, name), x); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	back := open(t, filepath.Join(dir, "a.cfg"))
	set, err := model.LoadEvents(t.Context(), back.Selected(), 0, 0, nil)
	if err != nil || len(set.List) != 1 {
		t.Fatalf("what was written reads as %d recordings, %v", len(set.List), err)
	}
	e := &set.List[0]
	d, err := model.LoadWave(t.Context(), back.Selected()[0], source.Ref{Position: e.Position, Stream: e.Stream})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range v.Data.Recording.Signals[0].Samples {
		if got := d.Recording.Signals[0].Samples[i]; math.Abs(got-want) > 1e-3 {
			t.Fatalf("sample %d is %v, want %v", i, got, want)
		}
	}
	if err := model.Export(filepath.Join(dir, "a.json"), x); err == nil {
		t.Error("a recording is no week")
	}
	if files, _ := filepath.Glob(filepath.Join(dir, ".export-*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestTrend(t *testing.T) {
	t.Parallel()
	s := open(t, tableFile)
	list, err := model.LoadChannels(t.Context(), s.Selected())
	if err != nil {
		t.Fatal(err)
	}
	v := model.NewTrend()
	v.TakeChannels(list)
	v.SetFull(0, 0)
	if v.Data, err = model.LoadTrend(t.Context(), v.Chosen, v.First, v.Last, 400, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(v.Data.Series[0].Times); n == 0 || n > 400 {
		t.Errorf("%d parts of the whole, want up to 400", n)
	}
	middle := (v.First + v.Last) / 2
	v.Show(middle, middle+logdb.DayMillis)
	if v.Data, err = model.LoadTrend(t.Context(), v.Chosen, v.First, v.Last, 400, nil); err != nil {
		t.Fatal(err)
	}
	table := v.Table()
	if len(table.Rows) != 24 || table.Means != "" {
		t.Errorf("a day of hours has %d rows, %q", len(table.Rows), table.Means)
	}
	v.A, v.B = v.First, v.First+3_600_000
	if r := v.Readouts()[0]; r.A == "–" || r.Delta == "–" || r.Range == "" {
		t.Errorf("the readout is %+v", r)
	}
	v.Zoom(v.First, 1e9)
	if v.First != v.FullFirst || v.Last != v.FullLast {
		t.Error("zooming out ends at everything")
	}
}

// dying is a source that answers, and then does not.
type dying struct {
	source.Log
	dead bool
}

var errDead = errors.New("the other side cannot be reached")

func (d *dying) Events(ctx context.Context, m logdb.MeterUID, k logdb.Kind, first, last logdb.Millis, visit func(source.Ref, *logdb.Entry) error) error {
	if d.dead {
		return errDead
	}
	return d.Log.Events(ctx, m, k, first, last, visit)
}

func TestSourceDies(t *testing.T) {
	t.Parallel()
	s := open(t, recordFile)
	d := &dying{Log: s.Sources[0].Log}
	s.Sources[0].Log = d
	v := model.NewEvents()
	set, err := model.LoadEvents(t.Context(), s.Selected(), 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Take(set)
	d.dead = true
	if _, err = model.LoadEvents(t.Context(), s.Selected(), 0, 0, nil); !errors.Is(err, errDead) {
		t.Fatalf("a dead source gives %v", err)
	}
	v.Fail(err)
	s.Fail(s.Sources[0], err)
	if v.State != model.Stale || len(v.Shown) != 1 || s.Sources[0].State != model.Stale {
		t.Errorf("the list is %v with %d events, the source %v", v.State, len(v.Shown), s.Sources[0].State)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.dead = false
	if _, err = model.LoadEvents(ctx, s.Selected(), 0, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled load gives %v", err)
	}
}

func TestTreeOfManyMeters(t *testing.T) {
	t.Parallel()
	s := &model.Session{}
	x := s.Add(source.Target{Place: "http://cloud.example.net"})
	c := model.Contents{Opened: &source.Opened{}}
	for i := range 10_000 {
		c.Meters = append(c.Meters, source.Meter{UID: logdb.MeterUID(strings.Repeat("x", 1) + time.Unix(int64(i), 0).UTC().Format("150405"))})
	}
	s.Take(x, c)
	if n := len(s.Selected()); n != 1 {
		t.Errorf("%d meters are read at once", n)
	}
	if n := len(s.Tree("")); n != 10_001 {
		t.Errorf("%d lines", n)
	}
	if n := len(s.Tree("x010203")); n != 2 {
		t.Errorf("%d lines for one meter", n)
	}
	x.Unfolded = false
	if n := len(s.Tree("")); n != 1 {
		t.Errorf("%d lines when folded", n)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"empty.csv": "", "noise.bin": "\x00\x01\x02", "half.cfg": "a,b,1999\n3,3A", "fake.db": "SQLite format 3\x00nothing"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := model.Load(t.Context(), source.Target{Place: file}, nil)
		if err == nil {
			t.Errorf("%s was opened", name)
			continue
		}
		if what, _ := source.Explain(err); !strings.HasPrefix(what, name) || !strings.HasSuffix(what, ".") {
			t.Errorf("%s is refused with %q", name, what)
		}
	}
	_, err := model.Load(t.Context(), source.Target{Place: "http://127.0.0.1:1"}, nil)
	if !source.NeedsLogin(err) {
		t.Errorf("a service without a user asks with %v", err)
	}
}

func TestDump(t *testing.T) {
	t.Parallel()
	s := open(t, recordFile)
	d, err := s.Dump(t.Context(), model.DumpOptions{Event: -1})
	if err != nil {
		t.Fatal(err)
	}
	if d.View != "waveform" || d.Waveform == nil || len(d.Waveform.Signals) != 4 || d.Waveform.Analysis == nil {
		t.Errorf("a record is told as %+v", d)
	}
	s = open(t, tableFile)
	if d, err = s.Dump(t.Context(), model.DumpOptions{Event: -1}); err != nil || d.View != "trend" || len(d.Trend) != 1 || d.Trend[0].Points == 0 {
		t.Errorf("a table is told as %+v, %v", d, err)
	}
}

// What is read reaches beyond what is seen, so that a hand that moves meets values, and is read anew before it meets an edge.
func TestTrendReadsAhead(t *testing.T) {
	t.Parallel()
	v := model.NewTrend()
	v.FullFirst, v.FullLast, v.First, v.Last = 0, 1_000_000, 400_000, 500_000
	first, last, parts := v.Wanted(1000)
	if first != 350_000 || last != 550_000 || parts != 2000 {
		t.Fatalf("wanted are %d parts of [%d, %d)", parts, first, last)
	}
	if v.Covered(1000) {
		t.Error("nothing is covered before anything was read")
	}
	v.Data = &model.TrendData{First: first, Last: last, Series: []source.Series{{StepMillis: 100}}}
	for _, x := range []struct {
		move func()
		want bool
	}{
		{func() {}, true}, {func() { v.Pan(0.3) }, true}, {func() { v.Pan(0.2) }, false}, {func() { v.Show(425_000, 475_000) }, false},
		{func() { v.FullLast = 550_000; v.Show(450_000, 550_000) }, true},
	} {
		if x.move(); v.Covered(1000) != x.want {
			t.Errorf("[%d, %d) of what was read as [%d, %d) is covered: %t", v.First, v.Last, first, last, !x.want)
		}
	}
}
