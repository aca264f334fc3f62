package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"metermanager/logdb/sqldb"
)

func open(t *testing.T, path string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(context.Background(), path, sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func files(texts ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i, text := range texts {
		out[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func count(t *testing.T, db *sqldb.DB, query string) int {
	t.Helper()
	var n int
	if err := db.Read().QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSettings(t *testing.T) {
	t.Parallel()
	// A name that would end an address, were it not escaped.
	path := filepath.Join(t.TempDir(), "a b?c#d%20é.db")
	db := open(t, path)
	if err := db.Write(context.Background(), func(tx *sql.Tx) error {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "auto_vacuum": "2", "busy_timeout": "10000",
		} {
			var got string
			if err := tx.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
		}
		_, err := tx.Exec("CREATE TABLE x (a INTEGER) STRICT")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Read().Exec("INSERT INTO x VALUES (1)"); err == nil {
		t.Error("a reading connection wrote")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestWriteLeavesNothingOnError(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := context.Background()
	if err := db.Migrate(ctx, "x", files("CREATE TABLE x (a INTEGER) STRICT")); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO x VALUES (1)"); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || count(t, db, "SELECT count(*) FROM x") != 0 {
		t.Errorf("err %v, rows %d", err, count(t, db, "SELECT count(*) FROM x"))
	}
	canceled, cancel := context.WithCancel(ctx)
	err = db.Write(canceled, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO x VALUES (1)"); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || count(t, db, "SELECT count(*) FROM x") != 0 {
		t.Errorf("canceled: err %v, rows %d", err, count(t, db, "SELECT count(*) FROM x"))
	}
}

func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := context.Background()
	if err := db.Migrate(ctx, "x", files("CREATE TABLE x (a INTEGER) STRICT; INSERT INTO x VALUES (0)")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := db.Write(ctx, func(tx *sql.Tx) error {
				var a int
				if err := tx.QueryRow("SELECT a FROM x").Scan(&a); err != nil {
					return err
				}
				_, err := tx.Exec("UPDATE x SET a = ?", a+1)
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := count(t, db, "SELECT a FROM x"); got != 16 {
		t.Errorf("%d of 16 increments", got)
	}
}

func TestSnapshotSeesOneState(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := context.Background()
	if err := db.Migrate(ctx, "x", files("CREATE TABLE x (a INTEGER) STRICT")); err != nil {
		t.Fatal(err)
	}
	err := db.Snapshot(ctx, func(tx *sql.Tx) error {
		var before, after int
		if err := tx.QueryRow("SELECT count(*) FROM x").Scan(&before); err != nil {
			return err
		}
		if err := db.Write(ctx, func(w *sql.Tx) error { _, err := w.Exec("INSERT INTO x VALUES (1)"); return err }); err != nil {
			return err
		}
		if err := tx.QueryRow("SELECT count(*) FROM x").Scan(&after); err != nil {
			return err
		}
		if before != 0 || after != 0 {
			t.Errorf("rows %d, then %d", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadRow: a query that is asked often answers from what is stored at that moment, also when the table became another one.
func TestReadRow(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	do := func(query string, args ...any) {
		t.Helper()
		if err := db.Write(ctx, func(tx *sql.Tx) error { _, err := tx.Exec(query, args...); return err }); err != nil {
			t.Fatal(err)
		}
	}
	read := func(ctx context.Context) (v string, err error) {
		err = db.ReadRow(ctx, "SELECT v FROM x WHERE id = @id", sql.Named("id", 7)).Scan(&v)
		return v, err
	}
	if _, err := read(ctx); err == nil {
		t.Error("a table that is not there was read")
	}
	do("CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT)")
	for _, want := range []string{"a", "b", "c"} {
		do("INSERT INTO x VALUES (7, ?) ON CONFLICT (id) DO UPDATE SET v = excluded.v", want)
		if got, err := read(ctx); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
	do("ALTER TABLE x ADD COLUMN more TEXT")
	if got, err := read(ctx); err != nil || got != "c" {
		t.Errorf("%q %v behind a change of the table", got, err)
	}
	do("DELETE FROM x")
	if _, err := read(ctx); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("%v for a row that is gone", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := read(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("%v when nobody waits", err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := context.Background()
	if err := db.Migrate(ctx, "x", files("CREATE TABLE x (a BLOB) STRICT")); err != nil {
		t.Fatal(err)
	}
	err := db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("PRAGMA max_page_count = 10"); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO x VALUES (zeroblob(1000000))")
		return err
	})
	if !errors.Is(err, sqldb.ErrFull) {
		t.Errorf("err %v, want ErrFull", err)
	}
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, make([]byte, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqldb.Open(context.Background(), path, sqldb.Config{}); !errors.Is(err, sqldb.ErrDamaged) {
		t.Errorf("err %v, want ErrDamaged", err)
	}
	if _, err := sqldb.Open(context.Background(), filepath.Join(t.TempDir(), "no", "x.db"), sqldb.Config{}); err == nil {
		t.Error("opened a database in a folder that is not there")
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, path)
	ctx := context.Background()
	one := "CREATE TABLE x (a INTEGER) STRICT; INSERT INTO x VALUES (1);"
	two := "ALTER TABLE x ADD COLUMN b INTEGER;"
	for range 2 { // the second time does nothing
		if err := db.Migrate(ctx, "x", files(one)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Migrate(ctx, "x", files(one, two)); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx, "y", files("CREATE TABLE y (a INTEGER) STRICT")); err != nil {
		t.Fatal(err)
	}
	if got := count(t, db, "SELECT count(*) FROM migration"); got != 3 {
		t.Errorf("%d migrations noted, want 3", got)
	}
	if err := db.Migrate(ctx, "x", files(one)); !errors.Is(err, sqldb.ErrNewer) {
		t.Errorf("older program: %v, want ErrNewer", err)
	}
	// A step that fails takes the steps before it back.
	if err := db.Migrate(ctx, "z", files("CREATE TABLE z (a INTEGER) STRICT", "nonsense")); err == nil {
		t.Error("nonsense was applied")
	}
	if got := count(t, db, "SELECT count(*) FROM sqlite_master WHERE name = 'z'"); got != 0 {
		t.Error("half a migration stayed")
	}
	if err := db.Migrate(ctx, "x", fstest.MapFS{"2_x.sql": {}}); err == nil {
		t.Error("a file with a bad number was taken")
	}
}
