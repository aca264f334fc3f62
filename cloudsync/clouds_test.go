package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/verify"
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
	_, err := s.sync.For(name).RegisterMeter(s.t.Context(), meter)
	if err == nil {
		_, err = s.sync.For(name).UploadMeter(s.t.Context(), meter)
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
