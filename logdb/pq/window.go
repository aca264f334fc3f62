package pq

import (
	"math"
	"math/cmplx"
)

// cumulative holds running sums over samples, each of which stands for the time from half an interval before it to half
// an interval after it. So a window may begin and end between samples, and one of whole samples is exact.
type cumulative []float64

// sums returns the running sums of f(sample); a missing sample makes every later difference NaN only where it lies inside.
func sums(samples []float64, f func(float64) float64) cumulative {
	c := make(cumulative, len(samples)+1)
	for i, v := range samples {
		c[i+1] = c[i] + f(v)
	}
	return c
}

// between returns the integral from x to y, in samples from the start.
func (c cumulative) between(x, y float64) float64 { return c.at(y) - c.at(x) }

func (c cumulative) at(x float64) float64 {
	n := len(c) - 1
	switch {
	case x <= 0:
		return 0
	case x >= float64(n):
		return c[n]
	}
	i := int(x)
	return c[i] + (x-float64(i))*(c[i+1]-c[i])
}

func square(v float64) float64 { return v * v }

// filled returns samples with missing ones replaced by a straight line between their neighbours, and how many were
// missing. Analysis of a gap longer than a quarter of a cycle would be a guess: callers look at the count.
func filled(samples []float64) (out []float64, missing int) {
	for _, v := range samples {
		if math.IsNaN(v) {
			missing++
		}
	}
	if missing == 0 {
		return samples, 0
	}
	out = append([]float64(nil), samples...)
	last := -1 // newest good sample
	for i := 0; i <= len(out); i++ {
		if i < len(out) && math.IsNaN(out[i]) {
			continue
		}
		for k := last + 1; k < i; k++ {
			switch {
			case last < 0 && i == len(out):
				out[k] = 0
			case last < 0:
				out[k] = out[i]
			case i == len(out):
				out[k] = out[last]
			default:
				out[k] = out[last] + (out[i]-out[last])*float64(k-last)/float64(i-last)
			}
		}
		last = i
	}
	return out, missing
}

// rmsBetween is the RMS of a window given in samples from the start.
func rmsBetween(squares cumulative, x, y float64) float64 {
	return math.Sqrt(max(0, squares.between(x, y)/(y-x)))
}

// phasorBetween is the fundamental of a window at f cycles per sample, as an RMS phasor whose angle is that at the start of
// the recording: phasors of different windows of a steady signal are equal.
func phasorBetween(samples []float64, f, x, y float64) complex128 {
	var sum complex128
	first, last := int(math.Floor(x)), min(int(math.Ceil(y)), len(samples))
	turn := cmplx.Exp(complex(0, -2*math.Pi*f))
	w := cmplx.Exp(complex(0, -2*math.Pi*f*float64(first)))
	for i := first; i < last; i++ {
		weight := min(float64(i+1), y) - max(float64(i), x)
		sum += complex(samples[i]*weight, 0) * w
		w *= turn
	}
	return sum * complex(math.Sqrt2/(y-x), 0)
}
