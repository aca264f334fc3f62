package sim

import (
	"math"
)

// Reading is what the meter measures at one instant, in primary units. Shares are ratios.
type Reading struct {
	Volts              [3]float64 // line to neutral
	VoltsLL            [3]float64 // AB, BC, CA
	Amps               [3]float64
	AmpsN              float64
	Watts, Vars, VA    [3]float64
	PF                 [3]float64
	TotalWatts         float64
	TotalVars, TotalVA float64
	TotalPF            float64
	Hertz              float64
	THDVolts, THDAmps  [3]float64
}

// model is the electrical truth of a site: a pure function of seed and absolute time.
type model struct {
	seed  seed
	zone  *zone
	site  Site
	begin int64 // ms; the history's begin
	plan  *plan
}

// demand is active and reactive power in shares of the full scale, and generation as negative watts.
type demand struct{ watts, vars float64 }

// load returns the site's demand at t: business hours by the local clock, quiet weekends,
// noise at three speeds, a roof with solar cells, and overloads of the schedule.
func (m *model) load(t int64, active []disturbance) demand {
	for i := range active {
		if d := &active[i]; d.kind == kindOverload && t >= d.start && t < d.end[0] {
			w := d.level[0] + 0.004*m.seed.smooth(streamLoad, t, 3*secondMs)
			return demand{w, 0.3 * w}
		}
	}
	offset, _ := m.zone.at(t)
	local := t + offset
	days := floorDiv(local, dayMs)
	hour := float64(local-days*dayMs) / hourMs
	weekday := (days + 4) % 7 // 0 is Sunday
	business := [7]float64{0.04, 0.3, 0.32, 0.33, 0.32, 0.28, 0.12}[weekday]
	shape := logistic((hour-7.5)/0.7) * logistic((18.2-hour)/0.9)
	lunch := 0.05 * math.Exp(-(hour-12.4)*(hour-12.4)/0.35)
	season := math.Cos(2 * math.Pi * float64(days%1461) / 365.25)
	w := 0.12 + 0.015*season + business*(shape-lunch*shape) +
		0.03*m.seed.smooth(streamLoad, t, 20*minuteMs)*(0.3+shape) +
		0.012*m.seed.smooth(streamLoad, t, 90*secondMs) + 0.003*m.seed.smooth(streamLoad, t, 4*secondMs)
	vars := 0.38*w - 0.05 + 0.006*m.seed.smooth(streamFactor, t, 7*minuteMs)
	if sun := math.Sin(math.Pi * (hour - 6.5) / 11); hour > 6.5 && hour < 17.5 {
		clear := 0.65 + 0.35*m.seed.smooth(streamCloud, t, 2*hourMs)
		w -= 0.2 * sun * clear
	}
	return demand{w, vars}
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// at measures the site at t. The meter is assumed to be on.
func (m *model) at(t int64) Reading {
	return m.measure(t, m.plan.day(t).disturbances)
}

func (m *model) measure(t int64, active []disturbance) Reading {
	var r Reading
	load := m.load(t, active)
	scale := m.site.PowerFullScale()
	sagging := 0.012*m.seed.smooth(streamVolts, t, 15*minuteMs) +
		0.003*m.seed.smooth(streamVolts, t, 30*secondMs) - 0.02*(load.watts-0.25)
	var angles [3]float64
	var pu, surge [3]float64 // surge is current on top of the load's, of full scale
	for p := range 3 {
		fast := 0.0012 * m.seed.smooth(streamPhase+uint64(p)<<8, t, secondMs)
		pu[p] = 1 + sagging + fast + [3]float64{0.002, -0.0015, 0.0005}[p]
		angles[p] = -2*math.Pi*float64(p)/3 + 0.002*m.seed.smooth(streamPhase+uint64(p)<<8, t, 5*minuteMs)
	}
	r.Hertz = m.site.NominalHz + 0.018*m.seed.smooth(streamHertz, t, 40*secondMs) + 0.006*m.seed.smooth(streamHertz, t, 4*secondMs)
	for i := range active {
		d := &active[i]
		if t < d.start || t >= d.last() {
			continue
		}
		m.disturb(d, t, &pu, &surge, &r.Hertz)
	}
	share := [3]float64{0.338, 0.329, 0.333}
	var in complex128
	for p := range 3 {
		v := pu[p] * m.site.NominalVolts
		w := load.watts * share[p] * scale * pu[p]
		q := load.vars * share[p] * scale * pu[p]
		if pu[p] < 0.1 { // contactors drop out
			w, q = 0, 0
		}
		r.THDVolts[p] = 0.016 + 0.012*math.Abs(load.watts) + 0.003*m.seed.smooth(streamTHD+uint64(p)<<8, t, 10*minuteMs)
		r.THDAmps[p] = 0.035 + 0.012/(0.12+math.Abs(load.watts)) + 0.008*m.seed.smooth(streamTHD+uint64(p)<<8, t, 3*minuteMs)
		va := math.Hypot(w, q)
		amps := va/v*math.Sqrt(1+r.THDAmps[p]*r.THDAmps[p]) + surge[p]*m.site.CurrentFullScale()
		r.Volts[p], r.Amps[p] = v, amps
		r.Watts[p], r.Vars[p], r.VA[p] = w, q, va
		r.PF[p] = factor(w, va)
		r.TotalWatts += w
		r.TotalVars += q
		in += polar(amps, angles[p]-math.Atan2(q, w))
	}
	r.TotalVA = math.Hypot(r.TotalWatts, r.TotalVars)
	r.TotalPF = factor(r.TotalWatts, r.TotalVA)
	r.AmpsN = math.Hypot(real(in), imag(in)) + 0.3*r.THDAmps[0]*(r.Amps[0]+r.Amps[1]+r.Amps[2])/3
	for p := range 3 {
		n := (p + 1) % 3
		ll := polar(r.Volts[p], angles[p]) - polar(r.Volts[n], angles[n])
		r.VoltsLL[p] = math.Hypot(real(ll), imag(ll))
	}
	return r
}

// disturb applies one disturbance that is going on at t.
func (m *model) disturb(d *disturbance, t int64, pu, surge *[3]float64, hertz *float64) {
	switch d.kind {
	case kindHertz:
		*hertz += d.level[0]
	case kindOverload:
	default:
		for p := range 3 {
			if t < d.end[p] {
				pu[p] = d.level[p]
			}
		}
		if d.kind == kindInrush {
			decay := math.Exp(-float64(t-d.start) / inrushDecayMs)
			for p := range 3 {
				surge[p] = inrushPeak * decay
			}
		}
	}
}

// A transformer that is switched on draws inrushPeak times full scale, decaying with this time constant.
const (
	inrushPeak    = 2.6
	inrushDecayMs = 90.0
)

func factor(w, va float64) float64 {
	if va == 0 {
		return 1
	}
	return w / va
}

func polar(r, a float64) complex128 { return complex(r*math.Cos(a), r*math.Sin(a)) }
