package retrieve_test

import (
	"errors"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// TestNoFunction23: a meter that refuses function 0x23, or is silent to it, is not asked at every
// retrieval, silence only when it has come three times in a row; a user's wish and the next day do ask, and the logs beside are read all the while.
func TestNoFunction23(t *testing.T) {
	t.Parallel()
	for _, kind := range []sim.FaultKind{sim.FaultRepeatedReadOff, sim.FaultRepeatedSilence} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sim.Config{History: 30 * time.Hour})
			s.meter.Inject(sim.Fault{Kind: kind})
			s.conn = s.conn.Endpoint().Unit(1, modbus.UnitConfig{WriteAllow: s.profile.WriteList(), Timeout: 300 * time.Millisecond})
			log, _ := s.profile.LogOf("waveform")
			var st retrieve.LogState
			ask := func(force bool) (int64, error) {
				before := s.conn.Counters().Requests
				_, err := s.reader().Log(t.Context(), s.target(), log, &st, force)
				return s.conn.Counters().Requests - before, err
			}
			asked, err := ask(false)
			if !errors.Is(err, retrieve.ErrNoRepeat) || asked < 8 {
				t.Fatalf("%v after %d requests", err, asked)
			}
			s.free()
			if kind == sim.FaultRepeatedSilence { // a bad line is silent as well: only the third time in a row tells
				for range 2 {
					if again, err := ask(false); !errors.Is(err, retrieve.ErrNoRepeat) || again < asked || st.NoRepeat == 0 != (st.Silent < 3) {
						t.Fatalf("%v after %d requests more; %+v", err, again, st)
					}
				}
			}
			if st.NoRepeat == 0 {
				t.Errorf("state %+v", st)
			}
			first := st.LastError
			if again, err := ask(false); !errors.Is(err, retrieve.ErrNoRepeat) || again >= asked || st.LastError != first {
				t.Errorf("asked again by %d requests: %v; the error is %q, was %q", again, err, st.LastError, first)
			}
			s.must("hist1")
			s.meter.ClearFaults()
			if _, err := ask(true); err != nil {
				t.Errorf("at a user's wish: %v", err)
			}
			if n := len(s.events(logdb.KindWaveform, false)); n == 0 || st.LastError != "" || st.NoRepeat != 0 || st.Silent != 0 {
				t.Errorf("%d recordings, state %+v", n, st)
			}
			s.meter.Inject(sim.Fault{Kind: kind})
			if _, err := ask(true); !errors.Is(err, retrieve.ErrNoRepeat) {
				t.Errorf("nothing is new, yet the end is compared: %v", err)
			}
			s.meter.ClearFaults()
			s.now.Add(25 * time.Hour)
			if _, err := ask(false); err != nil {
				t.Errorf("a day later: %v", err)
			}
			st.NoRepeat = logdb.MillisOf(s.now.Now().AddDate(1, 0, 0))
			if _, err := ask(false); err != nil {
				t.Errorf("after our clock, which was a year ahead, was put right: %v", err)
			}
		})
	}
}

// TestSilentFunction23IsNoSilentMeter: a meter that is silent to function 0x23 only is reachable, and its logs behind the waveform log are read in the same
// retrieval.
func TestSilentFunction23IsNoSilentMeter(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 3, History: 30 * time.Hour})
	meter.Inject(sim.Fault{Kind: sim.FaultRepeatedSilence})
	m, _ := newManager(t, logdbtest.NewModel(logdbtest.Config{}), newMemory(), retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Modbus: modbus.Config{Timeout: 300 * time.Millisecond}})
	background(t, m.Run)
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "America/New_York"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(t.Context(), "main", 0); !errors.Is(err, retrieve.ErrNoRepeat) {
		t.Fatalf("the waveform log: %v", err)
	}
	s, err := m.Show(t.Context(), "main")
	if err != nil || s.State == "unreachable" {
		t.Errorf("the meter is %s: %s, %v", s.State, s.LastError, err)
	}
	read := map[string]bool{}
	for _, l := range s.Logs {
		read[l.Log] = l.LastSuccess > 0
	}
	if !read["system"] || read["waveform"] {
		t.Errorf("logs read: %v", read)
	}
}
