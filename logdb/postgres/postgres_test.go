package postgres_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/logdb/sqlite"
)

// places remembers the address of the store of each folder, so that it can be opened again.
var places sync.Map

func place(t testing.TB, folder string) string {
	t.Helper()
	if known, ok := places.Load(folder); ok {
		return known.(string)
	}
	address := sqldbtest.Postgres(t)
	places.Store(folder, address)
	return address
}

func open(t testing.TB, cfg logdbtest.Config) logdb.Store {
	t.Helper()
	s, err := postgres.Open(context.Background(), place(t, cfg.Path), filepath.Join(cfg.Path, "archive"), sqlite.Config{Now: cfg.Now, NewJournalID: cfg.NewJournalID})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sqldbtest.Postgres(t) // skips all of it at once
	logdbtest.Run(t, open)
}

func TestAgainstModel(t *testing.T) {
	t.Parallel()
	sqldbtest.Postgres(t)
	n := 30
	if testing.Short() {
		n = 8
	}
	logdbtest.RunRandom(t, open, logdbtest.Seeds(1, n)...)
}
