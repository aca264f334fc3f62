package device

import (
	"encoding/binary"
	"fmt"

	"metermanager/logdb"
)

// PQRecord is one record of the PQ log: the state after a change, and what changed.
type PQRecord struct {
	Time       TStamp
	Present    uint16 // bits of PQLayout.SurgeBit and SagBit that are out now
	Event      uint16 // bits that changed with this record
	Capture    byte
	Flags      byte
	Millis     int // within the second
	Surge, Sag [3]uint16
	// Calibration turns the counts of phases a, b, c into volts.
	Calibration [3]uint16
}

// Parse reads one record.
func (l PQLayout) Parse(b []byte) (PQRecord, error) {
	if len(b) != l.Size {
		return PQRecord{}, fmt.Errorf("%w: a PQ record of %d bytes, want %d", ErrRecord, len(b), l.Size)
	}
	t, err := ParseTStamp(b)
	u := func(off int) uint16 { return binary.BigEndian.Uint16(b[off:]) }
	r := PQRecord{Time: t, Present: u(l.Present), Event: u(l.Event), Capture: b[l.Capture], Flags: b[l.Flags], Millis: int(u(l.CycleTag))}
	for i := range 3 {
		r.Surge[i], r.Sag[i], r.Calibration[i] = u(l.Surge+2*i), u(l.Sag+2*i), u(l.Calibration+2*i)
	}
	if err == nil && r.Millis > 999 {
		err = fmt.Errorf("%w: a PQ record at millisecond %d", ErrRecord, r.Millis)
	}
	return r, err
}

// Bit returns the bit of a surge or sag of phase 0 to 2.
func (l PQLayout) Bit(surge bool, phase int) uint16 {
	if surge {
		return 1 << (l.SurgeBit + phase)
	}
	return 1 << (l.SagBit + phase)
}

// PQChannel is the channel of a phase: line to neutral, or line to line for delta.
func PQChannel(phase int, delta bool) logdb.ChannelKey {
	if delta {
		return [...]logdb.ChannelKey{"readings.voltage.ab", "readings.voltage.bc", "readings.voltage.ca"}[phase]
	}
	return [...]logdb.ChannelKey{"readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn"}[phase]
}
