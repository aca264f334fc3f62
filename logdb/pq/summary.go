package pq

import (
	"fmt"
	"math"
	"strings"
)

// Summary tells an analysis in sentences, each with the numbers that it rests on.
func (a *Analysis) Summary() []string {
	var out []string
	for i := range a.Found {
		out = append(out, a.Found[i].Sentence())
	}
	for _, c := range a.Causes {
		out = append(out, fmt.Sprintf("Likely cause: %s (%s).", c.Name, c.because()))
	}
	if len(out) == 0 {
		text := "No sag, swell or interruption"
		if len(a.Transients) == 0 {
			text += " and no transient"
		}
		text += " is in this recording."
		if len(a.Transients) > 0 {
			text = fmt.Sprintf("%s %d transients, the first of %s of the peak at %s.", text, len(a.Transients), ratioText(a.Transients[0].PeakRatio), secondsText(a.Transients[0].Seconds))
		}
		out = append(out, text)
	}
	return out
}

// Sentence tells a disturbance: what fell or rose, how far, how long, what it means and what it may come from.
func (f *Found) Sentence() string {
	verb := "fell"
	if f.Kind == Swell {
		verb = "rose"
	}
	who := "Phase " + phasesText(f.Phases)
	if len(f.Phases) > 1 {
		who = "Phases " + phasesText(f.Phases)
	}
	long := secondsText(f.DurationSeconds())
	if f.Truncated || f.Began {
		long = "at least " + long
	}
	text := fmt.Sprintf("%s %s to %s for %s", who, verb, ratioText(f.WorstRatio), long)
	if len(f.Phases) > 1 {
		text += ", worst on " + f.WorstPhase.String()
	}
	text += fmt.Sprintf(" (%s)", f.Category)
	for _, r := range f.Regions {
		text += fmt.Sprintf("; %s: %s", r.Curve, r.Region)
	}
	if c := f.Causes[0]; c.Name == Unknown {
		text += "; its cause is unknown"
	} else {
		text += fmt.Sprintf("; looks like %s, since %s", c.Name, c.because())
	}
	return text + "."
}

// because joins what holds.
func (c *Cause) because() string {
	var parts []string
	for _, e := range c.Evidence {
		if e.Holds {
			parts = append(parts, e.Text)
		}
	}
	if len(parts) == 0 {
		for _, e := range c.Evidence {
			parts = append(parts, e.Text)
		}
	}
	return strings.Join(parts, ", ")
}

// Card tells an event of a PQ log in one sentence. phase and others may be empty; seconds is NaN when that is not known.
func Card(phase string, ratio, seconds, nominalHz float64, others []string) string {
	verb := "fell"
	if ratio > 1 {
		verb = "rose"
	}
	who := "The voltage"
	if phase != "" {
		who = "Phase " + strings.ToUpper(phase)
	}
	if math.IsNaN(seconds) {
		return fmt.Sprintf("%s %s to %s; how long is not known.%s", who, verb, ratioText(ratio), seenBy(others))
	}
	itic := ITIC()
	return fmt.Sprintf("%s %s to %s for %s (%s); ITIC: %s.%s", who, verb, ratioText(ratio), secondsText(seconds),
		Categorize(seconds, ratio, nominalHz), itic.Classify(seconds, ratio), seenBy(others))
}

func seenBy(others []string) string {
	switch len(others) {
	case 0:
		return ""
	case 1:
		return " " + others[0] + " saw it too."
	}
	return fmt.Sprintf(" %d other meters saw it: %s.", len(others), strings.Join(others, ", "))
}
