package format

import (
	"math"
	"sort"
)

// Timing says when samples were taken, in seconds after the recording's Start.
type Timing struct {
	// Offset is the time of the first sample.
	Offset float64
	// Segments have a step each; a segment begins one of its own steps after the last sample of
	// the one before. Samples beyond the last segment keep its step.
	Segments []Segment
	// Stamps, when not nil, are the times of the samples, instead of Segments; Offset is added.
	Stamps []float64
}

// Segment is a run of samples at equal distances.
type Segment struct {
	Count int
	Step  float64 // seconds
}

// Uniform returns the timing of samples at one rate.
func Uniform(step float64) *Timing {
	return &Timing{Segments: []Segment{{Count: math.MaxInt32, Step: step}}}
}

// Step returns the distance of the samples and whether it is the same all the time.
func (t *Timing) Step() (float64, bool) {
	if t.Stamps != nil {
		return stampStep(t.Stamps)
	}
	if len(t.Segments) == 0 {
		return 0, false
	}
	step := t.Segments[0].Step
	for _, s := range t.Segments {
		if s.Count > 0 && s.Step != step {
			return math.NaN(), false
		}
	}
	return step, step > 0
}

// stampStep takes stamps for equally spaced when none is further than a fifth of a step from its place:
// stamps are rounded, mostly to microseconds.
func stampStep(stamps []float64) (float64, bool) {
	n := len(stamps)
	if n < 2 {
		return 0, false
	}
	step := (stamps[n-1] - stamps[0]) / float64(n-1)
	if !(step > 0) {
		return 0, false
	}
	for i, s := range stamps {
		if math.Abs(s-stamps[0]-float64(i)*step) > step/5 {
			return math.NaN(), false
		}
	}
	return step, true
}

// At returns the time of sample i, counted from 0.
func (t *Timing) At(i int) float64 {
	if t.Stamps != nil {
		if i < len(t.Stamps) {
			return t.Offset + t.Stamps[i]
		}
		return math.NaN()
	}
	at, last := t.Offset, 0.0
	for k, s := range t.Segments {
		if k == 0 { // the first sample takes no step
			if i < s.Count {
				return at + float64(i)*s.Step
			}
			at, i, last = at+float64(max(s.Count-1, 0))*s.Step, i-s.Count, s.Step
			continue
		}
		if i < s.Count {
			return at + float64(i+1)*s.Step
		}
		at, i, last = at+float64(s.Count)*s.Step, i-s.Count, s.Step
	}
	return at + float64(i+1)*last
}

// times returns At of 0 to n-1 in one pass.
func (t *Timing) times(n int) []float64 {
	out := make([]float64, 0, n)
	if t.Stamps != nil {
		for i := range n {
			out = append(out, t.At(i))
		}
		return out
	}
	at, first := t.Offset, true
	last := 0.0
	for _, s := range t.Segments {
		for k := 0; k < s.Count && len(out) < n; k++ {
			// Within a segment multiply, so that nothing adds up.
			if first {
				out = append(out, at+float64(k)*s.Step)
			} else {
				out = append(out, at+float64(k+1)*s.Step)
			}
		}
		if s.Count > 0 && len(out) > 0 {
			at, first = out[len(out)-1], false
		}
		last = s.Step
	}
	for k := 0; len(out) < n; k++ {
		out = append(out, at+float64(k+1)*last)
	}
	return out
}

// rises reports whether times never go back.
func rises(times []float64) bool { return sort.Float64sAreSorted(times) }
