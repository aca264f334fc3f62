package cloudsync_test

import (
	"fmt"
	"math"
	"testing"

	"metermanager/cloudsync"
	"metermanager/logdb"
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
	if err != nil || len(states) != 1 {
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
		s := newSite(t, newFakeCloud().store, newFakeCloud())
		s.quarterMinutes(4 * 20)
		return &net{s, s.cloud, cloudsync.FirstCloud, s.upload}
	}
	chain := func(t *testing.T) *net {
		x := newChain(t)
		x.site.second("direct", x.far)
		if err := x.site.both("direct"); err != nil {
			t.Fatal(err)
		}
		return &net{x.site, x.far, "direct", x.pass}
	}
	for way, make := range map[string]func(*testing.T) *net{"from the site": direct, "from a relay": chain} {
		for _, taken := range []bool{true, false} { // the sum, by the pace
			for _, want := range []cloudsync.Wanted{{Skipped: true}, {Skipped: true, First: third, Last: third + 1}, {Skipped: true, Reduced: true}} {
				name := fmt.Sprintf("%s, taken %v, in part %v, reduced %v", way, taken, want.Last > 0, want.Reduced)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					n := make(t)
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
					last := map[bool]string{true: "stored", false: "skipped"}[taken]
					if have, want := n.far.fates(t, 9, 12), ">12 >12 >12 "+last; have != want {
						t.Errorf("the cloud calls the rows %s, want %s", have, want)
					}
					for _, want := range []cloudsync.Wanted{want, {Skipped: true}} {
						if _, cannot, err := n.sync.For(n.cloud).UploadRequested(t.Context(), meter, want); err != nil || len(cannot) > 0 {
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
