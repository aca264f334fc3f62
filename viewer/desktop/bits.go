package desktop

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// paint is a rectangle in a colour of the theme.
type paint struct {
	widget.BaseWidget
	look *look
	name fyne.ThemeColorName
	rect *canvas.Rectangle
}

func newPaint(l *look, name fyne.ThemeColorName) *paint {
	p := &paint{look: l, name: name, rect: canvas.NewRectangle(l.Color(name, 0))}
	p.ExtendBaseWidget(p)
	return p
}

// CreateRenderer implements fyne.Widget.
func (p *paint) CreateRenderer() fyne.WidgetRenderer { return &paintRenderer{p} }

type paintRenderer struct{ p *paint }

func (r *paintRenderer) Layout(s fyne.Size)           { r.p.rect.Resize(s) }
func (r *paintRenderer) MinSize() fyne.Size           { return fyne.NewSize(1, 1) }
func (r *paintRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.p.rect} }
func (r *paintRenderer) Destroy()                     {}
func (r *paintRenderer) Refresh() {
	r.p.rect.FillColor = r.p.look.Color(r.p.name, 0)
	r.p.rect.Refresh()
}

// panel puts something on a ground of its own.
func panel(l *look, o fyne.CanvasObject) fyne.CanvasObject {
	return container.NewStack(newPaint(l, colorPanel), o)
}

// rule is a thin line between parts.
func rule(l *look) fyne.CanvasObject { return newPaint(l, colorLine) }

// inset leaves room around something.
func inset(top, bottom, left, right float32, o fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(top, bottom, left, right), o)
}

// words is a text in a colour and size of the theme, on one line, cut where there is no room.
type words struct {
	widget.BaseWidget
	look  *look
	text  *canvas.Text
	full  string
	color fyne.ThemeColorName
	least float32
	fixed color.Color // instead of a colour of the theme
}

func newWords(l *look, text string, size float32, name fyne.ThemeColorName, bold bool) *words {
	w := &words{look: l, text: canvas.NewText(text, l.Color(name, 0)), full: text, color: name, least: -1}
	w.text.TextSize, w.text.TextStyle.Bold = size, bold
	w.ExtendBaseWidget(w)
	return w
}

// elastic lets the text be cut.
func (w *words) elastic() *words {
	w.least = 20
	return w
}

func (w *words) set(text string) {
	if w.full == text {
		return
	}
	w.full = text
	w.Refresh()
}

func (w *words) paint(c color.Color) {
	w.fixed = c
	w.text.Color = c
}

// CreateRenderer implements fyne.Widget.
func (w *words) CreateRenderer() fyne.WidgetRenderer { return &wordsRenderer{w} }

type wordsRenderer struct{ w *words }

func (r *wordsRenderer) Layout(s fyne.Size) {
	cut(r.w.text, r.w.full, s.Width)
	r.w.text.Resize(s)
}

func (r *wordsRenderer) MinSize() fyne.Size {
	size := fyne.MeasureText(r.w.full, r.w.text.TextSize, r.w.text.TextStyle)
	if r.w.least >= 0 {
		size.Width = r.w.least
	}
	return size
}
func (r *wordsRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.w.text} }
func (r *wordsRenderer) Destroy()                     {}
func (r *wordsRenderer) Refresh() {
	r.w.text.Color = r.w.look.Color(r.w.color, 0)
	if r.w.fixed != nil {
		r.w.text.Color = r.w.fixed
	}
	cut(r.w.text, r.w.full, r.w.Size().Width)
	r.w.text.Refresh()
}

// cut shortens a text to a width. Short ones are not measured: measuring is what makes long lists slow.
func cut(t *canvas.Text, full string, width float32) {
	t.Text = full
	if float32(len(full))*t.TextSize*0.72 <= width {
		return
	}
	if fyne.MeasureText(full, t.TextSize, t.TextStyle).Width <= width+1 {
		return
	}
	runes := []rune(full)
	low, high := 0, len(runes)
	for low < high { // the most runes that fit
		middle := (low + high + 1) / 2
		if fyne.MeasureText(string(runes[:middle])+"…", t.TextSize, t.TextStyle).Width <= width {
			low = middle
		} else {
			high = middle - 1
		}
	}
	t.Text = string(runes[:low]) + "…"
}

// tab is a word of the bar at the top: the view that is shown is underlined.
type tab struct {
	widget.BaseWidget
	look   *look
	text   *canvas.Text
	line   *canvas.Rectangle
	back   *canvas.Rectangle
	chosen bool
	tapped func()
}

var _ desktop.Hoverable = (*tab)(nil)

func newTab(l *look, text string, tapped func()) *tab {
	t := &tab{look: l, text: canvas.NewText(text, nil), line: canvas.NewRectangle(nil), back: canvas.NewRectangle(nil), tapped: tapped}
	t.text.TextSize = 14
	t.text.Alignment = fyne.TextAlignCenter
	t.back.CornerRadius = 4
	t.back.Hide()
	t.ExtendBaseWidget(t)
	return t
}

// Tapped implements fyne.Tappable.
func (t *tab) Tapped(*fyne.PointEvent) { t.tapped() }

// MouseIn implements desktop.Hoverable.
func (t *tab) MouseIn(*desktop.MouseEvent) {
	t.back.Show()
	t.back.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (t *tab) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (t *tab) MouseOut() {
	t.back.Hide()
	t.back.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (t *tab) CreateRenderer() fyne.WidgetRenderer {
	r := &tabRenderer{t}
	r.colours()
	return r
}

type tabRenderer struct{ t *tab }

func (r *tabRenderer) Layout(s fyne.Size) {
	r.t.text.Resize(s)
	r.t.back.Resize(fyne.NewSize(s.Width, s.Height-8))
	r.t.back.Move(fyne.NewPos(0, 4))
	r.t.line.Resize(fyne.NewSize(s.Width-16, 3))
	r.t.line.Move(fyne.NewPos(8, s.Height-3))
}

func (r *tabRenderer) MinSize() fyne.Size {
	// As wide as in bold, so that nothing moves when another one is chosen.
	size := fyne.MeasureText(r.t.text.Text, r.t.text.TextSize, fyne.TextStyle{Bold: true})
	return fyne.NewSize(size.Width+24, 38)
}

func (r *tabRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.t.back, r.t.text, r.t.line}
}
func (r *tabRenderer) Destroy() {}

func (r *tabRenderer) colours() {
	t := r.t
	t.text.Color = t.look.Color(colorFaint, 0)
	t.text.TextStyle.Bold = t.chosen
	t.line.FillColor = color.Transparent
	t.back.FillColor = t.look.Color(theme.ColorNameHover, 0)
	if t.chosen {
		t.text.Color, t.line.FillColor = t.look.Color(theme.ColorNameForeground, 0), t.look.Color(colorAccent, 0)
	}
}

func (r *tabRenderer) Refresh() {
	r.colours()
	r.t.text.Refresh()
	r.t.line.Refresh()
	r.t.back.Refresh()
}

// chip is a switch of a filter: a word in a frame, filled when on.
type chip struct {
	widget.BaseWidget
	look   *look
	text   *canvas.Text
	back   *canvas.Rectangle
	on     bool
	tapped func(on bool)
}

func newChip(l *look, text string, on bool, tapped func(bool)) *chip {
	c := &chip{look: l, text: canvas.NewText(text, nil), back: canvas.NewRectangle(nil), on: on, tapped: tapped}
	c.text.TextSize, c.text.Alignment = 12, fyne.TextAlignCenter
	c.back.CornerRadius, c.back.StrokeWidth = 11, 1
	c.ExtendBaseWidget(c)
	return c
}

// Tapped implements fyne.Tappable.
func (c *chip) Tapped(*fyne.PointEvent) {
	c.on = !c.on
	c.Refresh()
	c.tapped(c.on)
}

func (c *chip) set(text string, on bool) {
	if c.text.Text != text || c.on != on {
		c.text.Text, c.on = text, on
		c.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (c *chip) CreateRenderer() fyne.WidgetRenderer {
	r := &chipRenderer{c}
	r.colours()
	return r
}

type chipRenderer struct{ c *chip }

func (r *chipRenderer) Layout(s fyne.Size) {
	r.c.back.Resize(fyne.NewSize(s.Width, 22))
	r.c.back.Move(fyne.NewPos(0, (s.Height-22)/2))
	r.c.text.Resize(s)
}

func (r *chipRenderer) MinSize() fyne.Size {
	return fyne.NewSize(fyne.MeasureText(r.c.text.Text, r.c.text.TextSize, r.c.text.TextStyle).Width+20, 24)
}

func (r *chipRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.c.back, r.c.text}
}
func (r *chipRenderer) Destroy() {}

func (r *chipRenderer) colours() {
	c := r.c
	c.text.Color, c.back.FillColor, c.back.StrokeColor = c.look.Color(colorFaint, 0), color.Transparent, c.look.Color(theme.ColorNameInputBorder, 0)
	if c.on {
		c.text.Color, c.back.FillColor, c.back.StrokeColor = c.look.Color(theme.ColorNameForeground, 0), c.look.Color(theme.ColorNameSelection, 0), c.look.Color(colorAccent, 0)
	}
}

func (r *chipRenderer) Refresh() {
	r.colours()
	r.c.text.Refresh()
	r.c.back.Refresh()
}

// rows is a virtual list that leaves keys to the window.
type rows struct {
	widget.List
	key  func(*fyne.KeyEvent)
	rune func(rune)
}

func newRows(length func() int, create func() fyne.CanvasObject, update func(int, fyne.CanvasObject)) *rows {
	r := &rows{}
	r.Length, r.CreateItem, r.UpdateItem, r.HideSeparators = length, create, update, true
	r.ExtendBaseWidget(r)
	return r
}

// TypedKey implements fyne.Focusable.
func (r *rows) TypedKey(e *fyne.KeyEvent) {
	if r.key != nil {
		r.key(e)
	}
}

// TypedRune implements fyne.Focusable.
func (r *rows) TypedRune(c rune) {
	if r.rune != nil {
		r.rune(c)
	}
}

// fixedWidth gives something a width.
type fixedWidth struct{ width float32 }

// Layout implements fyne.Layout.
func (f fixedWidth) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		o.Resize(s)
		o.Move(fyne.NewPos(0, 0))
	}
}

// MinSize implements fyne.Layout.
func (f fixedWidth) MinSize(objects []fyne.CanvasObject) fyne.Size {
	h := float32(0)
	for _, o := range objects {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(f.width, h)
}

func wide(width float32, o fyne.CanvasObject) fyne.CanvasObject {
	return container.New(fixedWidth{width}, o)
}
