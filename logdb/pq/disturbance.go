package pq

import (
	"cmp"
	"math"
	"slices"
)

// Kind is a sort of disturbance of the RMS voltage.
type Kind uint8

// The sorts of disturbances.
const (
	Sag Kind = iota + 1
	Swell
	Interruption
)

// String returns "sag", "swell" or "interruption".
func (k Kind) String() string {
	return [...]string{"", "sag", "swell", "interruption"}[min(k, Interruption)]
}

// MarshalText writes the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Thresholds are what counts as a disturbance, as ratios to the reference (1 = 100 %). Zero fields get the defaults.
type Thresholds struct {
	Sag          float64 // 0.9: IEC 61000-4-30 typical, EN 50160
	Swell        float64 // 1.1
	Interruption float64 // 0.1: IEEE 1159; EN 50160 and IEC take 0.05
	Hysteresis   float64 // 0.02: IEC 61000-4-30 typical
}

func (t Thresholds) withDefaults() Thresholds {
	return Thresholds{
		Sag: cmp.Or(t.Sag, 0.9), Swell: cmp.Or(t.Swell, 1.1), Interruption: cmp.Or(t.Interruption, 0.1), Hysteresis: cmp.Or(t.Hysteresis, 0.02),
	}
}

// Disturbance is one sag, swell or interruption of a system of voltages.
type Disturbance struct {
	Kind Kind
	// StartSeconds and EndSeconds are the ends of the windows at which it began and was over, from the start of the recording;
	// the resolution is half a cycle and is not corrected (IEC 61000-4-30, 5.4).
	StartSeconds, EndSeconds float64
	// Truncated: the recording ended first, so that the duration is a lower bound. Began: it was under way at the start.
	Truncated, Began bool
	// WorstRatio is the residual voltage of a sag or interruption, or the highest of a swell, to the reference.
	WorstRatio   float64
	WorstVolts   float64
	WorstSeconds float64 // end of the window of the worst value
	WorstPhase   Phase
	Phases       []Phase // that left the limits, in order
	// PointOnWaveDegrees is the phase of the voltage of the worst phase at which it began, 0 = rising through zero; NaN when the
	// change is too soft to be placed.
	PointOnWaveDegrees float64
	// PhaseJumpDegrees is that of the worst phase at the worst value, positive when it leads; NaN when there is too little left.
	PhaseJumpDegrees float64
	// MissingSeconds is the integral of 1 - (U/Uref)^2 of the worst phase, IEEE 1564's energy index; 0 for swells.
	MissingSeconds float64
	// AllPhases: every voltage was below the threshold at once, what IEC asks of an interruption.
	AllPhases bool
}

// DurationSeconds is end less start.
func (d *Disturbance) DurationSeconds() float64 { return d.EndSeconds - d.StartSeconds }

// system is voltages that are judged together, with the references of their RMS.
type system struct {
	phases     []Phase
	tracks     []Track
	references []float64
}

func (s *system) ratio(i, k int) float64 { return s.tracks[i].Values[k] / s.references[i] }

// windows is how many values all tracks have.
func (s *system) windows() int {
	n := math.MaxInt
	for i := range s.tracks {
		n = min(n, s.tracks[i].Len())
	}
	return n
}

// detect finds sags and swells: they begin when any voltage leaves its threshold and end when all are back by the
// hysteresis (IEC 61000-4-30, 5.4.2 and 5.4.3). A sag in which a voltage falls below the interruption threshold is an
// interruption when all do, or, as IEEE 1159 has it, of the phases that do.
func (s *system) detect(t Thresholds) []Disturbance {
	t = t.withDefaults()
	sags := s.periods(func(u float64) bool { return u < t.Sag }, func(u float64) bool { return u >= t.Sag+t.Hysteresis })
	swells := s.periods(func(u float64) bool { return u > t.Swell }, func(u float64) bool { return u <= t.Swell-t.Hysteresis })
	var out []Disturbance
	for _, p := range sags {
		d := s.describe(p, Sag, func(u float64) bool { return u < t.Sag })
		if d.WorstRatio < t.Interruption {
			d.Kind = Interruption
		}
		for k := p.first; k < p.last && !d.AllPhases; k++ {
			d.AllPhases = true
			for i := range s.tracks {
				d.AllPhases = d.AllPhases && s.ratio(i, k) < t.Interruption
			}
		}
		out = append(out, d)
	}
	for _, p := range swells {
		out = append(out, s.describe(p, Swell, func(u float64) bool { return u > t.Swell }))
	}
	slices.SortStableFunc(out, func(a, b Disturbance) int { return cmp.Compare(a.StartSeconds, b.StartSeconds) })
	return out
}

// period is windows [first, last) of a disturbance.
type period struct {
	first, last int
	truncated   bool
}

func (s *system) periods(out, back func(float64) bool) (list []period) {
	n := s.windows()
	inside := false
	for k := range n {
		any, all := false, true
		for i := range s.tracks {
			u := s.ratio(i, k)
			any = any || out(u)
			all = all && back(u)
		}
		switch {
		case !inside && any:
			inside = true
			list = append(list, period{first: k})
		case inside && all:
			inside = false
			list[len(list)-1].last = k
		}
	}
	if inside {
		list[len(list)-1].last, list[len(list)-1].truncated = n, true
	}
	return list
}

func (s *system) describe(p period, kind Kind, out func(float64) bool) Disturbance {
	t := &s.tracks[0]
	d := Disturbance{
		Kind: kind, Truncated: p.truncated, Began: p.first == 0, StartSeconds: t.EndSeconds(p.first), EndSeconds: t.EndSeconds(min(p.last, t.Len()-1)),
		PointOnWaveDegrees: math.NaN(), PhaseJumpDegrees: math.NaN(),
	}
	worst, at := 0, p.first
	for i := range s.tracks {
		touched := false
		for k := p.first; k < p.last; k++ {
			u := s.ratio(i, k)
			touched = touched || out(u)
			if w := s.ratio(worst, at); kind == Swell && u > w || kind != Swell && u < w {
				worst, at = i, k
			}
		}
		if touched {
			d.Phases = append(d.Phases, s.phases[i])
		}
	}
	d.WorstPhase, d.WorstRatio, d.WorstVolts, d.WorstSeconds = s.phases[worst], s.ratio(worst, at), s.tracks[worst].Values[at], s.tracks[worst].EndSeconds(at)
	if kind != Swell {
		half := t.CycleSamples * t.IntervalSeconds / 2
		for k := p.first; k < p.last; k++ {
			d.MissingSeconds += max(0, 1-square(s.ratio(worst, k))) * half
		}
	}
	return d
}

// inception finds the sample at which a voltage first differs from a cycle before: by more than a tenth of the nominal
// peak three samples in a row, then back to where it was a fiftieth [our choice]; -1 when it never does from `from` to `to`.
func inception(samples []float64, cycle, peak float64, from, to int) int {
	n := int(math.Round(cycle))
	row := 0
	for i := max(from, n); i < min(to, len(samples)); i++ {
		if math.Abs(samples[i]-samples[i-n]) > 0.1*peak {
			if row++; row == 3 {
				for i -= 2; i > max(from, n) && math.Abs(samples[i-1]-samples[i-1-n]) > 0.02*peak; i-- {
				}
				return i
			}
		} else {
			row = 0
		}
	}
	return -1
}

// place finds point on wave and phase jump of a disturbance in the samples of its worst phase.
func (d *Disturbance) place(samples []float64, hz, interval, reference float64) {
	cycle := 1 / (hz * interval)
	start := int(d.StartSeconds / interval)
	from := max(0, start-int(2*cycle))
	before := min(float64(from), float64(start)-2*cycle)
	if before < cycle-1e-9 && !d.Began {
		before = cycle // what there is of the time before
	}
	if d.Began || before > float64(len(samples)) {
		return
	}
	pre := phasorBetween(samples, hz*interval, before-cycle, before)
	if magnitude(pre) < 0.5*reference {
		return
	}
	if n := inception(samples, cycle, reference*math.Sqrt2, from, start+1); n >= 0 {
		// cos(x) rises through zero a quarter turn before its peak.
		d.PointOnWaveDegrees = positive(degrees(angle(pre)) + 360*hz*interval*(float64(n)+0.5) + 90)
	}
	end := d.WorstSeconds / interval
	at := phasorBetween(samples, hz*interval, end-cycle, end)
	if magnitude(at) > 0.05*reference {
		d.PhaseJumpDegrees = wrap(degrees(angle(at)-angle(pre)), 360)
	}
}
