package api

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// Value is a measured value in a document. NaN and infinities are null, and null is NaN:
// an absent value is never zero.
type Value float64

// MarshalJSON writes the number, or null.
func (v Value) MarshalJSON() ([]byte, error) { return AppendFloat(nil, float64(v)), nil }

// UnmarshalJSON reads a number, or null as NaN.
func (v *Value) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*v = Value(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("a value must be a number or null")
	}
	*v = Value(f)
	return nil
}

// AppendFloat appends f as JavaScript prints it: plain digits from 1e-6 to below 1e21, an
// exponent outside. What it writes reads back bit for bit; NaN and infinities are null.
func AppendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}
