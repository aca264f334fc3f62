package chunk

import (
	"encoding/binary"
	"fmt"

	"metermanager/logdb"
)

// Points are values of one series in order of (time, position).
type Points struct {
	Times     []logdb.Millis
	Positions []logdb.Position
	Values    []float64
}

// Len returns the number of points.
func (p *Points) Len() int { return len(p.Times) }

// Slice returns points [i, j) sharing p's arrays.
func (p *Points) Slice(i, j int) Points {
	return Points{p.Times[i:j], p.Positions[i:j], p.Values[i:j]}
}

// AppendPoints appends the points of a chunk.
func (c *Codec) AppendPoints(dst []byte, p Points) ([]byte, error) {
	if len(p.Times) > MaxPoints {
		return dst, fmt.Errorf("encode %d points: %w", len(p.Times), ErrTooLarge)
	}
	s := c.get()
	defer c.put(s)
	s.tight = true
	first := len(dst)
	dst = binary.AppendUvarint(append(dst, formatPoints), uint64(len(p.Times)))
	dst = appendSequence(c, s, dst, p.Times)
	dst = appendSequence(c, s, dst, p.Positions)
	dst = c.appendValues(s, dst, p.Values)
	s.version(dst[first:])
	return dst, nil
}

// Points reads what AppendPoints wrote into b, whose arrays are used again.
func (c *Codec) Points(data []byte, b *logdb.Block) error { return c.points(data, b, true) }

// Values reads it without the positions, of which b has none then.
func (c *Codec) Values(data []byte, b *logdb.Block) error { return c.points(data, b, false) }

func (c *Codec) points(data []byte, b *logdb.Block, ordered bool) error {
	s := c.get()
	defer c.put(s)
	r := reader{data: data}
	r.format(formatPoints)
	n := r.count()
	b.Times = grown(b.Times, n)
	readSequence(c, s, &r, b.Times)
	switch {
	case ordered:
		b.Positions = grown(b.Positions, n)
		readSequence(c, s, &r, b.Positions)
	case n > 0 && len(r.data) > 0 && r.data[0] == intsRegular:
		b.Positions = b.Positions[:0]
		r.byte()
		r.varint()
		r.varint()
	default:
		s.skipped = grown(s.skipped, n)
		readSequence(c, s, &r, s.skipped)
		b.Positions = b.Positions[:0]
	}
	if r.err == nil {
		c.readValues(s, &r, n, b)
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("decode %d bytes of points: %w", len(data), err)
	}
	return nil
}

// Marks say of every row of a log, values or not, where and when it was recorded.
type Marks struct {
	Times       []logdb.Millis
	Positions   []logdb.Position
	Runs        []uint32
	Generations []uint32
}

// Len returns the number of rows.
func (m *Marks) Len() int { return len(m.Times) }

// AppendMarks appends the rows of a chunk of marks.
func (c *Codec) AppendMarks(dst []byte, m Marks) ([]byte, error) {
	if len(m.Times) > MaxPoints {
		return dst, fmt.Errorf("encode %d rows: %w", len(m.Times), ErrTooLarge)
	}
	s := c.get()
	defer c.put(s)
	dst = binary.AppendUvarint(append(dst, formatMarks), uint64(len(m.Times)))
	dst = appendSequence(c, s, dst, m.Times)
	dst = appendSequence(c, s, dst, m.Positions)
	dst = appendSequence(c, s, dst, m.Runs)
	return appendSequence(c, s, dst, m.Generations), nil
}

// Marks reads what AppendMarks wrote into m, whose arrays are used again.
func (c *Codec) Marks(data []byte, m *Marks) error {
	s := c.get()
	defer c.put(s)
	r := reader{data: data}
	r.format(formatMarks)
	n := r.count()
	m.Times = grown(m.Times, n)
	m.Positions = grown(m.Positions, n)
	m.Runs = grown(m.Runs, n)
	m.Generations = grown(m.Generations, n)
	readSequence(c, s, &r, m.Times)
	readSequence(c, s, &r, m.Positions)
	readSequence(c, s, &r, m.Runs)
	readSequence(c, s, &r, m.Generations)
	if err := r.end(); err != nil {
		return fmt.Errorf("decode %d bytes of marks: %w", len(data), err)
	}
	return nil
}

// AppendSamples appends the samples of one waveform channel.
func (c *Codec) AppendSamples(dst []byte, values []float64) ([]byte, error) {
	if len(values) > MaxPoints {
		return dst, fmt.Errorf("encode %d samples: %w", len(values), ErrTooLarge)
	}
	s := c.get()
	defer c.put(s)
	dst = binary.AppendUvarint(append(dst, formatSamples), uint64(len(values)))
	return c.appendValues(s, dst, values), nil
}

// Samples appends the samples that AppendSamples wrote to out.
func (c *Codec) Samples(data []byte, out []float64) ([]float64, error) {
	s := c.get()
	defer c.put(s)
	r := reader{data: data}
	r.format(formatSamples)
	var b logdb.Block
	n := r.count()
	c.readValues(s, &r, n, &b)
	if err := r.end(); err != nil {
		return out, fmt.Errorf("decode %d bytes of samples: %w", len(data), err)
	}
	return b.AppendValues(out), nil
}

// AppendBytes appends any bytes, compressed.
func (c *Codec) AppendBytes(dst, data []byte) []byte {
	dst = binary.AppendUvarint(append(dst, formatBytes), uint64(len(data)))
	return c.enc.EncodeAll(data, dst)
}

// Bytes returns what AppendBytes wrote.
func (c *Codec) Bytes(data []byte) ([]byte, error) {
	r := reader{data: data}
	r.format(formatBytes)
	size := r.uvarint()
	if size > MaxPoints*8 {
		r.fail("bad size")
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode %d bytes: %w", len(data), r.err)
	}
	out, err := c.dec.DecodeAll(r.data, make([]byte, 0, size))
	if err != nil || uint64(len(out)) != size {
		return nil, fmt.Errorf("decode %d bytes: %w: it does not decompress", len(data), ErrDamaged)
	}
	return out, nil
}
