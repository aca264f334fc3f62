package chart

import (
	"math"
	"sort"
)

// Column is what one pixel column shows of many values.
type Column struct {
	First float64 `json:"first"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Last  float64 `json:"last"`
	// Count is 0 for an empty column. Break says that a gap lies between this column's first value and the one before it.
	Count int  `json:"count"`
	Break bool `json:"break"`
}

// Reduce puts the values with from <= x < to into n columns of equal width. No spike is lost: each column keeps first, lowest, highest and last.
// A NaN is a gap, and so is a distance of more than gap (0: only NaN).
func Reduce(xs, values []float64, from, to float64, n int, gap float64) []Column {
	out := make([]Column, max(0, n))
	if n <= 0 || !(to > from) {
		return out
	}
	i := sort.SearchFloat64s(xs, from)
	before := math.Inf(-1) // x of the last value
	if i > 0 && !math.IsNaN(values[i-1]) {
		before = xs[i-1]
	}
	broken := i == 0 || math.IsNaN(values[max(0, i-1)])
	for ; i < len(xs) && xs[i] < to; i++ {
		v := values[i]
		if math.IsNaN(v) {
			broken = true
			continue
		}
		c := &out[min(n-1, int((xs[i]-from)/(to-from)*float64(n)))]
		if gap > 0 && xs[i]-before > gap {
			broken = true
		}
		if c.Count == 0 {
			*c = Column{First: v, Min: v, Max: v, Break: broken}
		}
		c.Min, c.Max, c.Last = math.Min(c.Min, v), math.Max(c.Max, v), v
		c.Count++
		before, broken = xs[i], false
	}
	return out
}
