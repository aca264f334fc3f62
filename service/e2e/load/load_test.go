package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// number reads a bound of the test from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s=%q, want a number above 0", name, text)
	}
	return n
}

const adminKey = "mmk_0123456789012345678901234567890123456789"

// folder is where the program is built; TestMain removes it.
var folder string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "metermanager-load-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	return m.Run()
}

// built is the program, which the first test that needs it builds.
var built = sync.OnceValues(func() (string, error) {
	program := filepath.Join(folder, "metermanager")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "metermanager/service")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return program, nil
})

func build(t *testing.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// startNode runs a site or a cloud as a child process, which ends with the test.
func startNode(t *testing.T, program, role string) (url string, pid int) {
	t.Helper()
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(context.WithoutCancel(t.Context()), program, "run", "--parent", "--data", filepath.Join(dir, role), "--listen", address)
	node.Env = append(os.Environ(), "MM_ROLES="+role)
	log, err := os.Create(filepath.Join(dir, role+".log"))
	if err != nil {
		t.Fatal(err)
	}
	node.Stdout, node.Stderr = log, log
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	hello, err := json.Marshal(map[string]any{
		"user": "owner", "password": "a long password", "customer": "c", "apikey": adminKey, "permissions": permission.Everything(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write(append(hello, '\n')); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends with its input
		if err := node.Wait(); err != nil {
			text, _ := os.ReadFile(log.Name())
			t.Errorf("the %s ended with %v\n%s", role, err, text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	})
	return "http://" + address, node.Process.Pid
}

// site is one sender, with an address of its own where the system has more than one loopback address.
type site struct {
	client *client.Client
	meter  logdb.MeterUID
	stream logdb.StreamID
	next   logdb.Position
}

func newClient(t *testing.T, url, key string, n int) *client.Client {
	t.Helper()
	d := &net.Dialer{Timeout: time.Minute}
	if runtime.GOOS == "linux" && n >= 0 {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}
	}
	c, err := client.New(url, client.Config{APIKey: key, Retries: -1, Dial: d.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const rowsOfPage = 300

// page is five hours of eight channels.
func (s *site) page() *logdb.Page {
	p := &logdb.Page{Meter: s.meter, Kind: logdb.KindHistorical, Stream: s.stream, JournalEnd: s.next + rowsOfPage - 1}
	h := logdb.History{}
	for _, phase := range []string{"an", "bn", "cn", "ab"} {
		h.Channels = append(h.Channels, logdb.ChannelKey("readings.voltage."+phase))
	}
	for _, phase := range []string{"a", "b", "c", "n"} {
		h.Channels = append(h.Channels, logdb.ChannelKey("readings.current."+phase))
	}
	h.Columns = make([][]float64, len(h.Channels))
	for i := range logdb.Position(rowsOfPage) {
		at := s.next + i
		h.Times = append(h.Times, 1_772_323_200_000+logdb.Millis(at)*60_000)
		h.Positions = append(h.Positions, at)
		for c := range h.Columns {
			h.Columns[c] = append(h.Columns[c], 100+float64((int(at)*7919+c*104729)%100_000)/1000)
		}
	}
	p.Rows = []logdb.History{h}
	return p
}

// result is what all sites together saw.
type result struct {
	mu      sync.Mutex
	took    []time.Duration // of each page that was taken
	refused int             // with a time to come back
	bad     []error         // anything else
}

func (r *result) note(took time.Duration, err error) (retry time.Duration, done bool) {
	var later interface{ RetryAfter() time.Duration }
	r.mu.Lock()
	defer r.mu.Unlock()
	switch code := fault.CodeOf(err); {
	case err == nil:
		r.took = append(r.took, took)
		return 0, true
	case errors.As(err, &later) && later.RetryAfter() > 0 && (code == fault.Unavailable || code == fault.RateLimited || code == fault.Full):
		r.refused++
		return later.RetryAfter(), false
	}
	r.bad = append(r.bad, err)
	return 0, true
}

// run sends pages, one after the other, as a site that drains a backlog does.
func (s *site) run(ctx context.Context, pages int, r *result) {
	for range pages {
		for {
			began := time.Now()
			_, err := s.client.PushPage(ctx, s.page())
			retry, done := r.note(time.Since(began), err)
			if done {
				break
			}
			select {
			case <-time.After(retry):
			case <-ctx.Done():
				return
			}
		}
		s.next += rowsOfPage
	}
}

// ready waits until a node listens.
func ready(t *testing.T, c *client.Client) {
	t.Helper()
	for range 200 {
		if c.Ready(t.Context()) == nil {
			return
		}
		pause(t, 100*time.Millisecond)
	}
	t.Fatal("the node does not listen")
}

// pause waits, as the one who watches a process must.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal("the test was ended")
	}
}

// register makes the meters and keys of all sites.
func register(t *testing.T, url string, sites int) []*site {
	t.Helper()
	admin := newClient(t, url, adminKey, -1)
	ready(t, admin)
	out := make([]*site, sites)
	for i := range out {
		m, err := admin.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Make: "EIG", Serial: fmt.Sprint(i), Name: fmt.Sprint("site ", i), Zone: "UTC"}})
		if err != nil {
			t.Fatal(err)
		}
		key, err := admin.CreateKey(t.Context(), api.CreateKeyRequest{Name: fmt.Sprint("site ", i), Permissions: permission.Of(permission.Upload)})
		if err != nil {
			t.Fatal(err)
		}
		out[i] = &site{
			client: newClient(t, url, key.Secret, i), meter: m.MeterUID, next: 1,
			stream: logdb.StreamID{Journal: logdb.JournalID(fmt.Sprintf("%032x", i+1)), Policy: "1"},
		}
	}
	return out
}

// memory is the most that a process had resident, in bytes; 0 where the system does not tell.
func memory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb int64
	_, _ = fmt.Fscan(strings.NewReader(rest), &kb)
	return kb << 10
}

// TestManySitesAgainstOneCloud: all send at once. The cloud may answer slowly, or tell them to come back;
// nothing fails otherwise, everything is there in the end, and its memory stays bounded.
func TestManySitesAgainstOneCloud(t *testing.T) {
	sites, pages := number(t, "LOAD_SITES", 50), number(t, "LOAD_PAGES", 4)
	within := time.Duration(number(t, "LOAD_SECONDS", 120)) * time.Second
	url, pid := startNode(t, build(t), "cloud")
	all := register(t, url, sites)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	r := &result{}
	began := time.Now()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() { s.run(ctx, pages, r) })
	}
	wg.Wait()
	took := time.Since(began)
	if len(r.bad) > 0 {
		t.Errorf("%d answers were neither a success nor a time to come back; the first: %v", len(r.bad), r.bad[0])
	}
	if len(r.took) != sites*pages {
		t.Fatalf("%d of %d pages were taken within %s, %d refusals", len(r.took), sites*pages, within, r.refused)
	}
	for _, s := range all[:min(10, len(all))] {
		states, err := s.client.Streams(t.Context(), s.meter, logdb.KindHistorical)
		if err != nil || len(states) != 1 || states[0].Fates.Count(logdb.FateStored) != pages*rowsOfPage {
			t.Errorf("meter %s: %+v, %v; want %d rows", s.meter, states, err, pages*rowsOfPage)
		}
	}
	most := memory(pid)
	if bound := int64(600 << 20); most > bound {
		t.Errorf("the cloud took %d MB", most>>20)
	}
	slices.Sort(r.took)
	p := func(share float64) time.Duration {
		return r.took[min(len(r.took)-1, int(share*float64(len(r.took))))].Round(time.Millisecond)
	}
	t.Logf("load: %d sites, %d pages of %d rows and 8 channels in %s: p50 %s, p99 %s, slowest %s; %d refused with a time to come back; %d MB resident at most",
		sites, len(r.took), rowsOfPage, took.Round(time.Millisecond), p(0.5), p(0.99), p(1), r.refused, most>>20)
}
