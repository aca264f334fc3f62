package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
	"metermanager/viewer/timeline"
)

// Card tells one event in plain language, with the numbers that it rests on.
type Card struct {
	Title    string
	Severity chart.Severity
	Time     string
	Lines    []string
	Facts    []Fact
	Related  []RelatedEvent
}

// Fact is a named figure.
type Fact struct{ Name, Value string }

// RelatedEvent is a link to another event.
type RelatedEvent struct {
	Index int
	Why   string
	Text  string
	When  string // "+0.4 s"
	Kind  logdb.Kind
}

// mostRelated bounds the links of a card.
const mostRelated = 12

// Card makes the card of an event of the list.
func (v *Events) Card(i int) *Card {
	e := &v.Set.List[i]
	m := v.Meter(e)
	c := &Card{Title: e.Name, Severity: e.Severity, Time: v.Time(e)}
	links := timeline.Related(v.Set.List, i, v.clocks())
	var others []string
	for _, l := range links {
		x := &v.Set.List[l.Index]
		if l.Why == timeline.OtherMeter && !slices.Contains(others, v.Set.Names[x.Meter]) {
			others = append(others, v.Set.Names[x.Meter])
		}
		if len(c.Related) < mostRelated {
			text := x.Name
			if x.Detail != "" {
				text += " · " + x.Detail
			}
			if l.Why == timeline.OtherMeter {
				text = v.Set.Names[x.Meter] + ": " + text
			}
			c.Related = append(c.Related, RelatedEvent{l.Index, string(l.Why), text, delta(l.Delta), x.Kind})
		}
	}
	c.sentences(e, m, others)
	c.facts(e, m, v.Set.Names[e.Meter])
	if len(others) > 0 {
		c.Lines = append(c.Lines, v.clockNote(e.Meter))
	}
	return c
}

// clocks are those of the meters, by their places in the set.
func (v *Events) clocks() timeline.Clocks {
	c := timeline.Clocks{Error: v.ClockError, Ahead: map[int]logdb.Millis{}}
	for i, m := range v.Set.Meters {
		if ahead := v.ClockAhead[m.UID]; ahead != 0 {
			c.Ahead[i] = ahead
		}
	}
	return c
}

// errClock is for times that cannot be meant.
var errClock = errors.New("a clock's error is written in seconds: 0 to 3600, a clock that is behind with a minus")

// StateClocks takes in seconds how far every clock may be off, and how far that of a meter (nil: none) is known to be ahead.
func (v *Events) StateClocks(m *Meter, every, ahead string) error {
	read := func(text string, low float64) (logdb.Millis, bool) {
		x, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(text), ",", ".", 1), 64)
		return logdb.Millis(math.Round(x * 1000)), err == nil && x >= low && x <= 3600
	}
	off, ok := read(every, 0)
	if !ok {
		return errClock
	}
	if m != nil {
		by, ok := read(ahead, -3600)
		if !ok {
			return errClock
		}
		v.ClockAhead[m.UID] = by
	}
	v.ClockError = off
	return nil
}

// clockNote says on what the events of other meters were joined.
func (v *Events) clockNote(meter int) string {
	text := "Events of other meters are joined for clocks that are right to " + timeline.Seconds(float64(v.ClockError)/1000)
	if ahead := v.ClockAhead[v.Set.Meters[meter].UID]; ahead > 0 {
		text += "; this meter's is " + timeline.Seconds(float64(ahead)/1000) + " ahead"
	} else if ahead < 0 {
		text += "; this meter's is " + timeline.Seconds(float64(-ahead)/1000) + " behind"
	}
	return text + "."
}

func delta(d logdb.Millis) string {
	switch {
	case d == 0:
		return "same time"
	case d < 0:
		return "−" + timeline.Seconds(float64(-d)/1000)
	}
	return "+" + timeline.Seconds(float64(d)/1000)
}

func (c *Card) sentences(e *timeline.Event, m *Meter, others []string) {
	switch {
	case e.Kind == logdb.KindPQ && !math.IsNaN(e.Ratio):
		c.Lines = append(c.Lines, pq.Card(e.Phase, e.Ratio, e.Seconds, m.Settings.NominalHz, others))
		if e.OfFullScale {
			c.Lines = append(c.Lines, "The percentage is of the meter's full scale: its nominal voltage is not set.")
		}
	case e.Kind == logdb.KindWaveform:
		c.Lines = append(c.Lines, fmt.Sprintf("A recording of %s, set off by: %s.", timeline.Seconds(e.Seconds), orNothing(e.Detail)))
	default:
		text := e.Name
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		c.Lines = append(c.Lines, text+".")
	}
}

func orNothing(s string) string {
	if s == "" {
		return "not stated"
	}
	return s
}

func (c *Card) facts(e *timeline.Event, m *Meter, name string) {
	add := func(name, value string) {
		if value != "" {
			c.Facts = append(c.Facts, Fact{name, value})
		}
	}
	add("Meter", name)
	add("Log", timeline.KindName(e.Kind))
	add("Duration", timeline.Seconds(e.Seconds))
	if e.Channel != "" {
		add("Channel", logdb.LookupChannel(e.Channel).Name)
	}
	if e.Kind == logdb.KindPQ && !math.IsNaN(e.Ratio) {
		add("Worst", fmt.Sprintf("%.1f %%", 100*e.Ratio))
		if volts := m.Settings.NominalVolts; volts > 0 {
			add("Nominal", timeline.Quantity(volts, "V")+" L-N")
		}
		if !math.IsNaN(e.Seconds) {
			add("IEEE 1159", pq.Categorize(e.Seconds, e.Ratio, m.Settings.NominalHz).String())
			for _, curve := range []pq.Curve{pq.ITIC(), pq.SEMIF47()} {
				add(curve.Name, curve.Classify(e.Seconds, e.Ratio).String())
			}
		}
	}
	add("Record", fmt.Sprintf("%d", e.Position))
}

// RecordingOf finds the recording that belongs to an event: itself, or the nearest of its related ones; -1 without.
func (v *Events) RecordingOf(i int) int {
	if v.Set.List[i].Kind == logdb.KindWaveform {
		return i
	}
	other := -1
	for _, l := range timeline.Related(v.Set.List, i, v.clocks()) {
		if v.Set.List[l.Index].Kind != logdb.KindWaveform {
			continue
		}
		if l.Why == timeline.Recording {
			return l.Index
		}
		if other < 0 {
			other = l.Index // of another meter at that time
		}
	}
	return other
}

// NewestRecording is the newest recording of those shown; -1 without.
func (v *Events) NewestRecording() int {
	for _, i := range v.Shown {
		if v.Set.List[i].Kind == logdb.KindWaveform {
			return i
		}
	}
	return -1
}

// StepRecording is the recording after (1) or before (-1) event i in the list that is shown; -1 when there is none.
func (v *Events) StepRecording(i, by int) int {
	at := slices.Index(v.Shown, i)
	for k := at + by; k >= 0 && k < len(v.Shown); k += by {
		if v.Set.List[v.Shown[k]].Kind == logdb.KindWaveform {
			return v.Shown[k]
		}
	}
	return -1
}
