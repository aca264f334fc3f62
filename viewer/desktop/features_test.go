package desktop

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"metermanager/logdb"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

const tableFile = "../../logdb/format/csvlog/testdata/il-electricity-cdd-hdd-hourly.csv.gz"

// fakeLog is a service with one meter: a value a minute, an event an hour.
type fakeLog struct {
	last    logdb.Millis
	present source.Present
	err     error
	reads   int
}

func (f *fakeLog) Meters(context.Context) ([]source.Meter, error) {
	return []source.Meter{{UID: "m", Settings: logdb.Settings{Name: "feeder", NominalVolts: 277, NominalHz: 60}, Last: f.last}}, f.err
}

func (f *fakeLog) Channels(context.Context, logdb.MeterUID) ([]source.Channel, error) {
	return []source.Channel{{Channel: logdb.LookupChannel("readings.voltage.an"), First: 60_000, Last: f.last, Count: int64(f.last / 60_000)}}, f.err
}

func (f *fakeLog) History(_ context.Context, _ logdb.MeterUID, q source.Query) ([]source.Series, error) {
	f.reads++
	s := source.Series{Channel: "readings.voltage.an"}
	for t := logdb.Millis(60_000); t <= f.last; t += 60_000 {
		if t >= q.First && t < q.Last {
			s.Times, s.Values = append(s.Times, float64(t)), append(s.Values, float64(t)/60_000)
		}
	}
	return []source.Series{s}, f.err
}

func (f *fakeLog) Events(_ context.Context, _ logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis, visit func(source.Ref, *logdb.Entry) error) error {
	if kind != logdb.KindPQ {
		return f.err
	}
	for t := logdb.Millis(3_600_000); t <= f.last; t += 3_600_000 {
		if t < first || last != 0 && t >= last {
			continue
		}
		x := &logdb.Excursion{Channel: "readings.voltage.an", Worst: 100 + float64(t/3_600_000*7919%100), Threshold: 249, DurationSeconds: float64(t / 3_600_000 * 31 % 17)}
		if err := visit(source.Ref{Position: logdb.Position(t)}, &logdb.Entry{Time: t, Position: logdb.Position(t), Excursion: x}); err != nil {
			return err
		}
	}
	return f.err
}

func (f *fakeLog) Recording(context.Context, logdb.MeterUID, source.Ref) (logdb.Entry, error) {
	return logdb.Entry{}, logdb.ErrNotFound
}

func (f *fakeLog) Week(context.Context, logdb.MeterUID, time.Time, string) (source.Week, error) {
	return source.Week{}, f.err
}

func (f *fakeLog) Present(context.Context, logdb.MeterUID) (source.Present, error) {
	return f.present, f.err
}

func (f *fakeLog) Close() error { return nil }

const days logdb.Millis = 86_400_000

// openFake shows the fake service.
func openFake(t *testing.T) (*Window, *fakeLog) {
	t.Helper()
	w, f := testWindow(t), &fakeLog{last: 30 * days}
	x := w.session.Add(source.Target{Place: "http://fake"})
	list, _ := f.Meters(t.Context())
	w.session.Take(x, model.Contents{Opened: &source.Opened{Log: f, Kind: "service", Live: true}, Meters: list})
	w.session.Range = model.RangeAll
	w.tree.refresh()
	w.restage()
	w.reload()
	if n := len(w.events.Shown); n != 30*24 {
		t.Fatalf("%d events are shown", n)
	}
	return w, f
}

// The table has the values of the graph, and is sorted by its headings.
func TestTableTwin(t *testing.T) {
	w, _ := openFake(t)
	w.show(viewTrend)
	w.trendView.moved(func() { w.trend.Show(2*days, 2*days+600_000) })
	w.trendView.asTable.Tapped(nil)
	table := w.trendView.table
	if w.trendView.center.Objects[0] != table.root || len(table.data.Rows) != 10 {
		t.Fatalf("the table has %d rows, want 10", len(table.data.Rows))
	}
	d := w.trend.Data.Series[0]
	for _, r := range table.data.Rows {
		k := slices.Index(d.Times, float64(r.At))
		if k < 0 || d.Values[k] != r.Values[0] {
			t.Errorf("%d is %v in the table", r.At, r.Values)
		}
	}
	table.head.Resize(fyne.NewSize(900, 24))
	tap := func(column int) {
		left, _ := table.cols.places(900)
		table.head.Tapped(&fyne.PointEvent{Position: fyne.NewPos(left[column]+5, 5)})
	}
	tap(1)
	if table.data.Rows[0].Values[0] != 2880 || !strings.HasPrefix(table.head.full[1], "↑") {
		t.Errorf("by the value %v is first, the heading %q", table.data.Rows[0].Values, table.head.full[1])
	}
	tap(1)
	if table.data.Rows[0].Values[0] != 2889 || !strings.HasPrefix(table.head.full[1], "↓") {
		t.Errorf("the other way round %v is first", table.data.Rows[0].Values)
	}
	w.trendView.asTable.Tapped(nil)
	if w.trendView.center.Objects[0] == table.root {
		t.Error("the graph comes back")
	}
}

// A click on a heading sorts the list; what is not known comes last both ways.
func TestSortEvents(t *testing.T) {
	w, _ := openFake(t)
	w.events.Set.List[3].Seconds = math.NaN()
	v := w.eventsView
	v.head.Resize(fyne.NewSize(900, 24))
	tap := func(column int) {
		left, _ := v.columns.places(900)
		v.head.Tapped(&fyne.PointEvent{Position: fyne.NewPos(left[column]+5, 5)})
	}
	seconds := func(row int) float64 { return w.events.Set.List[w.events.Shown[row]].Seconds }
	tap(model.ColumnDuration)
	last := len(w.events.Shown) - 1
	if seconds(0) != 16 || seconds(last-1) != 0 || !math.IsNaN(seconds(last)) {
		t.Errorf("by duration: %g, ..., %g, %g", seconds(0), seconds(last-1), seconds(last))
	}
	tap(model.ColumnDuration)
	if seconds(0) != 0 || seconds(last-1) != 16 || !math.IsNaN(seconds(last)) {
		t.Errorf("the other way round: %g, ..., %g, %g", seconds(0), seconds(last-1), seconds(last))
	}
	w.back()
	if seconds(0) != 16 || w.events.SortColumn != model.ColumnDuration {
		t.Error("the order is undone")
	}
	tap(model.ColumnTime)
	if w.events.Shown[0] != 0 {
		t.Error("the newest come first")
	}
	tap(model.ColumnTime)
	if w.events.Shown[0] != last {
		t.Error("the oldest come first")
	}
}

// What was zoomed, filtered and chosen is undone and done again, step by step.
func TestUndoWindow(t *testing.T) {
	w, _ := openFake(t)
	w.show(viewTrend)
	first, last := w.trend.First, w.trend.Last
	w.trendView.moved(func() { w.trend.Show(5*days, 9*days) })
	w.show(viewEvents)
	test.Type(w.eventsView.search, "interruption")
	w.back()
	if w.events.Filter.Text != "" || w.eventsView.search.Text != "" || len(w.events.Shown) != 720 {
		t.Errorf("the filter %q is undone, %d events", w.events.Filter.Text, len(w.events.Shown))
	}
	if w.trend.First != 5*days {
		t.Error("the zoom stays for now")
	}
	w.back()
	if w.trend.First != first || w.trend.Last != last {
		t.Errorf("the zoom is undone: [%d, %d)", w.trend.First, w.trend.Last)
	}
	w.forth()
	if w.trend.First != 5*days {
		t.Error("the zoom is done again")
	}
	w.ranges.SetSelected("7 d")
	if n := len(w.events.Shown); n >= 720 {
		t.Fatalf("%d events of 7 days", n)
	}
	w.show(viewTrend)
	w.back()
	if n := len(w.events.Shown); n != 720 || w.ranges.Selected != "all" || w.trend.First != 5*days {
		t.Errorf("the time is undone: %d events, %s, from %d", n, w.ranges.Selected, w.trend.First)
	}
}

// An earlier time is drawn over the present one, and stands in the table.
func TestCompare(t *testing.T) {
	w, _ := openFake(t)
	w.show(viewTrend)
	w.trendView.moved(func() { w.trend.Show(20*days, 21*days) })
	w.trendView.compare.SetSelected("a week before")
	lines := w.trend.Drawing().Series
	if len(lines) != 2 || lines[1].Like != 1 || !strings.HasSuffix(lines[1].Name, "a week before") {
		t.Fatalf("%d lines, the last %q", len(lines), lines[len(lines)-1].Name)
	}
	k := slices.Index(lines[1].Times, float64(20*days))
	if k < 0 || lines[1].Values[k] != 13*1440 {
		t.Errorf("a week before day 20 is %v", lines[1].Values[max(0, k)])
	}
	if table := w.trend.Table(); len(table.Head) != 2 || table.Rows[0].Values[0]-table.Rows[0].Values[1] != 7*1440 {
		t.Errorf("the table is %v, %v", table.Head, table.Rows[0])
	}
	w.trendView.compare.SetSelected("nothing")
	if len(w.trend.Drawing().Series) != 1 {
		t.Error("nothing is compared with")
	}
}

// Live data are followed: who sees the newest goes on with it, who chose a part keeps it; Space stops it.
func TestFollow(t *testing.T) {
	w, f := openFake(t)
	w.show(viewTrend)
	w.trendView.moved(func() { w.trend.Show(29*days, 31*days) })
	grow := func() {
		f.last += 3_600_000
		w.tick(true)
	}
	span := w.trend.Last - w.trend.First
	grow()
	if len(w.events.Shown) != 721 || w.trend.Last < f.last || w.trend.Last-w.trend.First != span {
		t.Errorf("%d events, the graph shows [%d, %d) of %d", len(w.events.Shown), w.trend.First, w.trend.Last, f.last)
	}
	w.trendView.moved(func() { w.trend.Show(3*days, 4*days) })
	grow()
	if len(w.events.Shown) != 722 || w.trend.First != 3*days || w.trend.Last != 4*days {
		t.Errorf("a part that was chosen stays: [%d, %d)", w.trend.First, w.trend.Last)
	}
	w.typedRune(' ')
	grow()
	if !w.paused || len(w.events.Shown) != 722 {
		t.Errorf("paused, %d events", len(w.events.Shown))
	}
	w.typedRune(' ')
	if w.paused || len(w.events.Shown) != 723 {
		t.Errorf("%d events after going on", len(w.events.Shown))
	}
	f.err = logdb.ErrNotFound
	grow()
	if len(w.events.Shown) != 723 {
		t.Error("what was read stays when the service does not answer")
	}
}

// The present values come from the meter; when it is not read any more that is said, and they stay.
func TestNow(t *testing.T) {
	w, f := openFake(t)
	f.present = source.Present{Time: 1_000_000, Direct: true, Values: []source.PresentValue{
		{Channel: logdb.LookupChannel("readings.voltage.an"), Value: 277}, {Channel: logdb.LookupChannel("readings.power.watts"), Value: math.NaN()},
	}}
	w.show(viewNow)
	if w.now.State != model.Ready || w.nowView.center.Objects[0] != w.nowView.page || !slices.Equal(w.now.Chosen, []logdb.ChannelKey{"readings.voltage.an"}) {
		t.Fatalf("state %s, drawn are %v", w.now.State, w.now.Chosen)
	}
	f.present.Time, f.present.Values[0].Value = 1_002_000, 280
	w.tick(false)
	if low, high, ok := w.now.Extremes("readings.voltage.an"); !ok || low != 277 || high != 280 {
		t.Errorf("seen were %g to %g", low, high)
	}
	if _, _, ok := w.now.Extremes("readings.power.watts"); ok {
		t.Error("a value that is not known has no extremes")
	}
	w.typedRune(' ')
	f.present.Time, f.present.Values[0].Value = 1_004_000, 290
	w.tick(false)
	if _, high, _ := w.now.Extremes("readings.voltage.an"); high != 280 || !strings.Contains(w.now.Note(), "paused") {
		t.Errorf("paused, %g was read: %s", high, w.now.Note())
	}
	w.typedRune(' ')
	f.err = logdb.ErrNotFound
	w.tick(false)
	if w.now.State != model.Stale || !strings.Contains(w.now.Note(), "not read since") || len(w.now.Data.Values) != 2 {
		t.Errorf("%s: %s", w.now.State, w.now.Note())
	}
	w.open(source.Target{Place: recordFile})
	for _, m := range w.session.Meters() {
		if m.Source.Log != f {
			w.select1(m, false)
		}
	}
	if w.now.State != model.Failed || w.nowView.center.Objects[0] == w.nowView.page {
		t.Error("a file has no present values")
	}
}

// The palette carries out what was written.
func TestPaletteWindow(t *testing.T) {
	w, _ := openFake(t)
	for _, x := range []struct {
		text string
		done func() bool
	}{
		{"show trend", func() bool { return w.view == viewTrend }},
		{"dark or light", func() bool { return !w.look.dark }},
		{"range: 7", func() bool { return w.session.Range.Preset == "7 d" }},
		{"interruptions last month on feeder", func() bool {
			return w.view == viewEvents && w.events.Filter.Text == "interruption" && w.session.Range.Preset == "chosen"
		}},
		{"volts a-n", func() bool { return w.view == viewTrend && len(w.trend.Chosen) == 1 }},
		{"compare a day", func() bool { return w.trend.Compare.Days == 1 }},
	} {
		w.showPalette()
		entry, ok := w.win.Canvas().Focused().(*paletteEntry)
		if !ok {
			t.Fatalf("the palette does not take the keys: %T", w.win.Canvas().Focused())
		}
		test.Type(entry, x.text)
		entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		if !x.done() || w.win.Canvas().Overlays().Top() != nil {
			t.Errorf("%q was not carried out", x.text)
		}
	}
}

// The other colours: the chart is drawn anew, and it is kept for the next time.
func TestThemeSwitch(t *testing.T) {
	w := testWindow(t)
	w.open(source.Target{Place: recordFile})
	w.show(viewWave)
	w.win.Resize(fyne.NewSize(1000, 700))
	w.waveView.plot.picture(640, 400)
	corner := func() uint8 { return w.waveView.plot.img.Pix[4*(640*398+2)] }
	dark := corner()
	w.toggleTheme()
	w.waveView.plot.Refresh()
	if light := corner(); dark > 60 || light < 200 || w.app.Preferences().Bool(preferDark) {
		t.Errorf("the ground is %d dark and %d light", dark, light)
	}
	w.toggleTheme()
	w.waveView.plot.Refresh()
	if corner() != dark || !w.app.Preferences().Bool(preferDark) {
		t.Error("dark again")
	}
}

// Files that are dropped are opened, each for itself.
func TestDropped(t *testing.T) {
	w := testWindow(t)
	var files []fyne.URI
	for _, f := range []string{recordFile, "doc.go", tableFile} {
		path, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, storage.NewFileURI(path))
	}
	w.dropped(fyne.NewPos(10, 10), files)
	var states []model.State
	for _, s := range w.session.Sources {
		states = append(states, s.State)
	}
	if !slices.Equal(states, []model.State{model.Ready, model.Failed, model.Ready}) || len(w.session.Meters()) != 2 {
		t.Errorf("dropped files are %v, with %d meters", states, len(w.session.Meters()))
	}
}
