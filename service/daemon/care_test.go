package daemon_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb/sqldb"
	"metermanager/service/backup"
	"metermanager/service/check/checktest"
	"metermanager/service/config"
	"metermanager/service/daemon"
)

// start runs a node on a folder that it should refuse, and returns why.
func start(t *testing.T, dir string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // for one that starts after all
	defer cancel()
	c, err := config.Load(config.Options{Data: dir, Listen: "127.0.0.1:0", Environ: []string{"HOME=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	return daemon.Run(ctx, c, daemon.Options{Version: "test"})
}

// A node does not start in a folder in which a restore was not finished, and does not touch it.
func TestUnfinishedRestoreIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".restore.json"), []byte(`{"phase":"place"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, dir); !errors.Is(err, backup.ErrRestoring) || !strings.Contains(err.Error(), "metermanager restore") {
		t.Errorf("the start: %v", err)
	}
	if _, err := os.Stat(config.LogsFile(dir)); err == nil {
		t.Error("it made a database")
	}
}

// A node that cannot write says so at the start, and leaves nothing behind.
func TestReadOnlyFolderIsRefused(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("the superuser may write everywhere")
	}
	for _, c := range []struct {
		name   string
		change func(dir string) error
		want   error
	}{
		{"a folder", func(dir string) error { return os.Chmod(dir, 0o500) }, sqldb.ErrReadOnly},
		{"the log database", func(dir string) error { return os.Chmod(config.LogsFile(dir), 0o400) }, sqldb.ErrReadOnly},
		{"the other database", func(dir string) error { return os.Chmod(config.MetaFile(dir), 0o400) }, sqldb.ErrReadOnly},
		{"the lock", func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "lock"), nil, 0o400), os.Chmod(filepath.Join(dir, "lock"), 0o400))
		}, config.ErrReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := checktest.Make(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			if c.name == "a folder" { // with a lock from an earlier run
				if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before, err := os.ReadFile(config.MetaFile(dir))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
			if err := start(t, dir); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "right to write") {
				t.Errorf("the start: %v", err)
			}
			_ = os.Chmod(dir, 0o700)
			if after, err := os.ReadFile(config.MetaFile(dir)); err != nil || string(after) != string(before) {
				t.Error("a database was changed")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}
