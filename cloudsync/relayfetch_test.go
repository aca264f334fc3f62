package cloudsync_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// newRequests is a chain of which the last cloud keeps requests, too, and the one between passes them on. The site has twenty minutes of
// rows four times a minute, and sags and recordings of which its limits skip some.
func newRequests(t *testing.T) (*chain, *desk) {
	t.Helper()
	s, d := newDesk(t)
	x := &chain{t, s, nil, d, newFakeCloud()}
	far := &desk{fakeCloud: x.far}
	if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"pq", "2/d"); err != nil {
		t.Fatal(err)
	}
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, 4*20)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.entries(logdb.KindPQ, sag(1), sag(2), sag(3), sag(4), sag(200))
	s.entries(logdb.KindWaveform, captured(1, 3100), captured(2, 3100))
	s.upload()
	x.middle = relay(t, d.fakeCloud, x.far)
	x.middle.others["cloud.example.net"] = far
	passed := map[string]string{}
	x.middle.cfg.PassOn = func(_ context.Context, _ logdb.MeterUID, r api.FetchRequest) (api.FetchReport, bool, error) {
		if passed[r.ID] == "" {
			kind, err := logdb.ParseKind(r.Kind)
			if err != nil {
				return api.FetchReport{}, false, err
			}
			d.request(t, kind, r.From, r.To, r.What...)
			passed[r.ID] = d.requests[len(d.requests)-1].ID
			return api.FetchReport{}, false, nil
		}
		i := slices.IndexFunc(d.requests, func(of api.FetchRequest) bool { return of.ID == passed[r.ID] })
		of := d.requests[i]
		if of.Open() {
			return api.FetchReport{State: api.FetchTaken}, false, nil
		}
		report := api.FetchReport{State: of.State, Reason: of.Reason}
		for _, c := range of.Cannot { // a cloud keeps no more of these
			if c.Reason != api.FetchOutside {
				report.Cannot = append(report.Cannot, c)
			}
		}
		return report, true, nil
	}
	x.middle.restart()
	x.middle.upload()
	return x, far
}

// answer lets the relay answer what the last cloud asks for, and the site what the relay asks for.
func (x *chain) answer(far *desk) {
	x.Helper()
	for range 10 {
		if far.open() == 0 {
			return
		}
		if _, err := x.middle.sync.Fetch(x.Context()); err != nil {
			x.Fatal(err)
		}
		x.far.deliver(x, newRand(1))
		x.site.fetch(x.near)
	}
}

// What a cloud asks for of a journal that came through a relay, the relay answers from what it holds; what it lacks it asks for itself.
// The request comes to its end, and nothing comes that was not asked for.
func TestRequestsThroughARelay(t *testing.T) {
	t.Parallel()
	sags := func(from, to logdb.Millis) func(*chain, *desk) {
		return func(x *chain, far *desk) { far.request(x, logdb.KindPQ, from, to, api.FetchSkipped) }
	}
	have := func(what string, kind logdb.Kind, to logdb.Millis) func(*chain) {
		return func(x *chain) {
			x.near.request(x, kind, 0, to, what)
			x.site.fetch(x.near)
		}
	}
	first := start + 10*60_000
	for name, tt := range map[string]struct {
		before           func(*chain)
		ask              func(*chain, *desk)
		asks             bool // the relay, too
		sags, rows, full int
		cannot           []api.FetchCannot
		keeps            bool // what the relay holds may be more
	}{
		"sags that the relay has":            {before: have(api.FetchSkipped, logdb.KindPQ, 0), ask: sags(0, 0), sags: 5, rows: 20},
		"some of the sags that it has":       {before: have(api.FetchSkipped, logdb.KindPQ, 0), ask: sags(0, start.Day()+4*300_000), sags: 3, rows: 20, cannot: []api.FetchCannot{{Reason: api.FetchOutside, Count: 2}}, keeps: true},
		"sags that the relay lacks":          {ask: sags(0, 0), asks: true, sags: 5, rows: 20},
		"some of the sags that it lacks":     {ask: sags(0, start.Day()+4*300_000), asks: true, sags: 3, rows: 20, cannot: []api.FetchCannot{{Reason: api.FetchOutside, Count: 2}}},
		"rows that the relay has":            {before: have(api.FetchReduced, logdb.KindHistorical, 0), ask: func(x *chain, far *desk) { far.request(x, logdb.KindHistorical, 0, 0, api.FetchReduced) }, sags: 2, rows: 80},
		"rows that the relay lacks":          {ask: func(x *chain, far *desk) { far.request(x, logdb.KindHistorical, 0, 0, api.FetchReduced) }, asks: true, sags: 2, rows: 80},
		"rows of which the relay has a part": {before: have(api.FetchReduced, logdb.KindHistorical, first), ask: func(x *chain, far *desk) { far.request(x, logdb.KindHistorical, 0, 0, api.FetchReduced) }, asks: true, sags: 2, rows: 80},
		"recordings that the relay has": {before: have(api.FetchFull, logdb.KindWaveform, 0),
			ask: func(x *chain, far *desk) { far.request(x, logdb.KindWaveform, 0, 0, api.FetchFull) }, sags: 2, rows: 20, full: 2},
		"recordings that the relay lacks": {ask: func(x *chain, far *desk) { far.request(x, logdb.KindWaveform, 0, 0, api.FetchFull) }, asks: true, sags: 2, rows: 20, full: 2},
	} {
		for _, bus := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", through a bus"}[bus], func(t *testing.T) {
				t.Parallel()
				x, far := newRequests(t)
				if tt.before != nil {
					tt.before(x)
				}
				asked := len(x.near.requests)
				tt.ask(x, far)
				x.far.hold = bus
				x.answer(far)
				x.far.hold = false
				if r := far.requests[0]; r.State != api.FetchDone || !slices.Equal(r.Cannot, tt.cannot) && len(r.Cannot)+len(tt.cannot) > 0 {
					t.Errorf("the request: %+v", r)
				}
				if got := len(x.near.requests) > asked; got != tt.asks {
					t.Errorf("the relay asked the site: %v", got)
				}
				if n := len(contents(t, x.far.store, "cloud-4711", logdb.KindPQ)); n != tt.sags {
					t.Errorf("%d sags, want %d", n, tt.sags)
				}
				if n := len(points(t, x.far.store, "cloud-4711", "")) / len(channels); n != tt.rows {
					t.Errorf("%d rows, want %d", n, tt.rows)
				}
				if a, b := energy(t, x.far.store, "cloud-4711", logdb.MaxTime), energy(t, x.site.logs, meter, logdb.MaxTime); math.Abs(a-b) > 1e-6 {
					t.Errorf("%v Wh, want %v", a, b)
				}
				full := 0
				all := fmt.Sprint(contents(t, x.site.logs, meter, logdb.KindWaveform))
				if fmt.Sprint(contents(t, x.far.store, "cloud-4711", logdb.KindWaveform)) == all {
					full = 2
				}
				if full != tt.full {
					t.Errorf("%d recordings in full, want %d", full, tt.full)
				}
				x.pass()
				if !tt.keeps {
					sameNodes(t, x.near.fakeCloud, x.far)
				}
				if r := x.middle.verify(); !r.Clean() {
					t.Errorf("verify: %+v", r.Days)
				}
				pages := x.far.pages
				if _, err := x.middle.sync.Fetch(t.Context()); err != nil || x.far.pages != pages {
					t.Errorf("pages without a request, %v", err)
				}
			})
		}
	}
}

// Rows that a relay got on request are more than the next cloud's pace allows: the status says how many it skipped, and it gets them when
// it asks for them.
func TestRowsThatTheNextCloudSkipped(t *testing.T) {
	t.Parallel()
	x := newChain(t)
	x.fetch()
	far := &desk{fakeCloud: x.far}
	x.middle.others["cloud.example.net"] = far
	x.middle.restart()
	skipped := func(when string, want int64) {
		t.Helper()
		x.pass()
		status, err := x.middle.sync.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r := status.Meters[0].Relayed; len(r) != 1 || r[0].Skipped != want || r[0].Pending != 0 {
			t.Errorf("%s: %+v, want %d skipped", when, r, want)
		}
	}
	skipped("before", 59) // the 80 rows lie in 21 minutes
	far.request(t, logdb.KindHistorical, 0, 0, api.FetchSkipped)
	x.middle.fetch(far)
	skipped("after", 0)
	sameNodes(t, x.near.fakeCloud, x.far)
}
