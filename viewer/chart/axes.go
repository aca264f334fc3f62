package chart

import (
	"math"
	"time"
)

// grid draws the axes of one plot.
type grid struct {
	area         Area
	b            box
	xTicks       []Tick
	yTicks       []Tick
	yTitle       string
	right        []Tick // of a second axis, placed by rightFrom and rightTo
	rightTitle   string
	rightFrom    float64
	rightTo      float64
	hideX        bool // labels of the x axis
	keepBaseline bool // a line at 0
}

// px and py place values.
func (g *grid) px(v float64) float64 {
	from, to := g.area.XFrom, g.area.XTo
	if g.area.XLog {
		from, to, v = math.Log10(from), math.Log10(to), math.Log10(max(v, g.area.XFrom/1e3))
	}
	return g.b.left + (v-from)/(to-from)*g.b.width()
}

func (g *grid) py(v float64) float64 {
	return g.b.bottom - (v-g.area.YFrom)/(g.area.YTo-g.area.YFrom)*g.b.height()
}

func (g *grid) pyRight(v float64) float64 {
	return g.b.bottom - (v-g.rightFrom)/(g.rightTo-g.rightFrom)*g.b.height()
}

// draw draws grid lines, labels and frame.
func (g *grid) draw(p *pen) {
	st, size := &p.st, p.st.FontPt
	for _, t := range g.yTicks {
		y := g.py(t.Value)
		p.line(g.b.left, y, g.b.right, y, st.Grid, 0.6)
		p.text(g.b.left-5, y, t.Label, toLeft, size, st.Text)
	}
	for _, t := range g.right {
		p.text(g.b.right+5, g.pyRight(t.Value), t.Label, toRight, size, st.Text)
	}
	last := math.Inf(-1)
	for _, t := range g.xTicks {
		x := g.px(t.Value)
		if x < g.b.left-0.5 || x > g.b.right+0.5 {
			continue
		}
		p.line(x, g.b.top, x, g.b.bottom, st.Grid, 0.6)
		half := p.textWidth(t.Label, size) / 2
		if !g.hideX && x-half > last+4 {
			p.text(min(x, p.width-4-half), g.b.bottom+size*1.1, t.Label, centred, size, st.Text)
			last = x + half
		}
	}
	if g.keepBaseline && g.area.YFrom < 0 && g.area.YTo > 0 {
		p.line(g.b.left, g.py(0), g.b.right, g.py(0), st.Axis, 0.8)
	}
	p.frame(g.b, st.Axis, 0.6)
	g.title(p, g.b.left-p.labelWidth(g.yTicks)-12-size*0.3, g.yTitle)
	g.title(p, g.b.right+p.labelWidth(g.right)+12+size*0.3, g.rightTitle)
}

// title writes the title of a vertical axis: upwards, but for a letter or two, which nobody reads turned.
func (g *grid) title(p *pen, x float64, text string) {
	switch y := (g.b.top + g.b.bottom) / 2; {
	case text == "":
	case len([]rune(text)) <= 2:
		p.text(x, y, text, centred, p.st.FontPt, p.st.Faint)
	default:
		p.turned(x, y, text, p.st.FontPt, p.st.Faint)
	}
}

// labelWidth is the width of the widest label.
func (p *pen) labelWidth(ticks []Tick) float64 {
	w := 0.0
	for _, t := range ticks {
		w = max(w, p.textWidth(t.Label, p.st.FontPt))
	}
	return w
}

// margin is the room that labels and title of an axis need.
func (p *pen) margin(ticks []Tick, title string) float64 {
	w := p.labelWidth(ticks) + 10
	if title != "" {
		w += p.st.FontPt * 1.5
	}
	return w
}

// span is the lowest and highest of values; ok is false without any.
func span(lists ...[]float64) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, list := range lists {
		for _, v := range list {
			if v < low && v-v == 0 { // neither NaN nor infinite
				low = v
			}
			if v > high && v-v == 0 {
				high = v
			}
		}
	}
	return low, high, low <= high
}

// room widens a span so that lines do not lie on the frame; a flat one gets some height.
func room(low, high float64) (float64, float64) {
	if low == high {
		d := math.Max(math.Abs(low)*0.05, 1e-9)
		if low == 0 {
			d = 1
		}
		return low - d, high + d
	}
	d := (high - low) * 0.06
	return low - d, high + d
}

// atLeastTwo returns marks for about most of them, two at least: one mark tells no scale.
func atLeastTwo(low, high float64, scale Scale, most int) []Tick {
	for n := most; n < 2*most+3; n++ {
		if ticks := ValueTicks(low, high, scale, n); len(ticks) > 1 {
			return ticks
		}
	}
	return ValueTicks(low, high, scale, most)
}

// count is how many marks a length has room for.
func count(length, each float64) int { return max(2, int(length/each)) }

// timeNote says in which zone times are written.
func timeNote(from, to int64, zone *time.Location) string {
	a, b := time.UnixMilli(from).In(zone), time.UnixMilli(to).In(zone)
	name := zone.String()
	if name != "UTC" && a.Format("-07:00") == b.Format("-07:00") {
		name += a.Format(" (UTC-07:00)")
	}
	switch {
	case a.Format("2006-01-02") == b.Add(-time.Millisecond).Format("2006-01-02"):
		return a.Format("2 Jan 2006") + ", " + name
	case a.Year() == b.Year():
		return a.Format("2 Jan") + " – " + b.Format("2 Jan 2006") + ", " + name
	}
	return a.Format("2 Jan 2006") + " – " + b.Format("2 Jan 2006") + ", " + name
}

// message writes what there is to say where no data are.
func (p *pen) message(b box, text string) {
	p.text((b.left+b.right)/2, (b.top+b.bottom)/2, p.fit(text, p.st.FontPt*1.1, b.width()-20), centred, p.st.FontPt*1.1, p.st.Faint)
}
