package desktop

import (
	"encoding/json"
	"fmt"
	"math"

	"fyne.io/fyne/v2"
)

// traced is what -trace prints of the window whenever it changes: what a test that drives it with mouse and keys waits for.
type traced struct {
	View     string            `json:"view"`
	Sources  map[string]string `json:"sources"`
	Meters   int               `json:"meters"`
	Shown    int               `json:"shown"`
	Events   int               `json:"events"`
	Selected int               `json:"selected"`
	Recorded bool              `json:"recorded"` // there is a recording of the selected event
	Boxed    bool              `json:"boxed"`
	Wave     string            `json:"wave"`
	Trend    string            `json:"trend"`
	Week     string            `json:"week"`
	Now      string            `json:"now"`
	Paused   bool              `json:"paused"`
	Dark     bool              `json:"dark"`
	Compare  string            `json:"compare"`
	Sorted   int               `json:"sorted"` // the column that the list is sorted by
	Span     [2]float64        `json:"span"`   // of the view's plot: what is seen of the axis
	A        *float64          `json:"a"`
	B        *float64          `json:"b"`
	Busy     bool              `json:"busy"`
	Dialog   bool              `json:"dialog"`
	Drawn    int               `json:"drawn"`
	Window   [2]float64        `json:"window"`
	// Plot, List, Head and Search are rectangles on the screen in pixels: left, top, width, height.
	Plot   [4]float64 `json:"plot"`
	List   [4]float64 `json:"list"`
	Head   [4]float64 `json:"head"`
	Search [4]float64 `json:"search"`
}

// trace prints what changed.
func (w *Window) trace() {
	if !w.options.Trace || w.welcome == nil {
		return
	}
	t := traced{
		View: w.view, Sources: map[string]string{}, Meters: len(w.session.Meters()), Shown: len(w.events.Shown), Events: len(w.events.Set.List), Selected: w.events.Selected,
		Boxed: w.events.Filter.Box != nil, Wave: w.wave.State.String(), Trend: w.trend.State.String(), Week: w.week.State.String(),
		Busy: len(w.work.order) > 0, Dialog: w.win.Canvas().Overlays().Top() != nil,
	}
	t.Now, t.Paused, t.Dark, t.Compare, t.Sorted = w.now.State.String(), w.paused, w.look.dark, w.trend.Compare.Name, w.events.SortColumn
	t.Recorded = w.events.Event() != nil && w.events.RecordingOf(w.events.Selected) >= 0
	t.Window = [2]float64{float64(w.win.Canvas().Size().Width), float64(w.win.Canvas().Size().Height)}
	for _, s := range w.session.Sources {
		t.Sources[s.Title] = s.State.String()
	}
	var p *plot
	switch w.view {
	case viewEvents:
		p = w.eventsView.strip
		t.Head = w.place(w.eventsView.head)
		t.List, t.Search = w.place(w.eventsView.list), w.place(w.eventsView.search)
	case viewTrend:
		p = w.trendView.plot
	case viewWave:
		p = w.waveView.plot
	case viewTolerance:
		p = w.toleranceView.plot
	case viewNow:
		p = w.nowView.plot
	}
	if p != nil && len(p.areas) > 0 {
		a, at := &p.areas[0], fyne.CurrentApp().Driver().AbsolutePositionForObject(p)
		t.Plot = [4]float64{float64(at.X)*p.scale + a.Left, float64(at.Y)*p.scale + a.Top, a.Right - a.Left, a.Bottom - a.Top}
		t.Span, t.Drawn = [2]float64{a.XFrom, a.XTo}, p.drawn
		for i, to := range []**float64{&t.A, &t.B} {
			if v := p.cursors[i].value; !math.IsNaN(v) {
				*to = &v
			}
		}
	}
	text, err := json.Marshal(t)
	if err != nil || string(text) == w.traced {
		return
	}
	w.traced = string(text)
	fmt.Println("state", w.traced)
}

// place is where something is on the screen.
func (w *Window) place(o fyne.CanvasObject) [4]float64 {
	at, scale := fyne.CurrentApp().Driver().AbsolutePositionForObject(o), float64(w.win.Canvas().Scale())
	return [4]float64{float64(at.X) * scale, float64(at.Y) * scale, float64(o.Size().Width) * scale, float64(o.Size().Height) * scale}
}
