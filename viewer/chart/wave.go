package chart

import (
	"fmt"
	"math"

	"metermanager/logdb/pq"
)

// Wave is a recording: strips above each other over one time axis.
type Wave struct {
	Title, Note string
	// IntervalMillis is the distance of samples; TriggerMillis where the trigger lies, from the start: time 0 of the axis. NaN without.
	IntervalMillis, TriggerMillis float64
	// FromMillis and ToMillis are what is shown, from the start; both 0 show everything.
	FromMillis, ToMillis float64
	Strips               []Strip
	Spans                []Span
}

// Strip is one plot of a recording.
type Strip struct {
	Name, Unit string
	Lines      []WaveLine
	Digital    []DigitalLine // instead of lines
}

// WaveLine is one signal.
type WaveLine struct {
	Name    string
	Color   int // of the style's series
	Samples []float64
	// RMS, when it has values, is drawn over the samples.
	RMS pq.Track
}

// DigitalLine is one input.
type DigitalLine struct {
	Name    string
	Samples []byte // 0 and 1
}

// Span is a part of the time with a word: a sag.
type Span struct {
	FromMillis, ToMillis float64
	Text                 string
}

// NewWave arranges a recording: voltages, currents and inputs, with the half-cycle RMS over them and the disturbances that were found marked.
func NewWave(r *pq.Recording, a *pq.Analysis, digital []DigitalLine) *Wave {
	w := &Wave{IntervalMillis: r.SampleIntervalSeconds * 1000, TriggerMillis: math.NaN()}
	for _, q := range []pq.Quantity{pq.Voltage, pq.Current, pq.Other} {
		s := Strip{Name: map[pq.Quantity]string{pq.Voltage: "Voltage", pq.Current: "Current", pq.Other: "Other"}[q]}
		s.Unit = map[pq.Quantity]string{pq.Voltage: "V", pq.Current: "A"}[q]
		for i := range r.Signals {
			x := &r.Signals[i]
			if x.Quantity != q {
				continue
			}
			l := WaveLine{Name: x.Name, Color: len(s.Lines), Samples: x.Samples}
			if a != nil && q != pq.Other && i < len(a.Tracks) {
				l.RMS = a.Tracks[i]
			}
			s.Lines = append(s.Lines, l)
		}
		if len(s.Lines) > 0 {
			w.Strips = append(w.Strips, s)
		}
	}
	if len(digital) > 0 {
		w.Strips = append(w.Strips, Strip{Name: "Inputs", Digital: digital})
	}
	if a != nil {
		for i := range a.Found {
			f := &a.Found[i]
			w.Spans = append(w.Spans, Span{f.StartSeconds * 1000, f.EndSeconds * 1000, fmt.Sprintf("%s %.0f %%", f.Kind, 100*f.WorstRatio)})
		}
	}
	return w
}

func (w *Wave) length() float64 {
	n := 0
	for i := range w.Strips {
		for k := range w.Strips[i].Lines {
			n = max(n, len(w.Strips[i].Lines[k].Samples))
		}
		for k := range w.Strips[i].Digital {
			n = max(n, len(w.Strips[i].Digital[k].Samples))
		}
	}
	return float64(n) * w.IntervalMillis
}

func (w *Wave) draw(p *pen) []Area {
	top := p.heading(w.Title, w.Note)
	from, to := w.FromMillis, w.ToMillis
	if !(to > from) {
		from, to = 0, w.length()
	}
	if len(w.Strips) == 0 || !(to > from) {
		p.message(box{10, top, p.width - 10, p.height}, "No samples in this recording")
		return nil
	}
	zero := w.TriggerMillis
	if math.IsNaN(zero) {
		zero = 0
	}
	bottom := p.height - p.st.FontPt*3.4
	grids, margin := w.layout(p, top, bottom)
	var areas []Area
	for i, g := range grids {
		g.b.left, g.b.right = 10+margin, p.width-12
		if g.b.width() < 20 || g.b.height() < 12 {
			return nil
		}
		g.area.XFrom, g.area.XTo = from-zero, to-zero
		g.xTicks = ValueTicks(from-zero, to-zero, Scale{1, "ms"}, count(g.b.width(), p.st.FontPt*5))
		g.hideX = i < len(grids)-1
		s := &w.Strips[i]
		w.shade(p, g, zero)
		g.draw(p)
		if len(s.Digital) > 0 {
			w.digital(p, g, s, zero)
		} else {
			for k := range s.Lines {
				w.line(p, g, &s.Lines[k], zero)
			}
		}
		if i == 0 {
			w.names(p, g, zero)
		}
		if !math.IsNaN(w.TriggerMillis) && from <= w.TriggerMillis && w.TriggerMillis <= to {
			p.line(g.px(0), g.b.top, g.px(0), g.b.bottom, p.st.Bad, 0.8, 3, 2)
		}
		g.area.Left, g.area.Right, g.area.Top, g.area.Bottom, g.area.Name = g.b.left, g.b.right, g.b.top, g.b.bottom, s.Name
		areas = append(areas, g.area)
	}
	caption := "ms from the start"
	if !math.IsNaN(w.TriggerMillis) {
		caption = "ms from the trigger"
	}
	p.text((10+margin+p.width-12)/2, p.height-p.st.FontPt*0.9, caption, centred, p.st.FontPt, p.st.Faint)
	return areas
}

// layout divides the height: legends and inputs take what they need, plots the rest in equal parts.
func (w *Wave) layout(p *pen, top, bottom float64) ([]*grid, float64) {
	size := p.st.FontPt
	fixed, plots := 0.0, 0
	keys, heads := make([][]key, len(w.Strips)), make([]float64, len(w.Strips))
	for i := range w.Strips {
		for _, l := range w.Strips[i].Lines {
			keys[i] = append(keys[i], key{l.Name, p.st.line(l.Color)})
		}
		heads[i] = max(size*2, p.legendHeight(box{10, 0, p.width - 10, 0}, keys[i])+size*0.4)
		fixed += heads[i]
		if n := len(w.Strips[i].Digital); n > 0 {
			fixed += float64(n) * size * 1.5
		} else {
			plots++
		}
	}
	each := (bottom - top - fixed) / float64(max(1, plots))
	var grids []*grid
	margin := 0.0
	y := top
	for i := range w.Strips {
		s := &w.Strips[i]
		g := &grid{b: box{10, y + heads[i], p.width, 0}, keepBaseline: true}
		if n := len(s.Digital); n > 0 {
			g.b.bottom = g.b.top + float64(n)*size*1.5
			g.area.YFrom, g.area.YTo = 0, float64(n)
			for k, d := range s.Digital {
				g.yTicks = append(g.yTicks, Tick{float64(n-1-k) + 0.5, d.Name})
			}
		} else {
			g.b.bottom = g.b.top + each
			w.values(p, g, s, each)
		}
		p.legend(box{10, y + size*0.2, p.width - 10, 0}, keys[i])
		margin = max(margin, p.margin(g.yTicks, g.yTitle))
		grids = append(grids, g)
		y = g.b.bottom
	}
	return grids, margin
}

func (w *Wave) values(p *pen, g *grid, s *Strip, height float64) {
	var lists [][]float64
	for i := range s.Lines {
		lists = append(lists, s.Lines[i].Samples)
	}
	low, high, ok := span(lists...)
	if !ok {
		low, high = -1, 1
	}
	low, high = room(low, high)
	scale := ScaleFor(s.Unit, low, high)
	g.area.YFrom, g.area.YTo, g.yTitle = low, high, scale.Unit
	g.yTicks = atLeastTwo(low, high, scale, count(height, p.st.FontPt*1.5))
}

// shade marks the disturbances behind the lines.
func (w *Wave) shade(p *pen, g *grid, zero float64) {
	for _, s := range w.Spans {
		left, right := max(g.b.left, g.px(s.FromMillis-zero)), min(g.b.right, g.px(s.ToMillis-zero))
		if right > left {
			p.fill(box{left, g.b.top, right, g.b.bottom}, p.st.Zone)
		}
	}
}

// names writes over the lines what was found; of words that would overlap the first.
func (w *Wave) names(p *pen, g *grid, zero float64) {
	size, free := p.st.FontPt, g.b.left
	for _, s := range w.Spans {
		left := max(g.b.left, g.px(s.FromMillis-zero)) + 3
		end := left + p.textWidth(s.Text, size)
		if left < free || end > g.b.right || g.px(s.ToMillis-zero) <= g.b.left {
			continue
		}
		p.fill(box{left - 2, g.b.top + 1, end + 2, g.b.top + size*1.7}, p.st.Background)
		p.text(left, g.b.top+size*0.9, s.Text, toRight, size, p.st.Bad)
		free = end + 6
	}
}

func (w *Wave) line(p *pen, g *grid, l *WaveLine, zero float64) {
	c := p.st.line(l.Color)
	n := len(l.Samples)
	first := max(0, int((g.area.XFrom+zero)/w.IntervalMillis)-1)
	last := min(n, int((g.area.XTo+zero)/w.IntervalMillis)+2)
	columns := int(math.Ceil(g.b.width() * 96 / 72))
	if last-first > 4*columns {
		xs := make([]float64, last-first)
		for i := range xs {
			xs[i] = float64(first+i)*w.IntervalMillis - zero
		}
		envelope(p, g.b, Reduce(xs, l.Samples[first:last], g.area.XFrom, g.area.XTo, columns, 0), g.py, c)
	} else {
		var runs [][][2]float64
		var run [][2]float64
		for i := first; i < last; i++ {
			if v := l.Samples[i]; math.IsNaN(v) {
				runs, run = append(runs, run), nil
			} else {
				run = append(run, [2]float64{g.px(float64(i)*w.IntervalMillis - zero), g.py(v)})
			}
		}
		clipper{g.b}.polylines(p, append(runs, run), c, p.st.LinePt)
	}
	var rms [][2]float64
	for k := range l.RMS.Values {
		rms = append(rms, [2]float64{g.px(l.RMS.CentreSeconds(k)*1000 - zero), g.py(l.RMS.Values[k])})
	}
	clipper{g.b}.polylines(p, [][][2]float64{rms}, c, 2*p.st.LinePt)
}

func (w *Wave) digital(p *pen, g *grid, s *Strip, zero float64) {
	row := g.b.height() / float64(len(s.Digital))
	for k := range s.Digital {
		d := &s.Digital[k]
		base := g.b.top + float64(k+1)*row - row*0.25
		for i := 0; i < len(d.Samples); {
			j := i + 1
			for j < len(d.Samples) && d.Samples[j] == d.Samples[i] {
				j++
			}
			left := max(g.b.left, g.px(float64(i)*w.IntervalMillis-zero))
			right := min(g.b.right, g.px(float64(j)*w.IntervalMillis-zero))
			if right > left {
				if d.Samples[i] != 0 {
					p.fill(box{left, base - row*0.5, right, base}, p.st.line(k))
				} else {
					p.line(left, base, right, base, p.st.line(k), p.st.LinePt)
				}
			}
			i = j
		}
	}
}
