package desktop

import (
	"context"
	"fmt"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/logdb"
	"metermanager/logdb/pq"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// weekView is the page of EN 50160.
type weekView struct {
	w      *Window
	root   fyne.CanvasObject
	meter  *widget.Select
	rules  *widget.Select
	title  *words
	body   *fyne.Container
	center *fyne.Container
	scroll fyne.CanvasObject
	list   []*model.Meter
	quiet  bool
}

func newWeekView(w *Window) *weekView {
	v := &weekView{w: w, title: newWords(w.look, "", 14, theme.ColorNameForeground, true), body: container.NewVBox(), center: container.NewStack()}
	v.meter = widget.NewSelect(nil, func(string) {
		if i := v.meter.SelectedIndex(); !v.quiet && i >= 0 && i < len(v.list) {
			v.choose(v.list[i])
		}
	})
	var names []string
	for _, r := range model.RulesNames {
		names = append(names, r[1])
	}
	v.rules = widget.NewSelect(names, func(string) {
		w.week.Rules = model.RulesNames[max(0, v.rules.SelectedIndex())][0]
		v.load()
	})
	v.rules.Selected = names[0]
	back := widget.NewButtonWithIcon("", theme.NavigateBackIcon(), func() { v.step(-1) })
	next := widget.NewButtonWithIcon("", theme.NavigateNextIcon(), func() { v.step(1) })
	back.Importance, next.Importance = widget.LowImportance, widget.LowImportance
	bar := container.NewHBox(wide(220, v.meter), back, next, v.title)
	v.scroll = container.NewVScroll(inset(12, 16, 18, 18, v.body))
	v.root = panel(w.look, container.NewBorder(container.NewVBox(inset(4, 4, 10, 8, container.NewBorder(nil, nil, nil, wide(170, v.rules), bar)), rule(w.look)), nil, nil, nil, v.center))
	return v
}

func (v *weekView) enter() {
	v.metersChanged()
	v.refresh()
}

// metersChanged follows the choice of meters, if the page is seen.
func (v *weekView) metersChanged() {
	w := v.w
	if w.view != viewWeek {
		return
	}
	v.list = ready(w.session.Selected())
	if len(v.list) > 200 {
		v.list = v.list[:200]
	}
	var names []string
	at := 0
	for i, m := range v.list {
		names = append(names, m.FullTitle(model.Several(v.list)))
		if m == w.week.Meter {
			at = i
		}
	}
	v.quiet = true
	v.meter.SetOptions(names)
	if len(v.list) > 0 {
		v.meter.SetSelectedIndex(at)
	}
	v.quiet = false
	if len(v.list) == 0 {
		w.week.Meter, w.week.Data, w.week.State = nil, nil, model.Empty
		v.refresh()
		return
	}
	v.choose(v.list[at])
}

func (v *weekView) choose(m *model.Meter) {
	w := v.w
	if w.week.Meter == m && (w.week.Data != nil || w.work.busy("week")) {
		return
	}
	if m.Last != 0 {
		w.week.Choose(m, time.Now())
		v.load()
		return
	}
	start(w.work, "week", "Reading channels", func(ctx context.Context, _ report) (time.Time, error) { return model.Newest(ctx, m) }, func(newest time.Time, err error) {
		if err != nil {
			w.week.Err, w.week.State = err, model.Failed
			v.refresh()
			return
		}
		m.Last = logdb.MillisOf(newest)
		w.week.Choose(m, newest)
		v.load()
	})
}

func (v *weekView) step(by int) {
	if v.w.week.Meter != nil {
		v.w.week.Step(by)
		v.load()
	}
}

func (v *weekView) load() {
	w := v.w
	m := w.week.Meter
	if m == nil {
		return
	}
	day, rules := w.week.Day, w.week.Rules
	w.week.State = model.Loading
	v.refresh()
	start(w.work, "week", "Holding the week against EN 50160", func(ctx context.Context, _ report) (*source.Week, error) {
		return model.LoadWeek(ctx, m, day, rules)
	}, func(d *source.Week, err error) {
		if err != nil {
			w.week.Err, w.week.State, w.week.Data = err, model.Failed, nil
			w.markStale([]*model.Meter{m}, err)
		} else {
			w.week.Data, w.week.State = d, model.Ready
		}
		v.refresh()
		w.maybeShoot()
	})
}

func (v *weekView) refresh() {
	w := v.w
	var page fyne.CanvasObject = v.scroll
	switch {
	case w.week.State == model.Failed:
		page = w.failure(w.week.Err)
	case w.week.Meter == nil:
		page = w.notice(nil, "No meter is chosen.", "Choose a meter in the list at the left.", nil)
	case w.week.Data == nil:
		page = w.notice(nil, "Holding the week against EN 50160 …", "", nil)
	}
	if len(v.center.Objects) != 1 || v.center.Objects[0] != page {
		v.center.Objects = []fyne.CanvasObject{page}
		v.center.Refresh()
	}
	if w.week.Meter != nil {
		v.title.set(w.week.Title())
	}
	if w.week.Data != nil {
		v.fill()
	}
}

func (v *weekView) fill() {
	w := v.w
	d := w.week.Data
	v.body.Objects = nil
	head := widget.NewLabelWithStyle(w.week.Headline(), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	head.Wrapping = fyne.TextWrapWord
	v.body.Add(head)
	sub := widget.NewLabel(d.Rules + " · days of " + d.Zone + " · " + model.WeekMethod)
	sub.Wrapping, sub.Importance = fyne.TextWrapWord, widget.LowImportance
	v.body.Add(sub)
	for i := range d.Items {
		it := &d.Items[i]
		if i == 0 {
			v.body.Add(weekLine(w.look, "Item", "Result", nil, "Intervals", "Outside", "Limit", ""))
			v.body.Add(rule(w.look))
		}
		intervals, outside := model.Intervals(it)
		v.body.Add(weekLine(w.look, it.Name, it.Verdict.String(), verdictColor(w.look, it.Verdict), intervals, outside, it.Limit, it.Note))
	}
	v.dips(d)
	v.body.Refresh()
}

func verdictColor(l *look, v pq.Verdict) color.Color {
	switch v {
	case pq.Pass:
		return l.Color(theme.ColorNameSuccess, 0)
	case pq.Fail:
		return l.Color(theme.ColorNameError, 0)
	}
	return l.Color(colorFaint, 0)
}

// weekLine is a line of the table: fixed columns, the note below where there is one.
func weekLine(l *look, name, verdict string, c color.Color, intervals, outside, limit, note string) fyne.CanvasObject {
	head := c == nil
	tone := theme.ColorNameForeground
	if head {
		tone = colorFaint
	}
	result := newWords(l, verdict, 13, tone, !head)
	if c != nil {
		result.paint(c)
	}
	cells := container.NewHBox(wide(240, newWords(l, name, 13, tone, false).elastic()), wide(130, result),
		wide(170, newWords(l, intervals, 12, tone, false).elastic()), wide(76, newWords(l, outside, 12, tone, false)))
	row := container.NewBorder(nil, nil, cells, nil, newWords(l, limit, 12, tone, false).elastic())
	if note == "" {
		return inset(2, 2, 0, 0, row)
	}
	return inset(2, 2, 0, 0, container.NewVBox(row, newWords(l, note, 11, colorFaint, false).elastic()))
}

// dips is the table of residual voltages by duration.
func (v *weekView) dips(d *source.Week) {
	if d.Dips == nil {
		return
	}
	l := v.w.look
	v.body.Add(inset(14, 4, 0, 0, newWords(l, "Dips by residual voltage and duration", 13, theme.ColorNameForeground, true)))
	line := func(name string, cells []string, tone fyne.ThemeColorName) {
		row := container.NewHBox(wide(240, newWords(l, name, 12, tone, false)))
		for _, c := range cells {
			t := newWords(l, c, 12, tone, false)
			t.text.Alignment = fyne.TextAlignTrailing
			row.Add(wide(80, t))
		}
		v.body.Add(row)
	}
	line("Residual voltage", model.DipDurations, colorFaint)
	v.body.Add(rule(l))
	for i, name := range model.DipVoltages {
		var cells []string
		for _, n := range d.Dips[i] {
			text := "–"
			if n > 0 {
				text = fmt.Sprint(n)
			}
			cells = append(cells, text)
		}
		line(name, cells, theme.ColorNameForeground)
	}
	v.body.Add(inset(6, 0, 0, 0, newWords(l, fmt.Sprintf("Interruptions: %d of up to 3 minutes, %d longer", d.ShortInterruptions, d.LongInterruptions), 12, theme.ColorNameForeground, false)))
}
