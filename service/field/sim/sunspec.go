package sim

import (
	"encoding/binary"
	"math"
)

// sunSpecBase is where the marker stands.
const sunSpecBase = 40000

// Values that mean "not implemented".
const (
	noInt16   = 0x8000
	noFloat32 = 0x7FC00000
)

// sunSpecAnswer serves models 1, 203 and 213; addresses outside are refused.
func (m *Meter) sunSpecAnswer(_ int, pdu []byte, now int64) ([]byte, byte) {
	if pdu[0] != readRegisters {
		return nil, exceptionFunction
	}
	if len(pdu) != 5 {
		return nil, exceptionValue
	}
	first, count := int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	if count < 1 || count > 125 {
		return nil, exceptionValue
	}
	image := m.sunSpecImage(now)
	from := 2 * (first - sunSpecBase)
	if from < 0 || from+2*count > len(image) {
		return nil, exceptionAddress
	}
	return append([]byte{readRegisters, byte(2 * count)}, image[from:from+2*count]...), 0
}

// sunSpecImage is all registers from the marker on.
func (m *Meter) sunSpecImage(now int64) []byte {
	b := []byte("SunS")
	b = append16(append16(b, 1), 66)
	for _, f := range [...]struct {
		text      string
		registers int
	}{{"MeterManager", 16}, {"Simulated 3P", 16}, {"", 8}, {"1.0", 8}, {m.cfg.Serial, 16}} {
		field := make([]byte, 2*f.registers)
		copy(field, f.text)
		b = append(b, field...)
	}
	b = append16(append16(b, uint16(m.cfg.Unit)), noInt16)
	s := snapshot{Reading: m.model.at(now)}
	m.addEnergy(&s, now, now)
	b = m.appendModel203(b, &s)
	b = m.appendModel213(b, &s)
	return append16(append16(b, 0xFFFF), 0)
}

// The scale factors of model 203.
const (
	scaleAmps   = -2
	scaleVolts  = -1
	scaleHertz  = -2
	scaleFactor = -1
)

// powerScale is the smallest factor with which the site's full scale fits into 16 bits.
func (m *Meter) powerScale() int {
	scale := 0
	for v := 1.5 * m.site.PowerFullScale(); v > 32000; v /= 10 {
		scale++
	}
	return scale
}

func (m *Meter) ampsScale() int {
	scale := scaleAmps
	for v := 4 * m.site.CurrentFullScale() * 100; v > 32000; v /= 10 {
		scale++
	}
	return scale
}

func (m *Meter) voltsScale() int {
	scale := scaleVolts
	for v := 3 * m.site.NominalVolts * 10; v > 32000; v /= 10 {
		scale++
	}
	return scale
}

func (m *Meter) appendModel203(b []byte, s *snapshot) []byte {
	scaled := func(scale int, values ...float64) {
		for _, v := range values {
			n := math.Round(v * math.Pow10(-scale))
			if math.IsNaN(n) || math.Abs(n) > 32767 {
				b = append16(b, noInt16)
				continue
			}
			b = append16(b, uint16(int16(n)))
		}
		b = append16(b, uint16(int16(scale)))
	}
	amps, volts, power := m.ampsScale(), m.voltsScale(), m.powerScale()
	b = append16(append16(b, 203), 105)
	scaled(amps, s.Amps[0]+s.Amps[1]+s.Amps[2], s.Amps[0], s.Amps[1], s.Amps[2])
	scaled(volts, mean(s.Volts), s.Volts[0], s.Volts[1], s.Volts[2], mean(s.VoltsLL), s.VoltsLL[0], s.VoltsLL[1], s.VoltsLL[2])
	scaled(scaleHertz, s.Hertz)
	scaled(power, s.TotalWatts, s.Watts[0], s.Watts[1], s.Watts[2])
	scaled(power, s.TotalVA, s.VA[0], s.VA[1], s.VA[2])
	scaled(power, s.TotalVars, s.Vars[0], s.Vars[1], s.Vars[2])
	scaled(scaleFactor, 100*s.TotalPF, 100*s.PF[0], 100*s.PF[1], 100*s.PF[2])
	scale := int16(m.cfg.Energy.Prefix - m.cfg.Energy.Decimals)
	// Per-phase energies, and all but Wh, are not implemented: acc32 0 under a factor that is missing.
	b = append32(b, uint32(s.counters[whDelivered]))
	b = append(b, make([]byte, 12)...)
	b = append32(b, uint32(s.counters[whReceived]))
	b = append(b, make([]byte, 12)...)
	b = append16(b, uint16(scale))
	b = append(b, make([]byte, 32)...)
	b = append16(b, noInt16)
	b = append(b, make([]byte, 64)...)
	b = append16(b, noInt16)
	return append32(b, 0)
}

func (m *Meter) appendModel213(b []byte, s *snapshot) []byte {
	add := func(values ...float64) {
		for _, v := range values {
			b = append32(b, math.Float32bits(float32(v)))
		}
	}
	none := func(n int) {
		for range n {
			b = append32(b, noFloat32)
		}
	}
	b = append16(append16(b, 213), 124)
	add(s.Amps[0]+s.Amps[1]+s.Amps[2], s.Amps[0], s.Amps[1], s.Amps[2])
	add(mean(s.Volts), s.Volts[0], s.Volts[1], s.Volts[2], mean(s.VoltsLL), s.VoltsLL[0], s.VoltsLL[1], s.VoltsLL[2])
	add(s.Hertz, s.TotalWatts, s.Watts[0], s.Watts[1], s.Watts[2])
	add(s.TotalVA, s.VA[0], s.VA[1], s.VA[2], s.TotalVars, s.Vars[0], s.Vars[1], s.Vars[2])
	add(100*s.TotalPF, 100*s.PF[0], 100*s.PF[1], 100*s.PF[2])
	unit := m.cfg.Energy.unit()
	add(float64(s.counters[whDelivered]) * unit)
	none(3)
	add(float64(s.counters[whReceived]) * unit)
	none(3)
	none(24)
	return append32(b, 0)
}

func mean(v [3]float64) float64 { return (v[0] + v[1] + v[2]) / 3 }
