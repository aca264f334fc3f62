package pqdif

import "metermanager/logdb"

// voltagePhases and linePhases are the parts of keys that phases have.
var (
	voltagePhases = map[string]string{"an": "an", "bn": "bn", "cn": "cn", "ab": "ab", "bc": "bc", "ca": "ca"}
	linePhases    = map[string]string{"an": "a", "bn": "b", "cn": "c", "ng": "n"}
	thdPhases     = map[string]string{"an": "a", "bn": "b", "cn": "c", "ab": "a", "bc": "b", "ca": "c"}
)

// keyOf returns the channel of the log database that a series belongs to before its value type, ""
// when there is none. Quantity, characteristic, unit and phase must all fit: files are wrong in one
// of them often enough.
func keyOf(d *ChannelDefn, s *SeriesDefn) logdb.ChannelKey {
	switch s.Characteristic {
	case "rms":
		if p := voltagePhases[d.Phase]; d.Measured == "voltage" && s.Unit == "V" && p != "" {
			return logdb.ChannelKey("readings.voltage." + p)
		}
		if p := linePhases[d.Phase]; d.Measured == "current" && s.Unit == "A" && p != "" {
			return logdb.ChannelKey("readings.current." + p)
		}
	case "frequency":
		if s.Unit == "Hz" {
			return "readings.frequency"
		}
	case "total thd":
		if p := thdPhases[d.Phase]; s.Unit == "%" && p != "" && (d.Measured == "voltage" || d.Measured == "current") {
			return logdb.ChannelKey("thd." + d.Measured + "." + p)
		}
	case "p":
		return powerKey(d, s, "W", "watts")
	case "q":
		return powerKey(d, s, "var", "vars")
	case "s":
		return powerKey(d, s, "VA", "va")
	case "pf":
		if d.Measured == "power" && (s.Unit == "%" || s.Unit == "") {
			return powerKey(d, s, s.Unit, "factor")
		}
	}
	return ""
}

func powerKey(d *ChannelDefn, s *SeriesDefn, unit, name string) logdb.ChannelKey {
	if d.Measured != "power" || s.Unit != unit {
		return ""
	}
	switch d.Phase {
	case "an", "bn", "cn":
		return logdb.ChannelKey("readings.power." + name + "." + d.Phase[:1])
	case "", "total", "net":
		return logdb.ChannelKey("readings.power." + name)
	}
	return ""
}

// contradicts reports whether the unit of a series cannot be one of the quantity that its channel measures.
func contradicts(d *ChannelDefn, s *SeriesDefn) bool {
	switch d.Measured {
	case "voltage":
		return s.Unit == "A" || s.Unit == "W" || s.Unit == "VA" || s.Unit == "var"
	case "current":
		return s.Unit == "V" || s.Unit == "W" || s.Unit == "VA" || s.Unit == "var"
	}
	return false
}
