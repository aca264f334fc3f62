package chunk

import (
	"encoding/binary"
	"fmt"
	"math"

	"metermanager/logdb"
)

// Page is one accepted page of rows, as it waits in the head: columns that share times and
// positions, in the order in which they came. The columns stay encoded until one is asked for.
type Page struct {
	Times      []logdb.Millis
	Positions  []logdb.Position
	Run        uint32
	Generation uint32
	Series     []int64 // the store's number of each column
	bodies     [][]byte
}

// Len returns the number of rows.
func (p *Page) Len() int { return len(p.Times) }

// AppendPage appends the rows of h as a head page; series numbers its columns. Absent values
// are NaN.
func (c *Codec) AppendPage(dst []byte, h *logdb.History, series []int64) ([]byte, error) {
	n := h.Len()
	if n > MaxPoints {
		return dst, fmt.Errorf("encode %d rows: %w", n, ErrTooLarge)
	}
	s := c.get()
	defer c.put(s)
	dst = binary.AppendUvarint(append(dst, formatPage), uint64(n))
	dst = appendSequence(c, s, dst, h.Times)
	dst = appendSequence(c, s, dst, h.Positions)
	dst = binary.AppendUvarint(dst, uint64(h.Run))
	dst = binary.AppendUvarint(dst, uint64(h.Generation))
	dst = binary.AppendUvarint(dst, uint64(len(series)))
	last := int64(0)
	var bodies []byte
	for i, id := range series {
		before := len(bodies)
		bodies = c.appendColumn(s, bodies, h.Columns[i])
		dst = binary.AppendVarint(dst, id-last)
		dst = binary.AppendUvarint(dst, uint64(len(bodies)-before))
		last = id
	}
	return append(dst, bodies...), nil
}

const (
	columnFull   = 0
	columnSparse = 1 // a bitmap of the present rows stands first
)

func (c *Codec) appendColumn(s *scratch, dst []byte, values []float64) []byte {
	absent := 0
	for _, v := range values {
		if math.IsNaN(v) {
			absent++
		}
	}
	if absent == 0 {
		return c.appendValues(s, append(dst, columnFull), values)
	}
	dst = append(dst, columnSparse)
	at := len(dst)
	dst = append(dst, make([]byte, (len(values)+7)/8)...)
	s.floats = s.floats[:0]
	for i, v := range values {
		if !math.IsNaN(v) {
			dst[at+i/8] |= 1 << (i % 8)
			s.floats = append(s.floats, v)
		}
	}
	return c.appendValues(s, dst, s.floats)
}

// Page reads what AppendPage wrote into p, whose arrays are used again. p keeps parts of data.
func (c *Codec) Page(data []byte, p *Page) error {
	s := c.get()
	defer c.put(s)
	r := reader{data: data}
	r.format(formatPage)
	n := r.count()
	p.Times = grown(p.Times, n)
	p.Positions = grown(p.Positions, n)
	readSequence(c, s, &r, p.Times)
	readSequence(c, s, &r, p.Positions)
	p.Run, p.Generation = uint32(r.uvarint()), uint32(r.uvarint())
	count := r.uvarint()
	if count > uint64(len(r.data)/2) {
		r.fail("too many columns")
		count = 0
	}
	p.Series = grown(p.Series, int(count))
	p.bodies = grown(p.bodies, int(count))
	lengths := make([]uint64, count)
	last := int64(0)
	for i := range p.Series {
		last += r.varint()
		p.Series[i] = last
		lengths[i] = r.uvarint()
	}
	for i, l := range lengths {
		p.bodies[i] = r.take(l)
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("decode a head page of %d bytes: %w", len(data), err)
	}
	return nil
}

// PageColumn appends column i of p to out, NaN where a row has no value.
func (c *Codec) PageColumn(p *Page, i int, out []float64) ([]float64, error) {
	s := c.get()
	defer c.put(s)
	r := reader{data: p.bodies[i]}
	n := p.Len()
	var present []byte
	count := n
	switch r.byte() {
	case columnFull:
	case columnSparse:
		present = r.take(uint64(n+7) / 8)
		count = 0
		for k := range n {
			if r.err == nil && present[k/8]&(1<<(k%8)) != 0 {
				count++
			}
		}
	default:
		r.fail("unknown kind of column")
	}
	var b logdb.Block
	if r.err == nil {
		c.readValues(s, &r, count, &b)
	}
	if err := r.end(); err != nil {
		return out, fmt.Errorf("decode column %d of a head page: %w", i, err)
	}
	if present == nil {
		return b.AppendValues(out), nil
	}
	s.floats = b.AppendValues(s.floats[:0])
	next := 0
	for k := range n {
		if present[k/8]&(1<<(k%8)) == 0 {
			out = append(out, math.NaN())
			continue
		}
		out = append(out, s.floats[next])
		next++
	}
	return out, nil
}

// Block turns points into b, whose arrays are used again: what Points gives after AppendPoints.
func (c *Codec) Block(p Points, b *logdb.Block) {
	s := c.get()
	defer c.put(s)
	b.Times = append(b.Times[:0], p.Times...)
	b.Positions = append(b.Positions[:0], p.Positions...)
	b.Exceptions = b.Exceptions[:0]
	e, ok := 0, true
	if len(p.Values) > 0 {
		e, ok = s.decimal(p.Values)
	}
	b.Mantissas = grown(b.Mantissas, len(p.Values))
	b.Exponent = uint8(e)
	if !ok {
		b.Exponent = 0
		clear(b.Mantissas)
		for i, v := range p.Values {
			b.Exceptions = append(b.Exceptions, logdb.Exception{Index: i, Value: v})
		}
		return
	}
	if len(p.Values) == 0 {
		return
	}
	copy(b.Mantissas, s.more)
	for _, i := range s.failed {
		b.Exceptions = append(b.Exceptions, logdb.Exception{Index: i, Value: p.Values[i]})
	}
}
