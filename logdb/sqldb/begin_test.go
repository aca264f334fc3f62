package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/sqldbtest"
)

// TestBeginThatFails: a connection on which a write could not begin, since the server had ended it or the wait for another writer was given up,
// is in nobody's way: the next write begins anew, on its own, and is stored.
func TestBeginThatFails(t *testing.T) {
	t.Parallel()
	ctx, place := t.Context(), sqldbtest.Postgres(t)
	db, other := openPostgres(t, place, sqldb.Config{}), openPostgres(t, place, sqldb.Config{})
	migrated(t, db, "CREATE TABLE x (a INTEGER) STRICT")
	pid := 0
	insert := func(of *sqldb.DB, ctx context.Context, n int) error {
		return of.Write(ctx, func(tx *sql.Tx) error {
			if err := tx.QueryRow("SELECT pg_backend_pid()").Scan(&pid); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO x VALUES (?)", n)
			return err
		})
	}
	until := func(query string) {
		t.Helper()
		for n := 0; n == 0; {
			if err := other.Read().QueryRowContext(ctx, query).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := insert(db, ctx, 1); err != nil {
		t.Fatal(err)
	}
	ended := pid
	until(fmt.Sprintf("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = %d", ended))
	until(fmt.Sprintf("SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = %d) THEN 0 ELSE 1 END", ended))
	if err := insert(db, ctx, 2); err != nil || pid == ended {
		t.Errorf("a write after the connection was ended: %v, on connection %d after %d", err, pid, ended)
	}
	// Another writer is at work: who waits for it gives up.
	err := other.Write(ctx, func(tx *sql.Tx) error {
		holder := 0
		if err := tx.QueryRow("SELECT pg_backend_pid()").Scan(&holder); err != nil {
			return err
		}
		waiting, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- insert(db, waiting, 3) }()
		until(fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE %d = ANY (pg_blocking_pids(pid))", holder))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a write that was given up: %v", err)
		}
		_, err := tx.Exec("INSERT INTO x VALUES (4)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := insert(db, ctx, 5); err != nil {
		t.Errorf("a write after one that was given up: %v", err)
	}
	if got := count(t, other, "SELECT sum(a) FROM x"); got != 1+2+4+5 {
		t.Errorf("rows sum up to %d, want 12", got)
	}
}
