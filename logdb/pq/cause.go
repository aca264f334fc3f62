package pq

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Cause is a likely cause with what speaks for and against it. The rules are ours, after the shapes that
// Styvaktakis, Bollen and Gu describe (IEEE Trans. Power Delivery 17(2), 2002); none of them proves anything.
type Cause struct {
	Name string
	// Confidence is the share of the evidence that holds; what could not be looked at counts against it. 0 for "unknown".
	Confidence float64
	Evidence   []Evidence
}

// Evidence is one statement with its number.
type Evidence struct {
	Text  string // with the number and its unit
	Holds bool
	Known bool // false: could not be looked at
}

// Unknown is the name of a cause that no rule found.
const Unknown = "unknown"

// least is the confidence below which a cause is not named.
const least = 0.6

// The numbers of the rules, all ours unless said otherwise.
const (
	lostVoltage    = 0.1  // of the reference: nothing left (IEEE 1159)
	sameCurrent    = 0.05 // relative change
	faultCurrent   = 2.0  // times that before
	littleCurrent  = 1.3
	inrushH2       = 0.15 // of the fundamental; relays take 15 to 20 %
	cleanH2        = 0.10
	equalPhases    = 0.01 // change of |V2|, of the positive sequence before
	flatShare      = 0.05 // spread of a rectangular sag's bottom
	stepSmallest   = 0.005
	stepLargest    = 0.10
	risingOthers   = 1.05
	capacitorLow   = 300.0 // Hz
	capacitorHigh  = 5000.0
	gradualSeconds = 0.1
)

// evidence collects statements.
type evidence struct{ list []Evidence }

func (e *evidence) say(holds bool, format string, args ...any) {
	e.list = append(e.list, Evidence{fmt.Sprintf(format, args...), holds, true})
}

func (e *evidence) unknown(text string) { e.list = append(e.list, Evidence{Text: text}) }

func (e *evidence) cause(name string) Cause {
	holds := 0.0
	for _, x := range e.list {
		if x.Holds {
			holds++
		}
	}
	return Cause{name, holds / float64(max(1, len(e.list))), e.list}
}

// shape is what the rules look at.
type shape struct {
	d          *Disturbance
	first      int // window of the start
	last       int // window at which it was over, or the last
	worst      []float64
	highest    []float64
	fall, rise float64 // seconds; rise NaN when the recording ends first
	spread     float64 // of the bottom, of the reference
	plateaus   int
	negative   float64 // change of |V2|/|V1 before|; NaN without three phases
	// Currents, NaN without: ratio of the highest to the one before, on the dipped phases and on all; that of the middle of the
	// event to the one before (the largest change); second harmonic after the first cycle.
	currentDipped, currentAny, currentMiddle, h2 float64
	voltageH2                                    float64
	after                                        float64 // mean RMS of the end over that before; NaN when it does not come back
}

func (a *analyser) shape(d *Disturbance) *shape {
	nan := math.NaN()
	s := &shape{d: d, rise: nan, negative: nan, currentDipped: nan, currentAny: nan, currentMiddle: nan, h2: nan, voltageH2: nan, after: nan}
	t := &a.sys.tracks[0]
	half := t.CycleSamples * t.IntervalSeconds / 2
	s.first = int(math.Round((d.StartSeconds/(2*half) - 1) * 2))
	s.last = min(a.sys.windows()-1, int(math.Round((d.EndSeconds/(2*half)-1)*2)))
	worst := 0
	for i := range a.sys.tracks {
		low, high := math.Inf(1), 0.0
		for k := s.first; k <= s.last; k++ {
			low, high = min(low, a.sys.ratio(i, k)), max(high, a.sys.ratio(i, k))
		}
		s.worst, s.highest = append(s.worst, low), append(s.highest, high)
		if a.sys.phases[i] == d.WorstPhase {
			worst = i
		}
	}
	a.edges(s, worst, half)
	a.unbalanceShape(s)
	a.currentShape(s)
	if ids := a.voltage[worst]; true {
		s.voltageH2 = a.second(ids, s.first+3)
	}
	if !d.Truncated && s.last+2 < a.sys.windows() {
		s.after = a.sys.tracks[worst].Mean(s.last+1, a.sys.windows()) / a.sys.references[worst]
	}
	return s
}

// edges measures how fast the worst voltage falls and comes back, how flat its bottom is and in how many steps it stands.
func (a *analyser) edges(s *shape, worst int, half float64) {
	u := func(k int) float64 { return a.sys.ratio(worst, k) }
	low := s.worst[worst]
	near := low + 0.1*(1-low)
	at, back := s.first, -1
	for at <= s.last && u(at) > near {
		at++
	}
	s.fall = float64(at-max(0, s.first-1)) * half
	lastLow := at
	for k := at; k <= s.last; k++ {
		if u(k) <= near {
			lastLow = k
		}
	}
	for k := lastLow; k < a.sys.windows(); k++ {
		if u(k) >= low+0.9*(1-low) {
			back = k
			break
		}
	}
	if back >= 0 {
		s.rise = float64(back-lastLow) * half
	}
	// The bottom: inside, without the windows that an edge lies in.
	highest, lowest := 0.0, math.Inf(1)
	level, run := math.NaN(), 0
	for k := at + 1; k < s.last-1; k++ {
		if v := u(k); v < 0.9 {
			highest, lowest = max(highest, v), min(lowest, v)
			if math.Abs(v-level) < 0.02 {
				if run++; run == 3 {
					s.plateaus++
				}
			} else {
				level, run = v, 0
			}
		}
	}
	if highest > 0 {
		s.spread = highest - lowest
	}
}

func (a *analyser) unbalanceShape(s *shape) {
	ids, _, ok := a.r.Triple(Voltage)
	if !ok {
		return
	}
	before := a.triple(ids, float64(a.steady.first)/2*a.cycle)
	at := a.triple(ids, s.d.WorstSeconds/a.r.SampleIntervalSeconds-a.cycle)
	pre, now := Sequences(before[0], before[1], before[2]), Sequences(at[0], at[1], at[2])
	if magnitude(pre.Positive) > 0 {
		s.negative = magnitude(now.Negative-pre.Negative) / magnitude(pre.Positive)
	}
}

func (a *analyser) currentShape(s *shape) {
	for i := range a.r.Signals {
		c := &a.r.Signals[i]
		if c.Quantity != Current || c.Phase == N || c.Phase == NoPhase {
			continue
		}
		t := &a.out.Tracks[i]
		before := t.Mean(a.steady.first, a.steady.last)
		if s.first > 2 { // what flowed just before, not what flows after
			before = t.Mean(max(0, s.first-5), s.first-1)
		}
		if !(before > 0) || before < 1e-3*t.Mean(0, t.Len()) {
			continue
		}
		high := 0.0
		for k := s.first; k <= s.last && k < t.Len(); k++ {
			high = max(high, t.Values[k]/before)
		}
		middle := t.Mean(s.first+2, max(s.first+3, s.last-1)) / before
		s.currentAny = larger(s.currentAny, high)
		if math.IsNaN(s.currentMiddle) || math.Abs(middle-1) > math.Abs(s.currentMiddle-1) {
			s.currentMiddle = middle
		}
		for n, p := range a.sys.phases {
			if s.worst[n] < 0.9 && touches(p, c.Phase) {
				s.currentDipped = larger(s.currentDipped, high)
			}
		}
		s.h2 = larger(s.h2, a.second(i, s.first+3))
	}
}

// larger is the larger of two, of which the first may be NaN.
func larger(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

// touches reports whether a voltage belongs to the phase of a current.
func touches(voltage, current Phase) bool {
	switch voltage {
	case AB:
		return current == A || current == B
	case BC:
		return current == B || current == C
	case CA:
		return current == C || current == A
	}
	return voltage == current
}

// second is the second harmonic over the fundamental in window k of a signal; NaN when it does not fit or there is too little.
func (a *analyser) second(signal, k int) float64 {
	x := float64(k) / 2 * a.cycle
	if k < 0 || x+a.cycle > float64(a.r.Len()) {
		return math.NaN()
	}
	f := a.out.Hz * a.r.SampleIntervalSeconds
	one, two := phasorBetween(a.samples[signal], f, x, x+a.cycle), phasorBetween(a.samples[signal], 2*f, x, x+a.cycle)
	if steady := a.out.Tracks[signal].Mean(a.steady.first, a.steady.last); magnitude(one) < 0.02*steady || magnitude(one) == 0 {
		return math.NaN()
	}
	return magnitude(two) / magnitude(one)
}

// causes ranks what may have caused a disturbance. Rules come in the order in which they win at equal confidence.
func (a *analyser) causes(d *Disturbance) []Cause {
	s := a.shape(d)
	rules := []func(*shape) (Cause, bool){
		a.signalLoss, a.singlePole, a.interruption, a.earthFault, a.fault, a.transformer, a.motor, a.rejection,
	}
	var out []Cause
	for _, rule := range rules {
		if c, ok := rule(s); ok && c.Confidence >= least {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(x, y Cause) int { return cmp.Compare(y.Confidence, x.Confidence) })
	if len(out) == 0 {
		e := evidence{}
		e.say(false, "no rule fits: worst %s, fall in %s, %s", ratioText(d.WorstRatio), secondsText(s.fall), riseText(s.rise))
		return []Cause{e.cause(Unknown)}
	}
	return out
}

func ratioText(r float64) string { return fmt.Sprintf("%.0f %%", 100*r) }

func secondsText(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", 1000*s)
	}
	return fmt.Sprintf("%.2g s", s)
}

func riseText(s float64) string {
	if math.IsNaN(s) {
		return "does not come back in the recording"
	}
	return "comes back in " + secondsText(s)
}

func phasesText(list []Phase) string {
	text := ""
	for i, p := range list {
		if i > 0 {
			text += ", "
		}
		text += p.String()
	}
	return text
}

// signalLoss: the voltage is gone but the current is not: a fuse, a transformer's secondary, a test block. It is no
// interruption.
func (a *analyser) signalLoss(s *shape) (Cause, bool) {
	if s.d.Kind == Swell || s.d.WorstRatio >= lostVoltage || math.IsNaN(s.currentMiddle) {
		return Cause{}, false
	}
	steady := math.Abs(s.currentMiddle-1) <= sameCurrent
	var e evidence
	e.say(true, "voltage %s falls to %s", phasesText(s.d.Phases), ratioText(s.d.WorstRatio))
	e.say(steady, "currents change by %.1f %% at most", 100*math.Abs(s.currentMiddle-1))
	e.say(s.fall <= 3*a.period(), "within %s", secondsText(s.fall))
	return e.cause("loss of the voltage signal"), steady
}

func (a *analyser) period() float64 { return 1 / a.out.Hz }

// singlePole: one phase is tripped and closed again.
func (a *analyser) singlePole(s *shape) (Cause, bool) {
	if len(s.worst) != 3 || s.d.Kind == Swell {
		return Cause{}, false
	}
	dead, alive := 0, 0
	for i := range s.worst {
		switch {
		case s.worst[i] < 0.2:
			dead++
		case s.worst[i] > 0.85:
			alive++
		}
	}
	if dead != 1 || alive != 2 {
		return Cause{}, false
	}
	long := s.d.DurationSeconds()
	var e evidence
	e.say(true, "only %s falls, to %s; the others keep at least 85 %%", s.d.WorstPhase, ratioText(s.d.WorstRatio))
	e.say(long >= 0.3 && long <= 1.5, "it lasts %s (0.3 to 1.5 s)", secondsText(long))
	e.say(!s.d.Truncated, "it %s", riseText(s.rise))
	if math.IsNaN(s.currentDipped) {
		e.unknown("the current of that phase is not known")
	} else {
		e.say(s.currentDipped >= faultCurrent, "its current reaches %.1f times that before", s.currentDipped)
	}
	return e.cause("single-pole trip and reclosing"), true
}

// interruption: nothing is left, by a fault or by a switch.
func (a *analyser) interruption(s *shape) (Cause, bool) {
	if s.d.Kind != Interruption || len(s.d.Phases) < len(s.worst) {
		return Cause{}, false
	}
	for _, w := range s.worst {
		if w >= lostVoltage {
			return Cause{}, false
		}
	}
	var e evidence
	e.say(true, "all voltages fall below 10 %%, the lowest to %s", ratioText(s.d.WorstRatio))
	if math.IsNaN(s.currentAny) {
		e.unknown("no currents are known")
		return e.cause("interruption"), true
	}
	e.say(math.Abs(s.currentMiddle-1) > sameCurrent, "currents change to %.2f times those before", s.currentMiddle)
	if s.currentAny >= faultCurrent {
		e.say(true, "a current of %.1f times that before comes first", s.currentAny)
		return e.cause("interruption after a fault"), true
	}
	e.say(true, "no current rises above %.1f times that before", s.currentAny)
	return e.cause("interruption by switching"), true
}

// earthFault: one phase goes down and the others up.
func (a *analyser) earthFault(s *shape) (Cause, bool) {
	if len(s.worst) != 3 {
		return Cause{}, false
	}
	down, up := 0, 0
	for i := range s.worst {
		if s.worst[i] < 0.9 {
			down++
		} else if s.highest[i] > risingOthers {
			up++
		}
	}
	if down != 1 || up == 0 {
		return Cause{}, false
	}
	var e evidence
	low, high := slices.Min(s.worst), slices.Max(s.highest)
	e.say(true, "one phase falls to %s while another rises to %s", ratioText(low), ratioText(high))
	e.say(up == 2, "%d of the other two rise above 105 %%", up)
	e.say(s.fall <= 1.5*a.period(), "within %s", secondsText(s.fall))
	return e.cause("earth fault of one phase"), true
}

// fault: a nearly rectangular sag. Which side of the meter it lies on only currents can say.
func (a *analyser) fault(s *shape) (Cause, bool) {
	if s.d.Kind == Swell {
		return Cause{}, false
	}
	var e evidence
	cycles := s.d.DurationSeconds() * a.out.Hz
	e.say(s.fall <= 1.5*a.period(), "the voltage falls within %s", secondsText(s.fall))
	if s.d.Truncated || math.IsNaN(s.rise) {
		e.unknown("its return is not in the recording")
	} else {
		e.say(s.rise <= 1.5*a.period(), "it %s", riseText(s.rise))
	}
	e.say(cycles >= 1 && cycles <= 60, "it lasts %.3g cycles", cycles)
	name := "short-circuit fault"
	staged := s.plateaus > 1 && s.spread > 0.1
	e.say(s.spread <= flatShare || staged, "its bottom varies by %s", ratioText(s.spread))
	switch {
	case math.IsNaN(s.currentDipped):
		e.unknown("no currents are known, so that its side cannot be told")
	case s.currentDipped >= faultCurrent:
		e.say(true, "current on the dipped phases reaches %.1f times that before", s.currentDipped)
		name = "short-circuit fault downstream"
	case s.currentDipped <= littleCurrent:
		e.say(true, "current on the dipped phases reaches only %.1f times that before", s.currentDipped)
		name = "short-circuit fault upstream"
	default:
		e.say(false, "current on the dipped phases reaches %.1f times that before, which tells no side", s.currentDipped)
	}
	if !math.IsNaN(s.h2) && s.currentAny >= faultCurrent {
		e.say(s.h2 < cleanH2, "second harmonic of the current is %.0f %% after the first cycle", 100*s.h2)
	}
	if staged {
		name += ", cleared in steps"
	}
	return e.cause(name), true
}

// transformer: the inrush of a transformer, unequal in the phases and full of second harmonic.
func (a *analyser) transformer(s *shape) (Cause, bool) {
	if s.d.Kind == Swell || s.d.WorstRatio < 0.4 {
		return Cause{}, false
	}
	var e evidence
	e.say(s.fall <= 2*a.period(), "the voltage falls within %s", secondsText(s.fall))
	e.say(!math.IsNaN(s.rise) && s.rise >= gradualSeconds/2, "it %s", riseText(s.rise))
	if math.IsNaN(s.negative) {
		e.unknown("unbalance is not known without three phases")
	} else {
		e.say(s.negative > equalPhases, "negative sequence changes by %.1f %%", 100*s.negative)
	}
	h2, where, bound := s.h2, "current", inrushH2
	if math.IsNaN(h2) {
		h2, where, bound = s.voltageH2, "voltage", 0.01
	}
	if math.IsNaN(h2) {
		return Cause{}, false
	}
	e.say(h2 >= bound, "second harmonic of the %s is %.1f %%", where, 100*h2)
	return e.cause("transformer energizing"), h2 >= bound
}

// motor: three equal phases, a sudden drop and a slow return while the current decays.
func (a *analyser) motor(s *shape) (Cause, bool) {
	if s.d.Kind == Swell || s.d.WorstRatio < 0.5 {
		return Cause{}, false
	}
	var e evidence
	slow := s.d.Truncated || s.rise >= 3*a.period()
	if s.d.Truncated || math.IsNaN(s.rise) {
		e.unknown("its return is not in the recording")
	} else {
		e.say(slow, "it %s", riseText(s.rise))
	}
	if math.IsNaN(s.negative) {
		e.unknown("unbalance is not known without three phases")
	} else {
		e.say(s.negative <= 2*equalPhases, "negative sequence changes by %.1f %%", 100*s.negative)
	}
	e.say(s.d.WorstRatio >= 0.7, "the voltage keeps %s", ratioText(s.d.WorstRatio))
	if math.IsNaN(s.currentAny) {
		e.unknown("no currents are known")
	} else {
		e.say(s.currentAny >= 1.5, "current reaches %.1f times that before", s.currentAny)
		if !math.IsNaN(s.h2) {
			e.say(s.h2 < cleanH2, "second harmonic of the current is %.0f %%", 100*s.h2)
		}
	}
	return e.cause("start of a large motor"), slow
}

// rejection: all phases rise and none falls.
func (a *analyser) rejection(s *shape) (Cause, bool) {
	if s.d.Kind != Swell {
		return Cause{}, false
	}
	low, high := slices.Min(s.worst), slices.Min(s.highest)
	var e evidence
	e.say(high > 1.05, "every phase rises, the least to %s", ratioText(high))
	e.say(low >= 0.9, "no phase falls below %s", ratioText(low))
	if math.IsNaN(s.currentMiddle) {
		e.unknown("no currents are known")
	} else {
		e.say(s.currentMiddle < 0.9, "currents go to %.2f times those before", s.currentMiddle)
	}
	return e.cause("load shed or capacitor switched on"), high > 1.05
}
