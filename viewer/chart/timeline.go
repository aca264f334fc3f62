package chart

import (
	"image/color"
	"math"
	"time"
)

// Severity is how much an event asks for attention.
type Severity uint8

// The severities.
const (
	Info Severity = iota
	Warning
	Alarm
)

// Timeline is events over time: a row for each source, and a strip that shows where many are.
type Timeline struct {
	Title    string
	From, To int64
	Zone     *time.Location
	Rows     []TimelineRow
}

// TimelineRow is the events of one source.
type TimelineRow struct {
	Name   string
	Events []TimelineEvent
}

// TimelineEvent is one event.
type TimelineEvent struct {
	At       int64
	Millis   int64 // how long; 0: a moment
	Severity Severity
	Waveform bool // there is a recording of it
}

func (t *Timeline) draw(p *pen) []Area {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	size := p.st.FontPt
	top := p.heading(t.Title, timeNote(t.From, t.To, zone)) + 4
	strip := size * 2.4
	g := &grid{area: Area{XFrom: float64(t.From), XTo: float64(t.To), XIsTime: true, YFrom: 0, YTo: float64(max(1, len(t.Rows))), Name: "events"}}
	names := 0.0
	for _, r := range t.Rows {
		names = max(names, p.textWidth(r.Name, size))
	}
	names = min(names, p.width*0.3)
	g.b = box{10 + names + 10, top, p.width - 12, p.height - size*2.4 - strip - 6}
	if g.b.width() < 20 || g.b.height() < 10 {
		return nil
	}
	g.xTicks = TimeTicks(t.From, t.To, zone, count(g.b.width(), size*7))
	g.hideX = true
	g.draw(p)
	row := g.b.height() / g.area.YTo
	for i := range t.Rows {
		y := g.b.top + (float64(i)+0.5)*row
		p.line(g.b.left, y, g.b.right, y, p.st.Grid, 0.6)
		p.text(g.b.left-6, y, p.fit(t.Rows[i].Name, size, names), toLeft, size, p.st.Text)
		for _, e := range t.Rows[i].Events {
			t.event(p, g, e, y, min(3.2, row*0.3))
		}
	}
	if len(t.Rows) == 0 {
		p.message(g.b, "No events in this time")
	}
	t.density(p, g, box{g.b.left, g.b.bottom + 4, g.b.right, g.b.bottom + 4 + strip})
	g.area.Left, g.area.Right, g.area.Top, g.area.Bottom = g.b.left, g.b.right, g.b.top, g.b.bottom
	return []Area{g.area}
}

// severity returns the colour of a severity.
func (s *Style) severity(v Severity) color.Color {
	return [...]color.Color{s.Good, s.Warn, s.Bad}[min(v, Alarm)]
}

func (t *Timeline) event(p *pen, g *grid, e TimelineEvent, y, radius float64) {
	if e.At+e.Millis < t.From || e.At >= t.To {
		return
	}
	col := p.st.severity(e.Severity)
	x := max(g.b.left, g.px(float64(e.At)))
	if end := min(g.b.right, g.px(float64(e.At+e.Millis))); end-x > 2*radius {
		p.fill(box{x, y - radius*0.6, end, y + radius*0.6}, col)
	}
	p.dot(x, y, radius, col, false)
	if e.Waveform { // a small wave above it
		var points [][2]float64
		for k := range 13 {
			points = append(points, [2]float64{x - 4 + float64(k)*8/12, y - radius - 3.2 - 1.6*math.Sin(float64(k)*2*math.Pi/12)})
		}
		p.lines(points, col, 0.8)
	}
}

// density shows in a strip how many events there are, and how bad the worst is.
func (t *Timeline) density(p *pen, g *grid, b box) {
	n := int(b.width() / 3)
	if n < 1 {
		return
	}
	counts, worst := make([]int, n), make([]Severity, n)
	most := 0
	for i := range t.Rows {
		for _, e := range t.Rows[i].Events {
			if e.At < t.From || e.At >= t.To {
				continue
			}
			k := min(n-1, int(float64(e.At-t.From)/float64(t.To-t.From)*float64(n)))
			counts[k]++
			worst[k] = max(worst[k], e.Severity)
			most = max(most, counts[k])
		}
	}
	for k, c := range counts {
		if c == 0 {
			continue
		}
		col := p.st.severity(worst[k])
		height := b.height() * math.Sqrt(float64(c)/float64(most))
		x := b.left + float64(k)*b.width()/float64(n)
		p.fill(box{x, b.bottom - height, x + b.width()/float64(n) - 0.5, b.bottom}, col)
	}
	p.frame(b, p.st.Axis, 0.6)
	under := *g
	under.b, under.hideX, under.yTicks = b, false, nil
	last := math.Inf(-1)
	for _, x := range under.xTicks {
		place, half := under.px(x.Value), p.textWidth(x.Label, p.st.FontPt)/2
		if place < b.left || place > b.right || place-half < last+4 {
			continue
		}
		p.text(min(place, p.width-4-half), b.bottom+p.st.FontPt*1.1, x.Label, centred, p.st.FontPt, p.st.Text)
		last = place + half
	}
}
