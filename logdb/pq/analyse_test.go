package pq_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"metermanager/logdb/pq"
)

const rate = 256 * 60 // samples a second

// scene makes three voltages and currents of 0.4 s: amplitude and current factors over time, per phase.
func scene(seconds float64, volts, amperes func(phase int, t float64) (factor, shift float64), extra func(quantity pq.Quantity, phase int, t float64) float64) *pq.Recording {
	r := &pq.Recording{SampleIntervalSeconds: 1.0 / rate, NominalHz: 60, NominalVolts: 120}
	n := int(seconds * rate)
	for _, q := range []pq.Quantity{pq.Voltage, pq.Current} {
		f, base, name := volts, 120.0, "V"
		if q == pq.Current {
			f, base, name = amperes, 50, "I"
		}
		if f == nil {
			continue
		}
		for i, p := range []pq.Phase{pq.A, pq.B, pq.C} {
			lag := -120 * float64(i)
			if q == pq.Current {
				lag -= 20
			}
			samples := wave(n, 1.0/rate, func(t float64) float64 {
				factor, shift := f(i, t)
				v := factor * sine(base, 60, lag+shift)(t)
				if extra != nil {
					v += base * math.Sqrt2 * extra(q, i, t)
				}
				return v
			})
			r.Signals = append(r.Signals, pq.Signal{Name: name + p.String(), Quantity: q, Phase: p, Samples: samples})
		}
	}
	return r
}

func steady(int, float64) (float64, float64) { return 1, 0 }

// during gives other factors between two times.
func during(from, to float64, factors ...float64) func(int, float64) (float64, float64) {
	return func(i int, t float64) (float64, float64) {
		if t >= from && t < to {
			return factors[i], 0
		}
		return 1, 0
	}
}

func analyse(t *testing.T, r *pq.Recording) *pq.Analysis {
	t.Helper()
	a, err := pq.Analyse(r, pq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRectangularSag(t *testing.T) {
	t.Parallel()
	const cycle = 1.0 / 60
	a := analyse(t, scene(0.5, during(6*cycle, 16*cycle, 0.5, 1, 1), steady, nil))
	if len(a.Found) != 1 {
		t.Fatalf("%d disturbances, want 1: %+v", len(a.Found), a.Found)
	}
	f := a.Found[0]
	near(t, "residual", f.WorstRatio, 0.5, 1e-3)
	near(t, "start", f.StartSeconds, 6.5*cycle, 0.51*cycle)
	if cycles := f.DurationSeconds() / cycle; cycles < 9.99 || cycles > 11.01 {
		t.Errorf("it lasts %.2f cycles, want 10 to 11", cycles)
	}
	near(t, "point on wave", math.Mod(f.PointOnWaveDegrees+10, 360)-10, 0, 6)
	near(t, "phase jump", f.PhaseJumpDegrees, 0, 0.1)
	near(t, "energy index", f.MissingSeconds, 0.75*10*cycle, 0.75*cycle)
	if f.Kind != pq.Sag || f.WorstPhase != pq.A || len(f.Phases) != 1 || f.Truncated || f.Began || f.Category.Number != "2.1.1" {
		t.Errorf("%+v", f)
	}
	if f.Regions[0].Region != pq.NoDamage {
		t.Errorf("ITIC says %s", f.Regions[0].Region)
	}
	if f.Dip == nil || f.Dip.Phase != pq.A || f.Dip.Letter != "B" {
		t.Errorf("dip type %+v", f.Dip)
	}
	near(t, "frequency", a.Hz, 60, 1e-3)
	near(t, "power factor", a.PowerFactor, math.Cos(20*math.Pi/180), 1e-3)
	near(t, "watts", a.Watts, 3*120*50*math.Cos(20*math.Pi/180), 5)
	near(t, "unbalance", a.NegativeRatio, 0, 1e-4)
}

func TestPointOnWaveAndPhaseJump(t *testing.T) {
	t.Parallel()
	const cycle = 1.0 / 60
	for _, deg := range []float64{45, 90, 135, 200, 270} {
		from := (8 + deg/360) * cycle
		a := analyse(t, scene(0.5, func(i int, at float64) (float64, float64) {
			if i == 0 && at >= from && at < from+6*cycle {
				return 0.6, -25
			}
			return 1, 0
		}, nil, nil))
		if len(a.Found) != 1 {
			t.Fatalf("%g degrees: %d disturbances", deg, len(a.Found))
		}
		near(t, "point on wave", a.Found[0].PointOnWaveDegrees, deg, 15)
		// The window of the residual voltage may hold a little of the time before.
		near(t, "phase jump", a.Found[0].PhaseJumpDegrees, -25, 2)
	}
}

func TestEndsOfTheRecording(t *testing.T) {
	t.Parallel()
	a := analyse(t, scene(0.4, during(0.2, 9, 0.7, 0.7, 0.7), nil, nil))
	if len(a.Found) != 1 || !a.Found[0].Truncated || a.Found[0].Began || !strings.Contains(strings.Join(a.Notes, "\n"), "lower bound") {
		t.Errorf("a sag that does not end: %+v, %q", a.Found, a.Notes)
	}
	a = analyse(t, scene(0.4, during(0, 0.2, 0.7, 0.7, 0.7), nil, nil))
	if len(a.Found) != 1 || a.Found[0].Truncated || !a.Found[0].Began {
		t.Errorf("a sag that had begun: %+v", a.Found)
	}
	near(t, "residual against what came back", a.Found[0].WorstRatio, 0.7, 1e-3)
}

// Each scene has the shape that its cause is known by.
func TestCauses(t *testing.T) {
	t.Parallel()
	const cycle = 1.0 / 60
	decay := func(t, from, depth, tau float64) float64 {
		if t < from {
			return 0
		}
		return depth * math.Exp(-(t-from)/tau)
	}
	for _, c := range []struct {
		want string
		r    *pq.Recording
	}{
		{"short-circuit fault downstream", scene(0.5, during(0.1, 0.1+6*cycle, 0.5, 0.97, 0.97), during(0.1, 0.1+6*cycle, 6, 1, 1), nil)},
		{"short-circuit fault upstream", scene(0.5, during(0.1, 0.1+6*cycle, 0.5, 0.6, 0.97), during(0.1, 0.1+6*cycle, 0.7, 0.75, 1), nil)},
		{"short-circuit fault", scene(0.5, during(0.1, 0.1+6*cycle, 0.5, 0.6, 0.97), nil, nil)},
		{"loss of the voltage signal", scene(0.5, during(0.1, 9, 0.02, 0.02, 0.02), steady, nil)},
		{"interruption by switching", scene(0.5, during(0.1, 9, 0, 0, 0), during(0.1, 9, 0, 0, 0), nil)},
		{"interruption after a fault", scene(0.6, func(i int, t float64) (float64, float64) {
			switch {
			case t < 0.1:
				return 1, 0
			case t < 0.2:
				return 0.4, 0
			}
			return 0, 0
		}, func(i int, t float64) (float64, float64) {
			switch {
			case t < 0.1:
				return 1, 0
			case t < 0.2:
				return 7, 0
			}
			return 0, 0
		}, nil)},
		{"single-pole trip and reclosing", scene(1.5, func(i int, t float64) (float64, float64) {
			switch {
			case i > 0 || t < 0.15 || t >= 0.9:
				return 1, 0
			case t < 0.2:
				return 0.5, 0
			}
			return 0.05, 0
		}, during(0.15, 0.2, 5, 1, 1), nil)},
		{"earth fault of one phase", scene(0.5, during(0.1, 0.2, 0.3, 1.5, 1.5), nil, nil)},
		{"start of a large motor", scene(2, func(_ int, t float64) (float64, float64) { return 1 - decay(t, 0.2, 0.2, 0.4), 0 },
			func(_ int, t float64) (float64, float64) { return 1 + decay(t, 0.2, 5, 0.4), 0 }, nil)},
		{"transformer energizing", scene(2, func(i int, t float64) (float64, float64) {
			return 1 - decay(t, 0.2, []float64{0.25, 0.12, 0.18}[i], 0.3), 0
		}, func(_ int, t float64) (float64, float64) { return 1 + decay(t, 0.2, 3, 0.3), 0 }, func(q pq.Quantity, i int, t float64) float64 {
			if q == pq.Voltage {
				return 0
			}
			return decay(t, 0.2, 2, 0.3) * math.Sin(4*math.Pi*60*t+float64(i))
		})},
		{"load shed or capacitor switched on", scene(0.5, during(0.1, 0.3, 1.2, 1.2, 1.2), during(0.1, 0.3, 0.3, 0.3, 0.3), nil)},
	} {
		a := analyse(t, c.r)
		if len(a.Found) == 0 {
			t.Errorf("%s: nothing found", c.want)
			continue
		}
		got := a.Found[0].Causes[0]
		if got.Name != c.want {
			t.Errorf("%s is taken for %s:", c.want, got.Name)
			for _, x := range a.Found[0].Causes {
				t.Logf("  %.2f %s", x.Confidence, x.Name)
				for _, e := range x.Evidence {
					t.Logf("    %v %v %s", e.Holds, e.Known, e.Text)
				}
			}
		}
		for _, e := range got.Evidence {
			if e.Text == "" {
				t.Errorf("%s: evidence without words", c.want)
			}
		}
	}
}

func TestCapacitorAndStep(t *testing.T) {
	t.Parallel()
	at := 0.1 + 0.25/60 // at the peak of phase A
	r := scene(0.4, func(_ int, t float64) (float64, float64) {
		if t >= at {
			return 1.015, 0
		}
		return 1, 0
	}, nil, func(q pq.Quantity, i int, t float64) float64 {
		if t < at {
			return 0
		}
		return -0.6 * math.Cos(-2*math.Pi*float64(i)/3) * math.Exp(-(t-at)/0.003) * math.Cos(2*math.Pi*550*(t-at))
	})
	a := analyse(t, r)
	if len(a.Found) != 0 || len(a.Transients) == 0 || len(a.Causes) != 1 || a.Causes[0].Name != "capacitor switched on" {
		t.Fatalf("%+v %+v %+v", a.Found, a.Transients, a.Causes)
	}
	near(t, "ring", a.Transients[0].RingHz, 550, 60)
	near(t, "begin", a.Transients[0].Seconds, at, 2.0/rate)
	a = analyse(t, scene(0.4, during(0.2, 9, 0.98, 0.98, 0.98), nil, nil))
	if len(a.Causes) != 1 || a.Causes[0].Name != "capacitor switched off or load switched on" {
		t.Errorf("a step down: %+v", a.Causes)
	}
	a = analyse(t, scene(0.4, steady, steady, nil))
	if len(a.Causes)+len(a.Found)+len(a.Transients) != 0 {
		t.Errorf("a quiet recording: %+v", a)
	}
}

func TestHostileRecordings(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	signal := func(n int, v float64) []pq.Signal {
		return []pq.Signal{{Name: "Va", Quantity: pq.Voltage, Phase: pq.A, Samples: wave(n, 1, func(float64) float64 { return v })}}
	}
	for name, c := range map[string]struct {
		r    pq.Recording
		want error
	}{
		"no signals":       {pq.Recording{SampleIntervalSeconds: 1e-4}, pq.ErrNoVoltage},
		"no interval":      {pq.Recording{Signals: signal(1000, 1)}, pq.ErrBadSamples},
		"too short":        {pq.Recording{SampleIntervalSeconds: 1e-4, NominalHz: 50, Signals: signal(10, 1)}, pq.ErrTooShort},
		"too few a cycle":  {pq.Recording{SampleIntervalSeconds: 0.005, NominalHz: 50, Signals: signal(1000, 1)}, pq.ErrBadSamples},
		"zeros":            {pq.Recording{SampleIntervalSeconds: 1e-4, Signals: signal(1000, 0)}, nil},
		"a constant":       {pq.Recording{SampleIntervalSeconds: 1e-4, NominalHz: 60, NominalVolts: 120, Signals: signal(1000, 5)}, nil},
		"all missing":      {pq.Recording{SampleIntervalSeconds: 1e-4, NominalHz: 60, Signals: signal(1000, nan)}, nil},
		"different length": {pq.Recording{SampleIntervalSeconds: 1e-4, Signals: append(signal(1000, 1), signal(999, 1)...)}, pq.ErrBadSamples},
	} {
		_, err := pq.Analyse(&c.r, pq.Options{})
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	r := scene(0.3, steady, nil, nil)
	r.Signals[1].Samples[700], r.Signals[1].Samples[701] = nan, nan
	a := analyse(t, r)
	if a.Signals[1].Missing != 2 || !strings.Contains(a.Notes[0], "2 of") {
		t.Errorf("missing samples: %+v, %q", a.Signals[1], a.Notes)
	}
}

func FuzzAnalyse(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 100, 50, 0, 255}, 20.0, 60.0, 120.0)
	f.Add([]byte{128, 128, 0, 255}, 8.0, 0.0, 0.0)
	f.Fuzz(func(t *testing.T, data []byte, perCycle, hz, volts float64) {
		if len(data) == 0 || perCycle > 600 || hz > 1000 {
			return
		}
		r := pq.Recording{SampleIntervalSeconds: 1 / (perCycle * 60), NominalHz: hz, NominalVolts: volts}
		for i := range 3 {
			s := pq.Signal{Name: "V", Quantity: pq.Voltage, Phase: pq.A + pq.Phase(i), Samples: make([]float64, 1500)}
			for k := range s.Samples {
				s.Samples[k] = (float64(data[(k*(i+1)+k/len(data))%len(data)]) - 128) * 3
			}
			r.Signals = append(r.Signals, s)
		}
		if a, err := pq.Analyse(&r, pq.Options{}); err == nil {
			for _, d := range a.Found {
				if d.DurationSeconds() < 0 || len(d.Causes) == 0 {
					t.Errorf("%+v", d)
				}
			}
		}
	})
}
