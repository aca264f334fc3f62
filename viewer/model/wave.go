package model

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/pq"
	"metermanager/viewer/chart"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// WaveData is a recording with what was found in it.
type WaveData struct {
	Meter     *Meter
	Ref       source.Ref
	Entry     logdb.Entry
	Recording *pq.Recording
	Analysis  *pq.Analysis // nil when it cannot be analysed
	Why       string       // it cannot be analysed, as a sentence
	Digital   []chart.DigitalLine
	// Quiet is how many inputs never change and are left out.
	Quiet int
}

// LoadWave reads and analyses a recording. It may run anywhere.
func LoadWave(ctx context.Context, m *Meter, ref source.Ref) (*WaveData, error) {
	e, err := m.Source.Log.Recording(ctx, m.UID, ref)
	if err != nil {
		return nil, err
	}
	if e.Waveform == nil {
		return nil, logdb.ErrNotFound
	}
	d := &WaveData{Meter: m, Ref: ref, Entry: e}
	analogue := *e.Waveform
	analogue.Channels = nil
	for _, c := range e.Waveform.Channels {
		if name, ok := strings.CutPrefix(c.Name, format.DigitalPrefix); ok {
			line := chart.DigitalLine{Name: strings.TrimSpace(name), Samples: make([]byte, len(c.Samples))}
			for i, v := range c.Samples {
				if v >= 0.5 {
					line.Samples[i] = 1
				}
			}
			d.input(line)
			continue
		}
		analogue.Channels = append(analogue.Channels, c)
	}
	for bit := range 8 {
		if len(e.Waveform.Digital) == 0 {
			break
		}
		line := chart.DigitalLine{Name: fmt.Sprintf("Input %d", bit), Samples: make([]byte, len(e.Waveform.Digital))}
		for i, b := range e.Waveform.Digital {
			line.Samples[i] = b >> bit & 1
		}
		d.input(line)
	}
	d.Recording = pq.FromWaveform(&analogue, m.Settings)
	if d.Analysis, err = pq.Analyse(d.Recording, pq.Options{}); err != nil {
		d.Analysis, d.Why = nil, err.Error()
	}
	return d, ctx.Err()
}

// mostInputs bounds how many inputs are drawn.
const mostInputs = 12

// input keeps an input that changes. A recording of a protection relay has dozens that never do.
func (d *WaveData) input(line chart.DigitalLine) {
	changes := false
	for _, v := range line.Samples {
		changes = changes || v != line.Samples[0]
	}
	if !changes || len(d.Digital) == mostInputs {
		d.Quiet++
		return
	}
	d.Digital = append(d.Digital, line)
}

// Wave is the view of a recording.
type Wave struct {
	State State
	Err   error
	Data  *WaveData
	// From and To are what is seen, in ms from the start.
	From, To float64
	// A and B are the cursors in ms from the start; NaN: not set.
	A, B   float64
	Hidden map[string]bool
	RMS    bool
}

// NewWave returns an empty view.
func NewWave() *Wave {
	return &Wave{A: math.NaN(), B: math.NaN(), Hidden: map[string]bool{}, RMS: true}
}

// Take shows a recording from end to end, with the first cursor where the trouble is.
func (v *Wave) Take(d *WaveData) {
	v.Data, v.State, v.Err = d, Ready, nil
	v.A, v.B, v.Hidden = math.NaN(), math.NaN(), map[string]bool{}
	// A relay records dozens of calculated magnitudes beside the waves; they can be switched on.
	others := 0
	for i := range d.Recording.Signals {
		s := &d.Recording.Signals[i]
		if s.Quantity != pq.Other {
			continue
		}
		if others++; others > mostOthers && d.Analysis != nil {
			v.Hidden[s.Name] = true
		}
	}
	v.Fit()
}

// mostOthers bounds how many signals that are neither voltages nor currents are seen at first.
const mostOthers = 4

// Fail says why nothing is shown.
func (v *Wave) Fail(err error) { v.Err, v.State, v.Data = err, Failed, nil }

// Length is that of the recording in ms.
func (v *Wave) Length() float64 {
	if v.Data == nil {
		return 0
	}
	return float64(v.Data.Recording.Len()) * v.Data.Recording.SampleIntervalSeconds * 1000
}

// Zero is where time 0 of the axis lies, in ms from the start: the trigger, or the start without one.
func (v *Wave) Zero() float64 {
	if t := v.trigger(); !math.IsNaN(t) {
		return t
	}
	return 0
}

func (v *Wave) trigger() float64 {
	w := v.Data.Entry.Waveform
	if w.TriggerTime <= 0 {
		return math.NaN()
	}
	return float64(w.TriggerTime - v.Data.Entry.Time)
}

// Fit shows everything.
func (v *Wave) Fit() { v.From, v.To = 0, v.Length() }

// Zoom shows less (factor < 1) or more about a place in ms from the start.
func (v *Wave) Zoom(at, factor float64) {
	if v.Data == nil {
		return
	}
	span := v.To - v.From
	next := min(max(span*factor, 4*v.Data.Recording.SampleIntervalSeconds*1000), v.Length())
	v.Show(at-next*(at-v.From)/span, at-next*(at-v.From)/span+next)
}

// Show shows a part, as far as it is recorded.
func (v *Wave) Show(from, to float64) {
	if v.Data == nil {
		return
	}
	span := min(max(to-from, 4*v.Data.Recording.SampleIntervalSeconds*1000), v.Length())
	from = max(0, min(from, v.Length()-span))
	v.From, v.To = from, from+span
}

// Pan moves what is seen by a share of its length.
func (v *Wave) Pan(share float64) { v.Show(v.From+share*(v.To-v.From), v.To+share*(v.To-v.From)) }

// MoveA moves the first cursor by samples, from the middle when it is not set.
func (v *Wave) MoveA(samples int) {
	if v.Data == nil {
		return
	}
	if math.IsNaN(v.A) {
		v.A = (v.From + v.To) / 2
	}
	v.A = min(max(0, v.A+float64(samples)*v.Data.Recording.SampleIntervalSeconds*1000), v.Length())
}

// Title names the recording.
func (v *Wave) Title() string {
	if v.Data == nil {
		return ""
	}
	return v.Data.Meter.Title()
}

// Drawing draws what is seen.
func (v *Wave) Drawing() chart.Drawing {
	if v.Data == nil {
		return &chart.Wave{}
	}
	d := v.Data
	w := chart.NewWave(d.Recording, d.Analysis, d.Digital)
	w.Title = d.Meter.Title()
	if t := slices.Compact(slices.Sorted(slices.Values(d.Entry.Waveform.Triggers))); len(t) > 0 {
		w.Title += " · " + strings.Join(t, ", ")
	}
	w.Note = Clock(d.Entry.Time, d.Meter.Zone()) + " " + d.Meter.Zone().String()
	w.TriggerMillis, w.FromMillis, w.ToMillis = v.trigger(), v.From, v.To
	for i := range w.Strips {
		s := &w.Strips[i]
		s.Lines = slices.DeleteFunc(s.Lines, func(l chart.WaveLine) bool { return v.Hidden[l.Name] })
		if !v.RMS {
			for k := range s.Lines {
				s.Lines[k].RMS = pq.Track{}
			}
		}
	}
	w.Strips = slices.DeleteFunc(w.Strips, func(s chart.Strip) bool { return len(s.Lines) == 0 && len(s.Digital) == 0 })
	return w
}

// At is where the side panels look: the first cursor, else the begin of the first disturbance, else the steady part.
func (v *Wave) At() float64 {
	switch {
	case v.Data == nil:
		return 0
	case !math.IsNaN(v.A):
		return v.A
	case v.Data.Analysis == nil:
		return 0
	case len(v.Data.Analysis.Found) > 0:
		return v.Data.Analysis.Found[0].WorstSeconds * 1000
	}
	return v.Data.Analysis.SteadySeconds * 1000
}

// window is the begin of the cycle about a place, in seconds from the start: it ends before the recording does.
func (v *Wave) window(at float64) float64 {
	cycle := 1 / v.Data.Analysis.Hz
	length := v.Length() / 1000
	return max(0, min(at/1000-cycle/2, length-cycle-2*v.Data.Recording.SampleIntervalSeconds))
}

// Phasors draws the fundamentals of the cycle about a place.
func (v *Wave) Phasors(at float64) *chart.Phasors {
	if v.Data == nil || v.Data.Analysis == nil {
		return &chart.Phasors{}
	}
	shown := *v.Data.Analysis
	shown.Phasors = v.Data.Recording.Phasors(shown.Hz, v.window(at))
	return chart.NewPhasors(&shown)
}

// Harmonics draws the harmonics of the cycle about a place, of the voltages or the currents.
func (v *Wave) Harmonics(at float64, q pq.Quantity) *chart.Harmonics {
	h := &chart.Harmonics{}
	if v.Data == nil || v.Data.Analysis == nil {
		return h
	}
	r := v.Data.Recording
	for i := range r.Signals {
		s := &r.Signals[i]
		if s.Quantity != q || v.Hidden[s.Name] || len(h.Names) == 3 {
			continue
		}
		sp, ok := pq.Harmonics(s.Samples, r.SampleIntervalSeconds, v.Data.Analysis.Hz, v.window(at), 1)
		if !ok { // a cycle of few samples does not tell all orders apart
			sp, ok = pq.Harmonics(s.Samples, r.SampleIntervalSeconds, v.Data.Analysis.Hz, max(0, v.window(at)-1/v.Data.Analysis.Hz), 2)
		}
		if !ok || sp.RMS[1] == 0 {
			continue
		}
		var ratios []float64
		// Orders next to half of the sample rate cannot be told from a single cycle.
		for order := 2; order <= min(sp.Orders(), 25) && float64(order)*sp.Hz*r.SampleIntervalSeconds < 0.47; order++ {
			ratios = append(ratios, sp.RMS[order]/sp.RMS[1])
		}
		h.Names, h.Ratios = append(h.Names, fmt.Sprintf("%s %.1f %%", s.Name, 100*sp.THD(len(ratios)+1))), append(h.Ratios, ratios)
	}
	return h
}

// Readouts are the values at the cursors: of each signal the sample and the half-cycle RMS.
func (v *Wave) Readouts() (out []WaveReadout) {
	if v.Data == nil {
		return nil
	}
	r, color := v.Data.Recording, map[pq.Quantity]int{}
	for i := range r.Signals {
		s := &r.Signals[i]
		unit := map[pq.Quantity]string{pq.Voltage: "V", pq.Current: "A"}[s.Quantity]
		w := WaveReadout{Name: s.Name, Color: color[s.Quantity], Hidden: v.Hidden[s.Name]}
		color[s.Quantity]++
		a, b := v.sample(i, v.A), v.sample(i, v.B)
		w.A, w.B, w.Delta = timeline.Quantity(a, unit), timeline.Quantity(b, unit), signed(b-a, unit)
		ra, rb := v.rms(i, v.A), v.rms(i, v.B)
		w.RMSA, w.RMSB, w.RMSDelta = timeline.Quantity(ra, unit), timeline.Quantity(rb, unit), signed(rb-ra, unit)
		if math.IsNaN(v.A) { // without a cursor: the RMS of where the panels look
			w.RMSA = timeline.Quantity(v.rms(i, v.At()), unit)
		}
		out = append(out, w)
	}
	return out
}

// WaveReadout is a signal with its values at the cursors.
type WaveReadout struct {
	Name                 string
	A, B, Delta          string
	RMSA, RMSB, RMSDelta string
	Color                int
	Hidden               bool
}

func (v *Wave) sample(i int, at float64) float64 {
	s := v.Data.Recording.Signals[i].Samples
	k := math.Round(at / 1000 / v.Data.Recording.SampleIntervalSeconds)
	if math.IsNaN(k) || k < 0 || int(k) >= len(s) {
		return math.NaN()
	}
	return s[int(k)]
}

func (v *Wave) rms(i int, at float64) float64 {
	if v.Data.Analysis == nil || i >= len(v.Data.Analysis.Tracks) || math.IsNaN(at) {
		return math.NaN()
	}
	t := &v.Data.Analysis.Tracks[i]
	best, distance := math.NaN(), math.Inf(1)
	for k := range t.Values {
		if d := math.Abs(t.CentreSeconds(k) - at/1000); d < distance {
			best, distance = t.Values[k], d
		}
	}
	return best
}

// CursorNote tells where the cursors are and how far apart.
func (v *Wave) CursorNote() string {
	if v.Data == nil || math.IsNaN(v.A) {
		return ""
	}
	zero := v.Zero()
	text := fmt.Sprintf("A %.3f ms", v.A-zero)
	if !math.IsNaN(v.B) {
		d := v.B - v.A
		text += fmt.Sprintf(" · B %.3f ms · Δ %.3f ms", v.B-zero, d)
		if hz := v.hz(); d != 0 && hz > 0 {
			text += fmt.Sprintf(" (%.2f cycles)", math.Abs(d)/1000*hz)
		}
	}
	return strings.ReplaceAll(text, "-", "−")
}

func (v *Wave) hz() float64 {
	if v.Data.Analysis == nil {
		return 0
	}
	return v.Data.Analysis.Hz
}

// Sentences tell what was found, and what a reader must know of the figures.
func (v *Wave) Sentences() (out []string) {
	d := v.Data
	if d == nil {
		return nil
	}
	if d.Analysis == nil {
		out = append(out, "This recording cannot be analysed: "+d.Why+".")
	} else {
		out = append(out, d.Analysis.Summary()...)
		for _, n := range d.Analysis.Notes {
			out = append(out, "! "+n)
		}
	}
	if d.Quiet > 0 {
		out = append(out, fmt.Sprintf("%s of the recording never change or do not fit, and are not drawn.", plural(d.Quiet, "input")))
	}
	if d.Entry.Waveform.Source != nil {
		out = append(out, "! This is a shortened recording; the full one is at the manager of the meter.")
	}
	return out
}
