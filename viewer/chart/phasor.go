package chart

import (
	"fmt"
	"math"
	"strings"

	"metermanager/logdb/pq"
)

// Phasors is fundamentals as arrows. Voltages and currents have scales of their own: the longest of each reaches its circle.
type Phasors struct {
	Title, Note string
	Arrows      []PhasorArrow
}

// PhasorArrow is one arrow.
type PhasorArrow struct {
	Name    string
	Unit    string // "V" or "A"
	RMS     float64
	Degrees float64
	Color   int // of the style's series
}

// NewPhasors takes the phasors of an analysis: lines of one phase have one colour.
func NewPhasors(a *pq.Analysis) *Phasors {
	d := &Phasors{}
	for _, x := range a.Phasors {
		arrow := PhasorArrow{Name: x.Name, RMS: x.RMS, Degrees: x.Degrees}
		for i := range a.Signals {
			if s := &a.Signals[i]; s.Name == x.Name {
				arrow.Unit = s.Unit
				arrow.Color = map[pq.Phase]int{pq.A: 0, pq.AB: 0, pq.B: 1, pq.BC: 1, pq.C: 2, pq.CA: 2, pq.N: 7, pq.NoPhase: 3}[s.Phase]
			}
		}
		d.Arrows = append(d.Arrows, arrow)
	}
	return d
}

func (d *Phasors) draw(p *pen) []Area {
	top := p.heading(d.Title, d.Note)
	size := p.st.FontPt
	table := 0.0
	rows := make([]string, len(d.Arrows))
	for i, a := range d.Arrows {
		scale := ScaleFor(a.Unit, 0, a.RMS)
		angle := strings.Replace(fmt.Sprintf("%.1f°", a.Degrees), "-", "−", 1)
		rows[i] = fmt.Sprintf("%s  %.4g %s  at %s", a.Name, a.RMS/scale.Factor, scale.Unit, angle)
		table = max(table, p.textWidth(rows[i], size))
	}
	b := box{10, top, p.width - 10, p.height - 8}
	if table+30+80 < b.width() {
		b.right -= table + 34
	} else {
		rows = nil
	}
	radius := min(b.width(), b.height())/2 - size*1.6
	if radius < 10 {
		return nil
	}
	x, y := (b.left+b.right)/2, (b.top+b.bottom)/2
	for _, share := range []float64{0.5, 1} {
		p.circle(x, y, radius*share, p.st.Grid, 0.8)
	}
	for deg := 0; deg < 360; deg += 30 {
		sin, cos := math.Sincos(float64(deg) * math.Pi / 180)
		p.line(x, y, x+radius*cos, y-radius*sin, p.st.Grid, 0.6)
		if deg%90 == 0 {
			p.text(x+(radius+size*1.2)*cos, y-(radius+size*0.9)*sin, fmt.Sprintf("%d°", deg), centred, size*0.9, p.st.Faint)
		}
	}
	longest := map[string]float64{}
	for _, a := range d.Arrows {
		longest[a.Unit] = max(longest[a.Unit], a.RMS)
	}
	for i, a := range d.Arrows {
		if longest[a.Unit] > 0 && !math.IsNaN(a.Degrees) {
			length := radius * a.RMS / longest[a.Unit]
			if a.Unit == "A" {
				length *= 0.75
			}
			d.arrow(p, x, y, length, &d.Arrows[i])
		}
		if rows != nil {
			line := b.top + size*1.2 + float64(i)*size*1.7
			p.line(b.right+6, line, b.right+18, line, p.st.line(a.Color), 2*p.st.LinePt, dashesOf(a.Unit)...)
			p.text(b.right+22, line, rows[i], toRight, size, p.st.Text)
		}
	}
	return []Area{{Left: x - radius, Right: x + radius, Top: y - radius, Bottom: y + radius, Name: "phasors", XFrom: -1, XTo: 1, YFrom: -1, YTo: 1}}
}

// dashesOf tells currents from voltages without a colour.
func dashesOf(unit string) []float64 {
	if unit == "A" {
		return []float64{4, 2}
	}
	return nil
}

func (d *Phasors) arrow(p *pen, x, y, length float64, a *PhasorArrow) {
	sin, cos := math.Sincos(a.Degrees * math.Pi / 180)
	c := p.st.line(a.Color)
	tx, ty := x+length*cos, y-length*sin
	p.line(x, y, tx, ty, c, 1.8*p.st.LinePt, dashesOf(a.Unit)...)
	head := min(7, length*0.3)
	left := [2]float64{tx - head*math.Cos(a.Degrees*math.Pi/180-0.35), ty + head*math.Sin(a.Degrees*math.Pi/180-0.35)}
	right := [2]float64{tx - head*math.Cos(a.Degrees*math.Pi/180+0.35), ty + head*math.Sin(a.Degrees*math.Pi/180+0.35)}
	p.polygon([][2]float64{{tx, ty}, left, right}, c)
}
