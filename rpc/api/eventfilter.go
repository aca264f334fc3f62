package api

import (
	"math"
	"net/url"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// EventFilter narrows events by what they say. The zero value lets everything pass. What an event lacks fails a bound: an
// event without an end has no duration.
type EventFilter struct {
	MinDuration, MaxDuration *float64 // seconds
	MinWorst, MaxWorst       *float64
	MinPercent, MaxPercent   *float64 // worst value in percent of full scale: comparable over channels
	Type                     *int64   // limits: below or above; PQ: sag or surge
	Text                     string   // anywhere in a description or a trigger, small and large letters alike
}

// IsZero reports whether f lets everything pass.
func (f EventFilter) IsZero() bool { return f == EventFilter{} }

// Passes reports whether f lets an event pass.
func (f EventFilter) Passes(e *logdb.Entry) bool {
	duration, worst, percent := math.NaN(), math.NaN(), math.NaN()
	var kind *int64
	var texts []string
	switch {
	case e.Excursion != nil:
		duration, worst, percent, kind = e.Excursion.DurationSeconds, e.Excursion.Worst, e.Excursion.WorstPercent, &e.Excursion.Type
	case e.System != nil:
		texts = []string{e.System.Description, e.System.Type.String()}
	case e.Waveform != nil:
		duration, texts = float64(e.Waveform.End-e.Time)/1000, e.Waveform.Triggers
	}
	return within(duration, f.MinDuration, f.MaxDuration) && within(worst, f.MinWorst, f.MaxWorst) && within(percent, f.MinPercent, f.MaxPercent) &&
		(f.Type == nil || kind != nil && *kind == *f.Type) &&
		(f.Text == "" || strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(f.Text)))
}

func within(v float64, low, high *float64) bool {
	return (low == nil || v >= *low) && (high == nil || v <= *high)
}

func (f EventFilter) set(v url.Values) {
	for name, bound := range map[string]*float64{
		"min_duration": f.MinDuration, "max_duration": f.MaxDuration, "min_worst": f.MinWorst, "max_worst": f.MaxWorst,
		"min_percent": f.MinPercent, "max_percent": f.MaxPercent,
	} {
		if bound != nil {
			v.Set(name, strconv.FormatFloat(*bound, 'g', -1, 64))
		}
	}
	if f.Type != nil {
		v.Set("type", strconv.FormatInt(*f.Type, 10))
	}
	setText(v, "text", f.Text)
}

// eventFilter reads the bounds that a kind can have: others would be passed over, and everything taken for the filter's.
func (p *params) eventFilter(kind logdb.Kind) EventFilter {
	f := EventFilter{
		MinDuration: p.number("min_duration"), MaxDuration: p.number("max_duration"), MinWorst: p.number("min_worst"), MaxWorst: p.number("max_worst"),
		MinPercent: p.number("min_percent"), MaxPercent: p.number("max_percent"), Type: p.excursionType("type"), Text: p.text("text"),
	}
	excursion := kind == logdb.KindLimit || kind == logdb.KindPQ
	switch {
	case (f.MinWorst != nil || f.MaxWorst != nil) && !excursion:
		p.fail("min_worst", "only limit and PQ events have a worst value")
	case (f.MinPercent != nil || f.MaxPercent != nil) && !excursion:
		p.fail("min_percent", "only limit and PQ events have a worst value")
	case f.Type != nil && !excursion:
		p.fail("type", "only limit and PQ events are below or above; of system events ask for a code")
	case (f.MinDuration != nil || f.MaxDuration != nil) && kind == logdb.KindSystem:
		p.fail("min_duration", "a system event has no duration")
	case f.Text != "" && excursion:
		p.fail("text", "only system events and recordings have texts")
	}
	return f
}

// ParseExcursionType reads the type of a limit or PQ event: a word for people, or the number on the wire.
func ParseExcursionType(text string) (int64, error) {
	switch text {
	case "0", "below", "sag":
		return logdb.ExcursionBelow, nil
	case "1", "above", "surge", "swell":
		return logdb.ExcursionAbove, nil
	}
	return 0, fault.New(fault.Invalid, "below, above, sag or surge is expected")
}

func (p *params) excursionType(name string) *int64 {
	text := p.text(name)
	if text == "" {
		return nil
	}
	n, err := ParseExcursionType(text)
	if err != nil {
		p.fail(name, fault.From(err).Message)
		return nil
	}
	return &n
}

func (p *params) number(name string) *float64 {
	text := p.text(name)
	if text == "" {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		p.fail(name, "a number is expected")
		return nil
	}
	return &v
}
