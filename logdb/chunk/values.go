package chunk

import (
	"encoding/binary"
	"math"

	"metermanager/logdb"
)

// How a column of values is written.
const (
	valuesDecimal = 0 // exponent, exceptions, mantissas
	valuesRaw     = 1 // doubles, byte planes, compressed
	valuesPlain   = 2 // doubles
)

const (
	maxMantissa = 1 << 53 // exclusive: doubles hold every smaller integer exactly
	maxExponent = 18
	// shareOfExceptions is 1/16: with more misfits a column is not decimal.
	shareOfExceptions = 16
)

var powers = [maxExponent + 1]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// fit returns m with m / p equal to v in all 64 bits. Dividing two exact numbers rounds
// correctly; multiplying by an inverse would not.
func fit(v, p float64) (int64, bool) {
	x := math.RoundToEven(v * p)
	if !(x > -maxMantissa && x < maxMantissa) {
		return 0, false
	}
	m := int64(x)
	return m, math.Float64bits(float64(m)/p) == math.Float64bits(v)
}

// decimals returns how many decimals v has, and false when it is no short decimal number.
func decimals(v float64) (int, bool) {
	for e, p := range powers {
		if _, ok := fit(v, p); ok {
			return e, true
		}
		if !(math.Abs(v)*p < maxMantissa) {
			break
		}
	}
	return 0, false
}

// exponent chooses the number of decimals that makes a sample of the values smallest: an odd
// value more as an exception, or one more digit in all of them.
func exponent(values []float64, failed []int) int {
	var need [maxExponent + 1]int
	n := 0
	count := func(v float64) {
		n++
		if e, ok := decimals(v); ok {
			need[e]++
		}
	}
	if failed != nil {
		for _, i := range failed {
			count(values[i])
		}
		n = len(values)
	} else {
		step := max(1, len(values)/64)
		for i := 0; i < len(values); i += step {
			count(values[i])
		}
	}
	const exceptionBits, digitBits = 88, 3.33
	best, cost, above := 0, math.Inf(1), 0
	for e := maxExponent; e >= 0; e-- {
		if need[e] == 0 && e > 0 {
			continue
		}
		if c := float64(above)*exceptionBits + float64(n)*float64(e)*digitBits; c <= cost {
			best, cost = e, c
		}
		above += need[e]
	}
	return best
}

// mantissas fills m with the values at exponent e and lists those that do not fit; it gives up
// once more than most do not.
func mantissas(m []int64, values []float64, e int, failed []int, most int) ([]int, bool) {
	failed = failed[:0]
	p := powers[e]
	last := int64(0)
	for i, v := range values {
		x := math.RoundToEven(v * p)
		if k := int64(x); x > -maxMantissa && x < maxMantissa && math.Float64bits(float64(k)/p) == math.Float64bits(v) {
			m[i], last = k, k
			continue
		}
		if len(failed) == most {
			return failed, false
		}
		failed = append(failed, i)
		m[i] = last // costs nothing in a sequence of differences
	}
	return failed, true
}

// decimal writes the values into s.more as mantissas and s.failed as exceptions at the exponent
// that it returns.
func (s *scratch) decimal(values []float64) (int, bool) {
	n := len(values)
	s.more = grown(s.more, n)
	var ok bool
	e := exponent(values, nil)
	// Where the sample's choice fails for a quarter, the values are not decimal at all.
	if s.failed, ok = mantissas(s.more, values, e, s.failed, max(n/4, 4)); !ok {
		return e, false
	}
	if len(s.failed) > n/256 {
		// The sample missed some: look at all that did not fit.
		if other := exponent(values, s.failed); other > e {
			before := len(s.failed)
			s.failed, _ = mantissas(s.more, values, other, s.failed, n)
			if len(s.failed) < before {
				e = other
			} else {
				s.failed, ok = mantissas(s.more, values, e, s.failed, n)
			}
		}
	}
	return e, ok && len(s.failed) <= n/shareOfExceptions
}

// appendValues writes a column of doubles.
func (c *Codec) appendValues(s *scratch, dst []byte, values []float64) []byte {
	if len(values) == 0 {
		return dst
	}
	e, ok := s.decimal(values)
	if !ok {
		return c.appendRaw(s, dst, values)
	}
	dst = append(dst, valuesDecimal, byte(e))
	dst = binary.AppendUvarint(dst, uint64(len(s.failed)))
	last := 0
	for _, i := range s.failed {
		dst = binary.AppendUvarint(dst, uint64(i-last))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(values[i]))
		last = i
	}
	return c.appendPacked(s, dst, s.more)
}

// appendRaw writes doubles as they are. Long columns go byte plane by byte plane: the high bytes
// of neighbours are alike, and single precision leaves the low ones zero.
func (c *Codec) appendRaw(s *scratch, dst []byte, values []float64) []byte {
	n := len(values)
	if n >= fewValues {
		s.packed = grown(s.packed, 8*n)
		for i, v := range values {
			bits := math.Float64bits(v)
			for plane := range 8 {
				s.packed[plane*n+i] = byte(bits >> (8 * plane))
			}
		}
		s.bytes = c.enc.EncodeAll(s.packed, s.bytes[:0])
		if len(s.bytes) < 8*n {
			dst = binary.AppendUvarint(append(dst, valuesRaw), uint64(len(s.bytes)))
			return append(dst, s.bytes...)
		}
	}
	dst = append(dst, valuesPlain)
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// readValues reads n values into b's mantissas and exceptions.
func (c *Codec) readValues(s *scratch, r *reader, n int, b *logdb.Block) {
	b.Mantissas = grown(b.Mantissas, n)
	b.Exceptions = b.Exceptions[:0]
	b.Exponent = 0
	if n == 0 {
		return
	}
	switch r.byte() {
	case valuesDecimal:
		e := r.byte()
		if e > maxExponent {
			r.fail("bad exponent")
			return
		}
		b.Exponent = e
		count := r.uvarint()
		if count > uint64(len(r.data)/9) {
			r.fail("too many exceptions")
			return
		}
		index := uint64(0)
		for k := range count {
			d := r.uvarint()
			index += d
			bits := r.take(8)
			if r.err != nil || d > uint64(n) || index >= uint64(n) || k > 0 && d == 0 {
				r.fail("bad exception")
				return
			}
			b.Exceptions = append(b.Exceptions, logdb.Exception{Index: int(index), Value: math.Float64frombits(binary.LittleEndian.Uint64(bits))})
		}
		c.readPacked(s, r, r.byte(), b.Mantissas)
	case valuesRaw:
		s.bytes = c.inflate(s.bytes, r, 8*n)
		if r.err != nil {
			return
		}
		clear(b.Mantissas)
		for i := range n {
			var bits uint64
			for plane := range 8 {
				bits |= uint64(s.bytes[plane*n+i]) << (8 * plane)
			}
			b.Exceptions = append(b.Exceptions, logdb.Exception{Index: i, Value: math.Float64frombits(bits)})
		}
	case valuesPlain:
		data := r.take(8 * uint64(n))
		if r.err != nil {
			return
		}
		clear(b.Mantissas)
		for i := range n {
			bits := binary.LittleEndian.Uint64(data[8*i:])
			b.Exceptions = append(b.Exceptions, logdb.Exception{Index: i, Value: math.Float64frombits(bits)})
		}
	default:
		r.fail("unknown kind of values")
	}
}

// Decimal writes v as m / 10^e when that gives back all 64 bits with at most 18 decimals.
func Decimal(v float64) (m int64, e uint8, ok bool) {
	d, ok := decimals(v)
	if !ok {
		return 0, 0, false
	}
	m, _ = fit(v, powers[d])
	return m, uint8(d), true
}
