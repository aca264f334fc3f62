package e2e_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/config"
	"metermanager/service/demo"
)

// fetchNode is a site or a cloud of its own process.
type fetchNode struct {
	t      *testing.T
	data   string
	role   string
	roles  string // the node's; "": role
	listen string
	key    string
	url    string
	cmd    *exec.Cmd
	ended  chan struct{}
}

func newFetchNode(t *testing.T, role string) *fetchNode {
	n := &fetchNode{t: t, data: filepath.Join(t.TempDir(), role), role: role, listen: freeAddress(t), key: "mmk_" + strings.Repeat(role[:1], 48)}
	t.Cleanup(n.kill)
	return n
}

var startedAt = regexp.MustCompile(`"msg":"started".*"address":"(http://[0-9.:]+)"`)

func (n *fetchNode) start() {
	n.t.Helper()
	n.cmd = exec.Command(program, "run", "--parent", "--data", n.data, "--listen", n.listen, "--log-format", "json")
	n.cmd.Env = append(cleanEnviron(), "MM_ROLES="+cmp.Or(n.roles, n.role))
	stdin, err := n.cmd.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := n.cmd.StderrPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	hello, err := json.Marshal(demo.Bootstrap{
		User: n.role, Password: "the password of the " + n.role, Customer: "Fetch", APIKey: n.key, Permissions: permission.Everything(),
	})
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := stdin.Write(append(hello, '\n')); err != nil {
		n.t.Fatal(err)
	}
	where, ended := make(chan string, 1), make(chan struct{})
	n.ended = ended
	go func(cmd *exec.Cmd) {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := startedAt.FindStringSubmatch(lines.Text()); m != nil {
				where <- m[1]
			}
		}
		_ = cmd.Wait()
	}(n.cmd)
	select {
	case n.url = <-where:
	case <-ended:
		n.t.Fatalf("the %s ended by itself", n.role)
	case <-time.After(2 * time.Minute):
		n.t.Fatalf("the %s does not start", n.role)
	}
}

// kill is kill -9.
func (n *fetchNode) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	<-n.ended
}

// call runs a command against the node, which must succeed, and decodes what it prints.
func (n *fetchNode) call(result any, args ...string) {
	n.t.Helper()
	out, errs, code := tool(n.t, append(args, "--url", n.url, "--key", n.key, "--json")...)
	if code != 0 {
		n.t.Fatalf("%s at the %s: exit code %d\n%s%s", strings.Join(args, " "), n.role, code, out, errs)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), result); err != nil {
		n.t.Fatalf("%s at the %s prints %q: %v", strings.Join(args, " "), n.role, out, err)
	}
}

// held counts what a node answers of a log, and what it says was skipped.
func (n *fetchNode) held(kind string) (records, skipped int) {
	n.t.Helper()
	var a struct {
		Records    []any            `json:"records"`
		Recordings []any            `json:"recordings"`
		Limits     api.LimitSummary `json:"limit_counts"`
	}
	n.call(&a, "log", "query", "main", kind, "--from", "2026-02-01")
	return len(a.Records) + len(a.Recordings), a.Limits.Skipped
}

// skipped lists what was skipped of a log.
func (n *fetchNode) skipped(kind string) []api.Skipped {
	n.t.Helper()
	var a struct {
		Logs []struct {
			Skipped []api.Skipped `json:"skipped"`
		} `json:"logs"`
	}
	n.call(&a, "log", "skipped", "main", "--kind", kind)
	if len(a.Logs) != 1 {
		n.t.Fatalf("%d logs listed", len(a.Logs))
	}
	return a.Logs[0].Skipped
}

// fill puts a day of 250 sags, each with its recording, into the site's log database.
func fill(t *testing.T, data string, day logdb.Millis) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), config.LogsFile(data), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const uid = "sags-1"
	if err := store.PutSettings(t.Context(), uid, logdb.Settings{Name: "main", Make: "EIG", Model: "Shark 200", Serial: "4711", Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	pq, waves := logdb.Batch{Meter: uid, Kind: logdb.KindPQ}, logdb.Batch{Meter: uid, Kind: logdb.KindWaveform}
	for i := range 250 {
		at := day + logdb.Millis(i)*330_000
		pq.Entries = append(pq.Entries, logdb.Entry{Op: logdb.OpAdd, Time: at, Excursion: &logdb.Excursion{
			DurationSeconds: 0.25, Channel: "readings.voltage.an", Worst: 90 + float64(i)/4, WorstPercent: 75, Threshold: 90,
		}})
		c := logdb.WaveChannel{Name: "Van_Vab"}
		for k := range 64 {
			c.Samples = append(c.Samples, math.Round(170*math.Sin(float64(k+i)/10)))
		}
		waves.Entries = append(waves.Entries, logdb.Entry{Op: logdb.OpAdd, Time: at, Waveform: &logdb.Waveform{
			End: at + 63, SampleIntervalMillis: 1, TriggerTime: at + 20, FrequencyHz: 50, Triggers: []string{"Van=Sag_start"}, Channels: []logdb.WaveChannel{c},
		}})
	}
	for _, b := range []logdb.Batch{pq, waves} {
		if _, err := store.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// B3 from end to end: 250 sags in a day. The cloud shows 200 and "50 skipped", and which; a fetch brings recording
// #231 and then the rest, although the site is killed on the way; nothing doubles, and verify is clean before and after.
func TestFetchFromTheManager(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a site and a cloud")
	}
	const day = logdb.Millis(1772323200000) // 2026-03-01
	site, cloud := newFetchNode(t, "site"), newFetchNode(t, "cloud")
	site.start() // makes the folder
	site.kill()
	fill(t, site.data, day)
	cloud.start()
	site.start()
	host, port, _ := strings.Cut(strings.TrimPrefix(cloud.url, "http://"), ":")
	for _, s := range [][2]string{{"etheria.client~host", "http://" + host}, {"etheria.client~port", port}, {"cloud.apikey", cloud.key}} {
		site.call(nil, "rpc", "cloud.set", s[0], s[1])
	}
	site.call(nil, "rpc", "cloud.enable")
	verified := func() (r api.VerifyReport) {
		t.Helper()
		eventually(t, 2*time.Minute, "verify is clean", func() bool {
			out, errs, code := tool(t, "verify", "--url", site.url, "--key", site.key, "--json")
			if code == 6 {
				t.Fatalf("verify: records differ\n%s%s", out, errs)
			}
			return code == 0 && json.Unmarshal([]byte(out), &r) == nil && r.Compared > 0 && r.NotComparable == 0 // not while the meter is registered still
		})
		return r
	}
	if r := verified(); r.Compared != 250 || r.Skipped != 250 {
		t.Fatalf("verify before: %+v, want 200 sags and 50 recordings compared, 50 and 200 skipped", r)
	}
	if n, skipped := cloud.held("pq"); n != 200 || skipped != 50 {
		t.Errorf("the cloud shows %d sags and %d skipped, want 200 and 50", n, skipped)
	}
	if list := cloud.skipped("pq"); len(list) != 1 || list[0].Count != 50 || list[0].Reason != "day" || list[0].By != "sender" {
		t.Errorf("the cloud lists %+v", list)
	}
	list := site.skipped("waveform")
	if len(list) != 200 || list[0].Count != 1 || list[0].Cloud == "" {
		t.Fatalf("the site lists %d recordings, want 200: %+v", len(list), list[:1])
	}
	at := list[230-50].From // position 231
	if list[230-50].First != 231 || at != day+230*330_000 {
		t.Fatalf("the site lists %+v, want recording 231", list[230-50])
	}

	var got struct{ Requests []api.FetchRequest }
	cloud.call(&got, "log", "fetch", "main", "--kind", "waveform", "--from", fmt.Sprint(int64(at)), "--to", fmt.Sprint(int64(at)+1))
	if len(got.Requests) != 1 || got.Requests[0].State != api.FetchQueued {
		t.Fatalf("asked for one recording: %+v", got)
	}
	site.call(nil, "rpc", "cloud.meter.upload", "main") // any answer of the cloud says that a request waits
	eventually(t, time.Minute, "recording 231 is there", func() bool {
		n, _ := cloud.held("waveform")
		return n == 51
	})
	cloud.call(&got, "log", "fetch", "main", "--kind", "pq")
	site.kill()
	site.start() // and asks for what waits
	cloud.call(&got, "log", "fetch", "main", "--kind", "pq", "--wait", "--within", "2m")
	if n, skipped := cloud.held("pq"); n != 250 || skipped != 0 {
		t.Errorf("after the fetch the cloud shows %d sags and %d skipped, want 250 and none", n, skipped)
	}
	var all api.FetchAnswer
	cloud.call(&all, "log", "requests", "main")
	for _, r := range all.Requests {
		want := map[string]int{"waveform": 1, "pq": 50}[r.Kind]
		if r.State != api.FetchDone || r.Wanted != want || r.Came != want || len(r.Cannot) != 0 {
			t.Errorf("request %+v, want %d records and no more", r, want)
		}
	}
	if len(all.Requests) != 2 {
		t.Errorf("%d requests, want 2: one was made twice", len(all.Requests))
	}
	site.call(nil, "log", "fetch", "main", "--kind", "waveform") // the other end sends by itself
	if n, skipped := cloud.held("waveform"); n != 250 || skipped != 0 {
		t.Errorf("the cloud shows %d recordings and %d skipped, want 250 and none", n, skipped)
	}
	if r := verified(); r.Compared != 500 || r.Skipped != 0 {
		t.Errorf("verify after: %+v", r)
	}
}
