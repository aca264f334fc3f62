package desktop

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/timeline"
)

// toleranceView is the scatter of PQ events against a voltage tolerance curve.
type toleranceView struct {
	w      *Window
	root   fyne.CanvasObject
	plot   *plot
	curve  *widget.Select
	center *fyne.Container
	page   fyne.CanvasObject
	data   *model.Tolerance
	card   *cardPanel
	box    *chip
	count  *words
}

func newToleranceView(w *Window) *toleranceView {
	v := &toleranceView{w: w, count: newWords(w.look, "", 12, colorFaint, false)}
	v.data = model.NewTolerance(w.events, "")
	v.plot = newPlot(w.work, w.look, func() chart.Drawing { return v.data.Chart })
	v.plot.boxOnly = true
	v.plot.onHover = v.hovered
	v.plot.onTap = func(a *chart.Area, _, _, px, py float64) {
		if k := v.data.Nearest(px, py, 12*v.plot.scale, a); k >= 0 {
			w.events.Selected = v.data.Index[k]
			v.card.refresh()
			w.eventsView.reveal()
		}
	}
	v.plot.onBox = func(_ *chart.Area, x0, x1, y0, y1 float64) {
		w.eventsView.change(func(f *timeline.Filter) {
			f.Box = &timeline.Box{FromSeconds: x0, ToSeconds: x1, FromRatio: y0, ToRatio: y1}
		})
	}
	v.plot.onDouble = func() { w.eventsView.change(func(f *timeline.Filter) { f.Box = nil }) }
	var names []string
	for _, c := range model.Curves() {
		names = append(names, c.Name)
	}
	v.curve = widget.NewSelect(names, func(name string) {
		v.data.Curve = name
		v.refresh()
	})
	v.curve.Selected = v.data.Curve
	v.box = newChip(w.look, "", true, func(bool) { w.eventsView.change(func(f *timeline.Filter) { f.Box = nil }) })
	list := widget.NewButton("Show them in the list", func() { w.show(viewEvents) })
	list.Importance = widget.LowImportance
	v.card = newCardPanel(w)
	bar := container.NewBorder(nil, nil, container.NewHBox(newWords(w.look, "Curve", 12, colorFaint, false), wide(180, v.curve)), container.NewHBox(list), inset(0, 0, 8, 8, container.NewHBox(v.box, v.count)))
	v.center = container.NewStack()
	v.page = container.NewBorder(container.NewVBox(inset(4, 4, 10, 8, bar), rule(w.look)), nil, nil, nil, v.plot)
	split := container.NewHSplit(panel(w.look, v.center), v.card.root)
	split.Offset = 0.72
	v.root = split
	return v
}

func (v *toleranceView) refresh() {
	w := v.w
	v.data = model.NewTolerance(w.events, v.data.Curve)
	v.count.set("Drag a box to filter the list by it")
	if b := w.events.Filter.Box; b != nil {
		v.box.set(fmt.Sprintf("%s to %s, %.0f to %.0f %%  ×", timeline.Seconds(b.FromSeconds), timeline.Seconds(b.ToSeconds), 100*b.FromRatio, 100*b.ToRatio), true)
		v.box.Show()
		v.count.set(w.events.Count() + " in the box")
	} else {
		v.box.Hide()
	}
	var page fyne.CanvasObject = v.page
	switch {
	case len(w.events.Set.List) == 0 && w.events.State == model.Loading:
		page = w.notice(nil, "Reading events …", "", nil)
	case len(w.events.Set.List) == 0 && w.events.State == model.Failed:
		page = w.failure(w.events.Err)
	case len(v.data.Index) == 0:
		page = w.notice(nil, "No PQ events in this time.", "Choose another meter or a longer time, or clear the filter of the event list.", nil)
	}
	if len(v.center.Objects) != 1 || v.center.Objects[0] != page {
		v.center.Objects = []fyne.CanvasObject{page}
		v.center.Refresh()
	}
	v.plot.redraw()
	v.card.refresh()
}

func (v *toleranceView) hovered(a *chart.Area, _, _, px, py float64) {
	k := v.data.Nearest(px, py, 10*v.plot.scale, a)
	if k < 0 {
		v.plot.tip.hide()
		return
	}
	e := &v.w.events.Set.List[v.data.Index[k]]
	lines := []string{e.Name + " · " + v.w.events.Set.Names[e.Meter], v.w.events.Time(e), strings.TrimSpace(e.Detail)}
	if d := timeline.Seconds(e.Seconds); d != "" {
		lines = append(lines, "for "+d)
	}
	v.plot.tip.show(strings.Join(lines, "\n"), fyne.NewPos(float32(px/v.plot.scale), float32(py/v.plot.scale)), v.plot.Size())
}
