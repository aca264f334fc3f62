package pq

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Verdict is the result of one item of EN 50160. What was not measured never passes.
type Verdict uint8

// The verdicts.
const (
	NotMeasured Verdict = iota
	Pass
	Fail
	Insufficient // measured, but on too small a part of the week to say
	Counted      // measured, but the standard has no limit for it
)

// String returns "not measured", "pass", "fail", "insufficient data" or "no limit".
func (v Verdict) String() string {
	return [...]string{"not measured", "pass", "fail", "insufficient data", "no limit"}[min(v, Counted)]
}

// MarshalText writes the verdict.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Verdict) UnmarshalText(text []byte) error {
	for x := NotMeasured; x <= Counted; x++ {
		if x.String() == string(text) {
			*v = x
			return nil
		}
	}
	return fmt.Errorf("verdict %q is not known", text)
}

// Rules are limits of EN 50160, as data, so that an edition or a country can have its own.
type Rules struct {
	Name string `json:"name"`
	// Voltage: the share of the week's 10-minute means that may lie outside of the narrow band, and the band; of the wide band.
	NarrowShare float64 `json:"narrow_share"`
	NarrowLow   float64 `json:"narrow_low"` // ratios to nominal
	NarrowHigh  float64 `json:"narrow_high"`
	WideShare   float64 `json:"wide_share"`
	WideLow     float64 `json:"wide_low"`
	WideHigh    float64 `json:"wide_high"`
	// Frequency, ratios to nominal.
	HzNarrowShare float64 `json:"hz_narrow_share"`
	HzNarrowLow   float64 `json:"hz_narrow_low"`
	HzNarrowHigh  float64 `json:"hz_narrow_high"`
	HzWideLow     float64 `json:"hz_wide_low"`
	HzWideHigh    float64 `json:"hz_wide_high"`
	// Share is what of a week may be outside for unbalance, THD, harmonics and flicker.
	Share     float64 `json:"share"`
	Unbalance float64 `json:"unbalance"`
	THD       float64 `json:"thd"`
	Plt       float64 `json:"plt"`
	// Harmonics are limits by order, ratios to the fundamental.
	Harmonics map[int]float64 `json:"harmonics"`
	// Coverage is the least share of intervals that a statement needs [our choice].
	Coverage float64 `json:"coverage"`
}

// LowVoltage2010 are the limits of EN 50160:2010 for public low-voltage networks with synchronous connection.
func LowVoltage2010() Rules {
	r := Rules{
		Name: "EN 50160:2010, low voltage", NarrowShare: 0.05, NarrowLow: 0.9, NarrowHigh: 1.1, WideShare: 0, WideLow: 0.85, WideHigh: 1.1,
		HzNarrowShare: 0.005, HzNarrowLow: 0.99, HzNarrowHigh: 1.01, HzWideLow: 0.94, HzWideHigh: 1.04,
		Share: 0.05, Unbalance: 0.02, THD: 0.08, Plt: 1, Coverage: 0.9,
		Harmonics: map[int]float64{
			2: 0.02, 3: 0.05, 4: 0.01, 5: 0.06, 7: 0.05, 9: 0.015, 11: 0.035, 13: 0.03, 15: 0.005, 17: 0.02, 19: 0.015, 21: 0.005, 23: 0.015, 25: 0.015,
		},
	}
	for h := 6; h <= 24; h += 2 {
		r.Harmonics[h] = 0.005
	}
	return r
}

// MediumVoltage2010 are those for medium voltage.
func MediumVoltage2010() Rules {
	r := LowVoltage2010()
	r.Name, r.NarrowShare, r.WideHigh = "EN 50160:2010, medium voltage", 0.01, 1.15
	return r
}

// LowVoltageIsland2010 are those for low voltage without synchronous connection.
func LowVoltageIsland2010() Rules {
	r := LowVoltage2010()
	r.Name = "EN 50160:2010, low voltage, island"
	r.HzNarrowShare, r.HzNarrowLow, r.HzNarrowHigh, r.HzWideLow, r.HzWideHigh = 0.05, 0.98, 1.02, 0.85, 1.15
	return r
}

// Interval is one value of an observation.
type Interval struct {
	Value float64 // NaN: not measured
	// Flagged by a sag, swell or interruption inside: kept, and left out of the statistics (IEC 61000-4-30, 4.7).
	Flagged bool
}

// Quantity160 is what an item of EN 50160 is about, with what is known of its measurement.
type Quantity160 struct {
	Name string // "supply voltage A"
	// Note says how far the values are what the standard asks for.
	Note     string
	Expected int // how many intervals the week has
	Values   []Interval
}

// Week is the observation of one week. What is nil was not measured.
type Week struct {
	NominalVolts, NominalHz float64
	Voltage                 []Quantity160 // a phase each; volts, 10-minute means
	Frequency               []Quantity160 // Hz, 10-second means
	Unbalance               []Quantity160 // |U2|/|U1|
	THD                     []Quantity160 // ratios
	Harmonics               map[int][]Quantity160
	Plt                     []Quantity160
	// Events are of the week, phases aggregated; nil when the meter records none.
	Events []Event
}

// Item is the evaluation of one quantity.
type Item struct {
	Name     string  `json:"name"`
	Limit    string  `json:"limit"`
	Verdict  Verdict `json:"verdict"`
	Note     string  `json:"note,omitempty"`
	Expected int     `json:"expected,omitempty"`
	Valid    int     `json:"valid,omitempty"`
	Flagged  int     `json:"flagged,omitempty"`
	// Outside is how many valid intervals are beyond the limit, Beyond how many beyond the wide band.
	Outside int `json:"outside,omitempty"`
	Beyond  int `json:"beyond,omitempty"`
	// Percentile is the value that the allowed share of intervals exceeds, of one-sided limits; Low and High the extremes.
	Percentile *float64 `json:"percentile,omitempty"`
	Low        *float64 `json:"low,omitempty"`
	High       *float64 `json:"high,omitempty"`
}

// Report is the evaluation of a week.
type Report struct {
	Rules string `json:"rules"`
	Items []Item `json:"items"`
	// Dips is the table of residual voltages by duration, Swells that of swells; nil when no events are recorded.
	Dips   *[5][5]int `json:"dips,omitempty"`
	Swells *[2][3]int `json:"swells,omitempty"`
	// ShortInterruptions last up to 3 minutes, LongInterruptions longer.
	ShortInterruptions int `json:"short_interruptions"`
	LongInterruptions  int `json:"long_interruptions"`
}

// Evaluate compares a week with the rules. Items that nothing is known of come with the verdict NotMeasured.
func Evaluate(w Week, r Rules) Report {
	out := Report{Rules: r.Name}
	hzNote := ""
	if w.NominalHz == 60 {
		hzNote = "made for 50 Hz; bands scaled to 60 Hz"
	}
	out.add("frequency", w.Frequency, limits{
		text: fmt.Sprintf("%.4g to %.4g Hz in %s %% of the week, %.4g to %.4g Hz always",
			r.HzNarrowLow*w.NominalHz, r.HzNarrowHigh*w.NominalHz, percent(1-r.HzNarrowShare), r.HzWideLow*w.NominalHz, r.HzWideHigh*w.NominalHz),
		low: r.HzNarrowLow * w.NominalHz, high: r.HzNarrowHigh * w.NominalHz, share: r.HzNarrowShare, wide: true,
		wideLow: r.HzWideLow * w.NominalHz, wideHigh: r.HzWideHigh * w.NominalHz, coverage: r.Coverage, note: hzNote,
	})
	unit, factor := "V", w.NominalVolts
	if !(factor > 0) {
		unit, factor = "% of nominal", 100
	}
	out.add("supply voltage", w.Voltage, limits{
		text: fmt.Sprintf("%.4g to %.4g %s in %s %% of the week, %.4g to %.4g %s in %s %%", r.NarrowLow*factor, r.NarrowHigh*factor, unit,
			percent(1-r.NarrowShare), r.WideLow*factor, r.WideHigh*factor, unit, percent(1-r.WideShare)),
		low: r.NarrowLow * w.NominalVolts, high: r.NarrowHigh * w.NominalVolts, share: r.NarrowShare, wide: true,
		wideLow: r.WideLow * w.NominalVolts, wideHigh: r.WideHigh * w.NominalVolts, wideShare: r.WideShare, coverage: r.Coverage,
	})
	one := func(name string, list []Quantity160, most float64, unit string) {
		factor, suffix := 1.0, ""
		if unit == "%" {
			factor, suffix = 100, " %"
		}
		out.add(name, list, limits{
			text: fmt.Sprintf("at most %.4g%s in %s %% of the week", most*factor, suffix, percent(1-r.Share)),
			low:  math.Inf(-1), high: most, share: r.Share, coverage: r.Coverage,
		})
	}
	one("unbalance", w.Unbalance, r.Unbalance, "%")
	one("total harmonic distortion", w.THD, r.THD, "%")
	orders := make([]int, 0, len(w.Harmonics))
	for h := range w.Harmonics {
		if r.Harmonics[h] > 0 {
			orders = append(orders, h)
		}
	}
	slices.Sort(orders)
	for _, h := range orders {
		one(fmt.Sprintf("harmonic %d", h), w.Harmonics[h], r.Harmonics[h], "%")
	}
	if len(orders) == 0 {
		one("individual harmonics", nil, 0, "%")
		out.Items[len(out.Items)-1].Limit = "the table of orders 2 to 25"
	}
	one("flicker Plt", w.Plt, r.Plt, "")
	out.add("rapid voltage changes", nil, limits{text: "indicative: at most 5 %, several times a day 10 %"})
	out.add("mains signalling voltages", nil, limits{text: "the curve by frequency, in 99 % of a day"})
	out.events(w.Events)
	return out
}

func percent(share float64) string { return fmt.Sprintf("%.4g", 100*share) }

type limits struct {
	text                         string
	low, high, share             float64
	wide                         bool
	wideLow, wideHigh, wideShare float64
	coverage                     float64
	note                         string
}

func (r *Report) add(name string, list []Quantity160, l limits) {
	if len(list) == 0 {
		r.Items = append(r.Items, Item{Name: name, Limit: l.text, Note: l.note})
		return
	}
	for _, q := range list {
		r.Items = append(r.Items, l.evaluate(cmp.Or(q.Name, name), q))
	}
}

// evaluate counts intervals outside of the bands: N1/N at most the share, N2/N at most the wide share.
func (l limits) evaluate(name string, q Quantity160) Item {
	it := Item{Name: name, Limit: l.text, Note: q.Note, Expected: q.Expected}
	if it.Note == "" {
		it.Note = l.note
	} else if l.note != "" {
		it.Note += "; " + l.note
	}
	var values []float64
	for _, v := range q.Values {
		switch {
		case math.IsNaN(v.Value):
		case v.Flagged:
			it.Flagged++
		default:
			values = append(values, v.Value)
		}
	}
	it.Valid = len(values)
	if it.Valid == 0 {
		return it
	}
	for _, v := range values {
		if v < l.low || v > l.high {
			it.Outside++
		}
		if l.wide && (v < l.wideLow || v > l.wideHigh) {
			it.Beyond++
		}
	}
	slices.Sort(values)
	it.Low, it.High = &values[0], &values[len(values)-1]
	if !l.wide {
		p := values[min(len(values)-1, int(math.Ceil((1-l.share)*float64(len(values))-1e-9))-1)]
		it.Percentile = &p
	}
	n := float64(it.Valid)
	switch {
	case float64(it.Outside) > l.share*n+1e-9 || float64(it.Beyond) > l.wideShare*n+1e-9:
		it.Verdict = Fail
	default:
		it.Verdict = Pass
	}
	// Flagged intervals were measured: a week with many sags is not one without data.
	if n+float64(it.Flagged) < l.coverage*float64(q.Expected) {
		it.Verdict = Insufficient
	}
	return it
}

// events fills the tables of EN 50160:2010 (4.3: residual voltage by duration; swells by duration).
func (r *Report) events(list []Event) {
	if list == nil {
		r.Items = append(r.Items, Item{Name: "dips, swells and interruptions", Limit: "indicative, counted in tables"})
		return
	}
	dips, swells := [5][5]int{}, [2][3]int{}
	for i := range list {
		e := &list[i]
		t := e.Duration
		switch {
		case e.Duration < 0:
			continue
		case e.Ratio < 0.05 && t > 3*time.Minute:
			r.LongInterruptions++
			continue
		case e.Ratio < 0.05:
			r.ShortInterruptions++
		}
		switch {
		case t < 10*time.Millisecond || t > time.Minute:
		case e.Ratio < 0.9:
			dips[index(-e.Ratio, -0.8, -0.7, -0.4, -0.05)][index(float64(t), 200e6, 500e6, 1e9, 5e9)]++
		case e.Ratio >= 1.2:
			swells[0][index(float64(t), 500e6, 5e9)]++
		case e.Ratio > 1.1:
			swells[1][index(float64(t), 500e6, 5e9)]++
		}
	}
	r.Dips, r.Swells = &dips, &swells
	r.Items = append(r.Items, Item{Name: "dips, swells and interruptions", Limit: "indicative, counted in tables", Verdict: Counted, Valid: len(list)})
}

// index returns how many bounds v exceeds: bins are closed on the right.
func index(v float64, bounds ...float64) int {
	n := 0
	for _, b := range bounds {
		if v > b {
			n++
		}
	}
	return n
}
