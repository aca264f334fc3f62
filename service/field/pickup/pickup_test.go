package pickup_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/pickup"
)

const uid logdb.MeterUID = "m"

// memory is a State without a database.
type memory struct {
	mu      sync.Mutex
	list    map[string]pickup.Folder
	fetched map[string]string
}

func (m *memory) Pickups(context.Context) ([]pickup.Folder, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []pickup.Folder
	for _, f := range m.list {
		out = append(out, f)
	}
	return out, nil
}

func (m *memory) PutPickup(_ context.Context, f pickup.Folder) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list[f.ID] = f
	return nil
}

func (m *memory) DeletePickup(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.list, id)
	return nil
}

func (m *memory) Fetched(context.Context, string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.fetched), nil
}

func (m *memory) PutFetched(_ context.Context, _, name, mark string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched[name] = mark
	return nil
}

// site is a runner over an empty log database.
type site struct {
	t      *testing.T
	store  *logdbtest.Model
	state  *memory
	run    *pickup.Runner
	settle time.Duration
	stop   func()
	room   func() error
	took   func() // told of each page that was taken
}

// newSite has files settle soon.
func newSite(t *testing.T) *site { return settling(t, 10*time.Millisecond) }

func settling(t *testing.T, settle time.Duration) *site {
	t.Helper()
	s := &site{t: t, settle: settle, took: func() {}, store: logdbtest.NewModel(logdbtest.Config{}), state: &memory{list: map[string]pickup.Folder{}, fetched: map[string]string{}}, room: func() error { return nil }}
	if err := s.store.PutSettings(t.Context(), uid, logdb.Settings{UID: uid, Name: "main", Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

func (s *site) start() {
	s.t.Helper()
	r, err := pickup.New(s.t.Context(), s, s.state, pickup.Config{Settle: s.settle, Room: func() error { return s.room() }})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	s.run, s.stop = r, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.stop)
}

// Accept is of the log database.
func (s *site) Accept(ctx context.Context, p logdb.Page, limits logdb.Limits) (logdb.Receipt, error) {
	defer s.took()
	return s.store.Accept(ctx, p, limits)
}

func (s *site) add(f pickup.Folder) {
	s.t.Helper()
	f.Meter, f.EverySeconds = uid, 5
	if _, err := s.run.Add(s.t.Context(), f); err != nil {
		s.t.Fatal(err)
	}
}

// until waits for what the runner does by itself.
func (s *site) until(what string, fine func(pickup.Status) bool) pickup.Status {
	s.t.Helper()
	end := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		st := s.run.List()[0]
		if fine(st) {
			return st
		}
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("%s: %+v", what, st)
		}
	}
}

// values counts what the log holds of a channel.
func (s *site) values(channel logdb.ChannelKey) int64 {
	s.t.Helper()
	list, err := s.store.Series(s.t.Context(), uid)
	if err != nil {
		s.t.Fatal(err)
	}
	n := int64(0)
	for _, x := range list {
		if x.Channel == channel {
			n += x.Count
		}
	}
	return n
}

// log is what the log holds of a channel, in order of time.
func (s *site) log(channel logdb.ChannelKey) (out []float64) {
	s.t.Helper()
	list, err := s.store.Series(s.t.Context(), uid)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, x := range list {
		if x.Channel != channel {
			continue
		}
		if err := s.store.ReadSeries(s.t.Context(), []logdb.SeriesID{x.ID}, 0, logdb.MaxTime, func(_ logdb.SeriesID, b *logdb.Block) error {
			out = b.AppendValues(out)
			return nil
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	load = "time,P [kW]\n2021-03-01 00:00,1.5\n2021-03-01 00:15,2\n2021-03-01 00:30,2.25\n"
	cfg  = "Station,Relay,1999\n2,1A,1D\n1,IA,A,,A,0.5,0,0,-99999,99999,100,5,S\n1,TRIP,,,0\n50\n1\n1000,4\n" +
		"01/03/2021,10:00:00.000000\n01/03/2021,10:00:00.002000\nASCII\n1\n"
	dat = "1,0,-4,0\n2,1000,2,0\n3,2000,99999,1\n4,3000,7,1\n"
)

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	return err == nil
}

func TestFolder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := t.TempDir()
	write(t, dir, "load.csv", load)
	write(t, dir, "fault.cfg", cfg)
	write(t, dir, "fault.dat", dat)
	write(t, dir, "notes.txt", "nothing of a meter\n")
	write(t, dir, "coming.csv.part", load)
	write(t, dir, ".hidden", load)
	s.add(pickup.Folder{Path: dir, Map: []string{"P=readings.power.watts"}})
	st := s.until("three files are dealt with", func(st pickup.Status) bool { return st.Taken+st.Refused == 3 })
	if st.Taken != 2 || st.Refused != 1 || st.LastError != "" {
		t.Errorf("%+v", st)
	}
	if n := s.values("readings.power.watts"); n != 3 {
		t.Errorf("%d values, want 3", n)
	}
	for name, want := range map[string]bool{
		"done/load.csv": true, "done/fault.cfg": true, "done/fault.dat": true, "load.csv": false, "fault.dat": false,
		"refused/notes.txt": true, "coming.csv.part": true, ".hidden": true,
	} {
		if exists(t, filepath.Join(dir, name)) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
	if why, err := os.ReadFile(filepath.Join(dir, "refused", "notes.txt.reason.txt")); err != nil || !strings.Contains(string(why), "notes.txt") {
		t.Errorf("the reason: %q, %v", why, err)
	}

	// The same again, longer, after a restart: only what is new is stored.
	s.stop()
	s.start()
	write(t, dir, "load.csv", load+"2021-03-01 00:45,3\n")
	st = s.until("the longer file is taken in", func(st pickup.Status) bool { return st.Taken == 1 })
	if st.Stored != 1 || st.Repeats != 3 || s.values("readings.power.watts") != 4 {
		t.Errorf("%+v, %d values", st, s.values("readings.power.watts"))
	}
	list, err := os.ReadDir(filepath.Join(dir, "done"))
	if err != nil || len(list) != 4 {
		t.Errorf("%d files are done, %v: the first must not be written over", len(list), err)
	}
}

// Without room nothing is taken, and nothing is refused.
func TestFolderWaitsForRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := t.TempDir()
	write(t, dir, "load.csv", load)
	var mu sync.Mutex
	full := true
	s.room = func() error {
		mu.Lock()
		defer mu.Unlock()
		if full {
			return logdb.ErrFull
		}
		return nil
	}
	s.add(pickup.Folder{Path: dir})
	st := s.until("it says why it waits", func(st pickup.Status) bool { return st.LastError != "" })
	if st.Taken+st.Refused != 0 || !exists(t, filepath.Join(dir, "load.csv")) {
		t.Errorf("%+v", st)
	}
	mu.Lock()
	full = false
	mu.Unlock()
	s.until("it is taken in", func(st pickup.Status) bool { return st.Taken == 1 && st.LastError == "" })
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := t.TempDir()
	for name, f := range map[string]pickup.Folder{
		"a relative path": {Path: "x"}, "no folder": {Path: filepath.Join(dir, "none")}, "a zone": {Path: dir, Zone: "Mars"}, "a map": {Path: dir, Map: []string{"x"}},
		"too often": {Path: dir, EverySeconds: 1}, "no ftp": {Path: dir, FTP: "http://x"}, "a password in the address": {Path: dir, FTP: "ftp://a:b@x"},
	} {
		if _, err := s.run.Add(t.Context(), f); !errors.Is(err, pickup.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.add(pickup.Folder{Path: dir})
	if _, err := s.run.Add(t.Context(), pickup.Folder{Path: dir + "/", Meter: "other"}); !errors.Is(err, pickup.ErrInvalid) {
		t.Errorf("twice: %v", err)
	}
	if _, err := s.run.Remove(t.Context(), "none"); !errors.Is(err, pickup.ErrNotFound) {
		t.Errorf("remove: %v", err)
	}
	if _, err := s.run.Remove(t.Context(), s.run.List()[0].ID); err != nil || len(s.run.List()) != 0 || len(s.state.list) != 0 {
		t.Errorf("remove: %v", err)
	}
}

// TestFTP fetches from a server of another author (pyftpdlib).
func TestFTP(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import pyftpdlib").Run(); err != nil {
		t.Skip("SKIP pyftpdlib is not installed (Debian package python3-pyftpdlib): no FTP server of another author")
	}
	there := t.TempDir()
	write(t, there, "load.csv", load)
	write(t, there, "fault.cfg", cfg)
	write(t, there, "fault.dat", dat)
	write(t, there, "later.csv.part", load)
	const script = `
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
a = DummyAuthorizer()
a.add_user("meter", "secret", sys.argv[1], perm="elr")
class H(FTPHandler):
    authorizer = a
s = FTPServer(("127.0.0.1", 0), H)
print("port", s.socket.getsockname()[1], flush=True)
s.serve_forever()
`
	cmd := exec.Command(python, "-c", script, there)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	var port int
	if _, serr := fmt.Sscanf(line, "port %d", &port); err != nil || serr != nil {
		t.Fatalf("the server says %q, %v", line, err)
	}
	s := newSite(t)
	secret := filepath.Join(t.TempDir(), "password")
	write(t, filepath.Dir(secret), "password", "wrong\n")
	here := filepath.Join(t.TempDir(), "meter")
	s.add(pickup.Folder{Path: here, FTP: fmt.Sprintf("ftp://meter@127.0.0.1:%d/", port), PasswordFile: secret, Map: []string{"P=readings.power.watts"}})
	st := s.until("a wrong password is told", func(st pickup.Status) bool { return st.LastError != "" })
	if !strings.Contains(st.LastError, "log in") || strings.Contains(st.LastError, "wrong") {
		t.Errorf("error %q", st.LastError)
	}
	write(t, filepath.Dir(secret), "password", "secret\n")
	st = s.until("both are taken in", func(st pickup.Status) bool { return st.Taken == 2 })
	if st.Refused != 0 || s.values("readings.power.watts") != 3 || !exists(t, filepath.Join(there, "load.csv")) {
		t.Errorf("%+v", st)
	}
	s.stop()
	s.start()
	write(t, there, "load.csv", load+"2021-03-01 00:45,3\n")
	st = s.until("the longer file is fetched again, and no other", func(st pickup.Status) bool { return st.Taken > 0 })
	if st.Taken != 1 || st.Stored != 1 || s.values("readings.power.watts") != 4 {
		t.Errorf("%+v", st)
	}
}

// TestFileThatIsStillWritten: whoever writes a file may stall at any place and for any time, and set whatever time the file has: each
// row is stored once, as it stands in the end.
func TestFileThatIsStillWritten(t *testing.T) {
	t.Parallel()
	const head, one, two, three = "time,P\n", "2021-03-01 00:00,1000\n", "2021-03-01 00:15,12345.6\n", "2021-03-01 00:30,1200\n"
	cut := two[:len(two)-4] // 1234
	for _, tc := range []struct {
		name  string
		parts []string // each after a stall
		stall time.Duration
		ahead time.Duration // what the file's time is set to after each part, from the true one
		ends  time.Duration // how long after the last part it may take
		taken int64         // times
	}{
		{"in a number", []string{head + one + cut, two[len(cut):] + three}, time.Minute, 0, time.Minute, 1},
		{"in the number of the last row", []string{head + one + two + three[:len(three)-3], three[len(three)-3:]}, 9 * time.Minute, 0, time.Minute, 1},
		{"between two rows, shortly", []string{head + one, two, three}, 4 * time.Second, 0, time.Minute, 1},
		{"between two rows", []string{head + one, two, three}, time.Minute, 0, time.Minute, 3},
		{"between two rows, for hours", []string{head + one, two + three}, 20 * time.Hour, 0, time.Minute, 2},
		{"behind the names of the columns", []string{head, one + two + three}, time.Minute, 0, time.Minute, 1},
		{"a clock that is ahead", []string{head + one, two, three}, 3 * time.Second, time.Hour, time.Minute, 1},
		{"copied with the time of the original", []string{head + one, two, three}, 3 * time.Second, -1000 * time.Hour, time.Minute, 1},
		{"whole, without an end of the last line", []string{head + one + two + strings.TrimSpace(three)}, 0, 0, 11 * time.Minute, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := settling(t, 0)
				dir := t.TempDir()
				path := filepath.Join(dir, "load.csv")
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				s.add(pickup.Folder{Path: dir, Map: []string{"P=readings.power.watts"}})
				for _, part := range tc.parts {
					if _, err := f.WriteString(part); err != nil {
						t.Fatal(err)
					}
					if tc.ahead != 0 {
						if err := os.Chtimes(path, time.Time{}, time.Now().Add(tc.ahead)); err != nil && exists(t, path) {
							t.Fatal(err)
						}
					}
					time.Sleep(tc.stall)
				}
				time.Sleep(tc.ends)
				if st := s.run.List()[0]; st.Taken != tc.taken {
					t.Errorf("taken %d times, want %d", st.Taken, tc.taken)
				}
				s.stop()
				if got := s.log("readings.power.watts"); !slices.Equal(got, []float64{1000, 12345.6, 1200}) {
					t.Errorf("stored %v, want 1000, 12345.6 and 1200", got)
				}
				if b, err := os.ReadFile(filepath.Join(dir, "done", "load.csv")); err != nil || string(b) != strings.Join(tc.parts, "") {
					t.Errorf("done is %q, %v", b, err)
				}
				if list, err := os.ReadDir(filepath.Join(dir, "refused")); len(list) > 0 {
					t.Errorf("refused %v, %v", list, err)
				}
			})
		})
	}
}

// TestDataLeaveBeforeTheirConfiguration: a program that ends while it moves a recording leaves no data behind that another
// configuration of that name would take for its own.
func TestDataLeaveBeforeTheirConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir := t.TempDir()
	write(t, dir, "fault.cfg", cfg)
	write(t, dir, "fault.dat", dat)
	s.took = func() { _ = os.Remove(filepath.Join(dir, "fault.dat")) } // so that it cannot be moved
	s.add(pickup.Folder{Path: dir})
	s.until("it says what it cannot move", func(st pickup.Status) bool { return strings.Contains(st.LastError, "fault.dat") })
	if !exists(t, filepath.Join(dir, "fault.cfg")) || exists(t, filepath.Join(dir, "done", "fault.cfg")) {
		t.Error("the configuration was moved first")
	}
}
