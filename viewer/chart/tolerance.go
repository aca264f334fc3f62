package chart

import (
	"fmt"
	"image/color"
	"math"

	"metermanager/logdb/pq"
)

// Tolerance is events against a voltage tolerance curve: how long and how deep.
type Tolerance struct {
	Title, Note string
	Curve       pq.Curve
	// Overlays are further curves, drawn as lines only.
	Overlays []pq.Curve
	Events   []TolerancePoint
	// NominalHz is for events shorter than half a cycle, which is where they are drawn; 0: 60.
	NominalHz float64
}

// TolerancePoint is one event.
type TolerancePoint struct {
	Seconds float64 // NaN: no end was seen; drawn open at the right edge
	Ratio   float64 // worst voltage to the nominal one
}

// shortest and longest bound the axis of durations.
const shortest, longest = 0.001, 100.0

func (t *Tolerance) draw(p *pen) []Area {
	top := p.heading(t.Title, t.Note)
	counts, note := t.counts()
	top += p.legend(box{10, top, p.width - 10, 0}, []key{
		{fmt.Sprintf("%s: %d", pq.Inside, counts[pq.Inside]), p.st.Good},
		{fmt.Sprintf("%s: %d", pq.NoDamage, counts[pq.NoDamage]), p.st.Warn},
		{fmt.Sprintf("%s: %d", pq.Prohibited, counts[pq.Prohibited]), p.st.Bad},
	}) + 4
	g := &grid{area: Area{XFrom: shortest, XTo: longest, XLog: true, YFrom: 0, YTo: t.ceiling(), Name: t.Curve.Name}, yTitle: "% of nominal"}
	for _, e := range t.Events {
		if e.Seconds > g.area.XTo {
			g.area.XTo = math.Pow(10, math.Ceil(math.Log10(e.Seconds)))
		}
	}
	bottom := p.height - p.st.FontPt*3.4
	g.yTicks = ValueTicks(0, g.area.YTo, Scale{0.01, "%"}, count(bottom-top, p.st.FontPt*2.8))
	g.b = box{10 + p.margin(g.yTicks, g.yTitle), top, p.width - 12, bottom}
	if g.b.width() < 20 || g.b.height() < 20 {
		return nil
	}
	g.xTicks = LogTicks(g.area.XFrom, g.area.XTo)
	t.zones(p, g)
	g.draw(p)
	t.curve(p, g, &t.Curve, 1.6)
	for i := range t.Overlays {
		t.curve(p, g, &t.Overlays[i], 0.9, 4, 3)
	}
	for _, e := range t.Events {
		t.point(p, g, e)
	}
	p.text((g.b.left+g.b.right)/2, p.height-p.st.FontPt*0.9, "duration"+note, centred, p.st.FontPt, p.st.Faint)
	g.area.Left, g.area.Right, g.area.Top, g.area.Bottom = g.b.left, g.b.right, g.b.top, g.b.bottom
	return []Area{g.area}
}

// counts counts events by region, and says what is drawn elsewhere than it lies.
func (t *Tolerance) counts() (n [3]int, note string) {
	open, brief := 0, 0
	for _, e := range t.Events {
		switch {
		case math.IsNaN(e.Seconds):
			open++
			n[t.Curve.Classify(longest, e.Ratio)]++
			continue
		case e.Seconds < t.halfCycle():
			brief++
		}
		n[t.Curve.Classify(max(e.Seconds, 0), e.Ratio)]++
	}
	if open > 0 {
		note += fmt.Sprintf(" · %d without an end at the right edge", open)
	}
	for i := range t.Overlays {
		note += " · dashed: " + t.Overlays[i].Name
	}
	if brief > 0 {
		note += fmt.Sprintf(" · %d below half a cycle", brief)
	}
	return n, note
}

func (t *Tolerance) halfCycle() float64 {
	if t.NominalHz > 0 {
		return 0.5 / t.NominalHz
	}
	return 0.5 / 60
}

// ceiling is the upper end of the axis: 200 %, or as high as the events go.
func (t *Tolerance) ceiling() float64 {
	high := 2.0
	for _, e := range t.Events {
		high = max(high, math.Ceil(e.Ratio*2*1.02)/2)
	}
	return min(high, 5)
}

// steps returns a curve as points of the plot, its slopes cut fine enough for the log axis.
func (t *Tolerance) steps(g *grid, points []pq.Point) (out [][2]float64) {
	for i, q := range points {
		x := g.px(min(max(q.Seconds, g.area.XFrom), g.area.XTo))
		out = append(out, [2]float64{x, g.py(min(q.Ratio, g.area.YTo))})
		if i+1 < len(points) && points[i+1].Seconds > q.Seconds && points[i+1].Ratio != q.Ratio {
			for k := 1; k < 24; k++ {
				s := math.Exp(math.Log(q.Seconds) + float64(k)/24*(math.Log(points[i+1].Seconds)-math.Log(q.Seconds)))
				if s < g.area.XFrom || s > g.area.XTo {
					continue
				}
				r := q.Ratio + (points[i+1].Ratio-q.Ratio)*float64(k)/24
				out = append(out, [2]float64{g.px(s), g.py(min(r, g.area.YTo))})
			}
		}
	}
	return out
}

func (t *Tolerance) zones(p *pen, g *grid) {
	if up := t.steps(g, t.Curve.Upper); len(up) > 1 {
		p.polygon(append(up, [2]float64{g.b.right, g.b.top}, [2]float64{up[0][0], g.b.top}), p.st.Zone)
		p.text(g.b.right-6, g.b.top+p.st.FontPt*1.2, pq.Prohibited.String(), toLeft, p.st.FontPt, p.st.Faint)
	}
	if low := t.steps(g, t.Curve.Lower); len(low) > 1 {
		p.polygon(append(low, [2]float64{g.b.right, g.b.bottom}, [2]float64{low[0][0], g.b.bottom}), p.st.Zone)
		p.text(g.b.right-6, g.b.bottom-p.st.FontPt*1.2, pq.NoDamage.String(), toLeft, p.st.FontPt, p.st.Faint)
	}
}

func (t *Tolerance) curve(p *pen, g *grid, c *pq.Curve, width float64, dashes ...float64) {
	for _, part := range [][]pq.Point{c.Upper, c.Lower} {
		p.lines(t.steps(g, part), p.st.Axis, width*p.st.LinePt, dashes...)
	}
}

func (t *Tolerance) point(p *pen, g *grid, e TolerancePoint) {
	seconds, open := e.Seconds, math.IsNaN(e.Seconds)
	if open {
		seconds = g.area.XTo
	}
	c := [...]color.Color{p.st.Good, p.st.Warn, p.st.Bad}[t.Curve.Classify(max(0, seconds), e.Ratio)]
	x := g.px(max(seconds, t.halfCycle()))
	y := g.py(min(max(e.Ratio, 0), g.area.YTo))
	p.dot(x, y, 2.6, c, open)
}
