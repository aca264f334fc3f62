package sim_test

import (
	"context"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

func mustNew(t *testing.T, cfg sim.Config) *sim.Meter {
	t.Helper()
	m, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a meter that never ran still has a port
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestAnyOrder asks two equal meters for the same instants in different orders.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(90 * 24 * time.Hour)
	a, b := mustNew(t, cfg), mustNew(t, cfg)
	r := rand.New(rand.NewPCG(1, 2))
	times := make([]time.Time, 300)
	for i := range times {
		times[i] = epoch.Add(time.Duration(r.Int64N(int64(90 * 24 * time.Hour))))
	}
	readings, energies := map[time.Time]sim.Reading{}, map[time.Time][5]int64{}
	for _, at := range times {
		readings[at], energies[at] = a.At(at), a.EnergyAt(at)
	}
	for i := len(times) - 1; i >= 0; i-- {
		at := times[i]
		if b.EnergyAt(at) != energies[at] || b.At(at) != readings[at] {
			t.Fatalf("%s depends on what was asked before", at)
		}
	}
	cfg.Seed++
	if other := mustNew(t, cfg); other.At(times[0]) == readings[times[0]] {
		t.Error("another seed gives the same reading")
	}
}

// TestElectricalSense checks what holds for every wye service at every instant.
func TestElectricalSense(t *testing.T) {
	t.Parallel()
	for name, site := range map[string]sim.Site{"277": sim.Site277(), "120": sim.Site120(), "7200": sim.Site7200()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _ := quiet(30 * 24 * time.Hour)
			cfg.Site = site
			m := mustNew(t, cfg)
			var high, peak float64
			low := 0
			for i := range 30 * 24 * 12 {
				at := epoch.Add(time.Duration(i)*5*time.Minute + 17*time.Second)
				r := m.At(at)
				if !m.Powered(at) {
					if r != (sim.Reading{}) {
						t.Fatalf("%s: a reading without supply", at)
					}
					continue
				}
				var w float64
				for p := range 3 {
					w += r.Watts[p]
					high = max(high, r.Volts[p]/site.NominalVolts)
					if r.Volts[p] < 0.95*site.NominalVolts {
						low++
					}
					if math.Abs(r.PF[p]) > 1 || r.VA[p] < math.Abs(r.Watts[p]) || r.Amps[p] < 0 || r.THDVolts[p] <= 0 || r.THDVolts[p] > 0.08 || r.THDAmps[p] > 0.5 {
						t.Fatalf("%s phase %d: %+v", at, p, r)
					}
					if ll := r.VoltsLL[p] / (math.Sqrt(3) * site.NominalVolts); ll > 1.3 {
						t.Fatalf("%s: line to line %v of nominal", at, ll)
					}
				}
				if math.Abs(w-r.TotalWatts) > 1e-6*site.PowerFullScale() || math.Abs(r.Hertz-60) > 1 || math.Abs(r.TotalPF) > 1 {
					t.Fatalf("%s: %+v", at, r)
				}
				peak = max(peak, r.TotalWatts/site.PowerFullScale())
			}
			if high > 1.06 || low > 10 || peak < 0.3 || peak > 0.95 {
				t.Errorf("voltage up to %.3f of nominal, %d low readings, peak load %.3f of full scale", high, low, peak)
			}
		})
	}
}

// TestEnergyParts checks that parts of a period make the whole, at any instants, and that the
// energy is the integral of the power.
func TestEnergyParts(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(10 * 24 * time.Hour)
	m := mustNew(t, cfg)
	r := rand.New(rand.NewPCG(3, 4))
	at, last, joules := epoch, [5]int64{}, 0.0
	for at.Before(epoch.Add(48 * time.Hour)) {
		now := m.EnergyAt(at)
		for i := range now {
			if now[i] < last[i] {
				t.Fatalf("%s: counter %d went back from %d to %d", at, i, last[i], now[i])
			}
		}
		step := time.Duration(1+r.Int64N(40_000)) * time.Millisecond
		joules += m.At(at.Add(step/2)).TotalWatts * step.Seconds()
		at, last = at.Add(step), now
	}
	got := float64(last[0]-last[1]) / 1000
	if want := joules / 3600; math.Abs(got-want) > 0.01*want {
		t.Errorf("net energy %.0f Wh, the integral of the readings is %.0f Wh", got, want)
	}
	if before := m.EnergyAt(epoch.Add(-time.Hour)); before != [5]int64{} {
		t.Errorf("energy before the begin: %v", before)
	}
}

// TestFirstDay finds all that a history must show on its first day, so that short ones have it too.
func TestFirstDay(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(24 * time.Hour)
	m := mustNew(t, cfg)
	seen := map[logdb.SystemType]int{}
	var back int
	var last time.Time
	for r, err := range m.Records(sim.LogSystem) {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.System]++
	}
	for _, typ := range []logdb.SystemType{logdb.SystemPowerLoss, logdb.SystemStartUp, logdb.SystemTimeChanged, logdb.SystemUserLogin, logdb.SystemSettingsChange, logdb.SystemMaxMinReset} {
		if seen[typ] == 0 {
			t.Errorf("no system event %q", typ)
		}
	}
	if seen[logdb.SystemTimeChanged] != 2 {
		t.Errorf("%d clock changes, want forward and back", seen[logdb.SystemTimeChanged])
	}
	var hole time.Duration
	locals := map[string]int{}
	for r := range m.Records(sim.LogHist1) {
		if r.Time.Before(last) {
			back++
		} else if !last.IsZero() {
			hole = max(hole, r.Time.Sub(last))
		}
		locals[hex.EncodeToString(r.Raw[:6])]++
		last = r.Time
		if math.Abs(r.Time.Sub(r.True).Minutes()) > 15 {
			t.Fatalf("the clock shows %s at %s", r.Time, r.True)
		}
	}
	repeated := 0
	for _, n := range locals {
		if n > 1 {
			repeated++
		}
	}
	if back != 1 || repeated < 3 || hole < 25*time.Minute {
		t.Errorf("%d steps back, %d repeated local times, longest hole %s", back, repeated, hole)
	}
	limits, open := m.LimitEvents(), 0
	for _, e := range limits {
		if e.End.IsZero() {
			open++
		}
	}
	if len(limits) < 5 || open < 3 {
		t.Errorf("%d limit events, %d without an end; want those of the power loss", len(limits), open)
	}
	headless, lost, swell, deep, pq := 0, 0, 0, 0, m.PQEvents()
	for _, e := range pq {
		switch {
		case e.Start.IsZero():
			headless++
		case e.End.IsZero():
			lost++
		}
		if e.Above {
			swell++
		}
		if e.Worst < 27.7 {
			deep++
		}
	}
	if headless != 1 || lost != 3 || swell == 0 || deep != 3 {
		t.Errorf("PQ: %d without start, %d without end, %d swells, %d interrupted phases", headless, lost, swell, deep)
	}
}

// TestDaylightTime finds the repeated hour in the records.
func TestDaylightTime(t *testing.T) {
	t.Parallel()
	m := mustNew(t, beforeWinter())
	change := time.Date(2025, 11, 2, 6, 0, 0, 0, time.UTC)
	last, got := "", 0
	for r := range m.Records(sim.LogHist2) {
		stamp := hex.EncodeToString(r.Raw[:6])
		if r.True.Equal(change) {
			if last != "190b02412d00" || stamp != "190b02010000" {
				t.Errorf("around the change: %s, then %s; want 01:45 daylight time, then 01:00", last, stamp)
			}
			got++
		}
		last = stamp
	}
	if got != 1 {
		t.Errorf("%d records at the change", got)
	}
}

// TestCaptures checks that recordings show what the PQ log says.
func TestCaptures(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(12 * 24 * time.Hour)
	m := mustNew(t, cfg)
	events, n, inrush := m.PQEvents(), 0, 0
	for w := range m.Recordings() {
		n++
		found := false
		for _, e := range events {
			if !e.Start.Equal(w.Trigger) {
				continue
			}
			found = true
			name := map[logdb.ChannelKey]string{"readings.voltage.an": "Van_Vab", "readings.voltage.bn": "Vbn_Vbc", "readings.voltage.cn": "Vcn_Vca"}[e.Channel]
			for _, c := range w.Channels {
				if c.Name != name {
					continue
				}
				before, during := rms(c.Samples[:64]), rms(c.Samples[512:576])
				if math.Abs(before/277-1) > 0.06 || math.Abs(during-e.Worst) > 0.01*277 {
					t.Errorf("%s %s: %.1f V before, %.1f V in the first cycle, the event says %.1f V", w.Trigger, name, before, during, e.Worst)
				}
			}
		}
		if !found {
			t.Errorf("capture %d at %s belongs to no event", w.Number, w.Trigger)
		}
		if rms(w.Channels[1].Samples[512:576]) > 2*rms(w.Channels[1].Samples[:64])+400 {
			inrush++
		}
		if got := w.Trigger.Sub(w.First); (got - 133333*time.Microsecond).Abs() > time.Microsecond {
			t.Errorf("%s before the trigger, want 8 cycles", got)
		}
	}
	if n < 6 || inrush < 2 {
		t.Errorf("%d captures, %d of an inrush", n, inrush)
	}
}

func rms(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum / float64(len(v)))
}

// TestLongHistory makes a year and reads its ends at once.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	cfg, c := quiet(365 * 24 * time.Hour)
	m := start(t, cfg)
	p := dial(t, m.Addr())
	if got := p.status(sim.LogHist1).used; got < 520_000 || got > 525_601 {
		t.Errorf("%d one-minute records in a year", got)
	}
	p.do("06 C34F 0280")
	p.do("10 C350 0003 06 0501 0007 A120") // index 500000
	if b := p.do("03 C351 007D"); hex.EncodeToString(b[2:6]) != "0007a120" || b[6] != 26 {
		t.Errorf("window % x", b[:12])
	}
	if !m.ExceedsRealMemory() || len(m.MemoryNotes()) == 0 {
		t.Error("a year of one-minute records does not exceed the real memory")
	}
	cfg.RealMemory = true
	if small := mustNew(t, cfg); small.ExceedsRealMemory() {
		t.Errorf("with the real memory: %q", small.MemoryNotes())
	}
	_ = c
}
