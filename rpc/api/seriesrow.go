package api

import (
	"math"
	"slices"

	"metermanager/logdb"
)

// aligned reports whether row k of the part is value k of every column, as it is where the columns were recorded together.
func (p *rowsPart) aligned(c *window, groups []int) bool {
	for i, x := range p.cursors {
		// A column of the same group, with which rows are shared by position.
		like := slices.Index(groups, groups[i])
		first := p.cursors[0]
		if x.end-x.i != first.end-first.i || !slices.Equal(c.columns[i].times[x.i:x.end], c.columns[0].times[first.i:first.end]) {
			return false
		}
		other := p.cursors[like]
		if like != i && !slices.Equal(c.columns[i].positions[x.i:x.end], c.columns[like].positions[other.i:other.end]) {
			return false
		}
	}
	return len(p.cursors) > 0
}

// writeAligned makes the text of an aligned part.
func (p *rowsPart) writeAligned(c *window, absent string) {
	x := &p.cursors[0]
	if x.i == x.end {
		return
	}
	most := 24 + 26*len(p.cursors) // bytes of a row
	b := p.b
	for x.i < x.end {
		// Up to here no column has an exception or changes its exponent.
		plain := x.end - x.i
		for i := range p.cursors {
			plain = min(plain, c.columns[i].plain(&p.cursors[i]))
		}
		if plain == 0 {
			t := c.columns[0].times[x.i]
			p.note(t, 1)
			b = appendUint(append(b, ',', '['), uint64(t), t < 0)
			for i := range p.cursors {
				b = c.columns[i].append(append(b, ','), &p.cursors[i], absent)
			}
			b = append(b, ']')
			continue
		}
		times := c.columns[0].times[x.i : x.i+plain]
		p.note(times[0], plain)
		p.last = times[plain-1]
		for k, t := range times {
			b = slices.Grow(b, most)
			b = appendUint(append(b, ',', '['), uint64(t), t < 0)
			for i := range p.cursors {
				column, at := &c.columns[i], &p.cursors[i]
				b = appendDecimal(append(b, ','), column.mantissas[at.i+k], column.segments[at.segment].exponent)
			}
			b = append(b, ']')
		}
		for i := range p.cursors {
			p.cursors[i].i += plain
		}
	}
	p.b = b
}

// merge makes the text of any part, with at most so many rows of which the last may share its time with more; below 0: all. It returns the time of
// the row that it stopped before.
func (p *rowsPart) merge(c *window, w *SeriesWriter, most int) (next logdb.Millis, stop bool) {
	groups := 0
	for _, g := range w.groups {
		groups = max(groups, g+1)
	}
	p.lowest = slices.Grow(p.lowest[:0], groups)[:groups]
	last := logdb.Millis(-1)
	for {
		t := logdb.Millis(math.MaxInt64)
		for i := range p.cursors {
			if x := &p.cursors[i]; x.i < x.end {
				t = min(t, c.columns[i].times[x.i])
			}
		}
		if t == math.MaxInt64 {
			return 0, false
		}
		if most >= 0 && p.rows >= most && t != last {
			return t, true
		}
		last = t
		p.row(c, w, t)
	}
}

// row writes the next record at t: of each group the values of its lowest position there.
func (p *rowsPart) row(c *window, w *SeriesWriter, t logdb.Millis) {
	clear(p.lowest)
	for i := range p.cursors {
		column, x := &c.columns[i], &p.cursors[i]
		if x.i < x.end && column.times[x.i] == t {
			if at := column.positions[x.i]; p.lowest[w.groups[i]] == 0 || at < p.lowest[w.groups[i]] {
				p.lowest[w.groups[i]] = at
			}
		}
	}
	p.note(t, 1)
	b := appendUint(append(p.b, ',', '['), uint64(t), t < 0)
	for i := range p.cursors {
		column, x := &c.columns[i], &p.cursors[i]
		b = append(b, ',')
		if x.i < x.end && column.times[x.i] == t && column.positions[x.i] == p.lowest[w.groups[i]] {
			b = column.append(b, x, w.absent)
		} else {
			b = append(b, w.absent...)
		}
	}
	p.b = append(b, ']')
}

// seriesColumn holds the values of one column in one window.
type seriesColumn struct {
	times      []logdb.Millis
	positions  []logdb.Position
	mantissas  []int64
	segments   []segment
	exceptions []logdb.Exception
}

// segment is a part of a column with one exponent.
type segment struct {
	end      int
	exponent uint8
}

func (c *seriesColumn) add(b *logdb.Block) {
	from := len(c.times)
	c.times = append(c.times, b.Times...)
	c.positions = append(c.positions, b.Positions...)
	for len(c.positions) < len(c.times) { // a source without positions
		c.positions = append(c.positions, 1)
	}
	c.mantissas = append(c.mantissas, b.Mantissas...)
	for _, x := range b.Exceptions {
		c.exceptions = append(c.exceptions, logdb.Exception{Index: from + x.Index, Value: x.Value})
	}
	c.segments = append(c.segments, segment{len(c.times), b.Exponent})
}

func (c *seriesColumn) reset() {
	c.times, c.positions, c.mantissas = c.times[:0], c.positions[:0], c.mantissas[:0]
	c.segments, c.exceptions = c.segments[:0], c.exceptions[:0]
}

// settle moves x to the segment and the exception of its value.
func (c *seriesColumn) settle(x *cursor) {
	for x.exception < len(c.exceptions) && c.exceptions[x.exception].Index < x.i {
		x.exception++
	}
	for x.segment < len(c.segments) && c.segments[x.segment].end <= x.i {
		x.segment++
	}
}

// plain returns how many values from x on are mantissas of one exponent.
func (c *seriesColumn) plain(x *cursor) int {
	c.settle(x)
	end := min(x.end, c.segments[x.segment].end)
	if x.exception < len(c.exceptions) {
		end = min(end, c.exceptions[x.exception].Index)
	}
	return end - x.i
}

// append writes the value at x and passes on.
func (c *seriesColumn) append(b []byte, x *cursor, absent string) []byte {
	c.settle(x)
	i := x.i
	x.i++
	if x.exception < len(c.exceptions) && c.exceptions[x.exception].Index == i {
		v := c.exceptions[x.exception].Value
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, absent...)
		}
		return AppendFloat(b, v)
	}
	return appendDecimal(b, c.mantissas[i], c.segments[x.segment].exponent)
}
