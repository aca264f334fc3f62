package pq

import "math"

// PowerTrack is the power of each cycle, refreshed each half cycle: the mean of volts times amperes, all harmonics included.
type PowerTrack struct {
	Watts, VA Track
}

// CyclePower returns the power of one phase. Reactive power in a distorted system has many definitions; VA and watts have one.
func CyclePower(volts, amperes []float64, cycleSamples, intervalSeconds float64) PowerTrack {
	n := min(len(volts), len(amperes))
	product := make([]float64, n)
	for i := range product {
		product[i] = volts[i] * amperes[i]
	}
	p := sums(product, func(v float64) float64 { return v })
	u, i := sums(volts[:n], square), sums(amperes[:n], square)
	empty := Track{CycleSamples: cycleSamples, IntervalSeconds: intervalSeconds}
	out := PowerTrack{Watts: empty, VA: empty}
	for k := range windows(n, cycleSamples) {
		x, y := empty.window(k)
		out.Watts.Values = append(out.Watts.Values, p.between(x, y)/(y-x))
		out.VA.Values = append(out.VA.Values, rmsBetween(u, x, y)*rmsBetween(i, x, y))
	}
	return out
}

// Factor is watts over VA at value k; NaN without VA.
func (p *PowerTrack) Factor(k int) float64 {
	if p.VA.Values[k] == 0 {
		return math.NaN()
	}
	return p.Watts.Values[k] / p.VA.Values[k]
}

// InstantaneousPower is the sum over phases of volts times amperes at each sample.
func InstantaneousPower(volts, amperes [][]float64) []float64 {
	var out []float64
	for k := range min(len(volts), len(amperes)) {
		u, i := volts[k], amperes[k]
		if out == nil {
			out = make([]float64, min(len(u), len(i)))
		}
		for n := range min(len(out), len(u), len(i)) {
			out[n] += u[n] * i[n]
		}
	}
	return out
}
