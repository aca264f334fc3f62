package format

import (
	"fmt"
	"strings"

	"metermanager/logdb"
)

// ImportPrefix begins the keys of channels that the catalogue does not know.
const ImportPrefix = "import."

// KeyOf returns the channel's key, or one made of its name: "import.u1_1p_rms". A name without
// any letter or digit of the key's alphabet becomes "import.channel-N", N counting from 1.
func KeyOf(c Channel, n int) logdb.ChannelKey {
	if c.Key != "" {
		if k, err := logdb.NormalizeChannel(string(c.Key)); err == nil {
			return k
		}
	}
	if k, err := logdb.NormalizeChannel(strings.ToLower(strings.TrimSpace(c.Name))); err == nil {
		return k // written as a key already
	}
	word := slug(c.Name)
	if word == "" {
		word = fmt.Sprintf("channel-%d", n)
	}
	if s := slug(c.Statistic); s != "" {
		word += "." + s
	}
	return logdb.ChannelKey(ImportPrefix + word)
}

// slug keeps a-z, 0-9, _ and -, joins the rest by single hyphens, and is at most 60 bytes long.
func slug(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		} else {
			gap = true
		}
		if b.Len() >= 60 {
			break
		}
	}
	return b.String()
}

// factor is what takes a value to the key's unit.
func (c *Channel) factor() float64 {
	if c.Factor == 0 {
		return 1
	}
	return c.Factor
}

// unitFactors are units that differ from a primary one by a power of ten.
var unitFactors = map[string]struct {
	unit   string
	factor float64
}{
	"v": {"V", 1}, "volt": {"V", 1}, "volts": {"V", 1}, "a": {"A", 1}, "amp": {"A", 1}, "amps": {"A", 1}, "ampere": {"A", 1}, "amperes": {"A", 1},
	"w": {"W", 1}, "watt": {"W", 1}, "watts": {"W", 1}, "var": {"var", 1}, "vars": {"var", 1}, "va": {"VA", 1},
	"wh": {"Wh", 1}, "varh": {"varh", 1}, "vah": {"VAh", 1}, "hz": {"Hz", 1},
	"kv": {"V", 1e3}, "ka": {"A", 1e3}, "kw": {"W", 1e3}, "kvar": {"var", 1e3}, "kva": {"VA", 1e3},
	"kwh": {"Wh", 1e3}, "kvarh": {"varh", 1e3}, "kvah": {"VAh", 1e3}, "khz": {"Hz", 1e3},
	"mva": {"VA", 1e6}, "mvar": {"var", 1e6}, "mwh": {"Wh", 1e6}, "mvarh": {"varh", 1e6}, "mvah": {"VAh", 1e6},
	"%": {"", 1e-2}, "percent": {"", 1e-2}, "pct": {"", 1e-2},
}

// Unit returns the primary unit of a unit as files write it, and the factor to it: "kV" is V
// times 1000. ok is false for a unit that is not one of the log database's; mV and mA, MV and
// MA, mW and MW are told apart by their case.
func Unit(text string) (unit string, factor float64, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) == 2 {
		if u, known := unitFactors[strings.ToLower(text[1:])]; known && u.factor == 1 {
			switch text[0] {
			case 'm':
				return u.unit, 1e-3, true
			case 'M':
				return u.unit, 1e6, true
			}
		}
	}
	u, known := unitFactors[strings.ToLower(text)]
	return u.unit, u.factor, known
}
