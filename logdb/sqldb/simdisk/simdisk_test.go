package simdisk_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/simdisk"
)

var ctx = context.Background()

func newDisk(t testing.TB, cfg simdisk.Config) *simdisk.Disk {
	t.Helper()
	d, err := simdisk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// where is the path of the database: on a disk in memory its folder need not exist.
func where(cfg simdisk.Config) string {
	if cfg.Folder != "" {
		return filepath.Join(cfg.Folder, "x.db")
	}
	return filepath.Join(filepath.FromSlash("/simulated"), "x.db")
}

const createT = "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB NOT NULL) STRICT"

func openDB(t testing.TB, d *simdisk.Disk, path string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(ctx, path, sqldb.Config{VFS: d.VFS(), Readers: 2, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(db); err != nil {
		t.Fatal(errors.Join(err, db.Close()))
	}
	return db
}

func migrate(db *sqldb.DB) error {
	return db.Migrate(ctx, "t", fstest.MapFS{"0001_t.sql": {Data: []byte(createT)}})
}

// content reads the table after a check of the whole file.
func content(t testing.TB, db *sql.DB) map[int64]string {
	t.Helper()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("the file is damaged: %s, %v", verdict, err)
	}
	rows, err := db.Query("SELECT k, v FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]string{}
	for rows.Next() {
		var k int64
		var v []byte
		if err := rows.Scan(&k, &v); err != nil {
			t.Fatal(err)
		}
		out[k] = string(v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestManyConnections has readers see whole transactions while others write and the WAL goes back into the file.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	d := newDisk(t, simdisk.Config{})
	db := openDB(t, d, where(simdisk.Config{}))
	defer db.Close()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var n, sum int
				if err := db.Read().QueryRow("SELECT count(*), coalesce(sum(length(v)), 0) FROM t").Scan(&n, &sum); err != nil || n%2 != 0 || sum != n*100 {
					t.Errorf("read %d rows, %d bytes: %v", n, sum, err)
					return
				}
			}
		})
	}
	for i := range 300 {
		err := db.Write(ctx, func(tx *sql.Tx) error {
			for j := range 2 {
				if _, err := tx.Exec("INSERT INTO t (k, v) VALUES (?, zeroblob(100))", 2*i+j); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if _, err := db.Read().Exec("PRAGMA query_only = 0; PRAGMA wal_checkpoint; PRAGMA query_only = 1"); err != nil {
				t.Fatal(err)
			}
		}
		runtime.Gosched()
	}
	close(stop)
	wg.Wait()
	if n := len(content(t, db.Read())); n != 600 {
		t.Errorf("%d rows", n)
	}
}

func put(db *sqldb.DB, k int64, size int) error {
	return db.Write(ctx, step{k: string(bytes.Repeat([]byte("x"), size))}.run)
}

// TestOldHandles fail after a crash, and a program from before cannot come back by opening again.
func TestOldHandles(t *testing.T) {
	t.Parallel()
	d := newDisk(t, simdisk.Config{})
	old, before := openDB(t, d, where(simdisk.Config{})), d.VFS()
	if err := put(old, 1, 10); err != nil {
		t.Fatal(err)
	}
	if err := d.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := put(old, 2, 10); err == nil {
		t.Error("a handle of before the crash wrote")
	}
	if _, err := sqldb.Open(ctx, where(simdisk.Config{}), sqldb.Config{VFS: before}); err == nil {
		t.Error("the name of before the crash opened the database")
	}
	fresh := openDB(t, d, where(simdisk.Config{}))
	defer fresh.Close()
	if err := put(fresh, 3, 10); err != nil {
		t.Error(err)
	}
	if err := put(old, 4, 10); err == nil {
		t.Error("a handle of before the crash wrote")
	}
	if got := fmt.Sprint(len(content(t, fresh.Read()))); got != "2" {
		t.Errorf("%s rows, want 2", got)
	}
	if err := d.Close(); !errors.Is(err, simdisk.ErrInUse) {
		t.Errorf("closed under an open database: %v", err)
	}
	_ = old.Close() // its handles are dead
}

// TestShownIsDurable kills a program at every change: what is found when it starts again stays when the power goes.
func TestShownIsDurable(t *testing.T) {
	t.Parallel()
	found := 0
	for n := range int64(12) {
		for seed := range uint64(6) {
			d := newDisk(t, simdisk.Config{Seed: seed})
			db := openDB(t, d, where(simdisk.Config{}))
			if err := put(db, 1, 100); err != nil {
				t.Fatal(err)
			}
			d.KillAfter(n + 1)
			failed := put(db, 2, 9000) != nil
			d.KillAfter(0)
			_ = db.Close() // its handles may be dead
			again := openDB(t, d, where(simdisk.Config{}))
			shown := content(t, again.Read())
			if err := d.Crash(); err != nil {
				t.Fatal(err)
			}
			_ = again.Close() // its handles are dead
			if failed && len(shown) == 2 {
				found++
			}
			last := openDB(t, d, where(simdisk.Config{}))
			if got := content(t, last.Read()); !equal(got, shown) {
				t.Errorf("killed at change %d, seed %d: %d rows were shown, %d are left", n+1, seed, len(shown), len(got))
			}
			if err := last.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if found == 0 {
		t.Error("no run found a commit that was not answered")
	}
}

// TestFaults has the disk run full, become read-only and fail to sync; what was committed stays.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		begin, end func(*simdisk.Disk)
		full       bool
	}{
		"full":       {func(d *simdisk.Disk) { d.SetFreeBytes(10_000) }, func(d *simdisk.Disk) { d.SetFull(false) }, true},
		"read-only":  {func(d *simdisk.Disk) { d.SetReadOnly(true) }, func(d *simdisk.Disk) { d.SetReadOnly(false) }, false},
		"sync fails": {func(d *simdisk.Disk) { d.FailSync(1) }, func(d *simdisk.Disk) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(10) {
				d := newDisk(t, simdisk.Config{Seed: seed})
				db := openDB(t, d, where(simdisk.Config{}))
				if err := put(db, 1, 100); err != nil {
					t.Fatal(err)
				}
				tt.begin(d)
				if err := put(db, 2, 50_000); err == nil || errors.Is(err, sqldb.ErrFull) != tt.full {
					t.Errorf("%v", err)
				}
				tt.end(d)
				if err := put(db, 3, 50_000); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				if err := d.Crash(); err != nil {
					t.Fatal(err)
				}
				_ = db.Close() // its handles are dead
				again := openDB(t, d, where(simdisk.Config{}))
				if got := content(t, again.Read()); len(got) != 2 || got[1] == "" || got[3] == "" {
					t.Errorf("%d rows", len(got))
				}
				if err := again.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestOpenOnAFullDisk: a node that starts on one is told so.
func TestOpenOnAFullDisk(t *testing.T) {
	t.Parallel()
	d := newDisk(t, simdisk.Config{})
	if err := openDB(t, d, where(simdisk.Config{})).Close(); err != nil {
		t.Fatal(err)
	}
	for _, free := range []int64{0, 10_000} {
		d.SetFreeBytes(free)
		if db, err := sqldb.Open(ctx, where(simdisk.Config{}), sqldb.Config{VFS: d.VFS()}); !errors.Is(err, sqldb.ErrFull) {
			t.Errorf("%d bytes free: %v", free, err)
			if err == nil {
				_ = db.Close()
			}
		}
	}
	d.SetFull(false)
	db := openDB(t, d, where(simdisk.Config{}))
	if err := errors.Join(put(db, 1, 10), db.Close()); err != nil {
		t.Error(err)
	}
}

// TestImages clones a machine and restores a backup.
func TestImages(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"memory", "folder"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cfg := simdisk.Config{}
			if kind == "folder" {
				cfg.Folder = t.TempDir()
			}
			d := newDisk(t, cfg)
			db := openDB(t, d, where(cfg))
			for k := range int64(5) {
				if err := put(db, k, 5000); err != nil {
					t.Fatal(err)
				}
			}
			image, err := d.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if err := put(db, 7, 5000); err != nil {
				t.Fatal(err)
			}
			other := newDisk(t, simdisk.Config{Seed: 1, Folder: cfg.Folder})
			if kind == "memory" { // a clone, beside the original
				if err := other.Restore(image); err != nil {
					t.Fatal(err)
				}
				clone := openDB(t, other, where(cfg))
				if n := len(content(t, clone.Read())); n != 5 {
					t.Errorf("the clone has %d rows", n)
				}
				if err := errors.Join(put(clone, 8, 100), put(clone, 0, 100), clone.Close()); err != nil {
					t.Error(err)
				}
			}
			if n := len(content(t, db.Read())); n != 6 {
				t.Errorf("the original has %d rows", n)
			}
			if err := d.Restore(image); err != nil {
				t.Fatal(err)
			}
			_ = db.Close() // its handles are dead
			back := openDB(t, d, where(cfg))
			defer back.Close()
			got := content(t, back.Read())
			if len(got) != 5 || len(got[0]) != 5000 {
				t.Errorf("the backup has %d rows, the first %d bytes", len(got), len(got[0]))
			}
		})
	}
}
