package sqldb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/sqldbtest"
)

// both opens an SQLite and a PostgreSQL database, which must do the same.
func both(t *testing.T, check func(t *testing.T, db *sqldb.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		check(t, open(t, t.TempDir()+"/x.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		check(t, openPostgres(t, sqldbtest.Postgres(t), sqldb.Config{}))
	})
}

func openPostgres(t testing.TB, place string, cfg sqldb.Config) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(context.Background(), place, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func migrated(t *testing.T, db *sqldb.DB, texts ...string) {
	t.Helper()
	if err := db.Migrate(t.Context(), "x", files(texts...)); err != nil {
		t.Fatal(err)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrated(t, db, `CREATE TABLE x (id INTEGER PRIMARY KEY, i INTEGER, f REAL, s TEXT, b BLOB, y INTEGER) STRICT`)
		long := strings.Repeat("é", 5000)
		rows := []struct {
			i any
			f any
			s any
			b []byte
			y bool
		}{
			{int64(math.MinInt64), math.Inf(1), "", []byte{}, true},
			{int64(math.MaxInt64), 0.1, "a\x00b\xff", []byte{0, 1, 255}, false},
			{nil, nil, nil, nil, true},
			{-1, math.SmallestNonzeroFloat64, long, bytes.Repeat([]byte{7}, 100_000), false},
		}
		if err := db.Write(ctx, func(tx *sql.Tx) error {
			for n, r := range rows {
				var id int
				if err := tx.QueryRowContext(ctx, "INSERT INTO x (i, f, s, b, y) VALUES (?, ?, ?, ?, ?) RETURNING id", r.i, r.f, r.s, r.b, r.y).Scan(&id); err != nil {
					return err
				}
				if id != n+1 {
					t.Errorf("row %d got number %d", n, id)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		got, err := db.Read().QueryContext(ctx, "SELECT i, f, s, b, b IS NULL, y FROM x WHERE id > @after ORDER BY id", sql.Named("after", 0))
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		n := 0
		for ; got.Next(); n++ {
			var i sql.NullInt64
			var f sql.NullFloat64
			var s sql.NullString
			var b []byte
			var none, y bool
			if err := got.Scan(&i, &f, &s, &b, &none, &y); err != nil {
				t.Fatal(err)
			}
			r := rows[n]
			if i.Valid != (r.i != nil) || i.Valid && fmt.Sprint(i.Int64) != fmt.Sprint(r.i) {
				t.Errorf("row %d: i %v, want %v", n, i, r.i)
			}
			if f.Valid && math.Float64bits(f.Float64) != math.Float64bits(r.f.(float64)) || f.Valid != (r.f != nil) {
				t.Errorf("row %d: f %v, want %v", n, f, r.f)
			}
			if s.Valid && s.String != r.s || s.Valid != (r.s != nil) {
				t.Errorf("row %d: s %q, want %q", n, s.String, r.s)
			}
			if !bytes.Equal(b, r.b) || none != (r.b == nil) || y != r.y {
				t.Errorf("row %d: b %d bytes, y %v", n, len(b), y)
			}
		}
		if err := got.Err(); err != nil || n != len(rows) {
			t.Fatalf("%d rows, %v", n, err)
		}
		var sum int64
		var has bool
		if err := db.Read().QueryRowContext(ctx, "SELECT sum(y), EXISTS (SELECT 1 FROM x WHERE b = x'0001ff') FROM x WHERE ? OR id < ?", true, 0).Scan(&sum, &has); err != nil || sum != 2 || !has {
			t.Errorf("sum %d, has %v, %v", sum, has, err)
		}
	})
}

// Text sorts by its bytes, whatever the server's language is.
func TestTextOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrated(t, db, `CREATE TABLE x (s TEXT PRIMARY KEY) STRICT; INSERT INTO x VALUES ('b'), ('B'), ('a'), ('é'), ('_'), ('a b'), ('ab')`)
		rows, err := db.Read().QueryContext(ctx, "SELECT s || ':' FROM x ORDER BY s || ':'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
		if want := "B: _: a b: a: ab: b: é:"; strings.Join(got, " ") != want {
			t.Errorf("order %q, want %q", got, want)
		}
	})
}

// While rows are read, other statements of the same transaction run.
func TestNestedStatements(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrated(t, db, `CREATE TABLE x (id INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT; CREATE TABLE y (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT`)
		const many = 700 // more than come at once
		if err := db.Write(ctx, func(tx *sql.Tx) error {
			for i := range many {
				if _, err := tx.ExecContext(ctx, "INSERT INTO x (id, b) VALUES (?, ?)", i+1, []byte(fmt.Sprint(i+1))); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(ctx, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT id, b FROM x ORDER BY id")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id int
				var b sql.RawBytes
				if err := rows.Scan(&id, &b); err != nil {
					return err
				}
				var n int
				if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM x WHERE id <= ?", id).Scan(&n); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, "INSERT INTO y (id, n) VALUES (?, ?)", id, n); err != nil {
					return err
				}
				if string(b) != fmt.Sprint(n) {
					return fmt.Errorf("row %d changed to %q while others were read", n, b)
				}
			}
			return rows.Err()
		}); err != nil {
			t.Fatal(err)
		}
		if got := count(t, db, "SELECT count(*) FROM y WHERE id = n"); got != many {
			t.Errorf("%d of %d rows", got, many)
		}
	})
}

func TestExists(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		migrated(t, db, `CREATE TABLE x (id INTEGER PRIMARY KEY, s TEXT NOT NULL UNIQUE) STRICT; INSERT INTO x VALUES (1, 'a')`)
		for _, query := range []string{"INSERT INTO x VALUES (2, 'a')", "INSERT INTO x VALUES (1, 'b')"} {
			err := db.Write(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, query)
				if !sqldb.Exists(err) {
					t.Errorf("inside: %v", err)
				}
				return err
			})
			if !errors.Is(err, sqldb.ErrExists) {
				t.Errorf("%s: %v, want ErrExists", query, err)
			}
		}
		if err := db.Write(ctx, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, "SELECT nothing"); return err }); err == nil || sqldb.Exists(err) {
			t.Errorf("err %v", err)
		}
	})
}

// Two processes write to one database in turns, and each notices that the other has written.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %v", late), func(t *testing.T) {
			t.Parallel()
			ctx, place := t.Context(), sqldbtest.Postgres(t)
			a, b := openPostgres(t, place, sqldb.Config{LateErrors: late}), openPostgres(t, place, sqldb.Config{LateErrors: late})
			migrated(t, a, "CREATE TABLE x (a INTEGER) STRICT; INSERT INTO x VALUES (0)")
			migrated(t, b, "CREATE TABLE x (a INTEGER) STRICT; INSERT INTO x VALUES (0)")
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					if err := []*sqldb.DB{a, b}[i%2].Write(ctx, func(tx *sql.Tx) error {
						var n int
						if err := tx.QueryRow("SELECT a FROM x").Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec("UPDATE x SET a = ?", n+1)
						return err
					}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := count(t, a, "SELECT a FROM x"); got != 40 {
				t.Errorf("%d of 40 increments", got)
			}
			version := func(db *sqldb.DB) (v int64) {
				if err := db.Write(ctx, func(tx *sql.Tx) (err error) { v, err = db.Version(ctx, tx); return err }); err != nil {
					t.Fatal(err)
				}
				return v
			}
			first := version(a)
			if again := version(a); again != first {
				t.Errorf("version %d, then %d, and nobody else wrote", first, again)
			}
			boom := errors.New("boom")
			if err := a.Write(ctx, func(*sql.Tx) error { return boom }); !errors.Is(err, boom) {
				t.Fatal(err)
			}
			if again := version(a); again != first {
				t.Errorf("version %d, then %d after a write that left nothing", first, again)
			}
			_ = version(b)
			if after := version(a); after == first {
				t.Error("the other's write was not noticed")
			}
		})
	}
}

// With late errors, Write tells what a statement did not.
func TestLateErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := openPostgres(t, sqldbtest.Postgres(t), sqldb.Config{LateErrors: true})
	migrated(t, db, "CREATE TABLE x (a INTEGER PRIMARY KEY) STRICT; INSERT INTO x VALUES (1)")
	for name, last := range map[string]func(*sql.Tx) error{
		"at the commit": func(*sql.Tx) error { return nil },
		"by a query":    func(tx *sql.Tx) error { var n int; return tx.QueryRow("SELECT count(*) FROM x").Scan(&n) },
	} {
		err := db.Write(ctx, func(tx *sql.Tx) error {
			for i := range 250 {
				if _, err := tx.Exec("INSERT INTO x VALUES (?)", i+2); err != nil {
					return err
				}
			}
			if _, err := tx.Exec("INSERT INTO x VALUES (1)"); err != nil {
				return err
			}
			return last(tx)
		})
		if !errors.Is(err, sqldb.ErrExists) {
			t.Errorf("%s: %v, want ErrExists", name, err)
		}
		if got := count(t, db, "SELECT count(*) FROM x"); got != 1 {
			t.Errorf("%s: %d rows, want 1", name, got)
		}
	}
}

// A server that ends connections is not noticed by who reads, nor by who begins to write; a write in progress fails whole.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	ctx, place := t.Context(), sqldbtest.Postgres(t)
	db, other := openPostgres(t, place, sqldb.Config{}), openPostgres(t, place, sqldb.Config{})
	migrated(t, db, "CREATE TABLE x (a INTEGER) STRICT")
	const ours = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE ?"
	end := func(like string) {
		t.Helper()
		var n int
		if err := other.Read().QueryRowContext(ctx, ours, like).Scan(&n); err != nil || n == 0 {
			t.Fatalf("ended %d connections, %v", n, err)
		}
	}
	mark := fmt.Sprintf("%%%p%%", t)
	if got := count(t, db, "SELECT count(*) FROM x /*"+mark+"*/"); got != 0 {
		t.Fatal(got)
	}
	end(mark)
	if got := count(t, db, "SELECT count(*) FROM x"); got != 0 {
		t.Fatal(got)
	}
	err := db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO x VALUES (1) /*" + mark + "*/"); err != nil {
			return err
		}
		end(mark)
		_, err := tx.Exec("INSERT INTO x VALUES (2)")
		return err
	})
	if !errors.Is(err, sqldb.ErrLost) || !db.Aborts(err) {
		t.Errorf("err %v, want ErrLost", err)
	}
	if err := db.Write(ctx, func(tx *sql.Tx) error { _, err := tx.Exec("INSERT INTO x VALUES (3)"); return err }); err != nil {
		t.Fatal(err)
	}
	if got := count(t, db, "SELECT sum(a) FROM x"); got != 3 {
		t.Errorf("rows sum up to %d, want 3", got)
	}
	// The commit itself: the server is asked what became of it.
	err = db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO x VALUES (4) /*" + mark + "*/"); err != nil {
			return err
		}
		end(mark)
		return nil
	})
	if !errors.Is(err, sqldb.ErrLost) || count(t, db, "SELECT sum(a) FROM x") != 3 {
		t.Errorf("err %v, want ErrLost and nothing stored", err)
	}
}

func TestCanceledRead(t *testing.T) {
	t.Parallel()
	db := openPostgres(t, sqldbtest.Postgres(t), sqldb.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Snapshot(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT generate_series(1, 100000)")
		if err != nil {
			return err
		}
		defer rows.Close()
		for n := 0; rows.Next(); n++ {
			if n == 40 {
				cancel()
			}
		}
		return rows.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err %v, want canceled", err)
	}
	if got := count(t, db, "SELECT 1"); got != 1 {
		t.Error("nothing can be read after it")
	}
}

func TestPostgresRefuses(t *testing.T) {
	t.Parallel()
	place := sqldbtest.Postgres(t)
	db := openPostgres(t, place, sqldb.Config{})
	if _, err := db.Read().Exec("CREATE TABLE x (a INTEGER)"); err == nil {
		t.Error("a reading connection wrote")
	}
	if _, err := sqldb.Open(t.Context(), strings.Replace(place, "/postgres?", "/nosuch?", 1), sqldb.Config{}); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("a database that is not there: %v", err)
	}
	if _, err := sqldb.Open(t.Context(), place+"2", sqldb.Config{ReadOnly: true}); !errors.Is(err, sqldb.ErrOlder) {
		t.Errorf("nothing to read: %v", err)
	}
	for _, bad := range []string{"postgres://h/d?schema=a%22b", "postgres://h/d?schema=Upper", "postgres://h:port/d", "postgres://h/d?sslmode=maybe"} {
		if err := sqldb.CheckPostgres(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestHidePassword(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]string{
		"postgres://u@h/d":                   "postgres://u@h/d",
		"postgres://u:sec%40ret@h:1/d?a=b":   "postgres://u:***@h:1/d?a=b",
		"postgres://h/d?password=secret&x=1": "postgres://h/d?password=%2A%2A%2A&x=1",
		"postgres://u:sec ret@h:port/d":      "postgres://***",
	} {
		if got := sqldb.HidePassword(place); got != want || strings.Contains(got, "ret") {
			t.Errorf("%s is shown as %s, want %s", place, got, want)
		}
	}
}
