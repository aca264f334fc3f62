package analysis

import (
	"context"
	"fmt"
	"slices"

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
			if err := c.readPart(ctx, c.sources[col][p.source].ids, from, to, func(b *logdb.Block) error { return visit(id, b) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPart reads one source. Its streams follow each other but for late data, so only where they overlap
// in this range are they merged.
func (c *Choice) readPart(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(*logdb.Block) error) error {
	if len(ids) == 1 {
		return c.src.ReadSeries(ctx, ids, first, last, func(_ logdb.SeriesID, b *logdb.Block) error { return visit(b) })
	}
	var all []sample
	err := c.src.ReadSeries(ctx, ids, first, last, func(_ logdb.SeriesID, b *logdb.Block) error {
		for i, v := range b.AppendValues(nil) {
			all = append(all, sample{b.Times[i], b.Positions[i], v})
		}
		return nil
	})
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
		out := make([]logdb.Bucket, len(edges)-1)
		for i := range out {
			out[i] = logdb.EmptyBucket()
		}
		for _, p := range parts {
			if err := c.partBuckets(ctx, c.sources[col][p.source].ids, p, edges, out); err != nil {
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
func (c *Choice) partBuckets(ctx context.Context, ids []logdb.SeriesID, p part, edges []logdb.Millis, out []logdb.Bucket) error {
	lo, _ := slices.BinarySearch(edges, p.first+1)
	lo-- // the bucket that holds p.first
	hi, _ := slices.BinarySearch(edges, p.last)
	cut := append([]logdb.Millis{p.first}, edges[lo+1:hi]...)
	cut = append(cut, p.last)
	return c.src.ReadBuckets(ctx, ids, cut, func(_ logdb.SeriesID, b []logdb.Bucket) error {
		for i := range b {
			out[lo+i] = Merge(out[lo+i], b[i])
		}
		return nil
	})
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
