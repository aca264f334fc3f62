package pq_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"metermanager/logdb/pq"
)

// wave makes samples of f(t), t in seconds.
func wave(n int, interval float64, f func(t float64) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = f(float64(i) * interval)
	}
	return out
}

// sine is a sine of an RMS and frequency with a phase in degrees, 0 = rising through zero.
func sine(rms, hz, deg float64) func(float64) float64 {
	return func(t float64) float64 { return rms * math.Sqrt2 * math.Sin(2*math.Pi*hz*t+deg*math.Pi/180) }
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.9g, want %.9g within %g", what, got, want, tolerance)
	}
}

func TestPureSine(t *testing.T) {
	t.Parallel()
	const interval = 0.02 / 256
	samples := wave(256*10, interval, sine(230, 50, 17))
	track := pq.HalfCycleRMS(samples, 256, interval)
	if track.Len() != 19 {
		t.Errorf("%d values, want 19", track.Len())
	}
	for k, v := range track.Values {
		near(t, "RMS", v, 230, 1e-9)
		near(t, "end", track.EndSeconds(k), 0.02+0.01*float64(k), 1e-12)
	}
	sp, ok := pq.Harmonics(samples, interval, 50, 0, 10)
	if !ok || sp.Orders() != 127 {
		t.Fatalf("ok %v, orders %d", ok, sp.Orders())
	}
	near(t, "fundamental", sp.RMS[1], 230, 1e-9)
	near(t, "THD", sp.THD(0), 0, 1e-10)
	near(t, "crest factor", sp.Crest(), math.Sqrt2, 1e-3)
	hz, ok := pq.MeasureHz(samples, interval, 50)
	if !ok {
		t.Fatal("no frequency")
	}
	near(t, "frequency", hz, 50, 1e-6)
}

// Windows that fit no whole number of samples, frequencies off nominal, harmonics and a constant.
func TestOffNominalFrequencies(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{49.3, 50.7, 59.21, 60.4} {
		for _, rate := range []float64{1600, 3200, 6400, 12800, 15360, 30707.244140625} {
			interval := 1 / rate
			n := int(0.3 * rate)
			samples := wave(n, interval, func(x float64) float64 {
				return 3 + sine(240, hz, 200)(x) + sine(12, 5*hz, 31)(x) + sine(7, 7*hz, 80)(x)
			})
			nominal := pq.GuessHz(samples, interval)
			if want := math.Round(hz/10) * 10; nominal != want {
				t.Errorf("%g Hz at %g samples/s is taken for %g", hz, rate, nominal)
			}
			got, ok := pq.MeasureHz(samples, interval, nominal)
			if !ok {
				t.Fatalf("no frequency of %g Hz at %g", hz, rate)
			}
			near(t, "frequency", got, hz, 0.002)
			// The true frequency: what remains is the arithmetic of the window.
			sp, ok := pq.Harmonics(samples, interval, hz, 0.0123, 10)
			if !ok {
				t.Fatalf("no spectrum of %g Hz at %g", hz, rate)
			}
			near(t, "constant", sp.DC, 3, 1e-6)
			near(t, "fundamental", sp.RMS[1], 240, 1e-6)
			near(t, "order 5", sp.RMS[5], 12, 1e-6)
			near(t, "order 7", sp.RMS[7], 7, 1e-6)
			near(t, "THD", sp.THD(0), math.Hypot(12, 7)/240, 1e-8)
			// With the measured one, as a user gets it.
			if sp, ok = pq.Harmonics(samples, interval, got, 0.0123, 10); ok {
				near(t, "THD at the measured frequency", sp.THD(40), math.Hypot(12, 7)/240, 1e-4)
			}
			track := pq.HalfCycleRMS(samples, rate/got, interval)
			want := math.Sqrt(9 + 240*240 + 12*12 + 7*7)
			for _, v := range track.Values {
				near(t, "RMS", v, want, 0.01*want*math.Pow(32*hz/rate, 2)+1e-3*want)
			}
		}
	}
}

func TestDriftingFrequency(t *testing.T) {
	t.Parallel()
	const interval = 1 / 12800.0
	samples := wave(12800*2, interval, func(x float64) float64 {
		return 325 * math.Sin(2*math.Pi*(49.5*x+0.25*x*x)) // 49.5 Hz, rising by 0.5 Hz a second
	})
	track := pq.FrequencyTrack(samples, interval, 50)
	for k := 2; k < track.Len()-2; k++ {
		at := track.CentreSeconds(k) + 0.005
		near(t, "frequency", track.Values[k], 49.5+0.5*at, 0.15)
	}
	near(t, "mean", track.Mean(0, track.Len()), 50, 0.01)
}

func TestKnownDistortion(t *testing.T) {
	t.Parallel()
	const interval = 1.0 / 50 / 4096
	square := wave(4096, interval, func(x float64) float64 {
		if math.Mod(x*50+0.5/4096, 1) < 0.5 {
			return 100
		}
		return -100
	})
	sp, ok := pq.Harmonics(square, interval, 50, 0, 1)
	if !ok {
		t.Fatal("no spectrum")
	}
	near(t, "THD of a square wave to order 40", sp.THD(40), 0.4703, 5e-4)
	whole := math.Sqrt(sp.TotalRMS*sp.TotalRMS-sp.RMS[1]*sp.RMS[1]) / sp.RMS[1]
	near(t, "THD of a square wave", whole, math.Sqrt(math.Pi*math.Pi/8-1), 1e-4)
	triangle := wave(4096, interval, func(x float64) float64 { return 4*math.Abs(math.Mod(x*50, 1)-0.5) - 1 })
	if sp, ok = pq.Harmonics(triangle, interval, 50, 0, 1); !ok {
		t.Fatal("no spectrum")
	}
	near(t, "THD of a triangle", sp.THD(0), math.Sqrt(math.Pow(math.Pi, 4)/96-1), 1e-5)

	load := wave(256, 0.02/256, func(x float64) float64 {
		return sine(1, 50, 0)(x) + sine(0.33, 150, 10)(x) + sine(0.2, 250, 20)(x)
	})
	if sp, ok = pq.Harmonics(load, 0.02/256, 50, 0, 1); !ok {
		t.Fatal("no spectrum")
	}
	near(t, "K-factor", sp.KFactor(), (1+9*0.1089+25*0.04)/(1+0.1089+0.04), 1e-9)
	near(t, "derating at K 1", pq.TransformerDerating(1, 0.1), 1, 1e-12)
	near(t, "derating at K 4", pq.TransformerDerating(4, 0.1), math.Sqrt(1.1/1.4), 1e-12)
	near(t, "angle of order 3", sp.Degrees[3], wrapped(10-90-3*(-90)), 1e-6)
}

func wrapped(deg float64) float64 {
	for deg > 180 {
		deg -= 360
	}
	for deg <= -180 {
		deg += 360
	}
	return deg
}

func polar(r, deg float64) complex128 {
	return complex(r*math.Cos(deg*math.Pi/180), r*math.Sin(deg*math.Pi/180))
}

func TestSymmetricalComponents(t *testing.T) {
	t.Parallel()
	s := pq.Sequences(polar(0.9, 0), polar(0.9, -120), polar(1, 120))
	near(t, "V1", real(s.Positive), 0.9333, 5e-5)
	near(t, "u2", s.NegativeRatio(), 0.0357, 5e-5)
	near(t, "u0", s.ZeroRatio(), 0.0357, 5e-5)
	// From magnitudes of line voltages alone: the same as from phasors.
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		negative, angle := 0.3*r.Float64(), 360*r.Float64()
		a := 1 + polar(negative, angle)
		b := polar(1, -120) + polar(negative, angle+120)
		c := polar(1, 120) + polar(negative, angle-120)
		u2 := pq.UnbalanceOfLineVoltages(size(a-b), size(b-c), size(c-a))
		near(t, "u2 of line voltages", u2, negative, 1e-9)
	}
	near(t, "NEMA", pq.UnbalanceNEMA(460, 467, 450), (459-450)/459.0, 1e-12)
}

func size(z complex128) float64 { return math.Hypot(real(z), imag(z)) }

func TestDipTypes(t *testing.T) {
	t.Parallel()
	before := [3]complex128{1, polar(1, -120), polar(1, 120)}
	const v = 0.5
	j := complex(0, math.Sqrt(3)/2)
	c := [3]complex128{1, -0.5 - v*j, -0.5 + v*j}
	d := [3]complex128{v, -v/2 - j, -v/2 + j}
	shift := func(p [3]complex128, n int) (out [3]complex128) { // the same sag on another phase
		for i := range p {
			out[(i+n)%3] = p[i] * polar(1, float64(-120*n))
		}
		return out
	}
	for i, phase := range []pq.Phase{pq.A, pq.B, pq.C} {
		for letter, p := range map[string][3]complex128{"C": c, "D": d} {
			got, ok := pq.ClassifyDip(before, shift(p, i))
			if !ok || got.Letter != letter || got.Phase != phase {
				t.Errorf("type %s on %s is %+v", letter, phase, got)
			}
			near(t, "characteristic voltage", got.CharacteristicRatio, v, 1e-9)
			near(t, "PN factor", got.PNFactor, 1, 1e-9)
		}
	}
	got, _ := pq.ClassifyDip(before, [3]complex128{0.6, polar(0.6, -120), polar(0.6, 120)})
	if got.Letter != "A" || math.Abs(got.CharacteristicRatio-0.6) > 1e-9 {
		t.Errorf("an equal sag is %+v", got)
	}
	if got, _ = pq.ClassifyDip(before, [3]complex128{0.3, polar(1, -120), polar(1, 120)}); got.Letter != "B" || got.Phase != pq.A {
		t.Errorf("a sag of one phase is %+v", got)
	}
}

func TestCurves(t *testing.T) {
	t.Parallel()
	itic := pq.ITIC()
	for _, c := range []struct {
		seconds, ratio float64
		want           pq.Region
	}{
		{0.02, 0, pq.Inside}, {0.021, 0.69, pq.NoDamage}, {0.5, 0.7, pq.Inside}, {11, 0.89, pq.NoDamage}, {1, 1.11, pq.Prohibited},
		{0.002, 1.6, pq.Inside}, {0.002, 1.63, pq.Prohibited}, {0.0001, 4.9, pq.Inside}, {0.0001, 5.1, pq.Prohibited}, {10, 0.8, pq.Inside},
		{100, 0.9, pq.Inside}, {1e9, 1.1, pq.Inside}, {0.5, 1.2, pq.Inside}, {0.50001, 1.2, pq.Prohibited}, {0.003, 1.4, pq.Inside},
		{0.0030001, 1.4, pq.Prohibited}, {0, 0, pq.Inside},
	} {
		if got := itic.Classify(c.seconds, c.ratio); got != c.want {
			t.Errorf("ITIC %g s at %g: %s, want %s", c.seconds, c.ratio, got, c.want)
		}
	}
	_, upper := itic.Limits(0.002)
	near(t, "ITIC at 2 ms", upper, 1.621, 5e-4)
	semi := pq.SEMIF47()
	for _, c := range []struct {
		seconds, ratio float64
		want           pq.Region
	}{{0.2, 0.5, pq.Inside}, {0.21, 0.5, pq.NoDamage}, {0.5, 0.7, pq.Inside}, {1, 0.8, pq.Inside}, {1, 0.79, pq.NoDamage}, {1, 2, pq.Inside}} {
		if got := semi.Classify(c.seconds, c.ratio); got != c.want {
			t.Errorf("SEMI F47 %g s at %g: %s, want %s", c.seconds, c.ratio, got, c.want)
		}
	}
	three := pq.IEEE1668(true)
	if three.Classify(0.08, 0.6) != pq.NoDamage || pq.IEEE1668(false).Lower[2].Seconds != 0.2 {
		t.Error("IEEE 1668 type III is not stricter than type I")
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seconds, ratio, hz float64
		want               string
	}{
		{0.083, 0.62, 60, "2.1.1 instantaneous sag"}, {0.083, 1.2, 60, "2.1.2 instantaneous swell"},
		{0.55, 0.5, 60, "2.2.2 momentary sag"}, {0.55, 0.5, 50, "2.1.1 instantaneous sag"}, {1, 1.6, 60, "2.2.3 momentary swell"},
		{0.05, 0.05, 60, "2.2.1 momentary interruption"}, {10, 0.05, 60, "2.3.1 temporary interruption"}, {10, 0.5, 60, "2.3.2 temporary sag"},
		{10, 1.15, 60, "2.3.3 temporary swell"}, {61, 0, 60, "3.1 sustained interruption"}, {3600, 0.85, 60, "3.2 undervoltage"},
		{3600, 1.15, 60, "3.3 overvoltage"}, {0.002, 1.7, 60, "1 transient"}, {1, 1, 60, "within 0.9 and 1.1 of nominal"},
	} {
		if got := pq.Categorize(c.seconds, c.ratio, c.hz).String(); got != c.want {
			t.Errorf("%g s at %g: %s, want %s", c.seconds, c.ratio, got, c.want)
		}
	}
}

// TestOrderNextToNyquist: where a frequency a little below the nominal one lifts an order just below half of the samples of a cycle, nothing is
// made up of it: one cycle of 64 samples is still read, and the distortion is what it is.
func TestOrderNextToNyquist(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{59.99997, 60, 60.00003, 59.9} {
		samples := make([]float64, 1024)
		for i := range samples {
			w := 2 * math.Pi * hz * float64(i) / 3840
			samples[i] = 390*math.Sin(w) + 39*math.Sin(5*w+1) + math.Mod(float64(i)*0.618, 1)*0.5
		}
		for _, cycles := range []int{1, 2, 7} {
			s, ok := pq.Harmonics(samples, 1.0/3840, hz, 0.02, cycles)
			if !ok {
				t.Errorf("%d cycles of 64 samples at %g Hz are not read", cycles, hz)
			} else if thd := s.THD(0); math.Abs(thd-0.1) > 1e-3 {
				t.Errorf("%d cycles at %g Hz: THD %.4f, want 0.1000, of orders up to %d", cycles, hz, thd, s.Orders())
			}
		}
	}
}
