package cloudsync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
)

// A cloud takes one row in five minutes and is sent one a minute. Whoever asks for what it skipped gets what was recorded, at the times at which it
// was, once.
func TestSumsThatTheCloudSkipped(t *testing.T) {
	t.Parallel()
	nothing := func(*site) {}
	for what, change := range map[string]func(*site){
		"as they came": nothing,
		"a late row":   func(s *site) { s.rows(0, start+3*60_000-7000) },
		"a correction": func(s *site) { s.correct(10, start+10*15_000, 1, 2, 3, 4) },
		"a row is withdrawn": func(s *site) {
			s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpWithdraw, Target: 10, Time: start + 10*15_000})
		},
		"two late rows, both corrected": func(s *site) {
			a, b := s.rows(0, start+3*60_000-7000), s.rows(0, start+3*60_000-8000)
			s.correct(10, start+10*15_000, 1, 2, 3, 4)
			s.correct(a.First, start+3*60_000-7000, 5, 6, 7, 8)
			s.correct(b.First, start+3*60_000-8000, 9, 10, 11, 12)
		},
		"a correction and a late row under another policy": func(s *site) {
			if err := s.sync.Set(s.t.Context(), cloudsync.SettingChannels, string(channels[0]+","+channels[1]+","+channels[2])); err != nil {
				s.t.Fatal(err)
			}
			s.upload()
			s.correct(10, start+10*15_000, 1, 2, 3, 4)
			s.rows(0, start+3*60_000-7000)
		},
	} {
		for i, want := range []cloudsync.Wanted{{Skipped: true}, {Reduced: true}, {Skipped: true, Reduced: true}, {Skipped: true}, {Reduced: true}} {
			lost := i > 2 // an answer, and this node
			t.Run(fmt.Sprintf("%s, skipped %v, reduced %v, lost %v", what, want.Skipped, want.Reduced, lost), func(t *testing.T) {
				t.Parallel()
				s, cloud := paced(t)
				change(s)
				s.closed()
				if lost {
					cloud.after = func(call string) error {
						if call == "push" {
							s.kill()
						}
						return nil
					}
				}
				_, cannot, err := s.sync.UploadRequested(t.Context(), meter, want)
				if cloud.after = nil; lost != (err != nil) || len(cannot) > 0 {
					t.Fatalf("%v, cannot be sent: %v", err, cannot)
				}
				s.restart()
				s.upload()
				s.totals("asked for", cloud)
				s.clean("asked for")
				if policies := cloud.streamNames(t, logdb.KindHistorical); strings.Contains(what, "policy") != (policies == " 1 2") {
					t.Errorf("streams under policies%s", policies)
				}
				recorded := points(t, s.logs, meter, "")
				for _, p := range points(t, cloud.store, "cloud-4711", "") {
					if want.Reduced && !strings.Contains(what, "late") && !slices.Contains(recorded, p) {
						t.Errorf("%+v was not recorded", p)
					}
				}
				had := points(t, cloud.store, "cloud-4711", "")
				s.emptied(cloud)
				same(t, "what an emptied cloud gets again", points(t, cloud.store, "cloud-4711", ""), had)
				s.clean("emptied")
			})
		}
	}
}

// The same along a chain: the last cloud skipped sums of which the relay has the rows by now, or still the sums.
func TestSumsThatTheNextCloudSkipped(t *testing.T) {
	t.Parallel()
	for what, fetch := range map[string]bool{"the relay has the rows": true, "the relay has the sums": false} {
		for _, want := range [][]string{{api.FetchSkipped}, {api.FetchReduced}, {api.FetchSkipped, api.FetchReduced}} {
			for _, bus := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %v, bus %v", what, want, bus), func(t *testing.T) {
					t.Parallel()
					x, far := newRequests(t)
					x.far.store, x.far.limits.HistoricalIntervalMillis = newFakeCloud().store, 5*60_000
					name(t, x.far)
					x.pass()
					if n := len(points(t, x.far.store, "cloud-4711", "")) / len(channels); n != 4 {
						t.Fatalf("%d rows at first, want 4", n)
					}
					if fetch {
						x.fetch()
						x.pass()
					}
					far.request(t, logdb.KindHistorical, 0, 0, want...)
					x.far.hold = bus
					x.answer(far)
					x.far.hold = false
					if far.requests[0].State != api.FetchDone || len(far.requests[0].Cannot) > 0 {
						t.Errorf("%+v", far.requests[0])
					}
					x.pass()
					x.site.totals("asked for", x.far)
					if r := x.middle.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
						t.Errorf("verify: compared %d, different %d, pending %d, %+v", r.Compared, r.Different, r.Pending, r.Days[:min(1, len(r.Days))])
					}
				})
			}
		}
	}
}
