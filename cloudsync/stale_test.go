package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// Somebody else writes the journal at the cloud while what was asked for is sent: this node asks again what stands there, a few
// times, and leaves the request open when that does not help.
func TestFetchIntoAStaleJournal(t *testing.T) {
	t.Parallel()
	for refused, once := range map[int]bool{1: true, 4: true, 5: false, 9: false} {
		t.Run(fmt.Sprint("refused ", refused), func(t *testing.T) {
			t.Parallel()
			s, d := newDesk(t)
			if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"pq", "2/d"); err != nil {
				t.Fatal(err)
			}
			s.settings(time.Minute)
			s.entries(logdb.KindPQ, sag(1), sag(2), sag(3), sag(4))
			s.upload()
			d.request(t, logdb.KindPQ, 0, 0, api.FetchSkipped)
			left, asked := refused, 0
			d.before = func(call string) error {
				switch {
				case call == "streams":
					asked++
				case call == "push" && left > 0:
					left--
					return fault.New(fault.Stale, "the end is another")
				}
				return nil
			}
			if _, err := s.sync.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if done := d.requests[0].State == api.FetchDone; done != once {
				t.Errorf("the request is %s after the first time", d.requests[0].State)
			}
			if tries := min(refused+1, 5); asked < tries {
				t.Errorf("%d times asked what stands there in %d tries", asked, tries)
			}
			s.fetch(d)
			d.before = nil
			same(t, "sags", contents(t, d.store, "cloud-4711", logdb.KindPQ), contents(t, s.logs, meter, logdb.KindPQ))
			if r := s.verify(); !r.Clean() || r.Compared != 4 {
				t.Errorf("verify: %+v", r)
			}
		})
	}
}

// While a request is carried out it is found that a copy of this machine writes under the journal's id: that request is not called
// done. All of it comes under the new id.
func TestFetchFindsTheOtherCopy(t *testing.T) {
	t.Parallel()
	d := &desk{fakeCloud: newFakeCloud()}
	machine := func() *site {
		ids := 0
		s := newSite(t, logdbtest.NewModel(logdbtest.Config{NewJournalID: func() logdb.JournalID {
			ids++
			if ids > 1 {
				return logdb.JournalID(fmt.Sprintf("%p", &ids)[2:] + "00000000000000000000000000000000")[:32]
			}
			return "11111111111111111111111111111111"
		}}), d.fakeCloud)
		if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"pq", "2/d"); err != nil {
			t.Fatal(err)
		}
		s.settings(time.Minute)
		s.entries(logdb.KindPQ, sag(1), sag(2), sag(3), sag(4))
		return s
	}
	a, b := machine(), machine()
	a.upload()
	b.others = map[string]cloudsync.Cloud{"cloud.example.net": d}
	goesOnFrom(t, a, b)
	b.upload()
	shared := journalID(t, b.logs, logdb.KindPQ)
	d.request(t, logdb.KindPQ, 0, 0, api.FetchSkipped)
	crossed := false
	d.after = func(call string) error { // within the same action of the second machine, so that no upload of it comes before
		if call == "requests" && !crossed {
			crossed = true
			a.entries(logdb.KindPQ, sag(5))
			a.upload()
			b.entries(logdb.KindPQ, sag(6), sag(7))
		}
		return nil
	}
	if _, err := b.sync.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.after = nil
	own := journalID(t, b.logs, logdb.KindPQ)
	if !crossed || own == shared {
		t.Fatalf("crossed %v, the second machine writes under %s", crossed, own)
	}
	if got := d.requests[0].State; got != api.FetchFailed {
		t.Errorf("the request is %s", got)
	}
	b.upload()
	d.request(t, logdb.KindPQ, 0, 0, api.FetchSkipped)
	d.requests[1].Journal = string(own)
	b.fetch(d)
	if r := b.verify(logdb.KindPQ); !r.Clean() || r.Compared != 6 || r.NotComparable != 0 || r.Skipped != 0 {
		t.Errorf("the second machine: %+v", r)
	}
	if r := a.verify(logdb.KindPQ); !r.Clean() || r.Compared+r.Skipped != 5 {
		t.Errorf("the first machine: %+v", r)
	}
}

// staleFor is a cloud at which somebody else writes one kind of log without end.
type staleFor struct {
	*fakeCloud
	kind logdb.Kind
}

func (c *staleFor) PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error) {
	if page.Kind == c.kind {
		return api.UploadAnswer{}, fault.New(fault.Stale, "the end is another")
	}
	return c.fakeCloud.PushPage(ctx, page)
}

// A log whose journal somebody else writes at the cloud keeps none of the others from going there.
func TestStaleLogKeepsNoOther(t *testing.T) {
	t.Parallel()
	for _, kind := range logdb.Kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			s.fill()
			s.entries(logdb.KindSystem, logdb.Entry{Op: logdb.OpAdd, Time: start, System: &logdb.SystemEvent{Type: logdb.SystemPowerUp}})
			s.entries(logdb.KindLimit, sag(1))
			s.others["cloud.example.net"] = &staleFor{cloud, kind}
			s.restart()
			if _, err := s.sync.RegisterMeter(t.Context(), meter); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sync.UploadMeter(t.Context(), meter); !errors.Is(err, fault.Stale) {
				t.Fatalf("the upload says %v", err)
			}
			for _, other := range logdb.Kinds {
				if there := len(cloud.journals(t, other)) > 0; there != (other != kind) {
					t.Errorf("of %s something is there: %v", other, there)
				}
			}
			delete(s.others, "cloud.example.net")
			s.restart()
			s.upload()
			if r := s.verify(); !r.Clean() {
				t.Errorf("verify: %+v", r)
			}
		})
	}
}

// A next cloud that cannot say what stands at its positions, since a record there is damaged, is passed everything on all the same. One
// that does not answer is asked again.
func TestRelayWhereMarksCannotBeRead(t *testing.T) {
	t.Parallel()
	near, far := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), near)
	s.fill()
	direct, between := newSite(t, s.logs, far), relay(t, near, far)
	name(t, far)
	direct.upload()
	direct.stop()
	s.rows(0, every(15*time.Second, start+201*15_000, 40)...)
	s.upload()
	asked := 0
	far.before = func(call string) error {
		if call != "marks" {
			return nil
		}
		if asked++; asked < 4 {
			return fault.New(fault.Unavailable, "lost")
		}
		return fault.New(fault.Internal, "a record is damaged")
	}
	between.upload()
	if asked < 4 {
		t.Errorf("%d times asked", asked)
	}
	if left := cloudsync.Missing(fatesOf(t, near), fatesOf(t, far)); len(left) > 0 {
		t.Errorf("the next cloud lacks %v", left)
	}
}

// fatesOf returns the set of the only stream of historical logs at a cloud.
func fatesOf(t *testing.T, f *fakeCloud) *logdb.FateSet {
	t.Helper()
	states, err := f.store.Streams(t.Context(), "cloud-4711", logdb.KindHistorical)
	if err != nil || len(states) != 1 {
		t.Fatalf("%+v, %v", states, err)
	}
	return &states[0].Fates
}
