package greenbutton

import (
	"fmt"
	"strconv"

	"metermanager/logdb"
)

// The codes of ESPI that matter here.
const (
	accumulationBulk          = 1
	accumulationContinuous    = 2
	accumulationCumulative    = 3
	accumulationDelta         = 4
	accumulationIndicating    = 6
	accumulationSummation     = 9
	accumulationInstantaneous = 12

	flowNone    = 0
	flowForward = 1 // from the utility to the customer
	flowNet     = 4
	flowReverse = 19 // from the customer to the utility
	flowTotal   = 20

	kindDemand = 8

	uomAmpere      = 5
	uomVolt        = 29
	uomHertz       = 33
	uomWatt        = 38
	uomVA          = 61
	uomVar         = 63
	uomPowerFactor = 65
	uomVAh         = 71
	uomWh          = 72
	uomVarh        = 73
)

var uomUnits = map[int]string{
	uomAmpere: "A", uomVolt: "V", uomHertz: "Hz", uomWatt: "W", uomVA: "VA", uomVar: "var", uomPowerFactor: "",
	uomVAh: "VAh", uomWh: "Wh", uomVarh: "varh", 42: "m³", 119: "ft³", 169: "therm", 132: "Btu", 128: "US gal", 134: "l",
}

var phaseVolts = map[int]string{129: "an", 65: "bn", 33: "cn", 132: "ab", 66: "bc", 40: "ca"}

var phaseLetters = map[int]string{128: "a", 129: "a", 64: "b", 65: "b", 32: "c", 33: "c", 16: "n"}

// qualityNames are what a reading may be beside plainly valid.
var qualityNames = map[string]string{
	"7": "manually edited", "8": "estimated by a reference day", "9": "estimated by interpolation", "10": "questionable",
	"11": "derived", "12": "projected", "13": "mixed", "14": "raw", "15": "normalised by weather", "16": "other",
	"17": "validated", "18": "verified", "19": "of revenue quality",
}

func qualityName(code string) string {
	if s, ok := qualityNames[code]; ok {
		return s
	}
	return "code " + code
}

// Unit returns the unit of the type's values after the multiplier; "uom N" for a code that is not known here.
func (t *ReadingType) Unit() string {
	if u, ok := uomUnits[t.UnitOfMeasure]; ok {
		return u
	}
	return "uom " + strconv.Itoa(t.UnitOfMeasure)
}

// Electric reports whether the type is about electricity.
func (t *ReadingType) Electric() bool { return t.Commodity <= 2 }

// Channel returns the channel that values of type t belong to, and what had to be guessed; "" is the key
// when there is no channel for it.
func (t *ReadingType) Channel() (key logdb.ChannelKey, doubt string) {
	switch t.UnitOfMeasure {
	case uomWh, uomVarh, uomVAh:
		return t.energy()
	case uomVolt:
		if p, ok := phaseVolts[t.Phase]; ok {
			return logdb.ChannelKey("readings.voltage." + p), ""
		}
		return logdb.ChannelKey(fmt.Sprintf("readings.voltage.phase-%d", t.Phase)), fmt.Sprintf("the phase %d of a voltage", t.Phase)
	case uomAmpere:
		if p, ok := phaseLetters[t.Phase]; ok {
			return logdb.ChannelKey("readings.current." + p), ""
		}
		return logdb.ChannelKey(fmt.Sprintf("readings.current.phase-%d", t.Phase)), fmt.Sprintf("the phase %d of a current", t.Phase)
	case uomHertz:
		return "readings.frequency", ""
	case uomWatt, uomVar, uomVA, uomPowerFactor:
		return t.power()
	}
	return "", ""
}

func (t *ReadingType) energy() (key logdb.ChannelKey, doubt string) {
	base := "energy.interval."
	switch t.Accumulation {
	case accumulationBulk, accumulationContinuous, accumulationCumulative, accumulationSummation:
		base = "energy.total."
	case accumulationDelta, 0:
	default:
		doubt = fmt.Sprintf("the accumulation behaviour %d: taken as energy of the interval", t.Accumulation)
	}
	unit := map[int]string{uomWh: "wh", uomVarh: "varh", uomVAh: "vah"}[t.UnitOfMeasure]
	if unit == "vah" {
		return logdb.ChannelKey(base + unit), doubt
	}
	switch t.Flow {
	case flowForward:
		unit += ".received"
	case flowReverse:
		unit += ".delivered"
	case flowNet:
		unit += ".net"
		doubt = "net energy is in no catalogue: longer steps show its mean, not its sum"
	case flowTotal:
		unit += ".total"
		doubt = "energy of both directions is in no catalogue: longer steps show its mean, not its sum"
	case flowNone:
		unit += ".received"
		doubt = "no flow direction: taken as from the utility to the customer"
	default:
		doubt = fmt.Sprintf("the flow direction %d", t.Flow)
		unit += fmt.Sprintf(".flow-%d", t.Flow)
	}
	return logdb.ChannelKey(base + unit), doubt
}

func (t *ReadingType) power() (key logdb.ChannelKey, doubt string) {
	unit := map[int]string{uomWatt: "watts", uomVar: "vars", uomVA: "va", uomPowerFactor: "factor"}[t.UnitOfMeasure]
	if t.Kind == kindDemand {
		if t.Flow == flowReverse {
			return logdb.ChannelKey("demand." + unit + ".negative"), ""
		}
		return logdb.ChannelKey("demand." + unit + ".positive"), ""
	}
	if p, ok := phaseLetters[t.Phase]; ok && p != "n" {
		unit += "." + p
	}
	return logdb.ChannelKey("readings.power." + unit), ""
}
