package export_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/rpc/pki"
	"metermanager/service/cloud/audit"
	"metermanager/service/cloud/audit/export"
)

// memory is an audit with its targets.
type memory struct {
	mu      sync.Mutex
	events  []audit.Event
	targets map[string]export.Target
	holders map[string]string // by the id of a target
	until   map[string]time.Time
	fails   int // so often nothing can be held
}

func newMemory() *memory {
	return &memory{targets: map[string]export.Target{}, holders: map[string]string{}, until: map[string]time.Time{}}
}

// grow writes so many more events.
func (m *memory) grow(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		seq := int64(len(m.events) + 1)
		m.events = append(m.events, audit.Event{
			Seq: seq, AtMillis: 1_772_366_400_000 + seq, Customer: "c", Actor: "user:1", Name: `Ann "]\ =|` + "\nB", Action: "login", Outcome: audit.Done, Details: map[string]string{"n": strings.Repeat("x", int(seq%7)*100)},
		})
	}
}

func (m *memory) Exports(context.Context) (out []export.Target, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		t.Holder = m.holders[t.ID]
		out = append(out, t)
	}
	return out, nil
}

func (m *memory) PutExport(_ context.Context, t export.Target) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.targets[t.Name]; ok {
		return export.ErrExists
	}
	m.targets[t.Name] = t
	return nil
}

func (m *memory) DeleteExport(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.targets, name)
	return nil
}

func (m *memory) HoldExport(_ context.Context, t export.Target, holder string, now, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		return false, errors.New("the database is away")
	}
	if m.targets[t.Name].ID != t.ID || m.holders[t.ID] != "" && m.holders[t.ID] != holder && now.Before(m.until[t.ID]) {
		return false, nil
	}
	m.holders[t.ID], m.until[t.ID] = holder, until
	return true, nil
}

func (m *memory) LetExports(_ context.Context, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.holders, func(_, by string) bool { return by == holder })
	return nil
}

func (m *memory) MoveExport(_ context.Context, t export.Target, holder string, position int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.targets[t.Name]
	if now.ID != t.ID || m.holders[t.ID] != holder {
		return export.ErrNotHeld
	}
	if position < now.Position {
		return errors.New("a target goes back")
	}
	now.Position = position
	m.targets[t.Name] = now
	return nil
}

func (m *memory) AuditAfter(_ context.Context, seq int64, limit int) ([]audit.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.events[min(int(seq), len(m.events)):]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (m *memory) AuditLast(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.events)), nil
}

// run runs an exporter until the test, or the returned function, ends it.
func run(t *testing.T, m *memory, cfg export.Config) (*export.Exporter, func()) {
	t.Helper()
	cfg.Writer = audit.Product("1.0", "node")
	cfg.Poll, cfg.FirstPause, cfg.LongestPause = 2*time.Millisecond, time.Millisecond, 10*time.Millisecond
	e := export.New(m, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return e, end
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatal("does not come: " + what)
		case <-tick.C:
		}
	}
}

// receiver counts the messages that came, by the number of their event.
type receiver struct {
	mu   sync.Mutex
	seen map[int64]int
	bad  []string
}

func newReceiver() *receiver { return &receiver{seen: map[int64]int{}} }

// rfc5424 is the grammar of what we send: head, structured data with its escapes, message.
var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (-|\[[^ =\]"]+(?: [^ =\]"]+="(?:[^"\\\]]|\\["\\\]])*")*\]) (.*)$`)

var seqOf = regexp.MustCompile(`seq="(\d+)"|externalId=(\d+)`)

func (r *receiver) take(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seq := seqOf.FindStringSubmatch(message)
	if seq == nil || !rfc5424.MatchString(message) && !strings.HasPrefix(message, "CEF:0|") {
		r.bad = append(r.bad, message)
		return
	}
	n, _ := strconv.ParseInt(seq[1]+seq[2], 10, 64)
	r.seen[n]++
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// all reports whether every event from 1 to n came.
func (r *receiver) all(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bad {
		t.Errorf("not a message: %q", b)
	}
	for i := int64(1); i <= int64(n); i++ {
		if r.seen[i] == 0 {
			t.Errorf("event %d never came", i)
			return
		}
	}
}

// counted reads messages framed by their octets until the end.
func (r *receiver) counted(c io.Reader, most int) {
	in := bufio.NewReader(c)
	for n := 0; most == 0 || n < most; n++ {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil || length[0] == '0' {
			r.mu.Lock()
			r.bad = append(r.bad, "length "+length)
			r.mu.Unlock()
			return
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		r.take(string(message))
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestNothingIsLostOverOutages: a receiver that is killed again and again, with what it has not read yet, gets every event in the
// end; so it does when the node stops in between.
func TestNothingIsLostOverOutages(t *testing.T) {
	t.Parallel()
	m, r := newMemory(), newReceiver()
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	// Confirmed only after a second: longer than a receiver lives here.
	e, end := run(t, m, export.Config{Settle: time.Second})
	if err := e.Add(t.Context(), export.Target{Name: "siem", URL: "tcp://" + address}, true); err != nil {
		t.Fatal(err)
	}
	total := 0
	for round := range 6 {
		m.grow(50)
		total += 50
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.counted(c, 7*(round+1)) // and no more of what has arrived
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		if round == 2 { // nobody listens for a while
			_ = l.Close()
			m.grow(30)
			total += 30
			l = listen(t, address)
		}
		if round == 4 { // the node stops, and starts again
			end()
			e, end = run(t, m, export.Config{Settle: time.Second})
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.counted(c, 0)
		}
	}()
	eventually(t, "all events", func() bool { return r.count() == total })
	r.all(t, total)
	eventually(t, "the confirmation", func() bool {
		s, err := e.States(t.Context())
		return err == nil && len(s) == 1 && s[0].Position == int64(total) && s[0].Waiting == 0 && s[0].Trouble == ""
	})
	_ = l.Close()
}

// TestNodeThatStopsInOrder has no events to send again: the receiver ended the connection when it had read everything.
func TestNodeThatStopsInOrder(t *testing.T) {
	t.Parallel()
	m, r := newMemory(), newReceiver()
	l := listen(t, "127.0.0.1:0")
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.counted(c, 0)
			_ = c.Close()
		}
	}()
	e, end := run(t, m, export.Config{Settle: time.Hour})
	if err := e.Add(t.Context(), export.Target{Name: "siem", URL: "tcp://" + l.Addr().String(), Format: export.FormatCEF}, false); err != nil {
		t.Fatal(err)
	}
	m.grow(450) // more than are sent at once
	eventually(t, "all events", func() bool { return r.count() == 450 })
	end()
	if targets, _ := m.Exports(t.Context()); targets[0].Position != 450 {
		t.Errorf("known to be received: %d, want 450", targets[0].Position)
	}
	r.all(t, 450)
}

// settings keep an authority in memory, unsealed.
type settings map[string]string

func (s settings) NodeSettings(context.Context) (map[string]string, error) { return s, nil }

func (s settings) PutNodeSetting(_ context.Context, name, value string) error {
	s[name] = value
	return nil
}

func (settings) Seal(b []byte) ([]byte, error) { return b, nil }

func (settings) Open(b []byte) ([]byte, error) { return b, nil }

// TestTLS: only the receiver whose certificate is known gets anything.
func TestTLS(t *testing.T) {
	t.Parallel()
	store := settings{}
	authority, err := pki.Open(t.Context(), store, store, pki.Config{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		target export.Target
		ok     bool
	}{
		{"by file", export.Target{CA: file}, true},
		{"by fingerprint", export.Target{Fingerprint: authority.Fingerprint()}, true},
		{"another fingerprint", export.Target{Fingerprint: strings.Repeat("0", 64)}, false},
		{"nothing", export.Target{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := tls.Listen("tcp", "127.0.0.1:0", pki.ServerConfig(authority))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			r := newReceiver()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					r.counted(conn, 0)
					_ = conn.Close()
				}
			}()
			m := newMemory()
			m.grow(20)
			e, end := run(t, m, export.Config{})
			c.target.Name, c.target.URL = "siem", "tls://"+l.Addr().String()
			if err := e.Add(t.Context(), c.target, true); err != nil {
				t.Fatal(err)
			}
			if c.ok {
				eventually(t, "all events", func() bool { return r.count() == 20 })
				end()
				r.all(t, 20)
				return
			}
			eventually(t, "the trouble", func() bool { s, _ := e.States(t.Context()); return len(s) == 1 && s[0].Trouble != "" })
			if r.count() > 0 {
				t.Error("an unknown receiver was sent events")
			}
		})
	}
}

func TestDatagrams(t *testing.T) {
	t.Parallel()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	r := newReceiver()
	go func() {
		b := make([]byte, 65536)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			r.take(string(b[:n]))
		}
	}()
	m := newMemory()
	e, _ := run(t, m, export.Config{})
	if err := e.Add(t.Context(), export.Target{Name: "siem", URL: "udp://" + c.LocalAddr().String()}, false); err != nil {
		t.Fatal(err)
	}
	m.grow(20)
	eventually(t, "all events", func() bool { return r.count() == 20 })
	r.all(t, 20)
}

// TestFile: every event is one line, also when the file is moved away in between, and after a line that was cut.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "audit.log"), []byte("CEF:0|cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	e, end := run(t, m, export.Config{Folder: dir})
	if err := e.Add(t.Context(), export.Target{Name: "file", URL: "file:audit.log", Format: export.FormatCEF}, true); err != nil {
		t.Fatal(err)
	}
	written := func(n int64) func() bool {
		return func() bool { s, _ := e.States(t.Context()); return len(s) == 1 && s[0].Position == n }
	}
	m.grow(30)
	eventually(t, "the first events", written(30))
	if err := os.Rename(filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.log.1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new file", func() bool { _, err := os.Stat(filepath.Join(dir, "audit.log")); return err == nil })
	m.grow(30)
	eventually(t, "the others", written(60))
	end()
	r := newReceiver()
	for _, name := range []string{"audit.log.1", "audit.log"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line != "CEF:0|cut\n" {
				r.take(strings.TrimSuffix(line, "\n"))
			}
		}
	}
	r.all(t, 60)
}

func TestTargetsAreChecked(t *testing.T) {
	t.Parallel()
	e, _ := run(t, newMemory(), export.Config{Folder: t.TempDir()})
	for _, bad := range []export.Target{
		{Name: "", URL: "udp://127.0.0.1"}, {Name: "a/b", URL: "udp://127.0.0.1"}, {Name: "a", URL: "http://127.0.0.1"}, {Name: "a", URL: "file:///etc/cron.d/x"},
		{Name: "a", URL: "file:../x"}, {Name: "a", URL: "file:.hidden"}, {Name: "a", URL: "tcp://"}, {Name: "a", URL: "tcp://127.0.0.1/x"}, {Name: "a", URL: "tcp://127.0.0.1", CA: "x.pem"},
		{Name: "a", URL: "udp://127.0.0.1", Format: "xml"}, {Name: "a", URL: "udp://127.0.0.1", View: "customer"}, {Name: "a", URL: "tls://127.0.0.1", Fingerprint: "12"}, {Name: "a", URL: "tls://127.0.0.1", CA: "none.pem"},
	} {
		if err := e.Add(t.Context(), bad, false); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := e.Add(t.Context(), export.Target{Name: "a", URL: "udp://127.0.0.1"}, false); err != nil {
		t.Error(err)
	}
	if err := e.Add(t.Context(), export.Target{Name: "a", URL: "udp://127.0.0.1"}, false); err == nil {
		t.Error("a name is taken twice")
	}
	if s, err := e.States(t.Context()); err != nil || len(s) != 1 || s[0].URL != "udp://127.0.0.1:514" || s[0].Format != export.FormatSyslog || s[0].View != audit.ViewServer {
		t.Errorf("states %+v, %v", s, err)
	}
	if err := e.Remove(t.Context(), "b"); err == nil {
		t.Error("what is not there is removed")
	}
	if err := e.Remove(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// TestRsyslog: a receiver of others understands what comes, is killed, comes back, and has every event then.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("/usr/sbin/rsyslogd")
	if err != nil {
		t.Skip("rsyslog is not installed")
	}
	dir := t.TempDir()
	l := listen(t, "127.0.0.1:0")
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	out := filepath.Join(dir, "out.log")
	conf := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `global(workDirectory="%[1]s" maxMessageSize="64k")
module(load="imtcp")
input(type="imtcp" port="%[2]d" address="127.0.0.1")
template(name="t" type="string" string="%%app-name%%|%%procid%%|%%msgid%%|%%hostname%%|%%pri%%|%%structured-data%%|%%msg%%\n")
action(type="omfile" file="%[3]s" template="t")
`, dir, port, out), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		c := exec.Command(program, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	m := newMemory()
	e, _ := run(t, m, export.Config{Settle: 2 * time.Second})
	if err := e.Add(t.Context(), export.Target{Name: "rsyslog", URL: fmt.Sprintf("tcp://127.0.0.1:%d", port)}, true); err != nil {
		t.Fatal(err)
	}
	seen := func() map[string]bool {
		text, _ := os.ReadFile(out)
		got := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			if !strings.HasSuffix(line, "\n") {
				break // still being written
			}
			parts := strings.SplitN(line, "|", 7)
			if len(parts) != 7 || parts[0] != "metermanager" || parts[1] != "-" || parts[2] != "login" || parts[3] != "node" || parts[4] != "110" {
				t.Errorf("rsyslog understood %q", line)
				continue
			}
			if seq := seqOf.FindStringSubmatch(parts[5]); seq != nil {
				got[seq[1]] = true
			}
		}
		return got
	}
	daemon := start()
	m.grow(100)
	eventually(t, "the first events", func() bool { return len(seen()) == 100 })
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
	m.grow(100)
	daemon = start()
	eventually(t, "the events of the outage", func() bool { return len(seen()) == 200 })
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
}
