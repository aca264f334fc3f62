package pq_test

import (
	"math"
	"testing"
	"time"

	"metermanager/logdb/pq"
)

func TestEN50160Voltage(t *testing.T) {
	t.Parallel()
	week := func(bad, wide, missing, flagged int) pq.Week {
		q := pq.Quantity160{Name: "supply voltage A", Expected: 1008}
		for i := range 1008 {
			v := pq.Interval{Value: 230}
			switch {
			case i < missing:
				v.Value = math.NaN()
			case i < missing+flagged:
				v.Flagged, v.Value = true, 10
			case i < missing+flagged+wide:
				v.Value = 190
			case i < missing+flagged+wide+bad:
				v.Value = 200
			}
			q.Values = append(q.Values, v)
		}
		return pq.Week{NominalVolts: 230, NominalHz: 50, Voltage: []pq.Quantity160{q}}
	}
	for _, c := range []struct {
		bad, wide, missing, flagged int
		want                        pq.Verdict
	}{
		{0, 0, 0, 0, pq.Pass}, {50, 0, 0, 0, pq.Pass}, {51, 0, 0, 0, pq.Fail}, {0, 1, 0, 0, pq.Fail}, {0, 0, 100, 0, pq.Pass},
		{0, 0, 102, 0, pq.Insufficient}, {0, 0, 0, 200, pq.Pass}, {0, 0, 1008, 0, pq.NotMeasured},
	} {
		r := pq.Evaluate(week(c.bad, c.wide, c.missing, c.flagged), pq.LowVoltage2010())
		it := r.Items[1]
		if it.Name != "supply voltage A" || it.Verdict != c.want {
			t.Errorf("%+v: %+v, want %s", c, it, c.want)
		}
		for _, it := range r.Items {
			if it.Name != "supply voltage A" && it.Verdict != pq.NotMeasured {
				t.Errorf("%s is %s although nothing is known of it", it.Name, it.Verdict)
			}
		}
		if r.Dips != nil {
			t.Error("a table of dips without events")
		}
	}
}

func TestEN50160Tables(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	event := func(ms int, ratio float64) pq.Event {
		return pq.Event{Start: at, Duration: time.Duration(ms) * time.Millisecond, Ratio: ratio}
	}
	r := pq.Evaluate(pq.Week{NominalVolts: 230, NominalHz: 50, Events: []pq.Event{
		event(10, 0.8), event(200, 0.85), event(201, 0.79), event(500, 0.7), event(1000, 0.4), event(5000, 0.05), event(60_000, 0.01), event(61_000, 0.5),
		event(200_000, 0), event(100, 1.2), event(6000, 1.15), event(9, 0.5),
	}}, pq.LowVoltage2010())
	want := [5][5]int{{2, 0, 0, 0, 0}, {0, 2, 0, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, 0, 1, 0}, {0, 0, 0, 0, 1}}
	if *r.Dips != want {
		t.Errorf("dips %v, want %v", *r.Dips, want)
	}
	if *r.Swells != [2][3]int{{1, 0, 0}, {0, 0, 1}} || r.ShortInterruptions != 1 || r.LongInterruptions != 1 {
		t.Errorf("swells %v, interruptions %d %d", *r.Swells, r.ShortInterruptions, r.LongInterruptions)
	}
}

func TestEN50160Percentile(t *testing.T) {
	t.Parallel()
	q := pq.Quantity160{Expected: 1000}
	for i := range 1000 {
		q.Values = append(q.Values, pq.Interval{Value: float64(i+1) / 10000})
	}
	r := pq.Evaluate(pq.Week{NominalVolts: 230, NominalHz: 50, THD: []pq.Quantity160{q}, Harmonics: map[int][]pq.Quantity160{5: {q}}}, pq.LowVoltage2010())
	for _, it := range r.Items {
		switch it.Name {
		case "total harmonic distortion":
			if it.Verdict != pq.Fail || it.Outside != 200 || *it.Percentile != 0.095 {
				t.Errorf("%+v, percentile %v", it, *it.Percentile)
			}
		case "harmonic 5":
			if it.Verdict != pq.Fail || it.Limit != "at most 6 % in 95 % of the week" {
				t.Errorf("%+v", it)
			}
		}
	}
}

func TestAggregationAndIndices(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 14, 2, 0, 0, time.UTC)
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	events := []pq.Event{
		{at, ms(100), 0.8, pq.A}, {at.Add(ms(50)), ms(200), 0.6, pq.B}, {at.Add(ms(60)), ms(100), 1.2, pq.C},
		{at.Add(30 * time.Second), ms(80), 0.4, pq.A}, {at.Add(2 * time.Minute), ms(80), 0.88, pq.A}, {at.Add(3 * time.Minute), -1, 0.3, pq.A},
		{at.Add(5 * time.Minute), 2 * time.Minute, 0.3, pq.A},
	}
	joined := pq.AggregatePhases(events)
	if len(joined) != 6 || joined[0].Ratio != 0.6 || joined[0].Phase != pq.B || joined[0].Duration != ms(250) {
		t.Fatalf("%+v", joined)
	}
	minute := pq.AggregateTime(joined, time.Minute)
	if len(minute) != 5 || minute[0].Ratio != 0.4 {
		t.Fatalf("%+v", minute)
	}
	n, rate := pq.SARFI(joined, 0.9, 10*24*time.Hour, 60)
	if n != 3 || rate != 9 {
		t.Errorf("SARFI-90 is %d, %g for 30 days", n, rate)
	}
	if n, _ = pq.SARFI(joined, 1.1, time.Hour, 60); n != 1 {
		t.Errorf("SARFI-110 is %d", n)
	}
	if n, _ = pq.SARFICurve(joined, pq.ITIC(), time.Hour, 60); n != 2 { // 0.6 and 0.4; 1.2 for 100 ms and 0.88 for 80 ms lie inside
		t.Errorf("SARFI-ITIC is %d", n)
	}
}

func TestGroupsAcrossMeters(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 14, 2, 0, 0, time.UTC)
	see := func(meter string, after, offset, clock time.Duration, ratio float64) pq.Sighting {
		return pq.Sighting{Meter: meter, Event: pq.Event{Start: at.Add(after), Duration: 100 * time.Millisecond, Ratio: ratio}, ClockOffset: offset, ClockError: clock}
	}
	ms := time.Millisecond
	groups := pq.Group([]pq.Sighting{
		see("main", 0, 0, 10*ms, 0.8),
		see("feeder 1", 2*time.Second+20*ms, 2*time.Second, 10*ms, 0.5), // its clock is 2 s ahead, and that is known
		see("feeder 2", 3*time.Second, 0, 10*ms, 0.7),                   // another event
		see("feeder 3", 3*time.Second+700*ms, 0, time.Second, 0.9),      // may be the same as that
	}, 50*ms)
	if len(groups) != 2 || groups[0].Meters != 2 || groups[1].Meters != 2 {
		t.Fatalf("%+v", groups)
	}
	if g := groups[0]; g.Spread != 20*ms || g.Worst.Meter != "feeder 1" || g.Tolerance != 10*ms || !g.Start.Equal(at) {
		t.Errorf("%+v", g)
	}
	if g := groups[1]; g.Spread != 700*ms || g.Tolerance != time.Second {
		t.Errorf("%+v", g)
	}
	alone := pq.Group([]pq.Sighting{see("a", 0, 0, 0, 0.5), see("b", 2*time.Second, 0, 0, 0.5)}, 50*ms)
	if len(alone) != 2 {
		t.Errorf("without the offset they are %d groups, want 2", len(alone))
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		q     pq.Quantity
		p     pq.Phase
		delta pq.Phase
	}{
		"Van_Vab": {pq.Voltage, pq.A, pq.AB}, "Vcn_Vca": {pq.Voltage, pq.C, pq.CA}, "Ia": {pq.Current, pq.A, pq.A}, "I1": {pq.Current, pq.A, pq.A},
		"VA": {pq.Voltage, pq.A, pq.A}, "U4": {pq.Voltage, pq.N, pq.N}, "In": {pq.Current, pq.N, pq.N}, "U L1-L2": {pq.Voltage, pq.AB, pq.AB},
		"Vbc": {pq.Voltage, pq.BC, pq.BC}, "digin": {pq.Other, pq.NoPhase, pq.NoPhase}, "Temperature": {pq.Other, pq.NoPhase, pq.NoPhase},
		"LINE ULA": {pq.Voltage, pq.A, pq.A}, "LINE SUM ILC": {pq.Current, pq.C, pq.C}, "F1-IA": {pq.Current, pq.A, pq.A}, "VC_G1": {pq.Voltage, pq.C, pq.C},
		"I DIFF LA": {pq.Other, pq.NoPhase, pq.NoPhase}, "SRC 2  Vx Angle": {pq.Other, pq.NoPhase, pq.NoPhase}, "digin Trip LA": {pq.Other, pq.NoPhase, pq.NoPhase},
		"IL2": {pq.Current, pq.B, pq.B}, "Voltage A": {pq.Voltage, pq.A, pq.A}, "current_c": {pq.Current, pq.C, pq.C},
	} {
		if q, p := pq.Role(name, false); q != want.q || p != want.p {
			t.Errorf("%s is %s %s", name, q, p)
		}
		if _, p := pq.Role(name, true); p != want.delta {
			t.Errorf("%s is of %s in a delta", name, p)
		}
	}
}
