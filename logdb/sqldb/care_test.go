package sqldb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"metermanager/logdb/sqldb"
)

func steps(texts ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i, text := range texts {
		out[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const (
	stepOne   = "CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"
	stepTwo   = "ALTER TABLE item ADD COLUMN n INTEGER NOT NULL DEFAULT 0"
	stepThree = "CREATE INDEX item_n ON item (n)"
)

func openDB(t *testing.T, path string, cfg sqldb.Config) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // closed twice does no harm
	return db
}

func insert(t *testing.T, db *sqldb.DB, text string) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO item (text) VALUES (?)", text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two databases are pinned at one moment: of a number that is written to both in turn, the copies never hold one
// that the other lacks by more than the write that was under way.
func TestPinIsOneMoment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := openDB(t, filepath.Join(dir, "a.db"), sqldb.Config{}), openDB(t, filepath.Join(dir, "b.db"), sqldb.Config{})
	for _, db := range []*sqldb.DB{first, second} {
		if err := db.Migrate(t.Context(), "x", steps(stepOne)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	started := make(chan struct{})
	writing.Go(func() {
		text := strings.Repeat("x", 3000)
		for i := 0; ctx.Err() == nil; i++ {
			insert(t, first, text)
			insert(t, second, text)
			if i == 20 {
				close(started)
			}
		}
	})
	<-started
	for range 5 {
		images, err := sqldb.Pin(t.Context(), second, first)
		if err != nil {
			t.Fatal(err)
		}
		var n [2]int64
		for i, image := range images {
			pinned, err := image.Counts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "copy.db")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(image.Copy(t.Context(), f), f.Close(), image.Close()); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() != image.Size() {
				t.Fatalf("the copy has %d bytes, want %d (%v)", info.Size(), image.Size(), err)
			}
			c := openDB(t, path, sqldb.Config{ReadOnly: true})
			found, err := c.Check(t.Context())
			counts, countErr := c.Counts(t.Context())
			if err != nil || countErr != nil || len(found) > 0 {
				t.Fatalf("check of the copy: %v, %v, %v", found, err, countErr)
			}
			if n[i] = counts["item"]; n[i] != pinned["item"] {
				t.Errorf("the copy holds %d rows, pinned were %d", n[i], pinned["item"])
			}
		}
		if d := n[1] - n[0]; d < 0 || d > 1 {
			t.Errorf("the first database holds %d rows, the second %d", n[1], n[0])
		}
	}
	stop()
	writing.Wait()
}

func TestMigrationTakesACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db := openDB(t, path, sqldb.Config{})
	if err := db.Migrate(t.Context(), "x", steps(stepOne)); err != nil {
		t.Fatal(err)
	}
	insert(t, db, "before")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := sqldb.Copies(sqldb.CopiesFolder(path)); err != nil || len(got) != 0 {
		t.Fatalf("a new database was copied: %v, %v", got, err)
	}
	db = openDB(t, path, sqldb.Config{Upgrade: "20260102T030405Z"})
	if err := db.Migrate(t.Context(), "x", steps(stepOne)); err != nil {
		t.Fatal(err)
	}
	if got, _ := sqldb.Copies(sqldb.CopiesFolder(path)); len(got) != 0 {
		t.Fatalf("a copy was taken although nothing was to be applied: %v", got)
	}
	if err := db.Migrate(t.Context(), "x", steps(stepOne, stepTwo)); err != nil {
		t.Fatal(err)
	}
	got, err := sqldb.Copies(sqldb.CopiesFolder(path))
	if err != nil || len(got) != 1 {
		t.Fatalf("copies: %v, %v", got, err)
	}
	if c := got[0]; c.Database != "x.db" || c.Upgrade != "20260102T030405Z" || c.Reason != "x0001to0002" {
		t.Errorf("the copy is called %+v", c)
	}
	c := openDB(t, got[0].Path, sqldb.Config{ReadOnly: true})
	if v, err := c.Versions(t.Context()); err != nil || v["x"] != 1 {
		t.Errorf("the copy is at %v, %v", v, err)
	}
	if n, err := c.Counts(t.Context()); err != nil || n["item"] != 1 {
		t.Errorf("the copy holds %v, %v", n, err)
	}
	if err := c.Migrate(t.Context(), "x", steps(stepOne, stepTwo)); !errors.Is(err, sqldb.ErrOlder) {
		t.Errorf("migrating a database that is only read: %v", err)
	}
	if info, err := os.Stat(got[0].Path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the copy's rights: %v, %v", info.Mode(), err)
	}
}

// Databases that belong together are copied together, whichever of them is migrated.
func TestDatabasesBesideAreCopied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.db", "b.db"} {
		db := openDB(t, filepath.Join(dir, name), sqldb.Config{})
		if err := errors.Join(db.Migrate(t.Context(), "x", steps(stepOne)), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	a := openDB(t, filepath.Join(dir, "a.db"), sqldb.Config{Upgrade: "1"})
	b := openDB(t, filepath.Join(dir, "b.db"), sqldb.Config{Upgrade: "1", Beside: []*sqldb.DB{a}})
	a.Beside(b)
	for _, db := range []*sqldb.DB{b, a} {
		if err := db.Migrate(t.Context(), "x", steps(stepOne, stepTwo)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := sqldb.Copies(filepath.Join(dir, "copies"))
	if err != nil || len(got) != 2 || got[0].Database == got[1].Database {
		t.Fatalf("copies: %v, %v", got, err)
	}
	for _, c := range got {
		db := openDB(t, c.Path, sqldb.Config{ReadOnly: true})
		if v, err := db.Versions(t.Context()); err != nil || v["x"] != 1 {
			t.Errorf("%s is at %v, %v", c.Path, v, err)
		}
	}
}

func TestOldCopiesAreDropped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	texts := []string{stepOne, stepTwo, stepThree, "CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE c (x)"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range texts {
		db := openDB(t, path, sqldb.Config{Now: func() time.Time { return at.Add(time.Duration(i) * time.Hour) }})
		if err := db.Migrate(t.Context(), "x", steps(texts[:i+1]...)); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := sqldb.Copies(sqldb.CopiesFolder(path))
	if err != nil || len(got) != 3 || got[0].Reason != "x0003to0004" || got[2].Reason != "x0005to0006" {
		t.Errorf("copies: %v, %v", got, err)
	}
}

func TestNoRoomForACopyChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db := openDB(t, path, sqldb.Config{})
	if err := db.Migrate(t.Context(), "x", steps(stepOne)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, path, sqldb.Config{FreeBytes: func(string) (int64, error) { return 1 << 20, nil }})
	err := db.Migrate(t.Context(), "x", steps(stepOne, stepTwo))
	if !errors.Is(err, sqldb.ErrFull) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("without room: %v", err)
	}
	if v, err := db.Versions(t.Context()); err != nil || v["x"] != 1 {
		t.Errorf("the database is at %v, %v", v, err)
	}
}

func TestReadOnlyFileIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("the superuser may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	db := openDB(t, path, sqldb.Config{})
	if err := errors.Join(db.Migrate(t.Context(), "x", steps(stepOne)), db.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	for _, mode := range []struct{ file, folder os.FileMode }{{0o400, 0o700}, {0o600, 0o500}} {
		if err := errors.Join(os.Chmod(path, mode.file), os.Chmod(dir, mode.folder)); err != nil {
			t.Fatal(err)
		}
		if _, err := sqldb.Open(t.Context(), path, sqldb.Config{}); !errors.Is(err, sqldb.ErrReadOnly) || !strings.Contains(err.Error(), "right to write") {
			t.Errorf("open with %v: %v", mode, err)
		}
		c := openDB(t, path, sqldb.Config{ReadOnly: true})
		if v, err := c.Versions(t.Context()); err != nil || v["x"] != 1 {
			t.Errorf("read with %v: %v, %v", mode, v, err)
		}
		_ = c.Close() // it wrote nothing
		_ = os.Chmod(dir, 0o700)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db := openDB(t, path, sqldb.Config{})
	if err := db.Migrate(t.Context(), "x", steps(stepOne, stepTwo, stepThree)); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		insert(t, db, strings.Repeat("y", i))
	}
	if found, err := db.Check(t.Context()); err != nil || len(found) > 0 {
		t.Fatalf("a sound database: %v, %v", found, err)
	}
	if found, err := db.CheckTable(t.Context(), "item"); err != nil || len(found) > 0 {
		t.Fatalf("a sound table: %v, %v", found, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[8*4096:], bytes.Repeat([]byte{0xee}, 2000))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c := openDB(t, path, sqldb.Config{ReadOnly: true})
	if found, err := c.Check(t.Context()); err != nil || len(found) == 0 {
		t.Errorf("a damaged database: %v, %v", found, err)
	}
}

func TestVacuumGivesBackAPartAtATime(t *testing.T) {
	t.Parallel()
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"), sqldb.Config{})
	if err := db.Migrate(t.Context(), "x", steps(stepOne)); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		insert(t, db, strings.Repeat("z", 4000))
	}
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM item")
		return err
	})
	before, _, freeErr := db.FreeBytes(t.Context())
	if err = errors.Join(err, freeErr); err != nil {
		t.Fatal(err)
	}
	if err := db.Vacuum(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if after, _, err := db.FreeBytes(t.Context()); err != nil || before-after != 100*4096 {
		t.Errorf("%d bytes were free, then %d, want 100 pages less (%v)", before, after, err)
	}
}
