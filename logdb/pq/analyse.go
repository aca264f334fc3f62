package pq

import (
	"fmt"
	"math"
)

// Options are what may be chosen about an analysis. The zero value works.
type Options struct {
	Thresholds Thresholds
	// Curves to hold events against; nil: ITIC and SEMI F47.
	Curves []Curve
}

// SignalFigures are what is said of one signal.
type SignalFigures struct {
	Name     string
	Quantity Quantity
	Phase    Phase
	// Unit is "V" or "A".
	Unit string
	// SteadyRMS is over the steady part, LowRMS and HighRMS the extremes of the half-cycle values.
	SteadyRMS, LowRMS, HighRMS float64
	// Reference is what ratios of this voltage refer to; 0 for others.
	Reference float64
	Peak      float64
	Missing   int // samples
	Spectrum  *Spectrum
}

// Found is a disturbance with what it means.
type Found struct {
	Disturbance
	Category Category
	Regions  []CurveRegion
	Dip      *DipType // of sags with three phases
	Causes   []Cause  // most likely first; never empty
}

// CurveRegion is where an event lies against a curve.
type CurveRegion struct {
	Curve  string `json:"curve"`
	Region Region `json:"region"`
}

// Analysis is everything that is said of a recording.
type Analysis struct {
	Hz         float64
	HzMeasured bool    // else the nominal one was taken
	NominalHz  float64 // 50 or 60
	Seconds    float64
	// SteadySeconds and SteadyCycles say which part the steady figures are of: before the first disturbance, or after it.
	SteadySeconds float64
	SteadyCycles  int
	// DeclaredReference: ratios refer to the declared voltage, else to the steady part of each signal.
	DeclaredReference bool
	Signals           []SignalFigures
	Phasors           []Phasor
	// NegativeRatio and ZeroRatio are of the voltages of the steady part; NaN without three of them, ZeroRatio also for line-to-line ones.
	NegativeRatio, ZeroRatio float64
	Watts, VA, PowerFactor   float64 // of the steady part, all phases with both quantities; NaN without
	Found                    []Found
	Transients               []Transient
	// Causes of what is no disturbance of the RMS: transients, steps. Empty when there is nothing to explain.
	Causes []Cause
	Notes  []string // what a reader must know
	// Tracks are the half-cycle RMS of each signal, in the order of Signals.
	Tracks []Track
}

// analyser is an analysis under way.
type analyser struct {
	r       *Recording
	o       Options
	out     *Analysis
	samples [][]float64 // without missing ones
	cycle   float64     // samples
	sys     system
	voltage []int // signals of sys
	steady  steadyPart
}

// steadyPart is windows [first, last) of the tracks.
type steadyPart struct{ first, last int }

// Analyse looks at a recording from all sides.
func Analyse(r *Recording, o Options) (*Analysis, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if o.Curves == nil {
		o.Curves = []Curve{ITIC(), SEMIF47()}
	}
	a := &analyser{r: r, o: o, out: &Analysis{
		NegativeRatio: math.NaN(), ZeroRatio: math.NaN(), Watts: math.NaN(), VA: math.NaN(), PowerFactor: math.NaN(),
		Seconds: float64(r.Len()) * r.SampleIntervalSeconds,
	}}
	if err := a.prepare(); err != nil {
		return nil, err
	}
	a.references()
	a.signals()
	a.phasors()
	a.power()
	a.disturbances()
	a.others()
	return a.out, nil
}

func (a *analyser) note(format string, args ...any) {
	a.out.Notes = append(a.out.Notes, fmt.Sprintf(format, args...))
}

// prepare measures the frequency and the half-cycle RMS of all signals.
func (a *analyser) prepare() error {
	dt := a.r.SampleIntervalSeconds
	a.samples = make([][]float64, len(a.r.Signals))
	for i := range a.r.Signals {
		var missing int
		a.samples[i], missing = filled(a.r.Signals[i].Samples)
		if missing > 0 {
			a.note("%d of %d samples of %s are missing; straight lines stand for them", missing, a.r.Len(), a.r.Signals[i].Name)
		}
	}
	a.out.NominalHz = a.r.NominalHz
	order := a.byUse()
	for _, i := range order {
		if a.out.NominalHz == 0 {
			a.out.NominalHz = GuessHz(a.samples[i], dt)
		}
	}
	if a.out.NominalHz == 0 {
		a.out.NominalHz = 50
		a.note("no signal looks like 50 or 60 Hz; 50 Hz is taken")
	}
	if float64(a.r.Len())*dt*a.out.NominalHz < 2 {
		return fmt.Errorf("%w: %.3g s", ErrTooShort, float64(a.r.Len())*dt)
	}
	if dt*a.out.NominalHz > 1.0/8 {
		return fmt.Errorf("%w: %.3g samples a cycle, at least 8 are needed", ErrBadSamples, 1/(dt*a.out.NominalHz))
	}
	a.out.Hz = a.out.NominalHz
	a.tracks()
	a.findSteady()
	for _, i := range order {
		x, y := a.steadySamples()
		if hz, ok := MeasureHz(a.samples[i][int(x):int(y)], dt, a.out.NominalHz); ok && math.Abs(hz/a.out.NominalHz-1) < 0.15 {
			a.out.Hz, a.out.HzMeasured = hz, true
			break
		}
	}
	if !a.out.HzMeasured {
		a.note("the frequency could not be measured; %g Hz is taken", a.out.NominalHz)
	}
	a.tracks()
	a.findSteady()
	return nil
}

// byUse lists the signals that carry a fundamental: voltages first.
func (a *analyser) byUse() (order []int) {
	for _, q := range []Quantity{Voltage, Current} {
		for i := range a.r.Signals {
			if a.r.Signals[i].Quantity == q {
				order = append(order, i)
			}
		}
	}
	return order
}

func (a *analyser) tracks() {
	a.cycle = 1 / (a.out.Hz * a.r.SampleIntervalSeconds)
	a.out.Tracks = make([]Track, len(a.samples))
	a.sys, a.voltage = system{}, nil
	for i, s := range a.samples {
		a.out.Tracks[i] = HalfCycleRMS(s, a.cycle, a.r.SampleIntervalSeconds)
		if a.r.Signals[i].Quantity == Voltage && a.r.Signals[i].Phase != N {
			a.voltage = append(a.voltage, i)
			a.sys.phases = append(a.sys.phases, a.r.Signals[i].Phase)
			a.sys.tracks = append(a.sys.tracks, a.out.Tracks[i])
		}
	}
}

// findSteady looks for the part that steady figures are taken of: the windows before the RMS of any voltage (without one, of any
// current) first leaves that of the first window by 2 %, else the last windows that agree with the last one, else everything.
func (a *analyser) findSteady() {
	tracks := a.sys.tracks
	if len(tracks) == 0 {
		for i := range a.r.Signals {
			if a.r.Signals[i].Quantity == Current {
				tracks = append(tracks, a.out.Tracks[i])
			}
		}
	}
	n := math.MaxInt
	for i := range tracks {
		n = min(n, tracks[i].Len())
	}
	alike := func(k, as int) bool {
		for i := range tracks {
			if v := tracks[i].Values; math.Abs(v[k]-v[as]) > 0.02*v[as]+1e-12 {
				return false
			}
		}
		return true
	}
	high := true // a steady part has voltage
	a.steady = steadyPart{0, 1}
	for ; a.steady.last < n && alike(a.steady.last, 0); a.steady.last++ {
	}
	back := n - 1
	for ; back > 0 && alike(back-1, n-1); back-- {
	}
	for i := range a.sys.tracks {
		v := a.sys.tracks[i].Values
		high = high && v[0] >= 0.8*v[n-1]
	}
	if !high || a.steady.last < 3 && n-back > a.steady.last {
		a.steady = steadyPart{back, n}
	}
}

// steadySamples returns the bounds of the steady part in whole samples.
func (a *analyser) steadySamples() (first, last float64) {
	first = math.Ceil(float64(a.steady.first) / 2 * a.cycle)
	last = math.Floor(float64(a.steady.last-1)/2*a.cycle + a.cycle)
	return first, min(last, float64(a.r.Len()))
}

// references sets what ratios refer to.
func (a *analyser) references() {
	a.out.DeclaredReference = a.r.NominalVolts > 0
	for i := range a.sys.tracks {
		ref := a.sys.tracks[i].Mean(a.steady.first, a.steady.last)
		if a.r.NominalVolts > 0 {
			ref = a.r.NominalVolts
		}
		a.sys.references = append(a.sys.references, max(ref, 1e-9))
	}
	if len(a.voltage) > 0 && !a.out.DeclaredReference {
		a.note("no declared voltage is known: ratios refer to the steady part of each voltage")
	}
}

func (a *analyser) signals() {
	x, y := a.steadySamples()
	a.out.SteadySeconds = x * a.r.SampleIntervalSeconds
	// IEC 61000-4-7 takes 10 cycles at 50 Hz and 12 at 60 Hz; a capture has what it has.
	a.out.SteadyCycles = min(int((y-x)/a.cycle+1e-6), int(math.Round(a.out.NominalHz/5)))
	if a.out.SteadyCycles < int(math.Round(a.out.NominalHz/5)) {
		a.note("harmonics are of %d whole cycles, not of the 200 ms of IEC 61000-4-7", a.out.SteadyCycles)
	}
	for i := range a.r.Signals {
		s := &a.r.Signals[i]
		if s.Quantity == Other {
			a.out.Signals = append(a.out.Signals, SignalFigures{Name: s.Name})
			continue
		}
		f := SignalFigures{Name: s.Name, Quantity: s.Quantity, Phase: s.Phase, Unit: "V", SteadyRMS: a.out.Tracks[i].Mean(a.steady.first, a.steady.last)}
		if s.Quantity == Current {
			f.Unit = "A"
		}
		for k, v := range a.out.Tracks[i].Values {
			if k == 0 || v < f.LowRMS {
				f.LowRMS = v
			}
			f.HighRMS = max(f.HighRMS, v)
		}
		for n, v := range a.samples[i] {
			f.Peak = max(f.Peak, math.Abs(v))
			if math.IsNaN(s.Samples[n]) {
				f.Missing++
			}
		}
		for n, v := range a.voltage {
			if v == i {
				f.Reference = a.sys.references[n]
			}
		}
		if sp, ok := Harmonics(a.samples[i], a.r.SampleIntervalSeconds, a.out.Hz, a.out.SteadySeconds, a.out.SteadyCycles); ok {
			f.Spectrum = &sp
		}
		a.out.Signals = append(a.out.Signals, f)
	}
}

func (a *analyser) phasors() {
	a.out.Phasors = a.r.Phasors(a.out.Hz, a.out.SteadySeconds)
	if ids, lines, ok := a.r.Triple(Voltage); ok {
		p := a.triple(ids, float64(a.steady.first)/2*a.cycle)
		s := Sequences(p[0], p[1], p[2])
		a.out.NegativeRatio = s.NegativeRatio()
		if !lines {
			a.out.ZeroRatio = s.ZeroRatio()
		}
	}
}

// triple returns the fundamentals of three signals over the cycle from sample x on.
func (a *analyser) triple(ids [3]int, x float64) (p [3]complex128) {
	for i, id := range ids {
		p[i] = phasorBetween(a.samples[id], a.out.Hz*a.r.SampleIntervalSeconds, x, x+a.cycle)
	}
	return p
}

func (a *analyser) power() {
	watts, va, any := 0.0, 0.0, false
	for _, p := range []Phase{A, B, C} {
		u, i := a.r.Find(Voltage, p), a.r.Find(Current, p)
		if u < 0 || i < 0 {
			continue
		}
		t := CyclePower(a.samples[u], a.samples[i], a.cycle, a.r.SampleIntervalSeconds)
		watts, va, any = watts+t.Watts.Mean(a.steady.first, a.steady.last), va+t.VA.Mean(a.steady.first, a.steady.last), true
	}
	if any {
		a.out.Watts, a.out.VA = watts, va
		if va > 0 {
			a.out.PowerFactor = watts / va
		}
	}
}

func (a *analyser) disturbances() {
	if len(a.voltage) == 0 || a.sys.windows() == 0 {
		return
	}
	for _, d := range a.sys.detect(a.o.Thresholds) {
		for n, p := range a.sys.phases {
			if p == d.WorstPhase {
				d.place(a.samples[a.voltage[n]], a.out.Hz, a.r.SampleIntervalSeconds, a.sys.references[n])
			}
		}
		f := Found{Disturbance: d, Category: Categorize(d.DurationSeconds(), d.WorstRatio, a.out.NominalHz)}
		if d.Truncated || d.Began {
			a.note("the recording does not show the whole %s: its duration is a lower bound", d.Kind)
		}
		for _, c := range a.o.Curves {
			f.Regions = append(f.Regions, CurveRegion{c.Name, c.Classify(d.DurationSeconds(), d.WorstRatio)})
		}
		if ids, lines, ok := a.r.Triple(Voltage); ok && !lines && d.Kind != Swell && !d.Began {
			at := d.WorstSeconds/a.r.SampleIntervalSeconds - a.cycle
			if dip, ok := ClassifyDip(a.triple(ids, float64(a.steady.first)/2*a.cycle), a.triple(ids, at)); ok {
				f.Dip = &dip
			}
		}
		f.Causes = a.causes(&d)
		a.out.Found = append(a.out.Found, f)
	}
}
