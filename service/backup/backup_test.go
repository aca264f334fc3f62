package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/service/backup"
	"metermanager/service/check/checktest"
	"metermanager/service/config"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeNode makes a data folder with an archive file, and what no backup holds.
func makeNode(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	must(t, checktest.Make(t.Context(), dir))
	for name, text := range map[string]string{
		"archive/meter/2026-03.parquet": "columns", "archive/meter/2026-04.parquet.tmp": "being written",
		"log/metermanager.log": "lines", "copies/20260101T000000Z_logs.db_logdb0001to0002.copy": "old",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// write backs a folder up into a file, with change applied to the source before.
func write(t testing.TB, dir, passphrase string, change func(*backup.Source)) (string, backup.Manifest) {
	t.Helper()
	ctx := t.Context()
	meta, err := sqldb.Open(ctx, config.MetaFile(dir), sqldb.Config{})
	must(t, err)
	defer meta.Close()
	logs, err := sqlite.Open(ctx, config.LogsFile(dir), sqlite.Config{})
	must(t, err)
	defer logs.Close()
	s := backup.Source{Data: dir, Meta: meta, Logs: logs.Database(), Config: []byte(`{"listen":"127.0.0.1:1"}`), Version: "1.2.3"}
	if change != nil {
		change(&s)
	}
	path := filepath.Join(t.TempDir(), "node.backup")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	must(t, err)
	sealed, err := backup.Seal(f, passphrase)
	must(t, err)
	m, err := backup.Write(ctx, sealed, s)
	must(t, errors.Join(err, sealed.Close(), f.Close()))
	return path, m
}

func content(t testing.TB, dir string) string {
	t.Helper()
	s, err := sqlite.Open(t.Context(), config.LogsFile(dir), sqlite.Config{ReadOnly: true})
	must(t, err)
	defer s.Close()
	text, err := checktest.Content(t.Context(), s)
	must(t, err)
	return text
}

// unpacked is what the compression hides; nil when it is damaged.
func unpacked(t testing.TB, text []byte) []byte {
	t.Helper()
	plain, err := zstd.NewReader(bytes.NewReader(text))
	must(t, err)
	defer plain.Close()
	all, err := io.ReadAll(plain)
	if err != nil {
		return nil
	}
	return all
}

func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			if !strings.HasSuffix(rel, "-wal") && !strings.HasSuffix(rel, "-shm") {
				out = append(out, filepath.ToSlash(rel))
			}
		}
		return err
	}))
	slices.Sort(out)
	return out
}

func TestBackupIsTheWholeNode(t *testing.T) {
	t.Parallel()
	dir := makeNode(t)
	for _, passphrase := range []string{"", "correct horse"} {
		file, m := write(t, dir, passphrase, nil)
		if !m.MasterKey || m.Version != "1.2.3" || len(m.LeftOut) != 3 {
			t.Errorf("the manifest says %+v", m)
		}
		read, found, err := backup.Verify(t.Context(), file, backup.VerifyOptions{Passphrase: passphrase, Temp: t.TempDir()})
		must(t, err)
		if len(found.Findings) > 0 || len(found.Notes) > 0 || len(read.Files) != len(m.Files) {
			t.Errorf("read back: %+v, %d files of %d", found, len(read.Files), len(m.Files))
		}
		to := filepath.Join(t.TempDir(), "restored")
		_, err = backup.Restore(t.Context(), file, to, backup.RestoreOptions{Passphrase: passphrase})
		must(t, err)
		want := []string{"archive/meter/2026-03.parquet", "lock", "logs.db", "meta.db", "metermanager.json", "restored-config.json", "secrets/master.key"}
		if got := names(t, to); !slices.Equal(got, want) {
			t.Errorf("restored were %v, want %v", got, want)
		}
		if got, want := content(t, to), content(t, dir); got != want || !strings.Contains(got, "readings.voltage.an") {
			t.Errorf("the restored node holds\n%s\nwant\n%s", got, want)
		}
		must(t, filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
			if info, infoErr := e.Info(); infoErr == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("others may read %s: %v", path, info.Mode())
			}
			return err
		}))
		must(t, backup.Unfinished(to))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".backup-*")); len(left) > 0 {
		t.Errorf("the backups left %v in the node's folder", left)
	}
}

func TestKeyCanStayOut(t *testing.T) {
	t.Parallel()
	dir := makeNode(t)
	file, m := write(t, dir, "", func(s *backup.Source) { s.OmitKey = true })
	text, err := os.ReadFile(file)
	must(t, err)
	plain, err := zstd.NewReader(bytes.NewReader(text))
	must(t, err)
	all, err := io.ReadAll(plain)
	must(t, err)
	if bytes.Contains(all, checktest.MasterKey()) {
		t.Error("the master key is in the file")
	}
	if m.MasterKey || !slices.ContainsFunc(m.LeftOut, func(s string) bool { return strings.HasPrefix(s, "secrets/master.key") }) {
		t.Errorf("the manifest does not say that the key is missing: %+v", m)
	}
}

func TestEncryptedBackupNeedsItsPassphrase(t *testing.T) {
	t.Parallel()
	file, _ := write(t, makeNode(t), "correct horse", nil)
	for _, wrong := range []string{"", "battery staple"} {
		if _, _, err := backup.Verify(t.Context(), file, backup.VerifyOptions{Passphrase: wrong}); !errors.Is(err, backup.ErrPassphrase) {
			t.Errorf("with passphrase %q: %v", wrong, err)
		}
	}
	text, err := os.ReadFile(file)
	must(t, err)
	if bytes.Contains(text, []byte("manifest.json")) || bytes.Contains(text, []byte("SQLite format")) {
		t.Error("something can be read without the passphrase")
	}
}

// A backup that was cut off or changed is never taken for a whole one, and leaves the folder as it was.
func TestDamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	dir := makeNode(t)
	file, _ := write(t, dir, "", nil)
	whole, err := os.ReadFile(file)
	must(t, err)
	want := unpacked(t, whole)
	try := func(what string, text []byte) {
		path := filepath.Join(t.TempDir(), "x.backup")
		must(t, os.WriteFile(path, text, 0o600))
		to := filepath.Join(t.TempDir(), "to")
		_, err := backup.Restore(t.Context(), path, to, backup.RestoreOptions{Quick: true})
		// A few bits of compressed data mean nothing: then every byte must come out as it went in.
		if err == nil && bytes.Equal(unpacked(t, text), want) && content(t, to) == content(t, dir) {
			return
		}
		if !errors.Is(err, backup.ErrUnfinished) && !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrNotBackup) {
			t.Errorf("%s: %v", what, err)
		}
		if got := names(t, to); !slices.Equal(got, []string{"lock"}) {
			t.Errorf("%s: it left %v", what, got)
		}
		must(t, backup.Unfinished(to))
	}
	for i := range 12 {
		try("cut off", whole[:len(whole)*i/12])
	}
	try("cut off by a byte", whole[:len(whole)-1])
	for i := range 24 {
		text := bytes.Clone(whole)
		text[(len(text)-1)*i/23] ^= 0x10
		try("one bit changed", text)
	}
	try("with something behind it", append(bytes.Clone(whole), "more"...))
}

func TestRestoreRefusesWhatIsInUse(t *testing.T) {
	t.Parallel()
	dir := makeNode(t)
	file, _ := write(t, dir, "", nil)
	before := content(t, dir)
	if _, err := backup.Restore(t.Context(), file, dir, backup.RestoreOptions{}); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("into a folder with data: %v", err)
	}
	unlock, err := config.LockFolder(dir)
	must(t, err)
	if _, err := backup.Restore(t.Context(), file, dir, backup.RestoreOptions{Replace: true}); !errors.Is(err, config.ErrInUse) {
		t.Errorf("into a folder in use: %v", err)
	}
	must(t, unlock())
	if content(t, dir) != before {
		t.Fatal("a refused restore changed the folder")
	}
	must(t, os.WriteFile(filepath.Join(dir, "mine.txt"), []byte("x"), 0o600))
	r, err := backup.Restore(t.Context(), file, dir, backup.RestoreOptions{Replace: true, Now: func() time.Time { return time.Unix(0, 0) }})
	must(t, err)
	if filepath.Base(r.Aside) != "before-restore-19700101T000000Z" || content(t, r.Aside) != before || content(t, dir) != before {
		t.Errorf("what was there lies in %q", r.Aside)
	}
	if _, err := os.Stat(filepath.Join(r.Aside, "mine.txt")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mine.txt")); err == nil {
		t.Error("what was there is still in the folder")
	}
}

// An archive file that is replaced while the backup is taken is in it: the databases of that moment name it.
func TestFilesOfTheMomentAreHeld(t *testing.T) {
	t.Parallel()
	dir := makeNode(t)
	meta, err := sqldb.Open(t.Context(), config.MetaFile(dir), sqldb.Config{})
	must(t, err)
	defer meta.Close()
	logs, err := sqldb.Open(t.Context(), config.LogsFile(dir), sqldb.Config{})
	must(t, err)
	defer logs.Close()
	archived := filepath.Join(dir, "archive", "meter", "2026-03.parquet")
	var out bytes.Buffer
	once := false
	m, err := backup.Write(t.Context(), writerFunc(func(p []byte) (int, error) {
		if !once {
			once = true
			must(t, os.Remove(archived))
		}
		return out.Write(p)
	}), backup.Source{Data: dir, Meta: meta, Logs: logs})
	must(t, err)
	if !slices.ContainsFunc(m.Files, func(f backup.File) bool { return f.Name == "data/archive/meter/2026-03.parquet" && f.Size == 7 }) {
		t.Errorf("the file is not in the backup: %+v", m.Files)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// pack makes a backup file of entries, for what no node writes.
func pack(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	must(t, err)
	w := tar.NewWriter(z)
	for _, e := range entries {
		must(t, w.WriteHeader(&tar.Header{Name: e[0], Size: int64(len(e[1])), Mode: 0o600, Typeflag: tar.TypeReg}))
		_, err := io.WriteString(w, e[1])
		must(t, err)
	}
	must(t, errors.Join(w.Close(), z.Close()))
	return out.Bytes()
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	head := func(format int) string {
		text, err := json.Marshal(backup.Head{Format: format, Program: "metermanager", Version: "9"})
		must(t, err)
		return string(text)
	}
	const first = "metermanager-backup.json"
	for _, c := range []struct {
		name string
		text []byte
		want error
	}{
		{"nothing", nil, backup.ErrNotBackup},
		{"text", []byte("hello, world"), backup.ErrNotBackup},
		{"another tar", pack(t, [2]string{"a", "b"}), backup.ErrNotBackup},
		{"of another program", pack(t, [2]string{first, `{"format":1,"program":"x"}`}), backup.ErrNotBackup},
		{"a newer format", pack(t, [2]string{first, head(2)}), backup.ErrNewer},
		{"without its end", pack(t, [2]string{first, head(1)}, [2]string{"data/a", "b"}), backup.ErrUnfinished},
		{"outside of the folder", pack(t, [2]string{first, head(1)}, [2]string{"data/../../a", "b"}), backup.ErrDamaged},
		{"an absolute name", pack(t, [2]string{first, head(1)}, [2]string{"/etc/passwd", "b"}), backup.ErrDamaged},
		{"a drive", pack(t, [2]string{first, head(1)}, [2]string{`data/C:\a`, "b"}), backup.ErrDamaged},
		{"a file that is not listed", pack(t, [2]string{first, head(1)}, [2]string{"data/a", "b"}, [2]string{"manifest.json", head(1)}), backup.ErrDamaged},
		{"no databases", pack(t, [2]string{first, head(1)}, [2]string{"manifest.json", head(1)}), backup.ErrDamaged},
	} {
		_, err := backup.Read(t.Context(), bytes.NewReader(c.text), "", func(string, int64, io.Reader) error { return nil })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(pack(f, [2]string{"metermanager-backup.json", `{"format":1,"program":"metermanager"}`}, [2]string{"data/meta.db", "x"}, [2]string{"manifest.json", "{}"}))
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := backup.Read(ctx, bytes.NewReader(text), "", func(_ string, size int64, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			if n > size {
				t.Errorf("a file of %d bytes gave %d", size, n)
			}
			return err
		})
		if err == nil {
			t.Error("a made-up file was taken for a backup") // it would need a manifest with the checksums of both databases
		}
	})
}
