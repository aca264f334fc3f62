package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// link is two lines that lead somewhere.
type link struct {
	widget.BaseWidget
	look      *look
	small     *canvas.Text
	large     *canvas.Text
	back      *canvas.Rectangle
	texts     [2]string
	tapped    func()
	highlight bool
}

var _ desktop.Hoverable = (*link)(nil)

func newLink(l *look, small, large string, tapped func()) *link {
	x := &link{look: l, small: canvas.NewText("", nil), large: canvas.NewText("", nil), back: canvas.NewRectangle(nil), texts: [2]string{small, large}, tapped: tapped}
	x.small.TextSize, x.large.TextSize = 11, 13
	x.back.CornerRadius = 4
	x.ExtendBaseWidget(x)
	return x
}

// Tapped implements fyne.Tappable.
func (x *link) Tapped(*fyne.PointEvent) { x.tapped() }

// MouseIn implements desktop.Hoverable.
func (x *link) MouseIn(*desktop.MouseEvent) {
	x.highlight = true
	x.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (x *link) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (x *link) MouseOut() {
	x.highlight = false
	x.Refresh()
}

// Cursor implements desktop.Cursorable.
func (x *link) Cursor() desktop.Cursor { return desktop.PointerCursor }

// CreateRenderer implements fyne.Widget.
func (x *link) CreateRenderer() fyne.WidgetRenderer {
	r := &linkRenderer{x}
	r.colours()
	return r
}

type linkRenderer struct{ x *link }

func (r *linkRenderer) MinSize() fyne.Size { return fyne.NewSize(60, 36) }
func (r *linkRenderer) Destroy()           {}
func (r *linkRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.x.back, r.x.small, r.x.large}
}

func (r *linkRenderer) Layout(s fyne.Size) {
	r.x.back.Resize(s)
	cut(r.x.small, r.x.texts[0], s.Width-8)
	cut(r.x.large, r.x.texts[1], s.Width-8)
	r.x.small.Move(fyne.NewPos(4, 2))
	r.x.large.Move(fyne.NewPos(4, 16))
	r.x.small.Resize(fyne.NewSize(s.Width-8, 14))
	r.x.large.Resize(fyne.NewSize(s.Width-8, 18))
}

func (r *linkRenderer) colours() {
	x := r.x
	x.small.Color, x.large.Color, x.back.FillColor = x.look.Color(colorFaint, 0), x.look.Color(colorAccent, 0), x.look.Color(colorPanel, 0)
	if x.highlight {
		x.back.FillColor = x.look.Color(theme.ColorNameHover, 0)
	}
}

func (r *linkRenderer) Refresh() {
	r.colours()
	for _, o := range r.Objects() {
		o.Refresh()
	}
}
