package device

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"metermanager/logdb"
)

// Correction says by what a meter's primary values are wrong because its transformer ratios were
// programmed wrongly: the true ratio divided by the programmed one. 0 means right.
//
// Of a meter that gives its readings as they are at its terminals, they are the ratios themselves; its energies are primary then.
type Correction struct {
	CT, PT        float64
	PrimaryEnergy bool
}

// IsZero reports whether nothing is corrected.
func (c Correction) IsZero() bool { return c.ct() == 1 && c.pt() == 1 }

func (c Correction) ct() float64 { return orOne(c.CT) }

func (c Correction) pt() float64 { return orOne(c.PT) }

func orOne(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}

// Factor is what values of a channel are multiplied by.
func (c Correction) Factor(channel logdb.ChannelKey) float64 {
	k := string(channel)
	switch {
	case strings.HasPrefix(k, "readings.voltage."):
		return c.pt()
	case strings.HasPrefix(k, "readings.current."):
		return c.ct()
	case strings.HasPrefix(k, "readings.power.factor"), strings.HasPrefix(k, "demand.max.factor"):
		return 1
	case c.PrimaryEnergy && strings.HasPrefix(k, "energy."):
		return 1
	case strings.HasPrefix(k, "readings.power."), strings.HasPrefix(k, "demand."), strings.HasPrefix(k, "energy."):
		return c.ct() * c.pt()
	}
	return 1
}

// Values corrects a row in place.
func (c Correction) Values(channels []logdb.ChannelKey, values []float64) {
	if c.IsZero() {
		return
	}
	for i, k := range channels {
		values[i] *= c.Factor(k)
	}
}

// Excursion corrects what an event measured; its percents are of the full scale, which moves with the ratio.
func (c Correction) Excursion(x *logdb.Excursion) {
	if f := c.Factor(x.Channel); f != 1 {
		x.Worst, x.Threshold = x.Worst*f, x.Threshold*f
	}
}

// Waveform corrects a recording in place; its voltages begin with V, its currents with I.
func (c Correction) Waveform(w *logdb.Waveform) {
	if c.IsZero() {
		return
	}
	for i := range w.RMS {
		w.RMS[i].Value *= c.ofName(w.RMS[i].Name)
	}
	for _, ch := range w.Channels {
		f := c.ofName(ch.Name)
		for i := range ch.Samples {
			ch.Samples[i] *= f
		}
	}
}

func (c Correction) ofName(name string) float64 {
	switch {
	case strings.HasPrefix(name, "V"):
		return c.pt()
	case strings.HasPrefix(name, "I"):
		return c.ct()
	}
	return 1
}

// Readings returns live values corrected.
func (c Correction) Readings(in []Reading) []Reading {
	if c.IsZero() {
		return in
	}
	out := make([]Reading, len(in))
	for i, r := range in {
		f := c.Factor(r.Channel)
		r.Value, r.Modulus = r.Value*f, r.Modulus*f
		out[i] = r
	}
	return out
}

// Scaling tells how the counters of a meter become values under c: it differs when one of them is read elsewhere or scaled otherwise.
func (p *Profile) Scaling(c Correction) string {
	type scaled struct {
		Point  Point
		Factor float64
	}
	points := slices.Clone(p.Points)
	if p.SunSpec != nil {
		for _, m := range p.SunSpec.Models {
			points = append(points, m.Points...)
		}
	}
	all := []any{p.Defaults.FC, p.Defaults.Order}
	for _, x := range points {
		if x.Kind == KindCounter && x.Channel != "" {
			all = append(all, scaled{Point{Addr: x.Addr, Type: x.Type, Channel: x.Channel, Scale: x.Scale, Offset: x.Offset, FC: x.FC, Order: x.Order, Rollover: x.Rollover, ScaleFrom: x.ScaleFrom}, c.Factor(x.Channel)})
		}
	}
	text, err := json.Marshal(all)
	if err != nil { // no number of a profile is infinite
		return p.version
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Valid reports whether the factors are positive numbers of a plausible size.
func (c Correction) Valid() bool {
	for _, v := range [...]float64{c.ct(), c.pt()} {
		if math.IsNaN(v) || v < 1e-6 || v > 1e6 {
			return false
		}
	}
	return true
}
