package simdisk_test

import (
	"bytes"
	"database/sql"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/simdisk"
)

// step is a transaction: puts and deletions (empty values).
type step map[int64]string

func randomStep(rng *rand.Rand) step {
	out := step{}
	for range 1 + rng.IntN(6) {
		k := int64(rng.IntN(60))
		if out[k] = ""; rng.IntN(4) > 0 {
			out[k] = string(bytes.Repeat([]byte{byte(rng.IntN(256))}, 1+rng.IntN(9000)))
		}
	}
	return out
}

func (s step) run(tx *sql.Tx) error {
	for k, v := range s {
		query, args := "DELETE FROM t WHERE k = ?", []any{k}
		if v != "" {
			query, args = "INSERT OR REPLACE INTO t (k, v) VALUES (?, ?)", []any{k, []byte(v)}
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

func (s step) apply(to map[int64]string) map[int64]string {
	out := map[int64]string{}
	for k, v := range to {
		out[k] = v
	}
	for k, v := range s {
		if out[k] = v; v == "" {
			delete(out, k)
		}
	}
	return out
}

func equal(a, b map[int64]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// life runs random transactions until the power goes and returns what must be there afterwards: one of two
// states, before and after the transaction that was not answered.
func life(t testing.TB, rng *rand.Rand, d *simdisk.Disk, path string, held map[int64]string) (before, after map[int64]string) {
	t.Helper()
	crashed := d.CrashAfter(1 + rng.Int64N(400))
	db, err := sqldb.Open(ctx, path, sqldb.Config{VFS: d.VFS(), Readers: 2, CacheBytes: 1 << 20})
	if err == nil {
		defer db.Close()
		err = migrate(db)
	}
	if err != nil {
		select {
		case <-crashed:
			return held, held
		default:
			t.Fatal(err)
		}
	}
	for range 60 {
		s := randomStep(rng)
		err := db.Write(ctx, s.run)
		if err != nil {
			select {
			case <-crashed:
				return held, s.apply(held)
			default:
				t.Fatal(err)
			}
		}
		held = s.apply(held)
		if rng.IntN(15) == 0 {
			if err := db.Vacuum(ctx, 50); err != nil {
				break
			}
		}
		if rng.IntN(15) == 0 { // the WAL goes back into the file
			if _, err := db.Read().Exec("PRAGMA query_only = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA query_only = 1"); err != nil {
				break
			}
		}
	}
	if err := d.Crash(); err != nil {
		t.Fatal(err)
	}
	return held, held
}

// TestCrashes has SQLite itself judge the disk: what was committed is there after any crash, whole.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"memory", "folder"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			seeds := map[string]uint64{"memory": 60, "folder": 15}
			for seed := range seeds[kind] {
				cfg := simdisk.Config{Seed: seed}
				if kind == "folder" {
					cfg.Folder = t.TempDir()
				}
				crashes(t, cfg)
			}
		})
	}
}

func crashes(t *testing.T, cfg simdisk.Config) {
	rng := rand.New(rand.NewPCG(cfg.Seed, 1))
	d := newDisk(t, cfg)
	held := map[int64]string{}
	for i := range 6 {
		before, after := life(t, rng, d, where(cfg), held)
		if rng.IntN(3) == 0 { // once more, while SQLite repairs
			d.CrashAfter(1 + rng.Int64N(20))
			if db, err := sqldb.Open(ctx, where(cfg), sqldb.Config{VFS: d.VFS()}); err == nil {
				_ = db.Close()
			}
			if err := d.Crash(); err != nil {
				t.Fatal(err)
			}
		}
		db := openDB(t, d, where(cfg))
		held = content(t, db.Read())
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if !equal(held, before) && !equal(held, after) {
			t.Fatalf("seed %d, life %d: %d rows are there, want %d or %d, or others", cfg.Seed, i, len(held), len(before), len(after))
		}
	}
}

// TestNotSynced shows that the disk does lose: without syncs, commits are gone after a crash.
func TestNotSynced(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"memory", "folder"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			lost := 0
			for seed := range uint64(20) {
				cfg := simdisk.Config{Seed: seed}
				if kind == "folder" {
					cfg.Folder = t.TempDir()
				}
				d := newDisk(t, cfg)
				db := openDB(t, d, where(cfg))
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				if notSynced(t, d, where(cfg)) {
					lost++
				}
			}
			if lost < 5 {
				t.Errorf("commits were lost in %d of 20 runs", lost)
			}
		})
	}
}

func notSynced(t *testing.T, d *simdisk.Disk, path string) bool {
	q := url.Values{"vfs": {d.VFS()}, "_journal_mode": {"WAL"}, "_synchronous": {"OFF"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String())
	if err != nil {
		t.Fatal(err)
	}
	for k := range 20 {
		if _, err := db.Exec("INSERT INTO t (k, v) VALUES (?, ?)", k, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Crash(); err != nil {
		t.Fatal(err)
	}
	_ = db.Close() // its handles are dead
	again, err := sqldb.Open(ctx, path, sqldb.Config{VFS: d.VFS()})
	if err != nil {
		return true
	}
	defer again.Close()
	var n int
	return again.Read().QueryRow("SELECT count(*) FROM t").Scan(&n) != nil || n < 20
}
