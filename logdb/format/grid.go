package format

import (
	"math"
	"sort"
)

// gridGrowth bounds how many more samples a grid may have than the file.
const gridGrowth = 4

// grid takes samples at changing distances to equal ones. A nil grid changes nothing.
type grid struct {
	from []float64 // times of the samples; nil when they do not rise
	n    int
	step float64
	how  string
}

// newGrid chooses the mean distance where distances differ little, the smallest one otherwise.
func newGrid(times []float64) *grid {
	n := len(times)
	g := &grid{n: n, step: 1e-3, how: "their number alone, since the file does not say when they were taken"}
	if n < 2 || !rises(times) || times[n-1] <= times[0] || math.IsNaN(times[n-1]) {
		return g
	}
	span := times[n-1] - times[0]
	g.from, g.step, g.how = times, span/float64(n-1), "linear interpolation"
	shortest := g.step
	for i := 1; i < n; i++ {
		if d := times[i] - times[i-1]; d > 0 {
			shortest = min(shortest, d)
		}
	}
	if shortest < g.step/1.5 {
		g.step = max(shortest, span/float64(gridGrowth*n))
		g.n = int(math.Floor(span/g.step+1e-6)) + 1
	}
	return g
}

func (g *grid) len(n int) int {
	if g == nil {
		return n
	}
	return g.n
}

// at returns the last sample at or before grid point k, and how far it is on the way to the next.
func (g *grid) at(k, n int) (int, float64) {
	t := g.from[0] + float64(k)*g.step
	i := sort.SearchFloat64s(g.from[:n], t)
	if i < n && g.from[i] == t {
		return i, 0
	}
	if i == 0 || i == n {
		return max(i-1, 0), 0
	}
	return i - 1, (t - g.from[i-1]) / (g.from[i] - g.from[i-1])
}

func (g *grid) values(in []float64) []float64 {
	if g == nil || g.from == nil || len(in) == 0 {
		return append([]float64(nil), in...)
	}
	out := make([]float64, g.n)
	n := min(len(in), len(g.from))
	for k := range out {
		i, part := g.at(k, n)
		out[k] = in[i]
		if part > 0 {
			out[k] += part * (in[i+1] - in[i])
		}
	}
	return out
}

func (g *grid) bits(in []byte) []byte {
	if g == nil || g.from == nil || len(in) == 0 {
		return in
	}
	out := make([]byte, g.n)
	n := min(len(in), len(g.from))
	for k := range out {
		i, _ := g.at(k, n)
		out[k] = in[i]
	}
	return out
}
