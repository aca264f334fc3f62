package retrieve_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// rest are the logs of a ring whose records have two times, or of which no document prints the body.
var rest = []struct {
	name   string
	number int
}{
	{"flicker", sim.LogFlicker}, {"limit_snapshot", sim.LogLimitSnapshot}, {"reset", sim.LogReset},
	{"digital_input", sim.LogDigitalInput}, {"digital_input_snapshot", sim.LogDigitalInputSnapshot},
	{"digital_output", sim.LogDigitalOutput}, {"digital_output_snapshot", sim.LogDigitalOutputSnapshot},
}

// memory is what the meter holds of a log.
func (s *site) memory(number int) (out []sim.Record) {
	s.t.Helper()
	for r, err := range s.meter.Records(number) {
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// sameAsMeter fails unless the newest stored records of a log are all that the meter holds, byte by byte and with their times.
func (s *site) sameAsMeter(name string, number int) []logdb.RawRecord {
	s.t.Helper()
	log, _ := s.profile.LogOf(name)
	stored, want := s.raws(log.LogKind(), log.Log), s.memory(number)
	if len(want) == 0 || len(stored) < len(want) {
		s.t.Fatalf("%s: %d records are stored, the meter has %d", name, len(stored), len(want))
	}
	for i, r := range stored[len(stored)-len(want):] {
		// To the hundredth: times of records have no more.
		if at := want[i].Time.Truncate(10 * time.Millisecond); !bytes.Equal(r.Bytes, want[i].Raw) || !r.Time.Time().Equal(at) {
			s.t.Fatalf("%s: record %d is % x of %v, want % x of %v", name, i, r.Bytes, r.Time.Time(), want[i].Raw, at)
		}
	}
	return stored
}

// TestRingRestIsTheMeters: every record of these logs is stored once and whole, however often the meter is asked, and also behind a memory that has
// come round or was emptied.
func TestRingRestIsTheMeters(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 12 * 24 * time.Hour})
	for _, l := range rest {
		if l.name == "reset" { // a meter is reset now and then
			s.meter.ResetEnergy()
		}
		first := s.must(l.name)
		if n := len(s.memory(l.number)); n == 0 || first.Records != n || first.Gap != "" {
			t.Errorf("%s: %+v, the meter has %d", l.name, first, n)
		}
		s.sameAsMeter(l.name, l.number)
		if again := s.must(l.name); again.Records != 0 || again.Entries != 0 {
			t.Errorf("%s: nothing is new, and %+v is stored", l.name, again)
		}
	}
	for range 4 {
		s.advance(31 * time.Hour)
		s.meter.ResetEnergy()
		for _, l := range rest {
			if out := s.must(l.name); out.Gap != "" {
				t.Errorf("%s: %+v", l.name, out)
			}
			if have, want := len(s.sameAsMeter(l.name, l.number)), len(s.memory(l.number)); have != want {
				t.Errorf("%s: %d records are stored, the meter has %d", l.name, have, want)
			}
		}
	}
	for _, l := range rest {
		before := len(s.memory(l.number))
		if err := s.meter.ResetLog(l.number); err != nil {
			t.Fatal(err)
		}
		s.advance(6 * 24 * time.Hour)
		s.meter.ResetEnergy()
		if out := s.must(l.name); out.Gap != logdb.GapReset {
			t.Errorf("%s was emptied: %+v", l.name, out)
		}
		if have, want := len(s.sameAsMeter(l.name, l.number)), before+len(s.memory(l.number)); have > want {
			t.Errorf("%s: %d records are stored, the meter made %d", l.name, have, want)
		}
	}
	s.free()
	if n := s.meter.Counters().Paused; n != 0 {
		t.Errorf("logs were paused %d times", n)
	}
}

// TestRingRestComesRound: what a full memory has overwritten is a gap, what it still holds is stored.
func TestRingRestComesRound(t *testing.T) {
	t.Parallel()
	most := map[int]int{}
	for _, l := range rest {
		most[l.number] = 7
	}
	most[sim.LogFlicker] = 100
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 20 * 24 * time.Hour, MaxRecords: most})
	for _, l := range rest {
		s.must(l.name)
		if n := len(s.memory(l.number)); l.name != "reset" && n != most[l.number] {
			t.Fatalf("%s holds %d records: it is not full, and the test shows nothing", l.name, n)
		}
		s.sameAsMeter(l.name, l.number)
	}
	s.advance(20 * 24 * time.Hour)
	for range 9 {
		s.meter.ResetEnergy()
		s.now.Add(time.Minute)
	}
	for _, l := range rest {
		if out := s.must(l.name); out.Gap != logdb.GapOverwritten && l.name != "reset" || out.Gap == "" {
			t.Errorf("%s: %+v", l.name, out)
		}
		s.sameAsMeter(l.name, l.number)
	}
}

// TestRingRawRecords: a record that is not understood is an event of its own with its time, its log's name and its bytes.
func TestRingRawRecords(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 25 * 24 * time.Hour})
	apart := 0
	for _, l := range rest[1:] {
		s.must(l.name)
		log, _ := s.profile.LogOf(l.name)
		var have []logdb.Entry
		for _, e := range s.events(logdb.KindSystem, false) {
			if e.Log == log.Log {
				have = append(have, e)
			}
		}
		want := s.memory(l.number)
		if len(have) != len(want) {
			t.Fatalf("%s: %d events, the meter has %d records", l.name, len(have), len(want))
		}
		slices.SortFunc(have, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
		title := strings.ReplaceAll(l.name, "_", " ") + ", not decoded: "
		for i, e := range have {
			if want[i].Raw[7]&0x80 != 0 {
				apart++
			}
			if e.System.Type != logdb.SystemOther || !strings.HasPrefix(e.System.Description, title) || !e.Time.Time().Equal(want[i].Time.Truncate(10*time.Millisecond)) {
				t.Fatalf("%s: %+v at %v, want the record of %v", l.name, e.System, e.Time.Time(), want[i].Time)
			}
		}
	}
	if apart == 0 {
		t.Error("no record bears the mark of one that does not follow on the one before: the test shows less than it says")
	}
	if gaps := s.events(logdb.KindSystem, true); len(gaps) != 0 {
		t.Errorf("gaps %+v", gaps)
	}
}

// TestRingRawRedecode: a profile that knows what such records hold decodes those that are kept.
func TestRingRawRedecode(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 6 * 24 * time.Hour})
	s.must("digital_input")
	n := int64(len(s.memory(sim.LogDigitalInput)))
	const old = `"kind": "system", "log": 2, "record": "nexus-raw"`
	s.profile = nexusWith(t, old, strings.Replace(old, "nexus-raw", "nexus-system-16", 1))
	log, _ := s.profile.LogOf("digital_input")
	if d, err := s.reader().Redecode(t.Context(), s.target(), log, false, false); err != nil || n == 0 || d.Changed != n || d.Records != n {
		t.Fatalf("decoded again: %+v, %v, want all of %d", d, err, n)
	}
	for _, e := range s.events(logdb.KindSystem, false) {
		if strings.Contains(e.System.Description, "not decoded") || !strings.Contains(e.System.Description, "record ") {
			t.Fatalf("at %v: %+v", e.Time.Time(), e.System)
		}
	}
}

// TestRingWithoutLogs: a meter that does not keep a log, or refuses its address, where that is inferred, is no meter with an error.
func TestRingWithoutLogs(t *testing.T) {
	t.Parallel()
	var none []int
	for _, l := range rest {
		none = append(none, l.number)
	}
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	for _, cfg := range []sim.Config{{NoLogs: none}, {}} {
		cfg.Kind, cfg.Seed, cfg.History, cfg.Now = sim.Nexus, 7, 6*time.Hour, now
		meter := simulate(t, cfg)
		if cfg.NoLogs == nil {
			for _, header := range []uint16{37057, 37121, 37185, 37249, 37313, 37377, 37697} {
				meter.Inject(sim.Fault{Kind: sim.FaultException, Code: 2, Addr: header - 1, Registers: 18})
			}
		}
		store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
		m, ev := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Now: now})
		background(t, m.Run)
		x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "nexus", Address: meter.Addr().String(), Unit: 1, Profile: "eig-nexus-1252", Zone: "America/New_York", Serial: "N-1"})
		if err != nil {
			t.Fatal(err)
		}
		<-ev.data
		if _, err := m.Retrieve(t.Context(), "nexus", 0); err != nil {
			t.Errorf("without logs %v: %v", cfg.NoLogs, err)
		}
		s, err := m.Show(t.Context(), "nexus")
		if err != nil || s.State != "ok" || s.LastError != "" || len(s.Memories) != 6 {
			t.Errorf("without logs %v: %d memories, %q, %v", cfg.NoLogs, len(s.Memories), s.LastError, err)
		}
		for _, l := range rest {
			if n := meter.Counters().Writes[38144+ringOf[l.name]]; n != 0 {
				t.Errorf("the window of %s was set %d times", l.name, n)
			}
		}
		if raws, err := store.LastRaw(t.Context(), x.UID, logdb.KindHistorical, 2, 10); err != nil || len(raws) != 0 {
			t.Errorf("%d records of flicker, %v", len(raws), err)
		}
	}
}

// TestRingLogRefusedLater: a log that was read and is refused afterwards is one with an error, since nothing of it comes any more.
func TestRingLogRefusedLater(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 6 * time.Hour})
	s.must("flicker")
	s.meter.Inject(sim.Fault{Kind: sim.FaultException, Code: 2, Addr: 37376, Registers: 18})
	_, err := s.retrieve("flicker")
	if err == nil || errors.Is(err, retrieve.ErrLogDisabled) || s.states["flicker"].LastError == "" {
		t.Errorf("refused: %v, kept %q", err, s.states["flicker"].LastError)
	}
}

// ringOf is the place of a log among those of the meter.
var ringOf = map[string]uint16{
	"limit_snapshot": 3, "digital_input": 4, "digital_input_snapshot": 5, "digital_output": 6, "digital_output_snapshot": 7, "flicker": 8, "reset": 13,
}
