package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMasterKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets", "master.key")
	if _, err := masterKey(path, false); err == nil {
		t.Fatal("a new key was made beside an old database")
	}
	first, err := masterKey(path, true)
	if err != nil || len(first) != masterKeyBytes {
		t.Fatalf("got %d bytes, %v", len(first), err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	for _, isNew := range []bool{true, false} {
		again, err := masterKey(path, isNew)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("the key changed: %v", err)
		}
	}
	if err := os.WriteFile(path, first[:5], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := masterKey(path, true); err == nil {
		t.Error("a cut key was taken")
	}
}
