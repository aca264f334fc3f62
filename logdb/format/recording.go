package format

import (
	"fmt"
	"math"
	"strings"
	"time"

	"metermanager/logdb"
)

// DigitalPrefix begins the names of digital channels among the channels of a stored recording,
// whose samples are 0 and 1. The eight inputs that meters have are stored as such instead.
const DigitalPrefix = "digin "

// Entries returns the records of a kind other than historical: events as they are, recordings
// with one sample interval each, in the order of the file. The second result names what was
// changed or left out on the way.
func (c *Content) Entries(kind logdb.Kind) ([]logdb.Entry, []string) {
	var out []logdb.Entry
	var said []string
	if kind == logdb.KindWaveform {
		for i := range c.Recordings {
			entries, words := c.Recordings[i].entries()
			out, said = append(out, entries...), append(said, words...)
		}
	}
	for i := range c.Events {
		if c.Events[i].Kind == kind {
			out = append(out, c.Events[i].Entry)
		}
	}
	kept := out[:0]
	for _, e := range out {
		if err := e.Check(kind); err != nil {
			said = append(said, fmt.Sprintf("a record was left out: %s", strings.TrimPrefix(err.Error(), logdb.ErrInvalid.Error()+": ")))
			continue
		}
		kept = append(kept, e)
	}
	return kept, said
}

// entries makes one entry for each timing among the channels.
func (r *Recording) entries() ([]logdb.Entry, []string) {
	var out []logdb.Entry
	var said []string
	for _, group := range r.timings() {
		e, words := r.entry(group)
		out, said = append(out, e), append(said, words...)
	}
	return out, said
}

// timings groups the channels, as indices, by how they were sampled.
func (r *Recording) timings() [][]int {
	var out [][]int
next:
	for i := range r.Channels {
		if r.Channels[i].Len() == 0 || r.Channels[i].Timing == nil {
			continue
		}
		for k := range out {
			first := &r.Channels[out[k][0]]
			if sameTiming(first.Timing, r.Channels[i].Timing) {
				out[k] = append(out[k], i)
				continue next
			}
		}
		out = append(out, []int{i})
	}
	return out
}

func sameTiming(a, b *Timing) bool {
	if a == b {
		return true
	}
	x, even := a.Step()
	y, too := b.Step()
	return a.Stamps == nil && b.Stamps == nil && even && too && x == y && a.Offset == b.Offset
}

// entry makes one entry of channels that were sampled together.
func (r *Recording) entry(group []int) (logdb.Entry, []string) {
	var said []string
	timing, n := r.Channels[group[0]].Timing, 0
	for _, i := range group {
		n = max(n, r.Channels[i].Len())
	}
	step, even := timing.Step()
	var g *grid
	if !even {
		g = newGrid(timing.times(n))
		step = g.step
		said = append(said, fmt.Sprintf("recording %s: %d samples at changing distances are stored as %d at %.9g ms, by %s", r.label(), n, g.n, step*1e3, g.how))
	}
	start := r.Start.Add(seconds(timing.At(0)))
	w := &logdb.Waveform{SampleIntervalMillis: step * 1e3, FrequencyHz: math.NaN(), Triggers: r.Triggers}
	if r.LineHz > 0 && !math.IsInf(r.LineHz, 0) {
		w.FrequencyHz = r.LineHz
	}
	if len(w.Triggers) == 0 {
		w.Triggers = []string{"import"}
	}
	taken := map[string]bool{"freq": true, "sample_interval_ms": true, "trigger_time": true, "waveform_trigger": true, "digin": true}
	for _, i := range group {
		r.store(w, &r.Channels[i], i, g, taken)
	}
	at := logdb.MillisOf(start)
	span := step * float64(max(g.len(n)-1, 0))
	w.End = logdb.MillisOf(start.Add(seconds(span)))
	w.TriggerTime = logdb.MillisOf(r.Trigger)
	if r.Trigger.IsZero() {
		w.TriggerTime = at
	}
	return logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: w}, said
}

func (r *Recording) label() string {
	if r.Name != "" {
		return r.Name
	}
	return "of " + r.Start.Format("2006-01-02 15:04:05.000")
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

// store adds one channel to w.
func (r *Recording) store(w *logdb.Waveform, s *Samples, i int, g *grid, taken map[string]bool) {
	if s.Digital != nil {
		bits := g.bits(s.Digital)
		if k, ok := inputNo(s.Name); ok {
			if len(w.Digital) < len(bits) {
				w.Digital = append(w.Digital, make([]byte, len(bits)-len(w.Digital))...)
			}
			for n, b := range bits {
				w.Digital[n] |= (b & 1) << k
			}
			return
		}
		values := make([]float64, len(bits))
		for n, b := range bits {
			values[n] = float64(b)
		}
		w.Channels = append(w.Channels, logdb.WaveChannel{Name: free(DigitalPrefix+s.label(i), taken), Samples: values})
		return
	}
	unit, factor, known := Unit(s.Unit)
	if !known {
		unit, factor = s.Unit, 1
	}
	if s.Factor != 0 {
		factor = s.Factor
	}
	if s.Primary != 0 {
		factor *= s.Primary
	}
	name := s.label(i)
	if unit != "V" && unit != "A" && unit != "" {
		name += " [" + unit + "]" // the log database's recordings know V and A without saying so
	}
	values := g.values(s.Values)
	for n, v := range values {
		if values[n] = scale(v, factor); math.IsInf(values[n], 0) {
			values[n] = math.NaN()
		}
	}
	w.Channels = append(w.Channels, logdb.WaveChannel{Name: free(name, taken), Samples: values})
}

func (s *Samples) label(i int) string {
	if s.Name == "" {
		return fmt.Sprintf("channel %d", i+1)
	}
	if s.Statistic != "" {
		return s.Name + " " + s.Statistic
	}
	return s.Name
}

// inputNo reads the names that exports give to a meter's own inputs: "digin 0" to "digin 7".
func inputNo(name string) (int, bool) {
	n, ok := strings.CutPrefix(name, DigitalPrefix)
	if !ok || len(n) != 1 || n[0] < '0' || n[0] > '7' {
		return 0, false
	}
	return int(n[0] - '0'), true
}

func free(name string, taken map[string]bool) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	out := name
	for n := 2; taken[out]; n++ {
		out = fmt.Sprintf("%s (%d)", name, n)
	}
	taken[out] = true
	return out
}
