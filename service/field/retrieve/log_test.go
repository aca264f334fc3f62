package retrieve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// otherProgram is what a historical log is programmed anew for.
var otherProgram = map[sim.Kind][]logdb.ChannelKey{
	sim.Shark200: {"readings.frequency", "energy.total.wh.received"}, sim.Nexus: {"readings.voltage.cn", "readings.voltage.an"},
}

// logs names the logs of the meter.
func (s *site) logs() (out []string) {
	for _, l := range s.profile.Logs {
		if l.Record != device.RecordIO { // it has no card
			out = append(out, l.Name)
		}
	}
	return out
}

func (s *site) all() {
	s.t.Helper()
	for _, name := range s.logs() {
		s.must(name)
	}
}

// sameAs compares everything stored but what depends on how often logs were read.
func (s *site) sameAs(want *site) {
	s.t.Helper()
	for _, l := range s.profile.Logs {
		if l.LogKind() == logdb.KindSystem {
			continue
		}
		a, b := s.raws(l.LogKind(), l.Log), want.raws(l.LogKind(), l.Log)
		if len(a) != len(b) {
			s.t.Errorf("%s: %d raw records, want %d", l.Name, len(a), len(b))
			continue
		}
		for i := range a {
			if !bytes.Equal(a[i].Bytes, b[i].Bytes) || a[i].Time != b[i].Time || a[i].Run != b[i].Run || a[i].Generation != b[i].Generation {
				s.t.Errorf("%s: record %d is % x at %v run %d, want % x at %v run %d", l.Name, i, a[i].Bytes[:10], a[i].Time, a[i].Run, b[i].Bytes[:10], b[i].Time, b[i].Run)
				break
			}
		}
	}
	for _, k := range []logdb.Kind{logdb.KindLimit, logdb.KindPQ, logdb.KindWaveform} {
		a, b := s.events(k, false), want.events(k, false)
		if len(a) != len(b) {
			s.t.Errorf("%s: %d events, want %d", k, len(a), len(b))
			continue
		}
		for i := range a {
			if a[i].ContentDigest() != b[i].ContentDigest() {
				s.t.Errorf("%s: event %d is %+v, want %+v", k, i, a[i], b[i])
				break
			}
		}
	}
}

// advance lets time pass, and more while the simulated supply has failed.
func (s *site) advance(d time.Duration) {
	for s.now.Add(d); !s.meter.Powered(s.now.Now()); {
		s.now.Add(time.Minute)
	}
}

// free fails when the meter's log is still engaged.
func (s *site) free() {
	s.t.Helper()
	if s.profile.ID == profileOf[sim.Nexus] {
		b, err := s.conn.Read(s.t.Context(), 3, 38144, 14, modbus.User)
		if err != nil || len(bytes.Trim(b, "\xff")) > 0 {
			s.t.Errorf("a window is still open: % x, %v", b, err)
		}
		return
	}
	b, err := s.conn.Read(s.t.Context(), 3, 0xC34E, 1, modbus.User)
	if err != nil || b[1] != 0 {
		s.t.Errorf("a session is still open: % x, %v", b, err)
	}
}

func TestLittleByLittleIsAllAtOnce(t *testing.T) { eachFamily(t, littleByLittleIsAllAtOnce) }

func littleByLittleIsAllAtOnce(t *testing.T, kind sim.Kind) {
	start := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	once := newSite(t, sim.Config{Kind: kind, Start: start})
	once.now.Add(24 * time.Hour)
	once.all()
	often := newSite(t, sim.Config{Kind: kind, Start: start})
	often.all()
	for range 6 {
		often.now.Add(4 * time.Hour)
		often.all()
	}
	often.sameAs(once)
	often.free()
	for _, l := range often.profile.Logs {
		name := l.Name
		if l.LogKind() != logdb.KindHistorical && l.LogKind() != logdb.KindWaveform {
			continue
		}
		if out := often.must(name); out.Records != 0 {
			t.Errorf("nothing is new in %s, but %+v was stored", name, out)
		}
	}
	sys := often.events(logdb.KindSystem, false)
	reads := 0
	for _, e := range sys {
		if e.System.Type == logdb.SystemLogRetrieval {
			reads++
		}
	}
	if reads == 0 {
		t.Error("no log retrieval event was kept")
	}
}

func TestHistoryValuesAreTheMeters(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{History: 6 * time.Hour})
	s.must("hist1")
	raws := s.raws(logdb.KindHistorical, 0)
	block, err := s.conn.Read(t.Context(), 3, 0x7917, 125, modbus.User)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := s.conn.Read(t.Context(), 3, 0x7917+125, 67, modbus.User)
	if err != nil {
		t.Fatal(err)
	}
	program, err := device.ParseHistoryProgram(append(block, rest...))
	if err != nil {
		t.Fatal(err)
	}
	head, err := s.store.Journal(t.Context(), uid, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.store.ReadStream(t.Context(), uid, logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, e := range page.Entries {
		if e.Row != nil {
			h := logdb.History{Channels: e.Row.Channels}
			for _, v := range e.Row.Values {
				h.Columns = append(h.Columns, []float64{v})
			}
			page.Rows = append(page.Rows, h)
		}
	}
	for _, h := range page.Rows {
		for r := range max(1, len(h.Times)) {
			rec := raws[i].Bytes
			if len(rec) != program.RecordSize() {
				t.Fatalf("a raw record of %d bytes, the program says %d", len(rec), program.RecordSize())
			}
			// The first item is Volts A-N in the simulated meter's first log.
			for c, key := range h.Channels {
				if key == "readings.voltage.an" {
					bits := uint32(rec[6])<<24 | uint32(rec[7])<<16 | uint32(rec[8])<<8 | uint32(rec[9])
					if program.Items[0].Addr == 0x03E7 && float32(h.Columns[c][r]) != math.Float32frombits(bits) {
						t.Fatalf("row %d: Volts A-N %v, the record holds %v", i, h.Columns[c][r], math.Float32frombits(bits))
					}
				}
			}
			i++
		}
	}
	if i < 300 || i != len(raws) {
		t.Errorf("%d rows for %d raw records", i, len(raws))
	}
}

func TestFaultsLoseAndDoubleNothing(t *testing.T) { eachFamily(t, faultsLoseAndDoubleNothing) }

func faultsLoseAndDoubleNothing(t *testing.T, kind sim.Kind) {
	start := time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)
	clean := newSite(t, sim.Config{Kind: kind, Start: start})
	clean.all()
	for _, f := range []sim.Fault{
		{Kind: sim.FaultWrongTransaction, Times: 3, Skip: 20},
		{Kind: sim.FaultWrongUnit, Times: 2, Skip: 20},
		{Kind: sim.FaultWrongByteCount, Times: 2, Skip: 30},
		{Kind: sim.FaultShortAnswer, Times: 2, Skip: 30},
		{Kind: sim.FaultCloseMidFrame, Times: 4, Skip: 25},
		{Kind: sim.FaultClose, Times: 4, Skip: 25},
		{Kind: sim.FaultTwoReplies, Times: 4, Skip: 25},
		{Kind: sim.FaultDribble, Times: 4, Skip: 25},
		{Kind: sim.FaultLength, Times: 2, Skip: 25, Value: 0},
		{Kind: sim.FaultProtocol, Times: 2, Skip: 25},
		{Kind: sim.FaultException, Times: 10, Skip: 25, Code: 6},
		{Kind: sim.FaultException, Times: 1, Skip: 25, Code: 4},
		{Kind: sim.FaultWindowNotReady, Times: 20, Skip: 3},
		{Kind: sim.FaultIndexStuck, Times: 5, Skip: 3},
		{Kind: sim.FaultIndexTwice, Times: 5, Skip: 3},
		{Kind: sim.FaultSessionLost, Times: 1, Skip: 40},
		{Kind: sim.FaultSessionLost, Times: 1, Skip: 0},
		{Kind: sim.FaultRecordSizeZero, Times: 1, Skip: 2},
		{Kind: sim.FaultUsedOne, Times: 1, Skip: 1},
		{Kind: sim.FaultLogTaken, Value: 2, Code: 2},
	} {
		t.Run(string(f.Kind), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sim.Config{Kind: kind, Start: start})
			s.target()
			s.meter.Inject(f)
			for _, name := range s.logs() {
				if _, err := s.retrieve(name); err != nil {
					t.Logf("%s: %v", name, err)
				}
			}
			s.meter.ClearFaults()
			s.free()
			s.all()
			s.sameAs(clean)
			s.free()
		})
	}
}

// A retrieval that is cut off anywhere goes on where it was, and disengages.
func TestResumeAnywhere(t *testing.T) { eachFamily(t, resumeAnywhere) }

func resumeAnywhere(t *testing.T, kind sim.Kind) {
	start := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	clean := newSite(t, sim.Config{Kind: kind, Start: start})
	clean.all()
	s := newSite(t, sim.Config{Kind: kind, Start: start})
	id := s.target().Identity
	for limit := 3; limit < 400; limit = limit*5/4 + 1 {
		for _, name := range s.logs() {
			log, _ := s.profile.LogOf(name)
			ctx, cancel := context.WithCancel(t.Context())
			conn := &countdown{Conn: s.conn, left: limit, stop: cancel}
			st := s.states[name]
			if limit%2 == 0 {
				st = retrieve.LogState{} // the crash came before the state was written
			}
			_, err := s.reader().Log(ctx, &retrieve.Target{UID: uid, Profile: s.profile, Zone: s.zone, Conn: conn, Identity: id}, log, &st, true)
			s.states[name] = st
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("%s cut off after %d requests: %v", name, limit, err)
			}
			s.free()
		}
	}
	s.all()
	s.sameAs(clean)
}

// countdown ends the caller's context after some requests; those of the clean-up pass.
type countdown struct {
	retrieve.Conn
	left int
	stop func()
}

func (c *countdown) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	if c.left--; c.left == 0 {
		c.stop()
	}
	return c.Conn.Do(ctx, r)
}

func TestOverwrittenMakesAGapAndAGeneration(t *testing.T) {
	eachFamily(t, overwrittenMakesAGapAndAGeneration)
}

func overwrittenMakesAGapAndAGeneration(t *testing.T, kind sim.Kind) {
	s := newSite(t, sim.Config{Kind: kind, MaxRecords: map[int]int{sim.LogHist1: 200}, History: 10 * time.Hour})
	first := s.must("hist1")
	if first.Gap != "" || first.Records != 200 {
		t.Fatalf("first retrieval %+v, want 200 records and no gap: nothing was known before", first)
	}
	s.now.Add(time.Hour)
	if out := s.must("hist1"); out.Gap != "" || out.Records != 60 {
		t.Fatalf("after an hour %+v, want 60 records found behind the stored ones in a full memory", out)
	}
	s.now.Add(10 * time.Hour)
	out := s.must("hist1")
	if out.Gap != logdb.GapOverwritten || out.Records != 200 {
		t.Fatalf("after ten hours %+v, want a gap of overwritten records", out)
	}
	gaps := s.events(logdb.KindHistorical, true)
	if len(gaps) != 1 || gaps[0].Gap.Cause != logdb.GapOverwritten || gaps[0].Gap.To <= gaps[0].Gap.From {
		t.Fatalf("gaps %+v", gaps)
	}
	raws := s.raws(logdb.KindHistorical, 0)
	if g := raws[len(raws)-1].Generation; g != 1 || raws[0].Generation != 0 {
		t.Errorf("generation %d after the gap", g)
	}
	if again := s.must("hist1"); again.Records != 0 || len(s.events(logdb.KindHistorical, true)) != 1 {
		t.Errorf("a further retrieval %+v", again)
	}
}

// A full memory that says for a while that it is empty is neither reset nor read again.
func TestFullMemoryIsSaidToBeEmpty(t *testing.T) { eachFamily(t, fullMemoryIsSaidToBeEmpty) }

func fullMemoryIsSaidToBeEmpty(t *testing.T, kind sim.Kind) {
	for _, times := range []int{1, 3, 30} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sim.Config{Kind: kind, MaxRecords: map[int]int{sim.LogHist1: 200}, History: 10 * time.Hour})
			s.must("hist1")
			s.now.Add(time.Hour)
			s.meter.Inject(sim.Fault{Kind: sim.FaultUsedOne, Times: times})
			if _, err := s.retrieve("hist1"); err != nil && !errors.Is(err, retrieve.ErrShifted) {
				t.Fatal(err)
			}
			s.meter.ClearFaults()
			s.free()
			if out := s.must("hist1"); out.Gap != "" {
				t.Errorf("then %+v, want no gap", out)
			}
			if n := len(s.raws(logdb.KindHistorical, 0)); n != 260 {
				t.Errorf("%d records are stored, want 260", n)
			}
			if gaps := s.events(logdb.KindHistorical, true); len(gaps) != 0 {
				t.Errorf("gaps %+v", gaps)
			}
		})
	}
}

func TestLogResetAndNewProgram(t *testing.T) { eachFamily(t, logResetAndNewProgram) }

func logResetAndNewProgram(t *testing.T, kind sim.Kind) {
	s := newSite(t, sim.Config{Kind: kind, History: 5 * time.Hour})
	s.must("hist1")
	if err := s.meter.ResetLog(sim.LogHist1); err != nil {
		t.Fatal(err)
	}
	if out := s.must("hist1"); out.Records != 0 || len(s.events(logdb.KindHistorical, true)) != 0 {
		t.Fatalf("an empty log gives %+v", out)
	}
	s.advance(30 * time.Minute)
	if out := s.must("hist1"); out.Gap != logdb.GapReset || out.Records < 10 {
		t.Fatalf("after a reset %+v", out)
	}
	if err := s.meter.Reprogram(sim.LogHist1, 5*time.Minute, otherProgram[kind]...); err != nil {
		t.Fatal(err)
	}
	s.advance(time.Hour)
	if out := s.must("hist1"); out.Gap != logdb.GapSettings || out.Records < 10 {
		t.Fatalf("after new settings %+v", out)
	}
	raws := s.raws(logdb.KindHistorical, 0)
	if g := raws[len(raws)-1].Generation; g != 2 {
		t.Errorf("generation %d, want 2", g)
	}
	if raws[0].Snapshot == raws[len(raws)-1].Snapshot {
		t.Error("records under different settings share a snapshot")
	}
}

// The first retrieval after a new program finds fewer records than alignment would like to see;
// the next one must still know them, though the ones before them have another size.
func TestFewRecordsUnderANewProgram(t *testing.T) { eachFamily(t, fewRecordsUnderANewProgram) }

func fewRecordsUnderANewProgram(t *testing.T, kind sim.Kind) {
	s := newSite(t, sim.Config{Kind: kind, History: 8 * time.Hour})
	s.must("hist1")
	if err := s.meter.Reprogram(sim.LogHist1, 5*time.Minute, otherProgram[kind]...); err != nil {
		t.Fatal(err)
	}
	before := len(s.raws(logdb.KindHistorical, 0))
	for i := range 12 {
		s.advance(5 * time.Minute)
		if out := s.must("hist1"); out.Records != 1 || (out.Gap != "") != (i == 0) {
			t.Errorf("retrieval %d gives %+v, want one record, and a gap before the first", i, out)
		}
	}
	if n := len(s.raws(logdb.KindHistorical, 0)) - before; n != 12 {
		t.Errorf("%d records under the new program, want 12", n)
	}
}

// TestRolledOverDuringRetrieval: at whatever request the memory moves, inside a batch of records or between two,
// nothing is lost and nothing stored twice.
func TestRolledOverDuringRetrieval(t *testing.T) { eachFamily(t, rolledOverDuringRetrieval) }

func rolledOverDuringRetrieval(t *testing.T, kind sim.Kind) {
	cfg := sim.Config{Kind: kind, Start: time.Date(2026, 11, 19, 6, 0, 0, 0, time.UTC), MaxRecords: map[int]int{sim.LogHist1: 1500}}
	clean := newSite(t, cfg)
	clean.must("hist1")
	clean.now.Add(10 * time.Hour)
	clean.must("hist1")
	clean.now.Add(5 * time.Minute)
	clean.must("hist1")
	for skip := range 60 {
		s := newSite(t, cfg)
		s.must("hist1")
		s.now.Add(10 * time.Hour)
		s.meter.Inject(sim.Fault{Kind: sim.FaultRolledOver, Times: 1, Skip: skip, Value: 5})
		if _, err := s.retrieve("hist1"); err != nil {
			t.Logf("moved at request %d: %v", skip, err)
		}
		s.meter.ClearFaults()
		s.now.Add(5 * time.Minute)
		s.must("hist1")
		s.sameAs(clean)
		if t.Failed() {
			t.Fatalf("the memory moved at request %d", skip)
		}
	}
}

func TestNotAllowedToWriteElsewhere(t *testing.T) { eachFamily(t, notAllowedToWriteElsewhere) }

func notAllowedToWriteElsewhere(t *testing.T, kind sim.Kind) {
	s := newSite(t, sim.Config{Kind: kind, History: 5 * time.Hour})
	s.all()
	for addr := range s.meter.Counters().Writes {
		if !slices.Contains(s.profile.WriteList(), addr) || kind == sim.Shark200 && (addr < 0xC34F || addr > 0xC352) {
			t.Errorf("register %#04x was written", addr)
		}
	}
}

// TestClockSetBackByOneInterval: a clock set back just so far that a log writes the same moment
// again makes two records of two runs; in one run the uploader would take them for one interval.
func TestClockSetBackByOneInterval(t *testing.T) { eachFamily(t, clockSetBackByOneInterval) }

func clockSetBackByOneInterval(t *testing.T, kind sim.Kind) {
	s := newSite(t, sim.Config{Kind: kind, Seed: 200, History: 12 * 24 * time.Hour, Zone: "America/New_York"})
	s.must("hist2")
	log, _ := s.profile.LogOf("hist2")
	pairs, raws := 0, s.raws(logdb.KindHistorical, log.Log)
	for i := 1; i < len(raws); i++ {
		a, b := raws[i-1], raws[i]
		if b.Time > a.Time {
			continue
		}
		if b.Run != a.Run+1 {
			t.Errorf("records %d and %d: %v of run %d, then %v of run %d", i-1, i, a.Time, a.Run, b.Time, b.Run)
		}
		if b.Time == a.Time {
			pairs++
		}
	}
	if pairs == 0 {
		t.Fatal("no moment stands twice in the log: the test shows nothing")
	}
	noted := 0
	for _, e := range s.events(logdb.KindSystem, false) {
		if e.System != nil && strings.Contains(e.System.Description, "stepped back") {
			noted++
		}
	}
	if noted == 0 {
		t.Error("no system event tells of the step")
	}
}
