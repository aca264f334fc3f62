package pq

import (
	"math"
	"math/cmplx"
)

// frequencyBounds are what counts as the fundamental of a supply: outside, a signal is not one.
const minHz, maxHz = 35.0, 75.0

// GuessHz says whether 50 or 60 Hz fits samples better; 0 when neither does (a constant, noise, or less than a cycle).
func GuessHz(samples []float64, intervalSeconds float64) float64 {
	best, power := 0.0, 0.0
	mean, total := 0.0, 0.0
	for _, v := range samples {
		mean += v
	}
	mean /= float64(max(1, len(samples)))
	centred := make([]float64, len(samples))
	for i, v := range samples {
		centred[i] = v - mean
		total += square(centred[i])
	}
	for hz := minHz + 5; hz <= maxHz-5; hz++ {
		n := float64(len(samples))
		if n*intervalSeconds*hz < 1 {
			continue
		}
		whole := math.Floor(n*intervalSeconds*hz) / (intervalSeconds * hz)
		if p := square(cmplx.Abs(phasorBetween(centred, hz*intervalSeconds, 0, whole))); p > power*(1+1e-9) {
			best, power = hz, p
		}
	}
	if power*float64(len(samples)) < 0.2*total || total == 0 {
		return 0
	}
	if math.Abs(best-50) <= math.Abs(best-60) {
		return 50
	}
	return 60
}

// MeasureHz measures the fundamental frequency of samples near a nominal one: the slope of the angle of one-cycle phasors,
// refreshed each half cycle, with windows that follow the result. Harmonics do not disturb it, since
// windows hold whole cycles. false when there are less than two cycles or no fundamental.
func MeasureHz(samples []float64, intervalSeconds, nominalHz float64) (float64, bool) {
	hz := nominalHz
	for range 6 {
		cycle := 1 / (hz * intervalSeconds)
		n := windows(len(samples), cycle)
		if n < 3 {
			return 0, false
		}
		slope, ok := angleSlope(samples, hz*intervalSeconds, cycle, n)
		if !ok {
			return 0, false
		}
		next := hz + slope/(2*math.Pi*cycle/2*intervalSeconds)
		if next < minHz || next > maxHz || math.IsNaN(next) {
			return 0, false
		}
		done := math.Abs(next-hz) < 1e-9
		if hz = next; done {
			break
		}
	}
	return hz, true
}

// angleSlope returns how far the angle of the phasors moves in each half cycle, radians, by least squares.
func angleSlope(samples []float64, f, cycle float64, n int) (float64, bool) {
	var sx, sy, sxx, sxy float64
	var before, turns float64
	for k := range n {
		x := float64(k) / 2 * cycle
		p := phasorBetween(samples, f, x, x+cycle)
		if cmplx.Abs(p) == 0 || cmplx.IsNaN(p) {
			return 0, false
		}
		angle := cmplx.Phase(p)
		if k > 0 {
			turns += wrap(angle-before, 2*math.Pi)
		}
		before = angle
		i := float64(k)
		sx, sy, sxx, sxy = sx+i, sy+turns, sxx+i*i, sxy+i*turns
	}
	m := float64(n)
	return (m*sxy - sx*sy) / (m*sxx - sx*sx), true
}

// wrap brings an angle into (-full/2, full/2].
func wrap(angle, full float64) float64 {
	a := math.Mod(angle, full)
	switch {
	case a > full/2:
		return a - full
	case a <= -full/2:
		return a + full
	}
	return a
}

// FrequencyTrack returns the frequency of each half cycle: the step of the angle from one window to the next. It has a value
// less than the RMS has; NaN where there is no fundamental.
func FrequencyTrack(samples []float64, intervalSeconds, hz float64) Track {
	cycle := 1 / (hz * intervalSeconds)
	t := Track{CycleSamples: cycle, IntervalSeconds: intervalSeconds}
	squares := sums(samples, square)
	before := complex(0, 0)
	for k := range windows(len(samples), cycle) {
		x, y := t.window(k)
		p := phasorBetween(samples, hz*intervalSeconds, x, y)
		if cmplx.Abs(p) < 0.5*rmsBetween(squares, x, y) || cmplx.Abs(p) == 0 {
			p = cmplx.NaN()
		}
		if k > 0 {
			step := wrap(cmplx.Phase(p)-cmplx.Phase(before), 2*math.Pi)
			t.Values = append(t.Values, hz+step/(math.Pi*cycle*intervalSeconds))
		}
		before = p
	}
	return t
}
