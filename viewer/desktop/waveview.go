package desktop

import (
	"context"
	"fmt"
	"math"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// waveView is a recording: the strips, what was found in it, and panels that follow the cursor.
type waveView struct {
	w        *Window
	root     fyne.CanvasObject
	plot     *plot
	phasors  *plot
	bars     *plot
	readouts *fyne.Container
	summary  *widget.Label
	title    *words
	rms      *chip
	currents *chip
	center   *fyne.Container
	page     fyne.CanvasObject
	signals  *fyne.Container
	index    int     // of the event; -1 without
	at       float64 // where the panels look, ms from the start
	next     int
	hover    float64
	previous *widget.Button
	nextB    *widget.Button
}

func newWaveView(w *Window) *waveView {
	v := &waveView{w: w, index: -1, readouts: container.NewVBox(), signals: container.NewHBox(), title: newWords(w.look, "", 14, theme.ColorNameForeground, true).elastic()}
	v.plot = newPlot(w.work, w.look, func() chart.Drawing { return w.wave.Drawing() })
	v.plot.least = fyne.NewSize(240, 160)
	v.plot.onZoom = func(_ *chart.Area, x, factor float64) { v.moved(func() { w.wave.Zoom(x+w.wave.Zero(), factor) }) }
	v.plot.onPan = func(_ *chart.Area, share float64) { v.moved(func() { w.wave.Pan(share) }) }
	v.plot.onBox = func(_ *chart.Area, x0, x1, _, _ float64) {
		zero := w.wave.Zero()
		v.moved(func() { w.wave.Show(x0+zero, x1+zero) })
	}
	v.plot.onDouble = func() { v.moved(w.wave.Fit) }
	v.plot.onTap = func(_ *chart.Area, x, _, _, _ float64) { v.setCursor(x + w.wave.Zero()) }
	v.plot.onHover = v.hovered
	v.phasors = newPlot(w.work, w.look, func() chart.Drawing {
		d := w.wave.Phasors(v.at)
		d.Title, d.Note = "Phasors", v.where()
		return d
	})
	v.bars = newPlot(w.work, w.look, func() chart.Drawing {
		q, name := pq.Voltage, "Voltage harmonics"
		if v.currents.on {
			q, name = pq.Current, "Current harmonics"
		}
		d := w.wave.Harmonics(v.at, q)
		d.Title, d.Note = name, v.where()
		return d
	})
	v.summary = widget.NewLabel("")
	v.summary.Wrapping = fyne.TextWrapWord
	v.rms = newChip(w.look, "RMS", true, func(on bool) {
		w.wave.RMS = on
		v.plot.redraw()
	})
	v.currents = newChip(w.look, "Current harmonics", false, func(bool) { v.bars.redraw() })
	v.previous = widget.NewButtonWithIcon("", theme.NavigateBackIcon(), func() { v.step(1) })
	v.nextB = widget.NewButtonWithIcon("", theme.NavigateNextIcon(), func() { v.step(-1) })
	fit := widget.NewButtonWithIcon("Fit", theme.ViewFullScreenIcon(), func() { v.moved(w.wave.Fit) })
	clear := widget.NewButton("Clear cursors", v.clearCursors)
	for _, b := range []*widget.Button{v.previous, v.nextB, fit, clear} {
		b.Importance = widget.LowImportance
	}
	bar := container.NewBorder(nil, nil, container.NewHBox(v.previous, v.nextB), container.NewHBox(v.rms, v.currents, clear, fit), inset(0, 0, 6, 6, v.title))
	found := container.NewVScroll(v.summary)
	below := container.NewBorder(rule(w.look), nil, nil, nil, container.New(&fixedHeight{96}, inset(2, 2, 6, 6, found)))
	left := container.NewBorder(container.NewVBox(inset(4, 4, 6, 8, bar), rule(w.look), inset(4, 0, 10, 10, container.NewHScroll(v.signals))), below, nil, nil, v.plot)
	figures := container.NewVScroll(inset(6, 6, 10, 10, v.readouts))
	side := container.NewVSplit(container.NewVSplit(v.phasors, v.bars), figures)
	side.Offset = 0.68
	split := container.NewHSplit(panel(w.look, left), container.NewBorder(nil, nil, rule(w.look), nil, panel(w.look, side)))
	split.Offset = 0.68
	v.page = split
	v.center = container.NewStack()
	v.root = v.center
	return v
}

// where says at which time the panels look.
func (v *waveView) where() string {
	if v.w.wave.Data == nil {
		return ""
	}
	return strings.Replace(fmt.Sprintf("cycle about %.1f ms", v.at-v.w.wave.Zero()), "-", "−", 1)
}

// enter shows the recording of the selected event, or the newest one.
func (v *waveView) enter() {
	w := v.w
	if w.wave.State == model.Empty || w.wave.Data != nil && w.wave.Data.Meter.Source.Log == nil {
		v.choose()
	}
	v.stage()
}

func (v *waveView) choose() {
	w := v.w
	i := -1
	if w.events.Event() != nil {
		i = w.events.RecordingOf(w.events.Selected)
	}
	if i < 0 {
		i = w.events.NewestRecording()
	}
	if i >= 0 {
		e := &w.events.Set.List[i]
		v.load(i, w.events.Meter(e), source.Ref{Position: e.Position, Stream: e.Stream})
	}
}

// eventsChanged finds the recording in the new list; one of a meter that is not looked at any more is left.
func (v *waveView) eventsChanged() {
	w := v.w
	v.index = -1
	if w.wave.Data != nil {
		for i := range w.events.Set.List {
			e := &w.events.Set.List[i]
			if e.Position == w.wave.Data.Ref.Position && e.Stream == w.wave.Data.Ref.Stream && w.events.Meter(e) == w.wave.Data.Meter {
				v.index = i
			}
		}
	}
	if v.index < 0 {
		w.wave.State, w.wave.Data = model.Empty, nil
		if w.view == viewWave {
			v.choose()
		}
	}
	v.stage()
}

func (v *waveView) load(index int, m *model.Meter, ref source.Ref) {
	w := v.w
	v.index = index
	w.events.Selected = index
	w.wave.State = model.Loading
	v.stage()
	start(w.work, "wave", "Reading the recording", func(ctx context.Context, _ report) (*model.WaveData, error) {
		return model.LoadWave(ctx, m, ref)
	}, func(d *model.WaveData, err error) {
		if err != nil {
			w.wave.Fail(err)
			w.markStale([]*model.Meter{m}, err)
		} else {
			w.wave.Take(d)
			w.arrived()
			v.next = 0
		}
		v.at = w.wave.At()
		v.refresh()
		w.maybeShoot()
	})
}

// step goes to the recording after (-1: the list begins with the newest) or before.
func (v *waveView) step(by int) {
	if i := v.w.events.StepRecording(v.index, by); i >= 0 {
		e := &v.w.events.Set.List[i]
		v.load(i, v.w.events.Meter(e), source.Ref{Position: e.Position, Stream: e.Stream})
	}
}

func (v *waveView) moved(f func()) {
	if v.w.wave.Data == nil {
		return
	}
	f()
	v.w.remember("wave")
	v.plot.redraw()
}

func (v *waveView) setCursor(at float64) {
	x := v.w.wave
	if x.Data == nil {
		return
	}
	step := x.Data.Recording.SampleIntervalSeconds * 1000
	at = math.Round(at/step) * step // a cursor stands on a sample
	if v.next == 0 {
		x.A = at
	} else {
		x.B = at
	}
	v.next = 1 - v.next
	v.cursors()
}

func (v *waveView) clearCursors() {
	v.w.wave.A, v.w.wave.B, v.next = math.NaN(), math.NaN(), 0
	v.cursors()
}

// cursors brings everything that follows them in step.
func (v *waveView) cursors() {
	x := v.w.wave
	if x.Data == nil {
		return
	}
	v.plot.setCursor(0, x.A-x.Zero())
	v.plot.setCursor(1, x.B-x.Zero())
	v.at = x.At()
	v.phasors.redraw()
	v.bars.redraw()
	v.refreshReadouts()
	v.w.status.refresh()
}

// hovered lets the panels follow the pointer while no cursor is set.
func (v *waveView) hovered(a *chart.Area, x, y, px, py float64) {
	w := v.w.wave
	if w.Data == nil {
		return
	}
	v.hover = x + w.Zero()
	unit := map[string]string{"Voltage": "V", "Current": "A"}[a.Name]
	text := strings.ReplaceAll(fmt.Sprintf("%.3f ms", x), "-", "−")
	if unit != "" {
		text += "\n" + strings.ReplaceAll(fmt.Sprintf("%.4g %s", y, unit), "-", "−")
	}
	v.plot.tip.show(text, fyne.NewPos(float32(px/v.plot.scale), float32(py/v.plot.scale)), v.plot.Size())
	if math.IsNaN(w.A) {
		v.at = v.hover
		v.phasors.redraw()
		v.bars.redraw()
	}
}

func (v *waveView) refresh() {
	v.stage()
	if v.w.wave.Data == nil {
		return
	}
	v.refreshSignals()
	v.plot.redraw()
	v.cursors()
}

func (v *waveView) refreshSignals() {
	x := v.w.wave
	v.signals.Objects = nil
	for i := range x.Data.Recording.Signals {
		name := x.Data.Recording.Signals[i].Name
		v.signals.Add(newChip(v.w.look, name, !x.Hidden[name], func(on bool) {
			x.Hidden[name] = !on
			v.plot.redraw()
			v.bars.redraw()
		}))
	}
	v.signals.Refresh()
}

func (v *waveView) refreshReadouts() {
	x := v.w.wave
	list := x.Readouts()
	grid := [][]string{{"", "RMS", "A", "B", "B − A"}}
	for _, r := range list {
		grid = append(grid, []string{r.Name, r.RMSA, r.A, r.B, r.Delta})
	}
	fillGrid(v.w.look, v.readouts, grid, []float32{0, 70, 66, 66, 70}, func(row int) int { return list[row-1].Color })
}

// stage shows the recording, or why there is none.
func (v *waveView) stage() {
	w := v.w
	var page fyne.CanvasObject = v.page
	switch {
	case w.wave.State == model.Failed:
		page = w.failure(w.wave.Err)
	case w.wave.State == model.Loading && w.wave.Data == nil:
		page = w.notice(nil, "Reading the recording …", "", nil)
	case w.wave.Data == nil && w.events.State == model.Loading:
		page = w.notice(nil, "Reading events …", "", nil)
	case w.wave.Data == nil && w.failedSource() != nil && len(ready(w.session.Selected())) == 0:
		page = w.failure(w.failedSource().Err)
	case w.wave.Data == nil:
		page = w.notice(nil, "No recordings in this time.", "Choose another meter or a longer time. Recordings come from PQ and limit events of meters that take them, and from COMTRADE and PQDIF files.", nil)
	}
	if len(v.center.Objects) != 1 || v.center.Objects[0] != page {
		v.center.Objects = []fyne.CanvasObject{page}
		v.center.Refresh()
	}
	if w.wave.Data == nil {
		return
	}
	v.title.set(w.wave.Title() + " · " + model.Clock(w.wave.Data.Entry.Time, w.wave.Data.Meter.Zone()))
	v.summary.SetText(strings.Join(w.wave.Sentences(), "\n"))
	enable(v.previous, w.events.StepRecording(v.index, 1) >= 0)
	enable(v.nextB, w.events.StepRecording(v.index, -1) >= 0)
}

func enable(b *widget.Button, on bool) {
	if on {
		b.Enable()
	} else {
		b.Disable()
	}
}
