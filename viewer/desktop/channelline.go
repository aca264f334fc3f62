package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/model"
)

// channelLine is a channel that can be put into the graph: a click does it, a click on the axis' letter moves it to the other axis.
type channelLine struct {
	widget.BaseWidget
	v     *trendView
	c     model.TrendChannel
	name  *canvas.Text
	sub   *canvas.Text
	axis  *canvas.Text
	box   *canvas.Image
	bar   *canvas.Rectangle
	back  *canvas.Rectangle
	hover bool
}

var _ desktop.Hoverable = (*channelLine)(nil)

func newChannelLine(v *trendView) *channelLine {
	l := &channelLine{v: v, name: canvas.NewText("", nil), sub: canvas.NewText("", nil), axis: canvas.NewText("", nil), back: canvas.NewRectangle(nil), bar: canvas.NewRectangle(nil)}
	l.name.TextSize, l.sub.TextSize, l.axis.TextSize = 13, 11, 11
	l.box = canvas.NewImageFromResource(theme.CheckButtonIcon())
	l.back.CornerRadius = 4
	l.ExtendBaseWidget(l)
	return l
}

func (l *channelLine) set(c model.TrendChannel) {
	l.c = c
	l.Refresh()
}

// Tapped implements fyne.Tappable.
func (l *channelLine) Tapped(e *fyne.PointEvent) {
	chosen := l.v.w.trend.Index(&l.c) >= 0
	l.v.toggle(l.c, chosen && e.Position.X > l.Size().Width-44)
}

// MouseIn implements desktop.Hoverable.
func (l *channelLine) MouseIn(*desktop.MouseEvent) {
	l.hover = true
	l.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (l *channelLine) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (l *channelLine) MouseOut() {
	l.hover = false
	l.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (l *channelLine) CreateRenderer() fyne.WidgetRenderer { return &channelLineRenderer{l} }

type channelLineRenderer struct{ l *channelLine }

func (r *channelLineRenderer) MinSize() fyne.Size { return fyne.NewSize(120, 36) }
func (r *channelLineRenderer) Destroy()           {}
func (r *channelLineRenderer) Objects() []fyne.CanvasObject {
	l := r.l
	return []fyne.CanvasObject{l.back, l.bar, l.box, l.name, l.sub, l.axis}
}

func (r *channelLineRenderer) Layout(s fyne.Size) {
	l := r.l
	l.back.Resize(fyne.NewSize(s.Width-8, s.Height-2))
	l.back.Move(fyne.NewPos(4, 1))
	l.bar.Resize(fyne.NewSize(3, s.Height-12))
	l.bar.Move(fyne.NewPos(6, 6))
	l.box.Resize(fyne.NewSize(16, 16))
	l.box.Move(fyne.NewPos(14, 3))
	if l.c.Meter == nil { // not filled yet
		return
	}
	cut(l.name, l.c.Channel.Name, s.Width-84)
	cut(l.sub, l.c.Meter.Title(), s.Width-60)
	l.name.Move(fyne.NewPos(36, 2))
	l.name.Resize(fyne.NewSize(s.Width-84, 18))
	l.sub.Move(fyne.NewPos(36, 19))
	l.sub.Resize(fyne.NewSize(s.Width-60, 14))
	l.axis.Move(fyne.NewPos(s.Width-44, 4))
	l.axis.Resize(fyne.NewSize(36, 14))
}

func (r *channelLineRenderer) Refresh() {
	l := r.l
	if l.c.Meter == nil {
		return
	}
	w := l.v.w
	look := w.look
	i := w.trend.Index(&l.c)
	l.name.Color, l.sub.Color, l.axis.Color = look.Color(theme.ColorNameForeground, 0), look.Color(colorFaint, 0), look.Color(colorAccent, 0)
	l.back.FillColor, l.bar.FillColor = look.Color(colorPanel, 0), look.Color(colorPanel, 0)
	if l.hover {
		l.back.FillColor = look.Color(theme.ColorNameHover, 0)
	}
	l.axis.Text = ""
	l.box.Resource = theme.NewColoredResource(theme.CheckButtonIcon(), colorFaint)
	if i >= 0 {
		l.bar.FillColor = look.series(i)
		l.box.Resource = theme.NewColoredResource(theme.CheckButtonCheckedIcon(), colorAccent)
		l.axis.Text = "left"
		if w.trend.Chosen[i].Right {
			l.axis.Text = "right"
		}
	}
	r.Layout(l.Size())
	for _, o := range r.Objects() {
		o.Refresh()
	}
}
