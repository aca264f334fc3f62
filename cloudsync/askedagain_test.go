package cloudsync_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
)

// sumChanges are what may change rows of which a cloud's limits skipped the sum.
var sumChanges = map[string]func(*site){
	"a late row":   func(s *site) { s.rows(0, start+3*60_000-37_000) },
	"a correction": func(s *site) { s.correct(10, start+10*15_000, 1, 2, 3, 4) },
	"a row is withdrawn": func(s *site) {
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw, Target: 10, Time: start + 10*15_000})
	},
}

// paced is a site with 21 minutes of rows four times a minute, and a cloud that takes a row in five minutes and is sent one a minute.
func paced(t *testing.T) (*site, *fakeCloud) {
	t.Helper()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	cloud.limits.HistoricalIntervalMillis = 5 * 60_000
	s.quarterMinutes(4 * 21)
	s.upload()
	return s, cloud
}

// closed appends a row an hour later, so that whatever came before is in a closed interval, and uploads.
func (s *site) closed() {
	s.t.Helper()
	s.rows(0, start+hour)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
	s.upload()
}

// request has what is wanted sent to the first cloud, and fails when some cannot be.
func (s *site) request(w cloudsync.Wanted) {
	s.t.Helper()
	if _, cannot, err := s.sync.UploadRequested(s.t.Context(), s.uid, w); err != nil || len(cannot) > 0 {
		s.t.Fatalf("request: %v, cannot be sent: %v", err, cannot)
	}
	s.upload()
}

// emptied takes the cloud's database away, and lets it have everything again.
func (s *site) emptied(cloud *fakeCloud) {
	s.t.Helper()
	cloud.store, cloud.known = logdbtest.NewModel(logdbtest.Config{}), map[logdb.MeterUID]bool{}
	for range 4 {
		s.upload()
	}
}

// thirdMinute is the energy of the rows that most of sumChanges change.
func thirdMinute(t testing.TB, store logdb.Store, uid logdb.MeterUID) (wh float64) {
	t.Helper()
	return energy(t, store, uid, start+3*60_000) - energy(t, store, uid, start+2*60_000)
}

// What was fetched is changed, and the cloud is emptied: it gets the change again, too.
func TestFetchedSumsThatAreChanged(t *testing.T) {
	t.Parallel()
	for what, change := range sumChanges {
		for _, want := range []cloudsync.Wanted{{Skipped: true}, {Reduced: true}, {Skipped: true, Reduced: true}} {
			t.Run(fmt.Sprintf("%s, skipped %v, reduced %v", what, want.Skipped, want.Reduced), func(t *testing.T) {
				t.Parallel()
				s, cloud := paced(t)
				s.request(want)
				s.totals("asked for", cloud)
				change(s)
				s.closed()
				s.totals("changed", cloud)
				s.clean("changed")
				had := points(t, cloud.store, "cloud-4711", "")
				s.emptied(cloud)
				s.totals("emptied", cloud)
				s.clean("emptied")
				same(t, "what an emptied cloud gets again", points(t, cloud.store, "cloud-4711", ""), had)
			})
		}
	}
}

// The range that is asked for holds the sum but not what changed it: they come together.
func TestFetchedInPart(t *testing.T) {
	t.Parallel()
	for what, change := range sumChanges {
		for _, then := range []cloudsync.Wanted{{Skipped: true}, {Reduced: true}, {Skipped: true, Reduced: true}} {
			t.Run(fmt.Sprintf("%s, then skipped %v, reduced %v", what, then.Skipped, then.Reduced), func(t *testing.T) {
				t.Parallel()
				s, cloud := paced(t)
				change(s)
				s.closed()
				s.request(cloudsync.Wanted{Skipped: true, First: start + 3*60_000})
				s.inPart(cloud, then)
			})
		}
	}
}

// The range holds what changed a sum, at its very end, but none of its rows: they come together.
func TestFetchedChangeWithItsSum(t *testing.T) {
	t.Parallel()
	for _, then := range []cloudsync.Wanted{{Skipped: true}, {Reduced: true}, {Skipped: true, Reduced: true}} {
		t.Run(fmt.Sprintf("then skipped %v, reduced %v", then.Skipped, then.Reduced), func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			cloud.limits.HistoricalIntervalMillis = 5 * 60_000
			s.settings(15 * time.Second)
			s.rows(0, every(15*time.Second, start+10_000, 4*21)...)
			s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
			s.upload()
			late := s.rows(0, start+3*60_000)
			s.closed()
			s.request(cloudsync.Wanted{Skipped: true, First: start + 3*60_000, Last: start + 3*60_000 + 1})
			s.inPart(cloud, then)
			s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw, Target: late.First, Time: start + 3*60_000})
			s.upload()
			s.totals("withdrawn", cloud)
			s.clean("withdrawn")
		})
	}
}

// inPart checks what came of the third minute, and of what is wanted then.
func (s *site) inPart(cloud *fakeCloud, then cloudsync.Wanted) {
	s.t.Helper()
	s.clean("a part")
	if have, want := thirdMinute(s.t, cloud.store, "cloud-4711"), thirdMinute(s.t, s.logs, meter); want == 0 || math.Abs(have-want) > 1e-6 {
		s.t.Errorf("%v Wh in the third minute, want %v", have, want)
	}
	_, cannot, err := s.sync.UploadRequested(s.t.Context(), meter, then)
	if err != nil || len(cannot) > 0 && !then.Reduced { // the sum is there by now, and was changed
		s.t.Errorf("request: %v, cannot be sent: %v", err, cannot)
	}
	s.request(cloudsync.Wanted{Skipped: true})
	s.totals("all", cloud)
	s.clean("all")
}

// An emptied cloud gets what was fetched again in several uploads, with what had changed it.
func TestFetchedAgainInShares(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*site){
		"late rows": func(s *site) {
			for _, minute := range []logdb.Millis{3, 12, 18} {
				s.rows(0, start+minute*60_000-7000)
			}
		},
		"corrections": func(s *site) {
			for _, p := range []logdb.Position{10, 46, 70} {
				s.correct(p, start+logdb.Millis(p)*15_000, 1, 2, 3, 4)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, cloud := paced(t)
			s.cfg.PageBytes, s.cfg.PagesAtOnce = 3000, 5
			s.restart()
			change(s)
			s.closed()
			s.request(cloudsync.Wanted{Skipped: true, Reduced: true})
			s.totals("asked for", cloud)
			s.clean("asked for")
			s.emptied(cloud)
			s.totals("emptied", cloud)
			s.clean("emptied")
		})
	}
}

// A row comes late, under a third policy that is as the first one was, for an interval that was skipped under that.
func TestFetchedUnderAThirdPolicy(t *testing.T) {
	t.Parallel()
	for _, want := range []cloudsync.Wanted{{Skipped: true}, {Reduced: true}, {Skipped: true, Reduced: true}} {
		t.Run(fmt.Sprintf("skipped %v, reduced %v", want.Skipped, want.Reduced), func(t *testing.T) {
			t.Parallel()
			s, cloud := paced(t)
			for _, next := range []struct {
				interval string
				row      logdb.Millis
			}{{"2m", 30}, {"1m", 45}} {
				if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"historical_interval", next.interval); err != nil {
					t.Fatal(err)
				}
				s.upload()
				s.rows(0, start+next.row*60_000)
				s.upload()
			}
			s.rows(0, start+3*60_000-7000)
			s.closed()
			s.request(want)
			s.clean("asked for")
			if !want.Skipped {
				s.request(cloudsync.Wanted{Skipped: true}) // of the others
			}
			s.totals("asked for", cloud)
		})
	}
}

// The same along a chain of which one cloud or both have a pace, and the relay has the rows or their sums when they are changed.
func TestChangesOfSumsThatTheNextCloudSkipped(t *testing.T) {
	t.Parallel()
	for what, change := range sumChanges {
		for _, pace := range []int64{0, 5 * 60_000} { // of the relay
			for _, before := range []bool{false, true} { // the relay has the rows before they are changed
				for _, want := range [][]string{{api.FetchSkipped}, {api.FetchReduced}, {api.FetchSkipped, api.FetchReduced}} {
					t.Run(fmt.Sprintf("%s, pace %d, rows before %v, %v", what, pace, before, want), func(t *testing.T) {
						t.Parallel()
						x, far := newRequests(t)
						for _, c := range []*fakeCloud{x.near.fakeCloud, x.far} {
							c.store = newFakeCloud().store
						}
						x.near.limits.HistoricalIntervalMillis, x.far.limits.HistoricalIntervalMillis = pace, 5*60_000
						x.middle.stop()
						x.middle.logs = x.near.store
						x.middle.start()
						name(t, x.near.fakeCloud)
						name(t, x.far)
						x.site.upload()
						x.pass()
						if before {
							x.near.request(x, logdb.KindHistorical, 0, 0, api.FetchReduced, api.FetchSkipped)
							x.site.fetch(x.near)
						}
						change(x.site)
						x.site.closed()
						x.pass()
						far.request(t, logdb.KindHistorical, 0, 0, want...)
						x.answer(far)
						x.pass()
						r := far.requests[0]
						keeps := pace == 0 && !before && slices.Contains(want, api.FetchReduced) // the relay has the changed sum, and keeps it
						if told := len(r.Cannot) == 1; r.State != api.FetchDone || told != keeps || told && r.Cannot[0].Count != 3 {
							t.Errorf("%+v", r)
						}
						if !keeps || len(want) > 1 {
							x.site.totals("asked for", x.far)
						}
						if r := x.middle.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
							t.Errorf("verify: compared %d, different %d, pending %d, %+v", r.Compared, r.Different, r.Pending, r.Days[:min(1, len(r.Days))])
						}
					})
				}
			}
		}
	}
}
