package desktop

import (
	"image"
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/chart"
)

// plot shows a drawing of viewer/chart. The drawing is made outside of the window's goroutine, the newest request wins; cursors are lines above the
// picture, so that moving one draws nothing anew.
type plot struct {
	widget.BaseWidget
	work *work
	look *look
	// drawing takes a picture of the model on the window's goroutine; what it returns is not changed later.
	drawing func() chart.Drawing
	least   fyne.Size

	// What people do, in values of the axes. at is a share of the width for zooming without a time axis.
	onHover  func(a *chart.Area, x, y float64, px, py float64)
	onLeave  func()
	onTap    func(a *chart.Area, x, y float64, px, py float64)
	onZoom   func(a *chart.Area, x, factor float64)
	onPan    func(a *chart.Area, dx float64)
	onBox    func(a *chart.Area, x0, x1, y0, y1 float64)
	onDouble func()
	onDrawn  func() // a new picture is shown

	raster  *canvas.Raster
	img     *image.RGBA
	spare   *image.RGBA // the picture before, to draw over
	areas   []chart.Area
	scale   float64
	drawn   int  // how many pictures were drawn
	busy    bool // one is being drawn
	pending bool
	wide    int // size in pixels that was asked for
	high    int

	cursors [2]cursorLine
	hair    *canvas.Line
	rubber  *canvas.Rectangle
	tip     *tipBox

	pressed  bool
	shift    bool
	dragging bool
	from, to fyne.Position // of a drag
	lastTap  time.Time
	boxOnly  bool // a drag chooses height too
}

// cursorLine is a cursor with its letter.
type cursorLine struct {
	line  *canvas.Line
	back  *canvas.Rectangle
	text  *canvas.Text
	value float64 // on the x axis; NaN hides it
}

var (
	_ desktop.Hoverable  = (*plot)(nil)
	_ desktop.Mouseable  = (*plot)(nil)
	_ desktop.Cursorable = (*plot)(nil)
	_ fyne.Scrollable    = (*plot)(nil)
	_ fyne.Draggable     = (*plot)(nil)
)

func newPlot(w *work, l *look, drawing func() chart.Drawing) *plot {
	p := &plot{work: w, look: l, drawing: drawing, scale: 1, least: fyne.NewSize(120, 80)}
	p.raster = canvas.NewRaster(p.picture)
	p.raster.ScaleMode = canvas.ImageScalePixels
	p.hair = canvas.NewLine(nil)
	p.hair.Hide()
	p.rubber = canvas.NewRectangle(nil)
	p.rubber.StrokeWidth = 1
	p.rubber.Hide()
	for i := range p.cursors {
		c := &p.cursors[i]
		c.value = math.NaN()
		c.line, c.back, c.text = canvas.NewLine(nil), canvas.NewRectangle(nil), canvas.NewText(string(rune('A'+i)), nil)
		c.line.StrokeWidth = 1.4
		c.text.TextStyle.Bold = true
		c.text.TextSize = 11
		c.back.CornerRadius = 3
		c.show(false)
	}
	p.tip = newTip()
	p.ExtendBaseWidget(p)
	return p
}

func (c *cursorLine) show(on bool) {
	for _, o := range []fyne.CanvasObject{c.line, c.back, c.text} {
		if on {
			o.Show()
		} else {
			o.Hide()
		}
	}
}

// Cursor implements desktop.Cursorable.
func (p *plot) Cursor() desktop.Cursor {
	if p.onBox != nil || p.onPan != nil {
		return desktop.CrosshairCursor
	}
	return desktop.DefaultCursor
}

// redraw asks for a new picture.
func (p *plot) redraw() {
	if p.wide < 64 || p.high < 64 || p.drawing == nil {
		return
	}
	if p.busy {
		p.pending = true
		return
	}
	p.busy, p.pending = true, false
	d, w, h, scale, st := p.drawing(), p.wide, p.high, p.scale, p.look.style()
	spare := p.spare
	p.spare = nil
	type picture struct {
		img   *image.RGBA
		areas []chart.Area
	}
	make := func() (picture, error) {
		img, areas, err := chart.ImageIn(spare, d, w, h, scale, st)
		return picture{img, areas}, err
	}
	done := func(x picture, err error) {
		p.busy = false
		if err == nil {
			p.spare, p.img, p.areas = p.img, x.img, x.areas
			p.drawn++
			p.placeCursors()
			p.raster.Refresh()
			if p.onDrawn != nil {
				p.onDrawn()
			}
		}
		if p.pending {
			p.redraw()
		}
	}
	if p.work.now {
		done(make())
		return
	}
	go func() {
		x, err := make()
		p.work.enter(func() { done(x, err) })
	}()
}

// picture is asked for by the canvas, in pixels. Until a picture of a new size is ready the old one is shown.
func (p *plot) picture(w, h int) image.Image {
	if w != p.wide || h != p.high {
		p.wide, p.high = w, h
		if width := p.Size().Width; width > 0 {
			p.scale = float64(w) / float64(width)
		}
		p.redraw()
	}
	if p.img == nil {
		blank := image.NewRGBA(image.Rect(0, 0, max(1, w), max(1, h)))
		c := p.look.style().Background
		r, g, b, _ := c.RGBA()
		for i := 0; i < len(blank.Pix); i += 4 {
			blank.Pix[i], blank.Pix[i+1], blank.Pix[i+2], blank.Pix[i+3] = uint8(r>>8), uint8(g>>8), uint8(b>>8), 255
		}
		return blank
	}
	return p.img
}

// setCursor puts cursor i at a value of the x axis; NaN hides it.
func (p *plot) setCursor(i int, value float64) {
	p.cursors[i].value = value
	p.placeCursors()
}

func (p *plot) placeCursors() {
	for i := range p.cursors {
		c := &p.cursors[i]
		if len(p.areas) == 0 || math.IsNaN(c.value) {
			c.show(false)
			continue
		}
		a, last := &p.areas[0], &p.areas[len(p.areas)-1]
		x := float32((a.Left + (c.value-a.XFrom)/(a.XTo-a.XFrom)*(a.Right-a.Left)) / p.scale)
		if c.value < a.XFrom || c.value > a.XTo {
			c.show(false)
			continue
		}
		top, bottom := float32(a.Top/p.scale), float32(last.Bottom/p.scale)
		c.line.Position1, c.line.Position2 = fyne.NewPos(x, top), fyne.NewPos(x, bottom)
		size := c.text.MinSize()
		c.back.Resize(fyne.NewSize(size.Width+8, size.Height+2))
		c.back.Move(fyne.NewPos(x-size.Width/2-4, top))
		c.text.Move(fyne.NewPos(x-size.Width/2, top+1))
		c.show(true)
		c.line.Refresh()
		c.back.Refresh()
		c.text.Refresh()
	}
}

// area finds the plot at a place of the widget, and the place in pixels of the picture.
func (p *plot) area(pos fyne.Position) (a *chart.Area, px, py float64) {
	px, py = float64(pos.X)*p.scale, float64(pos.Y)*p.scale
	for i := range p.areas {
		a := &p.areas[i]
		if px >= a.Left && px <= a.Right && py >= a.Top && py <= a.Bottom {
			return a, px, py
		}
	}
	return nil, px, py
}

// nearest is the plot at a height: a drag goes on beside the plots.
func (p *plot) nearest(pos fyne.Position) *chart.Area {
	if a, _, _ := p.area(pos); a != nil {
		return a
	}
	if len(p.areas) > 0 {
		return &p.areas[0]
	}
	return nil
}

// MouseIn implements desktop.Hoverable.
func (p *plot) MouseIn(e *desktop.MouseEvent) { p.MouseMoved(e) }

// MouseMoved implements desktop.Hoverable.
func (p *plot) MouseMoved(e *desktop.MouseEvent) {
	a, px, py := p.area(e.Position)
	if a == nil || p.onHover == nil {
		p.MouseOut()
		return
	}
	p.hair.Position1, p.hair.Position2 = fyne.NewPos(e.Position.X, float32(p.areas[0].Top/p.scale)), fyne.NewPos(e.Position.X, float32(p.areas[len(p.areas)-1].Bottom/p.scale))
	p.hair.Show()
	p.hair.Refresh()
	p.onHover(a, a.X(px), a.Y(py), px, py)
}

// MouseOut implements desktop.Hoverable.
func (p *plot) MouseOut() {
	if p.hair.Visible() {
		p.hair.Hide()
	}
	p.tip.hide()
	if p.onLeave != nil {
		p.onLeave()
	}
}

// MouseDown implements desktop.Mouseable.
func (p *plot) MouseDown(e *desktop.MouseEvent) {
	p.pressed, p.dragging = e.Button == desktop.MouseButtonPrimary, false
	p.shift, p.from = e.Modifier&fyne.KeyModifierShift != 0, e.Position
	if c := fyne.CurrentApp().Driver().CanvasForObject(p); c != nil {
		c.Unfocus()
	}
}

// MouseUp implements desktop.Mouseable: a click where nothing was dragged.
func (p *plot) MouseUp(e *desktop.MouseEvent) {
	if !p.pressed || p.dragging {
		p.pressed = false
		return
	}
	p.pressed = false
	now := time.Now()
	if p.onDouble != nil && now.Sub(p.lastTap) < 400*time.Millisecond {
		p.lastTap = time.Time{}
		p.onDouble()
		return
	}
	p.lastTap = now
	if a, px, py := p.area(e.Position); a != nil && p.onTap != nil {
		p.onTap(a, a.X(px), a.Y(py), px, py)
	}
}

// Dragged implements fyne.Draggable: it chooses a part, or with shift moves what is seen.
func (p *plot) Dragged(e *fyne.DragEvent) {
	p.dragging = true
	a := p.nearest(p.from)
	if a == nil {
		return
	}
	if p.shift || p.onBox == nil {
		if p.onPan != nil {
			width := (a.Right - a.Left) / p.scale
			p.onPan(a, -float64(e.Dragged.DX)/width)
		}
		return
	}
	x0, x1, y0, y1 := p.chosen(a, e.Position)
	p.rubber.Move(fyne.NewPos(x0, y0))
	p.rubber.Resize(fyne.NewSize(x1-x0, y1-y0))
	p.rubber.Show()
	p.rubber.Refresh()
	p.to = e.Position
}

// chosen is the rectangle of a drag on the widget.
func (p *plot) chosen(a *chart.Area, to fyne.Position) (x0, x1, y0, y1 float32) {
	left, right, top, bottom := float32(a.Left/p.scale), float32(a.Right/p.scale), float32(a.Top/p.scale), float32(a.Bottom/p.scale)
	clamp := func(v, low, high float32) float32 { return max(low, min(v, high)) }
	x0, x1 = clamp(p.from.X, left, right), clamp(to.X, left, right)
	if x0 > x1 {
		x0, x1 = x1, x0
	}
	if !p.boxOnly {
		return x0, x1, float32(p.areas[0].Top / p.scale), float32(p.areas[len(p.areas)-1].Bottom / p.scale)
	}
	y0, y1 = clamp(p.from.Y, top, bottom), clamp(to.Y, top, bottom)
	if y0 > y1 {
		y0, y1 = y1, y0
	}
	return x0, x1, y0, y1
}

// DragEnd implements fyne.Draggable.
func (p *plot) DragEnd() {
	p.pressed = false
	if !p.rubber.Visible() {
		return
	}
	p.rubber.Hide()
	a := p.nearest(p.from)
	if a == nil || p.onBox == nil {
		return
	}
	x0, x1, y0, y1 := p.chosen(a, p.to)
	if x1-x0 < 4 {
		return
	}
	s := p.scale
	p.onBox(a, a.X(float64(x0)*s), a.X(float64(x1)*s), a.Y(float64(y1)*s), a.Y(float64(y0)*s))
}

// Scrolled implements fyne.Scrollable: it zooms about the pointer, or moves sideways.
func (p *plot) Scrolled(e *fyne.ScrollEvent) {
	a := p.nearest(e.Position)
	if a == nil {
		return
	}
	if e.Scrolled.DX != 0 && p.onPan != nil {
		p.onPan(a, -float64(e.Scrolled.DX)/100)
		return
	}
	if p.onZoom != nil && e.Scrolled.DY != 0 {
		p.onZoom(a, a.X(float64(e.Position.X)*p.scale), math.Pow(0.8, float64(e.Scrolled.DY)/10))
	}
}

// MinSize implements fyne.Widget.
func (p *plot) MinSize() fyne.Size { return p.least }

// CreateRenderer implements fyne.Widget.
func (p *plot) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{p.raster, p.rubber, p.hair}
	for i := range p.cursors {
		c := &p.cursors[i]
		objects = append(objects, c.line, c.back, c.text)
	}
	r := &plotRenderer{p, append(objects, p.tip.objects()...)}
	r.colours()
	return r
}

type plotRenderer struct {
	p       *plot
	objects []fyne.CanvasObject
}

func (r *plotRenderer) Layout(s fyne.Size) {
	r.p.raster.Resize(s)
	r.p.placeCursors()
}
func (r *plotRenderer) MinSize() fyne.Size           { return r.p.least }
func (r *plotRenderer) Objects() []fyne.CanvasObject { return r.objects }
func (r *plotRenderer) Destroy()                     {}

func (r *plotRenderer) colours() {
	p := r.p
	accent := p.look.Color(colorAccent, 0)
	red, green, blue, _ := accent.RGBA()
	p.rubber.FillColor = nrgba(red, green, blue, 40)
	p.rubber.StrokeColor = accent
	p.hair.StrokeColor = p.look.Color(colorFaint, 0)
	p.hair.StrokeWidth = 0.7
	for i := range p.cursors {
		c := &p.cursors[i]
		c.line.StrokeColor, c.back.FillColor = p.look.Color(theme.ColorNameForeground, 0), p.look.Color(theme.ColorNameForeground, 0)
		c.text.Color = p.look.Color(theme.ColorNameBackground, 0)
	}
	p.tip.colours(p.look)
}

// Refresh follows a new theme.
func (r *plotRenderer) Refresh() {
	r.colours()
	r.p.redraw()
	for _, o := range r.objects {
		o.Refresh()
	}
}
