package pq

import "math"

// Track is a quantity over time: one value for each half cycle, made from one whole cycle, after the definition of
// Urms(1/2) in IEC 61000-4-30 (3.21 and 5.4.1). The first window begins with the first sample: over whole cycles it
// does not matter where a window begins.
type Track struct {
	Values []float64
	// CycleSamples is the length of a window; windows begin half of it apart.
	CycleSamples float64
	// IntervalSeconds is that of the samples.
	IntervalSeconds float64
}

// Len returns the number of values.
func (t *Track) Len() int { return len(t.Values) }

// EndSeconds is the end of window k, from the start of the recording: the time stamp of detection.
func (t *Track) EndSeconds(k int) float64 {
	return (float64(k)/2 + 1) * t.CycleSamples * t.IntervalSeconds
}

// CentreSeconds is the centre of window k: the time stamp of display.
func (t *Track) CentreSeconds(k int) float64 {
	return (float64(k)/2 + 0.5) * t.CycleSamples * t.IntervalSeconds
}

// window returns the bounds of window k in samples.
func (t *Track) window(k int) (x, y float64) {
	x = float64(k) / 2 * t.CycleSamples
	return x, x + t.CycleSamples
}

// windows is how many whole windows fit.
func windows(samples int, cycle float64) int {
	if float64(samples) < cycle-1e-9 || cycle <= 0 {
		return 0
	}
	return int((float64(samples)-cycle)/(cycle/2)+1e-9) + 1
}

// HalfCycleRMS returns the RMS of each cycle, refreshed each half cycle.
func HalfCycleRMS(samples []float64, cycleSamples, intervalSeconds float64) Track {
	t := Track{CycleSamples: cycleSamples, IntervalSeconds: intervalSeconds}
	squares := sums(samples, square)
	for k := range windows(len(samples), cycleSamples) {
		x, y := t.window(k)
		t.Values = append(t.Values, rmsBetween(squares, x, y))
	}
	return t
}

// Mean returns the mean of the values from k to before end that are not NaN; NaN without any.
func (t *Track) Mean(k, end int) float64 {
	sum, n := 0.0, 0
	for ; k < end && k < len(t.Values); k++ {
		if v := t.Values[k]; !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
