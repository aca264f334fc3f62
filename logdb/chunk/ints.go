package chunk

import (
	"encoding/binary"
	"math"
)

// How a sequence of integers is written.
const (
	intsRegular = 0 // start, step
	intsRuns    = 1 // start, then (delta, count)
	intsVarint  = 2 // start, then deltas; for few values
	intsPacked  = 3 // DELTA_BINARY_PACKED
	intsZstd    = 4 // the same, compressed
	intsClasses = 5 // deltas by classes (classes.go); from version 2 on
)

// fewValues is below which DELTA_BINARY_PACKED, which pads to 32 values, does not pay.
const fewValues = 48

// appendSequence writes times, positions and the like: mostly regular, or regular with breaks.
func appendSequence[T ~int64 | ~uint64 | ~uint32](c *Codec, s *scratch, dst []byte, values []T) []byte {
	n := len(values)
	if n == 0 {
		return dst
	}
	runs := 0
	var last int64
	for i := 1; i < n; i++ {
		if d := int64(values[i]) - int64(values[i-1]); i == 1 || d != last {
			runs, last = runs+1, d
		}
	}
	if runs <= 1 {
		dst = binary.AppendVarint(append(dst, intsRegular), int64(values[0]))
		return binary.AppendVarint(dst, last)
	}
	if runs > n/4+2 {
		s.ints = grown(s.ints, n)
		for i, v := range values {
			s.ints[i] = int64(v)
		}
		return c.appendPacked(s, dst, s.ints)
	}
	dst = binary.AppendVarint(append(dst, intsRuns), int64(values[0]))
	dst = binary.AppendUvarint(dst, uint64(runs))
	for i := 1; i < n; {
		d := int64(values[i]) - int64(values[i-1])
		j := i + 1
		for j < n && int64(values[j])-int64(values[j-1]) == d {
			j++
		}
		dst = binary.AppendVarint(dst, d)
		dst = binary.AppendUvarint(dst, uint64(j-i))
		i = j
	}
	return dst
}

// readSequence fills out, whose length says how many values follow.
func readSequence[T ~int64 | ~uint64 | ~uint32](c *Codec, s *scratch, r *reader, out []T) {
	if len(out) == 0 {
		return
	}
	switch kind := r.byte(); kind {
	case intsRegular:
		v, step := r.varint(), r.varint()
		for i := range out {
			out[i] = T(v)
			v += step
		}
	case intsRuns:
		v := r.varint()
		out[0] = T(v)
		i := 1
		for k := r.uvarint(); k > 0 && r.err == nil; k-- {
			d, count := r.varint(), r.uvarint()
			if count == 0 || count > uint64(len(out)-i) {
				r.fail("bad run")
				return
			}
			for range count {
				v += d
				out[i] = T(v)
				i++
			}
		}
		if i != len(out) {
			r.fail("runs of another length")
		}
	default:
		if direct, ok := any(out).([]int64); ok {
			c.readPacked(s, r, kind, direct)
			return
		}
		s.ints = grown(s.ints, len(out))
		c.readPacked(s, r, kind, s.ints)
		if r.err == nil {
			for i, v := range s.ints {
				out[i] = T(v)
			}
		}
	}
}

// appendPacked writes any integers; neighbours that lie close together take few bits.
func (c *Codec) appendPacked(s *scratch, dst []byte, values []int64) []byte {
	constant := true
	for _, v := range values {
		if v != values[0] {
			constant = false
			break
		}
	}
	switch {
	case constant:
		dst = binary.AppendVarint(append(dst, intsRegular), values[0])
		return binary.AppendVarint(dst, 0)
	case len(values) < fewValues:
		dst = append(dst, intsVarint)
		last := int64(0)
		for _, v := range values {
			dst = binary.AppendVarint(dst, v-last)
			last = v
		}
		return dst
	}
	s.packed, _ = c.bits.EncodeInt64(s.packed, values) // it has no way to fail
	s.bytes = c.enc.EncodeAll(s.packed, s.bytes[:0])
	if s.tight {
		best := min(len(s.packed), len(s.bytes))
		if out, ok := s.appendClasses(dst, values, best-best/12-4); ok {
			s.second = true
			return out
		}
	}
	if len(s.bytes) < len(s.packed)-len(s.packed)/16 {
		dst = binary.AppendUvarint(append(dst, intsZstd), uint64(len(s.packed)))
		dst = binary.AppendUvarint(dst, uint64(len(s.bytes)))
		return append(dst, s.bytes...)
	}
	dst = binary.AppendUvarint(append(dst, intsPacked), uint64(len(s.packed)))
	return append(dst, s.packed...)
}

// readPacked fills out with what appendPacked wrote after its first byte, kind.
func (c *Codec) readPacked(s *scratch, r *reader, kind byte, out []int64) {
	switch kind {
	case intsRegular:
		v, step := r.varint(), r.varint()
		for i := range out {
			out[i] = v
			v += step
		}
	case intsVarint:
		v := int64(0)
		for i := range out {
			v += r.varint()
			out[i] = v
		}
	case intsPacked:
		c.unpack(r, r.take(r.uvarint()), out)
	case intsZstd:
		size := r.uvarint()
		// 64 bits a value and 14 bytes a block of 128 are the most that packing takes.
		if size > uint64(len(out)+128)*9+64 {
			r.fail("bad size")
			return
		}
		s.bytes = c.inflate(s.bytes, r, int(size))
		c.unpack(r, s.bytes, out)
	case intsClasses:
		if !r.second {
			r.fail("unknown kind of integers")
			return
		}
		s.readClasses(r, out)
	default:
		r.fail("unknown kind of integers")
	}
}

// inflate decompresses the next length-prefixed frame, which must give size bytes.
func (c *Codec) inflate(buf []byte, r *reader, size int) []byte {
	frame := r.take(r.uvarint())
	if r.err != nil {
		return buf
	}
	if cap(buf) < size {
		buf = make([]byte, 0, size+size/4)
	}
	out, err := c.dec.DecodeAll(frame, buf[:0:size])
	if err != nil || len(out) != size {
		r.fail("it does not decompress")
		return buf
	}
	return out
}

// unpack decodes DELTA_BINARY_PACKED. The library trusts its input with sizes, so the blocks are
// walked first.
func (c *Codec) unpack(r *reader, data []byte, out []int64) {
	if r.err != nil {
		return
	}
	w := reader{data: data}
	if w.uvarint() != 128 || w.uvarint() != 4 || w.uvarint() != uint64(len(out)) {
		r.fail("bad packed integers")
		return
	}
	w.varint()
	for left := len(out) - 1; left > 0 && w.err == nil; left -= 128 {
		w.varint()
		widths := w.take(4)
		for _, width := range widths {
			if width > 64 {
				w.fail("bad width")
			}
			w.take(uint64(width) * 4)
		}
	}
	if w.end() != nil || len(out) == 0 || len(out) > math.MaxInt32 {
		r.fail("bad packed integers")
		return
	}
	got, err := c.bits.DecodeInt64(out, data)
	if err != nil || len(got) != len(out) {
		r.fail("bad packed integers")
		return
	}
	if &got[0] != &out[0] {
		copy(out, got)
	}
}
