package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
	"metermanager/rpc/rpctest"
	"metermanager/service/field/sim"
)

// link is one node of a chain: a process with its folder and its address, which it keeps.
type link struct {
	t                     *testing.T
	name, dir, url, roles string
	env                   []string // beside the roles
	cmd                   *exec.Cmd
	stdin                 io.Closer
	c                     *client.Client
}

const chainUser, chainPassword = "engineer", "correct horse battery"

func (l *link) key() string { return "mmk_" + strings.Repeat(l.name, 12)[:40] }

func newLink(t *testing.T, name, roles string, env ...string) *link {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{t: t, name: name, dir: filepath.Join(t.TempDir(), name), url: "http://" + port.Addr().String(), roles: roles, env: env}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	if l.c, err = client.New(l.url, client.Config{User: chainUser, Password: chainPassword, RetryWait: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.kill)
	l.start()
	return l
}

func (l *link) start() {
	l.t.Helper()
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		l.t.Fatal(err)
	}
	log, err := os.OpenFile(l.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer log.Close()
	l.cmd = exec.Command(program, "run", "--parent", "--data", l.dir, "--listen", strings.TrimPrefix(l.url, "http://"))
	l.cmd.Env = append(append(cleanEnviron(), "MM_ROLES="+l.roles), l.env...)
	l.cmd.Stdout, l.cmd.Stderr = log, log
	in, err := l.cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.stdin = in
	hello := map[string]any{"user": chainUser, "password": chainPassword, "customer": "Acme", "apikey": l.key(), "permissions": permission.Everything()}
	if err := json.NewEncoder(in).Encode(hello); err != nil {
		l.t.Fatal(err)
	}
	l.until("answer", func(ctx context.Context) error { return l.c.Ready(ctx) })
}

// kill is kill -9.
func (l *link) kill() {
	if l.cmd == nil {
		return
	}
	_ = l.cmd.Process.Kill()
	_ = l.cmd.Wait()
	_ = l.stdin.Close()
	l.cmd = nil
	if l.t.Failed() {
		text, _ := os.ReadFile(l.dir + ".log")
		l.t.Logf("%s:\n%s", l.name, text[max(0, len(text)-3000):])
	}
}

// empty takes the node's log database away: people and meters stay.
func (l *link) empty() {
	l.t.Helper()
	l.kill()
	files, err := filepath.Glob(filepath.Join(l.dir, "logs.db*"))
	if err != nil || len(files) == 0 {
		l.t.Fatalf("log database of %s: %v, %v", l.name, files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			l.t.Fatal(err)
		}
	}
	l.start()
}

// until tries something until it works.
func (l *link) until(what string, do func(ctx context.Context) error) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	var err error
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		now := do(ctx)
		if now == nil {
			tick.Stop()
			return
		}
		if ctx.Err() == nil { // not that the time is over
			err = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			l.t.Fatalf("%s does not %s: %v", l.name, what, err)
		}
	}
}

func (l *link) call(command string, args map[string]any) {
	l.t.Helper()
	if err := l.c.Call(l.t.Context(), command, args, nil); err != nil {
		l.t.Fatalf("%s %s: %v", l.name, command, err)
	}
}

// push uploads rows without positions, as a web-enabled meter does.
func (l *link) push(meter logdb.MeterUID, from, n int) {
	l.t.Helper()
	h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: make([][]float64, 1)}
	for i := range n {
		h.Times = append(h.Times, 1_767_571_200_000+logdb.Millis(from+i)*60_000)
		h.Columns[0] = append(h.Columns[0], float64(from+i))
	}
	a, err := l.c.PushPage(l.t.Context(), &logdb.Page{Meter: meter, Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
	if err != nil || a.Stored != n {
		l.t.Fatalf("push: %+v, %v", a, err)
	}
}

// clean waits until the node's verify finds nothing that differs or waits, and something that is the same.
func (l *link) clean(clouds ...string) {
	l.t.Helper()
	begin := time.Now()
	defer func() {
		l.t.Logf("%s is clean with %v after %v", l.name, clouds, time.Since(begin).Round(time.Millisecond))
	}()
	for _, cloud := range clouds {
		l.until("come clean with "+cloud, func(ctx context.Context) error {
			args := map[string]any{"cloud": cloud}
			if err := l.c.Call(ctx, api.CmdCloudRefresh, args, nil); err != nil {
				return err
			}
			if err := l.c.Call(ctx, api.CmdCloudMeterRegister, args, nil); err != nil {
				return err
			}
			if err := l.c.Call(ctx, api.CmdCloudMeterUpload, args, nil); err != nil {
				return err
			}
			var r api.VerifyReport
			if err := l.c.Call(ctx, api.CmdVerify, args, &r); err != nil {
				return err
			}
			if !r.Clean() || r.Compared == 0 {
				return fmt.Errorf("%d compared, %d pending, %d different: %+v", r.Compared, r.Pending, r.Different, r.Days[:min(2, len(r.Days))])
			}
			return nil
		})
	}
}

// holding is what a node says of a meter: its sets, and every record in raw pages.
type holding struct {
	sets    map[string]string
	records map[string]bool
	entries int
}

func (l *link) holding(name string) holding {
	l.t.Helper()
	ctx := l.t.Context()
	meters, err := l.c.Meters(ctx)
	i := slices.IndexFunc(meters, func(m api.Meter) bool { return m.Settings.Name == name })
	if err != nil || i < 0 {
		var names []string
		for _, m := range meters {
			names = append(names, m.Settings.Name+" "+m.Settings.Serial)
		}
		l.t.Fatalf("%s has no meter %s among %q: %v", l.name, name, names, err)
	}
	out := holding{sets: map[string]string{}, records: map[string]bool{}}
	for _, kind := range logdb.Kinds {
		states, err := l.c.Streams(ctx, meters[i].UID, kind)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, st := range states {
			text, err := json.Marshal(api.Fates(st.Fates.Ranges()))
			if err != nil {
				l.t.Fatal(err)
			}
			out.sets[kind.String()+" "+st.Stream.String()] = string(text)
			l.read(&out, meters[i].UID, kind, st.Stream)
		}
	}
	return out
}

// read adds every record of a stream, once.
func (l *link) read(out *holding, meter logdb.MeterUID, kind logdb.Kind, id logdb.StreamID) {
	l.t.Helper()
	cursor := ""
	for {
		var a api.Pages
		var err error
		if kind == logdb.KindHistorical {
			a, err = l.c.HistoryPages(l.t.Context(), meter, api.HistoryQuery{Stream: id, Cursor: cursor})
		} else {
			a, err = l.c.EventPages(l.t.Context(), meter, api.EventsQuery{Kind: kind, Stream: id, Cursor: cursor})
		}
		if err != nil {
			l.t.Fatalf("%s: read stream %s: %v", l.name, id, err)
		}
		note := func(e *logdb.Entry) {
			out.records[fmt.Sprintf("%s %s %d %s %s", kind, id, e.Position, e.Op, e.ContentDigest())] = true
			out.entries++
		}
		for _, p := range a.Pages {
			for _, h := range p.Rows {
				for k := range h.Times {
					e := h.Entry(k)
					note(&e)
				}
			}
			for k := range p.Entries {
				note(&p.Entries[k])
			}
		}
		if cursor = a.Next; cursor == "" {
			return
		}
	}
}

// sameEverywhere fails unless two nodes hold the same of a meter, each record once.
func sameEverywhere(t *testing.T, name string, a, b *link) {
	t.Helper()
	x, y := a.holding(name), b.holding(name)
	if x.entries != len(x.records) || y.entries != len(y.records) || x.entries == 0 {
		t.Errorf("%s: %d records of %d entries at %s, %d of %d at %s", name, len(x.records), x.entries, a.name, len(y.records), y.entries, b.name)
	}
	for id, set := range x.sets {
		if y.sets[id] != set {
			t.Errorf("%s, %s: %s has %.300s, %s %.300s", name, id, a.name, set, b.name, y.sets[id])
		}
	}
	lacking := 0
	for r := range x.records {
		if !y.records[r] {
			if lacking++; lacking == 1 {
				t.Errorf("%s: %s lacks %s", name, b.name, r)
			}
		}
	}
	if len(x.records) != len(y.records) || len(x.sets) != len(y.sets) {
		t.Errorf("%s: %d records in %d streams at %s, %d in %d at %s", name, len(x.records), len(x.sets), a.name, len(y.records), len(y.sets), b.name)
	}
}

// TestChainOfThree runs a site and two clouds as processes, the first cloud passing on to the second. The middle is
// killed and emptied, the last is emptied; then the site uploads to the last one directly as well. At the end every
// record is everywhere once, and the same client suite passes against each of the three.
func TestChainOfThree(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	meter, err := sim.New(sim.Config{Seed: 11, History: 3 * time.Hour, Zone: "Europe/Berlin"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- meter.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	site, middle, last := newLink(t, "site", "site,cloud"), newLink(t, "middle", "cloud"), newLink(t, "last", "site,cloud")
	middle.call(api.CmdCloudAdd, map[string]any{"name": "last", "host": last.url, "apikey": last.key()})
	site.call(api.CmdCloudAdd, map[string]any{"name": "middle", "host": middle.url, "apikey": middle.key()})
	site.call(api.CmdMeterAdd, map[string]any{"name": "main", "address": "tcp://" + meter.Addr().String(), "zone": "Europe/Berlin", "profile": "eig-shark-200"})
	reg, err := site.c.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Name: "web", Make: "Acme", Serial: "W-1", Zone: "UTC", LogIntervalsMillis: []int64{60_000}}})
	if err != nil {
		t.Fatal(err)
	}
	site.push(reg.MeterUID, 0, 100)
	site.call(api.CmdMeterRetrieve, map[string]any{"meter": "main"})
	sameEverywhere(t, "main", site, site)
	middle.kill() // whatever it is doing
	site.push(reg.MeterUID, 100, 100)
	middle.start()
	site.clean("middle")
	middle.clean("last")
	sameEverywhere(t, "web", middle, last)
	middle.empty()
	site.push(reg.MeterUID, 200, 50)
	site.clean("middle")
	middle.clean("last")
	last.empty()
	middle.clean("last")
	site.call(api.CmdMeterSet, map[string]any{"meter": "main", "name": "schedule", "value": "86400"}) // what comes in meanwhile is no difference
	// Now also directly.
	site.call(api.CmdCloudAdd, map[string]any{"name": "last", "host": last.url, "apikey": last.key()})
	site.push(reg.MeterUID, 250, 50)
	site.clean("last", "middle")
	site.clean("middle", "last")
	middle.clean("last")
	for _, name := range []string{"main", "web"} {
		sameEverywhere(t, name, middle, last)
	}
	if h := last.holding("web"); h.entries != 300 {
		t.Errorf("%d rows of the web-enabled meter at the end of the chain, want 300", h.entries)
	}
	for i, l := range []*link{site, middle, last} {
		t.Run("suite against "+l.name, func(t *testing.T) {
			(&rpctest.Suite{URL: l.url, User: chainUser, Password: chainPassword, Serial: fmt.Sprintf("S-%d", i)}).Run(t)
		})
	}
	site.clean("middle", "last")
	middle.clean("last")
	for i, from := range []*link{site, middle} {
		sameEverywhere(t, fmt.Sprintf("suite S-%d", i), from, last)
	}
}

// TestCorrectionIsPassedOn: a row of a web-enabled meter is corrected at the cloud to which it posts, and the next cloud has
// that without anybody who asks for it.
func TestCorrectionIsPassedOn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	first, last := newLink(t, "first", "cloud"), newLink(t, "last", "cloud")
	first.call(api.CmdCloudAdd, map[string]any{"name": "last", "host": last.url, "apikey": last.key()})
	reg, err := first.c.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Name: "web", Make: "Acme", Serial: "W-1", Zone: "UTC", LogIntervalsMillis: []int64{60_000}}})
	if err != nil {
		t.Fatal(err)
	}
	first.push(reg.MeterUID, 0, 3)
	arrives := func(want int) {
		t.Helper()
		last.until(fmt.Sprintf("get %d entries", want), func(ctx context.Context) error {
			meters, err := last.c.Meters(ctx)
			if err != nil || len(meters) != 1 {
				return fmt.Errorf("%d meters: %w", len(meters), err)
			}
			states, err := last.c.Streams(ctx, meters[0].UID, logdb.KindHistorical)
			if err != nil || len(states) != 1 || states[0].Fates.Len() != want {
				return fmt.Errorf("%+v: %w", states, err)
			}
			return nil
		})
	}
	arrives(3)
	q := api.CorrectionRequest{Position: 2, Values: map[logdb.ChannelKey]api.Value{"readings.voltage.an": 230}, Why: "it was read wrong"}
	if _, err := first.c.Correct(t.Context(), reg.MeterUID, logdb.KindHistorical, q); err != nil {
		t.Fatal(err)
	}
	arrives(4)
	sameEverywhere(t, "web", first, last)
}
