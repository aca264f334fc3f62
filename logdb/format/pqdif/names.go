package pqdif

import "strconv"

// This file is data: the names that the standard gives to identifiers and numbers.

// quantityTypes are the sorts of channels.
var quantityTypes = mustGUIDs(map[string]string{
	"67f6af80-f753-11cf-9d89-0080c72e70a3": "waveform",
	"67f6af82-f753-11cf-9d89-0080c72e70a3": "value log",
	"67f6af81-f753-11cf-9d89-0080c72e70a3": "phasor",
	"67f6af85-f753-11cf-9d89-0080c72e70a3": "response",
	"67f6af83-f753-11cf-9d89-0080c72e70a3": "flash",
	"67f6af87-f753-11cf-9d89-0080c72e70a3": "histogram",
	"67f6af88-f753-11cf-9d89-0080c72e70a3": "histogram 3D",
	"67f6af89-f753-11cf-9d89-0080c72e70a3": "cumulative probability",
	"67f6af8a-f753-11cf-9d89-0080c72e70a3": "XY",
	"67f6af8b-f753-11cf-9d89-0080c72e70a3": "magnitude-duration",
	"67f6af8c-f753-11cf-9d89-0080c72e70a3": "XYZ",
	"67f6af8d-f753-11cf-9d89-0080c72e70a3": "magnitude-duration-time",
	"67f6af8e-f753-11cf-9d89-0080c72e70a3": "magnitude-duration-count",
})

// valueTypes say what the numbers of a series are.
var valueTypes = mustGUIDs(map[string]string{
	"67f6af97-f753-11cf-9d89-0080c72e70a3": "val",
	"67f6af98-f753-11cf-9d89-0080c72e70a3": "min",
	"67f6af99-f753-11cf-9d89-0080c72e70a3": "max",
	"67f6af9a-f753-11cf-9d89-0080c72e70a3": "avg",
	"67f6af9b-f753-11cf-9d89-0080c72e70a3": "inst",
	"67f6af9c-f753-11cf-9d89-0080c72e70a3": "p1",
	"67f6af9d-f753-11cf-9d89-0080c72e70a3": "p5",
	"67f6af9e-f753-11cf-9d89-0080c72e70a3": "p10",
	"67f6af9f-f753-11cf-9d89-0080c72e70a3": "p90",
	"c690e862-f755-11cf-9d89-0080c72e70a3": "time",
	"c690e863-f755-11cf-9d89-0080c72e70a3": "duration",
	"c690e868-f755-11cf-9d89-0080c72e70a3": "frequency",
	"c690e860-f755-11cf-9d89-0080c72e70a3": "p95",
	"c690e861-f755-11cf-9d89-0080c72e70a3": "p99",
	"c690e864-f755-11cf-9d89-0080c72e70a3": "latitude",
	"c690e865-f755-11cf-9d89-0080c72e70a3": "longitude",
	"c690e866-f755-11cf-9d89-0080c72e70a3": "polarity",
	"c690e870-f755-11cf-9d89-0080c72e70a3": "count",
	"c690e869-f755-11cf-9d89-0080c72e70a3": "bin id",
	"c690e86a-f755-11cf-9d89-0080c72e70a3": "bin high",
	"c690e86b-f755-11cf-9d89-0080c72e70a3": "bin low",
	"3d786f9d-f76e-11cf-9d89-0080c72e70a3": "phase angle",
	"dc762340-3c56-11d2-ae44-0060083a2628": "phase angle min",
	"dc762341-3c56-11d2-ae44-0060083a2628": "phase angle max",
	"dc762342-3c56-11d2-ae44-0060083a2628": "phase angle avg",
	"c7825ce0-8ace-11d3-b92f-0050da2b1f4d": "area",
	"5369c260-c347-11d2-923f-00104b2b84b1": "transition",
	"6763cc71-17d6-11d4-9f1c-002078e0b723": "prob",
	"72e82a40-336c-11d5-a4b3-444553540000": "interval",
	"b82b5c82-55c7-11d5-a4b3-444553540000": "status",
})

// characteristics say how the numbers were computed.
var characteristics = mustGUIDs(map[string]string{
	"a6b31adf-b451-11d1-ae17-0060083a2628": "",
	"a6b31add-b451-11d1-ae17-0060083a2628": "instantaneous",
	"a6b31ae9-b451-11d1-ae17-0060083a2628": "spectra",
	"a6b31ae2-b451-11d1-ae17-0060083a2628": "peak",
	"a6b31ae5-b451-11d1-ae17-0060083a2628": "rms",
	"a6b31adc-b451-11d1-ae17-0060083a2628": "harmonic rms",
	"a6b31aec-b451-11d1-ae17-0060083a2628": "total thd",
	"a6b31ad4-b451-11d1-ae17-0060083a2628": "even thd",
	"a6b31ae0-b451-11d1-ae17-0060083a2628": "odd thd",
	"a6b31ad2-b451-11d1-ae17-0060083a2628": "crest factor",
	"a6b31adb-b451-11d1-ae17-0060083a2628": "form factor",
	"a6b31ad0-b451-11d1-ae17-0060083a2628": "arithmetic sum",
	"a6b31ae7-b451-11d1-ae17-0060083a2628": "s0/s1",
	"a6b31ae8-b451-11d1-ae17-0060083a2628": "s2/s1",
	"a6b31aea-b451-11d1-ae17-0060083a2628": "positive sequence",
	"a6b31ad1-b451-11d1-ae17-0060083a2628": "imbalance",
	"a6b31aeb-b451-11d1-ae17-0060083a2628": "tif",
	"a6b31ade-b451-11d1-ae17-0060083a2628": "it",
	"a6b31ae1-b451-11d1-ae17-0060083a2628": "p",
	"a6b31ae4-b451-11d1-ae17-0060083a2628": "q",
	"a6b31ae6-b451-11d1-ae17-0060083a2628": "s",
	"a6b31ae3-b451-11d1-ae17-0060083a2628": "pf",
	"a6b31ad3-b451-11d1-ae17-0060083a2628": "df",
	"d71a4b91-3c92-11d4-9f2c-002078e0b723": "negative sequence",
	"d71a4b92-3c92-11d4-9f2c-002078e0b723": "zero sequence",
	"07ef68af-9ff5-11d2-b30b-006008b37183": "frequency",
	"07ef68a0-9ff5-11d2-b30b-006008b37183": "rms demand",
	"07ef68a1-9ff5-11d2-b30b-006008b37183": "p demand",
	"07ef68a2-9ff5-11d2-b30b-006008b37183": "q demand",
	"07ef68a3-9ff5-11d2-b30b-006008b37183": "s demand",
	"515bf320-71ca-11d4-a4b3-444553540000": "pst",
	"515bf321-71ca-11d4-a4b3-444553540000": "plt",
	"2257ec05-06ea-4709-b43a-0c00534d554a": "sliding plt",
	"f3d216e0-2aa5-11d5-a4b3-444553540000": "thd of rms",
	"f3d216e1-2aa5-11d5-a4b3-444553540000": "odd thd of rms",
	"f3d216e2-2aa5-11d5-a4b3-444553540000": "even thd of rms",
	"f3d216e3-2aa5-11d5-a4b3-444553540000": "tid",
	"f3d216e4-2aa5-11d5-a4b3-444553540000": "tid of rms",
	"f3d216e5-2aa5-11d5-a4b3-444553540000": "interharmonic rms",
	"f3d216e7-2aa5-11d5-a4b3-444553540000": "tdd",
	"53be6ba8-0789-455b-9a95-da128683dda7": "spectra by harmonic group",
	"5e51e006-9c95-4c5e-878f-7ca87c0d2a0e": "spectra by interharmonic group",
	"8786ca10-9113-11d3-b930-0050da2b1f4d": "transformer derating",
	"8786ca11-9113-11d3-b930-0050da2b1f4d": "k factor",
})

// disturbances are the categories of IEEE 1159.
var disturbances = mustGUIDs(map[string]string{
	"67f6af8f-f753-11cf-9d89-0080c72e70a3": "none",
	"67f6af90-f753-11cf-9d89-0080c72e70a3": "transient",
	"67f6af91-f753-11cf-9d89-0080c72e70a3": "short-duration variation",
	"67f6af92-f753-11cf-9d89-0080c72e70a3": "long-duration variation",
	"67f6af93-f753-11cf-9d89-0080c72e70a3": "voltage fluctuation",
	"67f6af94-f753-11cf-9d89-0080c72e70a3": "waveform distortion",
	"67f6af95-f753-11cf-9d89-0080c72e70a3": "notching",
	"67f6af96-f753-11cf-9d89-0080c72e70a3": "noise",
	"dd56ef60-7edd-11d2-b30a-00609789d193": "impulsive transient",
	"dd56ef61-7edd-11d2-b30a-00609789d193": "impulsive transient, nanoseconds",
	"dd56ef63-7edd-11d2-b30a-00609789d193": "impulsive transient, microseconds",
	"dd56ef64-7edd-11d2-b30a-00609789d193": "impulsive transient, milliseconds",
	"dd56ef65-7edd-11d2-b30a-00609789d193": "oscillatory transient",
	"dd56ef66-7edd-11d2-b30a-00609789d193": "oscillatory transient, low frequency",
	"dd56ef67-7edd-11d2-b30a-00609789d193": "oscillatory transient, medium frequency",
	"dd56ef68-7edd-11d2-b30a-00609789d193": "oscillatory transient, high frequency",
	"dd56ef69-7edd-11d2-b30a-00609789d193": "instantaneous variation",
	"dd56ef6a-7edd-11d2-b30a-00609789d193": "instantaneous sag",
	"dd56ef6b-7edd-11d2-b30a-00609789d193": "instantaneous swell",
	"dd56ef6c-7edd-11d2-b30a-00609789d193": "momentary variation",
	"dd56ef6d-7edd-11d2-b30a-00609789d193": "momentary interruption",
	"dd56ef6e-7edd-11d2-b30a-00609789d193": "momentary sag",
	"dd56ef6f-7edd-11d2-b30a-00609789d193": "momentary swell",
	"dd56ef70-7edd-11d2-b30a-00609789d193": "temporary variation",
	"dd56ef71-7edd-11d2-b30a-00609789d193": "temporary interruption",
	"dd56ef72-7edd-11d2-b30a-00609789d193": "temporary sag",
	"dd56ef73-7edd-11d2-b30a-00609789d193": "temporary swell",
	"dd56ef74-7edd-11d2-b30a-00609789d193": "sustained interruption",
	"dd56ef75-7edd-11d2-b30a-00609789d193": "undervoltage",
	"dd56ef76-7edd-11d2-b30a-00609789d193": "overvoltage",
	"dd56ef77-7edd-11d2-b30a-00609789d193": "voltage imbalance",
	"dd56ef78-7edd-11d2-b30a-00609789d193": "DC offset",
	"dd56ef79-7edd-11d2-b30a-00609789d193": "harmonics",
	"dd56ef7a-7edd-11d2-b30a-00609789d193": "interharmonics",
	"dd56ef7e-7edd-11d2-b30a-00609789d193": "power frequency variation",
})

// phases name the phases by their number; general channels follow them.
var phases = [...]string{"", "an", "bn", "cn", "ng", "ab", "bc", "ca", "residual", "net", "positive", "negative", "zero", "total", "ln", "ll", "worst", "plus", "minus"}

// measured names the measured quantities by their number.
var measured = [...]string{"none", "voltage", "current", "power", "energy", "temperature", "pressure", "charge", "e-field", "b-field", "velocity", "bearing", "force", "torque", "position", "flux-linkage", "flux-density", "status"}

// units names the units by their number.
var units = [...]string{"", "timestamp", "s", "cycles", "", "", "V", "A", "VA", "W", "var", "ohm", "S", "V/A", "J", "Hz", "°C", "°", "dB", "%", "pu", "samples", "varh", "Wh", "VAh", "m/s", "mi/h", "bar", "Pa", "N", "Nm", "rpm", "rad/s", "m", "Wb-turn", "T", "Wb", "V/V", "A/A", "A/V"}

// unitName returns the name of a unit, its number in words when it is unknown.
func unitName(n uint32) string { return numbered(units[:], n, "unit ") }

// phaseName returns the name of a phase; "" is none.
func phaseName(n uint32) string {
	if g := int64(n) - int64(len(phases)) + 1; g >= 1 && g <= 16 {
		return "general-" + strconv.FormatInt(g, 10)
	}
	return numbered(phases[:], n, "phase-")
}

// measuredName returns the name of a measured quantity.
func measuredName(n uint32) string { return numbered(measured[:], n, "quantity-") }

func numbered(names []string, n uint32, prefix string) string {
	if int64(n) < int64(len(names)) {
		return names[n]
	}
	return prefix + strconv.FormatUint(uint64(n), 10)
}

// nameOf returns the name that a table has for g, or g itself.
func nameOf(table map[GUID]string, g GUID) string {
	if s, ok := table[g]; ok {
		return s
	}
	return g.String()
}

// silentTags are the tags that say nothing about the data which is kept here: vendor and equipment
// identifiers, hints for display, how a device triggers. They are known, and passed over without a note.
var silentTags = mustGUIDs(map[string]string{
	"b48d8581-f5f5-11cf-9d89-0080c72e70a3": "data source type",
	"b48d8582-f5f5-11cf-9d89-0080c72e70a3": "vendor",
	"b48d8583-f5f5-11cf-9d89-0080c72e70a3": "equipment",
	"b48d858b-f5f5-11cf-9d89-0080c72e70a3": "coordinates",
	"62f28183-f9c4-11cf-9d89-0080c72e70a3": "effective",
	"b48d8593-f5f5-11cf-9d89-0080c72e70a3": "other channel identifier",
	"89738622-f1c3-11cf-9d89-0080c72e70a3": "physical channel",
	"b48d8595-f5f5-11cf-9d89-0080c72e70a3": "quantity name",
	"b48d8596-f5f5-11cf-9d89-0080c72e70a3": "primary series",
	"b48d859e-f5f5-11cf-9d89-0080c72e70a3": "display hint",
	"b48d859f-f5f5-11cf-9d89-0080c72e70a3": "display hint",
	"b48d85a0-f5f5-11cf-9d89-0080c72e70a3": "display hint",
	"a112f421-b111-11d2-9b37-0040052c2d28": "significant digits",
	"fb228ee0-fc8d-11d2-b49a-006008b37183": "resolution",
	"3d786f85-f76e-11cf-9d89-0080c72e70a3": "time installed",
	"3d786f86-f76e-11cf-9d89-0080c72e70a3": "time removed",
	"9f256ee0-803b-11d3-b92f-0050da2b1f4d": "physical connection",
	"62f28184-f9c4-11cf-9d89-0080c72e70a3": "trigger type",
	"62f28187-f9c4-11cf-9d89-0080c72e70a3": "trigger rate",
	"3d786f87-f76e-11cf-9d89-0080c72e70a3": "full scale",
	"3d786f89-f76e-11cf-9d89-0080c72e70a3": "noise floor",
	"62f28189-f9c4-11cf-9d89-0080c72e70a3": "transformer type",
	"3d786f8b-f76e-11cf-9d89-0080c72e70a3": "time created",
	"3d786f90-f76e-11cf-9d89-0080c72e70a3": "observation serial",
	"89738621-f1c3-11cf-9d89-0080c72e70a3": "aggregation serial",
	"0fa118c2-cb4a-11d2-b30b-fe25cb9a1760": "channel trigger type",
	"0fa118c4-cb4a-11d2-b30b-fe25cb9a1760": "cross trigger channel",
	"0fa118c5-cb4a-11d2-b30b-fe25cb9a1760": "cross trigger device",
	"0fa118c6-cb4a-11d2-b30b-fe25cb9a1760": "trigger module",
})
