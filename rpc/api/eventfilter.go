package api

import (
	"math"
	"net/url"
	"strconv"
	"strings"

	"metermanager/logdb"
)

// EventFilter narrows events by what they say. The zero value lets everything pass. What an event lacks fails a bound: an
// event without an end has no duration.
type EventFilter struct {
	MinDuration, MaxDuration *float64 // seconds
	MinWorst, MaxWorst       *float64
	Text                     string // anywhere in a description or a trigger, small and large letters alike
}

// IsZero reports whether f lets everything pass.
func (f EventFilter) IsZero() bool { return f == EventFilter{} }

// Passes reports whether f lets an event pass.
func (f EventFilter) Passes(e *logdb.Entry) bool {
	duration, worst := math.NaN(), math.NaN()
	var texts []string
	switch {
	case e.Excursion != nil:
		duration, worst = e.Excursion.DurationSeconds, e.Excursion.Worst
	case e.System != nil:
		texts = []string{e.System.Description, e.System.Type.String()}
	case e.Waveform != nil:
		duration, texts = float64(e.Waveform.End-e.Time)/1000, e.Waveform.Triggers
	}
	return within(duration, f.MinDuration, f.MaxDuration) && within(worst, f.MinWorst, f.MaxWorst) &&
		(f.Text == "" || strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(f.Text)))
}

func within(v float64, low, high *float64) bool {
	return (low == nil || v >= *low) && (high == nil || v <= *high)
}

func (f EventFilter) set(v url.Values) {
	for name, bound := range map[string]*float64{
		"min_duration": f.MinDuration, "max_duration": f.MaxDuration, "min_worst": f.MinWorst, "max_worst": f.MaxWorst,
	} {
		if bound != nil {
			v.Set(name, strconv.FormatFloat(*bound, 'g', -1, 64))
		}
	}
	setText(v, "text", f.Text)
}

// eventFilter reads the bounds that a kind can have: others would be passed over, and everything taken for the filter's.
func (p *params) eventFilter(kind logdb.Kind) EventFilter {
	f := EventFilter{
		MinDuration: p.number("min_duration"), MaxDuration: p.number("max_duration"), MinWorst: p.number("min_worst"), MaxWorst: p.number("max_worst"),
		Text: p.text("text"),
	}
	excursion := kind == logdb.KindLimit || kind == logdb.KindPQ
	switch {
	case (f.MinWorst != nil || f.MaxWorst != nil) && !excursion:
		p.fail("min_worst", "only limit and PQ events have a worst value")
	case (f.MinDuration != nil || f.MaxDuration != nil) && kind == logdb.KindSystem:
		p.fail("min_duration", "a system event has no duration")
	case f.Text != "" && excursion:
		p.fail("text", "only system events and recordings have texts")
	}
	return f
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
