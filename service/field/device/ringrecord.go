package device

import (
	"encoding/binary"
	"fmt"
	"math"

	"metermanager/logdb"
)

// RingLayout is what differs between the meters of the ring family, and what no document prints.
type RingLayout struct {
	Lines  []RingLine      `json:"lines"`
	System SystemLayout    `json:"system"`
	Limit  RingLimitLayout `json:"limit"`
	PQ     RingPQLayout    `json:"pq"`
	Wave   RingWaveLayout  `json:"waveform"`
	// Flicker is of meters with a log of flicker only.
	Flicker *RingFlickerLayout `json:"flicker,omitempty"`
}

// RingLine names one point of the meter's table of readings, by which data pointers and limits refer to them.
type RingLine struct {
	Line    uint16           `json:"line"`
	Point   byte             `json:"point"`
	Channel logdb.ChannelKey `json:"channel"`
	// Type is that of a point: its width in registers is the size in records.
	Type       string  `json:"type"`
	Scale      float64 `json:"scale"`
	Unverified bool    `json:"unverified,omitempty"`
}

// RingLimitLayout says how limits are read.
type RingLimitLayout struct {
	Unverified bool `json:"unverified"`
	// BelowMasks are the bits of the limit mode that say that comparison 1 and 2 look for too low a value.
	BelowMasks [2]byte `json:"below_masks"`
}

// RingPQLayout says what of a PQ record is known.
type RingPQLayout struct {
	Unverified bool `json:"unverified"`
	States     int  `json:"states"` // offset of two words of limit states, above and below; the ms digit stands before
}

// RingWaveLayout scales a recording.
type RingWaveLayout struct {
	Unverified bool `json:"unverified"`
	// GainDivisor and RMSDivisor are one gain and one squared unit: they differ with the hardware.
	GainDivisor float64 `json:"gain_divisor"`
	RMSDivisor  float64 `json:"rms_divisor"`
	RateHz      float64 `json:"rate_hz"` // a cycle
}

// LineOf finds a point of the table.
func (l *RingLayout) LineOf(line uint16, point byte) (RingLine, bool) {
	for _, x := range l.Lines {
		if x.Line == line && x.Point == point {
			return x, true
		}
	}
	return RingLine{}, false
}

func (x RingLine) width() int { return 2 * (&Point{Type: x.Type}).width() }

// RingPointer refers to a point of the meter's table.
type RingPointer struct {
	Line  uint16
	Point byte
}

// Channel is what a pointer means: by the profile, else a name made from its numbers.
func (l *RingLayout) Channel(p RingPointer) logdb.ChannelKey {
	if x, ok := l.LineOf(p.Line, p.Point); ok {
		return x.Channel
	}
	return logdb.ChannelKey(fmt.Sprintf("line.x%04x.point%d", p.Line, p.Point))
}

// RingProgram is the programming of a historical log of the ring family.
type RingProgram struct {
	Size     int // of a record in bytes
	Pointers []RingPointer
}

// noLine is a pointer that is not used.
const noLine = 0xFFFF

var ringSizes = [...]int{32, 64, 128, 256, 16}

// ParseRingProgram reads the 128 registers of a log's data pointers and the register of its record size.
func ParseRingProgram(b []byte) (RingProgram, error) {
	if len(b) != 2*(RingPointerRegs+1) {
		return RingProgram{}, fmt.Errorf("%w: a log program of %d bytes, want %d", ErrRecord, len(b), 2*(RingPointerRegs+1))
	}
	code := int(binary.BigEndian.Uint16(b[2*RingPointerRegs:]))
	if code >= len(ringSizes) {
		return RingProgram{}, fmt.Errorf("%w: record size code %d", ErrRecord, code)
	}
	out := RingProgram{Size: ringSizes[code]}
	for i := range RingPointerRegs / 2 {
		p := RingPointer{binary.BigEndian.Uint16(b[4*i:]), b[4*i+2]}
		if p.Line == noLine {
			break
		}
		out.Pointers = append(out.Pointers, p)
	}
	return out, nil
}

// Append appends the registers of p.
func (p RingProgram) Append(b []byte) []byte {
	for i := range RingPointerRegs / 2 {
		x := RingPointer{Line: noLine, Point: 0xFF}
		if i < len(p.Pointers) {
			x = p.Pointers[i]
		}
		b = append(binary.BigEndian.AppendUint16(b, x.Line), x.Point, 0)
	}
	code := 0
	for i, s := range ringSizes {
		if s == p.Size {
			code = i
		}
	}
	return binary.BigEndian.AppendUint16(b, uint16(code))
}

// RingHistoryDecoder returns the decoder of a program. The values stand one behind the other, so the first pointer whose size the profile does not
// know ends what can be decoded; the raw records are kept, and a profile that knows more lines decodes the rest later.
func (p *Profile) RingHistoryDecoder(program RingProgram) *HistoryDecoder {
	lay := p.Layouts.Ring
	d := &HistoryDecoder{size: program.Size, stamp: ParseTStamp8}
	seen := map[logdb.ChannelKey]bool{}
	off := 8
	for _, ptr := range program.Pointers {
		x, ok := lay.LineOf(ptr.Line, ptr.Point)
		if !ok || off+x.width() > program.Size {
			break
		}
		f := historyField{off: off, size: x.width(), typ: itemLine, line: &Point{Type: x.Type, Scale: &x.Scale}}
		off += f.size
		if seen[x.Channel] {
			continue
		}
		seen[x.Channel] = true
		d.Channels = append(d.Channels, x.Channel)
		d.fields = append(d.fields, f)
	}
	return d
}

// ParseRingSystem reads the 16 bytes of a system event: the kind of record and what its first two sub-fields say.
func ParseRingSystem(b []byte) (SystemRecord, error) {
	if len(b) != RingSystemSize {
		return SystemRecord{}, fmt.Errorf("%w: a system event of %d bytes", ErrRecord, len(b))
	}
	t, err := ParseTStamp8(b)
	return SystemRecord{Time: t, Group: b[8], Event: b[9], Channel: b[10], Params: [4]byte(b[11:15])}, err
}

// RingEvent describes r for people, with its raw bytes.
func (l SystemLayout) RingEvent(r SystemRecord) logdb.SystemEvent {
	out := logdb.SystemEvent{Type: logdb.SystemOther, Code: int64(r.Group)<<8 | int64(r.Event), Description: "event"}
	if n, ok := l.Lookup(r.Group, r.Event); ok {
		out.Type, out.Description = n.Type, n.Text
	}
	out.Description += fmt.Sprintf(" (record %d: %02x %02x % x)", r.Group, r.Event, r.Channel, r.Params)
	return out
}

// RingLimitRecord is a record of the limit trigger log: which comparisons are exceeded, and which changed.
type RingLimitRecord struct {
	Time TStamp
	// State and Delta hold limit 1 in the most significant bit, of comparison 1 and 2.
	State, Delta [2]uint32
}

// ParseRingLimit reads 32 bytes.
func ParseRingLimit(b []byte) (RingLimitRecord, error) {
	if len(b) != RingLimitSize {
		return RingLimitRecord{}, fmt.Errorf("%w: a limit record of %d bytes", ErrRecord, len(b))
	}
	t, err := ParseTStamp8(b)
	u := func(off int) uint32 { return binary.BigEndian.Uint32(b[off:]) }
	return RingLimitRecord{Time: t, State: [2]uint32{u(8), u(12)}, Delta: [2]uint32{u(16), u(20)}}, err
}

// RingLimitSetting is one programmed limit.
type RingLimitSetting struct {
	RingPointer
	Mode   byte
	Values [2]uint16
}

// ParseRingLimits reads the settings of the 32 limits.
func ParseRingLimits(b []byte) ([]RingLimitSetting, error) {
	if len(b) != 2*RingLimitRegs {
		return nil, fmt.Errorf("%w: limit settings of %d bytes", ErrRecord, len(b))
	}
	out := make([]RingLimitSetting, RingLimits)
	for i := range out {
		x := b[8*i:]
		out[i] = RingLimitSetting{RingPointer{binary.BigEndian.Uint16(x), x[2]}, x[3], [2]uint16{binary.BigEndian.Uint16(x[4:]), binary.BigEndian.Uint16(x[6:])}}
	}
	return out, nil
}

// ringPhases are the readings of the high-speed limits, from bit 15 down.
var ringPhases = [...]struct {
	name    string
	channel logdb.ChannelKey
}{
	{"Van", "readings.voltage.an"}, {"Vbn", "readings.voltage.bn"}, {"Vcn", "readings.voltage.cn"}, {"Vaux", "readings.voltage.aux"},
	{"Ia", "readings.current.a"}, {"Ib", "readings.current.b"}, {"Ic", "readings.current.c"}, {"Iaux", "readings.current.aux"}, {"In", "readings.current.n"},
	{"Vab", "readings.voltage.ab"}, {"Vbc", "readings.voltage.bc"}, {"Vca", "readings.voltage.ca"},
}

// RingPQRecord is what is known of a record of the PQ log.
type RingPQRecord struct {
	Time         TStamp
	Millis       int    // to add to the hundredths of Time
	Above, Below uint16 // limit states, bits as in ringPhases
}

// Parse reads one record.
func (l RingPQLayout) Parse(b []byte) (RingPQRecord, error) {
	if len(b) != RingPQSize {
		return RingPQRecord{}, fmt.Errorf("%w: a PQ record of %d bytes", ErrRecord, len(b))
	}
	t, err := ParseTStamp8(b)
	if err == nil && b[8] > 9 {
		err = fmt.Errorf("%w: a millisecond of %d", ErrRecord, b[8])
	}
	return RingPQRecord{t, int(b[8]), binary.BigEndian.Uint16(b[l.States:]), binary.BigEndian.Uint16(b[l.States+2:])}, err
}

// Channels lists what is out of its limits, too high first.
func (r RingPQRecord) Channels() (out []logdb.Excursion) {
	for _, side := range [...]struct {
		bits uint16
		typ  int64
	}{{r.Above, logdb.ExcursionAbove}, {r.Below, logdb.ExcursionBelow}} {
		for i, p := range ringPhases {
			if side.bits&(1<<(15-i)) != 0 {
				out = append(out, logdb.Excursion{Channel: p.channel, Type: side.typ, DurationSeconds: math.NaN(), Worst: math.NaN(), WorstPercent: math.NaN(), Threshold: math.NaN()})
			}
		}
	}
	return out
}

// unverified lists, for people, what no document says.
func (l *RingLayout) unverified() (out []string) {
	for _, x := range l.Lines {
		if x.Unverified {
			out = append(out, fmt.Sprintf("line %d point %d %s", x.Line, x.Point, x.Channel))
		}
	}
	for _, u := range []struct {
		name string
		set  bool
	}{
		{"system event names", l.System.Unverified}, {"limit directions", l.Limit.Unverified},
		{"PQ record layout", l.PQ.Unverified}, {"waveform scaling", l.Wave.Unverified},
	} {
		if u.set {
			out = append(out, u.name)
		}
	}
	if l.Flicker != nil && l.Flicker.Unverified {
		out = append(out, "flicker scale")
	}
	return out
}

func (l *RingLayout) check(p *Profile) error {
	seen := map[RingPointer]bool{}
	for _, x := range l.Lines {
		if x.width() == 0 || x.width() > 8 || x.Scale == 0 || !finite(x.Scale) || seen[RingPointer{x.Line, x.Point}] {
			return bad("line %d point %d: its type, its scale, or it stands twice", x.Line, x.Point)
		}
		seen[RingPointer{x.Line, x.Point}] = true
		if k, err := logdb.NormalizeChannel(string(x.Channel)); err != nil || k != x.Channel {
			return bad("line %d point %d: channel %q is not canonical", x.Line, x.Point, x.Channel)
		}
	}
	if w := l.Wave; !(w.GainDivisor > 0) || !(w.RMSDivisor > 0) || !(w.RateHz > 0) || !finite(w.GainDivisor+w.RMSDivisor+w.RateHz) {
		return bad("waveform layout: divisors %v and %v, rate %v Hz", w.GainDivisor, w.RMSDivisor, w.RateHz)
	}
	if l.PQ.States < 9 || l.PQ.States > RingPQSize-4 {
		return bad("PQ layout: states at %d", l.PQ.States)
	}
	if f := l.Flicker; f != nil && (f.Scale == 0 || !finite(f.Scale)) {
		return bad("flicker layout: scale %v", f.Scale)
	}
	return nil
}
