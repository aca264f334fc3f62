package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/cloudsync/verify"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// second adds a second cloud to a site, which is dialled by its host.
func (s *site) second(name string, cloud cloudsync.Cloud) {
	s.t.Helper()
	s.others[name] = cloud
	if err := s.sync.AddCloud(s.t.Context(), name, name, "mmk_second"); err != nil {
		s.t.Fatal(err)
	}
}

func TestTwoCloudsEachForItself(t *testing.T) {
	t.Parallel()
	first, second := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
	s.second("backup", second)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 100)...)
	ctx := t.Context()
	backup := s.sync.For("backup")
	if err := backup.Set(ctx, cloudsync.SettingChannels, string(channels[0])); err != nil {
		t.Fatal(err)
	}
	s.upload()
	if second.pages != 0 || first.pages == 0 {
		t.Fatalf("an upload to the first cloud sent %d and %d pages", first.pages, second.pages)
	}
	if _, err := backup.RegisterMeter(ctx, meter); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.UploadMeter(ctx, meter); err != nil {
		t.Fatal(err)
	}
	same(t, "first cloud", points(t, first.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
	if n := len(points(t, second.store, "cloud-4711", "")); n != 100 {
		t.Errorf("%d values of one channel at the second cloud, want 100", n)
	}

	// A meter that does not upload to one of them still uploads to the other.
	if err := backup.SetMeter(ctx, meter, cloudsync.SettingMeterUpload, "false"); err != nil {
		t.Fatal(err)
	}
	s.rows(0, every(time.Minute, start+100*60_000, 10)...)
	s.restart()
	s.upload()
	if _, err := s.sync.For("backup").UploadMeter(ctx, meter); err != nil {
		t.Fatal(err)
	}
	if n, m := len(points(t, first.store, "cloud-4711", "")), len(points(t, second.store, "cloud-4711", "")); n != 110*len(channels) || m != 100 {
		t.Errorf("%d and %d values, want %d and 100", n, m, 110*len(channels))
	}
	status, err := s.sync.Status(ctx)
	if err != nil || status.Cloud != cloudsync.FirstCloud || len(status.Clouds) != 2 || status.Clouds[1].Cloud != "backup" ||
		!status.Clouds[0].Meters[0].UploadEnabled || status.Clouds[1].Meters[0].UploadEnabled {
		t.Errorf("status: %+v, %v", status, err)
	}
	for _, a := range s.sync.For("backup").History(0, "", "") {
		if a.Cloud != "backup" {
			t.Errorf("the history of one cloud holds %+v", a)
		}
	}
	if r, err := verify.Run(ctx, s.sync.For("backup"), s.logs, verify.Config{Cloud: second, Name: "backup"}); err != nil || r.Different != 0 {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

// Who asks a service that has ended, before it had read its clouds or when one is added since, is told so and does not wait.
func TestQueuesOfAServiceThatHasEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 10)...)
	s.upload()
	s.stop()
	store, closeStore := s.open()
	defer closeStore()
	sync := cloudsync.New(func(cloudsync.Destination) (cloudsync.Cloud, error) { return s.cloud, nil }, s.logs, store, s.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sync.RunQueue(ctx); err != nil {
		t.Fatal(err)
	}
	patience, cancel := context.WithTimeout(t.Context(), 20*time.Second) // else who waits for ever ends the test late only
	defer cancel()
	if _, err := sync.UploadMeter(patience, s.uid); !errors.Is(err, runner.ErrStopped) {
		t.Errorf("upload by a service that has ended: %v", err)
	}
	if err := sync.AddCloud(t.Context(), "b", "h", "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := sync.For("b").UploadMeter(patience, s.uid); !errors.Is(err, runner.ErrStopped) {
		t.Errorf("upload to a cloud that was added since: %v", err)
	}
}

func TestCloudsAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	first, second := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 10)...)
	s.upload()
	ctx := t.Context()
	for _, name := range []string{"", "-x", "a b", "a/b", cloudsync.FirstCloud} {
		if err := s.sync.AddCloud(ctx, name, "h", "k"); !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Conflict) {
			t.Errorf("add %q: %v", name, err)
		}
	}
	s.second("b", second)
	s.restart()
	if err := s.both("b"); err != nil {
		t.Fatal(err)
	}
	if names, err := s.sync.Clouds(ctx); err != nil || fmt.Sprint(names) != "[main b]" {
		t.Fatalf("clouds %v, %v", names, err)
	}
	if err := s.sync.RemoveCloud(ctx, cloudsync.FirstCloud); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sync.For(cloudsync.FirstCloud).Status(ctx); !errors.Is(err, cloudsync.ErrNoSuchCloud) {
		t.Errorf("status of a removed cloud: %v", err)
	}
	s.rows(0, every(time.Minute, start+600_000, 10)...)
	s.restart()
	if _, err := s.sync.UploadMeter(ctx, meter); err != nil { // b is the first one now
		t.Fatal(err)
	}
	same(t, "the cloud that stayed", points(t, second.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
	if n := len(points(t, first.store, "cloud-4711", "")); n != 10*len(channels) {
		t.Errorf("%d values at the removed cloud", n)
	}
	// It comes back and gets what it lacks; nothing twice.
	s.second("main", first)
	if err := s.both("main"); err != nil {
		t.Fatal(err)
	}
	same(t, "the cloud that came back", points(t, first.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
}

// both registers and uploads to one more cloud.
func (s *site) both(name string) error {
	_, err := s.sync.For(name).RegisterMeter(s.t.Context(), s.uid)
	if err == nil {
		_, err = s.sync.For(name).UploadMeter(s.t.Context(), s.uid)
	}
	return err
}

// stuck is a cloud that takes a call and never answers.
type stuck struct {
	cloudsync.Cloud
	called chan struct{}
}

func (c *stuck) wait(ctx context.Context) error {
	c.called <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (c *stuck) User(ctx context.Context) (api.UserAnswer, error) {
	return api.UserAnswer{}, c.wait(ctx)
}
func (c *stuck) Register(ctx context.Context, _ api.RegisterRequest) (api.RegisterAnswer, error) {
	return api.RegisterAnswer{}, c.wait(ctx)
}

// TestStuckCloudDelaysNobody lets one cloud hang: the other gets everything, the one that hangs shows what it does, and
// it can be removed.
func TestStuckCloudDelaysNobody(t *testing.T) {
	t.Parallel()
	live := newFakeCloud()
	dead := &stuck{called: make(chan struct{}, 100)}
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), live)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 50)...)
	s.second("dead", dead)
	s.restart()
	waits := make(chan error, 1)
	go func() {
		_, err := s.sync.For("dead").RegisterMeter(t.Context(), meter)
		waits <- err
	}()
	<-dead.called
	s.upload()
	same(t, "values", points(t, live.store, "cloud-4711", ""), points(t, s.logs, meter, ""))
	status, err := s.sync.For("dead").Status(t.Context())
	if err != nil || status.Current == nil || status.Current.Cloud != "dead" {
		t.Errorf("status of the cloud that hangs: %+v, %v", status, err)
	}
	if err := s.sync.RemoveCloud(t.Context(), "dead"); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; err == nil {
		t.Error("who waited for the removed cloud heard nothing")
	}
	if status, err := s.sync.Status(t.Context()); err != nil || len(status.Clouds) != 0 {
		t.Errorf("after the removal: %+v, %v", status, err)
	}
}

// streamNames lists the streams of a log at a receiver.
func (f *fakeCloud) streamNames(t testing.TB, kind logdb.Kind) string {
	t.Helper()
	states, err := f.store.Streams(t.Context(), "cloud-4711", kind)
	if err != nil {
		t.Fatal(err)
	}
	var out []string // under whatever name the journal came
	for _, st := range states {
		out = append(out, " "+st.Stream.Policy)
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// TestSameRulesShareDecisions sends two clouds the same under the same names, until the rules of one are changed: then
// they part, and neither gives a name that the other has to something else.
func TestSameRulesShareDecisions(t *testing.T) {
	t.Parallel()
	first, second := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
	s.second("b", second)
	ctx, next := t.Context(), start+15_000
	round := func(n int) {
		t.Helper()
		s.rows(0, every(15*time.Second, next, n)...)
		next += logdb.Millis(n) * 15_000
		s.entries(logdb.KindHistorical, logdb.Entry{Op: logdb.OpClose, Time: next})
		s.restart()
		s.upload()
		if err := s.both("b"); err != nil {
			t.Fatal(err)
		}
	}
	clean := func(name string, cloud *fakeCloud) {
		t.Helper()
		r, err := verify.Run(ctx, s.sync.For(name), s.logs, verify.Config{Cloud: cloud})
		if err != nil || !r.Clean() || r.Compared == 0 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
	}
	s.settings(15 * time.Second)
	round(40)
	round(30)
	if a, b := first.streamNames(t, logdb.KindHistorical), second.streamNames(t, logdb.KindHistorical); a != " 1" || b != a {
		t.Fatalf("streams%s and%s, want the same one", a, b)
	}
	// The meter's interval changes: new rules for both, and still the same.
	s.settings(15 * time.Minute)
	round(5) // the old rules up to here
	round(5)
	if a, b := first.streamNames(t, logdb.KindHistorical), second.streamNames(t, logdb.KindHistorical); a != " 1 2" || b != a {
		t.Fatalf("streams%s and%s, want the same two", a, b)
	}
	sameNodes(t, first, second)
	// Another limit of events is none of rows.
	if err := s.sync.Set(ctx, cloudsync.SettingLimit+"pq", "1/min 3/h"); err != nil {
		t.Fatal(err)
	}
	round(5)
	round(5)
	if a, b := first.streamNames(t, logdb.KindHistorical), second.streamNames(t, logdb.KindHistorical); a != " 1 2" || b != a {
		t.Fatalf("streams%s and%s after another limit of events, want the same two", a, b)
	}
	// Other rules for one: it gets all that it has under another name and goes on under that, the other as before.
	if err := s.sync.Set(ctx, cloudsync.SettingChannels, string(channels[0])); err != nil { // the owner of the shared ones
		t.Fatal(err)
	}
	round(20)
	round(20)
	if a, b := first.streamNames(t, logdb.KindHistorical), second.streamNames(t, logdb.KindHistorical); a != " 1 2 3 4 5" || b != " 1 2" {
		t.Fatalf("streams%s and%s after one has other rules", a, b)
	}
	clean("main", first)
	clean("b", second)
	if err := s.sync.For("b").Set(ctx, cloudsync.SettingChannels, string(channels[1])); err != nil {
		t.Fatal(err)
	}
	round(20)
	round(20)
	if b := second.streamNames(t, logdb.KindHistorical); b != " 1 2 6" {
		t.Fatalf("streams%s, want a name that no other cloud's stream has", b)
	}
	clean("main", first)
	clean("b", second)
}

// TestRemovedCloudLeavesItsDecisions removes the cloud whose decisions another one shares.
func TestRemovedCloudLeavesItsDecisions(t *testing.T) {
	t.Parallel()
	first, second, third := newFakeCloud(), newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
	s.fill()
	s.upload()
	s.second("b", second)
	s.second("c", third)
	for _, name := range []string{"b", "c"} {
		if err := s.both(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.sync.RemoveCloud(t.Context(), cloudsync.FirstCloud); err != nil {
		t.Fatal(err)
	}
	s.rows(0, every(15*time.Second, start+600*15_000, 80)...)
	s.restart()
	for _, name := range []string{"c", "b"} {
		if err := s.both(name); err != nil {
			t.Fatal(err)
		}
	}
	sameNodes(t, second, third)
	if n := second.streamNames(t, logdb.KindHistorical); n != " 1" {
		t.Errorf("streams%s, want the one that was shared", n)
	}
	for name, cloud := range map[string]*fakeCloud{"b": second, "c": third} {
		if r, err := verify.Run(t.Context(), s.sync.For(name), s.logs, verify.Config{Cloud: cloud}); err != nil || !r.Clean() || r.Compared == 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestPagesOfARemovedCloudComeByAnotherWay removes a cloud that passes on what it was sent: what arrives later was sent by
// nobody else, and its stream's name is given to no other one.
func TestPagesOfARemovedCloudComeByAnotherWay(t *testing.T) {
	t.Parallel()
	first, second := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), first)
	s.settings(time.Minute)
	s.entries(logdb.KindPQ, sag(1), sag(2), sag(3))
	s.second("b", second)
	if err := s.sync.For("b").Set(t.Context(), cloudsync.SettingLimit+"pq", "2/d"); err != nil {
		t.Fatal(err)
	}
	s.upload()
	second.hold = true
	if err := s.both("b"); err != nil {
		t.Fatal(err)
	}
	journal := journalID(t, s.logs, logdb.KindPQ)
	if err := s.sync.RemoveCloud(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if len(second.held) == 0 {
		t.Fatal("the second cloud was sent nothing")
	}
	for _, p := range second.held {
		if _, err := first.store.Accept(t.Context(), p, first.limits); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.sync.Set(t.Context(), cloudsync.SettingLimit+"pq", "3/d"); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the first one is decided by the old rules still
		s.entries(logdb.KindPQ, sag(4+i))
		s.upload()
	}
	if now := journalID(t, s.logs, logdb.KindPQ); now != journal {
		t.Error("the journal was given another id")
	}
	if n := first.streamNames(t, logdb.KindPQ); n != " 1 2 3" {
		t.Errorf("streams%s, want 1 2 3", n)
	}
}
