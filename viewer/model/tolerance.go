package model

import (
	"math"

	"metermanager/logdb"
	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
)

// Tolerance is the PQ events of the list against a voltage tolerance curve.
type Tolerance struct {
	Curve string // of Curves
	Chart *chart.Tolerance
	// Index are the indices of the points in the event set.
	Index []int
	// OfFullScale: some ratios are to the full scale of a meter whose nominal voltage is not set.
	OfFullScale bool
}

// Curves are the curves to choose from.
func Curves() []pq.Curve { return []pq.Curve{pq.ITIC(), pq.CBEMA1978(), pq.SEMIF47()} }

// NewTolerance makes the chart of the events that a list shows. The box of its filter does not hide the points outside of it: it is what is chosen here.
func NewTolerance(v *Events, curve string) *Tolerance {
	t := &Tolerance{Curve: curve}
	chosen := pq.ITIC()
	for _, c := range Curves() {
		if c.Name == curve {
			chosen = c
		}
	}
	t.Curve = chosen.Name
	t.Chart = &chart.Tolerance{Curve: chosen}
	for _, c := range []pq.Curve{pq.SEMIF47()} {
		if c.Name != chosen.Name {
			t.Chart.Overlays = append(t.Chart.Overlays, c)
		}
	}
	f := v.Filter
	f.Box = nil
	for _, i := range f.Apply(v.Set.List, v.Set.Names, v.Set.Zones()) {
		e := &v.Set.List[i]
		if e.Kind != logdb.KindPQ || math.IsNaN(e.Ratio) {
			continue
		}
		t.OfFullScale = t.OfFullScale || e.OfFullScale
		if hz := v.Set.Meters[e.Meter].Settings.NominalHz; hz > 0 && t.Chart.NominalHz == 0 {
			t.Chart.NominalHz = hz
		}
		t.Index = append(t.Index, i)
		t.Chart.Events = append(t.Chart.Events, chart.TolerancePoint{Seconds: e.Seconds, Ratio: e.Ratio})
	}
	if t.OfFullScale {
		t.Chart.Note = "of full scale where the nominal voltage is not set"
	}
	return t
}

// Place is where a point is drawn: short events at half a cycle, those without an end at the right edge.
func (t *Tolerance) Place(k int, a *chart.Area) (x, y float64) {
	p := t.Chart.Events[k]
	seconds := p.Seconds
	if math.IsNaN(seconds) {
		seconds = a.XTo
	}
	half := 0.5 / 60
	if t.Chart.NominalHz > 0 {
		half = 0.5 / t.Chart.NominalHz
	}
	seconds = max(seconds, half)
	share := (math.Log10(seconds) - math.Log10(a.XFrom)) / (math.Log10(a.XTo) - math.Log10(a.XFrom))
	x = a.Left + share*(a.Right-a.Left)
	y = a.Bottom - (min(max(p.Ratio, 0), a.YTo)-a.YFrom)/(a.YTo-a.YFrom)*(a.Bottom-a.Top)
	return x, y
}

// Nearest is the point next to a place in the picture, within a distance; -1 without.
func (t *Tolerance) Nearest(x, y, within float64, a *chart.Area) int {
	best, distance := -1, within*within
	for k := range t.Chart.Events {
		px, py := t.Place(k, a)
		if d := (px-x)*(px-x) + (py-y)*(py-y); d <= distance {
			best, distance = k, d
		}
	}
	return best
}
