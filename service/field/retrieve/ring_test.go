package retrieve_test

import (
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// rows returns the live rows of a historical log.
func (s *site) rows() (times []logdb.Millis, values map[logdb.ChannelKey][]float64) {
	s.t.Helper()
	values = map[logdb.ChannelKey][]float64{}
	for _, e := range s.stream(logdb.KindHistorical) {
		if e.Log != 0 || e.Op != logdb.OpAdd {
			continue
		}
		times = append(times, e.Time)
		for c, key := range e.Row.Channels {
			values[key] = append(values[key], e.Row.Values[c])
		}
	}
	return times, values
}

// stream returns what a journal holds, rows one by one.
func (s *site) stream(kind logdb.Kind) (out []logdb.Entry) {
	s.t.Helper()
	head, err := s.store.Journal(s.t.Context(), uid, kind)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.store.ReadStream(s.t.Context(), uid, kind, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 100_000)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range p.Rows {
		for k := range p.Rows[i].Times {
			out = append(out, p.Rows[i].Entry(k))
		}
	}
	return append(out, p.Entries...)
}

// TestRingValuesAreTheMeters compares rows, limit events, PQ events and recordings with what the simulation knows.
func TestRingValuesAreTheMeters(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, Zone: "America/New_York", History: 36 * time.Hour})
	s.correction = device.Correction{CT: 80, PT: 277.0 / 120, PrimaryEnergy: true}
	s.all()
	if n := s.meter.Counters().Paused; n != 0 {
		t.Errorf("logs were paused %d times: what they would have recorded is lost", n)
	}
	times, values := s.rows()
	i := 0
	for r, err := range s.meter.Records(sim.LogHist1) {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(times) {
			break
		}
		for _, v := range r.Values {
			got, ok := values[v.Channel]
			if !ok {
				continue // its line is not known to the profile
			}
			if want := v.Value * 277 / 120; math.Abs(got[i]-want) > 1e-9*want {
				t.Fatalf("row %d: %s %v, the meter has %v at its terminals", i, v.Channel, got[i], v.Value)
			}
		}
		if times[i].Time() != r.Time {
			t.Fatalf("row %d at %v, the meter's clock showed %v", i, times[i].Time(), r.Time)
		}
		i++
	}
	if i < 1000 || len(values) != 3 {
		t.Errorf("%d rows of %d channels were compared, want more than 1000 of the three voltages", i, len(values))
	}
	s.compareRecordings()
	s.compareEvents()
}

func (s *site) compareRecordings() {
	s.t.Helper()
	var stored []logdb.Entry
	for _, e := range s.stream(logdb.KindWaveform) {
		if e.Op == logdb.OpAdd {
			stored = append(stored, e)
		}
	}
	n := 0
	for want := range s.meter.Recordings() {
		if n == len(stored) {
			s.t.Fatalf("%d recordings are stored, the meter has more", n)
		}
		got := stored[n].Waveform
		if d := stored[n].Time.Time().Sub(want.First).Abs(); d > 2*time.Millisecond || len(got.Channels) != 6 {
			s.t.Errorf("recording %d begins at %v with %d channels, want %v", n, stored[n].Time.Time(), len(got.Channels), want.First)
		}
		for _, c := range want.Channels {
			ratio := 80.0
			if c.Name[0] == 'V' {
				ratio = 277.0 / 120
			}
			for _, g := range got.Channels {
				if g.Name != c.Name {
					continue
				}
				for k := range c.Samples {
					if math.Abs(g.Samples[k]-c.Samples[k]*ratio) > 1e-6 {
						s.t.Fatalf("recording %d: sample %d of %s is %v, want %v", n, k, c.Name, g.Samples[k], c.Samples[k]*ratio)
					}
				}
			}
		}
		n++
	}
	if n == 0 || n != len(stored) {
		s.t.Errorf("%d recordings of %d were compared", n, len(stored))
	}
}

func (s *site) compareEvents() {
	s.t.Helper()
	ended := 0
	for _, e := range s.events(logdb.KindLimit, false) {
		if !math.IsNaN(e.Excursion.DurationSeconds) {
			ended++
		}
	}
	want := 0
	for _, e := range s.meter.LimitEvents() {
		if !e.End.IsZero() {
			want++
		}
	}
	if ended == 0 || ended != want {
		s.t.Errorf("%d limit events have an end, the meter had %d", ended, want)
	}
	starts := 0
	for _, e := range s.meter.PQEvents() {
		if !e.Start.IsZero() {
			starts++
		}
	}
	if got := len(s.events(logdb.KindPQ, false)); got == 0 || got != starts {
		s.t.Errorf("%d PQ events are stored, the meter saw %d begin", got, starts)
	}
}

// TestRingUnknownLines: values whose place in the meter's table the profile does not know are kept as bytes, and a profile that knows more decodes
// them later.
func TestRingUnknownLines(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{Kind: sim.Nexus, History: 3 * time.Hour})
	s.must("hist1")
	if _, values := s.rows(); len(values["readings.current.a"]) != 0 {
		t.Fatal("the profile knows line 901: the test shows nothing")
	}
	text, err := fs.ReadFile(assets.Profiles(), "eig-nexus-1252.json")
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(text), `"lines": [`, `"lines": [{"line": 901, "point": 0, "channel": "readings.current.a", "type": "s32", "scale": 0.0000152587890625, "unverified": true},`, 1)
	if s.profile, err = device.Parse([]byte(more)); err != nil {
		t.Fatal(err)
	}
	log, _ := s.profile.LogOf("hist1")
	d, err := s.reader().Redecode(t.Context(), s.target(), log, false, false)
	if err != nil || d.Changed != d.Records || d.Records < 100 {
		t.Fatalf("decoded again: %+v, %v", d, err)
	}
	n := 0
	for _, e := range s.stream(logdb.KindHistorical) {
		if e.Op == logdb.OpRevise && e.Row != nil && len(e.Row.Channels) == 4 {
			n++
		}
	}
	if int64(n) != d.Records {
		t.Errorf("%d rows have the current now, want %d", n, d.Records)
	}
}

// TestRingDisturbed: another program on our port moves the window or switches it to times; no byte of it is taken for a record.
func TestRingDisturbed(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	clean := newSite(t, sim.Config{Kind: sim.Nexus, Start: start})
	clean.must("hist1")
	for _, at := range []int{3, 4, 5, 6, 7, 8, 20, 21, 22} {
		for _, w := range [][2]uint16{{38144, 3}, {38208, 1}, {38208, 3}} {
			s := newSite(t, sim.Config{Kind: sim.Nexus, Start: start})
			target := s.target()
			target.Conn = &meddler{Conn: s.conn, at: at, write: w}
			log, _ := s.profile.LogOf("hist1")
			var st retrieve.LogState
			if _, err := s.reader().Log(t.Context(), target, log, &st, true); err != nil {
				t.Logf("disturbed at request %d: %v", at, err)
			}
			s.must("hist1")
			if got, want := s.raws(logdb.KindHistorical, 0), clean.raws(logdb.KindHistorical, 0); len(got) != len(want) {
				t.Fatalf("disturbed at request %d by %v: %d records, want %d", at, w, len(got), len(want))
			}
			s.sameHistory(clean)
		}
	}
}

// TestRingEmptiedMeanwhile: a log that is emptied at any request of a retrieval makes a gap and loses nothing of what was recorded afterwards; no
// record of before is stored twice.
func TestRingEmptiedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, most := range []int{200, 2000} { // full before, and not
		for at := 1; at < 80; at++ {
			emptiedAt(t, most, at)
		}
	}
}

func emptiedAt(t *testing.T, most, at int) {
	t.Helper()
	s := newSite(t, sim.Config{Kind: sim.Nexus, Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), MaxRecords: map[int]int{sim.LogHist1: most}})
	s.must("hist1")
	s.now.Add(30 * time.Minute)
	target := s.target()
	target.Conn = &doer{Conn: s.conn, at: at, do: func() {
		if err := s.meter.ResetLog(sim.LogHist1); err != nil {
			t.Error(err)
		}
		s.now.Add(10 * time.Minute)
	}}
	log, _ := s.profile.LogOf("hist1")
	st := s.states["hist1"]
	if _, err := s.reader().Log(t.Context(), target, log, &st, true); err != nil {
		t.Logf("emptied at request %d: %v", at, err)
	}
	s.states["hist1"] = st
	s.now.Add(5 * time.Minute)
	s.must("hist1")
	seen := map[string]bool{}
	raws := s.raws(logdb.KindHistorical, 0)
	for _, r := range raws {
		if seen[string(r.Bytes)] {
			t.Fatalf("emptied at request %d: % x is stored twice", at, r.Bytes[:8])
		}
		seen[string(r.Bytes)] = true
	}
	for r, err := range s.meter.Records(sim.LogHist1) {
		if err != nil {
			t.Fatal(err)
		}
		if !seen[string(r.Raw)] {
			t.Fatalf("emptied at request %d: the record of %v is missing", at, r.Time)
		}
	}
}

// TestRingComesRound: a full memory that moves at any request of the first retrieval, when nothing is stored to compare with, gives its records in
// their order and each once.
func TestRingComesRound(t *testing.T) {
	t.Parallel()
	for skip := range 45 {
		s := newSite(t, sim.Config{Kind: sim.Nexus, Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), MaxRecords: map[int]int{sim.LogHist1: 150}})
		s.meter.Inject(sim.Fault{Kind: sim.FaultRolledOver, Times: 1, Skip: skip, Value: 3})
		if _, err := s.retrieve("hist1"); err != nil {
			t.Logf("moved at request %d: %v", skip, err)
		}
		s.meter.ClearFaults()
		s.now.Add(3 * time.Minute)
		s.must("hist1")
		raws := s.raws(logdb.KindHistorical, 0)
		for i := 1; i < len(raws); i++ {
			if raws[i].Time != raws[i-1].Time+60_000 {
				t.Fatalf("moved at request %d: a row of %v behind one of %v", skip, raws[i].Time.Time(), raws[i-1].Time.Time())
			}
		}
		if len(raws) < 150 {
			t.Errorf("moved at request %d: %d rows, want at least 150", skip, len(raws))
		}
	}
}

// TestManagerOfARing: a meter of the ring family on the list, named by its profile, without a serial number of its own.
func TestManagerOfARing(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	meter := simulate(t, sim.Config{Kind: sim.Nexus, Seed: 7, History: 6 * time.Hour, Zone: "America/New_York", Now: now})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	m, ev := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Now: now})
	background(t, m.Run)
	x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "nexus", Address: meter.Addr().String(), Unit: 1, Profile: "eig-nexus-1252", Zone: "America/New_York", Serial: "N-1"})
	if err != nil {
		t.Fatal(err)
	}
	<-ev.data
	if _, err := m.Retrieve(t.Context(), "nexus", 0); err != nil {
		t.Fatal(err)
	}
	s, err := m.Show(t.Context(), "nexus")
	if err != nil || s.State != "ok" || s.Records < 300 || s.DriftMS == nil || len(s.Memories) != 13 {
		t.Errorf("status %+v, %v", s, err)
	}
	for _, l := range s.Memories {
		if l.Name == "hist1" && (l.Held < 300 || l.Behind != 0 || l.Last.Time() != now()) {
			t.Errorf("memory of %s: %+v", l.Name, l)
		}
	}
	settings, err := store.Settings(t.Context(), x.UID)
	if err != nil || settings.Serial != "N-1" || settings.Verified("energy.total.vah") || !settings.Verified("readings.voltage.an") {
		t.Errorf("settings %+v, %v", settings, err)
	}
	found, err := m.Compare(t.Context(), "nexus", logdb.KindHistorical, 1000)
	if err != nil || len(found) != 3 || found[0].Compared < 300 || len(found[0].Days) != 0 {
		t.Errorf("the memory against the journal: %+v, %v", found, err)
	}
}
