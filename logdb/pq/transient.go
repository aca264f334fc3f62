package pq

import "math"

// Transient is a short deviation from the cycle before.
type Transient struct {
	Phase        Phase
	Seconds      float64 // of its begin
	PeakRatio    float64 // of the deviation, to the nominal peak
	HighestRatio float64 // of the voltage itself
	Duration     float64 // seconds, until the deviation stays below a tenth of its peak
	Oscillatory  bool    // three swings or more
	RingHz       float64 // 0 when it does not ring
	// TowardZero: the first swing goes towards zero, as when a capacitor is switched on.
	TowardZero bool
}

// transients finds deviations of more than a quarter of the nominal peak [our choice] that last less than two cycles and are not the edge
// of a disturbance of the RMS.
func transients(samples []float64, phase Phase, hz, interval, reference float64) (out []Transient) {
	cycle := 1 / (hz * interval)
	n := int(math.Round(cycle))
	peak := reference * math.Sqrt2
	for i := n; i < len(samples); {
		if math.Abs(samples[i]-samples[i-n]) < 0.25*peak {
			i++
			continue
		}
		t, end := measure(samples, i, n, peak)
		t.Phase, t.Seconds, t.Duration = phase, float64(i)*interval, float64(end-i)*interval
		if t.RingHz > 0 {
			t.RingHz /= interval
		}
		// What stays different for two cycles is a change of the RMS, not a transient.
		if end-i < 2*n {
			out = append(out, t)
		}
		i = max(end, i+1) + n // the cycle after still sees it in the one before
	}
	return out
}

// measure follows a deviation from sample i on until it stays small for half a cycle.
func measure(samples []float64, i, n int, peak float64) (t Transient, end int) {
	high, end := 0.0, i
	var swings int
	last, lastCross := 0.0, -1
	var spans []int
	for k := i; k < len(samples) && k < i+3*n; k++ {
		base := samples[k-n]
		if k-i >= n { // beyond a cycle the one before is disturbed itself
			if k < 2*n {
				break
			}
			base = samples[k-2*n]
		}
		r := samples[k] - base
		if math.Abs(r) > high {
			high = math.Abs(r)
		}
		t.HighestRatio = max(t.HighestRatio, math.Abs(samples[k])/peak)
		if math.Abs(r) > 0.1*high {
			end = k + 1
			if r*last < 0 {
				swings++
				if lastCross >= 0 {
					spans = append(spans, k-lastCross)
				}
				lastCross = k
			}
			last = r
		}
		if k > end+n/2 {
			break
		}
	}
	t.PeakRatio = high / peak
	t.Oscillatory = swings >= 2
	if len(spans) > 0 {
		sum := 0
		for _, s := range spans {
			sum += s
		}
		t.RingHz = float64(len(spans)) / (2 * float64(sum))
	}
	t.TowardZero = (samples[i]-samples[i-n])*samples[i-n] < 0
	return t, end
}
