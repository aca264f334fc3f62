package applog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/service/applog"
)

func open(t *testing.T, cfg applog.Config) *applog.Log {
	t.Helper()
	l, err := applog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestTheFileIsBounded writes far more than fits and looks at every file that is there.
func TestTheFileIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log", "metermanager.log")
	l := open(t, applog.Config{File: path, MaxBytes: 2000, Keep: 2})
	for i := range 500 {
		l.Logger().Info("start a thing", "meter", fmt.Sprint("m", i))
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v; want the log and two older ones", files, err)
	}
	var newest []byte
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 2000 || len(data) == 0 || name != path && len(data) < 1000 || data[len(data)-1] != '\n' {
			t.Errorf("%s has %d bytes, or does not end with a line", name, len(data))
		}
		if name == path {
			newest = data
		}
	}
	if !strings.Contains(string(newest), "meter=m499") {
		t.Errorf("the newest line is not in the newest file: %s", newest)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, applog.Config{File: path, MaxBytes: 2000, Keep: 2})
	again.Logger().Info("start again")
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), "start again") || len(data) > 2000 {
		t.Errorf("after opening it again: %v, %s", err, data)
	}
}

// TestADeadMeterIsNotRepeatedForEver is the log of a meter that fails every second for an hour.
func TestADeadMeterIsNotRepeatedForEver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	l := open(t, applog.Config{Out: &out, Now: func() time.Time { return now }})
	dead, other := l.Logger().With("component", "field", "meter", "dead"), l.Logger().With("component", "field", "meter", "other")
	for i := range 3600 {
		dead.Warn("cannot read", "err", fmt.Errorf("read tcp 127.0.0.1:%d: reset", 10000+i), "attempt", i)
		now = now.Add(time.Second)
	}
	other.Warn("cannot read", "err", errors.New("reset"))
	dead.Error("cannot store")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 60*3+2 {
		t.Fatalf("%d lines of an hour, want 3 a minute and two others", len(lines))
	}
	if !strings.Contains(lines[3], "repeated=57") {
		t.Errorf("the next line says nothing of those before: %s", lines[3])
	}
	if !strings.Contains(lines[180], "meter=other") || strings.Contains(lines[180], "repeated") || !strings.Contains(lines[181], "cannot store") {
		t.Errorf("what is not the same must pass: %q", lines[180:])
	}
}

func TestDebuggingIsNotDamped(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := open(t, applog.Config{Out: &out, Level: slog.LevelDebug, JSON: true})
	for range 50 {
		l.Logger().WithGroup("g").Debug("answer a request")
	}
	if n := strings.Count(out.String(), "\n"); n != 50 || !strings.HasPrefix(out.String(), "{") {
		t.Errorf("%d lines: %.100s", n, out.String())
	}
}

func TestTheLastLinesStayInMemory(t *testing.T) {
	t.Parallel()
	l := open(t, applog.Config{Lines: 10})
	for i := range 25 {
		l.Logger().Info("do it", "meter", fmt.Sprint(i))
	}
	l.Logger().Info("long", "err", strings.Repeat("x", 100_000))
	lines, total := l.Lines()
	if total != 26 || len(lines) != 10 || !strings.Contains(lines[0], "meter=16") || len(lines[9]) > 5000 || !strings.Contains(lines[9], "msg=long") {
		t.Errorf("%d of %d lines, first %s", len(lines), total, lines[0])
	}
}

// TestALogThatCannotBeWritten goes on in memory and to the other place.
func TestALogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "log", "metermanager.log")
	var out bytes.Buffer
	l := open(t, applog.Config{File: path, MaxBytes: 200, Out: &out})
	l.Logger().Info("first")
	// A folder that is not empty stands where the older file belongs, so that the log cannot turn.
	for i := 1; i <= 4; i++ {
		if err := os.MkdirAll(filepath.Join(fmt.Sprintf("%s.%d", path, i), "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		l.Logger().Info("more", "meter", fmt.Sprint(i))
	}
	if n := strings.Count(out.String(), "\n"); n != 21 {
		t.Errorf("%d lines at the other place, want 21", n)
	}
	if lines, _ := l.Lines(); len(lines) != 21 {
		t.Errorf("%d lines in memory", len(lines))
	}
	if _, err := applog.Open(applog.Config{File: filepath.Join(path+".1", "x")}); err == nil {
		t.Error("a folder is opened as a log")
	}
}
