package model

import (
	"context"
	"fmt"
	"math"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/pq"
	"metermanager/rpc/api"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// DumpOptions say what is printed.
type DumpOptions struct {
	View     string // "": what fits
	Filter   string
	Event    int // -1: none; of a waveform the newest recording
	Channels []string
	Now      logdb.Millis
}

// Dump is what a view shows.
type Dump struct {
	View      string         `json:"view"`
	Sources   []DumpSource   `json:"sources"`
	Events    []DumpEvent    `json:"events,omitempty"`
	Card      *DumpCard      `json:"card,omitempty"`
	Trend     []DumpSeries   `json:"trend,omitempty"`
	Waveform  *DumpWave      `json:"waveform,omitempty"`
	Tolerance *DumpTolerance `json:"tolerance,omitempty"`
	Week      *source.Week   `json:"en50160,omitempty"`
	Now       *DumpNow       `json:"now,omitempty"`
}

// DumpNow is the present values of a meter.
type DumpNow struct {
	Meter  string       `json:"meter"`
	Time   logdb.Millis `json:"time_ms"`
	Direct bool         `json:"read_from_the_meter"`
	Stale  bool         `json:"stale"`
	Values []DumpValue  `json:"values"`
}

// DumpValue is one of them.
type DumpValue struct {
	Channel logdb.ChannelKey `json:"channel"`
	Unit    string           `json:"unit"`
	Value   format.Number    `json:"value"`
}

// DumpSource is a source with its meters.
type DumpSource struct {
	Place  string   `json:"place"`
	Kind   string   `json:"kind,omitempty"`
	State  string   `json:"state"`
	Error  string   `json:"error,omitempty"`
	Do     string   `json:"do,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	Meters []string `json:"meters"`
}

// DumpEvent is a line of the list.
type DumpEvent struct {
	Time     logdb.Millis  `json:"time_ms"`
	Text     string        `json:"time"`
	Meter    string        `json:"meter"`
	Log      string        `json:"log"`
	Event    string        `json:"event"`
	Details  string        `json:"details,omitempty"`
	Seconds  format.Number `json:"duration_s"`
	Ratio    format.Number `json:"worst_ratio"`
	Severity string        `json:"severity"`
}

// DumpCard is the card of an event.
type DumpCard struct {
	Title   string   `json:"title"`
	Time    string   `json:"time"`
	Lines   []string `json:"lines"`
	Facts   []Fact   `json:"facts"`
	Related []string `json:"related,omitempty"`
}

// DumpSeries is a line of the graph.
type DumpSeries struct {
	Meter   string           `json:"meter"`
	Channel logdb.ChannelKey `json:"channel"`
	Unit    string           `json:"unit"`
	Right   bool             `json:"right,omitempty"`
	Points  int              `json:"points"`
	Lowest  format.Number    `json:"lowest"`
	Highest format.Number    `json:"highest"`
	First   logdb.Millis     `json:"first_ms"`
	Last    logdb.Millis     `json:"last_ms"`
}

// DumpWave is a recording.
type DumpWave struct {
	Meter    string                 `json:"meter"`
	Start    string                 `json:"start"`
	Millis   float64                `json:"length_ms"`
	Interval float64                `json:"sample_interval_ms"`
	Signals  []string               `json:"signals"`
	Inputs   []string               `json:"inputs,omitempty"`
	Says     []string               `json:"says"`
	Analysis *api.RecordingAnalysis `json:"analysis,omitempty"`
}

// DumpTolerance counts the points of the chart by region.
type DumpTolerance struct {
	Curve  string         `json:"curve"`
	Points int            `json:"points"`
	Counts map[string]int `json:"counts"`
}

// Dump reads what a view shows of the open sources.
func (s *Session) Dump(ctx context.Context, o DumpOptions) (*Dump, error) {
	out := &Dump{View: o.View}
	for _, x := range s.Sources {
		d := DumpSource{Place: x.Target.Place, Kind: x.Kind, State: x.State.String(), Notes: x.Notes, Meters: []string{}}
		if x.Err != nil {
			d.Error, d.Do = source.Explain(x.Err)
		}
		for _, m := range x.Meters {
			d.Meters = append(d.Meters, m.Title())
		}
		out.Sources = append(out.Sources, d)
	}
	meters := s.Selected()
	if len(meters) == 0 {
		return out, nil
	}
	if out.View == "now" {
		return out, out.now(ctx, meters[0])
	}
	first, last := s.Range.Bounds(meters, o.Now)
	set, err := LoadEvents(ctx, meters, first, last, nil)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	v := NewEvents()
	v.Filter.Text = o.Filter
	v.Take(set)
	if o.Event >= 0 && o.Event < len(v.Shown) {
		v.Selected = v.Shown[o.Event]
	}
	if out.View == "" {
		out.View = v.Fitting()
	}
	switch out.View {
	case "trend":
		err = out.trend(ctx, meters, first, last, o.Channels)
	case "waveform":
		err = out.wave(ctx, v)
	case "cbema":
		out.tolerance(v)
	case "en50160":
		err = out.week(ctx, meters[0])
	default:
		out.events(v)
	}
	return out, err
}

func (d *Dump) now(ctx context.Context, m *Meter) error {
	p, err := LoadPresent(ctx, m)
	if err != nil {
		return err
	}
	d.Now = &DumpNow{Meter: m.Title(), Time: p.Time, Direct: p.Direct, Stale: p.Stale, Values: []DumpValue{}}
	for _, v := range p.Values {
		d.Now.Values = append(d.Now.Values, DumpValue{v.Channel.Key, UnitOf(v.Channel), format.Number(v.Value)})
	}
	return nil
}

// Fitting is the view that shows most of a list: a recording when there is little else, events, or values over time.
func (v *Events) Fitting() string {
	recordings := 0
	for i := range v.Set.List {
		if v.Set.List[i].Kind == logdb.KindWaveform {
			recordings++
		}
	}
	switch {
	case recordings > 0 && len(v.Set.List) <= 3:
		return "waveform"
	case len(v.Set.List) > 0 || v.State == Failed:
		return "events"
	}
	return "trend"
}

func (d *Dump) events(v *Events) {
	d.Events = []DumpEvent{}
	for row, i := range v.Shown {
		e := &v.Set.List[i]
		c := v.Cells(row)
		d.Events = append(d.Events, DumpEvent{e.Time, c[0], c[1], c[2], c[3], c[4], format.Number(e.Seconds), format.Number(e.Ratio), timeline.SeverityName(e.Severity)})
	}
	if v.Event() == nil {
		return
	}
	c := v.Card(v.Selected)
	d.Card = &DumpCard{Title: c.Title, Time: c.Time, Lines: c.Lines, Facts: c.Facts}
	for _, r := range c.Related {
		d.Card.Related = append(d.Card.Related, r.Why+" "+r.When+": "+r.Text)
	}
}

func (d *Dump) trend(ctx context.Context, meters []*Meter, first, last logdb.Millis, keys []string) error {
	list, err := LoadChannels(ctx, meters)
	if err != nil {
		return fmt.Errorf("read channels: %w", err)
	}
	v := NewTrend()
	v.TakeChannels(list)
	if len(keys) > 0 {
		v.Choose(keys)
	}
	v.SetFull(first, last)
	if v.Data, err = LoadTrend(ctx, v.Chosen, v.First, v.Last, 1600, nil); err != nil {
		return fmt.Errorf("read values: %w", err)
	}
	d.Trend = []DumpSeries{}
	for i, c := range v.Chosen {
		low, high := v.extremes(i)
		if low > high {
			low, high = math.NaN(), math.NaN()
		}
		d.Trend = append(d.Trend, DumpSeries{c.Meter.Title(), c.Channel.Key, UnitOf(c.Channel.Channel), c.Right, len(v.Data.Series[i].Times), format.Number(low), format.Number(high), v.First, v.Last})
	}
	return nil
}

// Choose puts channels into the graph by their keys; those after a + get the right axis.
func (v *Trend) Choose(keys []string) {
	v.Chosen = nil
	for _, word := range keys {
		name, right := strings.CutPrefix(strings.TrimSpace(word), "+")
		for _, c := range v.Known.Channels {
			if string(c.Channel.Key) == name {
				c.Right = right
				v.Chosen = append(v.Chosen, c)
			}
		}
	}
}

func (d *Dump) wave(ctx context.Context, v *Events) error {
	i := v.NewestRecording()
	if v.Event() != nil {
		i = v.RecordingOf(v.Selected)
	}
	if i < 0 {
		return nil
	}
	e := &v.Set.List[i]
	w, err := LoadWave(ctx, v.Meter(e), source.Ref{Position: e.Position, Stream: e.Stream})
	if err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	x := NewWave()
	x.Take(w)
	d.Waveform = &DumpWave{Meter: x.Title(), Start: Clock(w.Entry.Time, w.Meter.Zone()), Millis: x.Length(), Interval: w.Recording.SampleIntervalSeconds * 1000, Signals: []string{}, Says: x.Sentences()}
	for k := range w.Recording.Signals {
		d.Waveform.Signals = append(d.Waveform.Signals, w.Recording.Signals[k].Name)
	}
	for k := range w.Digital {
		d.Waveform.Inputs = append(d.Waveform.Inputs, w.Digital[k].Name)
	}
	if w.Analysis != nil {
		doc := api.AnalysisDocument(w.Analysis)
		doc.Start = w.Entry.Time
		d.Waveform.Analysis = &doc
	}
	return nil
}

func (d *Dump) tolerance(v *Events) {
	t := NewTolerance(v, "")
	d.Tolerance = &DumpTolerance{t.Curve, len(t.Index), map[string]int{}}
	for _, p := range t.Chart.Events {
		seconds := p.Seconds
		if math.IsNaN(seconds) {
			seconds = 100 // where the chart draws it
		}
		d.Tolerance.Counts[t.Chart.Curve.Classify(seconds, p.Ratio).String()]++
	}
	for _, r := range []pq.Region{pq.Inside, pq.NoDamage, pq.Prohibited} {
		d.Tolerance.Counts[r.String()] += 0
	}
}

func (d *Dump) week(ctx context.Context, m *Meter) error {
	newest, err := Newest(ctx, m)
	if err != nil {
		return fmt.Errorf("read channels: %w", err)
	}
	v := NewWeek()
	m.Last = logdb.MillisOf(newest)
	v.Choose(m, newest)
	if d.Week, err = LoadWeek(ctx, m, v.Day, v.Rules); err != nil {
		return fmt.Errorf("evaluate the week: %w", err)
	}
	return nil
}
