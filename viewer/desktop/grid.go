package desktop

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// fillGrid writes small lines of texts in columns; the first is the heading. Lines that are there are used again, since the grid follows the
// pointer. color is the series of a line, negative without.
func fillGrid(l *look, box *fyne.Container, grid [][]string, widths []float32, color func(row int) int) {
	for len(box.Objects) > len(grid) {
		box.Objects = box.Objects[:len(box.Objects)-1]
	}
	for len(box.Objects) < len(grid) {
		box.Add(newGridLine(l, len(widths)))
	}
	for i, cells := range grid {
		line := box.Objects[i].(*fyne.Container)
		lay := line.Layout.(*gridLine)
		lay.widths = widths
		bar := line.Objects[0].(*canvas.Rectangle)
		bar.FillColor = l.Color(colorPanel, 0)
		if i > 0 {
			if k := color(i); k >= 0 {
				bar.FillColor = l.series(k)
			}
		}
		for k, s := range cells {
			t := line.Objects[k+1].(*canvas.Text)
			t.Color = l.Color(theme.ColorNameForeground, 0)
			if i == 0 || s == "–" {
				t.Color = l.Color(colorFaint, 0)
			}
			lay.full[k] = s
			if k > 0 {
				t.Alignment = fyne.TextAlignTrailing
			}
		}
		line.Layout.Layout(line.Objects, line.Size())
		line.Refresh()
	}
	box.Refresh()
}

func newGridLine(l *look, n int) *fyne.Container {
	bar := canvas.NewRectangle(l.Color(colorPanel, 0))
	bar.CornerRadius = 1.5
	objects := []fyne.CanvasObject{bar}
	for range n {
		t := canvas.NewText("", nil)
		t.TextSize = 12
		objects = append(objects, t)
	}
	return container.New(&gridLine{full: make([]string, n)}, objects...)
}

// gridLine lays out a line; width 0 takes what is left.
type gridLine struct {
	widths []float32
	full   []string
}

// Layout implements fyne.Layout.
func (g *gridLine) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	fixed := float32(0)
	for _, w := range g.widths {
		fixed += w
	}
	objects[0].Resize(fyne.NewSize(12, 3))
	objects[0].Move(fyne.NewPos(0, (s.Height-3)/2))
	x := float32(18)
	for i, w := range g.widths {
		if i+1 >= len(objects) {
			return
		}
		if w == 0 {
			w = max(40, s.Width-fixed-18)
		}
		t := objects[i+1].(*canvas.Text)
		cut(t, g.full[i], w-6)
		t.Resize(fyne.NewSize(w-6, s.Height))
		t.Move(fyne.NewPos(x, 0))
		x += w
	}
}

// MinSize implements fyne.Layout.
func (g *gridLine) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(120, 17) }
