package e2e_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A site is backed up while it retrieves and uploads, restored to that moment, and started again: the cloud holds more of
// its journals than it does itself, and still nothing is lost, doubled or different.
func TestBackupUnderLoadIsRestored(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a whole demonstration")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	d := startDemo(t, dir, "20d")
	file := filepath.Join(t.TempDir(), "site.backup")
	pass := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(pass, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := tool(t, "backup", file, "--data", dir, "--passphrase-file", pass); code != 0 || !strings.Contains(out, "Sound") {
		t.Fatalf("backup ends with %d\n%s%s", code, out, errs)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the backup: %v, %v", info, err)
	}
	d.verified()
	if out, errs, code := tool(t, "check", "--data", dir); code != 0 {
		t.Errorf("check of the running site ends with %d\n%s%s", code, out, errs)
	}
	site := d.state().Site.Data
	if _, errs, code := tool(t, "restore", file, "--folder", site, "--passphrase-file", pass, "--replace"); code == 0 || !strings.Contains(errs, "works in this folder") {
		t.Errorf("restore into the folder of a running service ends with %d\n%s", code, errs)
	}
	// A key of the demonstration reaches its own customer only.
	if _, errs, code := tool(t, "backup", file+".2", "--url", d.state().Site.URL, "--key", d.state().Site.APIKey); code != 4 {
		t.Errorf("backup with an upload key ends with %d\n%s", code, errs)
	}
	d.interrupt()
	if out, errs, code := tool(t, "restore", file, "--folder", site, "--passphrase-file", pass, "--replace"); code != 0 || !strings.Contains(out, "journal id") {
		t.Fatalf("restore ends with %d\n%s%s", code, out, errs)
	}
	if out, errs, code := tool(t, "check", "--folder", site); code != 0 {
		t.Errorf("check of the restored folder ends with %d\n%s%s", code, out, errs)
	}
	d = startDemo(t, dir, "20d")
	d.verified()
	d.interrupt()
}
