package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"metermanager/logdb"
)

// MaxHistoryRegs is how many registers one historical record may hold.
const MaxHistoryRegs = 117

// The types of item descriptors.
const (
	ItemASCII    = 0
	ItemBitmap   = 1
	ItemSigned   = 2
	ItemFloat    = 3
	ItemEnergy   = 4
	ItemUnsigned = 5
	ItemTenths   = 6
	ItemEnd      = 15

	itemLine = 16 // as the profile says
)

// HistoryItem is one logged value.
type HistoryItem struct {
	Type int
	Size int // bytes
	Addr Addr
}

// HistoryProgram is the programming of one historical log.
type HistoryProgram struct {
	Registers int // per record; 0: the log is disabled
	Sectors   int
	Interval  time.Duration // 0: end-of-interval pulse, or none
	Items     []HistoryItem
}

var historyIntervals = [...]time.Duration{
	time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
}

// RecordSize is the size of a record in normal mode.
func (h HistoryProgram) RecordSize() int { return 6 + 2*h.Registers }

// Enabled reports whether the log records at all.
func (h HistoryProgram) Enabled() bool { return h.Registers > 0 && h.Sectors > 0 }

// ParseHistoryProgram reads the 192 registers of a log's programming. A program whose
// descriptors do not fit its registers is refused: its records would be read wrongly.
func ParseHistoryProgram(b []byte) (HistoryProgram, error) {
	if len(b) != 2*HistorySettings {
		return HistoryProgram{}, fmt.Errorf("%w: a log program of %d bytes, want %d", ErrRecord, len(b), 2*HistorySettings)
	}
	h := HistoryProgram{Registers: int(b[0]), Sectors: int(b[1])}
	if h.Registers > MaxHistoryRegs {
		return h, fmt.Errorf("%w: %d registers a record", ErrRecord, h.Registers)
	}
	for i, d := range historyIntervals {
		if binary.BigEndian.Uint16(b[2:]) == 1<<i {
			h.Interval = d
		}
	}
	if !h.Enabled() {
		return h, nil
	}
	addrs, desc := b[4:4+2*MaxHistoryRegs], b[4+2*MaxHistoryRegs:]
	reg := 0
	for i := 0; i < MaxHistoryRegs && reg < h.Registers; i++ {
		d := desc[i]
		if d == 0xFF || d>>4 == ItemEnd {
			break
		}
		size := int(d & 15)
		if size == 0 || size%2 != 0 || reg+size/2 > h.Registers {
			return h, fmt.Errorf("%w: item %d of %d bytes at register %d of %d", ErrRecord, i, size, reg, h.Registers)
		}
		first := binary.BigEndian.Uint16(addrs[2*reg:])
		for k := 1; k < size/2; k++ {
			if binary.BigEndian.Uint16(addrs[2*(reg+k):]) != first+uint16(k) {
				return h, fmt.Errorf("%w: the registers of item %d are not consecutive", ErrRecord, i)
			}
		}
		h.Items = append(h.Items, HistoryItem{Type: int(d >> 4), Size: size, Addr: Addr(first)})
		reg += size / 2
	}
	if reg != h.Registers {
		return h, fmt.Errorf("%w: the items take %d registers, the record has %d", ErrRecord, reg, h.Registers)
	}
	return h, nil
}

// HistoryDecoder turns records of one log program into values.
type HistoryDecoder struct {
	Channels []logdb.ChannelKey
	size     int
	stamp    func([]byte) (TStamp, error)
	fields   []historyField
}

type historyField struct {
	off, size int
	typ       int
	exp       int      // of energies
	scale     *float64 // of integers that the profile knows
	invalid   *Point
	line      *Point // of itemLine
}

// HistoryDecoder returns the decoder of program under the meter's energy format. A
// register that the profile does not know gets a key made from its address.
func (p *Profile) HistoryDecoder(program HistoryProgram, energy EnergyFormat) (*HistoryDecoder, error) {
	d := &HistoryDecoder{size: program.RecordSize(), stamp: ParseTStamp}
	seen := map[logdb.ChannelKey]bool{}
	off := 6
	for _, it := range program.Items {
		f := historyField{off: off, size: it.Size, typ: it.Type}
		off += it.Size
		if it.Type == ItemASCII || it.Type == ItemBitmap || it.Size > 8 {
			continue
		}
		key := logdb.ChannelKey(fmt.Sprintf("register.x%04x", uint16(it.Addr)))
		if x, ok := p.PointAt(it.Addr); ok && 2*x.width() == it.Size {
			if x.Channel != "" {
				key = x.Channel
			}
			if it.Type == ItemSigned || it.Type == ItemUnsigned {
				f.scale = x.Scale
			}
			f.invalid = &x
		}
		if it.Type == ItemEnergy {
			if !energy.Valid() {
				return nil, fmt.Errorf("%w: the energy format register is not valid", ErrRecord)
			}
			f.exp = energy.Exponent()
		}
		if seen[key] {
			continue // logged twice: the first stands
		}
		seen[key] = true
		d.Channels = append(d.Channels, key)
		d.fields = append(d.fields, f)
	}
	return d, nil
}

// Decode writes the values of rec into out (one for each channel, NaN when absent) and
// returns the record's time. On an error out holds nothing.
func (d *HistoryDecoder) Decode(rec []byte, out []float64) (TStamp, error) {
	if len(rec) != d.size || len(out) != len(d.fields) {
		return TStamp{}, fmt.Errorf("%w: a historical record of %d bytes, want %d", ErrRecord, len(rec), d.size)
	}
	t, err := d.stamp(rec)
	if err != nil {
		return t, err
	}
	for i := range d.fields {
		out[i] = d.fields[i].value(rec)
		f := &d.fields[i]
		if f.typ == itemLine && t.Apart && onlyTest(rec[f.off:f.off+f.size]) {
			out[i] = math.NaN()
		}
		if f.invalid != nil && f.invalid.Magnitude { // whatever type the log gives the register
			out[i] = math.Abs(out[i])
		}
	}
	return t, nil
}

// onlyTest reports whether a value was recorded in test mode, where only energies are.
func onlyTest(b []byte) bool { return len(bytes.Trim(b, "\x55")) == 0 }

func (f *historyField) value(rec []byte) float64 {
	b := rec[f.off : f.off+f.size]
	raw := Arrange(b, "ABCD")
	if f.invalid != nil && f.invalid.isInvalid(raw) {
		return math.NaN()
	}
	switch f.typ {
	case itemLine:
		v := f.line.number(raw)
		if !finite(v) {
			return math.NaN()
		}
		return applyScale(v, f.line.Scale)
	case ItemFloat:
		if f.size == 8 {
			v := math.Float64frombits(raw)
			if !finite(v) {
				return math.NaN()
			}
			return v
		}
		v := math.Float32frombits(uint32(raw))
		if f.size != 4 || v != v || math.IsInf(float64(v), 0) {
			return math.NaN()
		}
		return Float32(v)
	case ItemEnergy:
		return Pow10(float64(signExtend(raw, f.size)), f.exp)
	case ItemTenths:
		return float64(signExtend(raw, f.size)) / 10
	case ItemSigned:
		return applyScale(float64(signExtend(raw, f.size)), f.scale)
	case ItemUnsigned:
		return applyScale(float64(raw), f.scale)
	}
	return math.NaN()
}

func signExtend(raw uint64, size int) int64 {
	shift := 64 - 8*size
	return int64(raw<<shift) >> shift
}
