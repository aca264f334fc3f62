package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/fault"
)

// unread is a cloud that cannot read the sets of one meter.
type unread struct {
	*fakeCloud
	of  logdb.MeterUID
	err error
}

func (c *unread) Streams(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	if uid == c.of {
		return nil, c.err
	}
	return c.fakeCloud.Streams(ctx, uid, kind)
}

// damaged is a log database that cannot read one meter.
type damaged struct {
	logdb.Store
	of logdb.MeterUID
}

func (d *damaged) Settings(ctx context.Context, uid logdb.MeterUID) (logdb.Settings, error) {
	if uid == d.of {
		return logdb.Settings{}, errors.New("the page is damaged")
	}
	return d.Store.Settings(ctx, uid)
}

// three meters, each with rows from the first minute on.
func (s *site) three(first, n int) (meters []logdb.MeterUID) {
	s.t.Helper()
	for i := range 3 {
		uid := logdb.MeterUID(fmt.Sprint("site-", i))
		meters = append(meters, uid)
		settings := logdb.Settings{Name: string(uid), Make: "EIG", Serial: fmt.Sprint(i), Zone: "UTC", LogIntervalsMillis: []int64{60_000}}
		if first == 0 {
			if err := s.logs.PutSettings(s.t.Context(), uid, settings); err != nil {
				s.t.Fatal(err)
			}
		}
		h := logdb.History{Channels: channels[:1], Times: every(time.Minute, start+logdb.Millis(first)*60_000, n), Columns: [][]float64{make([]float64, n)}}
		if _, err := s.logs.Append(s.t.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
			s.t.Fatal(err)
		}
	}
	return meters
}

// due lists the actions of a kind that are wanted.
func (s *site) due(kind cloudsync.ActionKind) (meters []logdb.MeterUID) {
	for _, a := range s.sync.Due() {
		if a.Kind == kind {
			meters = append(meters, a.Meter)
		}
	}
	return meters
}

// TestScanPassesAMeterThatCannotBeRead: the sets of one meter cannot be read at the cloud, which was put back to a backup. The
// scan finds what the others lack all the same, and is not repeated at once.
func TestScanPassesAMeterThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		passes bool
	}{
		{"its record is damaged", fault.New(fault.Internal, "internal error"), true},
		{"it may not be read", fault.New(fault.Forbidden, "not yours"), true},
		{"the cloud is away", fault.New(fault.Unavailable, "no route"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			now := time.Now()
			s.cfg.Now, s.cfg.ScanEvery = func() time.Time { return now }, 6*time.Hour
			s.others["cloud.example.net"] = &unread{cloud, "cloud-1", tt.err}
			meters := s.three(0, 10)
			s.restart()
			for _, uid := range meters {
				if _, err := s.sync.RegisterMeter(t.Context(), uid); err != nil {
					t.Fatal(err)
				}
				if _, err := s.sync.UploadMeter(t.Context(), uid); err != nil && uid != "site-1" {
					t.Fatal(err)
				}
			}
			cloud.store = logdbtest.NewModel(logdbtest.Config{})
			now = now.Add(7 * time.Hour)
			scan, err := s.sync.Refresh(t.Context())
			if tt.passes != (err == nil) {
				t.Fatalf("the scan ends with %v", err)
			}
			if !tt.passes {
				return
			}
			if want := "2 meters compared, 2 logs behind, 1 meters could not be compared"; scan.Detail != want {
				t.Errorf("the scan says %q, want %q", scan.Detail, want)
			}
			now = now.Add(time.Hour)                                                   // every pause is over
			if got := s.due(cloudsync.ActionUpload); !slices.Contains(got, "site-1") { // the queue may have sent the others by now
				t.Errorf("%v are to be uploaded", got)
			}
			if got := s.due(cloudsync.ActionRefreshScan); got != nil {
				t.Error("the scan is to be repeated")
			}
			status, err := s.sync.Status(t.Context())
			tried := status.LastError == status.Meters[1].LastError // the queue may have tried to upload to that one since
			if err != nil || status.Meters[1].LastError == "" || status.Meters[0].LastError != "" || status.LastError != "" && !tried {
				t.Errorf("status %+v, %v", status, err)
			}
		})
	}
}

// TestLookPassesAMeterThatCannotBeRead: what has grown of the others is seen, and of that one when it can be read again.
func TestLookPassesAMeterThatCannotBeRead(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	logs := &damaged{Store: logdbtest.NewModel(logdbtest.Config{})}
	s := newSite(t, logs, cloud)
	meters := s.three(0, 10)
	for _, uid := range meters {
		if _, err := s.sync.RegisterMeter(t.Context(), uid); err != nil {
			t.Fatal(err)
		}
		if _, err := s.sync.UploadMeter(t.Context(), uid); err != nil {
			t.Fatal(err)
		}
	}
	for _, uid := range meters {
		t.Run(string(uid), func(t *testing.T) {
			logs.of = uid
			s.three(10, 1)
			for _, uid := range meters {
				s.sync.Notify(uid)
			}
			if err := s.sync.LookMarked(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := s.due(cloudsync.ActionUpload); len(got) != 2 || slices.Contains(got, uid) {
				t.Errorf("%v are to be uploaded, want the others", got)
			}
			logs.of = ""
			if err := s.sync.LookMarked(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := s.due(cloudsync.ActionUpload); !slices.Equal(got, meters) {
				t.Errorf("%v are to be uploaded, want all", got)
			}
			for _, uid := range meters {
				if _, err := s.sync.UploadMeter(t.Context(), uid); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
