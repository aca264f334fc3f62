package limit_test

import (
	"fmt"
	"math"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

const start = logdb.Millis(1_700_000_000_123)

// recording returns n samples, dt ms apart, whose value is their index, so that a test sees
// which samples were kept.
func recording(n int, dt, hz float64, trigger logdb.Millis) *logdb.Waveform {
	w := &logdb.Waveform{
		End: start + logdb.Millis(math.Round(float64(n-1)*dt)), SampleIntervalMillis: dt, TriggerTime: trigger, FrequencyHz: hz,
		RMS: []logdb.NamedValue{{Name: "Van", Value: 120}}, Triggers: []string{"Van=Sag_start"},
	}
	for _, name := range []string{"Van_Vab", "Ia"} {
		c := logdb.WaveChannel{Name: name, Samples: make([]float64, n)}
		for i := range c.Samples {
			c.Samples[i] = float64(i)
		}
		w.Channels = append(w.Channels, c)
	}
	w.Digital = make([]byte, n)
	for i := range w.Digital {
		w.Digital[i] = byte(i)
	}
	return w
}

func TestShorten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		n        int
		dt, hz   float64
		trigger  logdb.Millis // after start
		changed  bool
		first    int // index of the first kept sample
		step     int
		kept     int
		newStart logdb.Millis // after start
	}{
		{"as long as allowed", 2048, 0.390625, 50, 100, false, 0, 1, 2048, 0},
		{"one sample too long", 2049, 1, 50, 100, true, 80, 1, 1969, 80},
		{"one cycle before the trigger, 50 Hz, 1 ms", 4096, 1, 50, 1000, true, 980, 1, 2048, 980},
		{"one cycle before the trigger, 60 Hz, 0.390625 ms", 4096, 0.390625, 60, 400, true, 980, 1, 2048, 383},
		{"the trigger in the first cycle", 4096, 1, 50, 15, true, 0, 1, 2048, 0},
		{"the trigger at the first sample", 4096, 1, 50, 0, true, 0, 1, 2048, 0},
		{"as many as there are after it", 4096, 1, 50, 4000, true, 3980, 1, 116, 3980},
		{"the trigger before the recording", 4096, 1, 50, -5000, true, 0, 1, 2048, 0},
		{"the trigger behind the recording", 4096, 1, 50, 5000, true, 0, 1, 2048, 0},
		{"256 a cycle", 1024, 20.0 / 256, 50, 20, false, 0, 1, 1024, 0},
		{"256 a 60 Hz cycle as a meter prints it", 1024, 0.0651, 60, 20, false, 0, 1, 1024, 0},
		{"256 of the nominal cycle while the grid runs slow", 1024, 20.0 / 256, 48, 20, false, 0, 1, 1024, 0},
		{"512 a cycle", 2048, 20.0 / 512, 50, 20, true, 0, 2, 1024, 0},
		{"1024 a 60 Hz cycle", 2048, 1000.0 / 60 / 1024, 60, 20, true, 0, 4, 512, 0},
		{"300 a cycle", 2048, 20.0 / 300, 50, 20, true, 0, 2, 1024, 0},
		{"an odd number of samples", 1001, 20.0 / 512, 50, 20, true, 0, 2, 501, 0},
		{"too fast and too long", 20_480, 20.0 / 512, 50, 100, true, 2048, 2, 2048, 80},
		{"too fast, then no longer too long", 4096, 20.0 / 512, 50, 100, true, 0, 2, 2048, 0},
		{"frequency unknown, 60 Hz at 256 a cycle", 1024, 1000.0 / 60 / 256, 0, 10, false, 0, 1, 1024, 0},
		{"frequency unknown, a long cycle before the trigger", 4096, 1, 0, 1000, true, 980, 1, 2048, 980},
		{"one sample", 1, 1, 50, 0, false, 0, 1, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := recording(tt.n, tt.dt, tt.hz, start+tt.trigger)
			full := logdb.Entry{Time: start, Waveform: w}
			digest := full.ContentDigest()
			got, at, changed := limit.Shorten(w, start, logdb.DefaultLimits())
			if changed != tt.changed || at != start+tt.newStart {
				t.Fatalf("changed %v, start +%d ms; want %v, +%d", changed, at-start, tt.changed, tt.newStart)
			}
			if full.ContentDigest() != digest {
				t.Fatal("the source recording was changed")
			}
			for _, c := range got.Channels {
				if len(c.Samples) != tt.kept {
					t.Fatalf("channel %s keeps %d samples, want %d", c.Name, len(c.Samples), tt.kept)
				}
				for i, v := range c.Samples {
					if want := float64(tt.first + i*tt.step); v != want {
						t.Fatalf("sample %d is source sample %v, want %v", i, v, want)
					}
				}
			}
			if len(got.Digital) != tt.kept || got.Digital[tt.kept-1] != byte(tt.first+(tt.kept-1)*tt.step) {
				t.Errorf("digital inputs were cut otherwise than the channels")
			}
			if got.SampleIntervalMillis != float64(tt.step)*tt.dt {
				t.Errorf("interval %v ms, want %v", got.SampleIntervalMillis, float64(tt.step)*tt.dt)
			}
			if !changed {
				if got.Source != nil {
					t.Error("an unchanged recording got a source")
				}
				return
			}
			want := logdb.WaveSource{Start: start, Samples: tt.n, SampleIntervalMillis: tt.dt, Digest: digest}
			if got.Source == nil || *got.Source != want {
				t.Errorf("source %+v, want %+v", got.Source, want)
			}
			if got.TriggerTime != w.TriggerTime || got.RMS[0] != w.RMS[0] || got.Triggers[0] != w.Triggers[0] || got.FrequencyHz != w.FrequencyHz {
				t.Error("the trigger block was changed")
			}
			short := logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: got}
			if err := short.Check(logdb.KindWaveform); err != nil {
				t.Error(err)
			}
			// The first sample stands at most half a source interval from where it was taken.
			if off := math.Abs(float64(at-start) - float64(tt.first)*tt.dt); off > max(0.5*tt.dt, 1e-9) {
				t.Errorf("the first sample moved by %v ms of %v ms between samples", off, tt.dt)
			}
			if end := at + logdb.Millis(math.Round(float64(tt.kept-1)*got.SampleIntervalMillis)); got.End < end-1 || got.End > w.End {
				t.Errorf("end %d, the last sample is at %d and the source ended at %d", got.End-start, end-start, w.End-start)
			}
		})
	}
}

// TestShortenKeepsRMS compares the RMS of whole cycles with harmonics up to the 50th.
func TestShortenKeepsRMS(t *testing.T) {
	t.Parallel()
	const perCycle, cycles = 1024, 10
	w := recording(perCycle*cycles, 20.0/perCycle, 50, start+50)
	for i := range w.Channels[0].Samples {
		x := 2 * math.Pi * float64(i) / perCycle
		w.Channels[0].Samples[i] = 325*math.Sin(x) + 20*math.Sin(5*x+1) + 9*math.Sin(50*x)
	}
	limits := logdb.DefaultLimits()
	limits.WaveformSamples = 0
	got, _, changed := limit.Shorten(w, start, limits)
	if !changed || len(got.Channels[0].Samples) != 256*cycles {
		t.Fatalf("changed %v, %d samples", changed, len(got.Channels[0].Samples))
	}
	a, b := rms(w.Channels[0].Samples), rms(got.Channels[0].Samples)
	if math.Abs(a-b) > 1e-9*a {
		t.Errorf("RMS %v became %v", a, b)
	}
}

func rms(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum / float64(len(v)))
}

// TestShortenTwice checks that a second node that shortens more still points to the full one.
func TestShortenTwice(t *testing.T) {
	t.Parallel()
	w := recording(8192, 20.0/512, 50, start+60)
	once, at, _ := limit.Shorten(w, start, logdb.DefaultLimits())
	if _, _, changed := limit.Shorten(once, at, logdb.DefaultLimits()); changed {
		t.Error("a shortened recording was shortened again by the same limits")
	}
	smaller := logdb.DefaultLimits()
	smaller.WaveformSamples = 512
	twice, _, changed := limit.Shorten(once, at, smaller)
	if !changed || *twice.Source != *once.Source {
		t.Errorf("changed %v, source %+v, want that of the full recording %+v", changed, twice.Source, once.Source)
	}
}

func TestShortenEntryKeepsTheRest(t *testing.T) {
	t.Parallel()
	e := logdb.Entry{
		Position: 7, Op: logdb.OpRevise, Target: 3, Log: 2, Run: 1, Generation: 4, Time: start,
		Waveform: recording(4096, 1, 50, start+100), By: "re-decode", At: 9, Why: "scale",
	}
	got, changed := limit.ShortenEntry(&e, logdb.DefaultLimits())
	if !changed || got.Waveform.Source.Digest != e.ContentDigest() {
		t.Fatalf("changed %v, source %+v", changed, got.Waveform.Source)
	}
	got.Time, got.Waveform, e.Waveform = e.Time, nil, nil
	if fmt.Sprint(got) != fmt.Sprint(e) {
		t.Errorf("got %+v, want %+v", got, e)
	}
}

func TestShortenUnusual(t *testing.T) {
	t.Parallel()
	limits := logdb.DefaultLimits()
	tests := []struct {
		name string
		w    *logdb.Waveform
	}{
		{"none", nil},
		{"no channels", &logdb.Waveform{End: start, SampleIntervalMillis: 1}},
		{"no interval", &logdb.Waveform{End: start, Channels: []logdb.WaveChannel{{Name: "a", Samples: make([]float64, 5000)}}}},
		{"interval is not a number", &logdb.Waveform{End: start, SampleIntervalMillis: math.NaN(), Channels: []logdb.WaveChannel{{Name: "a", Samples: make([]float64, 5000)}}}},
		{"huge interval", withInterval(recording(5000, 1, 50, start+100), math.MaxFloat64)},
		{"tiny interval", withInterval(recording(5000, 1, 50, start+100), math.SmallestNonzeroFloat64)},
		{"frequency is not a number", recording(5000, 1, math.NaN(), start+100)},
		{"uneven channels", uneven(recording(5000, 1, 50, start+3000))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, at, changed := limit.Shorten(tt.w, start, limits)
			if !changed {
				return
			}
			e := logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: got}
			if err := e.Check(logdb.KindWaveform); err != nil {
				t.Error(err)
			}
			for _, c := range got.Channels {
				if len(c.Samples) > limits.WaveformSamples {
					t.Errorf("%s keeps %d samples", c.Name, len(c.Samples))
				}
			}
		})
	}
}

func withInterval(w *logdb.Waveform, dt float64) *logdb.Waveform {
	w.SampleIntervalMillis = dt
	return w
}

func uneven(w *logdb.Waveform) *logdb.Waveform {
	w.Channels[1].Samples = w.Channels[1].Samples[:100]
	return w
}
