package sim

import (
	"fmt"
	"math"
)

// Site is the installation behind a meter: a three-phase wye service with its
// instrument transformers. The zero value is Site277.
type Site struct {
	NominalVolts float64 // line to neutral, primary; default 277
	NominalHz    float64 // default 60

	CTNumerator, CTMultiplier, CTDenominator int // primary A = numerator x multiplier; denominator 1 or 5
	PTNumerator, PTMultiplier, PTDenominator int // primary V = numerator x multiplier
}

// Site277 is a commercial 277/480 V service of 400 A.
func Site277() Site {
	return Site{NominalVolts: 277, NominalHz: 60, CTNumerator: 400, CTMultiplier: 1, CTDenominator: 5,
		PTNumerator: 277, PTMultiplier: 1, PTDenominator: 120}
}

// Site120 is a small 120/208 V service of 200 A, measured without voltage transformers.
func Site120() Site {
	return Site{NominalVolts: 120, NominalHz: 60, CTNumerator: 200, CTMultiplier: 1, CTDenominator: 5,
		PTNumerator: 120, PTMultiplier: 1, PTDenominator: 120}
}

// Site7200 is a 7.2/12.47 kV feeder of 1000 A, with multipliers.
func Site7200() Site {
	return Site{NominalVolts: 7200, NominalHz: 60, CTNumerator: 100, CTMultiplier: 10, CTDenominator: 5,
		PTNumerator: 720, PTMultiplier: 10, PTDenominator: 120}
}

func (s Site) withDefaults() (Site, error) {
	if s == (Site{}) {
		s = Site277()
	}
	for _, n := range [...]int{s.CTNumerator, s.PTNumerator, s.PTDenominator} {
		if n < 1 || n > 9999 {
			return s, fmt.Errorf("site: transformer ratio %d, must be 1 to 9999", n)
		}
	}
	if s.CTDenominator != 1 && s.CTDenominator != 5 {
		return s, fmt.Errorf("site: CT secondary %d A, must be 1 or 5", s.CTDenominator)
	}
	if s.CTMultiplier < 1 || s.CTMultiplier > 100 || s.PTMultiplier < 1 || s.PTMultiplier > 1000 {
		return s, fmt.Errorf("site: multipliers %d and %d, at most 100 and 1000", s.CTMultiplier, s.PTMultiplier)
	}
	if !(s.NominalVolts > 0) || math.IsInf(s.NominalVolts, 0) || (s.NominalHz != 50 && s.NominalHz != 60) {
		return s, fmt.Errorf("site: nominal %g V at %g Hz", s.NominalVolts, s.NominalHz)
	}
	return s, nil
}

// CurrentFullScale is the primary current in A that counts as 100 %.
func (s Site) CurrentFullScale() float64 { return float64(s.CTNumerator * s.CTMultiplier) }

// VoltageFullScale is the primary voltage in V that counts as 100 %.
func (s Site) VoltageFullScale() float64 { return float64(s.PTNumerator * s.PTMultiplier) }

// PowerFullScale is the three-phase power in W that counts as 100 % for a wye hookup.
func (s Site) PowerFullScale() float64 { return 3 * s.CurrentFullScale() * s.VoltageFullScale() }

func (s Site) ctRatio() float64 { return s.CurrentFullScale() / float64(s.CTDenominator) }

func (s Site) ptRatio() float64 { return s.VoltageFullScale() / float64(s.PTDenominator) }
