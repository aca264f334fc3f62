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
	if !(gap > 0) {
		gap = math.Inf(1)
	}
	k, end := -1, math.Inf(-1) // the column, and up to where surely no value lies in a later one
	var c *Column
	for ; i < len(xs); i++ {
		x, v := xs[i], values[i]
		if x >= to {
			break
		}
		if v != v { // NaN
			broken = true
			continue
		}
		if x >= end {
			k = min(n-1, int((x-from)/(to-from)*float64(n)))
			c, end = &out[k], from+(float64(k+1)/float64(n)-1e-9)*(to-from)
		}
		if x-before > gap {
			broken = true
		}
		if c.Count == 0 {
			*c = Column{First: v, Min: v, Max: v, Break: broken}
		} else if v < c.Min {
			c.Min = v
		} else if v > c.Max {
			c.Max = v
		}
		c.Last = v
		c.Count++
		before, broken = x, false
	}
	return out
}
