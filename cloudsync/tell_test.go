package cloudsync_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/rpc/api"
)

// A copy of a cloud tells the next one settings that this node has taken back, and is gone: nobody else puts that right. Another node that names the
// meter otherwise, for good, is not contradicted each time.
func TestSettingsThatSomebodyElseTold(t *testing.T) {
	t.Parallel()
	s, cloud, began, ahead := withClock(t)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	s.refreshed(2)
	told := cloud.told["cloud-4711"]
	other := func(name string) {
		t.Helper()
		now := cloud.told["cloud-4711"]
		now.Zone, now.Name = "Asia/Kathmandu", name
		if err := cloud.PutSettings(t.Context(), "cloud-4711", now); err != nil {
			t.Fatal(err)
		}
	}
	other("of a copy")
	if _, n := s.refreshed(3); n != 1 {
		t.Errorf("told %d times after somebody else, want once", n)
	}
	if got := cloud.told["cloud-4711"]; got.Zone != told.Zone || got.Name != told.Name {
		t.Errorf("the cloud says %s, %s, want what its meter's node does: %s, %s", got.Zone, got.Name, told.Zone, told.Name)
	}
	times := 0
	for day := range 30 {
		for hour := range 24 {
			ahead.Store(int64(time.Duration(24*day+hour) * time.Hour))
			if cloud.told["cloud-4711"].Zone == told.Zone {
				other("for good")
			}
			_, n := s.refreshed(1)
			times += n
		}
	}
	if times < 5 || times > 10 {
		t.Errorf("told %d times in 30 days of contradiction, want each after twice as long", times)
	}
	ahead.Store(0) // of a clock that was wrong
	if now := s.cfg.Now(); !now.Equal(began) {
		t.Fatal("the clock was not set back")
	}
	other("after all")
	if _, n := s.refreshed(1); n != 1 {
		t.Errorf("told %d times after the clock was set right, want once", n)
	}
}

// bySerial is a cloud that finds meters by the serial number of the device that hangs there now, as the registry does.
type bySerial struct{ *fakeCloud }

func (c *bySerial) Register(ctx context.Context, q api.RegisterRequest) (api.RegisterAnswer, error) {
	for uid, s := range c.told {
		if c.known[uid] && s.Serial == q.Serial {
			return api.RegisterAnswer{MeterUID: uid, Registered: api.RegisteredKnown, Settings: s, Started: c.started}, nil
		}
	}
	return c.fakeCloud.Register(ctx, q)
}

// A customer says at the cloud that another device takes a meter's place, before it does: the node that still reads the old one makes no second meter of
// it there, neither while it runs nor when it is started, and tells of the new one when that is there.
func TestMeterReplacedAtTheCloudFirst(t *testing.T) {
	t.Parallel()
	cloud := newFakeCloud()
	s := newSite(t, logdbtest.NewModel(logdbtest.Config{}), cloud)
	s.others["cloud.example.net"] = &bySerial{cloud}
	s.restart()
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	now := cloud.told["cloud-4711"]
	now.Serial, now.Firmware, now.Version = "5822", "", "replaced"
	cloud.told["cloud-4711"] = now
	for range 2 {
		s.refreshed(2)
		s.restart()
	}
	s.rows(0, every(time.Minute, start+300_000, 5)...)
	s.upload()
	if len(cloud.known) != 1 {
		t.Errorf("the cloud has meters %v", cloud.known)
	}
	there, err := s.logs.Settings(t.Context(), meter)
	if err != nil {
		t.Fatal(err)
	}
	there.Serial, there.Zone = "5822", "Asia/Kathmandu"
	if err := s.logs.PutSettings(t.Context(), meter, there); err != nil {
		t.Fatal(err)
	}
	s.upload()
	s.refreshed(2)
	if got := cloud.told["cloud-4711"]; got.Zone != there.Zone || len(cloud.known) != 1 {
		t.Errorf("the cloud has %+v of meters %v", got, cloud.known)
	}
}

// unreadable cannot read the settings of a meter.
type unreadable struct {
	logdb.Store
	broken bool
	reads  int
}

func (s *unreadable) Settings(ctx context.Context, uid logdb.MeterUID) (logdb.Settings, error) {
	if s.reads++; s.broken {
		return logdb.Settings{}, errors.New("malformed")
	}
	return s.Store.Settings(ctx, uid)
}

// One meter whose settings cannot be compared does not keep the configuration of the cloud from being read.
func TestOneMeterThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	logs, cloud := &unreadable{Store: logdbtest.NewModel(logdbtest.Config{})}, newFakeCloud()
	s := newSite(t, logs, cloud)
	s.settings(time.Minute)
	s.rows(0, every(time.Minute, start, 5)...)
	s.upload()
	s.refreshed(2)
	now := cloud.told["cloud-4711"]
	now.Version, now.Zone = "other", "Asia/Kathmandu"
	cloud.told["cloud-4711"] = now
	logs.broken = true
	if _, err := s.sync.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	logs.broken = false
	s.refreshed(2)
	if got := cloud.told["cloud-4711"].Zone; got != "UTC" {
		t.Errorf("the cloud has zone %s", got)
	}
}

// twoDatabases serves one name by two programs in turn, whose settings are the same under versions of their own.
type twoDatabases struct {
	*fakeCloud
	n int
}

func (c *twoDatabases) User(ctx context.Context) (api.UserAnswer, error) {
	c.n++
	out, err := c.fakeCloud.User(ctx)
	out.Started += logdb.Millis(c.n % 2)
	return out, err
}

func (c *twoDatabases) Meters(ctx context.Context) ([]api.Meter, error) {
	out, err := c.fakeCloud.Meters(ctx)
	for i := range out {
		out[i].Settings.Version += []string{"", "b"}[c.n%2]
	}
	return out, err
}

func (c *twoDatabases) Register(ctx context.Context, q api.RegisterRequest) (api.RegisterAnswer, error) {
	out, err := c.fakeCloud.Register(ctx, q)
	out.Started += logdb.Millis(c.n % 2)
	out.Settings.Version += []string{"", "b"}[c.n%2]
	return out, err
}

// Programs with databases of their own behind one name give settings versions of their own: that is compared once, and not at each look.
func TestVersionsOfTwoPrograms(t *testing.T) {
	t.Parallel()
	reads := func(twice bool) int { // of settings in four looks, once all has been compared
		logs, cloud := &unreadable{Store: logdbtest.NewModel(logdbtest.Config{})}, newFakeCloud()
		cloud.started = start
		s := newSite(t, logs, cloud)
		if twice {
			s.others["cloud.example.net"] = &twoDatabases{fakeCloud: cloud}
			s.restart()
		}
		s.settings(time.Minute)
		s.rows(0, every(time.Minute, start, 5)...)
		s.upload()
		s.refreshed(8)
		before := logs.reads
		if registered, told := s.refreshed(4); registered+told > 0 {
			t.Errorf("registered %d times, told %d times", registered, told)
		}
		return logs.reads - before
	}
	if one, two := reads(false), reads(true); two != one {
		t.Errorf("settings are read %d times of two programs, and %d times of one", two, one)
	}
}
