package chart

import (
	"image/color"
	"math"
	"slices"
	"sort"
	"time"
)

// Trend is values over time.
type Trend struct {
	Title    string
	From, To int64 // ms since 1970
	Zone     *time.Location
	Series   []TrendSeries
	// Marks are moments with a word: a replaced meter, a step of the clock.
	Marks []Mark
	// Note stands at the right of the title, beside the zone.
	Note string
}

// TrendSeries is one line.
type TrendSeries struct {
	Name string
	Unit string // "ratio" is written as percent
	// Times rise; ms since 1970, as doubles so that the reduction needs no copy.
	Times, Values []float64
	// Low and High, of the same length, make a band behind the line; both nil without.
	Low, High []float64
	// MaxGap is the longest distance in ms that is drawn as a line; 0: only NaN is a gap.
	MaxGap float64
	// Right puts the line on the second axis.
	Right bool
	// Steps draws each value as a level that holds until the next.
	Steps bool
	// Like, when not 0, is the number of the series, from 1, whose colour this one has, faded: the same of an earlier time.
	Like int
}

// Mark is a moment.
type Mark struct {
	At   int64
	Text string
	Bad  bool
}

func (t *Trend) zone() *time.Location {
	if t.Zone == nil {
		return time.UTC
	}
	return t.Zone
}

func (t *Trend) draw(p *pen) []Area {
	note := timeNote(t.From, t.To, t.zone())
	if t.Note != "" {
		note = t.Note + " · " + note
	}
	top := p.heading(t.Title, note)
	keys := make([]key, len(t.Series))
	for i := range t.Series {
		keys[i] = key{t.Series[i].Name, t.color(p, i)}
		if t.Series[i].Right {
			keys[i].name += " →"
		}
	}
	top += p.legend(box{10, top, p.width - 10, p.height}, keys) + 4
	g := &grid{area: Area{XFrom: float64(t.From), XTo: float64(t.To), XIsTime: true, Name: "trend"}, keepBaseline: true}
	bottom := p.height - p.st.FontPt*2.2
	left, ok := t.axis(p, false, bottom-top)
	right, second := t.axis(p, true, bottom-top)
	g.area.YFrom, g.area.YTo, g.yTicks, g.yTitle = left.low, left.high, left.ticks, left.title
	marginLeft, marginRight := p.margin(left.ticks, left.title), 12.0
	if second {
		g.right, g.rightTitle, g.rightFrom, g.rightTo = right.ticks, right.title, right.low, right.high
		marginRight = p.margin(right.ticks, right.title)
	}
	g.b = box{10 + marginLeft, top, p.width - marginRight, bottom}
	if g.b.width() < 20 || g.b.height() < 20 {
		return nil
	}
	g.xTicks = TimeTicks(t.From, t.To, t.zone(), count(g.b.width(), p.st.FontPt*7))
	g.draw(p)
	for i := range t.Series {
		if t.Series[i].Like > 0 { // behind the others
			t.Series[i].draw(p, g, t.color(p, i))
		}
	}
	for i := range t.Series {
		if t.Series[i].Like == 0 {
			t.Series[i].draw(p, g, t.color(p, i))
		}
	}
	for _, m := range t.Marks {
		t.mark(p, g, m)
	}
	if !ok && !second {
		p.message(g.b, "No data in this time")
	}
	g.area.Left, g.area.Right, g.area.Top, g.area.Bottom = g.b.left, g.b.right, g.b.top, g.b.bottom
	return []Area{g.area}
}

// color is that of series i.
func (t *Trend) color(p *pen, i int) color.Color {
	like := t.Series[i].Like
	if like == 0 {
		return p.st.line(i)
	}
	r, g, b, _ := p.st.line(like - 1).RGBA()
	br, bg, bb, _ := p.st.Background.RGBA()
	mix := func(c, back uint32) uint8 { return uint8((c*45 + back*55) / 100 >> 8) }
	return color.NRGBA{mix(r, br), mix(g, bg), mix(b, bb), 255}
}

// side is one vertical axis.
type side struct {
	low, high float64
	ticks     []Tick
	title     string
}

// axis finds the span, marks and title of one side; false when it has no values.
func (t *Trend) axis(p *pen, right bool, height float64) (side, bool) {
	low, high, any := math.Inf(1), math.Inf(-1), false
	unit, mixed := "", false
	for i := range t.Series {
		s := &t.Series[i]
		if s.Right != right {
			continue
		}
		a, b := s.visible(float64(t.From), float64(t.To))
		lists := [][]float64{s.Values[a:b]}
		if s.Low != nil {
			lists = append(lists, s.Low[a:b], s.High[a:b])
		}
		if l, h, ok := span(lists...); ok {
			low, high, any = min(low, l), max(high, h), true
		}
		mixed = mixed || unit != "" && s.Unit != unit
		unit = s.Unit
	}
	if !any {
		low, high = 0, 1
	}
	if mixed {
		unit = ""
	}
	low, high = room(low, high)
	scale := ScaleFor(unit, low, high)
	return side{low, high, atLeastTwo(low, high, scale, count(height, p.st.FontPt*3.2)), scale.Unit}, any
}

// visible returns the indices of the values to draw: those inside and one on each side.
func (s *TrendSeries) visible(from, to float64) (first, last int) {
	first = max(0, sort.SearchFloat64s(s.Times, from)-1)
	last = min(len(s.Times), sort.SearchFloat64s(s.Times, to)+1)
	return first, max(first, last)
}

func (s *TrendSeries) draw(p *pen, g *grid, c color.Color) {
	place := g.py
	if s.Right {
		place = g.pyRight
	}
	first, last := s.visible(g.area.XFrom, g.area.XTo)
	columns := int(math.Ceil(g.b.width() * 96 / 72)) // of a screen
	clip := clipper{g.b}
	if s.Low != nil {
		s.band(p, g, place, c, first, last)
	}
	if last-first <= 4*columns {
		clip.polylines(p, s.points(g, place, first, last), c, 1.2*p.st.LinePt)
		return
	}
	envelope(p, g.b, Reduce(s.Times, s.Values, g.area.XFrom, g.area.XTo, columns, s.MaxGap), place, c)
}

// points makes lines of the values, broken at gaps.
func (s *TrendSeries) points(g *grid, place func(float64) float64, first, last int) (out [][][2]float64) {
	var run [][2]float64
	end := func() {
		if len(run) > 0 {
			out = append(out, run)
		}
		run = nil
	}
	for i := first; i < last; i++ {
		if math.IsNaN(s.Values[i]) {
			end()
			continue
		}
		if s.MaxGap > 0 && i > first && s.Times[i]-s.Times[i-1] > s.MaxGap {
			end()
		}
		x, y := g.px(s.Times[i]), place(s.Values[i])
		if s.Steps && len(run) > 0 {
			run = append(run, [2]float64{x, run[len(run)-1][1]})
		}
		run = append(run, [2]float64{x, y})
	}
	end()
	return out
}

// band fills between Low and High. What reaches much further than the rest, a single spike, is drawn as a line too: a pale band of a pixel is not
// seen.
func (s *TrendSeries) band(p *pen, g *grid, place func(float64) float64, c color.Color, first, last int) {
	r, gg, b, _ := c.RGBA()
	faint := color.NRGBA{uint8(r >> 8), uint8(gg >> 8), uint8(b >> 8), 46}
	strong := color.NRGBA{uint8(r >> 8), uint8(gg >> 8), uint8(b >> 8), 150}
	usual := s.usualBand(first, last)
	var up, down [][2]float64
	flush := func() {
		if len(up) > 1 {
			slices.Reverse(down)
			p.polygon(append(up, down...), faint)
		}
		up, down = nil, nil
	}
	for i := first; i < last; i++ {
		if math.IsNaN(s.Low[i]) || s.MaxGap > 0 && i > first && s.Times[i]-s.Times[i-1] > s.MaxGap {
			flush()
		}
		if math.IsNaN(s.Low[i]) {
			continue
		}
		x := min(max(g.px(s.Times[i]), g.b.left), g.b.right) // the fill ends at the edges of the plot
		high, low := [2]float64{x, place(s.High[i])}, [2]float64{x, place(s.Low[i])}
		if s.High[i]-s.Low[i] > 4*usual && x > g.b.left && x < g.b.right {
			p.line(x, high[1], x, low[1], strong, 0.9*p.st.LinePt)
		}
		up, down = append(up, high), append(down, low)
		if len(up) > 4*chunk { // goes on from the same place
			flush()
			up, down = append(up, high), append(down, low)
		}
	}
	flush()
}

// usualBand is the median of how far High and Low are apart.
func (s *TrendSeries) usualBand(first, last int) float64 {
	var widths []float64
	for i := first; i < last; i++ {
		if w := s.High[i] - s.Low[i]; w == w {
			widths = append(widths, w)
		}
	}
	if len(widths) == 0 {
		return 0
	}
	slices.Sort(widths)
	return widths[len(widths)/2]
}

func (t *Trend) mark(p *pen, g *grid, m Mark) {
	x := g.px(float64(m.At))
	if x < g.b.left || x > g.b.right {
		return
	}
	c := p.st.Faint
	if m.Bad {
		c = p.st.Bad
	}
	p.line(x, g.b.top, x, g.b.bottom, c, 0.8, 3, 2)
	align := toRight
	if x > (g.b.left+g.b.right)/2 {
		align = toLeft
	}
	p.text(x+4-8*align, g.b.top+p.st.FontPt, m.Text, align, p.st.FontPt, c)
}

// envelope fills each column from its lowest to its highest value, joined to the one before it, so that no spike is lost.
func envelope(p *pen, b box, columns []Column, place func(float64) float64, c color.Color) {
	width := b.width() / float64(len(columns))
	thin := 0.8 * p.st.LinePt
	var up, down [][2]float64
	flush := func() {
		if len(up) > 0 {
			for i := len(down) - 1; i >= 0; i-- {
				up = append(up, down[i])
			}
			p.polygon(up, c)
		}
		up, down = nil, nil
	}
	before := -2
	for i := range columns {
		k := &columns[i]
		if k.Count == 0 {
			continue
		}
		high, low := k.Max, k.Min
		joined := before == i-1 && !k.Break
		if joined { // touch the column before
			high, low = max(high, min(columns[before].Last, k.First)), min(low, max(columns[before].Last, k.First))
			high, low = max(high, columns[before].Last), min(low, columns[before].Last)
		} else if before >= 0 && !k.Break { // columns between have no value, and no gap either
			flush()
			x0, x1 := b.left+(float64(before)+0.5)*width, b.left+(float64(i)+0.5)*width
			p.line(x0, place(columns[before].Last), x1, place(k.First), c, 1.2*p.st.LinePt)
		}
		if !joined || len(up) >= 2*chunk {
			flush()
		}
		top, bottom := max(b.top, place(high)), min(b.bottom, place(low))
		if bottom-top < thin {
			middle := (top + bottom) / 2
			top, bottom = middle-thin/2, middle+thin/2
		}
		x0, x1 := b.left+float64(i)*width, b.left+float64(i+1)*width
		up = append(up, [2]float64{x0, top}, [2]float64{x1, top})
		down = append(down, [2]float64{x0, bottom}, [2]float64{x1, bottom})
		before = i
	}
	flush()
}

// clipper cuts lines at the edges of a plot.
type clipper struct{ b box }

func (c clipper) polylines(p *pen, runs [][][2]float64, col color.Color, width float64) {
	for _, run := range runs {
		if len(run) == 1 { // a value between two gaps
			if q := run[0]; q[0] >= c.b.left && q[0] <= c.b.right && q[1] >= c.b.top && q[1] <= c.b.bottom {
				p.dot(q[0], q[1], width, col, false)
			}
			continue
		}
		var part [][2]float64
		for i := 1; i < len(run); i++ {
			a, b, ok := c.segment(run[i-1], run[i])
			if !ok {
				p.lines(part, col, width)
				part = nil
				continue
			}
			if len(part) == 0 || part[len(part)-1] != a {
				p.lines(part, col, width)
				part = [][2]float64{a}
			}
			part = append(part, b)
		}
		p.lines(part, col, width)
	}
}

// segment cuts one line (Liang and Barsky); false when it lies outside.
func (c clipper) segment(a, b [2]float64) (from, to [2]float64, ok bool) {
	t0, t1 := 0.0, 1.0
	dx, dy := b[0]-a[0], b[1]-a[1]
	for _, e := range [4][2]float64{{-dx, a[0] - c.b.left}, {dx, c.b.right - a[0]}, {-dy, a[1] - c.b.top}, {dy, c.b.bottom - a[1]}} {
		switch {
		case e[0] == 0 && e[1] < 0:
			return a, b, false
		case e[0] < 0:
			t0 = max(t0, e[1]/e[0])
		case e[0] > 0:
			t1 = min(t1, e[1]/e[0])
		}
	}
	if t0 > t1 {
		return a, b, false
	}
	from, to = a, b
	if t0 > 0 {
		from = [2]float64{a[0] + t0*dx, a[1] + t0*dy}
	}
	if t1 < 1 {
		to = [2]float64{a[0] + t1*dx, a[1] + t1*dy}
	}
	return from, to, true
}
