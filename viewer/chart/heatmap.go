package chart

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
	"time"
)

// Heatmap is a value for each hour of each day.
type Heatmap struct {
	Title, Note, Unit string
	Days              []HeatDay
}

// HeatDay is a row: a day of the site's calendar. Hours of the wall clock; the hour that comes twice is their mean, the one
// that is left out has no value.
type HeatDay struct {
	Date  time.Time
	Hours [24]float64 // NaN: nothing known
	// Predicted days are hatched.
	Predicted bool
}

func (h *Heatmap) draw(p *pen) []Area {
	size := p.st.FontPt
	top := p.heading(h.Title, h.Note) + size
	low, high := math.Inf(1), math.Inf(-1)
	for i := range h.Days {
		if l, u, ok := span(h.Days[i].Hours[:]); ok {
			low, high = min(low, l), max(high, u)
		}
	}
	b := box{10 + p.textWidth("30 Sep", size) + 8, top, p.width - 12 - 60, p.height - size*2.2}
	if b.width() < 20 || b.height() < 20 {
		return nil
	}
	if !(low <= high) {
		p.message(b, "No data in this time")
		return nil
	}
	if low == high {
		low, high = room(low, high)
	}
	scale := ScaleFor(h.Unit, low, high)
	row, column := b.height()/float64(len(h.Days)), b.width()/24
	every := max(1, int(math.Ceil(size*1.5/row)))
	for i := range h.Days {
		d := &h.Days[i]
		y := b.top + float64(i)*row
		if i%every == 0 {
			p.text(b.left-6, y+row/2, d.Date.Format("2 Jan"), toLeft, size, p.st.Text)
		}
		for hour, v := range d.Hours {
			cell := box{b.left + float64(hour)*column, y, b.left + float64(hour+1)*column, y + row}
			if math.IsNaN(v) {
				continue
			}
			c := ramp((v - low) / (high - low))
			p.fill(box{cell.left + 0.4, cell.top + 0.4, cell.right - 0.4, cell.bottom - 0.4}, c)
			h.inside(p, cell, d, v, scale, c)
		}
	}
	for hour := 0; hour < 24; hour += 3 {
		p.text(b.left+float64(hour)*column, b.bottom+size*1.1, fmt.Sprintf("%02d:00", hour), centred, size, p.st.Text)
	}
	p.frame(b, p.st.Axis, 0.6)
	h.key(p, box{b.right + 14, b.top, b.right + 24, b.bottom}, low, high, scale)
	return []Area{{Left: b.left, Top: b.top, Right: b.right, Bottom: b.bottom, XFrom: 0, XTo: 24, YFrom: float64(len(h.Days)), YTo: 0, Name: "heatmap"}}
}

// inside prints the value where there is room, and hatches what is predicted.
func (h *Heatmap) inside(p *pen, cell box, d *HeatDay, v float64, scale Scale, c color.Color) {
	ink := color.Color(color.White)
	if r, g, b, _ := c.RGBA(); (299*r+587*g+114*b)/1000 > 0x8800 {
		ink = color.Black
	}
	if d.Predicted {
		p.line(cell.left, cell.bottom, cell.right, cell.top, ink, 0.5)
	}
	text := strconv.FormatFloat(v/scale.Factor, 'f', decimals(v/scale.Factor), 64)
	if size := p.st.FontPt * 0.85; cell.height() > size*1.3 && p.textWidth(text, size) < cell.width()-2 {
		p.text((cell.left+cell.right)/2, (cell.top+cell.bottom)/2, text, centred, size, ink)
	}
}

// decimals is how many show three significant digits.
func decimals(v float64) int {
	if a := math.Abs(v); a >= 1 && a < 100 {
		return 1
	} else if a < 1 {
		return 2
	}
	return 0
}

func (h *Heatmap) key(p *pen, b box, low, high float64, scale Scale) {
	const n = 48
	step := b.height() / n
	for i := range n {
		p.fill(box{b.left, b.bottom - float64(i+1)*step, b.right, b.bottom - float64(i)*step + 0.3}, ramp((float64(i)+0.5)/n))
	}
	for _, t := range ValueTicks(low, high, scale, count(b.height(), p.st.FontPt*3)) {
		p.text(b.right+3, b.bottom-(t.Value-low)/(high-low)*b.height(), t.Label, toRight, p.st.FontPt, p.st.Text)
	}
	p.text((b.left+b.right)/2, b.top-p.st.FontPt*0.8, scale.Unit, centred, p.st.FontPt, p.st.Faint)
}

// anchors of the colours, after the viridis map: rising lightness, so that it reads without colours too.
var anchors = [...]uint32{0x440154, 0x46327e, 0x365c8d, 0x277f8e, 0x1fa187, 0x4ac16d, 0xa0da39, 0xfde725}

// ramp is the colour of a share.
func ramp(share float64) color.Color {
	x := min(max(share, 0), 1) * float64(len(anchors)-1)
	i := min(int(x), len(anchors)-2)
	f := x - float64(i)
	mix := func(shift uint) uint8 {
		a, b := float64(anchors[i]>>shift&0xff), float64(anchors[i+1]>>shift&0xff)
		return uint8(math.Round(a + (b-a)*f))
	}
	return color.NRGBA{mix(16), mix(8), mix(0), 255}
}
