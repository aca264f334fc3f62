package cloudsync_test

import (
	"fmt"
	"math"
	"testing"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// gets stores the rows first to last of the site at a cloud as another cloud would pass them on that had fetched them, one by one.
func (s *site) gets(cloud *fakeCloud, first, last logdb.Position) {
	s.t.Helper()
	head, err := s.logs.Journal(s.t.Context(), meter, logdb.KindHistorical)
	if err != nil {
		s.t.Fatal(err)
	}
	page, err := s.logs.ReadStream(s.t.Context(), meter, logdb.KindHistorical, logdb.StreamID{Journal: head.ID, Policy: "0"}, first, int(last-first)+1)
	if err != nil {
		s.t.Fatal(err)
	}
	page.Meter, page.Stream, page.JournalEnd, page.Chain = "cloud-4711", logdb.StreamID{Journal: head.ID, Policy: "1"}, head.End, head.Chain
	if _, err := cloud.store.Accept(s.t.Context(), page, cloud.limits); err != nil {
		s.t.Fatal(err)
	}
}

// fates are what a cloud calls the positions first to last.
func (f *fakeCloud) fates(t testing.TB, first, last logdb.Position) (out string) {
	t.Helper()
	states, err := f.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil || len(states) == 0 {
		t.Fatalf("%d streams, %v", len(states), err)
	}
	for p := first; p <= last; p++ {
		switch r, ok := states[0].Fates.At(p); {
		case !ok:
			out += " -"
		case r.Fate == logdb.FateReduced:
			out += fmt.Sprintf(" >%d", r.Into)
		default:
			out += " " + r.Fate.String()
		}
	}
	return out[1:]
}

// A cloud takes one row in five minutes, and the first rows of an interval came by another way as they are, so that it skipped them one by one. When
// their sum comes they are in that: fetched beside it they would count twice.
func TestSumsOfRowsThatWereSkippedOneByOne(t *testing.T) {
	t.Parallel()
	const third = start + 3*60_000 // the end of the interval of rows 9 to 12
	type net struct {
		*site
		far   *fakeCloud
		cloud string
		send  func()
	}
	direct := func(t *testing.T) *net {
		s := newSite(t, modelLogs(t), newFakeCloud())
		s.quarterMinutes(4 * 20)
		return &net{s, s.cloud, cloudsync.FirstCloud, s.upload}
	}
	chain := func(logs func(testing.TB) logdb.Store) func(*testing.T) *net {
		return func(t *testing.T) *net {
			x := newChainOf(t, logs)
			x.site.second("direct", x.far)
			if err := x.site.both("direct"); err != nil {
				t.Fatal(err)
			}
			return &net{x.site, x.far, "direct", x.pass}
		}
	}
	for way, begin := range map[string]func(*testing.T) *net{"from the site": direct, "from a relay": chain(modelLogs), "from a relay with a database": chain(realLogs)} {
		for _, taken := range []bool{true, false} { // the sum, by the pace
			for _, want := range []cloudsync.Wanted{{Skipped: true}, {Skipped: true, First: third, Last: third + 1}, {Skipped: true, Reduced: true}} {
				name := fmt.Sprintf("%s, taken %v, in part %v, reduced %v", way, taken, want.Last > 0, want.Reduced)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					n := begin(t)
					n.send()
					n.far.store, n.far.known = newFakeCloud().store, map[logdb.MeterUID]bool{}
					n.far.limits.HistoricalIntervalMillis = 5 * 60_000
					n.gets(n.far, 1, 10)
					if want := "skipped skipped - -"; n.far.fates(t, 9, 12) != want {
						t.Fatalf("the cloud calls the rows %s, want %s", n.far.fates(t, 9, 12), want)
					}
					if taken {
						n.far.limits.HistoricalIntervalMillis = 0
					}
					n.send()
					sum := map[bool]string{true: "stored", false: "skipped"}[taken]
					if have, want := n.far.fates(t, 9, 12), ">12 >12 >12 "+sum; have != want {
						t.Errorf("the cloud calls the rows %s, want %s", have, want)
					}
					for _, wanted := range []cloudsync.Wanted{want, {Skipped: true}} {
						if _, cannot, err := n.sync.For(n.cloud).UploadRequested(t.Context(), meter, wanted); err != nil || len(cannot) > 0 {
							t.Errorf("request: %v, cannot be sent: %v", err, cannot)
						}
						n.send()
					}
					if have, want := energy(t, n.far.store, "cloud-4711", logdb.MaxTime), energy(t, n.logs, meter, logdb.MaxTime); math.Abs(have-want) > 1e-6 {
						t.Errorf("energy %v at the cloud, want %v", have, want)
					}
					n.site.cloud = n.far
					if r := n.verifyWith(n.cloud, logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
						t.Errorf("verify: %d compared, %d pending, %d different, %+v", r.Compared, r.Pending, r.Different, r.Days[:min(1, len(r.Days))])
					}
				})
			}
		}
	}
}

// newHourlyRequests is newRequests with a last cloud that takes one row an hour and got the first rows one by one, by another way.
func newHourlyRequests(t *testing.T, rows logdb.Position) (*chain, *desk) {
	t.Helper()
	x, far := newRequests(t)
	x.far.store, x.far.limits.HistoricalIntervalMillis = modelLogs(t), 60*60_000
	name(t, x.far)
	x.site.gets(x.far, 1, rows)
	return x, far
}

// What a relay sends on request of sums whose rows the next cloud skipped one by one, as they came there by another way: each counts once, and a sum of which
// that cloud has a row is left to who has the others.
func TestFetchedSumsOfRowsThatWereSkippedOneByOne(t *testing.T) {
	t.Parallel()
	x, far := newHourlyRequests(t, 12)
	x.pass()
	if have, want := x.far.fates(t, 1, 12), "stored skipped skipped skipped skipped skipped skipped skipped skipped skipped skipped skipped"; have != want {
		t.Fatalf("the cloud calls the rows %s, want %s", have, want)
	}
	far.request(t, logdb.KindHistorical, 0, 0, api.FetchSkipped)
	x.answer(far)
	if have, want := x.far.fates(t, 1, 12), "stored skipped skipped skipped >8 >8 >8 stored >12 >12 >12 stored"; have != want {
		t.Errorf("the cloud calls the rows %s, want %s", have, want)
	}
	if r := far.requests[0]; r.State != api.FetchDone || len(r.Cannot) == 0 {
		t.Errorf("the request ends as %+v", r)
	}
	some := func(store logdb.Store, uid logdb.MeterUID) float64 {
		return energy(t, store, uid, logdb.MaxTime) - energy(t, store, uid, start+60_000)
	}
	if have, want := some(x.far.store, "cloud-4711"), some(x.site.logs, meter); math.Abs(have-want) > 1e-6 {
		t.Errorf("energy %v at the next cloud behind the first minute, want %v", have, want)
	}
	x.near.request(t, logdb.KindHistorical, 0, 0, api.FetchReduced)
	x.site.fetch(x.near)
	far.request(t, logdb.KindHistorical, 0, 0, api.FetchSkipped)
	x.answer(far)
	if have, want := energy(t, x.far.store, "cloud-4711", logdb.MaxTime), energy(t, x.site.logs, meter, logdb.MaxTime); math.Abs(have-want) > 1e-6 {
		t.Errorf("energy %v at the next cloud when the relay has the rows, want %v", have, want)
	}
}

// A sum that is sent on request tells of all its rows: one of which nothing is known there yet may come next by another way.
func TestFetchedSumTellsOfAllItsRows(t *testing.T) {
	t.Parallel()
	x, far := newHourlyRequests(t, 10)
	head, err := x.site.logs.Journal(t.Context(), meter, logdb.KindHistorical)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.far.store.Accept(t.Context(), logdb.Page{
		Meter: "cloud-4711", Kind: logdb.KindHistorical, Stream: logdb.StreamID{Journal: head.ID, Policy: "1"}, JournalEnd: head.End, Chain: head.Chain,
		Fates: []logdb.FateRange{{First: 12, Last: 12, Fate: logdb.FateSkipped, Reason: "minute", FirstTime: start + 3*60_000, LastTime: start + 3*60_000}},
	}, x.far.limits); err != nil {
		t.Fatal(err)
	}
	far.request(t, logdb.KindHistorical, 0, 0, api.FetchSkipped)
	if _, err := x.middle.sync.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if have, want := x.far.fates(t, 9, 12), ">12 >12 >12 stored"; have != want {
		t.Errorf("the cloud calls the rows %s, want %s", have, want)
	}
}

// A row that the next cloud had skipped was corrected, and it skipped the correction with it: both come with the sum that the relay has.
func TestCorrectionOfARowThatWasSkippedOneByOne(t *testing.T) {
	t.Parallel()
	for what, logs := range map[string]func(testing.TB) logdb.Store{"model": modelLogs, "database": realLogs} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			x := newChainOf(t, logs)
			x.far.limits.HistoricalIntervalMillis = 60 * 60_000
			x.site.correct(9, start+9*15_000, 1, 2, 3, 4)
			x.site.gets(x.far, 1, 10)
			x.site.gets(x.far, 82, 82)
			if have := x.far.fates(t, 9, 10) + " " + x.far.fates(t, 82, 82); have != "skipped skipped skipped" {
				t.Fatalf("the cloud calls the rows and the correction %s", have)
			}
			x.far.limits.HistoricalIntervalMillis = 0
			x.site.upload()
			x.pass()
			if have := x.far.fates(t, 9, 12) + " " + x.far.fates(t, 82, 82); have != ">12 >12 >12 stored stored" {
				t.Errorf("the cloud calls the rows and the correction %s", have)
			}
			third := func(store logdb.Store, uid logdb.MeterUID) float64 {
				return energy(t, store, uid, start+3*60_000) - energy(t, store, uid, start+2*60_000)
			}
			if have, want := third(x.far.store, "cloud-4711"), third(x.site.logs, meter); math.Abs(have-want) > 1e-6 {
				t.Errorf("energy %v at the next cloud in the third minute, want %v", have, want)
			}
		})
	}
}
