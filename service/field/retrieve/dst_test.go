package retrieve_test

import (
	"bytes"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// TestEveryRecordAcrossChanges accounts for every record of a meter's memory around both changes of
// daylight time, retrieved in pieces: none lost, none doubled, each at the instant of the meter's clock.
func TestEveryRecordAcrossChanges(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]time.Time{ // in UTC
		"Europe/Berlin":       {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
		"America/New_York":    {time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
		"Australia/Lord_Howe": {time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
		"Asia/Kolkata":        {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
	} {
		for _, change := range changes {
			t.Run(name+" "+change.Format(time.DateOnly), func(t *testing.T) {
				t.Parallel()
				// A day before, so that the first day's step of the simulated clock stands apart.
				s := newSite(t, sim.Config{Zone: name, Start: change.Add(-30 * time.Hour)}).inZone(name)
				s.now.Add(change.Add(-40 * time.Minute).Sub(s.now.Now()))
				for range 6 {
					s.advance(31 * time.Minute)
					s.must("hist1")
				}
				raws, i, crossed := s.raws(logdb.KindHistorical, 0), 0, 0
				for r, err := range s.meter.Records(sim.LogHist1) {
					if err != nil {
						t.Fatal(err)
					}
					if i >= len(raws) || !bytes.Equal(raws[i].Bytes, r.Raw) || !raws[i].Time.Time().Equal(r.Time) {
						t.Fatalf("record %d of %d: stored %v, the meter wrote % x at %v", i, len(raws), raws[min(i, len(raws)-1)].Time, r.Raw[:6], r.Time)
					}
					if r.True.After(change.Add(-time.Hour)) && r.True.Before(change.Add(time.Hour)) {
						crossed++
					}
					i++
				}
				if i != len(raws) || crossed < 100 {
					t.Errorf("%d records stored, the meter has %d; %d around the change", len(raws), i, crossed)
				}
				if gaps := s.events(logdb.KindHistorical, true); len(gaps) != 0 {
					t.Errorf("gaps %+v", gaps)
				}
			})
		}
	}
}
