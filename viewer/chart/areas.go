package chart

import "math"

// areas sums up what a shape covers: each number is the change of coverage from the pixel at its left. All are 0 between shapes.
type areas struct {
	width, height int
	sums          []float32
	from, to      []int // of each row, what was touched: [from, to)
	top, bottom   int
}

func newAreas(width, height int) *areas {
	a := &areas{width: width, height: height, sums: make([]float32, (width+2)*height), from: make([]int, height), to: make([]int, height), top: height}
	for y := range a.from {
		a.from[y] = width + 2
	}
	return a
}

// edge adds one side of a shape.
func (a *areas) edge(x0, y0, x1, y1 float64) {
	if y0 == y1 || math.IsNaN(x0+y0+x1+y1) {
		return
	}
	sign := float32(1)
	if y0 > y1 {
		x0, y0, x1, y1, sign = x1, y1, x0, y0, -1
	}
	if y1 <= 0 || y0 >= float64(a.height) {
		return
	}
	if x0 == x1 {
		a.upright(x0, max(y0, 0), min(y1, float64(a.height)), sign)
		return
	}
	slope := (x1 - x0) / (y1 - y0)
	if y0 < 0 {
		x0, y0 = x0-y0*slope, 0
	}
	y1 = min(y1, float64(a.height))
	first, last := int(y0), int(math.Ceil(y1))
	a.top, a.bottom = min(a.top, first), max(a.bottom, last)
	right := float64(a.width)
	x := x0
	for row := first; row < last; row++ {
		low, high := y0, y1
		if row > first {
			low = float64(row)
		}
		if row+1 < last {
			high = float64(row + 1)
		}
		next := x + (high-low)*slope
		a.step(row, min(max(x, 0), right), min(max(next, 0), right), sign*float32(high-low))
		x = next
	}
}

// upright adds a vertical side.
func (a *areas) upright(x, y0, y1 float64, sign float32) {
	x = min(max(x, 0), float64(a.width))
	k := int(x)
	right := float32(x - float64(k))
	first, last := int(y0), int(math.Ceil(y1))
	a.top, a.bottom = min(a.top, first), max(a.bottom, last)
	at := first*(a.width+2) + k
	for row := first; row < last; row++ {
		cover := sign
		if row == first || row == last-1 {
			cover *= float32(min(y1, float64(row+1)) - max(y0, float64(row)))
		}
		a.from[row], a.to[row] = min(a.from[row], k), max(a.to[row], k+2)
		a.sums[at] += cover * (1 - right)
		a.sums[at+1] += cover * right
		at += a.width + 2
	}
}

// step adds the part of a side that lies within a row of pixels: it goes from x0 to x1 and covers cover of the row's height.
func (a *areas) step(row int, x0, x1 float64, cover float32) {
	if x0 > x1 {
		x0, x1 = x1, x0
	}
	first := int(x0)
	last := int(math.Ceil(x1))
	a.from[row], a.to[row] = min(a.from[row], first), max(a.to[row], max(last, first+1)+1)
	sums := a.sums[row*(a.width+2) : (row+1)*(a.width+2)]
	if last <= first+1 {
		right := cover * float32(0.5*(x0+x1)-float64(first))
		sums[first] += cover - right
		sums[first+1] += right
		return
	}
	share := float32(1 / (x1 - x0))
	begin, end := 1-float32(x0-float64(first)), float32(x1-float64(last)+1)
	covered := 0.5 * share * begin * begin // of the first pixel
	sums[first] += cover * covered
	before := covered
	for k := first + 1; k < last-1; k++ {
		now := share * (begin + float32(k-first) - 0.5)
		sums[k] += cover * (now - before)
		before = now
	}
	now := 1 - 0.5*share*end*end // of the last pixel
	sums[last-1] += cover * (now - before)
	sums[last] += cover * (1 - now)
}
