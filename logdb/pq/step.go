package pq

import (
	"cmp"
	"math"
	"slices"
)

// others looks for transients and for steps of the RMS that are no disturbance.
func (a *analyser) others() {
	for n, i := range a.voltage {
		a.out.Transients = append(a.out.Transients, transients(a.samples[i], a.sys.phases[n], a.out.Hz, a.r.SampleIntervalSeconds, a.sys.references[n])...)
	}
	slices.SortStableFunc(a.out.Transients, func(x, y Transient) int { return cmp.Compare(x.Seconds, y.Seconds) })
	if len(a.out.Transients) > 0 {
		if nyquist := 0.5 / a.r.SampleIntervalSeconds; nyquist < 50_000 {
			a.note("at this sample rate nothing above %.3g kHz can be seen of a transient", nyquist/1000)
		}
	}
	if len(a.out.Found) > 0 || len(a.voltage) == 0 {
		return
	}
	before, after, ok := a.step()
	if !ok {
		return
	}
	change := after/before - 1
	var ringing *Transient
	for i := range a.out.Transients {
		if t := &a.out.Transients[i]; t.Oscillatory && (ringing == nil || t.PeakRatio > ringing.PeakRatio) {
			ringing = t
		}
	}
	small := math.Abs(change) >= stepSmallest && math.Abs(change) < stepLargest
	var e evidence
	switch {
	case ringing != nil:
		e.say(ringing.RingHz >= capacitorLow && ringing.RingHz <= capacitorHigh, "a swing of %.0f Hz and %s of the peak", ringing.RingHz, ratioText(ringing.PeakRatio))
		e.say(ringing.TowardZero, "its first swing goes %s zero", map[bool]string{true: "towards", false: "away from"}[ringing.TowardZero])
		e.say(change > 0 && small, "the voltage then changes by %+.1f %%", 100*change)
		e.say(ringing.Duration < 2*a.period(), "it is over after %s", secondsText(ringing.Duration))
		if c := e.cause("capacitor switched on"); c.Confidence >= least {
			a.out.Causes = append(a.out.Causes, c)
			return
		}
	case change < -stepSmallest && change > -0.04 && len(a.out.Transients) == 0:
		e.say(true, "the voltage steps by %+.1f %% and stays", 100*change)
		e.say(true, "nothing rings")
		a.out.Causes = append(a.out.Causes, e.cause("capacitor switched off or load switched on"))
		return
	case small:
		e.say(true, "the voltage steps by %+.1f %% and stays", 100*change)
		a.out.Causes = append(a.out.Causes, e.cause("load switching"))
		return
	}
	if len(a.out.Transients) > 0 {
		t := &a.out.Transients[0]
		u := evidence{}
		u.say(false, "a deviation of %s of the peak on %s, for %s", ratioText(t.PeakRatio), t.Phase, secondsText(t.Duration))
		a.out.Causes = append(a.out.Causes, u.cause(Unknown))
	}
}

// step returns the mean RMS of the first and the last two cycles of the voltage that changed most, per unit of the first.
func (a *analyser) step() (before, after float64, ok bool) {
	n := a.sys.windows()
	if n < 8 {
		return 0, 0, false
	}
	best := 0.0
	for i := range a.sys.tracks {
		b, e := a.sys.tracks[i].Mean(0, 3), a.sys.tracks[i].Mean(n-3, n)
		if change := math.Abs(e/b - 1); b > 0 && change >= best {
			best, before, after, ok = change, b, e, true
		}
	}
	return before, after, ok
}
