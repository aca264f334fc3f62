package desktop

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// eventsView is the combined list with its filter, the timeline above it and the card beside it.
type eventsView struct {
	w         *Window
	root      fyne.CanvasObject
	search    *widget.Entry
	chips     map[logdb.Kind]*chip
	severity  *widget.Select
	box       *chip
	routine   *chip
	count     *words
	list      *rows
	head      *headRow
	columns   columns
	strip     *plot
	stripBox  *fyne.Container
	stripHigh *fixedHeight
	center    *fyne.Container
	middle    *fyne.Container
	table     fyne.CanvasObject
	card      *cardPanel
	quiet     bool // the program itself changes the selection
}

// severityNames are the least severities to choose from.
var severityNames = map[chart.Severity]string{chart.Info: "All severities", chart.Warning: "Warnings and alarms", chart.Alarm: "Alarms"}

var kindOrder = []logdb.Kind{logdb.KindPQ, logdb.KindWaveform, logdb.KindLimit, logdb.KindSystem}

func newEventsView(w *Window) *eventsView {
	v := &eventsView{w: w, count: newWords(w.look, "", 12, colorFaint, false).elastic(), chips: map[logdb.Kind]*chip{}, columns: columns{178, 150, 84, 120, 0, 90}}
	v.search = widget.NewEntry()
	v.search.SetPlaceHolder("Search, or 14:02  ( / )")
	v.search.OnChanged = func(s string) { v.change(func(f *timeline.Filter) { f.Text = s }) }
	filters := container.NewHBox()
	for _, k := range kindOrder {
		c := newChip(w.look, timeline.KindName(k), true, func(on bool) {
			v.change(func(f *timeline.Filter) {
				hidden := map[logdb.Kind]bool{}
				for kind, c := range v.chips {
					if !c.on {
						hidden[kind] = true
					}
				}
				f.HiddenKinds = hidden
			})
		})
		v.chips[k] = c
		filters.Add(c)
	}
	v.severity = widget.NewSelect([]string{severityNames[chart.Info], severityNames[chart.Warning], severityNames[chart.Alarm]}, func(s string) {
		v.change(func(f *timeline.Filter) {
			for least, name := range severityNames {
				if name == s {
					f.Least = least
				}
			}
		})
	})
	v.severity.Selected = severityNames[chart.Info]
	v.routine = newChip(w.look, "Log retrievals", false, func(on bool) { v.change(func(f *timeline.Filter) { f.NoRoutine = !on }) })
	filters.Add(v.routine)
	v.box = newChip(w.look, "CBEMA box  ×", true, func(bool) { v.change(func(f *timeline.Filter) { f.Box = nil }) })
	v.box.Hide()
	filters.Add(v.box)
	filters.Add(inset(0, 0, 6, 4, wide(130, v.count)))
	// What has no room scrolls: the window must fit a small screen.
	bar := container.NewBorder(nil, nil, wide(190, v.search), wide(165, v.severity), inset(0, 0, 8, 8, container.NewHScroll(filters)))

	v.list = newRows(func() int { return len(w.events.Shown) }, func() fyne.CanvasObject { return newTextRow(w.look, &v.columns, 2, 1) }, func(i int, o fyne.CanvasObject) {
		if i >= len(w.events.Shown) {
			return
		}
		cells := w.events.Cells(i)
		o.(*textRow).set(cells[:], w.events.Set.List[w.events.Shown[i]].Severity, true)
	})
	v.list.OnSelected = func(i int) {
		if !v.quiet && i < len(w.events.Shown) {
			w.events.Selected = w.events.Shown[i]
			w.win.Canvas().Unfocus() // keys go to the window, not to a search that was written before
			v.card.refresh()
			w.status.refresh()
		}
	}
	v.list.key, v.list.rune = w.typedKey, w.typedRune
	v.head = newHeadRow(w.look, &v.columns, func(column int) {
		w.events.Sort(column)
		w.remember("")
		v.refresh()
	})
	v.strip = newPlot(w.work, w.look, func() chart.Drawing {
		first, last := w.session.Range.Bounds(w.session.Selected(), 0)
		if last < 10 {
			first, last = 0, 0
		}
		return w.events.Timeline(first, last)
	})
	v.strip.onBox = func(_ *chart.Area, x0, x1, _, _ float64) {
		w.session.Range = model.Range{Preset: "chosen", First: logdb.Millis(x0), Last: logdb.Millis(x1)}
		w.ranges.ClearSelected()
		w.remember("")
		w.reload()
	}
	v.strip.onDouble = func() {
		if w.session.Range.Preset == "chosen" {
			w.session.Range = model.RangeAll
			w.ranges.SetSelected(model.RangeAll.Preset)
			w.reload()
		}
	}
	v.strip.onHover = func(a *chart.Area, x, _, px, py float64) {
		zone := w.events.Set.Zone
		if zone == nil {
			return
		}
		v.strip.tip.show(model.Clock(logdb.Millis(x), zone), fyne.NewPos(float32(px/v.strip.scale), float32(py/v.strip.scale)), v.strip.Size())
	}
	v.stripBox, v.stripHigh = container.NewStack(v.strip), &fixedHeight{118}
	v.card = newCardPanel(w)
	v.table = container.NewBorder(container.NewVBox(v.head, rule(w.look)), nil, nil, nil, v.list)
	v.center = container.NewStack(v.table)
	top := container.NewVBox(inset(6, 6, 8, 8, bar), rule(w.look))
	v.middle = container.NewBorder(container.New(v.stripHigh, v.stripBox), nil, nil, nil, container.NewBorder(rule(w.look), nil, nil, nil, v.center))
	main := container.NewBorder(top, nil, nil, nil, v.middle)
	split := container.NewHSplit(panel(w.look, main), v.card.root)
	split.Offset = 0.72
	v.root = split
	return v
}

// fixedHeight gives something a height.
type fixedHeight struct{ height float32 }

// Layout implements fyne.Layout.
func (f *fixedHeight) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		o.Resize(s)
		o.Move(fyne.NewPos(0, 0))
	}
}

// MinSize implements fyne.Layout.
func (f *fixedHeight) MinSize(objects []fyne.CanvasObject) fyne.Size {
	w := float32(0)
	for _, o := range objects {
		w = max(w, o.MinSize().Width)
	}
	return fyne.NewSize(w, f.height)
}

// change changes the filter.
func (v *eventsView) change(f func(*timeline.Filter)) {
	filter := v.w.events.Filter
	f(&filter)
	v.w.events.SetFilter(filter)
	v.w.remember("filter")
	v.refresh()
	v.w.toleranceView.refresh()
	v.w.status.refresh()
}

func (v *eventsView) refresh() {
	w := v.w
	note := w.events.ZoneNote()
	v.head.show([]string{"Time (" + note + ")", "Meter", "Log", "Event", "Details", "Duration"}, w.events.SortColumn, w.events.SortDown == (w.events.SortColumn != model.ColumnTime))
	n, routine := map[logdb.Kind]int{}, 0
	for i := range w.events.Set.List {
		if w.events.Set.List[i].Routine {
			routine++
			if w.events.Filter.NoRoutine {
				continue
			}
		}
		n[w.events.Set.List[i].Kind]++
	}
	v.routine.set(fmt.Sprintf("Log retrievals  %d", routine), !w.events.Filter.NoRoutine)
	for k, c := range v.chips {
		c.set(fmt.Sprintf("%s  %d", timeline.KindName(k), n[k]), !w.events.Filter.HiddenKinds[k])
	}
	if v.search.Text != w.events.Filter.Text {
		v.search.SetText(w.events.Filter.Text)
	}
	if w.events.Filter.Box != nil {
		v.box.set("CBEMA box  ×", true)
		v.box.Show()
	} else {
		v.box.Hide()
	}
	v.count.set(w.events.Count())
	v.stage()
	v.list.Refresh()
	v.reveal()
	v.card.refresh()
	// A row of the timeline for each meter, as far as there is room.
	if high := min(240, 102+20*float32(len(w.events.Set.Meters))); v.stripHigh.height != high {
		v.stripHigh.height = high
		v.layoutAnew()
	}
	v.strip.redraw()
}

// layoutAnew gives the timeline the height that it needs now.
func (v *eventsView) layoutAnew() {
	if v.root != nil {
		v.middle.Layout.Layout(v.middle.Objects, v.middle.Size())
		v.middle.Refresh()
	}
}

// stage shows the list, or why there is none.
func (v *eventsView) stage() {
	w := v.w
	var page fyne.CanvasObject
	switch {
	case len(w.events.Set.List) == 0 && w.events.State == model.Failed:
		page = w.failure(w.events.Err)
	case len(w.events.Set.List) == 0 && w.events.State == model.Loading:
		page = w.notice(nil, "Reading events …", "", nil)
	case len(ready(w.session.Selected())) == 0 && w.failedSource() != nil:
		page = w.failure(w.failedSource().Err)
	case len(w.session.Selected()) == 0:
		page = w.notice(nil, "No meter is chosen.", "Choose meters in the list at the left.", nil)
	case len(w.events.Set.List) == 0:
		page = w.notice(nil, "No events in this time.", "Choose a longer time at the top right, or another meter.", nil)
	case len(w.events.Shown) == 0:
		page = w.notice(nil, "No event passes the filter.", fmt.Sprintf("%d events are hidden.", len(w.events.Set.List)), widget.NewButton("Clear the filter", v.clear))
	default:
		page = v.table
	}
	if len(v.center.Objects) != 1 || v.center.Objects[0] != page {
		v.center.Objects = []fyne.CanvasObject{page}
		v.center.Refresh()
	}
}

func (v *eventsView) clear() {
	v.severity.SetSelected(severityNames[chart.Info])
	v.change(func(f *timeline.Filter) { *f = model.DefaultFilter() })
}

// failedSource is a source that could not be opened.
func (w *Window) failedSource() *model.Source {
	for _, s := range w.session.Sources {
		if s.Err != nil {
			return s
		}
	}
	return nil
}

// reveal marks the selected event in the list and brings it into sight.
func (v *eventsView) reveal() {
	v.quiet = true
	defer func() { v.quiet = false }()
	if row := v.w.events.Row(); row >= 0 {
		v.list.Select(row)
	} else {
		v.list.UnselectAll()
	}
}

// goTo selects an event, wherever the filter is.
func (v *eventsView) goTo(i int) {
	v.w.events.Selected = i
	if v.w.events.Row() < 0 {
		v.clear()
	}
	v.reveal()
	v.card.refresh()
	v.w.status.refresh()
}

// step goes to the next or the previous event.
func (v *eventsView) step(by int) {
	v.w.events.Step(by)
	v.reveal()
	v.card.refresh()
	v.w.status.refresh()
}

// cardPanel tells the selected event.
type cardPanel struct {
	w    *Window
	root fyne.CanvasObject
	body *fyne.Container
}

func newCardPanel(w *Window) *cardPanel {
	c := &cardPanel{w: w, body: container.NewVBox()}
	scroll := container.NewVScroll(inset(10, 10, 14, 12, c.body))
	scroll.SetMinSize(fyne.NewSize(240, 100))
	c.root = container.NewBorder(nil, nil, rule(w.look), nil, panel(w.look, scroll))
	return c
}

func (c *cardPanel) refresh() {
	w := c.w
	c.body.Objects = nil
	defer c.body.Refresh()
	if w.events.Event() == nil {
		c.body.Add(newWords(w.look, "No event is selected", 13, colorFaint, false))
		hint := widget.NewLabel("Click an event to read what it means. [ and ] go to the next ones, Enter opens the recording.")
		hint.Wrapping = fyne.TextWrapWord
		hint.Importance = widget.LowImportance
		c.body.Add(hint)
		return
	}
	card := w.events.Card(w.events.Selected)
	title := newWords(w.look, card.Title, 17, theme.ColorNameForeground, true)
	badge := newWords(w.look, timeline.SeverityName(card.Severity), 12, colorFaint, true)
	badge.paint(w.look.severity(card.Severity))
	c.body.Add(container.NewBorder(nil, nil, nil, badge, title))
	c.body.Add(newWords(w.look, card.Time, 12, colorFaint, false))
	for _, line := range card.Lines {
		l := widget.NewLabel(line)
		l.Wrapping = fyne.TextWrapWord
		c.body.Add(l)
	}
	if i := w.events.RecordingOf(w.events.Selected); i >= 0 {
		b := widget.NewButton("Show the waveform", func() { w.showRecording(i) })
		b.Importance = widget.HighImportance
		c.body.Add(b)
	}
	c.body.Add(widget.NewButton("Show in the trend", func() { w.showInTrend(w.events.Selected) }))
	c.body.Add(inset(6, 2, 0, 0, rule(w.look)))
	for _, f := range card.Facts {
		c.body.Add(container.NewBorder(nil, nil, wide(82, newWords(w.look, f.Name, 12, colorFaint, false)), nil, newWords(w.look, f.Value, 12, theme.ColorNameForeground, false).elastic()))
	}
	if len(card.Related) == 0 {
		return
	}
	c.body.Add(inset(6, 2, 0, 0, rule(w.look)))
	c.body.Add(newWords(w.look, "Related events", 12, colorFaint, true))
	for _, r := range card.Related {
		c.body.Add(newLink(w.look, r.Why+" · "+r.When, r.Text, func() { w.followLink(r) }))
	}
}

// followLink goes to a related event; a recording opens at once.
func (w *Window) followLink(r model.RelatedEvent) {
	if r.Kind == logdb.KindWaveform {
		w.showRecording(r.Index)
		return
	}
	w.eventsView.goTo(r.Index)
}

// showInTrend shows an hour of the meter's values about an event.
func (w *Window) showInTrend(i int) {
	e := &w.events.Set.List[i]
	w.trendView.around(w.events.Meter(e), e.Time, e.Seconds, e.Name)
	w.show(viewTrend)
}

// showRecording opens the recording of an event.
func (w *Window) showRecording(i int) {
	e := &w.events.Set.List[i]
	w.waveView.load(i, w.events.Meter(e), source.Ref{Position: e.Position, Stream: e.Stream})
	w.show(viewWave)
}
