package oracle_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// reading is what a channel must read: a value, or why there is none.
type reading struct {
	value   float64
	quality device.Quality
}

func good(v float64) reading { return reading{v, device.Good} }

// bad has no value.
func bad(q device.Quality) reading { return reading{math.NaN(), q} }

// sharkReads is what testdata/shark200.regs means. Floats have the decimals of 32 bits.
var sharkReads = map[logdb.ChannelKey]reading{
	"readings.voltage.an": good(120.25), "readings.voltage.bn": good(230.5), "readings.voltage.cn": good(119.5),
	"readings.voltage.ab": good(208), "readings.voltage.bc": good(208.25), "readings.voltage.ca": good(207.75),
	"readings.current.a": good(5.5), "readings.current.b": good(6.25), "readings.current.c": good(4.75), "readings.current.n": good(0.5),
	"readings.power.watts": good(1875.5), "readings.power.vars": good(-250.25), "readings.power.va": good(1892),
	"readings.power.factor": good(0.75), "readings.frequency": good(59.96875),
	"readings.power.watts.a": good(-1.5), "readings.power.watts.b": bad(device.Invalid), "readings.power.watts.c": bad(device.Invalid),
	"readings.power.factor.a": {2, device.OutOfRange},
	// 10 Wh each: kilo with 2 decimals.
	"energy.total.wh.received": good(1000010), "energy.total.wh.delivered": good(10000),
	"energy.total.varh.received": good(770), "energy.total.varh.delivered": good(0), "energy.total.vah": good(42949670),
	"thd.voltage.a": good(0.02), "thd.voltage.b": bad(device.Invalid),
}

// check compares readings with what must be read. Channels that want does not name must have the
// quality rest, or any when it is "".
func check(t *testing.T, got []device.Reading, want map[logdb.ChannelKey]reading, rest device.Quality) {
	t.Helper()
	seen := 0
	for _, r := range got {
		w, ok := want[r.Channel]
		if !ok {
			if rest != "" && r.Quality != rest {
				t.Errorf("%s: %v (%s), want %s", r.Channel, r.Value, r.Quality, rest)
			}
			continue
		}
		seen++
		if r.Quality != w.quality || r.Value != w.value && !(math.IsNaN(r.Value) && math.IsNaN(w.value)) {
			t.Errorf("%s: %v (%s, %s), want %v (%s)", r.Channel, r.Value, r.Quality, r.Reason, w.value, w.quality)
		}
	}
	if seen != len(want) {
		t.Errorf("%d channels read, want %d", seen, len(want))
	}
}

// TestReadsServersOfOthers reads images written by hand from servers that others wrote.
func TestReadsServersOfOthers(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			s := l.serve(t, "1:zero:shark200.regs", "2:strict:sunspec-203.regs", "3:strict:shark200.regs", "4:busy:shark200.regs",
				"5:slow:shark200.regs", "6:absent:shark200.regs", "7:strict:sunspec-213.regs", "8:busy:sunspec-203.regs")
			read := func(t *testing.T, unit byte, profile string) retrieve.TestResult {
				t.Helper()
				r, err := retrieve.Test(t.Context(), patient(t), s.addr, unit, profile, modbus.Config{})
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			for _, unit := range []byte{1, 4} {
				r := read(t, unit, "")
				if r.Profile != "eig-shark-200" || r.Identity.Name != "Oracle 200" || r.Identity.Serial != "0061234501" || r.Identity.Firmware != "0061" {
					t.Errorf("unit %d: %s, %+v", unit, r.Profile, r.Identity)
				}
				if r.Identity.Clock.String() != "2026-11-23 12:30:00" || r.Identity.Setup.CTRatio() != 80 || r.Identity.Setup.PTRatio() != 277.0/120 {
					t.Errorf("unit %d: %+v", unit, r.Identity)
				}
				check(t, r.Readings, sharkReads, device.Good) // unmapped registers of a Shark read 0
			}
			// A meter that refuses holes: the reads are split, and what is not there is no data.
			check(t, read(t, 3, "eig-shark-200").Readings, sharkReads, device.NoData)
			for _, unit := range []byte{2, 8} {
				r := read(t, unit, "sunspec-3p")
				if r.Identity.Make != "Acme Meters" || r.Identity.Model != "TriPhase 300" || r.Identity.Serial != "SN-000815" || r.Identity.Firmware != "2.7b" {
					t.Errorf("unit %d: %+v", unit, r.Identity)
				}
				check(t, r.Readings, integersRead, "")
			}
			r := read(t, 7, "")
			if r.Profile != "sunspec-3p" || r.Identity.Model != "Float3" || r.Identity.Serial != "FL-7" {
				t.Errorf("unit 7: %s, %+v", r.Profile, r.Identity)
			}
			check(t, r.Readings, floatsRead, "")
			if _, err := retrieve.Test(t.Context(), profiles(t), s.addr, 1, "sunspec-3p", modbus.Config{}); !errors.Is(err, device.ErrNotSunSpec) {
				t.Errorf("a Shark read as SunSpec: %v", err)
			}
			troubles(t, s)
		})
	}
}

// troubles reads units that are slow, absent or not there over one connection, as on a gateway.
func troubles(t *testing.T, s *server) {
	t.Helper()
	e := endpoint(t, s.addr, modbus.Config{Timeout: 5 * time.Second})
	healthy := e.Unit(1, modbus.UnitConfig{})
	frequency := func() {
		t.Helper()
		b, err := healthy.Read(t.Context(), 3, 0x0401, 2, modbus.Live)
		if err != nil || b[0] != 0x42 || b[1] != 0x6F || b[2] != 0xE0 || b[3] != 0 {
			t.Errorf("another unit's frequency: % x, %v", b, err)
		}
	}
	frequency()
	// The late answer is dropped, never taken for the answer to the next request.
	slow := e.Unit(5, modbus.UnitConfig{Timeout: 200 * time.Millisecond})
	if _, err := slow.Read(t.Context(), 3, 0x03E7, 2, modbus.Live); !errors.Is(err, modbus.ErrTimeout) {
		t.Errorf("a slow unit: %v", err)
	}
	frequency()
	if b, err := e.Unit(5, modbus.UnitConfig{}).Read(t.Context(), 3, 0x03E9, 2, modbus.Live); err != nil || b[1] != 0x66 {
		t.Errorf("a slow unit with patience: % x, %v", b, err)
	}
	if c := e.Counters(); c.UnknownTransaction != 1 || c.Connects != 1 {
		t.Errorf("%d late answers dropped on %d connections, want 1 on 1", c.UnknownTransaction, c.Connects)
	}
	if _, err := e.Unit(6, modbus.UnitConfig{}).Read(t.Context(), 3, 0, 2, modbus.Live); !errors.Is(err, modbus.GatewayTarget) {
		t.Errorf("an absent unit: %v", err)
	}
	if _, err := e.Unit(99, modbus.UnitConfig{Timeout: 100 * time.Millisecond}).Read(t.Context(), 3, 0, 2, modbus.Live); !errors.Is(err, modbus.ErrTimeout) {
		t.Errorf("nobody: %v", err)
	}
	frequency()
	if _, err := e.Unit(3, modbus.UnitConfig{}).Read(t.Context(), 3, 0x0402, 27, modbus.Live); !errors.Is(err, modbus.IllegalAddress) {
		t.Errorf("registers that are not there: %v", err)
	}
	if _, err := e.Unit(1, modbus.UnitConfig{}).ReadRepeated(t.Context(), 0x03E7, 2, 2, modbus.Live); !errors.Is(err, modbus.IllegalFunction) {
		t.Errorf("function 0x23, which none of these servers has: %v", err)
	}
}

// TestRefusesWhoHasNoSerial: a device that answers 0 everywhere is no Shark.
func TestRefusesWhoHasNoSerial(t *testing.T) {
	t.Parallel()
	s := libraries[0].serve(t, "1:zero:session.regs")
	if _, err := retrieve.Test(t.Context(), profiles(t), s.addr, 1, "", modbus.Config{}); !errors.Is(err, poll.ErrIdentity) {
		t.Errorf("%v, want ErrIdentity", err)
	}
}
