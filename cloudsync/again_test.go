package cloudsync_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

const energyKey logdb.ChannelKey = "energy.interval.wh.received"

// totals fails unless a cloud answers the energy that the site has read.
func (s *site) totals(what string, cloud *fakeCloud) {
	s.t.Helper()
	sum := func(list []point) (sum float64) {
		for _, p := range list {
			if p.channel == energyKey {
				sum += p.value
			}
		}
		return sum
	}
	want := sum(points(s.t, s.logs, s.uid, ""))
	if have := sum(cloud.answered(s.t, energyKey, start+1000*hour)); want == 0 || math.Abs(want-have) > 1e-6 {
		s.t.Errorf("%s: energy %v at the cloud, want %v", what, have, want)
	}
}

// removedAndBack removes the first cloud and adds it again.
func (s *site) removedAndBack() {
	s.t.Helper()
	if err := s.sync.RemoveCloud(s.t.Context(), cloudsync.FirstCloud); err != nil {
		s.t.Fatal(err)
	}
	if err := s.sync.AddCloud(s.t.Context(), cloudsync.FirstCloud, "cloud.example.net", "k"); err != nil {
		s.t.Fatal(err)
	}
}

// quarterMinutes appends rows so far apart, and what closes the last interval.
func (s *site) quarterMinutes(n int) {
	s.t.Helper()
	s.settings(15 * time.Second)
	s.rows(0, every(15*time.Second, start+15_000, n)...)
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
}

// clean fails unless verify finds nothing.
func (s *site) clean(what string) {
	s.t.Helper()
	if r := s.verify(); !r.Clean() || r.Compared == 0 {
		s.t.Errorf("%s: verify: compared %d, different %d, pending %d", what, r.Compared, r.Different, r.Pending)
	}
}

// correct changes the row at a position.
func (s *site) correct(p logdb.Position, at logdb.Millis, values ...float64) {
	s.t.Helper()
	s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpRevise, Target: p, Time: at, Row: &logdb.Row{Channels: channels, Values: values}})
}

// A node sends two clouds rows of other intervals, and the first passes them on to the second: what comes by both ways is totalled once.
func TestOtherIntervalsComeByAnotherWay(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]string{
		"around, rows, direct": "ardad", "direct, rows, around": "dradad", "rows, both": "radrad", "the interval is changed later": "adrcdad",
		"changed between": "adrcardad",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newFakeCloud(), newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
			s.second("direct", second)
			s.settings(15 * time.Second)
			change := func(interval string) {
				if err := s.sync.For("direct").Set(t.Context(), cloudsync.SettingLimit+"historical_interval", interval); err != nil {
					t.Fatal(err)
				}
			}
			if order[2] != 'r' || order[3] != 'c' {
				change("5m")
			}
			middle := relay(t, first, second)
			at := 0
			rows := func(n int) {
				s.rows(0, every(15*time.Second, start+15_000+logdb.Millis(at)*15_000, n)...)
				at += n
			}
			rows(4*22 + 2)
			for _, c := range order {
				switch c {
				case 'a':
					s.upload()
					if _, err := middle.sync.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
					middle.upload()
				case 'd':
					for range 3 {
						if err := s.both("direct"); err != nil {
							t.Fatal(err)
						}
					}
				case 'c':
					change("5m")
				case 'r':
					rows(4*21 + 1)
					s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: start})
				}
			}
			s.totals("the first", first)
			s.totals("the second", second)
			r, err := verify.Run(t.Context(), s.sync.For("direct"), s.logs, verify.Config{Cloud: second, Kinds: []logdb.Kind{logdb.KindHistorical}})
			if err != nil || !r.Clean() || r.Compared == 0 {
				t.Errorf("verify: %+v, %v", r, err)
			}
		})
	}
}

// A cloud is removed and comes back: it is sent what it lacks, by what was decided for it before.
func TestRemovedCloudComesBack(t *testing.T) {
	t.Parallel()
	late := start + 60_000
	for name, play := range map[string]func(t *testing.T, s *site, cloud *fakeCloud){
		"while what has waited is sent": func(t *testing.T, s *site, cloud *fakeCloud) {
			s.cfg.PageBytes, s.cfg.PagesAtOnce = 3000, 5
			s.restart()
			s.quarterMinutes(1202)
			if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sync.UploadMeter(t.Context(), meter); err != nil {
				t.Fatal(err)
			}
			s.removedAndBack()
		},
		"between two late rows of a minute": func(_ *testing.T, s *site, _ *fakeCloud) {
			s.quarterMinutes(40)
			s.rows(0, late+7000)
			s.upload()
			s.removedAndBack()
			s.upload()
			s.rows(0, late+8000)
		},
		"before a late row is corrected": func(_ *testing.T, s *site, _ *fakeCloud) {
			s.quarterMinutes(40)
			a := s.rows(0, late+7000)
			s.upload()
			s.removedAndBack()
			s.upload()
			s.correct(a.First, late+7000, 1, 2, 3, 4)
		},
		"with other limits than before": func(t *testing.T, s *site, cloud *fakeCloud) {
			cloud.limits.HistoricalIntervalMillis = 0
			if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"historical_interval", "15s"); err != nil {
				t.Fatal(err)
			}
			s.quarterMinutes(40)
			s.upload()
			s.removedAndBack()
			s.upload()
			s.clean("rows of before")
			s.correct(5, start+5*15_000, 1, 2, 3, 4)
		},
		"beside a cloud that shares its decisions": func(_ *testing.T, s *site, _ *fakeCloud) {
			s.second("b", newFakeCloud())
			s.quarterMinutes(38)
			s.upload()
			if err := s.both("b"); err != nil {
				s.t.Fatal(err)
			}
			s.removedAndBack()
			s.rows(0, late+7000)
			if err := s.both("b"); err != nil {
				s.t.Fatal(err)
			}
			if err := s.sync.RemoveCloud(s.t.Context(), "b"); err != nil {
				s.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.others["cloud.example.net"] = cloud
			play(t, s, cloud)
			s.upload()
			s.upload()
			s.totals(name, cloud)
			s.clean(name)
			if n := len(cloud.journals(t, logdb.KindHistorical)); n != 1 {
				t.Errorf("the journal stands there under %d names", n)
			}
		})
	}
}

// Rows that were fetched stay where they are when their cloud was removed meanwhile.
func TestFetchedRowsOfARemovedCloud(t *testing.T) {
	t.Parallel()
	s, d := newDesk(t)
	s.quarterMinutes(40)
	s.upload()
	d.request(t, logdb.KindHistorical, 0, start+3*60_000, api.FetchReduced)
	s.fetch(d)
	s.removedAndBack()
	s.upload()
	s.clean("came back")
	s.correct(5, start+5*15_000, 1, 2, 3, 4)
	s.upload()
	s.totals("corrected", d.fakeCloud)
	for _, p := range points(t, d.store, "cloud-4711", "") {
		if p.value == 2 && p.time != start+5*15_000 {
			t.Errorf("the corrected row stands at %v", p.time)
		}
	}
}

// What was decided for a cloud is lost here: how its rows were combined nobody knows any more, so they come anew.
func TestLostDecisionsWhileDraining(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.cfg.PageBytes, s.cfg.PagesAtOnce = 3000, 5
	s.restart()
	s.quarterMinutes(1202)
	if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sync.UploadMeter(t.Context(), meter); err != nil {
		t.Fatal(err)
	}
	w := &world{site: s, t0: t}
	w.loseRecords()
	s.upload()
	s.totals("lost", cloud)
	s.clean("lost")
	s.rows(0, start+60_000+7000)
	s.upload()
	s.totals("a late row", cloud)
}

// A log that a cloud refuses for good, or that cannot be read, keeps no other log of the meter waiting.
func TestOneLogKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]fault.Code{"contradiction": fault.Conflict, "damage": fault.Internal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.settings(time.Minute)
			s.rows(0, every(time.Minute, start, 10)...)
			cloud.refuse = map[logdb.Kind]error{logdb.KindHistorical: fault.New(code, "not this one")}
			s.entries(logdb.KindPQ, sag(1))
			if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sync.UploadMeter(t.Context(), meter); !errors.Is(err, code) {
				t.Errorf("upload: %v, want %s", err, code)
			}
			if n := len(contents(t, cloud.store, "cloud-4711", logdb.KindPQ)); n != 1 {
				t.Errorf("%d PQ events came", n)
			}
			cloud.refuse = nil
			s.upload()
			same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
		})
	}
}
