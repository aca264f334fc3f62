package cloudsync_test

import (
	"fmt"
	"testing"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// upToDate is a cache in which nothing is to be done.
func upToDate(meters int) *cloudsync.Cache {
	c := &cloudsync.Cache{
		Destination: 1, Enabled: true, SyncEvery: 10 * time.Minute, ScanEvery: 6 * time.Hour,
		Synced: now.Add(-time.Minute), Scanned: now.Add(-time.Hour), Meters: map[logdb.MeterUID]*cloudsync.MeterCache{},
	}
	told := logdb.DigestOf([]byte("settings"))
	for i := range meters {
		uid := logdb.MeterUID(fmt.Sprintf("m%04d", i))
		m := &cloudsync.MeterCache{
			Config:   cloudsync.MeterConfig{Meter: uid, CloudUID: "c" + uid, Enabled: true, UploadEnabled: true, Registered: told},
			Settings: told, Logs: map[logdb.Kind]*cloudsync.LogCache{},
		}
		for _, kind := range logdb.Kinds {
			m.Logs[kind] = &cloudsync.LogCache{Journal: "j", End: 100, Known: true, ThereJournal: "j", ThereEnd: 100}
		}
		c.Meters[uid] = m
	}
	return c
}

func TestPlan(t *testing.T) {
	t.Parallel()
	log := func(c *cloudsync.Cache, i int) *cloudsync.LogCache {
		return c.Meters[logdb.MeterUID(fmt.Sprintf("m%04d", i))].Logs[logdb.KindPQ]
	}
	tests := []struct {
		name   string
		change func(c *cloudsync.Cache)
		want   string
	}{
		{"nothing to do", func(*cloudsync.Cache) {}, "[]"},
		{"switched off", func(c *cloudsync.Cache) { c.Enabled, log(c, 0).End = false, 200 }, "[]"},
		{"the cloud does not answer", func(c *cloudsync.Cache) { c.Blocked, log(c, 0).End = now.Add(time.Second), 200 }, "[]"},
		{"the pause is over", func(c *cloudsync.Cache) { c.Blocked, log(c, 0).End = now, 200 }, "[{upload 1 m0000}]"},
		{"never synced", func(c *cloudsync.Cache) { c.Synced = time.Time{} }, "[{server_sync 1 }]"},
		{"sync is old", func(c *cloudsync.Cache) { c.Synced = now.Add(-10 * time.Minute) }, "[{server_sync 1 }]"},
		{"scan is old", func(c *cloudsync.Cache) { c.Scanned = now.Add(-6 * time.Hour) }, "[{refresh_scan 1 }]"},
		{"a log has grown", func(c *cloudsync.Cache) { log(c, 1).End = 101 }, "[{upload 1 m0001}]"},
		{"the journal was renewed", func(c *cloudsync.Cache) { log(c, 1).Journal = "k" }, "[{upload 1 m0001}]"},
		{"never compared", func(c *cloudsync.Cache) { log(c, 2).Known = false }, "[{upload 1 m0002}]"},
		{"an empty log", func(c *cloudsync.Cache) { *log(c, 2) = cloudsync.LogCache{} }, "[]"},
		{"something is missing there", func(c *cloudsync.Cache) { log(c, 1).Missing = 3 }, "[{upload 1 m0001}]"},
		{"only an open minute", func(c *cloudsync.Cache) { log(c, 1).Waiting = 3 }, "[]"},
		{"a receipt only, not due", func(c *cloudsync.Cache) { log(c, 1).More, log(c, 1).Recheck = true, now.Add(time.Second) }, "[]"},
		{"a receipt only, due", func(c *cloudsync.Cache) { log(c, 1).More, log(c, 1).Recheck = true, now }, "[{upload 1 m0001}]"},
		{"enabled without a UID", func(c *cloudsync.Cache) { c.Meters["m0001"].Config.CloudUID = "" }, "[{register 1 m0001}]"},
		{"settings changed, rows too", func(c *cloudsync.Cache) {
			c.Meters["m0001"].Settings = logdb.DigestOf(nil)
			log(c, 0).End, log(c, 1).End = 200, 200
		}, "[{register 1 m0001} {upload 1 m0000} {upload 1 m0001}]"},
		{"disabled", func(c *cloudsync.Cache) { c.Meters["m0001"].Config.Enabled, log(c, 1).End = false, 200 }, "[]"},
		{"registered, no upload", func(c *cloudsync.Cache) { c.Meters["m0001"].Config.UploadEnabled, log(c, 1).End = false, 200 }, "[]"},
		{"parked", func(c *cloudsync.Cache) {
			m := c.Meters["m0001"]
			m.Config.Parked, m.Tried, log(c, 1).End = "refused", now.Add(-c.ScanEvery+time.Second), 200
		}, "[]"},
		{"parked for long", func(c *cloudsync.Cache) {
			m := c.Meters["m0001"]
			m.Config.Parked, m.Tried, log(c, 1).End = "refused", now.Add(-c.ScanEvery), 200
		}, "[{upload 1 m0001}]"},
		{"failed a moment ago", func(c *cloudsync.Cache) { c.Meters["m0001"].Retry, log(c, 1).End = now.Add(time.Minute), 200 }, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := upToDate(3)
			tt.change(c)
			if got := fmt.Sprint(cloudsync.Plan(c, now)); got != tt.want {
				t.Errorf("plan = %s, want %s", got, tt.want)
			}
		})
	}
}

func BenchmarkPlan1000Meters(b *testing.B) {
	c := upToDate(1000)
	for i := range 100 {
		c.Meters[logdb.MeterUID(fmt.Sprintf("m%04d", i*10))].Logs[logdb.KindHistorical].End++
	}
	for b.Loop() {
		if got := cloudsync.Plan(c, now); len(got) != 100 {
			b.Fatal(len(got))
		}
	}
}
