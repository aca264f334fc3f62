package config_test

import (
	"errors"
	"path/filepath"
	"testing"

	"metermanager/service/config"
)

func TestLockFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := config.LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.LockFolder(dir); !errors.Is(err, config.ErrInUse) {
		t.Errorf("a second lock: %v, want ErrInUse", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := config.LockFolder(dir)
	if err != nil {
		t.Fatalf("after the lock ended: %v", err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
	if _, err := config.LockFolder(filepath.Join(dir, "none")); err == nil || errors.Is(err, config.ErrInUse) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
