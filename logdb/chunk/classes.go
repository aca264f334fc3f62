package chunk

import (
	"encoding/binary"
	"math/bits"

	"github.com/klauspost/compress/huff0"
)

// Classes: a difference in zigzag form, u, is written as a class of one byte and some more bits. Up to 15 the class is u; above, it tells the
// length of u and its two bits below the first, and what is left of u follows as bits. Classes are Huffman-coded, so that differences
// of a few common sizes take fractions of whole bits, and wide ones little more than their own.
const (
	plainClasses = 16
	classBits    = 3  // of u that the class of a longer one tells
	maxExtra     = 56 // bits beside a class: with 7 more they fit into a word
	maxClasses   = 1 << 17
)

// classOf returns the class of u and how many bits are left.
func classOf(u uint64) (class byte, extra int) {
	if u < plainClasses {
		return byte(u), 0
	}
	extra = bits.Len64(u) - classBits
	return byte(plainClasses + (extra-2)*4 + int(u>>extra)&3), extra
}

// appendClasses writes the differences of values when that takes at most so many bytes.
func (s *scratch) appendClasses(dst []byte, values []int64, most int) ([]byte, bool) {
	if len(values) < 2 || len(values) > maxClasses {
		return dst, false
	}
	s.classes = grown(s.classes, len(values)-1)
	out := s.extra[:0]
	word, used := uint64(0), 0
	last := values[0] // apart: its class would be a rare one, which makes others longer
	for i, v := range values[1:] {
		d := v - last
		last = v
		u := uint64(d)<<1 ^ uint64(d>>63)
		class, extra := classOf(u)
		if extra > maxExtra || len(out) > most {
			return dst, false
		}
		s.classes[i] = class
		if extra == 0 {
			continue
		}
		word |= u & (1<<extra - 1) << used
		for used += extra; used >= 8; used -= 8 {
			out = append(out, byte(word))
			word >>= 8
		}
	}
	if used > 0 {
		out = append(out, byte(word))
	}
	s.extra = out
	s.huffman.Reuse = huff0.ReusePolicyNone
	coded, _, err := huff0.Compress4X(s.classes, &s.huffman)
	if err != nil || len(coded)+len(out) > most {
		return dst, false // of one class, or of too many: there are better ways
	}
	dst = binary.AppendVarint(append(dst, intsClasses), values[0])
	dst = binary.AppendUvarint(dst, uint64(len(coded)))
	dst = append(dst, coded...)
	dst = binary.AppendUvarint(dst, uint64(len(out)))
	return append(dst, out...), true
}

// readClasses fills out with what appendClasses wrote after its first byte.
func (s *scratch) readClasses(r *reader, out []int64) { s.readFirstClasses(r, len(out), out) }

// readFirstClasses fills out with the first of n such integers.
func (s *scratch) readFirstClasses(r *reader, n int, out []int64) {
	first := r.varint()
	coded := r.take(r.uvarint())
	extra := r.take(r.uvarint())
	n--
	if r.err != nil || n < 1 || n >= maxClasses || len(out) < 1 {
		r.fail("bad size")
		return
	}
	_, rest, err := huff0.ReadTable(coded, &s.huffman)
	if err != nil {
		r.fail("bad table of classes")
		return
	}
	s.classes = grown(s.classes, n)
	classes, err := s.huffman.Decoder().Decompress4X(s.classes[:0:n], rest)
	if err != nil || len(classes) != n {
		r.fail("bad classes")
		return
	}
	out[0] = first
	used, ok := undelta(first, classes[:len(out)-1], extra, out[1:])
	if !ok || len(out) > n && (used+7)/8 != len(extra) {
		r.fail("bad differences")
	}
}

// undelta sums up differences and returns how many bits they took; false when there are not so many.
func undelta(last int64, classes, extra []byte, out []int64) (bits int, ok bool) {
	at := 0 // a bit of extra
	out = out[:len(classes)]
	for i, class := range classes {
		u := uint64(class)
		if class >= plainClasses {
			c := int(class - plainClasses)
			n := c/4 + 2
			var word uint64
			if at>>3+8 <= len(extra) {
				word = binary.LittleEndian.Uint64(extra[at>>3:])
			} else {
				if n > maxExtra || at+n > 8*len(extra) {
					return at, false
				}
				for k, b := range extra[at>>3:] {
					word |= uint64(b) << (8 * k)
				}
			}
			u = uint64(4|c&3)<<n | word>>(at&7)&(1<<n-1)
			at += n
		}
		last += int64(u>>1) ^ -int64(u&1)
		out[i] = last
	}
	return at, true
}
