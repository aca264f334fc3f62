package cloudsync_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/fault"
)

// withClock is a site whose clock is ahead by so many nanoseconds of one that stands still, and waits an hour behind a failure.
func withClock(t *testing.T) (s *site, cloud *fakeCloud, began time.Time, ahead *atomic.Int64) {
	t.Helper()
	cloud, began, ahead = newFakeCloud(), time.Now(), &atomic.Int64{}
	s = newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.stop()
	s.cfg.Now = func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	s.cfg.Pauses = runner.Backoff{First: time.Hour, Max: time.Hour}
	s.start()
	s.settings(time.Minute)
	return s, cloud, began, ahead
}

// A clock that is weeks ahead for some minutes puts off what failed meanwhile until weeks later. Once it is right
// again that must not be waited for.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	s, cloud, _, ahead := withClock(t)
	s.rows(0, start, start+60_000)
	s.upload()
	ahead.Store(int64(500 * time.Hour))
	s.rows(0, start+120_000)
	cloud.before = func(string) error { return fault.New(fault.Unavailable, "away") }
	for range 3 {
		_, _ = s.sync.UploadMeter(t.Context(), s.uid)
	}
	if status, err := s.sync.Status(t.Context()); err != nil || status.NextTry == 0 {
		t.Fatalf("the cloud is not left alone: %+v, %v", status, err)
	}
	cloud.before = nil
	ahead.Store(int64(time.Minute))
	if err := s.sync.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if due := s.sync.Due(); !slices.ContainsFunc(due, func(a cloudsync.Action) bool { return a.Kind == cloudsync.ActionUpload }) {
		t.Errorf("due is %v, want an upload", due)
	}
}

// TestClockSetRightDuringAnAction: what another meter's failure put off until a time of the wrong clock is due, though the
// first to see the right one is an action that ends.
func TestClockSetRightDuringAnAction(t *testing.T) {
	t.Parallel()
	s, cloud, began, ahead := withClock(t)
	const other = logdb.MeterUID("other")
	if err := s.logs.PutSettings(t.Context(), other, logdb.Settings{Name: "other", Serial: "4712", Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sync.RegisterMeter(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	s.rows(0, start, start+60_000)
	s.upload()
	ahead.Store(int64(500 * time.Hour))
	s.rows(0, start+120_000)
	cloud.before = func(call string) error {
		if call == "push" {
			return fault.New(fault.Forbidden, "not yet")
		}
		return nil
	}
	if _, err := s.sync.UploadMeter(t.Context(), s.uid); err == nil {
		t.Fatal("the upload succeeds")
	}
	if _, err := s.logs.Append(t.Context(), logdb.Batch{Meter: other, Kind: logdb.KindSystem, Entries: []logdb.Entry{
		{Op: logdb.OpAdd, Time: start, System: &logdb.SystemEvent{Type: logdb.SystemPowerUp}},
	}}); err != nil {
		t.Fatal(err)
	}
	cloud.before = func(string) error {
		ahead.Store(int64(time.Minute))
		return nil
	}
	if _, err := s.sync.UploadMeter(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if ahead.Load() != int64(time.Minute) {
		t.Fatal("the clock was not set right during the action")
	}
	if err := s.sync.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := s.sync.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Meters {
		if m.LastUpload > logdb.MillisOf(began.Add(time.Minute)) {
			t.Errorf("the last upload of %s is still to come", m.Name)
		}
	}
	if due := s.sync.Due(); !slices.ContainsFunc(due, func(a cloudsync.Action) bool { return a.Kind == cloudsync.ActionUpload && a.Meter == s.uid }) {
		t.Errorf("due is %v, want an upload", due)
	}
}

// TestClockIsTheOneOnTheWall: two times of the monotonic clock never tell that the other one was set back, which users see.
func TestClockIsTheOneOnTheWall(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	if err := s.sync.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seen := s.sync.Seen(); seen.IsZero() || strings.Contains(seen.String(), "m=") {
		t.Errorf("the clock was read as %v, want one without a monotonic part", seen)
	}
}

// TestSwitchedOffCloudWaitsForNothing: what is not compared with it any more is not to be uploaded.
func TestSwitchedOffCloudWaitsForNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), newFakeCloud())
	s.settings(time.Minute)
	s.rows(0, start, start+60_000)
	if err := s.sync.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		enabled, state string
		notCompared    int64
	}{{"true", "not_registered", 2}, {"false", "disabled", 0}} {
		if err := s.sync.Set(t.Context(), cloudsync.SettingEnabled, want.enabled); err != nil {
			t.Fatal(err)
		}
		got, err := s.sync.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Meters) != 1 || got.Meters[0].State != want.state || got.NotCompared != want.notCompared {
			t.Errorf("enabled %s: %+v", want.enabled, got)
		}
	}
}

// TestRelayThatWasNotCompared: after a start, with the next cloud away, nobody knows what that one lacks of what others sent.
func TestRelayThatWasNotCompared(t *testing.T) {
	t.Parallel()
	mid, far := newFakeCloud(), newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), mid)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 3)...)
	s.upload()
	name(t, mid)
	r := relay(t, mid, far)
	r.upload()
	state := func() string {
		t.Helper()
		got, err := r.sync.Status(t.Context())
		if err != nil || len(got.Meters) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got.Meters[0].State
	}
	if got := state(); got != "up_to_date" {
		t.Fatalf("after an upload: %s", got)
	}
	far.before = func(string) error { return fault.New(fault.Unavailable, "away") }
	r.restart()
	if _, err := r.sync.UploadMeter(t.Context(), r.uid); err == nil {
		t.Fatal("a cloud that is away takes an upload")
	}
	if got := state(); got != "not_compared" {
		t.Errorf("after a start: %s", got)
	}
}
