package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/config"
	"metermanager/service/daemon"
)

// disk is a disk whose room the test sets, and a clock that it moves on.
type disk struct {
	free atomic.Int64
	now  atomic.Int64
	data string // the folder of the node
}

func (d *disk) clock() time.Time { return time.UnixMilli(d.now.Load()) }

// safe is a log that several goroutines write to.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

const diskKey = "mmk_0123456789012345678901234567890123456789"

// serve runs a cloud with this disk until the test ends.
func (d *disk) serve(t *testing.T, conf config.Config) (n *caller, log *safe) {
	t.Helper()
	d.now.Store(1_772_366_400_000)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = &safe{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	conf.Data, conf.Listen, conf.Roles = t.TempDir(), listener.Addr().String(), []string{config.RoleCloud}
	d.data = conf.Data
	go func() {
		done <- daemon.Run(ctx, conf, daemon.Options{
			Log: log, Getenv: func(string) string { return "" },
			Bootstrap: daemon.Bootstrap{User: "owner", Password: "a long password", Customer: "c", APIKey: diskKey, Permissions: permission.Everything()},
			Seams: daemon.Seams{
				Now: d.clock, PasswordCost: 4, FreeBytes: func(string) (int64, error) { return d.free.Load(), nil },
				Listen: func(context.Context, string) (net.Listener, error) { return listener, nil },
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &caller{t, "http://" + listener.Addr().String()}, log
}

// TestADiskThatFillsUp takes a node from room to alarm to stop and back.
func TestADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	d := &disk{}
	d.free.Store(4 << 30)
	n, log := d.serve(t, config.Config{DiskAlarmMB: 1024, DiskStopMB: 256})
	var meter api.RegisterAnswer
	n.ok("POST", "/api/v1/meters/register", `{"make":"EIG","serial":"1","name":"n"}`, &meter)
	row := 0
	upload := func() *http.Response {
		row++
		return n.call("POST", "/api/v1/meters/"+string(meter.MeterUID)+"/logs/historical",
			fmt.Sprintf(`{"channels":[{"chan_key":"readings.voltage.an"}],"records":[[%d,230]]}`, 1_772_366_400_000+60_000*row))
	}
	status := func() api.NodeStatus {
		var s api.NodeStatus
		n.ok("GET", "/api/v1/status", "", &s)
		return s
	}
	for _, step := range []struct {
		name, level    string
		free           int64
		upload, ready  int
		warnings, says string
	}{
		{"room", api.DiskOK, 4 << 30, 200, 200, "", ""},
		{"little", api.DiskAlarm, 900 << 20, 200, 200, "Only 900 MB", "the disk is nearly full"},
		{"none", api.DiskStop, 200 << 20, 507, 503, "Only 200 MB", "take nothing in"},
		{"a little more is not enough", api.DiskStop, 260 << 20, 507, 503, "Only 260 MB", ""},
		{"enough to go on", api.DiskAlarm, 400 << 20, 200, 200, "Only 400 MB", "go on"},
		{"not enough for all clear", api.DiskAlarm, 1100 << 20, 200, 200, "Only 1100 MB", ""},
		{"room again", api.DiskOK, 2 << 30, 200, 200, "", `msg="there is room on the disk again"`},
	} {
		d.free.Store(step.free)
		d.now.Add(2000)
		s := status()
		if s.Disk.Level != step.level || !strings.Contains(strings.Join(s.Warnings, "\n"), step.warnings) || step.warnings == "" && len(s.Warnings) > 0 {
			t.Errorf("%s: level %s, warnings %q", step.name, s.Disk.Level, s.Warnings)
		}
		r := upload()
		if r.StatusCode != step.upload || (r.StatusCode != 200) != (r.Header.Get("Retry-After") != "") {
			t.Errorf("%s: an upload gets %d, Retry-After %q", step.name, r.StatusCode, r.Header.Get("Retry-After"))
		}
		if r := n.call("GET", "/readyz", ""); r.StatusCode != step.ready {
			t.Errorf("%s: ready gets %d", step.name, r.StatusCode)
		}
		for range 3 { // the log tells once
			d.now.Add(2000)
			status()
		}
		if step.says != "" && strings.Count(log.String(), step.says) != 1 {
			t.Errorf("%s: the log does not say once: %s\n%s", step.name, step.says, log)
		}
		metrics, err := io.ReadAll(n.call("GET", "/metrics", "").Body)
		if err != nil || !strings.Contains(string(metrics), `metermanager_disk_level{level="`+step.level+`"} 1`) {
			t.Errorf("%s: metrics, %v", step.name, err)
		}
	}
	d.free.Store(0) // what is here can still be read
	d.now.Add(2000)
	n.ok("GET", "/api/v1/meters/"+string(meter.MeterUID)+"/logs/historical?channels=readings.voltage.an", "", nil)
}

// TestADataFolderThatFillsUp has the folder reach a bound of its own on a disk with much room.
func TestADataFolderThatFillsUp(t *testing.T) {
	t.Parallel()
	d := &disk{}
	d.free.Store(1 << 40)
	n, _ := d.serve(t, config.Config{DiskAlarmMB: 300, DiskStopMB: 100, DataMaxMB: 1000})
	var meter api.RegisterAnswer
	n.ok("POST", "/api/v1/meters/register", `{"make":"EIG","serial":"1","name":"n"}`, &meter)
	for i, step := range []struct {
		level  string
		filled int64 // MB, beside what the node itself keeps
		upload int
	}{{api.DiskOK, 0, 200}, {api.DiskAlarm, 750, 200}, {api.DiskStop, 920, 507}, {api.DiskOK, 0, 200}} {
		filler, err := os.Create(filepath.Join(d.data, "filler"))
		if err == nil {
			err = errors.Join(filler.Truncate(step.filled<<20), filler.Close()) // it takes no room of this disk
		}
		if err != nil {
			t.Fatal(err)
		}
		d.now.Add(20_000)
		var s api.NodeStatus
		n.ok("GET", "/api/v1/status", "", &s)
		r := n.call("POST", "/api/v1/meters/"+string(meter.MeterUID)+"/logs/historical",
			fmt.Sprintf(`{"channels":[{"chan_key":"readings.voltage.an"}],"records":[[%d,230]]}`, 1_772_366_400_000+60_000*i))
		if s.Disk.Level != step.level || r.StatusCode != step.upload {
			t.Errorf("%d MB of 1000: level %s, an upload gets %d, want %s and %d", step.filled, s.Disk.Level, r.StatusCode, step.level, step.upload)
		}
	}
}

type caller struct {
	t   *testing.T
	url string
}

func (n *caller) call(method, path, body string) *http.Response {
	n.t.Helper()
	var r *http.Response
	for range 100 { // until it listens
		q, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, strings.NewReader(body))
		if err != nil {
			n.t.Fatal(err)
		}
		q.Header.Set("X-Api-Key", diskKey)
		if body != "" {
			q.Header.Set("Content-Type", "application/json")
		}
		if r, err = http.DefaultClient.Do(q); err == nil {
			break
		} else if !errors.Is(err, io.EOF) {
			n.t.Fatal(err)
		}
	}
	data, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		n.t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return r
}

func (n *caller) ok(method, path, body string, into any) {
	n.t.Helper()
	r := n.call(method, path, body)
	data, _ := io.ReadAll(r.Body) // it is in memory
	if r.StatusCode != 200 {
		n.t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, data)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			n.t.Fatal(err)
		}
	}
}
