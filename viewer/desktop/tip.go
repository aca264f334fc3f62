package desktop

import (
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
)

// tipBox is a small card beside the pointer. It is made of canvas objects only, so that it takes no events from the plot below it.
type tipBox struct {
	back  *canvas.Rectangle
	lines [6]*canvas.Text
}

func newTip() *tipBox {
	t := &tipBox{back: canvas.NewRectangle(nil)}
	t.back.CornerRadius = 4
	t.back.StrokeWidth = 1
	for i := range t.lines {
		t.lines[i] = canvas.NewText("", nil)
		t.lines[i].TextSize = 12
	}
	t.lines[0].TextStyle.Bold = true
	t.hide()
	return t
}

func (t *tipBox) objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{t.back}
	for _, l := range t.lines {
		out = append(out, l)
	}
	return out
}

func (t *tipBox) colours(l *look) {
	t.back.FillColor, t.back.StrokeColor = l.Color(colorPanel, 0), l.Color(theme.ColorNameInputBorder, 0)
	for _, x := range t.lines {
		x.Color = l.Color(theme.ColorNameForeground, 0)
	}
}

func (t *tipBox) hide() {
	if !t.back.Visible() {
		return
	}
	for _, o := range t.objects() {
		o.Hide()
	}
}

// show writes lines beside a place, inside of a size.
func (t *tipBox) show(text string, at fyne.Position, inside fyne.Size) {
	rows := strings.Split(text, "\n")
	width, height := float32(0), float32(8)
	for i, l := range t.lines {
		if i >= len(rows) {
			l.Hide()
			continue
		}
		l.Text = rows[i]
		size := l.MinSize()
		width, height = max(width, size.Width), height+size.Height
	}
	width += 16
	x, y := at.X+14, at.Y+14
	if x+width > inside.Width {
		x = max(0, at.X-width-10)
	}
	if y+height > inside.Height {
		y = max(0, inside.Height-height)
	}
	t.back.Resize(fyne.NewSize(width, height))
	t.back.Move(fyne.NewPos(x, y))
	t.back.Show()
	t.back.Refresh()
	y += 4
	for i, l := range t.lines {
		if i < len(rows) {
			l.Move(fyne.NewPos(x+8, y))
			l.Show()
			l.Refresh()
			y += l.MinSize().Height
		}
	}
}

func nrgba(r, g, b uint32, alpha uint8) color.Color {
	return color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), alpha}
}
