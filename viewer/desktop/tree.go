package desktop

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/model"
)

// treePanel is the list of sources and their meters. It is a list and no tree widget: what is folded takes no time, ten thousand meters neither.
type treePanel struct {
	w      *Window
	root   fyne.CanvasObject
	search *widget.Entry
	list   *rows
	lines  []model.TreeRow
	count  *words
}

func newTreePanel(w *Window) *treePanel {
	t := &treePanel{w: w, search: widget.NewEntry(), count: newWords(w.look, "", 11, colorFaint, false)}
	t.search.SetPlaceHolder("Find a meter")
	t.search.OnChanged = func(string) { t.refresh() }
	t.list = newRows(func() int { return len(t.lines) }, func() fyne.CanvasObject { return newTreeLine(t) }, func(i int, o fyne.CanvasObject) {
		if i < len(t.lines) {
			o.(*treeLine).set(t.lines[i])
		}
	})
	head := container.NewBorder(nil, nil, newWords(w.look, "Sources and meters", 12, colorFaint, true), t.count)
	top := container.NewVBox(inset(8, 4, 10, 10, head), inset(0, 6, 8, 8, t.search))
	t.root = container.NewBorder(nil, nil, nil, rule(w.look), panel(w.look, container.NewBorder(top, nil, nil, nil, t.list)))
	return t
}

func (t *treePanel) refresh() {
	t.lines = t.w.session.Tree(t.search.Text)
	if n := len(t.w.session.Meters()); n > 0 {
		t.count.set(countText(len(t.w.session.Selected()), n))
	} else {
		t.count.set("")
	}
	t.list.Refresh()
}

// treeLine is a line of the tree. A click shows one meter, a click on the box or with ctrl one more.
type treeLine struct {
	widget.BaseWidget
	t     *treePanel
	row   model.TreeRow
	name  *canvas.Text
	sub   *canvas.Text
	box   *canvas.Image
	back  *canvas.Rectangle
	close *canvas.Image
	hover bool
	mods  fyne.KeyModifier
}

var (
	_ desktop.Hoverable = (*treeLine)(nil)
	_ desktop.Mouseable = (*treeLine)(nil)
)

func newTreeLine(t *treePanel) *treeLine {
	l := &treeLine{t: t, name: canvas.NewText("", nil), sub: canvas.NewText("", nil), back: canvas.NewRectangle(nil)}
	l.name.TextSize, l.sub.TextSize = 13, 11
	l.box = canvas.NewImageFromResource(theme.CheckButtonIcon())
	l.close = canvas.NewImageFromResource(theme.CancelIcon())
	l.back.CornerRadius = 4
	l.ExtendBaseWidget(l)
	return l
}

func (l *treeLine) set(row model.TreeRow) {
	l.row = row
	l.Refresh()
}

// MouseDown implements desktop.Mouseable.
func (l *treeLine) MouseDown(e *desktop.MouseEvent) { l.mods = e.Modifier }

// MouseUp implements desktop.Mouseable.
func (l *treeLine) MouseUp(*desktop.MouseEvent) {}

// Tapped implements fyne.Tappable.
func (l *treeLine) Tapped(e *fyne.PointEvent) {
	w := l.t.w
	switch {
	case l.row.Meter != nil:
		w.select1(l.row.Meter, e.Position.X < 42 || l.mods&(fyne.KeyModifierControl|fyne.KeyModifierSuper) != 0)
	case e.Position.X > l.Size().Width-28:
		w.session.Remove(l.row.Source)
		w.tree.refresh()
		w.restage()
		w.reload()
	case l.row.Source.Err != nil:
		w.open(l.row.Source.Target)
	default:
		l.row.Source.Unfolded = !l.row.Source.Unfolded
		w.tree.refresh()
	}
}

// TappedSecondary shows what a file leaves open.
func (l *treeLine) TappedSecondary(*fyne.PointEvent) {
	l.t.w.showNotes(l.row.Source)
}

// MouseIn implements desktop.Hoverable.
func (l *treeLine) MouseIn(*desktop.MouseEvent) {
	l.hover = true
	l.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (l *treeLine) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (l *treeLine) MouseOut() {
	l.hover = false
	l.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (l *treeLine) CreateRenderer() fyne.WidgetRenderer { return &treeLineRenderer{l} }

type treeLineRenderer struct{ l *treeLine }

func (r *treeLineRenderer) MinSize() fyne.Size { return fyne.NewSize(120, 40) }
func (r *treeLineRenderer) Destroy()           {}
func (r *treeLineRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.l.back, r.l.box, r.l.name, r.l.sub, r.l.close}
}

func (r *treeLineRenderer) Layout(s fyne.Size) {
	l := r.l
	left := float32(26)
	if l.row.Meter != nil {
		left = 42
	}
	l.back.Resize(fyne.NewSize(s.Width-8, s.Height-2))
	l.back.Move(fyne.NewPos(4, 1))
	l.box.Resize(fyne.NewSize(16, 16))
	l.box.Move(fyne.NewPos(left-20, 4))
	l.close.Resize(fyne.NewSize(12, 12))
	l.close.Move(fyne.NewPos(s.Width-24, 6))
	name, sub := l.texts()
	cut(l.name, name, s.Width-left-30)
	cut(l.sub, sub, s.Width-left-10)
	l.name.Resize(fyne.NewSize(s.Width-left, 18))
	l.name.Move(fyne.NewPos(left, 3))
	l.sub.Resize(fyne.NewSize(s.Width-left, 14))
	l.sub.Move(fyne.NewPos(left, 21))
}

func (l *treeLine) texts() (name, sub string) {
	switch {
	case l.row.Meter != nil:
		return l.row.Meter.Title(), meterText(l.row.Meter)
	case l.row.Source != nil:
		return l.row.Source.Title, l.row.Source.Subtitle()
	}
	return "", ""
}

func (r *treeLineRenderer) Refresh() {
	l := r.l
	look := l.t.w.look
	l.name.Color, l.sub.Color = look.Color(theme.ColorNameForeground, 0), look.Color(colorFaint, 0)
	l.name.TextStyle.Bold = l.row.Meter == nil
	l.back.FillColor = look.Color(colorPanel, 0)
	if l.hover {
		l.back.FillColor = look.Color(theme.ColorNameHover, 0)
	}
	l.close.Resource = theme.NewColoredResource(theme.CancelIcon(), colorFaint)
	l.close.Hidden = l.row.Meter != nil || !l.hover
	switch {
	case l.row.Meter != nil && l.row.Meter.Selected:
		l.box.Resource = theme.NewColoredResource(theme.CheckButtonCheckedIcon(), colorAccent)
	case l.row.Meter != nil:
		l.box.Resource = theme.NewColoredResource(theme.CheckButtonIcon(), colorFaint)
	case l.row.Source == nil:
	case l.row.Source.State == model.Failed || l.row.Source.State == model.Stale:
		l.box.Resource = theme.NewColoredResource(theme.WarningIcon(), theme.ColorNameError)
		l.sub.Color = look.Color(theme.ColorNameError, 0)
	case l.row.Source.Unfolded:
		l.box.Resource = theme.NewColoredResource(theme.MenuDropDownIcon(), colorFaint)
	default:
		l.box.Resource = theme.NewColoredResource(theme.MenuExpandIcon(), colorFaint)
	}
	r.Layout(l.Size())
	for _, o := range r.Objects() {
		o.Refresh()
	}
}

func countText(selected, all int) string { return fmt.Sprintf("%d of %d", selected, all) }

// meterText says what a meter is.
func meterText(m *model.Meter) string {
	s := &m.Settings
	text := strings.TrimSpace(s.Make + " " + s.Model)
	if s.Serial != "" {
		text = strings.TrimSpace(text + " · " + s.Serial)
	}
	if text == "" {
		text = string(m.UID)
	}
	return strings.TrimPrefix(text, "· ")
}
