//go:build unix

package peers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
	"metermanager/service/config"
)

// key is the credential of every request.
const key = "mmk_0123456789012345678901234567890123456789"

// manager is a cloud of ours as a process: keys, checks of pages, limits and repeats are as they are by default.
type manager struct {
	program, data, url string
	uids               []logdb.MeterUID
	stop               func()
}

func startManager(t *testing.T, meters int) *manager {
	t.Helper()
	dir := t.TempDir()
	m := &manager{program: filepath.Join(dir, "metermanager"), data: filepath.Join(dir, "cloud")}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", m.program, "metermanager/service")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	m.start(t)
	c, err := client.New(m.url, client.Config{APIKey: key})
	must(t, err)
	for i := range meters {
		got, err := c.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Name: fmt.Sprint("m", i), Make: "EIG", Serial: fmt.Sprint(i), Zone: "UTC"}})
		must(t, err)
		m.uids = append(m.uids, got.MeterUID)
	}
	return m
}

func (m *manager) start(t *testing.T) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	c := exec.CommandContext(context.WithoutCancel(t.Context()), m.program, "run", "--parent", "--data", m.data, "--listen", address)
	c.Env = append(os.Environ(), "MM_ROLES=cloud")
	in, err := c.StdinPipe()
	must(t, err)
	must(t, c.Start())
	hello, err := json.Marshal(map[string]any{"user": "owner", "password": "a long password", "customer": "c", "apikey": key, "permissions": permission.Everything()})
	must(t, err)
	_, err = in.Write(append(hello, '\n'))
	must(t, err)
	stopped := false
	m.stop = func() {
		if !stopped {
			stopped = true
			_ = in.Close()
			_ = c.Wait()
		}
	}
	t.Cleanup(m.stop)
	m.url = "http://" + address
	answers(t, m.url+"/readyz")
}

func (m *manager) ingest(t *testing.T, pages []*page) time.Duration {
	bodies := make([][]byte, len(pages))
	for i, p := range pages {
		bodies[i] = p.ours(m.uids[p.meter])
	}
	return parallel(len(bodies), func(_, i int) {
		fetch(t, "POST", m.url+"/api/v1/meters/"+string(m.uids[pages[i].meter])+"/logs/historical", key, bodies[i])
	})
}

// settle merges everything and measures the file: chunks, tier, fates, claims and the empty pages between them.
func (m *manager) settle(t *testing.T) int64 {
	m.inside(t, func(s *sqlite.Store) {
		for _, uid := range m.uids {
			must(t, s.Compact(t.Context(), uid))
		}
	})
	return folderBytes(filepath.Dir(config.LogsFile(m.data))) - folderBytes(filepath.Join(m.data, "log"))
}

// inside works on the store itself while the service is down.
func (m *manager) inside(t *testing.T, do func(*sqlite.Store)) {
	t.Helper()
	m.stop()
	s, err := sqlite.Open(t.Context(), config.LogsFile(m.data), sqlite.Config{})
	must(t, err)
	do(s)
	must(t, s.Close())
	m.start(t)
}

func (m *manager) ask(t *testing.T, q question) {
	base := m.url + "/api/v1/meters/" + string(m.uids[0])
	if q.last {
		fetch(t, "GET", base+"/channels", key, nil)
		return
	}
	fetch(t, "GET", base+"/logs/historical?"+q.values().Encode(), key, nil)
}

func (q question) values() url.Values {
	from, to := span(q)
	var names []string
	for _, c := range channels()[:q.channels] {
		names = append(names, string(c))
	}
	v := url.Values{"from": {fmt.Sprint(from)}, "to": {fmt.Sprint(to)}, "channels": {strings.Join(names, ",")}, "zone": {"utc"}}
	if q.step != "" {
		v.Set("interval", q.step+"m")
		v.Set("agg", "mean")
	}
	return v
}

// readStore reads as the question says, through the package.
func readStore(t *testing.T, s *sqlite.Store, uid logdb.MeterUID, q question) {
	list, err := s.Series(t.Context(), uid)
	must(t, err)
	if q.last {
		return
	}
	var ids []logdb.SeriesID
	for _, key := range channels()[:q.channels] {
		for _, x := range list {
			if x.Channel == key {
				ids = append(ids, x.ID)
			}
		}
	}
	from, to := span(q)
	if q.step == "" {
		n := 0
		must(t, s.ReadSeries(t.Context(), ids, logdb.Millis(from), logdb.Millis(to), func(_ logdb.SeriesID, b *logdb.Block) error { n += b.Len(); return nil }))
		if n != q.channels*q.days*rowsOfPage {
			t.Errorf("%s: %d values were read", q.name, n)
		}
		return
	}
	var step int64
	_, err = fmt.Sscan(q.step, &step)
	must(t, err)
	var edges []logdb.Millis
	for at := from; at < to+step*60_000; at += step * 60_000 {
		edges = append(edges, logdb.Millis(at))
	}
	must(t, s.ReadBuckets(t.Context(), ids, edges, func(logdb.SeriesID, []logdb.Bucket) error { return nil }))
}

func (m *manager) holds(t *testing.T, q question) {
	q.step, q.last = "", false
	if n := m.count(t, q); n != q.channels*q.days*rowsOfPage {
		t.Errorf("an answer of ours has %d values", n)
	}
}

// count asks how many values an answer of ours has, so that a wrong answer is not taken for a fast one.
func (m *manager) count(t *testing.T, q question) int {
	req, err := http.NewRequestWithContext(t.Context(), "GET", m.url+"/api/v1/meters/"+string(m.uids[0])+"/logs/historical?"+q.values().Encode(), nil)
	must(t, err)
	req.Header.Set("X-Api-Key", key)
	r, err := http.DefaultClient.Do(req)
	must(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	must(t, err)
	h, err := api.ParseHistory(body, api.ScanLimits{})
	must(t, err)
	if h.Next != "" {
		must(t, errors.New("an answer was cut"))
	}
	return len(h.Times) * len(h.Columns)
}
