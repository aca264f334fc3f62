package device

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
)

// The kinds of a point.
const (
	KindGauge    = "gauge"
	KindCounter  = "counter"
	KindInterval = "interval" // a quantity of the interval that has just ended
)

// The kinds of scale registers.
const (
	ScalePow10     = "pow10"      // a signed power of ten, -10 to 10
	ScaleEIGEnergy = "eig_energy" // the EIG power and energy format register
)

// Point is one value in a meter's registers.
type Point struct {
	Name       string           `json:"name"`
	Addr       Addr             `json:"addr"` // in a SunSpec model: offset from its ID register
	Type       string           `json:"type"`
	Count      int              `json:"count,omitempty"` // registers of a string
	Channel    logdb.ChannelKey `json:"channel,omitempty"`
	Unit       string           `json:"unit,omitempty"`
	Kind       string           `json:"kind,omitempty"`
	Scale      *float64         `json:"scale,omitempty"`
	Offset     float64          `json:"offset,omitempty"`
	FC         byte             `json:"fc,omitempty"`
	Order      string           `json:"order,omitempty"`
	Invalid    []string         `json:"invalid,omitempty"` // raw values in hex that mean "no value"
	Min        *float64         `json:"min,omitempty"`
	Max        *float64         `json:"max,omitempty"`
	Rollover   float64          `json:"rollover,omitempty"` // of a counter, in raw counts
	Group      string           `json:"group,omitempty"`
	ScaleFrom  *ScaleFrom       `json:"scale_from,omitempty"`
	Magnitude  bool             `json:"magnitude,omitempty"` // the sign only says the direction, as the channel does
	Unverified bool             `json:"unverified,omitempty"`
	// NotImplemented applies the SunSpec "not implemented" values of the type.
	NotImplemented bool `json:"-"`
}

// ScaleFrom names the register that a point's scale is read from.
type ScaleFrom struct {
	Addr Addr   `json:"addr"`
	Kind string `json:"kind"`
}

// Quality says what a value is worth. No value is ever replaced by 0.
type Quality string

// The qualities.
const (
	Good       Quality = "good"
	Invalid    Quality = "invalid"      // NaN, infinite or "not implemented"
	OutOfRange Quality = "out-of-range" // shown, not logged
	NoData     Quality = "no-data"      // not read
	Stale      Quality = "stale"        // read earlier
)

// Reading is the decoded value of one point.
type Reading struct {
	Name       string           `json:"name"`
	Channel    logdb.ChannelKey `json:"channel,omitempty"`
	Unit       string           `json:"unit,omitempty"`
	Kind       string           `json:"kind,omitempty"`
	Value      float64          `json:"-"`
	Text       string           `json:"text,omitempty"`
	Quality    Quality          `json:"quality"`
	Reason     string           `json:"reason,omitempty"`
	Unverified bool             `json:"unverified,omitempty"`
	Raw        uint64           `json:"-"` // the integer as read
	// Modulus is what a counter rolls over at, in the unit of Value; 0 when unknown.
	Modulus float64 `json:"-"`
	// Magnitude tells that Value was taken without its sign.
	Magnitude bool `json:"-"`
}

func (x *Point) fc(d Defaults) byte {
	if x.FC != 0 {
		return x.FC
	}
	return d.FC
}

// width returns the registers that x takes, 0 when its type is not known.
func (x *Point) width() int {
	switch x.Type {
	case "u16", "s16", "bits16":
		return 1
	case "u32", "s32", "f32", "bits32", "acc32", "dec32":
		return 2
	case "tstamp6":
		return 3
	case "u64", "s64", "f64", "bcd64", "tstamp8":
		return 4
	case "ascii":
		if x.Count >= 1 && x.Count <= 125 {
			return x.Count
		}
	}
	return 0
}

// Arrange returns at most 8 register bytes in ABCD order.
func Arrange(b []byte, order string) uint64 {
	var w [8]byte
	n := copy(w[:], b)
	v := w[:n]
	if order == "CDAB" || order == "DCBA" { // low word first
		for i, j := 0, n-2; i < j; i, j = i+2, j-2 {
			v[i], v[i+1], v[j], v[j+1] = v[j], v[j+1], v[i], v[i+1]
		}
	}
	if order == "BADC" || order == "DCBA" { // bytes of a word swapped
		for i := 0; i+1 < n; i += 2 {
			v[i], v[i+1] = v[i+1], v[i]
		}
	}
	var out uint64
	for _, c := range v {
		out = out<<8 | uint64(c)
	}
	return out
}

// Float32 returns the double whose decimal form is the shortest that names f. It
// converts back to the same 32 bits, and 120.442184 stays 120.442184 instead of
// becoming 120.44218444824219: the meter's seven digits are kept, none are made up.
func Float32(f float32) float64 {
	if f == float32(int32(f)) {
		return float64(f)
	}
	var buf [32]byte
	v, err := strconv.ParseFloat(string(strconv.AppendFloat(buf[:0], float64(f), 'g', -1, 32)), 64)
	if err != nil {
		return float64(f)
	}
	return v
}

// Pow10 scales v by a power of ten, dividing by exact powers so that 1234 / 10^2 is 12.34.
func Pow10(v float64, e int) float64 {
	if e < 0 {
		return v / math.Pow10(-e)
	}
	return v * math.Pow10(e)
}

func applyScale(v float64, scale *float64) float64 {
	if scale == nil {
		return v
	}
	if s := *scale; s > 0 && s < 1 { // 0.01 and its like: divide by the exact inverse
		if inv := math.Round(1 / s); math.Abs(inv*s-1) < 1e-12 {
			return v / inv
		}
	}
	return v * *scale
}

// decode interprets the registers of x.
func (x *Point) decode(b []byte, order string, img *Image) Reading {
	r := Reading{Name: x.Name, Channel: x.Channel, Unit: x.Unit, Kind: x.Kind, Unverified: x.Unverified, Value: math.NaN(), Quality: Good, Magnitude: x.Magnitude}
	fail := func(q Quality, format string, args ...any) Reading {
		r.Value, r.Quality, r.Reason = math.NaN(), q, fmt.Sprintf(format, args...)
		return r
	}
	if len(b) != 2*x.width() {
		return fail(NoData, "%d bytes for %d registers", len(b), x.width())
	}
	switch x.Type {
	case "ascii":
		r.Text = Text(b)
		return r
	case "tstamp6", "tstamp8":
		t, err := parseStamp(b)
		if err != nil {
			return fail(Invalid, "%v", err)
		}
		r.Text = t.String()
		return r
	}
	r.Raw = Arrange(b, order)
	if x.isInvalid(r.Raw) {
		return fail(Invalid, "the meter has no value here")
	}
	v := x.number(r.Raw)
	if !finite(v) {
		return fail(Invalid, "not a number")
	}
	if x.Magnitude {
		v = math.Abs(v)
	}
	r.Modulus = x.Rollover
	if x.ScaleFrom != nil {
		e, modulus, reason := x.exponent(img)
		if reason != "" {
			return fail(Invalid, "%s", reason)
		}
		v = Pow10(v, e)
		if modulus > 0 {
			r.Modulus = modulus
		}
		r.Modulus = Pow10(r.Modulus, e)
	}
	r.Value = applyScale(v, x.Scale) + x.Offset
	r.Modulus = applyScale(r.Modulus, x.Scale)
	if x.Min != nil && r.Value < *x.Min || x.Max != nil && r.Value > *x.Max {
		r.Quality, r.Reason = OutOfRange, "outside the range of the profile"
	}
	return r
}

func (x *Point) number(raw uint64) float64 {
	switch x.Type {
	case "s16":
		return float64(int16(raw))
	case "s32":
		return float64(int32(raw))
	case "s64":
		return float64(int64(raw))
	case "f32":
		f := math.Float32frombits(uint32(raw))
		if f != f || math.IsInf(float64(f), 0) {
			return math.NaN()
		}
		return Float32(f)
	case "f64":
		return math.Float64frombits(raw)
	case "bcd64": // 16 packed decimal digits
		return decimals(raw, 4, 16, 10)
	case "dec32": // two registers of four decimal digits
		return decimals(raw, 16, 2, 10_000)
	}
	return float64(raw)
}

// decimals reads digits, the last one in the lowest of the parts of raw; NaN where a part is no digit or, in dec32, no four digits.
func decimals(raw uint64, bits int, parts int, base uint64) float64 {
	var v uint64
	for i := parts - 1; i >= 0; i-- {
		d := raw >> (bits * i) & (1<<bits - 1)
		if d >= base {
			return math.NaN()
		}
		v = v*base + d
	}
	return float64(v)
}

// ClockOf reads a point that is the meter's clock.
func (p *Profile) ClockOf(x Point, img *Image) (TStamp, bool) {
	b, ok := img.Get(x.fc(p.Defaults), x.Addr, x.width())
	if !ok {
		return TStamp{}, false
	}
	t, err := parseStamp(b)
	return t, err == nil
}

// parseStamp reads a time of 6 or 8 bytes.
func parseStamp(b []byte) (TStamp, error) {
	if len(b) == 8 {
		return ParseTStamp8(b)
	}
	return ParseTStamp(b)
}

func (x *Point) isInvalid(raw uint64) bool {
	if slices.ContainsFunc(x.Invalid, func(h string) bool {
		v, err := strconv.ParseUint(h, 16, 64)
		return err == nil && v == raw
	}) {
		return true
	}
	if !x.NotImplemented {
		return false
	}
	switch x.Type {
	case "s16":
		return raw == 0x8000
	case "u16", "bits16":
		return raw == 0xFFFF
	case "s32":
		return raw == 0x8000_0000
	case "u32", "bits32":
		return raw == 0xFFFF_FFFF
	case "acc32":
		return raw == 0
	}
	return false
}

// exponent reads the power of ten of x's scale register from the same image.
func (x *Point) exponent(img *Image) (e int, modulus float64, reason string) {
	b, ok := img.Get(x.fcOr(img), x.ScaleFrom.Addr, 1)
	if !ok {
		return 0, 0, "its scale register " + x.ScaleFrom.Addr.String() + " was not read"
	}
	reg := binary.BigEndian.Uint16(b)
	if x.ScaleFrom.Kind == ScaleEIGEnergy {
		f := ParseEnergyFormat(reg)
		if !f.Valid() {
			return 0, 0, fmt.Sprintf("its format register holds %#04x", reg)
		}
		return f.Exponent(), math.Pow10(f.Digits), ""
	}
	e = int(int16(reg))
	if e < -10 || e > 10 {
		return 0, 0, fmt.Sprintf("its scale factor is %d", e)
	}
	return e, 0, ""
}

func (x *Point) fcOr(img *Image) byte {
	if x.FC != 0 {
		return x.FC
	}
	return img.fc
}

// Text makes register bytes readable: Latin-1, control bytes and padding removed.
func Text(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c >= 0x20 && c < 0x7F || c >= 0xA0 {
			s.WriteRune(rune(c))
		}
	}
	return strings.TrimSpace(s.String())
}
