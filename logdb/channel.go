package logdb

import (
	"fmt"
	"strings"
)

// ChannelKey names a measured quantity, e.g. "readings.voltage.an".
type ChannelKey string

// Aggregation says how values of a channel combine over a longer period.
type Aggregation uint8

// The ways in which values combine.
const (
	AggMean Aggregation = iota // instantaneous readings
	AggSum                     // energy of an interval
	AggMax                     // demand maxima
	AggMin
	AggLast // counters
)

// String names the aggregation as documents do.
func (a Aggregation) String() string {
	return [...]string{"mean", "sum", "max", "min", "last"}[a]
}

// Channel is one line of the catalogue.
type Channel struct {
	Key   ChannelKey
	Name  string // shown to people
	Unit  string // primary unit: V, A, W, var, VA, Wh, varh, VAh, Hz; "" for ratios (1 = 100 %)
	Phase string // "a", "ab", "n", ... or "" for the total
	Agg   Aggregation
	// CoversInterval is set for quantities whose time is the end of the interval that
	// they cover (interval energy, demand): they fall into buckets (start, end].
	CoversInterval bool
}

// NormalizeChannel returns the canonical spelling of key ("reading." of the first
// printed example becomes "readings.") or ErrInvalid when it is not well formed:
// 2 to 8 parts of a-z, 0-9, _ and -, joined by points, at most 96 bytes.
func NormalizeChannel(key string) (ChannelKey, error) {
	if rest, ok := strings.CutPrefix(key, "reading."); ok {
		key = "readings." + rest
	}
	if len(key) > 96 {
		return "", fmt.Errorf("%w: channel key of %d bytes, at most 96", ErrInvalid, len(key))
	}
	parts, run := 1, 0
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c == '.':
			if run == 0 {
				return "", fmt.Errorf("%w: channel key %q has an empty part", ErrInvalid, key)
			}
			parts, run = parts+1, 0
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
			run++
		default:
			return "", fmt.Errorf("%w: channel key %q may hold only a-z, 0-9, _, - and points", ErrInvalid, key)
		}
	}
	if run == 0 || parts < 2 || parts > 8 {
		return "", fmt.Errorf("%w: channel key %q must have 2 to 8 parts, such as readings.voltage.an", ErrInvalid, key)
	}
	return ChannelKey(key), nil
}

// LookupChannel returns the catalogue's line for key. A reading's extremes, such as
// "readings.voltage.an.min", have the line of the reading, and the least of the least is the least.
// Any other well-formed key gets a line made from the key itself, aggregating by mean.
func LookupChannel(key ChannelKey) Channel {
	if c, ok := catalogueByKey[key]; ok {
		return c
	}
	for _, e := range extremes {
		base, ok := strings.CutSuffix(string(key), e.suffix)
		if c, known := catalogueByKey[ChannelKey(base)]; ok && known && c.Agg == AggMean {
			c.Key, c.Name, c.Agg = key, c.Name+e.name, e.agg
			return c
		}
	}
	return Channel{Key: key, Name: string(key), Agg: AggMean}
}

// extremes are what is recorded beside the mean of a reading.
var extremes = [...]struct {
	suffix, name string
	agg          Aggregation
}{{".min", " minimum", AggMin}, {".max", " maximum", AggMax}}

// Catalogue lists every known channel in the order in which people expect them.
func Catalogue() []Channel { return append([]Channel(nil), catalogue...) }

var catalogue = buildCatalogue()

var catalogueByKey = func() map[ChannelKey]Channel {
	m := make(map[ChannelKey]Channel, len(catalogue))
	for _, c := range catalogue {
		m[c.Key] = c
	}
	return m
}()

func buildCatalogue() []Channel {
	var out []Channel
	add := func(key, name, unit, phase string, agg Aggregation, covers bool) {
		out = append(out, Channel{ChannelKey(key), name, unit, phase, agg, covers})
	}
	for _, p := range []string{"an", "bn", "cn", "ab", "bc", "ca"} {
		add("readings.voltage."+p, "Volts "+strings.ToUpper(p[:1]+"-"+p[1:]), "V", p, AggMean, false)
	}
	add("readings.voltage.aux", "Volts Aux", "V", "aux", AggMean, false)
	for _, p := range []string{"a", "b", "c", "n"} {
		add("readings.current."+p, "Amps "+strings.ToUpper(p), "A", p, AggMean, false)
	}
	add("readings.frequency", "Frequency", "Hz", "", AggMean, false)
	for _, q := range []struct{ key, name, unit string }{
		{"watts", "Watts", "W"}, {"vars", "VARs", "var"}, {"va", "VA", "VA"}, {"factor", "Power factor", ""},
	} {
		add("readings.power."+q.key, q.name+" total", q.unit, "", AggMean, false)
		for _, p := range []string{"a", "b", "c"} {
			add("readings.power."+q.key+"."+p, q.name+" "+strings.ToUpper(p), q.unit, p, AggMean, false)
		}
	}
	for _, q := range []struct{ key, name, unit string }{
		{"wh.received", "Wh received", "Wh"}, {"wh.delivered", "Wh delivered", "Wh"},
		{"varh.received", "varh received", "varh"}, {"varh.delivered", "varh delivered", "varh"}, {"vah", "VAh", "VAh"},
	} {
		add("energy.interval."+q.key, q.name+" in the interval", q.unit, "", AggSum, true)
	}
	for _, q := range []struct{ key, name, unit string }{
		{"wh.received", "Wh received", "Wh"}, {"wh.delivered", "Wh delivered", "Wh"},
		{"varh.received", "varh received", "varh"}, {"varh.delivered", "varh delivered", "varh"}, {"vah", "VAh", "VAh"},
	} {
		add("energy.total."+q.key, q.name+" total", q.unit, "", AggLast, false)
	}
	for _, q := range []struct{ key, name, unit string }{
		{"watts.positive", "Watts positive max demand", "W"}, {"watts.negative", "Watts negative max demand", "W"},
		{"vars.positive", "VARs positive max demand", "var"}, {"vars.negative", "VARs negative max demand", "var"},
		{"va", "VA max demand", "VA"},
		{"factor.positive", "Power factor positive max demand", ""}, {"factor.negative", "Power factor negative max demand", ""},
	} {
		add("demand.max."+q.key, q.name, q.unit, "", AggMax, true)
	}
	for _, p := range []string{"a", "b", "c"} {
		add("thd.voltage."+p, "Voltage THD "+strings.ToUpper(p), "", p, AggMean, false)
	}
	for _, p := range []string{"a", "b", "c"} {
		add("thd.current."+p, "Current THD "+strings.ToUpper(p), "", p, AggMean, false)
	}
	for _, term := range []string{"pst", "plt"} {
		for _, p := range []string{"a", "b", "c"} {
			add("flicker."+term+"."+p, "Flicker P"+term[1:]+" "+strings.ToUpper(p), "", p, AggMean, false)
		}
	}
	return out
}
