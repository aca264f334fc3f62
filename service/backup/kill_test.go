package backup_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/service/backup"
	"metermanager/service/check"
	"metermanager/service/config"
)

// TestMain lets this program be its own child, which is killed.
func TestMain(m *testing.M) {
	if what := os.Getenv("MM_TEST_CHILD"); what != "" {
		at, _ := strconv.Atoi(os.Getenv("MM_TEST_KILL"))
		if err := child(context.Background(), what, os.Getenv("MM_TEST_DIR"), os.Getenv("MM_TEST_FILE"), &fuse{left: at}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fuse kills the process when it has been touched so many times; 0 never does.
type fuse struct{ left int }

func (f *fuse) touch() {
	if f.left--; f.left == 0 {
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			_ = p.Kill() // it does not return on all systems at once
		}
		select {}
	}
}

func child(ctx context.Context, what, dir, file string, f *fuse) error {
	quiet := slog.New(touching{slog.DiscardHandler, f})
	switch what {
	case "backup":
		meta, err := sqldb.Open(ctx, config.MetaFile(dir), sqldb.Config{})
		if err != nil {
			return err
		}
		logs, err := sqlite.Open(ctx, config.LogsFile(dir), sqlite.Config{})
		if err != nil {
			return err
		}
		out, err := os.Create(file)
		if err != nil {
			return err
		}
		_, err = backup.Write(ctx, writerFunc(func(p []byte) (int, error) { f.touch(); return out.Write(p) }), backup.Source{Data: dir, Meta: meta, Logs: logs.Database()})
		return errors.Join(err, out.Close(), logs.Close(), meta.Close())
	case "restore", "replace":
		_, err := backup.Restore(ctx, file, dir, backup.RestoreOptions{Replace: what == "replace", Quick: true, Progress: func(string) { f.touch() }})
		return err
	case "migrate":
		db, err := sqldb.Open(ctx, config.LogsFile(dir), sqldb.Config{Logger: quiet, FreeBytes: func(string) (int64, error) { f.touch(); return 1 << 40, nil }})
		if err != nil {
			return err
		}
		return errors.Join(db.Migrate(ctx, "test", steps(2)), db.Close())
	case "rollback":
		_, err := backup.Rollback(ctx, dir, "", time.Now)
		return err
	}
	return fmt.Errorf("no child does %q", what)
}

// touching is a log handler that touches a fuse.
type touching struct {
	slog.Handler
	f *fuse
}

func (touching) Enabled(context.Context, slog.Level) bool { return true }

func (h touching) Handle(context.Context, slog.Record) error {
	h.f.touch()
	return nil
}

// steps are migrations of which the second changes many rows.
func steps(n int) fstest.MapFS {
	out := fstest.MapFS{}
	for i, text := range []string{
		`CREATE TABLE test (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT`,
		`UPDATE test SET text = text || text; ALTER TABLE test ADD COLUMN n INTEGER NOT NULL DEFAULT 0; UPDATE test SET n = id`,
	}[:n] {
		out[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// run runs a child until its fuse or the given time kills it, and reports whether it came to its end.
func run(t *testing.T, what, dir, file string, at int, within time.Duration) (ended bool) {
	t.Helper()
	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if within > 0 {
		ctx, cancel = context.WithTimeout(ctx, within)
	}
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "MM_TEST_CHILD="+what, "MM_TEST_DIR="+dir, "MM_TEST_FILE="+file, "MM_TEST_KILL="+strconv.Itoa(at))
	text, err := cmd.CombinedOutput()
	if err == nil {
		return true
	}
	if len(text) > 0 {
		t.Fatalf("%s, killed at %d, within %v: %v\n%s", what, at, within, err, text)
	}
	return false
}

// kills calls once for every point at which a child can be killed by its fuse, and for random moments.
func kills(t *testing.T, once func(at int, within time.Duration) (ended bool)) {
	t.Helper()
	points := 0
	for at := 1; !once(at, 0); at++ {
		points++
	}
	if points < 3 {
		t.Errorf("the child was killed at %d points only", points)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		once(0, time.Duration(1+r.IntN(400))*time.Millisecond)
	}
}

func sound(t *testing.T, dir string) {
	t.Helper()
	f, err := check.OpenFolder(t.Context(), dir, slog.New(slog.DiscardHandler))
	must(t, err)
	defer f.Close()
	found, err := f.All(t.Context(), nil)
	must(t, err)
	if len(found) > 0 {
		t.Fatalf("the node is damaged: %+v", found)
	}
}

func TestKilledBackupHarmsNothing(t *testing.T) {
	t.Parallel()
	dir := makeNode(t)
	want := content(t, dir)
	kills(t, func(at int, within time.Duration) bool {
		file := filepath.Join(t.TempDir(), "x.backup")
		ended := run(t, "backup", dir, file, at, within)
		must(t, backup.CleanUp(dir)) // as the next start does
		if left, _ := filepath.Glob(filepath.Join(dir, ".backup-*")); len(left) > 0 {
			t.Errorf("it left %v", left)
		}
		if content(t, dir) != want {
			t.Fatal("the source holds something else")
		}
		_, _, err := backup.Verify(t.Context(), file, backup.VerifyOptions{Quick: true})
		switch {
		case ended && err != nil:
			t.Errorf("a whole backup: %v", err)
		case !ended && err != nil && !errors.Is(err, backup.ErrUnfinished) && !errors.Is(err, backup.ErrNotBackup) && !errors.Is(err, os.ErrNotExist):
			t.Errorf("a backup that was killed: %v", err)
		}
		return ended
	})
	sound(t, dir)
}

func TestKilledRestoreIsKnown(t *testing.T) {
	t.Parallel()
	source := makeNode(t)
	want := content(t, source)
	file, _ := write(t, source, "", nil)
	for _, what := range []string{"restore", "replace"} {
		kills(t, func(at int, within time.Duration) bool {
			dir := filepath.Join(t.TempDir(), "node")
			if what == "replace" {
				must(t, os.MkdirAll(dir, 0o700))
				must(t, os.CopyFS(dir, os.DirFS(source)))
				must(t, os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("mine"), 0o600))
			}
			ended := run(t, what, dir, file, at, within)
			_, whole := os.Stat(config.LogsFile(dir))
			if err := backup.Unfinished(dir); err == nil && whole == nil {
				if content(t, dir) != want { // the old node or the restored one, never something between
					t.Error("a folder that is said to be whole holds something else")
				}
			} else if err == nil {
				// Nothing has begun: a service would start as new, as it would have before.
				entries, _ := filepath.Glob(filepath.Join(dir, "*.db"))
				if what == "replace" || len(entries) > 0 {
					t.Errorf("the folder is said to be whole and has no log database: %v", entries)
				}
			} else if ended {
				t.Errorf("after the end: %v", err)
			}
			done := backup.Unfinished(dir) == nil && whole == nil && what == "restore" // it was killed on its way out
			if !ended && !done {
				_, err := backup.Restore(t.Context(), file, dir, backup.RestoreOptions{Replace: what == "replace", Quick: true})
				must(t, err)
			}
			must(t, backup.Unfinished(dir))
			if content(t, dir) != want {
				t.Error("the restored node holds something else")
			}
			if what == "replace" {
				kept, _ := filepath.Glob(filepath.Join(dir, "before-restore-*", "mine.txt"))
				if len(kept) != 1 {
					t.Errorf("what was there before is in %v", kept)
				}
			}
			return ended
		})
	}
}

func TestKilledMigrationCanGoOnOrBack(t *testing.T) {
	t.Parallel()
	template := makeNode(t)
	must(t, os.RemoveAll(filepath.Join(template, "copies")))
	db, err := sqldb.Open(t.Context(), config.LogsFile(template), sqldb.Config{})
	must(t, err)
	must(t, db.Migrate(t.Context(), "test", steps(1)))
	must(t, db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO test SELECT i, 'row ' || i FROM n`)
		return err
	}))
	must(t, db.Close())
	must(t, os.RemoveAll(filepath.Join(template, "copies"))) // of the first step
	want := content(t, template)
	kills(t, func(at int, within time.Duration) bool {
		dir := filepath.Join(t.TempDir(), "node")
		must(t, os.CopyFS(dir, os.DirFS(template)))
		ended := run(t, "migrate", dir, "", at, within)
		atVersion(t, dir, ended)
		copies, err := sqldb.Copies(filepath.Join(dir, "copies"))
		must(t, err)
		for _, c := range copies { // what has the name of a copy is one
			one, err := sqldb.Open(t.Context(), c.Path, sqldb.Config{ReadOnly: true})
			must(t, err)
			found, err := one.Check(t.Context())
			v, versionErr := one.Versions(t.Context())
			must(t, errors.Join(err, versionErr, one.Close()))
			if len(found) > 0 || v["test"] != 1 {
				t.Errorf("a copy is damaged: %v, at %v", found, v)
			}
		}
		if !ended {
			must(t, child(t.Context(), "migrate", dir, "", &fuse{}))
		}
		atVersion(t, dir, true)
		if content(t, dir) != want {
			t.Fatal("the migrated node holds something else")
		}
		// Back again, killed once more on the way.
		if !run(t, "rollback", dir, "", 0, within) {
			_, err := backup.Rollback(t.Context(), dir, "", time.Now)
			if err != nil && !errors.Is(err, backup.ErrNoCopy) {
				t.Fatal(err)
			}
		}
		must(t, backup.Unfinished(dir))
		one, err := sqldb.Open(t.Context(), config.LogsFile(dir), sqldb.Config{ReadOnly: true})
		must(t, err)
		v, err := one.Versions(t.Context())
		must(t, errors.Join(err, one.Close()))
		if v["test"] != 1 || content(t, dir) != want {
			t.Errorf("after going back it is at %v", v)
		}
		return ended
	})
}

// atVersion checks that a migration is there whole or not at all.
func atVersion(t *testing.T, dir string, ended bool) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), config.LogsFile(dir), sqldb.Config{})
	must(t, err)
	defer db.Close()
	v, err := db.Versions(t.Context())
	must(t, err)
	query := "SELECT count(*) FROM test WHERE text = 'row ' || id"
	if v["test"] == 2 {
		query = "SELECT count(*) FROM test WHERE text = 'row ' || id || 'row ' || id AND n = id"
	}
	var n int
	must(t, db.Read().QueryRowContext(t.Context(), query).Scan(&n))
	if n != 20000 || ended && v["test"] != 2 {
		t.Errorf("at version %d, %d rows are as they should be", v["test"], n)
	}
}

var _ io.Writer = writerFunc(nil)
