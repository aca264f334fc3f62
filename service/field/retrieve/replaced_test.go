package retrieve_test

import (
	"bytes"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// TestReplacedMeter: another meter answers at the address. Its records come behind a gap that says so, in a
// generation of their own; every record of both stands there once.
func TestReplacedMeter(t *testing.T) {
	t.Parallel()
	cfg := sim.Config{Seed: 7, Start: time.Date(2026, 11, 19, 6, 0, 0, 0, time.UTC)}
	s := newSite(t, cfg)
	s.must("hist1")
	var want [][]byte
	memory := func(m *sim.Meter) {
		for r, err := range m.Records(sim.LogHist1) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, r.Raw)
		}
	}
	memory(s.meter)
	first := len(want)
	cfg.Seed, cfg.Start = 11, time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	other := newSite(t, cfg)
	s.meter, s.conn = other.meter, other.conn
	s.now, other.now = other.now, s.now
	s.advance(3 * time.Hour)
	out := s.must("hist1")
	memory(s.meter)
	if out.Gap != logdb.GapReplaced {
		t.Errorf("%+v, want a replaced meter", out)
	}
	raws := s.raws(logdb.KindHistorical, 0)
	if len(raws) != len(want) {
		t.Fatalf("%d records stored, the two meters have %d", len(raws), len(want))
	}
	for i, raw := range raws {
		if generation := uint32(0); !bytes.Equal(raw.Bytes, want[i]) || i >= first && raw.Generation != 1 || i < first && raw.Generation != generation {
			t.Fatalf("record %d of generation %d is % x, want % x", i, raw.Generation, raw.Bytes[:6], want[i][:6])
		}
	}
	gaps := s.events(logdb.KindHistorical, true)
	if len(gaps) != 1 || gaps[0].Gap.Cause != logdb.GapReplaced || gaps[0].Gap.Detail != "serial SIM0000000000011 instead of SIM0000000000007" {
		t.Errorf("gaps %+v", gaps)
	}
	// The old meter recorded until it was taken away, whenever the other one's memory begins.
	if last := raws[len(raws)-1].Time; gaps[0].Gap.To < last {
		t.Errorf("the gap ends at %v, the other meter was seen after %v", gaps[0].Gap.To, last)
	}
	if again := s.must("hist1"); again.Records != 0 || len(s.events(logdb.KindHistorical, true)) != 1 {
		t.Errorf("a further retrieval: %+v", again)
	}
}

// TestReplacedByItsLike: the memory of the meter that took another one's place is as long and its newest record as old. It is read all
// the same, and then not again. (The Nexus does not tell its serial number.)
func TestReplacedByItsLike(t *testing.T) {
	t.Parallel()
	cfg := sim.Config{Seed: 7, Start: time.Date(2026, 11, 19, 6, 0, 0, 0, time.UTC), MaxRecords: map[int]int{sim.LogHist2: 30}}
	s := newSite(t, cfg)
	quietly := func() retrieve.Outcome {
		log, _ := s.profile.LogOf("hist2")
		st := s.states["hist2"]
		out, err := s.reader().Log(t.Context(), s.target(), log, &st, false)
		if err != nil {
			t.Fatal(err)
		}
		s.states["hist2"] = st
		return out
	}
	first, before := quietly().Records, s.states["hist2"]
	if again := quietly().Records; first == 0 || again != 0 {
		t.Fatalf("%d records, then %d", first, again)
	}
	cfg.Seed = 11
	other := newSite(t, cfg)
	s.meter, s.conn, s.now = other.meter, other.conn, other.now
	if out := quietly(); out.Records != first || out.Gap != logdb.GapReplaced {
		t.Errorf("%+v of the other meter, want %d records behind a gap", out, first)
	}
	if now := s.states["hist2"]; now.Used != before.Used || now.Max != before.Max || now.LastStamp != before.LastStamp {
		t.Errorf("%+v and %+v differ: the test tests nothing", now, before)
	}
	if again := quietly().Records; again != 0 {
		t.Errorf("%d records once more", again)
	}
}
