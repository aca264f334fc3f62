package limit

import (
	"math"

	"metermanager/logdb"
)

// Two assumptions about a recording that does not state its frequency. Each errs to the
// side that keeps more: a long cycle before the trigger, few samples in a cycle.
const (
	longCycleMillis  = 1000.0 / 50
	shortCycleMillis = 1000.0 / 60
)

// tolerance is how far over the number of samples a cycle may be: meters sample at a fixed
// rate while the grid's frequency moves, and print the interval with few digits (256 samples
// of a 60 Hz cycle are stated as 0.0651 ms, which makes 256.02).
const tolerance = 1.0 + 1.0/16

// Shorten is ShortenEntry for a recording of log 0 that starts at start.
func Shorten(w *logdb.Waveform, start logdb.Millis, limits logdb.Limits) (short *logdb.Waveform, newStart logdb.Millis, changed bool) {
	e, changed := ShortenEntry(&logdb.Entry{Time: start, Waveform: w}, limits)
	return e.Waveform, e.Time, changed
}

// ShortenEntry returns the recording e as it may be uploaded. One within the limits is
// returned as it is. The samples of the result are samples of e, chosen by index; no
// value is computed, so every node gets the same bits.
//
// More samples in a cycle than allowed: every k-th is kept, k the smallest number that
// brings them down. Picking keeps the RMS, and every harmonic below half the new rate,
// as they were; a mean of k would damp the harmonics (the 50th by 6 %).
//
// More samples than allowed after that: the first kept sample lies one cycle before the trigger,
// or up to a millisecond earlier where a sample falls best on a whole millisecond (a start is stored in whole
// milliseconds), and then as many as fit. Without a trigger inside the recording the first samples are kept.
//
// The trigger block stays. Source describes the full recording; a shortened one that is
// shortened again keeps the Source it has.
func ShortenEntry(e *logdb.Entry, limits logdb.Limits) (short logdb.Entry, changed bool) {
	w := e.Waveform
	if w == nil || !(w.SampleIntervalMillis > 0) {
		return *e, false
	}
	n := samples(w)
	step := stride(w, limits.WaveformSamplesPerCycle)
	kept := (n + step - 1) / step
	limit := limits.WaveformSamples
	cut := limit > 0 && kept > limit
	if step == 1 && !cut {
		return *e, false
	}
	first := 0
	if cut {
		first = firstSample(w, e.Time)
		kept = min(limit, (n-first+step-1)/step)
	}
	out := *w
	out.SampleIntervalMillis = float64(step) * w.SampleIntervalMillis
	out.Channels = make([]logdb.WaveChannel, len(w.Channels))
	for c := range w.Channels {
		out.Channels[c] = logdb.WaveChannel{Name: w.Channels[c].Name, Samples: pick(w.Channels[c].Samples, first, step, kept)}
	}
	if w.Digital != nil {
		out.Digital = pick(w.Digital, first, step, kept)
	}
	if w.Source == nil {
		out.Source = &logdb.WaveSource{
			Start: e.Time, Samples: n, SampleIntervalMillis: w.SampleIntervalMillis, Digest: e.ContentDigest(),
		}
	}
	short = *e
	short.Waveform = &out
	short.Time = e.Time + nearest(first, w.SampleIntervalMillis)
	if last := first + (kept-1)*step; last+step < n {
		out.End = min(w.End, e.Time+nearest(last, w.SampleIntervalMillis))
	}
	out.End = max(out.End, short.Time)
	return short, true
}

// samples returns the number of samples of the longest channel.
func samples(w *logdb.Waveform) int {
	n := len(w.Digital)
	for _, c := range w.Channels {
		n = max(n, len(c.Samples))
	}
	return n
}

// stride returns k: every k-th sample is kept.
func stride(w *logdb.Waveform, perCycle int) int {
	if perCycle <= 0 {
		return 1
	}
	most := float64(perCycle) * tolerance
	have := cycleMillis(w, shortCycleMillis) / w.SampleIntervalMillis
	if !(have > most) {
		return 1
	}
	k := math.Ceil(have / most)
	return int(min(k, float64(max(1, samples(w)))))
}

func cycleMillis(w *logdb.Waveform, unknown float64) float64 {
	if w.FrequencyHz >= 1 && !math.IsInf(w.FrequencyHz, 0) {
		return 1000 / w.FrequencyHz
	}
	return unknown
}

// firstSample returns the index of the first sample to keep of a recording that is cut.
func firstSample(w *logdb.Waveform, start logdb.Millis) int {
	if w.TriggerTime < start || w.TriggerTime > w.End {
		return 0
	}
	before := float64(w.TriggerTime-start) - cycleMillis(w, longCycleMillis)
	latest := min(math.Floor(before/w.SampleIntervalMillis), float64(samples(w)-1))
	if !(latest > 0) {
		return 0
	}
	best, bestOff := int(latest), 2.0
	for i := int(latest); i >= 0 && offset(i, w.SampleIntervalMillis) > offset(int(latest), w.SampleIntervalMillis)-1; i-- {
		at := offset(i, w.SampleIntervalMillis)
		if off := math.Abs(at - math.Round(at)); off < bestOff {
			best, bestOff = i, off
		}
	}
	return best
}

// offset returns the time of sample i after the first; the conversion keeps the product from
// being fused with what follows, which would give other bits on other processors.
func offset(i int, interval float64) float64 { return float64(float64(i) * interval) }

// nearest returns the time of sample i after the first as whole milliseconds.
func nearest(i int, interval float64) logdb.Millis {
	return logdb.Millis(min(math.Round(offset(i, interval)), float64(logdb.MaxTime)))
}

func pick[T any](in []T, first, step, count int) []T {
	out := make([]T, 0, max(0, min(count, (len(in)-first+step-1)/step)))
	for i := first; i < len(in) && len(out) < count; i += step {
		out = append(out, in[i])
	}
	return out
}
