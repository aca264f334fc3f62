package sim_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"metermanager/service/field/sim"
)

// TestNexusFlickerBytes reads the simulation's flicker records byte by byte as the manual lays them out: the time, the end of the interval, three signed
// values of 32 bits, 0 short or 1 long, three bytes that are not used. A long value is the cubic mean of the twelve short ones of its two hours.
func TestNexusFlickerBytes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	m, err := sim.New(sim.Config{Kind: sim.Nexus, Seed: 11, History: 5 * 24 * time.Hour, Zone: "UTC", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	stamp := func(b []byte) time.Time {
		return time.Date(100*int(b[0])+int(b[1]), time.Month(b[2]), int(b[3]), int(b[4]), int(b[5]), int(b[6]), 10_000_000*int(b[7]), time.UTC)
	}
	var shorts [][3]float64
	longs, whole := 0, 0
	var last time.Time
	for r, err := range m.Lifetime(sim.LogFlicker) {
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Raw) != 32 || r.Raw[28] > 1 || r.Raw[29]|r.Raw[30]|r.Raw[31] != 0 {
			t.Fatalf("record % x", r.Raw)
		}
		written, end := stamp(r.Raw), stamp(r.Raw[8:])
		every := 10 * time.Minute
		if r.Raw[28] == 1 {
			every = 2 * time.Hour
		}
		if !end.Equal(r.Time) || end.Truncate(every) != end || !written.After(end) || written.Sub(end) > 5*time.Second {
			t.Fatalf("record % x of the interval to %v", r.Raw, r.Time)
		}
		var v [3]float64
		for phase := range v {
			v[phase] = float64(int32(binary.BigEndian.Uint32(r.Raw[16+4*phase:]))) / 65536
			if v[phase] != r.Values[phase].Value || v[phase] < 0.1 || v[phase] > 2 {
				t.Fatalf("record % x: %v, want %v", r.Raw, v, r.Values)
			}
		}
		if r.Raw[28] == 0 {
			if end.Sub(last) != every {
				shorts = nil // the supply was off, or the clock was set
			}
			shorts, last = append(shorts, v), end
			continue
		}
		longs++
		if len(shorts) < 12 {
			continue
		}
		whole++
		for phase := range v {
			var sum float64
			for _, s := range shorts[len(shorts)-12:] {
				sum += s[phase] * s[phase] * s[phase]
			}
			if want := math.Cbrt(sum / 12); math.Abs(v[phase]-want) > 1e-4 {
				t.Errorf("Plt to %v is %v, want %v", end, v[phase], want)
			}
		}
	}
	if longs < 50 || whole < 40 {
		t.Errorf("%d long records, %d of whole two hours: the test shows less than it says", longs, whole)
	}
}
