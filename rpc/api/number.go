package api

import (
	"math"
	"strconv"
)

var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float reads a number, null or NaN; the latter two are NaN. What is read is what
// strconv.ParseFloat reads, bit for bit: a mantissa below 2^53 and a power of ten up to 22 are
// both exact, so one division rounds correctly.
func (s *scan) float() float64 {
	c := s.peek()
	if s.err != nil {
		return 0
	}
	if c == 'n' || c == 'N' {
		s.null(true)
		return math.NaN()
	}
	b, start := s.b, s.i
	i := start
	if i < len(b) && b[i] == '-' {
		i++
	}
	var m uint64
	digits := i
	for i < len(b) && b[i]-'0' <= 9 {
		m = m*10 + uint64(b[i]-'0')
		i++
	}
	n := i - digits
	if n == 0 {
		s.notNumber(i)
		return 0
	}
	if n > 1 && b[digits] == '0' {
		s.fail(digits, RefusedSyntax, "a number begins with 0")
		return 0
	}
	scale := 0
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		for i < len(b) && b[i]-'0' <= 9 {
			m = m*10 + uint64(b[i]-'0')
			i++
		}
		scale = i - point
		if scale == 0 {
			s.fail(i, RefusedSyntax, "a digit must follow the point of a number")
			return 0
		}
	}
	s.i = i
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if !s.exponent() {
			return 0
		}
	} else if n+scale <= 18 && m < 1<<53 && scale < len(tens) {
		f := float64(m) / tens[scale]
		if b[start] == '-' {
			f = -f
		}
		return f
	}
	return s.slowFloat(start)
}

// slowFloat reads a number of any length that ends here.
func (s *scan) slowFloat(start int) float64 {
	f, err := strconv.ParseFloat(string(s.b[start:s.i]), 64)
	if err != nil {
		s.fail(start, RefusedSyntax, "a number is larger than a double can hold")
		return 0
	}
	return f
}

// exponent passes over the exponent at the present place.
func (s *scan) exponent() bool {
	s.i++
	if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
		s.i++
	}
	from := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	if s.i == from {
		s.fail(s.i, RefusedSyntax, "a digit must follow the e of a number")
	}
	return s.i > from
}

func (s *scan) notNumber(i int) {
	if i < len(s.b) && i == s.i && startsValue(s.b[i]) {
		s.shape(i, "a number, null or NaN is expected here")
		return
	}
	s.i = i
	s.unexpected("a number")
}

// integer reads a whole number between low and high, never through a double.
func (s *scan) integer(what string, low, high int64) int64 {
	c := s.peek()
	if s.err != nil {
		return 0
	}
	b, start := s.b, s.i
	i := start
	if c == '-' {
		i++
	}
	digits := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	switch {
	case i == digits && c != '-' && startsValue(c):
		s.shape(start, what+" must be a whole number")
		return 0
	case i == digits:
		s.i = i
		s.unexpected("a whole number")
		return 0
	case i-digits > 1 && b[digits] == '0':
		s.fail(digits, RefusedSyntax, "a number begins with 0")
		return 0
	case i < len(b) && (b[i] == '.' || b[i] == 'e' || b[i] == 'E'):
		s.shape(start, what+" must be a whole number")
		return 0
	}
	v, ok := parseInt(b[digits:i], c == '-')
	if !ok || v < low || v > high {
		s.shape(start, what+" is out of range")
		return 0
	}
	s.i = i
	return v
}

// parseInt reads decimal digits as a 64-bit number.
func parseInt(digits []byte, negative bool) (int64, bool) {
	if len(digits) > 19 {
		return 0, false
	}
	var u uint64 // 19 digits always fit
	for _, d := range digits {
		u = u*10 + uint64(d-'0')
	}
	if negative {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u < 1<<63
}
