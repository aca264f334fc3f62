package pq

import (
	"math"
	"math/cmplx"
)

func magnitude(p complex128) float64 { return cmplx.Abs(p) }
func angle(p complex128) float64     { return cmplx.Phase(p) }
func degrees(rad float64) float64    { return rad * 180 / math.Pi }

// positive brings degrees into [0, 360).
func positive(deg float64) float64 {
	if d := math.Mod(deg, 360); d < 0 {
		return d + 360
	} else {
		return d
	}
}

// Phasor is a fundamental: its RMS, and its angle against that of the first voltage.
type Phasor struct {
	Name    string
	RMS     float64
	Degrees float64 // (-180, 180]
}

// Phasors returns the fundamentals of all signals over the cycle that begins at a time, against the first voltage (or the
// first signal, without one). Signals that are neither voltage nor current are left out.
func (r *Recording) Phasors(hz, atSeconds float64) []Phasor {
	cycle := 1 / (hz * r.SampleIntervalSeconds)
	x := min(max(0, atSeconds/r.SampleIntervalSeconds), math.Max(0, float64(r.Len())-cycle))
	var out []Phasor
	var all []complex128
	reference := -1
	for i := range r.Signals {
		s := &r.Signals[i]
		if s.Quantity == Other {
			continue
		}
		samples, _ := filled(s.Samples)
		p := phasorBetween(samples, hz*r.SampleIntervalSeconds, x, x+cycle)
		if reference < 0 && s.Quantity == Voltage {
			reference = len(all)
		}
		all = append(all, p)
		out = append(out, Phasor{Name: s.Name, RMS: magnitude(p)})
	}
	for i, p := range all {
		out[i].Degrees = wrap(degrees(angle(p)-angle(all[max(0, reference)])), 360)
	}
	return out
}

// turn is the operator a of symmetrical components.
var turn = cmplx.Exp(complex(0, 2*math.Pi/3))

// Sequence is the symmetrical components of three phasors.
type Sequence struct{ Zero, Positive, Negative complex128 }

// Sequences returns the symmetrical components of three phasors in the order a, b, c (Fortescue).
func Sequences(a, b, c complex128) Sequence {
	return Sequence{Zero: (a + b + c) / 3, Positive: (a + turn*b + turn*turn*c) / 3, Negative: (a + turn*turn*b + turn*c) / 3}
}

// NegativeRatio is |V2|/|V1|, the unbalance of IEC 61000-4-30 (5.7) and IEEE 1159; NaN without a positive sequence.
func (s Sequence) NegativeRatio() float64 {
	if magnitude(s.Positive) == 0 {
		return math.NaN()
	}
	return magnitude(s.Negative) / magnitude(s.Positive)
}

// ZeroRatio is |V0|/|V1|; NaN without a positive sequence.
func (s Sequence) ZeroRatio() float64 {
	if magnitude(s.Positive) == 0 {
		return math.NaN()
	}
	return magnitude(s.Zero) / magnitude(s.Positive)
}

// UnbalanceOfLineVoltages is |V2|/|V1| from the RMS of three line-to-line voltages, exact for the fundamental
// (IEC 61000-4-30, 5.7.1, the formula with beta); NaN when all are zero.
func UnbalanceOfLineVoltages(ab, bc, ca float64) float64 {
	sum := ab*ab + bc*bc + ca*ca
	if !(sum > 0) {
		return math.NaN()
	}
	beta := (ab*ab*ab*ab + bc*bc*bc*bc + ca*ca*ca*ca) / (sum * sum)
	root := math.Sqrt(max(0, 3-6*beta))
	return math.Sqrt(max(0, (1-root)/(1+root)))
}

// UnbalanceNEMA is the largest deviation from the mean of three line-to-line voltages over the mean (NEMA MG-1). It is another
// quantity than |V2|/|V1| and must never carry its name.
func UnbalanceNEMA(ab, bc, ca float64) float64 {
	mean := (ab + bc + ca) / 3
	if !(mean > 0) {
		return math.NaN()
	}
	return max(math.Abs(ab-mean), math.Abs(bc-mean), math.Abs(ca-mean)) / mean
}

// DipType is Bollen's type of a three-phase sag.
type DipType struct {
	Letter string // A, B, C, D
	Phase  Phase  // the phase in the middle: of B and D the deepest, of C the one that keeps its voltage; NoPhase for A
	// CharacteristicRatio is the characteristic voltage |V|, PNFactor |F|, as ratios to the voltage before.
	CharacteristicRatio, PNFactor float64
}

// ClassifyDip tells the type of a sag from the phasors at its worst against those before it (Bollen's algorithm by
// symmetrical components: the multiple of 60 degrees nearest to the angle between V2 and 1 - V1). false when there is no
// positive sequence before.
func ClassifyDip(before, at [3]complex128) (DipType, bool) {
	pre := Sequences(before[0], before[1], before[2]).Positive
	if magnitude(pre) == 0 {
		return DipType{}, false
	}
	s := Sequences(at[0]/pre, at[1]/pre, at[2]/pre)
	drop := 1 - s.Positive
	// A: all phases alike. Both bounds are our choice: below them the angle means nothing.
	if magnitude(s.Negative) < max(0.05*magnitude(drop), 0.02) {
		return DipType{Letter: "A", CharacteristicRatio: magnitude(s.Positive), PNFactor: 1}, true
	}
	t := (int(math.Round(degrees(angle(s.Negative/drop))/60)) + 6) % 6
	names := [6]struct {
		letter string
		phase  Phase
	}{{"C", A}, {"D", C}, {"C", B}, {"D", A}, {"C", C}, {"D", B}}
	rotated := s.Negative * cmplx.Exp(complex(0, -float64(t)*math.Pi/3))
	out := DipType{
		Letter: names[t].letter, Phase: names[t].phase,
		CharacteristicRatio: magnitude(s.Positive - rotated), PNFactor: magnitude(s.Positive + rotated),
	}
	// One phase alone with zero sequence as large as the negative one: the type B of solidly earthed systems.
	if out.Letter == "D" && magnitude(s.Zero) > 0.5*magnitude(s.Negative) {
		out.Letter = "B"
	}
	return out, true
}
