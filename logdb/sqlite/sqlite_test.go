package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqlite"
)

func open(t testing.TB, cfg logdbtest.Config) logdb.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(cfg.Path, "logs.db"), sqlite.Config{Now: cfg.Now, NewJournalID: cfg.NewJournalID})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	logdbtest.Run(t, open)
}

func TestAgainstModel(t *testing.T) {
	t.Parallel()
	n := 30
	if testing.Short() {
		n = 8
	}
	logdbtest.RunRandom(t, open, logdbtest.Seeds(1, n)...)
}
