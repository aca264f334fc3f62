package device

import (
	"math"

	"metermanager/logdb"
)

// EnergyFormat is the EIG power and energy format register, bits pppp--nn -eee-ddd.
type EnergyFormat struct {
	PowerScale int // 0 unit, 3 kilo, 6 mega, 8 auto
	Digits     int // 5 to 8: the counters roll over at 10^Digits
	Prefix     int // 0, 3 or 6
	Decimals   int // 0 to 6
}

// ParseEnergyFormat splits the register.
func ParseEnergyFormat(reg uint16) EnergyFormat {
	return EnergyFormat{PowerScale: int(reg >> 12), Digits: 5 + int(reg>>8&3), Prefix: int(reg >> 4 & 7), Decimals: int(reg & 7)}
}

// Register packs f.
func (f EnergyFormat) Register() uint16 {
	return uint16(f.PowerScale&15)<<12 | uint16(f.Digits-5)&3<<8 | uint16(f.Prefix&7)<<4 | uint16(f.Decimals&7)
}

// Valid reports whether the fields hold values that the manual knows.
func (f EnergyFormat) Valid() bool {
	return (f.Prefix == 0 || f.Prefix == 3 || f.Prefix == 6) && f.Decimals <= 6
}

// Exponent is the power of ten that turns counts into Wh.
func (f EnergyFormat) Exponent() int { return f.Prefix - f.Decimals }

// Log returns f as settings show it.
func (f EnergyFormat) Log() logdb.EnergyFormat {
	return logdb.EnergyFormat{Digits: f.Digits, Decimals: f.Decimals, Prefix: f.Prefix}
}

// Hookups by their code.
const (
	HookupWye    = 0
	HookupDelta  = 1
	HookupWye2p5 = 3 // printed for the Shark 100S and IQ 150S/250S; 2 is taken for the same
)

// Setup is the transformer ratios, hookup and energy format of an EIG meter.
type Setup struct {
	CTNumerator, CTMultiplier, CTDenominator int
	PTNumerator, PTMultiplier, PTDenominator int
	Hookup                                   int
	Energy                                   EnergyFormat
}

// ParseSetup reads the registers ct, ct_numerator, pt_numerator, pt_denominator,
// pt_format and energy_format of a profile. The multiplier in pt_format is taken as
// MMMM (bits 7-4, high part) and mmmmmmmm (bits 15-8, low part).
func ParseSetup(ct, ctNum, ptNum, ptDen, ptFormat, energy uint16) Setup {
	return Setup{
		CTNumerator: int(ctNum), CTMultiplier: int(ct & 0xFF), CTDenominator: int(ct >> 8),
		PTNumerator: int(ptNum), PTDenominator: int(ptDen), PTMultiplier: int(ptFormat>>4&15)<<8 | int(ptFormat>>8),
		Hookup: int(ptFormat & 15), Energy: ParseEnergyFormat(energy),
	}
}

// Registers packs s in ParseSetup's order.
func (s Setup) Registers() (ct, ctNum, ptNum, ptDen, ptFormat, energy uint16) {
	ptFormat = uint16(s.PTMultiplier&0xFF)<<8 | uint16(s.PTMultiplier>>8&15)<<4 | uint16(s.Hookup&15)
	return uint16(s.CTDenominator)<<8 | uint16(s.CTMultiplier&0xFF), uint16(s.CTNumerator), uint16(s.PTNumerator),
		uint16(s.PTDenominator), ptFormat, s.Energy.Register()
}

// CTRatio and PTRatio turn secondary into primary; 1 where the meter says nothing usable.
func (s Setup) CTRatio() float64 { return ratio(s.CTNumerator*s.CTMultiplier, s.CTDenominator) }

// PTRatio is the potential transformers' ratio.
func (s Setup) PTRatio() float64 { return ratio(s.PTNumerator*s.PTMultiplier, s.PTDenominator) }

func ratio(num, den int) float64 {
	if num <= 0 || den <= 0 {
		return 1
	}
	return float64(num) / float64(den)
}

// CurrentFullScale and VoltageFullScale are primary.
func (s Setup) CurrentFullScale() float64 { return float64(s.CTNumerator * s.CTMultiplier) }

// VoltageFullScale is the primary voltage of 100 %.
func (s Setup) VoltageFullScale() float64 { return float64(s.PTNumerator * s.PTMultiplier) }

// Delta reports whether voltages are line to line.
func (s Setup) Delta() bool { return s.Hookup == HookupDelta }

// HookupName is the word of logdb.Settings.
func (s Setup) HookupName() string {
	switch s.Hookup {
	case HookupWye:
		return "wye"
	case HookupDelta:
		return "delta-2ct"
	case 2, HookupWye2p5:
		return "wye-2.5el"
	}
	return ""
}

// FullScale is the primary value of 100 % of channel, 0 when the manual gives none.
func (s Setup) FullScale(channel logdb.ChannelKey, nominalHz float64) float64 {
	v, a := s.VoltageFullScale(), s.CurrentFullScale()
	power := 3.0
	single := 1.0
	if s.Delta() {
		power, single = 3*math.Sqrt(3), math.Sqrt(3)
	}
	switch {
	case hasPrefix(channel, "readings.voltage."):
		return v
	case hasPrefix(channel, "readings.current."):
		return a
	case channel == "readings.frequency":
		return nominalHz
	case hasPrefix(channel, "readings.power.factor"):
		return 1
	case channel == "readings.power.watts", channel == "readings.power.vars", channel == "readings.power.va":
		return v * a * power
	case hasPrefix(channel, "readings.power."):
		return v * a * single
	case hasPrefix(channel, "thd."):
		return 1
	}
	return 0
}

func hasPrefix(c logdb.ChannelKey, p string) bool { return len(c) >= len(p) && string(c[:len(p)]) == p }
