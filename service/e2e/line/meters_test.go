package line_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// teller is a line of meters without logs, by a profile all of whose values are floats of 32 bits. Every value tells which meter it is of, which quantity
// it is and when it was asked for, so that a value at a wrong place or of a wrong time shows.
type teller struct {
	start   time.Time
	units   int
	profile *device.Profile
}

// codes is a bound of what code returns; a float of 32 bits holds so many.
const codes = 1 << 21

// code is seconds, unit and quantity as one number.
func code(quantity, unit, seconds int) int { return (quantity*8+unit)*8192 + seconds }

// divisor makes the codes of a point small enough to be plausible.
func divisor(p device.Point) float64 {
	d := 1.0
	for p.Max != nil && codes/d > *p.Max {
		d *= 2
	}
	return d
}

// scale is what the profile makes of the meter's number.
func scale(p device.Point) float64 {
	if p.Scale == nil {
		return 1
	}
	return *p.Scale
}

// ask answers the reads of its units.
func (t *teller) ask(unit byte, pdu []byte) []byte {
	if unit < 1 || int(unit) > t.units || len(pdu) != 5 {
		return nil
	}
	if pdu[0] != t.profile.Defaults.FC {
		return []byte{pdu[0] | 0x80, 1}
	}
	first, n := int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	out := make([]byte, 2+2*n)
	out[0], out[1] = pdu[0], byte(2*n)
	for i, p := range t.profile.Points {
		v := math.Float32bits(float32(float64(code(i, int(unit), int(time.Since(t.start)/time.Second))) / divisor(p)))
		for k, w := range []uint16{uint16(v >> 16), uint16(v)} {
			if at := int(p.Addr) + k - first; at >= 0 && at < n {
				binary.BigEndian.PutUint16(out[2+2*at:], w)
			}
		}
	}
	return out
}

// check says what is wrong with a value that a meter is said to have had between two times; "" when nothing is.
func (t *teller) check(unit int, channel logdb.ChannelKey, v float64, from, to time.Time) string {
	for i, p := range t.profile.Points {
		if p.Channel != channel {
			continue
		}
		c := math.Round(v / scale(p) * divisor(p)) // a float of 32 bits is stored as the shortest number that names it
		if c < 0 || c >= codes || int(c)/8192 != i*8+unit {
			return fmt.Sprintf("%s of unit %d is %v: of another quantity, or of none", channel, unit, v)
		}
		at := t.start.Add(time.Duration(int(c)%8192) * time.Second)
		if at.Before(from.Add(-time.Second)) || at.After(to) {
			return fmt.Sprintf("%s of unit %d is of %s, not between %s and %s", channel, unit, at.Format(time.TimeOnly), from.Format(time.TimeOnly), to.Format(time.TimeOnly))
		}
		return ""
	}
	return ""
}

// between says what is wrong with the energy of a minute, which grows by one a second; "" when nothing is.
func (t *teller) between(total logdb.ChannelKey, v float64) string {
	for _, p := range t.profile.Points {
		if s := v / scale(p); p.Channel == total && (s < 60-16 || s > 60+16) {
			return fmt.Sprintf("%v of %s in a minute", v, total)
		}
	}
	return ""
}
