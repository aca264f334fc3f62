package analysis

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"metermanager/logdb"
)

// ReadSeries makes a Choice a reader of its columns: column i has the id i+1. Each column's values
// with first <= time < last come in order of (time, position), from the chosen sources only. A block is
// valid only during visit.
func (c *Choice) ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	for _, id := range ids {
		col := int(id) - 1
		if col < 0 || col >= len(c.Columns) {
			return fmt.Errorf("%w: column %d of %d", logdb.ErrInvalid, col, len(c.Columns))
		}
		// Parts are cut like buckets: (start, end] for quantities that cover an interval.
		var shift logdb.Millis
		if logdb.LookupChannel(c.Columns[col].Channel).CoversInterval {
			shift = 1
		}
		for i, p := range c.parts[col] {
			from, to := p.first, p.last
			if i > 0 {
				from += shift
			}
			if i < len(c.parts[col])-1 {
				to += shift
			}
			from, to = max(from, first), min(to, last)
			if from >= to {
				continue
			}
			if err := c.readPart(ctx, &c.sources[col][p.source], from, to, func(b *logdb.Block) error { return visit(id, b) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPart reads one source. Where it is several series, they are merged.
func (c *Choice) readPart(ctx context.Context, s *source, first, last logdb.Millis, visit func(*logdb.Block) error) error {
	if len(s.ids) == 1 && len(s.older) == 0 {
		return c.src.ReadSeries(ctx, s.ids, first, last, func(_ logdb.SeriesID, b *logdb.Block) error { return visit(b) })
	}
	var all []sample
	err := c.readSamples(ctx, s.ids, first, last, func(v sample) { all = append(all, v) })
	for i := 0; i < len(s.older) && err == nil; i++ {
		err = c.readSamples(ctx, s.older[i].ids, first, last, func(v sample) {
			if holds(s.older[i].left, v.position) {
				all = append(all, v)
			}
		})
	}
	if err != nil || len(all) == 0 {
		return err
	}
	slices.SortStableFunc(all, func(a, b sample) int {
		if a.at != b.at {
			return int(min(max(a.at-b.at, -1), 1))
		}
		if a.position < b.position {
			return -1
		}
		if a.position > b.position {
			return 1
		}
		return 0
	})
	merged := logdb.Block{Mantissas: make([]int64, len(all))}
	for i, s := range all {
		merged.Times = append(merged.Times, s.at)
		merged.Positions = append(merged.Positions, s.position)
		merged.Exceptions = append(merged.Exceptions, logdb.Exception{Index: i, Value: s.value})
	}
	return visit(&merged)
}

func (c *Choice) readSamples(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(sample)) error {
	return c.src.ReadSeries(ctx, ids, first, last, func(_ logdb.SeriesID, b *logdb.Block) error {
		for i, v := range b.AppendValues(nil) {
			visit(sample{b.Times[i], b.Positions[i], v})
		}
		return nil
	})
}

type sample struct {
	at       logdb.Millis
	position logdb.Position
	value    float64
}

// ReadBuckets visits, per column in any order, one bucket for each pair of neighbouring edges. Buckets are valid only during visit.
func (c *Choice) ReadBuckets(ctx context.Context, edges []logdb.Millis, visit func(column int, b []logdb.Bucket) error) error {
	if len(edges) < 2 || !slices.IsSorted(edges) {
		return fmt.Errorf("%w: %d edges, want at least two that rise", logdb.ErrInvalid, len(edges))
	}
	simple, err := c.simpleBuckets(ctx, edges, visit)
	if err != nil {
		return err
	}
	for col := range c.Columns {
		if simple[col] {
			continue
		}
		parts, err := c.plan(ctx, c.Columns[col].Channel, c.sources[col], edges)
		if err != nil {
			return err
		}
		parts = snap(parts, c.sources[col], edges)
		out := emptyBuckets(len(edges) - 1)
		for _, p := range parts {
			if err := c.partBuckets(ctx, &c.sources[col][p.source], p, edges, out); err != nil {
				return fmt.Errorf("aggregate %s: %w", c.Columns[col].Channel, err)
			}
		}
		if err := visit(col, out); err != nil {
			return err
		}
	}
	return nil
}

// partBuckets adds what one source holds between p.first and p.last to out.
func (c *Choice) partBuckets(ctx context.Context, s *source, p part, edges []logdb.Millis, out []logdb.Bucket) error {
	lo, _ := slices.BinarySearch(edges, p.first+1)
	lo-- // the bucket that holds p.first
	hi, _ := slices.BinarySearch(edges, p.last)
	cut := append([]logdb.Millis{p.first}, edges[lo+1:hi]...)
	cut = append(cut, p.last)
	return c.sourceBuckets(ctx, s, cut, func(i int, b logdb.Bucket) { out[lo+i] = Merge(out[lo+i], b) })
}

// sourceBuckets gives what each series of a source holds between neighbouring edges.
func (c *Choice) sourceBuckets(ctx context.Context, s *source, edges []logdb.Millis, add func(i int, b logdb.Bucket)) error {
	if err := c.eachBucket(ctx, s.ids, edges, add); err != nil {
		return err
	}
	for k := range s.older {
		all, err := c.olderBuckets(ctx, s, k, edges)
		if err != nil {
			return err
		}
		for i, b := range all {
			add(i, b)
		}
	}
	return nil
}

// olderBuckets adds up what is used of the k-th name that was given up, from the values, whose positions say which these are. Where only
// sums are left of values, they are used for the steps of which the better names have nothing: of rows that were moved out of
// such a step since, the sums stand at both times.
func (c *Choice) olderBuckets(ctx context.Context, s *source, k int, edges []logdb.Millis) ([]logdb.Bucket, error) {
	o, n := &s.older[k], len(edges)-1
	out, held, values := emptyBuckets(n), emptyBuckets(n), make([]int64, n)
	var shift logdb.Millis // buckets are (start, end] for quantities that cover an interval
	if logdb.LookupChannel(s.channel).CoversInterval {
		shift = 1
	}
	err := c.readSamples(ctx, o.ids, edges[0]+shift, edges[n]+shift, func(v sample) {
		i := sort.Search(len(edges), func(n int) bool { return edges[n] > v.at-shift }) - 1
		values[i]++
		if holds(o.left, v.position) {
			out[i] = Merge(out[i], logdb.Bucket{Count: 1, Min: v.value, Max: v.value, Sum: v.value, First: v.value, Last: v.value, FirstTime: v.at, LastTime: v.at})
		}
	})
	if err == nil {
		err = c.eachBucket(ctx, o.ids, edges, func(i int, b logdb.Bucket) { held[i] = Merge(held[i], b) })
	}
	if err != nil {
		return nil, err
	}
	step := RollStep(c.query.Zone.String(), edges[0])
	var parts []logdb.Millis // edges of steps within buckets of which values are gone
	gone := false
	for i := range held {
		if held[i].Count <= values[i] {
			continue
		}
		gone = true
		if edges[i+1]-edges[i] <= step {
			continue
		}
		for t := (held[i].FirstTime - shift).Floor(step); t <= held[i].LastTime+step; t += step {
			if t > edges[i] && t < edges[i+1] {
				parts = append(parts, t)
			}
		}
	}
	switch {
	case !gone:
		return out, nil
	case len(parts) > 0:
		return c.olderBySteps(ctx, s, k, edges, parts)
	}
	better, err := c.inBetter(ctx, s, k, edges, step)
	if err != nil {
		return nil, err
	}
	for i := range held {
		if held[i].Count > values[i] && !better(edges[i], edges[i+1]) {
			out[i] = held[i]
		}
	}
	return out, nil
}

// inBetter returns whether the names before the k-th one have anything in the steps that a bucket touches.
func (c *Choice) inBetter(ctx context.Context, s *source, k int, edges []logdb.Millis, step logdb.Millis) (func(first, last logdb.Millis) bool, error) {
	touched := func(first, last logdb.Millis) (logdb.Millis, logdb.Millis) {
		if last-first > step {
			return first, last
		}
		return first.Floor(step), (last - 1).Floor(step) + step
	}
	var grid []logdb.Millis
	for i := range len(edges) - 1 {
		lo, hi := touched(edges[i], edges[i+1])
		grid = append(grid, lo, hi)
	}
	slices.Sort(grid)
	grid = slices.Compact(grid)
	counts := make([]int64, len(grid)-1)
	err := c.sourceBuckets(ctx, &source{channel: s.channel, ids: s.ids, older: s.older[:k]}, grid, func(i int, b logdb.Bucket) { counts[i] += b.Count })
	return func(first, last logdb.Millis) bool {
		lo, hi := touched(first, last)
		for i, _ := slices.BinarySearch(grid, lo); i < len(counts) && grid[i] < hi; i++ {
			if counts[i] > 0 {
				return true
			}
		}
		return false
	}, err
}

// olderBySteps is olderBuckets by the steps in which sums are kept, where values are gone.
func (c *Choice) olderBySteps(ctx context.Context, s *source, k int, edges, parts []logdb.Millis) ([]logdb.Bucket, error) {
	grid := slices.Concat(edges, parts)
	slices.Sort(grid)
	grid = slices.Compact(grid)
	all, err := c.olderBuckets(ctx, s, k, grid)
	if err != nil {
		return nil, err
	}
	out := emptyBuckets(len(edges) - 1)
	at := 0
	for i, b := range all {
		for grid[i] >= edges[at+1] {
			at++
		}
		out[at] = Merge(out[at], b)
	}
	return out, nil
}

func (c *Choice) eachBucket(ctx context.Context, ids []logdb.SeriesID, edges []logdb.Millis, add func(i int, b logdb.Bucket)) error {
	return c.src.ReadBuckets(ctx, ids, edges, func(_ logdb.SeriesID, all []logdb.Bucket) error {
		for i, b := range all {
			add(i, b)
		}
		return nil
	})
}

func emptyBuckets(n int) []logdb.Bucket {
	out := make([]logdb.Bucket, n)
	for i := range out {
		out[i] = logdb.EmptyBucket()
	}
	return out
}

// snap moves the places where the log changes to the next edge, so that no bucket mixes two logs.
func snap(parts []part, sources []source, edges []logdb.Millis) []part {
	var out []part
	for _, p := range parts {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if sources[p.source].log != sources[last.source].log {
				j, _ := slices.BinarySearch(edges, p.first)
				last.last = edges[min(j, len(edges)-1)]
			}
			p.first = max(p.first, last.last)
		}
		if p.first < p.last {
			out = append(out, p)
		}
	}
	return out
}

// Merge joins two buckets of the same span, whatever their order in time.
func Merge(a, b logdb.Bucket) logdb.Bucket {
	switch {
	case a.Count == 0:
		return b
	case b.Count == 0:
		return a
	}
	a.Count += b.Count
	a.Sum += b.Sum
	a.Min = min(a.Min, b.Min)
	a.Max = max(a.Max, b.Max)
	if b.FirstTime < a.FirstTime {
		a.First, a.FirstTime = b.First, b.FirstTime
	}
	if b.LastTime >= a.LastTime {
		a.Last, a.LastTime = b.Last, b.LastTime
	}
	return a
}
