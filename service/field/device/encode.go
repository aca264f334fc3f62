package device

import (
	"encoding/binary"
	"math"
	"time"
)

// The encoders are the decoders' inverses, for simulated meters and tests.

// AppendBinary appends the 32 bytes of a status block.
func (s LogStatus) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, s.Max)
	b = binary.BigEndian.AppendUint32(b, s.Used)
	b = binary.BigEndian.AppendUint16(b, s.RecordSize)
	b = binary.BigEndian.AppendUint16(b, s.Availability)
	b = append(b, s.First[:]...)
	b = append(b, s.Last[:]...)
	return append(b, make([]byte, 8)...)
}

// AppendWindow appends a window of dataBytes bytes: status, index, records, 0xFF behind them.
func AppendWindow(b []byte, ready bool, index uint32, records []byte, dataBytes int) []byte {
	status := byte(0xFF)
	if ready {
		status = 0
	}
	b = append(b, status, byte(index>>16), byte(index>>8), byte(index))
	n := min(len(records), dataBytes)
	b = append(b, records[:n]...)
	for ; n < dataBytes; n++ {
		b = append(b, 0xFF)
	}
	return b
}

// AppendFiller appends the dummy record of index 0.
func AppendFiller(b []byte, t time.Time, size int) []byte {
	b = AppendTStamp(b, t)
	for i := 6; i < size; i++ {
		b = append(b, 0xFF)
	}
	return b
}

// AppendSystem appends the 14 bytes of a system event at t, in the meter's zone.
func AppendSystem(b []byte, t time.Time, r SystemRecord) []byte {
	b = append(AppendTStamp(b, t), r.Group, r.Event, r.Modifier, r.Channel)
	return append(b, r.Params[:]...)
}

// Append appends the 10 bytes of an alarm at t.
func (l AlarmLayout) Append(b []byte, t time.Time, r AlarmRecord) []byte {
	dir, lim := l.In, byte(r.Limit)&l.IDMask
	if r.Out {
		dir = l.Out
	}
	if r.Below {
		lim |= l.BelowMask
	}
	return binary.BigEndian.AppendUint16(append(AppendTStamp(b, t), dir, lim), uint16(r.Count))
}

// AppendLimits appends the settings of limits, five registers each.
func AppendLimits(b []byte, limits []LimitSetting) []byte {
	for _, l := range limits {
		for _, v := range [...]uint16{uint16(l.Addr), uint16(l.AboveSet), uint16(l.AboveReturn), uint16(l.BelowSet), uint16(l.BelowReturn)} {
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	return b
}

// Append appends the record of r at t; the milliseconds of t become its cycle tag.
func (l PQLayout) Append(b []byte, t time.Time, r PQRecord) []byte {
	rec := make([]byte, l.Size)
	copy(rec, AppendTStamp(nil, t))
	put := func(off int, v uint16) { binary.BigEndian.PutUint16(rec[off:], v) }
	put(l.Present, r.Present)
	put(l.Event, r.Event)
	rec[l.Capture], rec[l.Flags] = r.Capture, r.Flags
	put(l.CycleTag, uint16(t.Nanosecond()/1e6))
	for i := range 3 {
		put(l.Surge+2*i, r.Surge[i])
		put(l.Sag+2*i, r.Sag[i])
		put(l.Calibration+2*i, r.Calibration[i])
	}
	return append(b, rec...)
}

// Append appends the 36 bytes of h.
func (h WaveHeader) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, h.Source)
	b = append(b, h.RateCode, h.Flags, h.Type, h.Capture)
	for _, v := range [...]uint16{h.CycleTag, h.FirstSample, h.LastSample} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	for _, list := range [...][6]uint16{h.RMS, h.Calibration} {
		for _, v := range list {
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	return b
}

// CaptureRecords cuts a capture at t into its 26 records. Missing samples are 0.
func CaptureRecords(t time.Time, c Capture) [][]byte {
	data := c.Header.Append(make([]byte, 0, CaptureBytes))
	for range waveReserved {
		data = append(data, 0xFF)
	}
	for i := range waveBlocks {
		var k CaptureBlock
		if i < len(c.Blocks) {
			k = c.Blocks[i]
		}
		data = append(data, (k.ID + "  ")[:2]...)
		for s := range WaveSamples {
			var v int16
			if s < len(k.Samples) {
				v = k.Samples[s]
			}
			data = binary.BigEndian.AppendUint16(data, uint16(v))
		}
	}
	out := make([][]byte, WaveRecords)
	for i := range out {
		rec := append(AppendTStamp(make([]byte, 0, WaveRecordSize), t), c.Header.Capture, byte(i))
		out[i] = append(rec, data[i*wavePayload:(i+1)*wavePayload]...)
	}
	return out
}

// Append appends the 192 registers of a log's programming.
func (h HistoryProgram) Append(b []byte) []byte {
	rec := make([]byte, 2*HistorySettings)
	rec[0], rec[1] = byte(h.Registers), byte(h.Sectors)
	for i, d := range historyIntervals {
		if d == h.Interval {
			binary.BigEndian.PutUint16(rec[2:], 1<<i)
		}
	}
	desc := rec[4+2*MaxHistoryRegs:]
	for i := range desc {
		desc[i] = 0xFF
	}
	reg := 0
	for i, it := range h.Items {
		desc[i] = byte(it.Type<<4 | it.Size&15)
		for k := range it.Size / 2 {
			binary.BigEndian.PutUint16(rec[4+2*reg:], uint16(it.Addr)+uint16(k))
			reg++
		}
	}
	return append(b, rec...)
}

// Item returns how a historical log stores the point: its type, size and address.
func (x *Point) Item() HistoryItem {
	it := HistoryItem{Size: 2 * x.width(), Addr: x.Addr}
	switch {
	case x.ScaleFrom != nil && x.ScaleFrom.Kind == ScaleEIGEnergy:
		it.Type = ItemEnergy
	case x.Type == "f32" || x.Type == "f64":
		it.Type = ItemFloat
	case x.Type == "s16" || x.Type == "s32" || x.Type == "s64":
		it.Type = ItemSigned
	case x.Type == "ascii":
		it.Type = ItemASCII
	case x.Type == "bits16" || x.Type == "bits32":
		it.Type = ItemBitmap
	default:
		it.Type = ItemUnsigned
	}
	return it
}

// Program returns the programming of a log that records points at an interval.
func Program(points []Point, sectors int, interval time.Duration) HistoryProgram {
	h := HistoryProgram{Sectors: sectors, Interval: interval}
	for i := range points {
		it := points[i].Item()
		h.Items = append(h.Items, it)
		h.Registers += it.Size / 2
	}
	return h
}

// AppendFloat appends v as the two registers of a float.
func AppendFloat(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(v)))
}
