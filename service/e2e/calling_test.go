package e2e_test

import (
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"metermanager/rpc/api"
)

// callOut starts a simulated web-enabled meter that only calls out.
func callOut(t *testing.T, to *fetchNode) {
	t.Helper()
	cmd := exec.Command(program, "simulate", "--parent", "--call", to.url, "--key", to.key, "--call-every", "250ms", "--history", "2d", "--seed", "77")
	cmd.Env = cleanEnviron()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	if _, err := io.WriteString(stdin, "{}\n"); err != nil {
		t.Fatal(err)
	}
}

// TestMeterThatOnlyCallsOut: [0102], [0112]-[0115], [0120], [0149]. A web-enabled meter behind a firewall registers with a manager, posts to it, reads its
// instructions there and posts what they ask for; the manager relays it all to the cloud, where the instructions were given.
func TestMeterThatOnlyCallsOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a site, a cloud and a meter")
	}
	site, cloud := newFetchNode(t, "site"), newFetchNode(t, "cloud")
	site.roles = "site,cloud" // it takes what meters post
	cloud.start()
	site.start()
	host, port, _ := strings.Cut(strings.TrimPrefix(cloud.url, "http://"), ":")
	for _, s := range [][2]string{{"etheria.client~host", "http://" + host}, {"etheria.client~port", port}, {"cloud.apikey", cloud.key}} {
		site.call(nil, "rpc", "cloud.set", s[0], s[1])
	}
	site.call(nil, "rpc", "cloud.enable")
	callOut(t, site)
	const meter = "web-SIM0000000000077"
	eventually(t, 2*time.Minute, "the meter is at the cloud", func() bool {
		_, _, code := tool(t, "log", "list", meter, "--url", cloud.url, "--key", cloud.key, "--json")
		return code == 0
	})
	rows := func(n *fetchNode) int {
		var a struct{ Records []any }
		n.call(&a, "log", "query", meter, "historical", "--from=-10h", "--to=-6h")
		return len(a.Records)
	}
	if n := rows(cloud); n != 0 {
		t.Fatalf("%d rows are there before anybody asked", n)
	}
	state := func(n *fetchNode, id string) (out api.FetchRequest) {
		var list api.FetchAnswer
		n.call(&list, "log", "requests", meter)
		for _, r := range list.Requests {
			if r.ID == id {
				return r
			}
		}
		t.Fatalf("the %s has no request %s", n.role, id)
		return out
	}
	instruct := func(n *fetchNode, want string, args ...string) api.FetchRequest {
		t.Helper()
		var got api.FetchAnswer
		n.call(&got, append([]string{"meter", "instruct", meter}, args...)...)
		if len(got.Requests) != 1 || got.Requests[0].State != api.FetchQueued {
			t.Fatalf("instructed %v: %+v", args, got)
		}
		if n == cloud {
			site.call(nil, "rpc", "cloud.refresh") // any answer of the cloud says that a request waits
		}
		var r api.FetchRequest
		eventually(t, 2*time.Minute, strings.Join(args, " ")+" is "+want, func() bool {
			r = state(n, got.Requests[0].ID)
			return r.State == want
		})
		return r
	}
	// Of the cloud: passed on to the manager, read there by the meter, posted there, relayed.
	r := instruct(cloud, api.FetchDone, "--kind", "historical", "--from=-10h", "--to=-6h", "--interval", "15m")
	if !strings.HasSuffix(r.Result, " records posted") {
		t.Errorf("the report says %q", r.Result)
	}
	eventually(t, 2*time.Minute, "the rows are at the cloud", func() bool { return rows(cloud) > 0 && rows(cloud) == rows(site) })
	if n := rows(cloud); n < 12 || n > 40 {
		t.Errorf("%d rows of four hours at a quarter of an hour", n)
	}
	// Of the manager itself.
	instruct(site, api.FetchDone, "--set", "call_s=1")
	instruct(site, api.FetchDone, "--command", "reset_energy")
	if r := instruct(site, api.FetchFailed, "--command", "open_breaker"); !strings.Contains(r.Reason, "open_breaker") {
		t.Errorf("the reason is %q", r.Reason)
	}
	instruct(site, api.FetchDone, "--kind", "pq", "--from=-2d")
	var events struct{ Records []any }
	site.call(&events, "log", "query", meter, "pq", "--from=-3d")
	if len(events.Records) == 0 {
		t.Error("no PQ event was posted")
	}
}
