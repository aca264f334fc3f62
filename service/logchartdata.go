package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/pq"
	"metermanager/rpc/api"
	"metermanager/viewer/chart"
)

// keys reads the channels; those after a + belong to the right axis.
func (x *picture) keys(otherwise ...string) (keys []logdb.ChannelKey, right map[logdb.ChannelKey]bool, err error) {
	list := x.Channels
	if len(list) == 0 {
		list = otherwise
	}
	right = map[logdb.ChannelKey]bool{}
	for _, text := range list {
		name, second := strings.CutPrefix(text, "+")
		key, err := logdb.NormalizeChannel(name)
		if err != nil {
			return nil, nil, usageError{"--channels: " + strings.TrimPrefix(err.Error(), logdb.ErrInvalid.Error()+": ")}
		}
		keys, right[key] = append(keys, key), second
	}
	return keys, right, nil
}

// chartUnit is the unit of a channel as charts know it.
func chartUnit(c logdb.Channel) string {
	if c.Unit == "" && (strings.HasPrefix(string(c.Key), "thd.") || strings.Contains(string(c.Key), ".factor")) {
		return "ratio"
	}
	return c.Unit
}

func (x *picture) trend(width int) (chart.Drawing, error) {
	keys, right, err := x.keys("readings.voltage.an", "readings.voltage.bn", "readings.voltage.cn")
	if err != nil {
		return nil, err
	}
	answer, err := x.service.History(x.ctx, x.meter.UID, api.HistoryQuery{
		Channels: keys, From: x.from, To: x.to, Buckets: width, Aggs: []string{"min", "max", "mean"},
	})
	if err != nil {
		return nil, err
	}
	t := &chart.Trend{Title: x.meter.Settings.Name, From: int64(x.from), To: int64(x.to), Zone: x.zone}
	step := float64(x.to-x.from) / float64(width)
	for _, key := range keys {
		c := logdb.LookupChannel(key)
		s := chart.TrendSeries{Name: c.Name, Unit: chartUnit(c), Right: right[key]}
		columns := map[string]int{}
		for i, col := range answer.Columns {
			if col.Key == key {
				columns[col.Agg] = i
			}
		}
		if len(columns) < 3 {
			continue
		}
		mean, low, high := answer.Values[columns["mean"]], answer.Values[columns["min"]], answer.Values[columns["max"]]
		for i, at := range answer.Times {
			if !math.IsNaN(mean[i]) { // a value stands in the middle of its bucket
				s.Times, s.Values = append(s.Times, float64(at)+step/2), append(s.Values, mean[i])
				s.Low, s.High = append(s.Low, low[i]), append(s.High, high[i])
			}
		}
		s.MaxGap = gapOf(s.Times)
		t.Series = append(t.Series, s)
	}
	if len(t.Series) < len(keys) {
		t.Note = fmt.Sprintf("%d of %d channels were never recorded", len(keys)-len(t.Series), len(keys))
	}
	return t, nil
}

// gapOf is the distance above which a line is broken: four times the usual one.
func gapOf(times []float64) float64 {
	if len(times) < 3 {
		return 0
	}
	steps := make([]float64, 0, len(times)-1)
	for i := 1; i < len(times); i++ {
		steps = append(steps, times[i]-times[i-1])
	}
	slices.Sort(steps)
	return 4 * steps[len(steps)/2]
}

func (x *picture) bars() (chart.Drawing, error) {
	keys, _, err := x.keys("energy.interval.wh.received", "energy.interval.wh.delivered")
	if err != nil {
		return nil, err
	}
	interval := x.Interval
	if interval == "" {
		interval = fittingInterval(time.Duration(x.to-x.from) * time.Millisecond)
	}
	if _, err := analysis.ParseInterval(interval); err != nil {
		return nil, usageError{"--interval: " + strings.TrimPrefix(err.Error(), logdb.ErrInvalid.Error()+": ")}
	}
	answer, err := x.service.History(x.ctx, x.meter.UID, api.HistoryQuery{Channels: keys, From: x.from, To: x.to, Interval: interval})
	if err != nil {
		return nil, err
	}
	b := &chart.Bars{Title: x.meter.Settings.Name, Note: "each bar covers " + interval, From: int64(x.from), To: int64(x.to), Zone: x.zone}
	for _, col := range answer.Columns {
		c := logdb.LookupChannel(col.Key)
		b.Names, b.Unit = append(b.Names, c.Name), c.Unit
	}
	for i, at := range answer.Times {
		end := x.to
		if i+1 < len(answer.Times) {
			end = answer.Times[i+1]
		}
		// The first and the last interval may stick out of what was asked for.
		bar := chart.Bar{From: int64(at), To: int64(end), Coverage: 1}
		if i == 0 && at < x.from || i == len(answer.Times)-1 {
			bar.Coverage = 0
		}
		for c := range answer.Columns {
			v := answer.Values[c][i]
			if strings.HasSuffix(string(answer.Columns[c].Key), ".delivered") {
				v = -v // what goes out stands below zero
			}
			bar.Parts = append(bar.Parts, v)
		}
		b.Bars = append(b.Bars, bar)
	}
	return b, nil
}

// fittingInterval gives a span some dozens of bars.
func fittingInterval(span time.Duration) string {
	for _, o := range []struct {
		name string
		most time.Duration
	}{{"15m", 12 * time.Hour}, {"1h", 4 * 24 * time.Hour}, {"1d", 120 * 24 * time.Hour}} {
		if span <= o.most {
			return o.name
		}
	}
	return "1mo"
}

func (x *picture) heatmap() (chart.Drawing, error) {
	keys, _, err := x.keys("readings.power.watts")
	if err != nil {
		return nil, err
	}
	if len(keys) != 1 {
		return nil, usageError{"a heatmap shows one channel"}
	}
	answer, err := x.service.History(x.ctx, x.meter.UID, api.HistoryQuery{Channels: keys, From: x.from, To: x.to, Interval: "1h"})
	if err != nil {
		return nil, err
	}
	c := logdb.LookupChannel(keys[0])
	h := &chart.Heatmap{Title: x.meter.Settings.Name + " · " + c.Name, Note: x.zone.String(), Unit: chartUnit(c)}
	if len(answer.Columns) == 0 {
		return h, nil
	}
	var counts [24]float64
	for i, at := range answer.Times {
		local := at.Time().In(x.zone)
		n := len(h.Days) - 1
		if n < 0 || h.Days[n].Date.Format(time.DateOnly) != local.Format(time.DateOnly) {
			day := chart.HeatDay{Date: local}
			for k := range day.Hours {
				day.Hours[k] = math.NaN()
			}
			h.Days, counts, n = append(h.Days, day), [24]float64{}, n+1
		}
		v, hour := answer.Values[0][i], local.Hour()
		if math.IsNaN(v) {
			continue
		}
		if counts[hour]++; counts[hour] == 1 {
			h.Days[n].Hours[hour] = v
		} else { // the hour that comes twice
			h.Days[n].Hours[hour] += (v - h.Days[n].Hours[hour]) / counts[hour]
		}
	}
	return h, nil
}

// events reads all events of a kind.
func (x *picture) events(kind logdb.Kind, visit func(*api.Event)) error {
	q := api.EventsQuery{Kind: kind, From: x.from, To: x.to}
	for {
		list, err := x.service.Events(x.ctx, x.meter.UID, q)
		if err != nil {
			return err
		}
		for i := range list.Events {
			visit(&list.Events[i])
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			return nil
		}
	}
}

func (x *picture) timeline() (chart.Drawing, error) {
	t := &chart.Timeline{Title: x.meter.Settings.Name, From: int64(x.from), To: int64(x.to), Zone: x.zone}
	for _, r := range []struct {
		kind logdb.Kind
		name string
	}{{logdb.KindPQ, "PQ events"}, {logdb.KindWaveform, "Waveforms"}, {logdb.KindLimit, "Limits"}, {logdb.KindSystem, "System"}} {
		row := chart.TimelineRow{Name: r.name}
		err := x.events(r.kind, func(e *api.Event) { row.Events = append(row.Events, x.mark(r.kind, &e.Entry)) })
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// mark is an event of the timeline.
func (x *picture) mark(kind logdb.Kind, e *logdb.Entry) chart.TimelineEvent {
	out := chart.TimelineEvent{At: int64(e.Time)}
	switch {
	case e.Excursion != nil:
		out.Severity = chart.Warning
		if kind == logdb.KindPQ {
			out.Severity = severityOf(e.Excursion, x.meter.Settings)
		}
		if d := e.Excursion.DurationSeconds; !math.IsNaN(d) {
			out.Millis = int64(d * 1000)
		}
	case e.Waveform != nil:
		out.Waveform = true
	case e.System != nil && (e.System.Type == logdb.SystemPowerLoss || e.System.Type == logdb.SystemError):
		out.Severity = chart.Alarm
	}
	return out
}

// severityOf is an alarm for an event outside of the ITIC curve.
func severityOf(e *logdb.Excursion, s logdb.Settings) chart.Severity {
	ratio, _, ok := analysis.EventRatio(e, s)
	itic := pq.ITIC()
	switch {
	case !ok:
		return chart.Info
	case !math.IsNaN(e.DurationSeconds) && itic.Classify(e.DurationSeconds, ratio) != pq.Inside:
		return chart.Alarm
	}
	return chart.Warning
}

func (x *picture) tolerance() (chart.Drawing, error) {
	t := &chart.Tolerance{
		Title: x.meter.Settings.Name + " · " + pq.ITIC().Name, Curve: pq.ITIC(), Overlays: []pq.Curve{pq.SEMIF47()}, NominalHz: x.meter.Settings.NominalHz,
		Note: x.from.Time().In(x.zone).Format("2 Jan 2006") + " – " + x.to.Time().In(x.zone).Format("2 Jan 2006") + ", " + x.zone.String(),
	}
	if !(x.meter.Settings.NominalVolts > 0) {
		t.Note = "of full scale: the nominal voltage is not set · " + t.Note
	}
	err := x.events(logdb.KindPQ, func(e *api.Event) {
		if e.Entry.Excursion == nil {
			return
		}
		if ratio, _, ok := analysis.EventRatio(e.Entry.Excursion, x.meter.Settings); ok {
			t.Events = append(t.Events, chart.TolerancePoint{Seconds: e.Entry.Excursion.DurationSeconds, Ratio: ratio})
		}
	})
	return t, err
}

func (x *picture) recording() (chart.Drawing, error) {
	id, err := recordingOf(x.ctx, x.service, x.meter, x.Recording)
	if err != nil {
		return nil, err
	}
	e, err := x.service.Recording(x.ctx, x.meter.UID, id)
	if err != nil {
		return nil, err
	}
	r := pq.FromWaveform(e.Waveform, x.meter.Settings)
	a, err := pq.Analyse(r, pq.Options{})
	if err != nil && x.Chart != "waveform" {
		return nil, err
	}
	name, note := x.meter.Settings.Name, clock(e.Time, x.zone)
	switch x.Chart {
	case "phasors":
		d := chart.NewPhasors(a)
		d.Title, d.Note = name, fmt.Sprintf("steady part, %.3f Hz · %s", a.Hz, note)
		return d, nil
	case "harmonics":
		return harmonicsOf(name, note, a), nil
	}
	w := chart.NewWave(r, a, inputsOf(e.Waveform))
	w.Title, w.Note = name+" · "+strings.Join(e.Waveform.Triggers, " "), note
	if e.Waveform.TriggerTime > 0 {
		w.TriggerMillis = float64(e.Waveform.TriggerTime - e.Time)
	}
	return w, nil
}

// inputsOf are the digital inputs of a recording that were ever on.
func inputsOf(w *logdb.Waveform) (out []chart.DigitalLine) {
	for bit := range 8 {
		d := chart.DigitalLine{Name: fmt.Sprintf("Input %d", bit), Samples: make([]byte, len(w.Digital))}
		on := false
		for i, b := range w.Digital {
			d.Samples[i] = b >> bit & 1
			on = on || d.Samples[i] != 0
		}
		if on {
			out = append(out, d)
		}
	}
	return out
}

func harmonicsOf(title, note string, a *pq.Analysis) chart.Drawing {
	h := &chart.Harmonics{Title: title, Note: fmt.Sprintf("%d cycles; red: EN 50160 · %s", a.SteadyCycles, note)}
	for i := range a.Signals {
		s := &a.Signals[i]
		if s.Spectrum == nil || s.Spectrum.RMS[1] == 0 {
			continue
		}
		var ratios []float64
		for _, v := range s.Spectrum.RMS[2:] {
			ratios = append(ratios, v/s.Spectrum.RMS[1])
		}
		h.Names, h.Ratios = append(h.Names, s.Name), append(h.Ratios, ratios)
	}
	limits := pq.LowVoltage2010().Harmonics
	for order := 2; order <= 25; order++ {
		h.Limits = append(h.Limits, limits[order])
	}
	return h
}
