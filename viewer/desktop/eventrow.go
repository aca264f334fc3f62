package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/chart"
)

// columns are the widths of the event list; 0 takes what is left.
type columns []float32

// places returns the left edges and widths for a width of all.
func (c columns) places(width float32) (left, wide []float32) {
	fixed := float32(0)
	for _, w := range c {
		fixed += w
	}
	x := float32(22)
	for _, w := range c {
		if w == 0 {
			w = max(60, width-fixed-22)
		}
		left, wide = append(left, x), append(wide, w-10)
		x += w
	}
	return left, wide
}

// textRow is a line of a list: a dot, and texts in columns.
type textRow struct {
	widget.BaseWidget
	look    *look
	columns *columns
	dot     *canvas.Circle
	texts   []*canvas.Text
	full    []string
	faint   map[int]bool // columns in a lighter colour
	high    float32
}

func newTextRow(l *look, c *columns, faint ...int) *textRow {
	r := &textRow{}
	r.init(l, c, faint...)
	r.ExtendBaseWidget(r)
	return r
}

func (r *textRow) init(l *look, c *columns, faint ...int) {
	r.look, r.columns, r.dot, r.faint, r.high = l, c, canvas.NewCircle(nil), map[int]bool{}, 24
	for _, f := range faint {
		r.faint[f] = true
	}
	for range *c {
		t := canvas.NewText("", nil)
		t.TextSize = 13
		r.texts = append(r.texts, t)
	}
	r.full = make([]string, len(r.texts))
	r.dot.Hide()
}

// headRow is the heading of a list: a click on a column sorts by it.
type headRow struct {
	textRow
	tapped func(column int)
}

func newHeadRow(l *look, c *columns, tapped func(column int)) *headRow {
	h := &headRow{tapped: tapped}
	h.init(l, c)
	for i := range h.texts {
		h.faint[i] = true
	}
	h.ExtendBaseWidget(h)
	return h
}

// show writes the titles, with an arrow at the column that the list is sorted by; down is from large to small.
func (h *headRow) show(titles []string, column int, down bool) {
	cells := append([]string(nil), titles...)
	if column < len(cells) {
		cells[column] = map[bool]string{false: "↑ ", true: "↓ "}[down] + cells[column]
	}
	h.set(cells, 0, false)
}

// Tapped implements fyne.Tappable.
func (h *headRow) Tapped(e *fyne.PointEvent) {
	left, wide := h.columns.places(h.Size().Width)
	for i := range left {
		if e.Position.X >= left[i]-4 && e.Position.X < left[i]+wide[i]+6 {
			h.tapped(i)
			return
		}
	}
}

// set fills the row. bold lines are headings.
func (r *textRow) set(cells []string, severity chart.Severity, dotted bool) {
	changed := false
	for i := range r.texts {
		if r.full[i] != cells[i] {
			r.full[i] = cells[i]
			changed = true
		}
	}
	if c := r.look.severity(severity); r.dot.FillColor != c || r.dot.Visible() != dotted {
		r.dot.FillColor = c
		if dotted {
			r.dot.Show()
		} else {
			r.dot.Hide()
		}
		changed = true
	}
	if changed {
		r.Refresh()
	}
}

// mark puts the dot of a series before the row, or none below 0.
func (r *textRow) mark(series int) {
	if series < 0 {
		if r.dot.Visible() {
			r.dot.Hide()
			r.Refresh()
		}
		return
	}
	if c := r.look.series(series); r.dot.FillColor != c || !r.dot.Visible() {
		r.dot.FillColor = c
		r.dot.Show()
		r.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (r *textRow) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{r.dot}
	for _, t := range r.texts {
		objects = append(objects, t)
	}
	return &textRowRenderer{r, objects}
}

type textRowRenderer struct {
	r       *textRow
	objects []fyne.CanvasObject
}

func (x *textRowRenderer) Layout(s fyne.Size) {
	r := x.r
	r.dot.Resize(fyne.NewSize(8, 8))
	r.dot.Move(fyne.NewPos(8, (s.Height-8)/2))
	left, wide := r.columns.places(s.Width)
	for i, t := range r.texts {
		cut(t, r.full[i], wide[i])
		t.Resize(fyne.NewSize(wide[i], s.Height))
		t.Move(fyne.NewPos(left[i], 0))
	}
}
func (x *textRowRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, x.r.high) }
func (x *textRowRenderer) Objects() []fyne.CanvasObject { return x.objects }
func (x *textRowRenderer) Destroy()                     {}

func (x *textRowRenderer) Refresh() {
	r := x.r
	for i, t := range r.texts {
		t.Color = r.look.Color(theme.ColorNameForeground, 0)
		if r.faint[i] {
			t.Color = r.look.Color(colorFaint, 0)
		}
	}
	x.Layout(r.Size())
	for _, o := range x.objects {
		o.Refresh()
	}
}
