package desktop

import (
	"context"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// nowView is the page of the present values of a meter: a graph of some of them since it was opened, and all of them as a table.
type nowView struct {
	w       *Window
	root    fyne.CanvasObject
	meter   *widget.Select
	pause   *chip
	note    *words
	plot    *plot
	list    *rows
	columns columns
	center  *fyne.Container
	page    fyne.CanvasObject
	meters  []*model.Meter
	quiet   bool
}

func newNowView(w *Window) *nowView {
	v := &nowView{w: w, note: newWords(w.look, "", 12, colorFaint, false).elastic(), columns: columns{0, 130, 130, 130}, center: container.NewStack()}
	v.meter = widget.NewSelect(nil, func(string) {
		if i := v.meter.SelectedIndex(); !v.quiet && i >= 0 && i < len(v.meters) {
			w.now.Choose(v.meters[i])
			v.refresh()
			v.read()
		}
	})
	v.pause = newChip(w.look, "Pause", false, func(bool) { w.togglePause() })
	v.plot = newPlot(w.work, w.look, func() chart.Drawing { return w.now.Drawing() })
	head := newTextRow(w.look, &v.columns, 0, 1, 2, 3)
	head.set([]string{"Value  (a click draws it)", "Now", "Lowest seen", "Highest seen"}, 0, false)
	v.list = newRows(func() int { return len(w.now.Data.Values) }, func() fyne.CanvasObject { return newTextRow(w.look, &v.columns, 2, 3) }, v.fill)
	v.list.OnSelected = func(i int) {
		if i < len(w.now.Data.Values) {
			w.now.Toggle(w.now.Data.Values[i].Channel.Key)
			v.refresh()
		}
		v.list.UnselectAll()
	}
	v.list.key, v.list.rune = w.typedKey, w.typedRune
	bar := container.NewBorder(nil, nil, wide(260, v.meter), v.pause, inset(0, 0, 8, 8, v.note))
	split := container.NewVSplit(v.plot, container.NewBorder(container.NewVBox(rule(w.look), head, rule(w.look)), nil, nil, nil, v.list))
	split.Offset = 0.42
	v.page = split
	v.root = panel(w.look, container.NewBorder(container.NewVBox(inset(4, 4, 10, 8, bar), rule(w.look)), nil, nil, nil, v.center))
	return v
}

// fill writes a line of the table; those that are drawn have the dot of their colour.
func (v *nowView) fill(i int, o fyne.CanvasObject) {
	now := v.w.now
	if i >= len(now.Data.Values) {
		return
	}
	x := &now.Data.Values[i]
	unit := model.UnitOf(x.Channel)
	value, low, high := timeline.Quantity(x.Value, unit), "", ""
	if math.IsNaN(x.Value) {
		value = "–"
	}
	if l, h, ok := now.Extremes(x.Channel.Key); ok {
		low, high = timeline.Quantity(l, unit), timeline.Quantity(h, unit)
	}
	row := o.(*textRow)
	row.set([]string{x.Channel.Name, value, low, high}, chart.Info, false)
	drawn := -1
	for k, key := range now.Chosen {
		if key == x.Channel.Key {
			drawn = k
		}
	}
	row.mark(drawn)
}

// enter is called when the page comes into sight.
func (v *nowView) enter() {
	v.metersChanged()
}

// metersChanged follows the choice of meters, if the page is seen.
func (v *nowView) metersChanged() {
	w := v.w
	if w.view != viewNow {
		return
	}
	v.meters = ready(w.session.Selected())
	if len(v.meters) > 200 {
		v.meters = v.meters[:200]
	}
	var names []string
	at := 0
	for i, m := range v.meters {
		names = append(names, m.FullTitle(model.Several(v.meters)))
		if m == w.now.Meter {
			at = i
		}
	}
	v.quiet = true
	v.meter.SetOptions(names)
	if len(v.meters) > 0 {
		v.meter.SetSelectedIndex(at)
		w.now.Choose(v.meters[at])
	} else {
		w.now.Choose(nil)
	}
	v.quiet = false
	v.refresh()
	v.read()
}

// read asks the meter; a meter that takes long is not asked again before it answered.
func (v *nowView) read() {
	w := v.w
	m := w.now.Meter
	if m == nil || w.work.busy("present") {
		return
	}
	start(w.work, "present", "", func(ctx context.Context, _ report) (source.Present, error) { return model.LoadPresent(ctx, m) }, func(p source.Present, err error) {
		if w.now.Meter != m {
			v.read()
			return
		}
		if err != nil {
			w.now.Fail(err)
		} else {
			w.now.Take(p)
		}
		v.refresh()
		w.maybeShoot()
		w.trace()
	})
}

func (v *nowView) refresh() {
	w := v.w
	v.pause.set(map[bool]string{false: "Pause", true: "Paused"}[w.paused], w.paused)
	v.note.set(w.now.Note())
	var page fyne.CanvasObject = v.page
	switch {
	case w.now.Meter == nil:
		page = w.notice(nil, "No meter is chosen.", "Choose meters in the list at the left.", nil)
	case w.now.State == model.Failed:
		what, do := source.Explain(w.now.Err)
		page = w.notice(theme.InfoIcon(), what, do, nil)
	case w.now.State == model.Loading:
		page = w.notice(nil, "Reading the meter …", "", nil)
	case len(w.now.Data.Values) == 0:
		page = w.notice(nil, "Nobody told the present values of this meter.", "A service that reads the meter itself tells them; a cloud only when they are posted to it.", nil)
	}
	if len(v.center.Objects) != 1 || v.center.Objects[0] != page {
		v.center.Objects = []fyne.CanvasObject{page}
		v.center.Refresh()
	}
	v.list.Refresh()
	v.plot.redraw()
}
