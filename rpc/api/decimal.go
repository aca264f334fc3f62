package api

import (
	"math/bits"
	"slices"
)

// pairs are the numbers from 00 to 99.
const pairs = "00010203040506070809" +
	"10111213141516171819" +
	"20212223242526272829" +
	"30313233343536373839" +
	"40414243444546474849" +
	"50515253545556575859" +
	"60616263646566676869" +
	"70717273747576777879" +
	"80818283848586878889" +
	"90919293949596979899"

// wholeTens are the powers of ten that a word can hold.
var wholeTens = [...]uint64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// digitsOf returns how many digits u has; 0 has one.
func digitsOf(u uint64) int {
	n := bits.Len64(u|1) * 1233 >> 12 // of the power of two below
	if u >= wholeTens[n] {
		n++
	}
	return max(n, 1)
}

// putEight writes eight digits before end.
func putEight(b []byte, end int, u uint32) {
	b = b[end-8 : end : end]
	hi, lo := u/10_000, u%10_000
	a, c, d, e := hi/100*2, hi%100*2, lo/100*2, lo%100*2
	b[0], b[1], b[2], b[3] = pairs[a], pairs[a+1], pairs[c], pairs[c+1]
	b[4], b[5], b[6], b[7] = pairs[d], pairs[d+1], pairs[e], pairs[e+1]
}

// putDigits writes the last digits of u so that they end before end, and returns the others.
func putDigits(b []byte, end, digits int, u uint64) uint64 {
	for ; digits >= 2; digits -= 2 {
		q := u / 100
		r := int(u-q*100) * 2
		u = q
		end -= 2
		b[end+1], b[end] = pairs[r+1], pairs[r]
	}
	if digits == 1 {
		q := u / 10
		b[end-1] = '0' + byte(u-q*10)
		u = q
	}
	return u
}

// appendUint appends a whole number, given as it stands in two's complement.
func appendUint(b []byte, u uint64, negative bool) []byte {
	if negative {
		b, u = append(b, '-'), -u
	}
	n := digitsOf(u)
	b = slices.Grow(b, n)[:len(b)+n]
	end := len(b)
	for n >= 8 { // a time has 13
		q := u / 100_000_000
		putEight(b, end, uint32(u-q*100_000_000))
		u, n, end = q, n-8, end-8
	}
	putDigits(b, end, n, u)
	return b
}

// appendDecimal appends m / 10^exponent. The text reads back as exactly that double, and is
// what AppendFloat writes for it when it has up to 15 digits.
func appendDecimal(b []byte, m int64, exponent uint8) []byte {
	u := uint64(m)
	if m < 0 {
		u = -u
	}
	e := int(exponent)
	if u >= 1<<53 || e > 15 || e > 6 && u < wholeTens[e-6] {
		return AppendFloat(b, float64(m)/tens[min(e, len(tens)-1)])
	}
	for e > 0 {
		q := u / 10
		if q*10 != u {
			break
		}
		u = q
		e--
	}
	if m < 0 {
		b = append(b, '-')
	}
	if e == 0 {
		return appendUint(b, u, false)
	}
	n := max(digitsOf(u), e+1) // 0.05
	b = slices.Grow(b, n+1)[:len(b)+n+1]
	end := len(b)
	u = putDigits(b, end, e, u)
	b[end-e-1] = '.'
	putDigits(b, end-e-1, n-e, u)
	return b
}
