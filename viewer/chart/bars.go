package chart

import (
	"fmt"
	"image/color"
	"math"
	"time"
)

// Bars is quantities of intervals: energy of hours or days. A bar stands over the interval that it covers.
type Bars struct {
	Title, Note, Unit string
	From, To          int64
	Zone              *time.Location
	// Names are those of the parts of a bar, which are stacked: above zero what is positive, below it what is negative.
	Names []string
	Bars  []Bar
}

// Bar is one interval.
type Bar struct {
	From, To int64
	Parts    []float64 // NaN: nothing known
	// Coverage is the share of the interval that is known, 1 without a mark; less is drawn pale.
	Coverage float64
}

func (s *Bars) draw(p *pen) []Area {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	note := timeNote(s.From, s.To, zone)
	if s.Note != "" {
		note = s.Note + " · " + note
	}
	top := p.heading(s.Title, note)
	var keys []key
	for i, n := range s.Names {
		keys = append(keys, key{n, p.st.line(i)})
	}
	top += p.legend(box{10, top, p.width - 10, 0}, keys) + 4
	low, high, known, partial := 0.0, 0.0, false, false
	for i := range s.Bars {
		up, down := 0.0, 0.0
		for _, v := range s.Bars[i].Parts {
			if !math.IsNaN(v) {
				up, down, known = up+max(v, 0), down+min(v, 0), true
			}
		}
		low, high = min(low, down), max(high, up)
		partial = partial || s.Bars[i].Coverage < 0.9995
	}
	if high > 0 || low == 0 {
		high = max(high*1.06, 1e-9)
	}
	low *= 1.06
	scale := ScaleFor(s.Unit, low, high)
	g := &grid{area: Area{XFrom: float64(s.From), XTo: float64(s.To), XIsTime: true, YFrom: low, YTo: high, Name: "bars"}, yTitle: scale.Unit, keepBaseline: true}
	bottom := p.height - p.st.FontPt*2.2
	g.yTicks = ValueTicks(low, high, scale, count(bottom-top, p.st.FontPt*3))
	g.b = box{10 + p.margin(g.yTicks, g.yTitle), top, p.width - 12, bottom}
	if g.b.width() < 20 || g.b.height() < 20 {
		return nil
	}
	g.xTicks = TimeTicks(s.From, s.To, zone, count(g.b.width(), p.st.FontPt*7))
	g.draw(p)
	for i := range s.Bars {
		s.bar(p, g, &s.Bars[i])
	}
	if !known {
		p.message(g.b, "No data in this time")
	} else if partial {
		p.text(g.b.right-4, g.b.top+p.st.FontPt, "pale: not all of the interval is known", toLeft, p.st.FontPt, p.st.Faint)
	}
	g.area.Left, g.area.Right, g.area.Top, g.area.Bottom = g.b.left, g.b.right, g.b.top, g.b.bottom
	return []Area{g.area}
}

func (s *Bars) bar(p *pen, g *grid, b *Bar) {
	left, right := max(g.b.left, g.px(float64(b.From))), min(g.b.right, g.px(float64(b.To)))
	if right <= left {
		return
	}
	gap := min(1.5, (right-left)*0.12)
	up, down := 0.0, 0.0
	for i, v := range b.Parts {
		if math.IsNaN(v) || v == 0 {
			continue
		}
		from := up
		if v > 0 {
			up += v
		} else {
			from = down
			down += v
		}
		c := p.st.line(i)
		if b.Coverage < 0.9995 {
			r, gg, bb, _ := c.RGBA()
			c = color.NRGBA{uint8(r >> 8), uint8(gg >> 8), uint8(bb >> 8), 120}
		}
		y0, y1 := g.py(from), g.py(from+v)
		p.fill(box{left + gap, min(y0, y1), right - gap, max(y0, y1)}, c)
	}
}

// Harmonics is the orders of some signals as bars.
type Harmonics struct {
	Title, Note string
	Names       []string
	// Ratios are orders 2, 3 ... of each signal to its fundamental.
	Ratios [][]float64
	// Limits are those of orders 2, 3 ..., drawn as marks; 0 without one.
	Limits []float64
	Most   int // highest order that is shown; 0: 25
}

func (h *Harmonics) draw(p *pen) []Area {
	top := p.heading(h.Title, h.Note)
	var keys []key
	for i, n := range h.Names {
		keys = append(keys, key{n, p.st.line(i)})
	}
	top += p.legend(box{10, top, p.width - 10, 0}, keys) + 4
	most := h.Most
	if most < 2 {
		most = 25
	}
	high := 0.0
	for _, r := range h.Ratios {
		for i, v := range r {
			if i+2 <= most && !math.IsNaN(v) {
				high = max(high, v)
			}
		}
	}
	for i, v := range h.Limits {
		if i+2 <= most {
			high = max(high, v)
		}
	}
	if high = high * 1.08; high == 0 {
		high = 0.01
	}
	g := &grid{area: Area{XFrom: 1.5, XTo: float64(most) + 0.5, YFrom: 0, YTo: high, Name: "harmonics"}, yTitle: "% of the fundamental"}
	bottom := p.height - p.st.FontPt*3.4
	g.yTicks = ValueTicks(0, high, Scale{0.01, "%"}, count(bottom-top, p.st.FontPt*3))
	g.b = box{10 + p.margin(g.yTicks, g.yTitle), top, p.width - 12, bottom}
	if g.b.width() < 20 || g.b.height() < 20 {
		return nil
	}
	g.draw(p)
	width := g.b.width() / float64(most-1)
	every := max(1, int(math.Ceil(p.st.FontPt*1.8/width)))
	for order := 2; order <= most; order++ {
		if (order-2)%every == 0 {
			p.text(g.px(float64(order)), g.b.bottom+p.st.FontPt*1.1, fmt.Sprint(order), centred, p.st.FontPt, p.st.Text)
		}
		each := width * 0.8 / float64(max(1, len(h.Ratios)))
		for i, r := range h.Ratios {
			if order-2 >= len(r) || math.IsNaN(r[order-2]) {
				continue
			}
			x := g.px(float64(order)) - width*0.4 + float64(i)*each
			p.fill(box{x, g.py(r[order-2]), x + each*0.92, g.b.bottom}, p.st.line(i))
		}
		if order-2 < len(h.Limits) && h.Limits[order-2] > 0 {
			y := g.py(h.Limits[order-2])
			p.line(g.px(float64(order))-width*0.45, y, g.px(float64(order))+width*0.45, y, p.st.Bad, 1.2)
		}
	}
	p.text((g.b.left+g.b.right)/2, p.height-p.st.FontPt*0.9, "harmonic order", centred, p.st.FontPt, p.st.Faint)
	g.area.Left, g.area.Right, g.area.Top, g.area.Bottom = g.b.left, g.b.right, g.b.top, g.b.bottom
	return []Area{g.area}
}
