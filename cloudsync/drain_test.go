package cloudsync_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
)

// slow is a cloud that takes its time for each page.
type slow struct {
	*locked
	mu     sync.Mutex
	pages  int
	newest logdb.Millis // row that it has
}

func (c *slow) PushPage(ctx context.Context, page *logdb.Page) (api.UploadAnswer, error) {
	time.Sleep(300 * time.Millisecond)
	answer, err := c.locked.PushPage(ctx, page)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages++
	for i := range page.Rows {
		for _, t := range page.Rows[i].Times {
			c.newest = max(c.newest, t)
		}
	}
	return answer, err
}

func (c *slow) have() (pages int, newest logdb.Millis) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages, c.newest
}

// TestAMonthDrainsWhileNewDataKeepComing: the cloud was away for a month. Each new row is there within a minute all
// the same, and what has waited comes at the rate that is set, not faster and not slower.
func TestAMonthDrainsWhileNewDataKeepComing(t *testing.T) {
	t.Parallel()
	const rate = 4 // pages a minute
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		db, err := sqldb.Open(ctx, t.TempDir()+"/meta.db", sqldb.Config{})
		if err != nil {
			t.Fatal(err)
		}
		store, err := clouddb.New(ctx, db, clouddb.Config{MasterKey: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		cloud := &slow{locked: &locked{fakeCloud: newFakeCloud()}}
		logs := logdbtest.NewModel(logdbtest.Config{})
		s := &site{t: t, logs: logs, cloud: cloud.fakeCloud}
		s.settings(time.Minute)
		begin := logdb.MillisOf(time.Now()).Floor(60_000)
		const month = 30 * 24 * 12 // 5 minutes
		s.rows(0, every(5*time.Minute, begin-month*5*60_000, month)...)
		svc := cloudsync.New(func(cloudsync.Destination) (cloudsync.Cloud, error) { return cloud, nil }, logs, store,
			cloudsync.Config{PageBytes: 1024})
		for name, value := range map[string]string{
			cloudsync.SettingHost: "cloud.example.net", cloudsync.SettingAPIKey: "mmk_test", cloudsync.SettingRate: "4", cloudsync.SettingEnabled: "true",
		} {
			if err := svc.Set(ctx, name, value); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() { done <- svc.Run(ctx) }()
		time.Sleep(time.Minute)
		if _, newest := cloud.have(); newest < begin-5*60_000 {
			t.Errorf("a minute after the cloud is back its newest row is %s old", time.Duration(begin-newest)*time.Millisecond)
		}
		began, worst := time.Now(), time.Duration(0)
		pagesAt := func() int { n, _ := cloud.have(); return n }
		before := pagesAt()
		const minutes = 12
		for i := range minutes { // the meter goes on, a row a minute
			row := begin + logdb.Millis(i)*60_000
			s.rows(0, row)
			svc.Notify(meter)
			waited := time.Now()
			for {
				if _, newest := cloud.have(); newest >= row || time.Since(waited) > 10*time.Minute {
					break
				}
				time.Sleep(time.Second)
			}
			worst = max(worst, time.Since(waited))
			time.Sleep(max(0, time.Minute-time.Since(waited)))
		}
		if worst > time.Minute {
			t.Errorf("a new row was at the cloud after %s, want a minute at most", worst)
		}
		drained := float64(pagesAt()-before-minutes) / time.Since(began).Minutes()
		st, err := svc.Status(ctx)
		if err != nil || st.Pending == 0 {
			t.Errorf("the backlog is gone before the rate was measured: %+v, %v", st, err)
		}
		if drained > rate+2 || drained < rate*0.7 {
			t.Errorf("%.1f pages a minute of the backlog were sent, the rate is %d", drained, rate)
		}
		if err := svc.Set(ctx, cloudsync.SettingRate, "0"); err != nil { // as fast as the cloud takes it
			t.Fatal(err)
		}
		for range 1000 {
			if st, err = svc.Status(ctx); err != nil || st.Pending == 0 && st.NotCompared == 0 && st.Current == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if st.Pending != 0 || err != nil {
			t.Errorf("the backlog does not come to an end: %+v, %v", st, err)
		}
		same(t, "values", points(t, cloud.store, "cloud-4711", ""), points(t, logs, meter, ""))
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("worst delay of a new row %s, %.1f pages of the backlog a minute", worst, drained)
	})
}
