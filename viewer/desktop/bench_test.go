package desktop

import (
	"math"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"metermanager/logdb"
	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// testWindow is the window in memory, with everything done at once.
func testWindow(tb testing.TB) *Window {
	tb.Helper()
	a := test.NewTempApp(tb)
	w := New(a, Options{Theme: "dark"})
	w.work.now = true
	w.settled = true
	return w
}

// frames measures one picture of a plot at 1600 x 900 and reports the 95th percentile.
func frames(b *testing.B, w *Window, drawing func() chart.Drawing) {
	b.Helper()
	p := newPlot(w.work, w.look, drawing)
	p.Resize(fyne.NewSize(1600, 900))
	p.picture(1600, 900)
	var took []time.Duration
	b.ResetTimer()
	for b.Loop() {
		start := time.Now()
		p.redraw()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100])/1e6, "p95-ms")
}

func BenchmarkFrameWave(b *testing.B) {
	w := testWindow(b)
	r := &pq.Recording{SampleIntervalSeconds: 1.0 / 60 / 128, NominalHz: 60, NominalVolts: 277}
	for i := range 9 {
		s := pq.Signal{Name: []string{"Va", "Vb", "Vc", "Ia", "Ib", "Ic", "X", "Y", "Z"}[i], Quantity: []pq.Quantity{pq.Voltage, pq.Current, pq.Other}[i/3], Phase: []pq.Phase{pq.A, pq.B, pq.C}[i%3]}
		for k := range 2048 {
			s.Samples = append(s.Samples, 390*math.Sin(2*math.Pi*(float64(k)/128-float64(i)/3)))
		}
		r.Signals = append(r.Signals, s)
	}
	analysis, err := pq.Analyse(r, pq.Options{})
	if err != nil {
		b.Fatal(err)
	}
	m := &model.Meter{Meter: source.Meter{UID: "m"}, Source: &model.Source{}}
	w.wave.Take(&model.WaveData{Meter: m, Entry: logdb.Entry{Waveform: &logdb.Waveform{}}, Recording: r, Analysis: analysis})
	frames(b, w, w.wave.Drawing)
}

func trendOf(w *Window, points int) {
	m := &model.Meter{Meter: source.Meter{UID: "m"}, Source: &model.Source{}}
	d := &model.TrendData{}
	for i := range 8 {
		w.trend.Chosen = append(w.trend.Chosen, model.TrendChannel{Meter: m, Channel: source.Channel{Channel: logdb.LookupChannel("readings.voltage.an")}})
		s := source.Series{}
		for k := range points {
			s.Times = append(s.Times, float64(k)*60_000)
			s.Values = append(s.Values, 277+float64(i)+3*math.Sin(float64(k)/700)+math.Sin(float64(k*k%977)))
		}
		d.Series = append(d.Series, s)
	}
	w.trend.Data, w.trend.First, w.trend.Last = d, 1, logdb.Millis(points)*60_000
}

func BenchmarkFrameTrend(b *testing.B) {
	w := testWindow(b)
	trendOf(w, 260_000)
	last := w.trend.Last
	b.Run("full", func(b *testing.B) { frames(b, w, func() chart.Drawing { return w.trend.Drawing() }) })
	w.trend.First, w.trend.Last = last/3, last/3+last/30
	b.Run("zoomed", func(b *testing.B) { frames(b, w, func() chart.Drawing { return w.trend.Drawing() }) })
}

// manyEvents are events of a PQ log.
func manyEvents(n int) *model.EventSet {
	m := &model.Meter{Meter: source.Meter{UID: "m", Settings: logdb.Settings{Name: "feeder", NominalVolts: 277, NominalHz: 60}}, Source: &model.Source{}}
	set := &model.EventSet{Meters: []*model.Meter{m}, Names: []string{"feeder"}, Zone: time.UTC}
	for i := range n {
		e := logdb.Entry{Time: logdb.Millis(i) * 1000, Position: logdb.Position(i + 1), Excursion: &logdb.Excursion{
			Channel: "readings.voltage.an", Worst: float64(i * 7919 % 300), Threshold: 249, DurationSeconds: math.Pow(10, float64(i*104729%5000)/1000-2),
		}}
		set.List = append(set.List, timeline.Of(0, logdb.KindPQ, logdb.StreamID{}, &e, m.Settings))
	}
	timeline.Sort(set.List)
	return set
}

func BenchmarkFrameTolerance(b *testing.B) {
	w := testWindow(b)
	w.events.Take(manyEvents(10_000))
	t := model.NewTolerance(w.events, "")
	frames(b, w, func() chart.Drawing { return t.Chart })
}

func BenchmarkListOpens(b *testing.B) {
	w := testWindow(b)
	set := manyEvents(100_000)
	w.win.Resize(fyne.NewSize(1600, 900))
	for b.Loop() {
		w.events.Take(set)
		w.eventsView.refresh()
	}
}
