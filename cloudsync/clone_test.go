package cloudsync_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/fault"
)

// Two machines go on from one copy and upload at the same moment: each has asked what the cloud holds before the other
// has sent. The cloud refuses the second one, which finds out and goes on under another id. A cloud that does not look at
// what senders saw has the positions of both under one id: then both must find out, and lose nothing.
func TestTwoClonesUploadAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for name, blind := range map[string]bool{"the cloud looks": false, "the cloud does not look": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twoClonesUpload(t, blind)
		})
	}
}

// goesOnFrom lets b go on from a copy of what a knows: what was decided and sent is a part of it.
func goesOnFrom(t *testing.T, a, b *site) {
	t.Helper()
	a.stop()
	b.stop()
	copied, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	a.start()
	b.start()
}

func twoClonesUpload(t *testing.T, blind bool) {
	cloud := newFakeCloud()
	cloud.blind = blind
	machine := func() *site {
		ids := 0
		s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
			ids++
			if ids > 1 { // what is drawn after the copy is random
				return logdb.JournalID(fmt.Sprintf("%p", &ids)[2:] + "00000000000000000000000000000000")[:32]
			}
			return "11111111111111111111111111111111"
		}}), cloud)
		s.settings(time.Minute)
		s.rows(0, start, start+60_000, start+120_000)
		return s
	}
	a, b := machine(), machine()
	a.upload()
	goesOnFrom(t, a, b)
	b.upload()
	shared := journalID(t, a.logs, logdb.KindHistorical)
	if other := journalID(t, b.logs, logdb.KindHistorical); other != shared {
		t.Fatalf("the machines have the journals %s and %s", shared, other)
	}
	a.rows(0, start+180_000, start+240_000)
	b.rows(0, start+181_000, start+241_000, start+301_000)
	crossed := false
	cloud.before = func(call string) error {
		if call == "push" && !crossed {
			crossed = true
			a.upload()
		}
		return nil
	}
	b.upload()
	if !crossed {
		t.Fatal("the uploads did not cross")
	}
	cloud.before = nil
	for _, s := range []*site{a, b} {
		if _, err := s.sync.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.upload()
	}
	for name, s := range map[string]*site{"first": a, "second": b} {
		own := journalID(t, s.logs, logdb.KindHistorical)
		if want := name == "first" && !blind; (own == shared) != want {
			t.Errorf("the %s machine writes under the shared id: %v", name, own == shared)
		}
		same(t, name+" machine", points(t, cloud.store, "cloud-4711", own), points(t, s.logs, meter, own))
	}
}

// Two machines with one journal: what one of them sends on request the other one must not take for records that its
// journal lacks, neither before nor after it has compared.
func TestCloneOfWhomRecordsWereRequested(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	machine := func() *site {
		s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
			return "11111111111111111111111111111111"
		}}), cloud)
		if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"pq", "2/d"); err != nil {
			t.Fatal(err)
		}
		s.settings(time.Minute)
		s.entries(logdb.KindPQ, sag(1), sag(2), sag(3), sag(4))
		return s
	}
	a, b := machine(), machine()
	a.upload()
	goesOnFrom(t, a, b)
	b.upload()
	if _, _, err := a.sync.UploadRequested(t.Context(), meter, cloudsync.Wanted{Skipped: true}); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"before", "after"} {
		for name, s := range map[string]*site{"first": a, "second": b} {
			if r := s.verify(logdb.KindPQ); !r.Clean() || r.Compared != 4 {
				t.Errorf("the %s machine %s it has compared: %+v", name, when, r)
			}
		}
		b.upload()
	}
	parts, err := b.sync.Skipped(t.Context(), meter, logdb.KindPQ)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if p.Fates.Len() > 0 {
			t.Errorf("the second machine still calls skipped: %+v", p.Fates.Ranges())
		}
	}
}

// A machine starts from a copy that was made before anything was sent, and finds half of what the other one has to send
// at the cloud: it takes that for its own, while the other one goes on. Each must find out that somebody else writes
// under its journal's id.
func TestCloneThatStartsWhileTheOtherUploads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		crossed int // the push of the first machine before which the second one uploads
	}{{"before the first page", 1}, {"between the pages", 2}, {"between the next pages", 3}, {"before the last page", 4}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			cloud.maxRow = 1
			machine := func(name string) *site {
				ids := 0
				s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
					ids++
					if ids > 1 {
						return logdb.JournalID(fmt.Sprintf("%s%032d", name, ids)[:32])
					}
					return "11111111111111111111111111111111"
				}}), cloud)
				s.settings(time.Minute)
				s.entries(logdb.KindPQ, sag(1), sag(2), sag(3), sag(4))
				return s
			}
			a, b := machine("a"), machine("b")
			pushes, within := 0, false
			cloud.before = func(call string) error {
				if call != "push" || within {
					return nil
				}
				if pushes++; pushes == c.crossed {
					within = true
					b.upload()
					within = false
				}
				return nil
			}
			a.upload()
			cloud.before = nil
			for range 2 {
				for _, s := range []*site{a, b} {
					if _, err := s.sync.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
					s.upload()
				}
			}
			for name, s := range map[string]*site{"first": a, "second": b} {
				if r := s.verify(logdb.KindPQ); !r.Clean() || r.Compared != 4 || r.NotComparable != 0 {
					t.Errorf("the %s machine: %+v", name, r)
				}
			}
		})
	}
}

// Two machines with one journal that went on in different ways come to a cloud at the same moment, to one that knows neither of
// them or to one that knows what they have in common: whatever stands there under the id that they shared is what one of them has.
func TestTwoClonesComeToACloud(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"new": false, "known": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twoClonesCome(t, known)
		})
	}
}

func twoClonesCome(t *testing.T, known bool) {
	for sent := 1; sent <= 14; sent++ { // pages, with those that are too large, of the second machine before the first page of the other one
		for _, longer := range []int{-2, 0, 2} { // of the second machine
			t.Run(fmt.Sprintf("%d pages, %d more", sent, longer), func(t *testing.T) {
				t.Parallel()
				const shared = "11111111111111111111111111111111"
				cloud := newFakeCloud()
				cloud.maxRow = 1
				var first []byte // what the first machine knew when it was copied
				var err error
				machine := func(name string, n int) *site {
					ids := 0
					s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
						if ids++; ids > 1 {
							return logdb.JournalID(fmt.Sprintf("%s%032d", name, ids)[:32])
						}
						return shared
					}}), cloud)
					s.settings(time.Minute)
					s.rows(0, every(time.Minute, start, 3)...)
					if known && name == "a" {
						s.upload()
						s.stop()
						if first, err = os.ReadFile(s.path); err != nil {
							t.Fatal(err)
						}
						s.start()
					} else if known {
						s.stop()
						if err := os.WriteFile(s.path, first, 0o600); err != nil {
							t.Fatal(err)
						}
						s.start()
					}
					for i := range n { // the same records, in an order of its own
						at := start + logdb.Millis(3+i)*60_000
						if name == "b" {
							at = start + logdb.Millis(3+(i^1))*60_000
						}
						s.rows(0, at)
					}
					return s
				}
				a, b := machine("a", 4), machine("b", 4+longer)
				crossed, within, pages := false, false, 0
				cloud.before = func(call string) error {
					switch {
					case call != "push":
					case within:
						if pages++; pages > sent {
							return fault.New(fault.Unavailable, "lost")
						}
					case !crossed:
						crossed, within = true, true
						_, _ = b.sync.RegisterMeter(t.Context(), meter)
						_, _ = b.sync.UploadMeter(t.Context(), meter) // it is cut off
						within = false
					}
					return nil
				}
				a.upload()
				cloud.before = nil
				if !crossed || pages == 0 {
					t.Fatal("the uploads did not cross")
				}
				for range 2 {
					for _, s := range []*site{a, b} {
						if _, err := s.sync.Refresh(t.Context()); err != nil {
							t.Fatal(err)
						}
						s.upload()
					}
				}
				times := func(store logdb.Store, uid logdb.MeterUID, stream logdb.StreamID) map[logdb.Position]logdb.Millis {
					page, err := store.ReadStream(t.Context(), uid, logdb.KindHistorical, stream, 1, 1000)
					if err != nil && !errors.Is(err, logdb.ErrNotFound) {
						t.Fatal(err)
					}
					out := map[logdb.Position]logdb.Millis{}
					for _, h := range page.Rows {
						for i := range h.Times {
							out[h.Positions[i]] = h.Times[i]
						}
					}
					for _, e := range page.Entries {
						out[e.Position] = e.Time
					}
					return out
				}
				there := times(cloud.store, "cloud-4711", logdb.StreamID{Journal: shared, Policy: "1"})
				of := func(s *site) bool {
					here := times(s.logs, meter, logdb.StreamID{Journal: journalID(t, s.logs, logdb.KindHistorical), Policy: "0"})
					for p, at := range there {
						if here[p] != at {
							return false
						}
					}
					return true
				}
				if !of(a) && !of(b) {
					t.Errorf("rows of both machines under the shared id: %v", there)
				}
				for name, s := range map[string]*site{"first": a, "second": b} {
					if r := s.verify(logdb.KindHistorical); !r.Clean() || r.Compared == 0 {
						t.Errorf("the %s machine: %+v", name, r)
					}
				}
			})
		}
	}
}

// A cloud began as a copy of the site's machine, so that it has the site's journal as its own, and both may go on reading the meter.
func TestCloudThatBeganAsACopyOfTheSite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		here, there []int // how many rows each read since, a batch each
		renewed     bool
	}{
		{"neither went on", nil, nil, false},
		{"the cloud did", nil, []int{4}, true},
		{"the site did", []int{2}, nil, true},
		{"both, the cloud more", []int{2}, []int{4}, true},
		{"both, the cloud more, and it ended where the site ends", []int{2}, []int{2, 2}, true},
		{"both, the cloud less", []int{4}, []int{2}, true},
		{"both", []int{3}, []int{3}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			cloud.store = firstJournal()
			s := newSite(t, firstJournal(), cloud)
			s.settings(time.Minute)
			name(t, cloud)
			read := func(logs logdb.Store, uid logdb.MeterUID, shift logdb.Millis, n int) {
				h := logdb.History{Channels: channels[:1], Times: every(time.Minute, start+shift, n), Columns: [][]float64{make([]float64, n)}}
				if _, err := logs.Append(t.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
					t.Fatal(err)
				}
			}
			read(s.logs, meter, 0, 2)
			read(cloud.store, "cloud-4711", 0, 2)
			for i, n := range c.here {
				read(s.logs, meter, logdb.Millis(i+1)*3_600_000, n)
			}
			for i, n := range c.there {
				read(cloud.store, "cloud-4711", logdb.Millis(i+1)*3_600_000+1000, n)
			}
			old := journalID(t, s.logs, logdb.KindHistorical)
			own := points(t, cloud.store, "cloud-4711", old)
			s.upload()
			now := journalID(t, s.logs, logdb.KindHistorical)
			if (now != old) != c.renewed {
				t.Errorf("the journal has another id: %v", now != old)
			}
			same(t, "what the cloud read", points(t, cloud.store, "cloud-4711", old), own)
			if c.renewed {
				same(t, "what the site sent", points(t, cloud.store, "cloud-4711", now), points(t, s.logs, meter, now))
			}
			if r := s.verify(logdb.KindHistorical); !r.Clean() {
				t.Errorf("%+v", r)
			}
			if status, err := s.sync.Status(t.Context()); err != nil || status.Failed > 0 {
				t.Errorf("%+v, %v", status, err)
			}
		})
	}
}
