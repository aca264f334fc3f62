package cloudsync_test

import (
	"strings"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// TestProgressIsTrueAtEveryMoment walks one log through the states that its cloud can be in.
func TestProgressIsTrueAtEveryMoment(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	now := start.Time().Add(24 * time.Hour)
	s.stop()
	s.cfg.Now = func() time.Time { return now }
	s.start()
	s.settings(time.Minute)
	minutes := func(n int) logdb.Millis { return start + logdb.Millis(n)*60_000 }
	s.rows(0, every(time.Minute, start, 100)...)
	progress := func(what, state string) api.LogAtCloud {
		t.Helper()
		got, err := s.sync.Progress(t.Context(), meter)
		if err != nil {
			t.Fatal(err)
		}
		list := got[logdb.KindHistorical]
		if len(list) != 1 || list[0].State != state {
			t.Fatalf("%s: %+v, want one cloud in state %s", what, list, state)
		}
		return list[0]
	}
	refused := func(err error) { // server syncs of the queue go through, so that one try is one failure
		cloud.before = func(call string) error {
			if call == "user" || call == "meters" {
				return nil
			}
			return err
		}
	}

	refused(fault.New(fault.Unavailable, "no route to the cloud"))
	if _, err := s.sync.RegisterMeter(t.Context(), meter); err == nil {
		t.Fatal("a cloud that is away registers a meter")
	}
	p := progress("before it is registered", api.CloudNotRegistered)
	if p.Trouble == nil || !strings.Contains(p.Trouble.Text, "no route") || !strings.Contains(p.Trouble.Do, "network") || p.Trouble.Since != logdb.MillisOf(now) {
		t.Errorf("the error of the registration: %+v", p.Trouble)
	}
	refused(nil)
	s.upload()
	if p = progress("after an upload", api.CloudUpToDate); p.Last != minutes(99) || p.Decided != 100 || p.LagMS != 0 || p.Trouble != nil || p.Compared != logdb.MillisOf(now) {
		t.Errorf("after an upload: %+v", p)
	}

	s.restart() // what the cloud holds is not known any more: neither "all there" nor "all missing"
	if err := s.sync.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p = progress("after a restart", api.CloudNotCompared); p.Pending != 0 || p.Compared != 0 || p.JournalEnd != 100 {
		t.Errorf("after a restart: %+v", p)
	}
	if st, err := s.sync.Status(t.Context()); err != nil || st.Pending != 0 || st.NotCompared != 100 || st.Meters[0].State != "not_compared" {
		t.Errorf("after a restart: %+v, %v", st, err)
	}
	s.upload()

	now = now.Add(time.Hour) // away, while the meter goes on
	refused(fault.New(fault.Unavailable, "no route to the cloud"))
	s.rows(0, every(time.Minute, minutes(100), 50)...)
	if _, err := s.sync.UploadMeter(t.Context(), meter); err == nil {
		t.Fatal("a cloud that is away takes an upload")
	}
	p = progress("while the cloud is away", api.CloudBehind)
	if p.Pending != 50 || p.OldestPending != minutes(100) || p.LagMS != int64(logdb.MillisOf(now)-minutes(100)) || p.Last != minutes(99) || p.Trouble == nil {
		t.Errorf("while the cloud is away: %+v", p)
	}
	refused(fault.New(fault.Conflict, "another record stands there"))
	if _, err := s.sync.UploadMeter(t.Context(), meter); err == nil {
		t.Fatal("a contradiction is taken")
	}
	if p = progress("with a contradiction", api.CloudBehind); p.Conflicts == 0 || !strings.Contains(p.Trouble.Do, "verify") {
		t.Errorf("with a contradiction: %+v", p)
	}
	refused(nil)
	s.upload()
	if p = progress("when it is back", api.CloudUpToDate); p.Last != minutes(149) || p.Trouble != nil || p.LagMS != 0 {
		t.Errorf("when it is back: %+v", p)
	}
	if err := s.sync.SetMeter(t.Context(), meter, cloudsync.SettingMeterUpload, "false"); err != nil {
		t.Fatal(err)
	}
	progress("with uploading switched off", api.CloudOff)
}

// TestAdviceForEveryError holds that nobody is left alone with an error.
func TestAdviceForEveryError(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 3)...)
	seen := map[string]fault.Code{}
	for _, code := range []fault.Code{fault.Unauthenticated, fault.Forbidden, fault.Conflict, fault.Full, fault.RateLimited, fault.Internal, fault.Timeout} {
		cloud.before = func(call string) error {
			if call == "register" {
				return fault.New(code, "it says no")
			}
			return nil
		}
		if _, err := s.sync.RegisterMeter(t.Context(), meter); err == nil {
			t.Fatalf("%s is no error", code)
		}
		got, err := s.sync.Progress(t.Context(), meter)
		if err != nil {
			t.Fatal(err)
		}
		x := got[logdb.KindHistorical][0].Trouble
		if x == nil || x.Do == "" || !strings.Contains(x.Text, "it says no") {
			t.Fatalf("%s: %+v", code, x)
		}
		if before, twice := seen[x.Do]; twice {
			t.Errorf("%s and %s get the same advice: %s", before, code, x.Do)
		}
		seen[x.Do] = code
	}
}

// TestAdviceAboutTheWholeCloud: what is wrong with the cloud, not with a meter, and which one.
func TestAdviceAboutTheWholeCloud(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"nothing of ours there":  {fault.New(fault.NotFound, "no such page"), "root path"},
		"another key":            {fault.New(fault.Unauthenticated, "the key is unknown"), "cloud=main"},
		"a strange certificate":  {fault.New(fault.Unavailable, "not trusted").WithHint("Set cloud.fingerprint."), "Set cloud.fingerprint."},
		"nothing answers at all": {fault.New(fault.Unavailable, "no route"), "network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newFakeCloud()
			cloud.before = func(string) error { return tt.err }
			s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
			if _, err := s.sync.Refresh(t.Context()); err == nil {
				t.Fatal("it is compared with a cloud that refuses")
			}
			got, err := s.sync.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Trouble == nil || !strings.Contains(got.Trouble.Do, tt.want) {
				t.Errorf("%+v, want advice with %q", got.Trouble, tt.want)
			}
		})
	}
}
