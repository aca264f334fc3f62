package cloudsync_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/runner"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/fault"
)

// A clock that is weeks ahead for some minutes puts off what failed meanwhile until weeks later. Once it is right
// again that must not be waited for.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.stop()
	began := time.Now()
	s.cfg.Now = func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	s.cfg.Pauses = runner.Backoff{First: time.Hour, Max: time.Hour}
	s.start()
	s.settings(time.Minute)
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
