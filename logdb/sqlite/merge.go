package sqlite

import (
	"sort"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// trim returns the part of b within a span, sharing its arrays.
func trim(b *logdb.Block, in span) *logdb.Block {
	n := b.Len()
	i := sort.Search(n, func(k int) bool { return b.Times[k] >= in.first })
	j := i + sort.Search(n-i, func(k int) bool { return b.Times[i+k] >= in.last })
	if i == 0 && j == n {
		return b
	}
	out := &logdb.Block{Times: b.Times[i:j], Positions: b.Positions[i:j], Mantissas: b.Mantissas[i:j], Exponent: b.Exponent}
	for _, x := range b.Exceptions {
		if x.Index >= i && x.Index < j {
			out.Exceptions = append(out.Exceptions, logdb.Exception{Index: x.Index - i, Value: x.Value})
		}
	}
	return out
}

// merger brings chunks and fresh values into one order.
type merger struct {
	codec *chunk.Codec
	view  *view
	fresh chunk.Points
	next  int // of fresh
	visit func(*logdb.Block) error
	block logdb.Block
}

// chunk visits what is fresh and lies before b, then b, joined where they overlap.
func (m *merger) chunk(b *logdb.Block) error {
	n := b.Len()
	if n == 0 {
		return nil
	}
	if err := m.emit(m.before(b.Times[0])); err != nil {
		return err
	}
	end := m.next + sort.Search(m.fresh.Len()-m.next, func(k int) bool { return m.fresh.Times[m.next+k] > b.Times[n-1] })
	if end == m.next && !m.hides(b) {
		return m.visit(b)
	}
	joined := chunk.Points{}
	values := b.AppendValues(nil)
	for i := range n {
		at, p := b.Times[i], b.Positions[i]
		for m.next < end && (m.fresh.Times[m.next] < at || m.fresh.Times[m.next] == at && m.fresh.Positions[m.next] < p) {
			joined = appendPoint(joined, m.fresh.Times[m.next], m.fresh.Positions[m.next], m.fresh.Values[m.next])
			m.next++
		}
		if !m.view.hidden(p, at) {
			joined = appendPoint(joined, at, p, values[i])
		}
	}
	for ; m.next < end; m.next++ {
		joined = appendPoint(joined, m.fresh.Times[m.next], m.fresh.Positions[m.next], m.fresh.Values[m.next])
	}
	return m.emitPoints(joined)
}

func appendPoint(p chunk.Points, at logdb.Millis, position logdb.Position, v float64) chunk.Points {
	return chunk.Points{Times: append(p.Times, at), Positions: append(p.Positions, position), Values: append(p.Values, v)}
}

// hides reports whether a patch may hide anything of b.
func (m *merger) hides(b *logdb.Block) bool {
	for _, x := range m.view.patches {
		if x.hide.Valid && x.hide.V >= b.Times[0] && x.hide.V <= b.Times[b.Len()-1] {
			return true
		}
	}
	return false
}

// before returns the index of the first fresh value that is not before at.
func (m *merger) before(at logdb.Millis) int {
	return m.next + sort.Search(m.fresh.Len()-m.next, func(k int) bool { return m.fresh.Times[m.next+k] >= at })
}

// emit visits the fresh values up to end.
func (m *merger) emit(end int) error {
	part := m.fresh.Slice(m.next, end)
	m.next = end
	return m.emitPoints(part)
}

func (m *merger) emitPoints(p chunk.Points) error {
	if p.Len() == 0 {
		return nil
	}
	m.codec.Block(p, &m.block)
	return m.visit(&m.block)
}

func (m *merger) rest() error { return m.emit(m.fresh.Len()) }
