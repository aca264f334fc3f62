package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/source"
)

// Now is the present values of a meter, and how they went since the page was opened.
type Now struct {
	State  State
	Err    error
	Meter  *Meter
	Data   source.Present
	Paused bool
	// Chosen are the channels that are drawn.
	Chosen []logdb.ChannelKey
	series map[logdb.ChannelKey]*nowSeries
}

type nowSeries struct {
	times, values []float64
	low, high     float64
}

// mostSamples bounds what is kept of a channel: half an hour of two seconds each.
const mostSamples = 900

// ErrNoPresent is for sources that hold records only.
var ErrNoPresent = errors.New("a file has no present values: they are read from a meter through its service")

// NewNow returns an empty page.
func NewNow() *Now { return &Now{series: map[logdb.ChannelKey]*nowSeries{}} }

// LoadPresent reads the present values of a meter. It may run anywhere.
func LoadPresent(ctx context.Context, m *Meter) (source.Present, error) {
	p, ok := m.Source.Log.(source.Presenter)
	if !ok {
		return source.Present{}, ErrNoPresent
	}
	return p.Present(ctx, m.UID)
}

// Choose looks at another meter.
func (v *Now) Choose(m *Meter) {
	if v.Meter != m {
		*v = Now{Meter: m, State: Loading, Paused: v.Paused, Chosen: v.Chosen, series: map[logdb.ChannelKey]*nowSeries{}}
	}
}

// Take adds a reading. One of the time of the reading before says nothing new.
func (v *Now) Take(p source.Present) {
	fresh := v.State == Loading || p.Time > v.Data.Time
	v.Data, v.State, v.Err = p, Ready, nil
	if p.Stale {
		v.State = Stale
	}
	if !fresh {
		return
	}
	for _, x := range p.Values {
		s := v.series[x.Channel.Key]
		if s == nil {
			s = &nowSeries{low: math.Inf(1), high: math.Inf(-1)}
			v.series[x.Channel.Key] = s
		}
		s.times, s.values = append(s.times, float64(p.Time)), append(s.values, x.Value)
		if !math.IsNaN(x.Value) {
			s.low, s.high = min(s.low, x.Value), max(s.high, x.Value)
		}
		if n := len(s.times) - mostSamples; n > 0 { // into a new place: a picture may be drawn of the old one
			s.times, s.values = slices.Clone(s.times[n:]), slices.Clone(s.values[n:])
		}
	}
	if len(v.Chosen) == 0 {
		for _, group := range usual {
			for _, x := range p.Values {
				if slices.Contains(group, x.Channel.Key) {
					v.Chosen = append(v.Chosen, x.Channel.Key)
				}
			}
			if len(v.Chosen) > 0 {
				break
			}
		}
	}
}

// Fail keeps what is shown, as stale.
func (v *Now) Fail(err error) {
	v.Err, v.State = err, Failed
	if len(v.Data.Values) > 0 {
		v.State = Stale
	}
}

// Toggle draws a channel, or draws it no more.
func (v *Now) Toggle(key logdb.ChannelKey) {
	if i := slices.Index(v.Chosen, key); i >= 0 {
		v.Chosen = slices.Delete(slices.Clone(v.Chosen), i, i+1)
	} else if len(v.Chosen) < 8 {
		v.Chosen = append(slices.Clone(v.Chosen), key)
	}
}

// Extremes are the lowest and highest value since the page was opened; ok is false without any.
func (v *Now) Extremes(key logdb.ChannelKey) (low, high float64, ok bool) {
	s := v.series[key]
	if s == nil || s.low > s.high {
		return 0, 0, false
	}
	return s.low, s.high, true
}

// Note says how the values came here.
func (v *Now) Note() string {
	if v.Meter == nil || v.Data.Time == 0 {
		return ""
	}
	text := "Read from the meter, through its service"
	if !v.Data.Direct {
		text = "The newest values that the service was given"
	}
	text += fmt.Sprintf(" · %s %s", Clock(v.Data.Time, v.Meter.Zone())[:19], v.Meter.Zone())
	switch {
	case v.Paused:
		text += " · paused"
	case v.State == Stale && v.Err == nil:
		text += " · older than they should be"
	case v.State == Stale:
		text += " · the meter was not read since"
	}
	return text
}

// Drawing draws the chosen channels since the page was opened, a minute at least.
func (v *Now) Drawing() chart.Drawing {
	t := &chart.Trend{From: int64(v.Data.Time) - 60_000, To: int64(v.Data.Time) + 1}
	if v.Meter != nil {
		t.Zone = v.Meter.Zone()
	}
	unit := ""
	for i, key := range v.Chosen {
		c := logdb.LookupChannel(key)
		for _, x := range v.Data.Values {
			if x.Channel.Key == key {
				c = x.Channel
			}
		}
		s := chart.TrendSeries{Name: c.Name, Unit: UnitOf(c)}
		if i == 0 {
			unit = s.Unit
		}
		s.Right = s.Unit != unit
		if x := v.series[key]; x != nil && len(x.times) > 0 {
			s.Times, s.Values, s.MaxGap = x.times, x.values, max(10_000, gapOf(x.times))
			t.From = min(t.From, int64(x.times[0]))
		}
		t.Series = append(t.Series, s)
	}
	return t
}
