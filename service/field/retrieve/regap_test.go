package retrieve_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// gaps lists the gaps of a kind as they are told now, without the manager's own words.
func (s *site) gaps(kind logdb.Kind) string {
	s.t.Helper()
	var out []string
	err := s.store.ReadEvents(s.t.Context(), logdb.EventQuery{Meter: uid, Kind: kind, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
		if e.Time != e.Gap.From {
			s.t.Errorf("a gap from %s stands at %s", e.Gap.From, e.Time)
		}
		out = append(out, fmt.Sprintf("log %d, %s to %s: %s", e.Log, e.Gap.From, e.Gap.To, e.Gap.Cause))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// TestGapsMoveWithTheZone: a gap lies between two records, so a zone that is put right moves it as it moves them; one
// that was lost under the wrong zone is told of at its own time.
func TestGapsMoveWithTheZone(t *testing.T) {
	t.Parallel()
	cfg := sim.Config{Zone: "America/New_York", History: 5 * time.Hour}
	right, s := newSQLite(t, cfg), newSQLite(t, cfg).inZone("Asia/Kathmandu")
	for _, x := range []*site{right, s} {
		x.all()
		x.advance(90 * time.Minute) // none of this is retrieved
		if err := x.meter.Reprogram(sim.LogHist1, 5*time.Minute, "readings.frequency", "energy.total.wh.received"); err != nil {
			t.Fatal(err)
		}
		x.advance(time.Hour)
		x.all()
		if err := x.meter.ResetLog(sim.LogSystem); err != nil {
			t.Fatal(err)
		}
		x.advance(time.Hour)
		x.all()
	}
	kinds := []logdb.Kind{logdb.KindHistorical, logdb.KindSystem}
	for _, k := range kinds {
		if want, got := right.gaps(k), s.gaps(k); want == "" || got == want || strings.Count(got, "\n") != strings.Count(want, "\n") {
			t.Fatalf("%s: gaps under the wrong zone:\n%s\nunder the right one:\n%s", k, got, want)
		}
	}
	s.inZone("America/New_York")
	s.redecode(false)
	for _, k := range kinds {
		if want, got := right.gaps(k), s.gaps(k); got != want {
			t.Errorf("%s: after the correction:\n%s\nwant:\n%s", k, got, want)
		}
	}
	head, err := s.store.Journal(t.Context(), uid, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	s.redecode(false)
	if again, err := s.store.Journal(t.Context(), uid, logdb.KindHistorical); err != nil || again.End != head.End {
		t.Errorf("decoding once more entered %d positions, %v", again.End-head.End, err)
	}
	// Back to the wrong one, as an installer does who was right before: the same gaps, elsewhere.
	s.inZone("Asia/Kathmandu")
	s.redecode(false)
	if want, got := right.gaps(logdb.KindHistorical), s.gaps(logdb.KindHistorical); got == want || strings.Count(got, "\n") != strings.Count(want, "\n") {
		t.Errorf("under the wrong zone again:\n%s", got)
	}
}
