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

func TestMasterKeyFromSystemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inData := filepath.Join(dir, "data", "master.key")
	if key, err := credentialKey("", inData); key != nil || err != nil {
		t.Errorf("without systemd: %d bytes, %v", len(key), err)
	}
	if key, err := credentialKey(dir, inData); key != nil || err != nil {
		t.Errorf("without a credential: %d bytes, %v", len(key), err)
	}
	want := bytes.Repeat([]byte{7}, masterKeyBytes)
	if err := os.WriteFile(filepath.Join(dir, "master.key"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := credentialKey(dir, inData); err != nil || !bytes.Equal(key, want) {
		t.Errorf("the credential: %d bytes, %v", len(key), err)
	}
	if _, err := masterKey(inData, true); err != nil { // a folder that has made its own before
		t.Fatal(err)
	}
	if _, err := credentialKey(dir, inData); err == nil {
		t.Error("two different keys: the databases are sealed with one of them, and nobody says which")
	}
	if err := os.WriteFile(filepath.Join(dir, "master.key"), want[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := credentialKey(dir, filepath.Join(dir, "none")); err == nil {
		t.Error("half a key is taken")
	}
}
