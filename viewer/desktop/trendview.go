package desktop

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/timeline"
)

// trendView is the graph of historical values, the choice of channels beside it, and the table twin.
type trendView struct {
	w        *Window
	root     fyne.CanvasObject
	plot     *plot
	channels *rows
	lines    []model.TrendChannel
	search   *widget.Entry
	readouts *fyne.Container
	center   *fyne.Container
	graph    fyne.CanvasObject
	table    *trendTable
	asTable  *chip
	compare  *widget.Select
	note     *words
	meters   []*model.Meter
	around1  [2]logdb.Millis // to show when the channels are there
	next     int             // the cursor that a key sets next
	hover    logdb.Millis
	shown    [2]logdb.Millis // the range of the last refresh
	again    bool            // what is seen moved while it was read
}

func newTrendView(w *Window) *trendView {
	v := &trendView{w: w, search: widget.NewEntry(), readouts: container.NewVBox(), note: newWords(w.look, "", 12, colorFaint, false).elastic()}
	v.plot = newPlot(w.work, w.look, func() chart.Drawing { return w.trend.Drawing() })
	v.plot.onZoom = func(_ *chart.Area, x, factor float64) { v.moved(func() { w.trend.Zoom(logdb.Millis(x), factor) }) }
	v.plot.onPan = func(_ *chart.Area, share float64) { v.moved(func() { w.trend.Pan(share) }) }
	v.plot.onBox = func(_ *chart.Area, x0, x1, _, _ float64) {
		v.moved(func() { w.trend.Show(logdb.Millis(x0), logdb.Millis(x1)) })
	}
	v.plot.onDouble = func() { v.moved(w.trend.Fit) }
	v.plot.onTap = func(_ *chart.Area, x, _, _, _ float64) { v.setCursor(logdb.Millis(x)) }
	v.plot.onHover = v.hovered
	v.search.SetPlaceHolder("Find a channel")
	v.search.OnChanged = func(string) { v.listChannels() }
	v.channels = newRows(func() int { return len(v.lines) }, func() fyne.CanvasObject { return newChannelLine(v) }, func(i int, o fyne.CanvasObject) {
		if i < len(v.lines) {
			o.(*channelLine).set(v.lines[i])
		}
	})
	v.channels.key, v.channels.rune = w.typedKey, w.typedRune
	v.table = newTrendTable(w)
	v.asTable = newChip(w.look, "Table", false, func(bool) { v.stage() })
	var earlier []string
	for _, c := range model.Comparisons {
		earlier = append(earlier, c.Name)
	}
	v.compare = widget.NewSelect(earlier, func(name string) {
		for _, c := range model.Comparisons {
			if c.Name == name && c != w.trend.Compare {
				w.trend.Compare = c
				v.read()
			}
		}
	})
	v.compare.Selected = earlier[0]
	fit := widget.NewButtonWithIcon("Fit", theme.ViewFullScreenIcon(), func() { v.moved(w.trend.Fit) })
	clear := widget.NewButton("Clear cursors", func() {
		w.trend.A, w.trend.B, v.next = 0, 0, 0
		v.cursors()
	})
	fit.Importance, clear.Importance = widget.LowImportance, widget.LowImportance
	bar := container.NewBorder(nil, nil, nil, container.NewHBox(newWords(w.look, "Compare with", 12, colorFaint, false), wide(132, v.compare), v.asTable, clear, fit), v.note)
	v.graph = container.NewBorder(nil, container.NewVBox(rule(w.look), inset(4, 6, 8, 8, v.readouts)), nil, nil, v.plot)
	v.center = container.NewStack()
	main := container.NewBorder(container.NewVBox(inset(4, 4, 10, 8, bar), rule(w.look)), nil, nil, nil, v.center)
	side := container.NewBorder(container.NewVBox(inset(8, 2, 10, 10, newWords(w.look, "Channels", 12, colorFaint, true)), inset(0, 6, 8, 8, v.search)), nil, nil, nil, v.channels)
	split := container.NewHSplit(panel(w.look, main), container.NewBorder(nil, nil, rule(w.look), nil, panel(w.look, side)))
	split.Offset = 0.79
	v.root = split
	return v
}

// enter is called when the view comes into sight.
func (v *trendView) enter() {
	if v.meters == nil || !sameMeters(v.meters, ready(v.w.session.Selected())) {
		v.loadChannels()
	}
	v.refresh()
}

// metersChanged reads anew what is seen, if it is.
func (v *trendView) metersChanged() {
	v.meters = nil
	if v.w.view == viewTrend {
		v.loadChannels()
	}
}

func sameMeters(a, b []*model.Meter) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// mostMeters bounds whose channels are listed.
const mostMeters = 40

func (v *trendView) loadChannels() {
	w := v.w
	meters := ready(w.session.Selected())
	v.meters = meters
	if meters == nil {
		v.meters = []*model.Meter{}
	}
	if len(meters) > mostMeters {
		meters = meters[:mostMeters]
	}
	if len(meters) == 0 {
		w.trend.TakeChannels(&model.ChannelList{})
		w.trend.State = model.Empty
		v.refresh()
		return
	}
	w.trend.State = model.Loading
	v.refresh()
	start(w.work, "channels", "Reading channels", func(ctx context.Context, _ report) (*model.ChannelList, error) {
		return model.LoadChannels(ctx, meters)
	}, func(list *model.ChannelList, err error) {
		if err != nil {
			v.failed(err)
			return
		}
		w.trend.TakeChannels(list)
		v.wanted()
		first, last := w.session.Range.Bounds(meters, logdb.MillisOf(time.Now()))
		w.trend.SetFull(first, last)
		if v.around1[1] != 0 {
			w.trend.FullFirst, w.trend.FullLast = min(w.trend.FullFirst, v.around1[0]), max(w.trend.FullLast, v.around1[1])
			w.trend.Show(v.around1[0], v.around1[1])
			v.around1 = [2]logdb.Millis{}
		}
		w.arrived()
		v.listChannels()
		v.read()
	})
}

// grown reads what came meanwhile: who looks at the newest goes on with it, a part that was chosen stays.
func (v *trendView) grown() {
	w := v.w
	if w.view != viewTrend || len(v.meters) == 0 || w.trend.State == model.Loading {
		v.meters = nil
		return
	}
	meters := v.meters[:min(len(v.meters), mostMeters)]
	start(w.work, "channels", "", func(ctx context.Context, _ report) (*model.ChannelList, error) {
		return model.LoadChannels(ctx, meters)
	}, func(list *model.ChannelList, err error) {
		if err != nil {
			v.failed(err)
			return
		}
		w.trend.TakeChannels(list)
		w.trend.Grow(w.session.Range.Bounds(meters, logdb.MillisOf(time.Now())))
		w.arrived()
		v.listChannels()
		v.read()
	})
}

// wanted chooses the channels of the command line.
func (v *trendView) wanted() {
	text := v.w.options.Channels
	if text == "" {
		return
	}
	v.w.options.Channels = ""
	v.w.trend.Choose(strings.Split(text, ","))
}

// read reads what is seen, at the resolution of the picture.
func (v *trendView) read() {
	w := v.w
	if len(w.trend.Chosen) == 0 {
		w.trend.Data, w.trend.State = nil, model.Ready
		v.refresh()
		return
	}
	v.again = false
	chosen := append([]model.TrendChannel(nil), w.trend.Chosen...)
	first, last, parts := w.trend.Wanted(v.parts())
	compare, zone := w.trend.Compare, w.trend.Zone()
	title := "Reading values"
	if w.trend.Data != nil {
		title = "" // what is there is shown meanwhile
	} else {
		w.trend.State = model.Loading
	}
	start(w.work, "trend", title, func(ctx context.Context, tell report) (*model.TrendData, error) {
		d, err := model.LoadTrend(ctx, chosen, first, last, parts, func(done, total int) {
			tell(fmt.Sprintf("%d of %d meters", done, total), float64(done)/float64(total))
		})
		if err != nil {
			return nil, err
		}
		return d, d.LoadBefore(ctx, chosen, parts, compare, zone)
	}, func(d *model.TrendData, err error) {
		if err != nil {
			v.failed(err)
			return
		}
		shown := w.trend.State == model.Ready && w.trend.Data != nil
		w.trend.Data, w.trend.State, w.trend.Err = d, model.Ready, nil
		if shown {
			v.plot.redraw()
			v.settle()
		} else {
			v.refresh()
		}
		if v.again {
			v.read()
			return
		}
		w.maybeShoot()
	})
}

// parts is how many values of a line the picture has room for.
func (v *trendView) parts() int { return min(4000, max(400, v.plot.wide)) }

// settle brings in step what need not follow every move.
func (v *trendView) settle() {
	v.w.work.later("trend", 120*time.Millisecond, func() {
		v.cursors()
		v.stage()
		v.table.refresh(v.asTable.on)
	})
}

func (v *trendView) failed(err error) {
	w := v.w
	w.trend.Err, w.trend.State = err, model.Failed
	if w.trend.Data != nil {
		w.trend.State = model.Stale
	}
	w.markStale(v.meters, err)
	v.refresh()
}

// moved carries out a change of what is seen: what was read is drawn at once, the rest is read.
func (v *trendView) moved(f func()) {
	w := v.w
	first, last := w.trend.First, w.trend.Last
	f()
	if w.trend.First == first && w.trend.Last == last {
		return
	}
	w.remember("trend")
	v.plot.redraw()
	v.settle()
	switch {
	case w.trend.Covered(v.parts()):
	case w.work.busy("trend"): // one that was cancelled at every move would never come
		v.again = true
	default:
		v.read()
	}
}

// around shows the values of a meter about a time.
func (v *trendView) around(m *model.Meter, at logdb.Millis, seconds float64, text string) {
	span := logdb.Millis(3_600_000)
	if !math.IsNaN(seconds) {
		span = max(span, logdb.Millis(seconds*1000))
	}
	v.around1 = [2]logdb.Millis{at - span/2, at + span}
	v.w.trend.Marks = []chart.Mark{{At: int64(at), Text: text, Bad: true}}
	v.meters = nil
}

// setCursor sets the first cursor, then the second, then the first again.
func (v *trendView) setCursor(at logdb.Millis) {
	if v.next == 0 {
		v.w.trend.A = at
	} else {
		v.w.trend.B = at
	}
	v.next = 1 - v.next
	v.cursors()
}

func (v *trendView) cursors() {
	t := v.w.trend
	for i, at := range []logdb.Millis{t.A, t.B} {
		value := math.NaN()
		if at != 0 {
			value = float64(at)
		}
		v.plot.setCursor(i, value)
	}
	v.refreshReadouts()
	v.w.status.refresh()
}

func (v *trendView) hovered(_ *chart.Area, x, _, px, py float64) {
	t := v.w.trend
	v.hover = logdb.Millis(x)
	lines := []string{model.Clock(logdb.Millis(x), t.Zone())}
	for i := range t.Chosen {
		if len(lines) == len(v.plot.tip.lines) {
			break
		}
		c := &t.Chosen[i]
		if value, _ := t.ValueAt(i, logdb.Millis(x)); !math.IsNaN(value) {
			lines = append(lines, c.Channel.Name+"  "+timeline.Quantity(value, model.UnitOf(c.Channel.Channel)))
		}
	}
	v.plot.tip.show(strings.Join(lines, "\n"), fyne.NewPos(float32(px/v.plot.scale), float32(py/v.plot.scale)), v.plot.Size())
}

func (v *trendView) refresh() {
	if shown := [2]logdb.Millis{v.w.trend.First, v.w.trend.Last}; shown != v.shown {
		v.shown = shown
		v.plot.tip.hide() // what it tells is of another place by now
	}
	v.stage()
	v.plot.redraw()
	v.cursors()
	v.channels.Refresh()
	v.table.refresh(v.asTable.on)
}

func (v *trendView) stage() {
	w := v.w
	note := ""
	if w.trend.First != 0 {
		note = fmt.Sprintf("%s – %s · %s", model.Clock(w.trend.First, w.trend.Zone())[:16], model.Clock(w.trend.Last, w.trend.Zone())[:16], w.trend.Zone())
	}
	if w.trend.State == model.Stale {
		note = "The source did not answer: older values are shown · " + note
	}
	v.note.set(note)
	var page fyne.CanvasObject = v.graph
	switch {
	case w.trend.State == model.Failed:
		page = w.failure(w.trend.Err)
	case w.trend.State == model.Loading && w.trend.Data == nil:
		page = w.notice(nil, "Reading values …", "", nil)
	case len(w.session.Selected()) == 0:
		page = w.notice(nil, "No meter is chosen.", "Choose meters in the list at the left.", nil)
	case len(w.trend.Known.Channels) == 0:
		page = w.notice(nil, "These meters recorded no values over time.", "Events and recordings are in the other views.", nil)
	case v.asTable.on:
		v.table.refresh(true)
		page = v.table.root
	}
	if len(v.center.Objects) != 1 || v.center.Objects[0] != page {
		v.center.Objects = []fyne.CanvasObject{page}
		v.center.Refresh()
	}
}

func (v *trendView) refreshReadouts() {
	list := v.w.trend.Readouts()
	grid := [][]string{{"", "Seen", "A", "B", "B − A"}}
	for _, r := range list {
		grid = append(grid, []string{r.Name, r.Range, r.A, r.B, r.Delta})
	}
	if len(list) > 8 {
		grid = grid[:9]
	}
	fillGrid(v.w.look, v.readouts, grid, []float32{0, 190, 110, 110, 110}, func(row int) int { return list[row-1].Color })
}

func (v *trendView) listChannels() {
	filter := strings.ToLower(v.search.Text)
	v.lines = nil
	for _, c := range v.w.trend.Known.Channels {
		if filter == "" || strings.Contains(strings.ToLower(c.Title(true)+" "+string(c.Channel.Key)), filter) {
			v.lines = append(v.lines, c)
		}
	}
	v.channels.Refresh()
}

// toggle puts a channel into the graph or takes it out.
func (v *trendView) toggle(c model.TrendChannel, axis bool) {
	if axis {
		v.w.trend.Swap(c)
		v.refresh()
		return
	}
	if v.w.trend.Index(&c) < 0 && len(v.w.trend.Chosen) >= 16 {
		v.w.status.say("16 channels at most can be shown at once")
		return
	}
	v.w.trend.Toggle(c)
	v.w.trend.Data = nil
	v.read()
	v.channels.Refresh()
}
