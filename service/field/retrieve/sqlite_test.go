package retrieve_test

import (
	"path/filepath"
	"testing"
	"time"

	"metermanager/logdb/sqlite"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// What the real store gives back for alignment is what the model gives.
func TestOverSQLite(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)
	want := newSite(t, sim.Config{Start: start})
	want.now.Add(6 * time.Hour)
	want.all()
	s := newSite(t, sim.Config{Start: start})
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for round := range 4 {
		began, records := time.Now(), 0
		for _, name := range s.logs() {
			l, _ := s.profile.LogOf(name)
			st := s.states[l.Name]
			if round == 2 {
				st = retrieve.LogState{}
			}
			r := &retrieve.Reader{Store: store, Now: s.now.Now}
			out, err := r.Log(t.Context(), s.target(), l, &st, true)
			if err != nil {
				t.Fatalf("%s: %v", l.Name, err)
			}
			records += out.Records
			s.states[l.Name] = st
		}
		t.Logf("round %d: %d records in %v", round, records, time.Since(began))
		if err := store.Compact(t.Context(), uid); err != nil {
			t.Fatal(err)
		}
		s.now.Add(2 * time.Hour)
	}
	for _, l := range s.profile.Logs {
		if l.Name == "system" {
			continue
		}
		got, err := store.LastRaw(t.Context(), uid, l.LogKind(), l.Log, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		b := want.raws(l.LogKind(), l.Log)
		if len(got) != len(b) {
			t.Errorf("%s: %d raw records, want %d", l.Name, len(got), len(b))
			continue
		}
		for i := range got {
			if string(got[i].Bytes) != string(b[i].Bytes) || got[i].Time != b[i].Time || got[i].Run != b[i].Run {
				t.Errorf("%s: record %d differs", l.Name, i)
				break
			}
		}
	}
}
