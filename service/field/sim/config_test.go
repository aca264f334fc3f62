package sim_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// TestConfigRefused: what cannot be simulated is said, and no port stays open.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	foreign := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(foreign, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]sim.Config{
		"kind":           {Kind: "toaster"},
		"clock step 0":   {Clock: []sim.ClockStep{{After: time.Hour, Ahead: time.Minute}}}, // never taken back
		"clock step 1":   {Clock: []sim.ClockStep{{After: 2 * time.Hour, Ahead: time.Minute}, {After: time.Hour}}},
		"time zone":      {Zone: "Mars/Olympus"},
		"start":          {Start: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"at most 16":     {Name: "a name that is too long"},
		"energy format":  {Energy: sim.EnergyFormat{Digits: 9}},
		"CT secondary":   {Site: sim.Site{NominalVolts: 120, NominalHz: 60, CTNumerator: 100, CTMultiplier: 1, CTDenominator: 3, PTNumerator: 1, PTDenominator: 1, PTMultiplier: 1}},
		"listen on":      {Listen: taken.Addr().String()},
		"another meter":  {State: foreign},
		"open state":     {State: filepath.Join(foreign, "nowhere")},
		"listen on 127.": {SecondListen: taken.Addr().String()},
	} {
		if want == "open state" {
			want = "state"
		}
		if _, err := sim.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestTornState: half a line at the end of the state file, from a crash, is dropped.
func TestTornState(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(30 * time.Hour)
	cfg.State = filepath.Join(t.TempDir(), "state")
	head := fmt.Sprintf("metermanager-sim 1 seed 7 start %d\n", epoch.UnixMilli())
	line := fmt.Sprintf("%d 10 3 2\n", epoch.Add(25*time.Hour).UnixMilli())
	for name, test := range map[string]struct {
		tail string
		want int
	}{"whole": {"", 1}, "torn": {"17616", 1}, "two": {line, 2}} {
		if err := os.WriteFile(cfg.State, []byte(head+line+test.tail), 0o600); err != nil {
			t.Fatal(err)
		}
		m, got := mustNew(t, cfg), 0
		for r := range m.Records(sim.LogSystem) {
			if r.System == logdb.SystemLogRetrieval {
				got++
			}
		}
		if data, _ := os.ReadFile(cfg.State); got != test.want || len(data) != len(head)+test.want*len(line) {
			t.Errorf("%s: %d retrievals noted, %d bytes kept", name, got, len(data))
		}
	}
	if err := os.WriteFile(cfg.State, []byte(head+"nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.New(cfg); err == nil {
		t.Error("a damaged state was taken")
	}
}

// What was done to a meter is done when it starts again: it holds the same records as if it had run on.
func TestStateKeepsResets(t *testing.T) {
	t.Parallel()
	cfg, clock := quiet(30 * time.Hour)
	cfg.State = filepath.Join(t.TempDir(), "state")
	m := mustNew(t, cfg)
	for i, do := range []func() error{
		func() error { return m.ResetLog(sim.LogHist1) },
		func() error { m.ResetEnergy(); return nil },
		func() error {
			return m.Reprogram(sim.LogHist2, 3*time.Minute, "readings.voltage.an", "energy.total.wh.received")
		},
		func() error { return m.ResetLog(sim.LogPQ) },
		func() error { return m.ResetLog(sim.LogSystem) },
	} {
		if err := do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		clock.advance(time.Hour)
	}
	again := mustNew(t, cfg)
	for _, log := range []int{sim.LogSystem, sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogPQ} {
		var lists [2][]sim.Record
		for i, meter := range []*sim.Meter{m, again} {
			for r, err := range meter.Records(log) {
				if err != nil {
					t.Fatal(err)
				}
				lists[i] = append(lists[i], r)
			}
		}
		if len(lists[0]) == 0 && log != sim.LogPQ || !reflect.DeepEqual(lists[0], lists[1]) {
			t.Errorf("log %d: %d records before, %d after", log, len(lists[0]), len(lists[1]))
		}
	}
}

// TestLimitStatus compares the status register with the limit events.
func TestLimitStatus(t *testing.T) {
	t.Parallel()
	cfg, _ := quiet(10 * 24 * time.Hour)
	events := mustNew(t, cfg).LimitEvents()
	checked := 0
	for _, e := range events {
		// Days 1 to 9 have a right clock, so that the events' times are true.
		if e.Limit != 5 || e.Start.Before(epoch.AddDate(0, 0, 1)) || e.End.IsZero() {
			continue
		}
		c := clockAt(e.Start.Add(2 * time.Second))
		cfg.Now = c.now
		p := dial(t, start(t, cfg).Addr())
		if got := p.registers(0x1388, 1)[0]; got != 1<<4 {
			t.Errorf("%s: limit status %08b during an excursion of limit 5", c.now(), got)
		}
		c.advance(e.End.Sub(e.Start))
		if got := p.registers(0x1388, 1)[0]; got != 0 {
			t.Errorf("%s: limit status %08b after it", c.now(), got)
		}
		checked++
	}
	if checked < 2 {
		t.Errorf("only %d excursions of limit 5", checked)
	}
}
