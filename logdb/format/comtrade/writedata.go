package comtrade

import (
	"bufio"
	"encoding/binary"
	"math"
	"strconv"

	"metermanager/logdb/format"
)

// data writes the samples. Errors stay in the writer until Flush.
func (w *writer) data(out *bufio.Writer) {
	factor, first := w.stampFactor()*1e-6, w.timing.At(0)
	var b []byte
	for i := range w.n {
		stamp := math.Round((w.timing.At(i) - first) / factor)
		if b = b[:0]; w.form.Type == ASCII {
			b = w.textSample(b, i, stamp)
		} else {
			b = w.binarySample(b, i, stamp)
		}
		_, _ = out.Write(b)
	}
}

func (w *writer) textSample(b []byte, i int, stamp float64) []byte {
	b = strconv.AppendInt(b, int64(i+1), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(stamp), 10)
	for c, s := range w.analog {
		b = append(b, ',')
		if raw, ok := w.raw(c, s, i); ok {
			b = strconv.AppendInt(b, int64(raw), 10)
		} else {
			b = append(b, "99999"...)
		}
	}
	for _, s := range w.digital {
		b = append(b, ',', '0'+bit(s, i))
	}
	return append(b, '\r', '\n')
}

func (w *writer) binarySample(b []byte, i int, stamp float64) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(i+1))
	b = binary.LittleEndian.AppendUint32(b, uint32(stamp))
	for c, s := range w.analog {
		raw, ok := w.raw(c, s, i)
		switch w.form.Type {
		case Binary:
			n := uint16(0x8000)
			if ok {
				n = uint16(int16(raw))
			}
			b = binary.LittleEndian.AppendUint16(b, n)
		case Binary32:
			n := uint32(0x80000000)
			if ok {
				n = uint32(int32(raw))
			}
			b = binary.LittleEndian.AppendUint32(b, n)
		default:
			n := uint32(0xff7fffff)
			if f := float32(raw); ok && !math.IsInf(float64(f), 0) {
				n = math.Float32bits(f)
			}
			b = binary.LittleEndian.AppendUint32(b, n)
		}
	}
	for c := 0; c < len(w.digital); c += 16 {
		var word uint16
		for k := c; k < min(c+16, len(w.digital)); k++ {
			word |= uint16(bit(w.digital[k], i)) << (k - c)
		}
		b = binary.LittleEndian.AppendUint16(b, word)
	}
	return b
}

// raw returns the raw value of sample i of analogue channel c; ok is false for a missing one.
func (w *writer) raw(c int, s *format.Samples, i int) (float64, bool) {
	if i >= len(s.Values) || math.IsNaN(s.Values[i]) || math.IsInf(s.Values[i], 0) {
		return 0, false
	}
	if w.form.Type == Float32 {
		return s.Values[i], true
	}
	a := &w.cfg.Analog[c]
	bound := w.form.Type.bound()
	return max(-bound, min(bound, math.Round((s.Values[i]-a.B)/a.A))), true
}

func bit(s *format.Samples, i int) byte {
	if i >= len(s.Digital) {
		return 0
	}
	return s.Digital[i] & 1
}
