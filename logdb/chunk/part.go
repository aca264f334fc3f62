package chunk

import "metermanager/logdb"

// PointsIn reads what AppendPoints wrote into b as Points does, but perhaps only those with first <= time < last: where times, positions and
// values are written in a way that lets the others be left out.
func (c *Codec) PointsIn(data []byte, b *logdb.Block, first, last logdb.Millis) error {
	s := c.get()
	done := c.part(s, data, b, first, last)
	c.put(s)
	if done {
		return nil
	}
	return c.Points(data, b)
}

// part reads a range of points of a regular chunk, and reports whether it did. What it cannot read is for Points to tell.
func (c *Codec) part(s *scratch, data []byte, b *logdb.Block, first, last logdb.Millis) bool {
	r := reader{data: data}
	r.format(formatPoints)
	n := r.count()
	if kind := r.byte(); kind != intsRegular {
		return false
	}
	at, step := logdb.Millis(r.varint()), logdb.Millis(r.varint())
	if kind := r.byte(); kind != intsRegular {
		return false
	}
	position, apart := r.varint(), r.varint()
	if r.err != nil || at < logdb.MinTime || at > logdb.MaxTime || step < 1 || step > logdb.MaxTime || first > last {
		return false
	}
	i, j := indexFrom(first, at, step, n), indexFrom(last, at, step, n)
	if j == i || j-i > n/2 {
		return false
	}
	if kind := r.byte(); kind != valuesDecimal {
		return false
	}
	exponent, exceptions := r.byte(), r.uvarint()
	if kind := r.byte(); r.err != nil || exponent > maxExponent || exceptions > 0 || kind != intsClasses || !r.second {
		return false
	}
	s.ints = grown(s.ints, j)
	s.readFirstClasses(&r, n, s.ints)
	if r.end() != nil {
		return false
	}
	b.Exponent, b.Exceptions = exponent, b.Exceptions[:0]
	b.Times, b.Positions, b.Mantissas = grown(b.Times, j-i), grown(b.Positions, j-i), grown(b.Mantissas, j-i)
	copy(b.Mantissas, s.ints[i:j])
	for k := range b.Times {
		b.Times[k] = at + logdb.Millis(i+k)*step
		b.Positions[k] = logdb.Position(position + int64(i+k)*apart)
	}
	return true
}

// indexFrom returns which of n times, step apart, is the first that is not before t.
func indexFrom(t, first, step logdb.Millis, n int) int {
	if t <= first {
		return 0
	}
	return int(min(logdb.Millis(n), (t-first+step-1)/step))
}
