package metadb_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/service/cloud/audit"
	"metermanager/service/field/pickup"
	"metermanager/service/field/retrieve"
	"metermanager/service/metadb"
)

// everywhere runs a test on a file and on PostgreSQL.
func everywhere(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	for name, place := range map[string]func(t *testing.T) string{
		"file":       func(t *testing.T) string { return filepath.Join(t.TempDir(), "meta.db") },
		"PostgreSQL": func(t *testing.T) string { return sqldbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqldb.Open(t.Context(), place(t), sqldb.Config{Part: "meta"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			test(t, db)
		})
	}
}

func TestPickupsAndLimitsSurvive(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		f, err := metadb.OpenField(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		p := pickup.Folder{ID: "k1", Meter: "m", Path: "/srv/m", FTP: "ftp://a@b/c", PasswordFile: "/p", Zone: "UTC", Map: []string{"P=a.b", "Q=c.d"}, Primary: true, EverySeconds: 30}
		for _, err := range []error{f.PutPickup(ctx, p), f.PutPickup(ctx, pickup.Folder{ID: "k2", Meter: "m", Path: "/srv/n", EverySeconds: 5}), f.PutFetched(ctx, "k1", "a.csv", "1"), f.PutFetched(ctx, "k1", "a.csv", "2"),
			f.PutMeter(ctx, retrieve.Meter{UID: "m", Name: "m", Address: "a:1", Profile: "p", Zone: "UTC", Limits: "1=readings.frequency below 49 back 50"})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		list, err := f.Pickups(ctx)
		if err != nil || len(list) != 2 || fmt.Sprint(list[0]) != fmt.Sprint(p) || len(list[1].Map) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		if got, err := f.Fetched(ctx, "k1"); err != nil || len(got) != 1 || got["a.csv"] != "2" {
			t.Errorf("%v, %v", got, err)
		}
		if err := f.DeletePickup(ctx, "k1"); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Fetched(ctx, "k1"); err != nil || len(got) != 0 {
			t.Errorf("what was fetched for a folder that is gone: %v, %v", got, err)
		}
		if m, err := f.Meters(ctx); err != nil || len(m) != 1 || m[0].Limits == "" {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// TestAuditChains: events that many write at once make one whole chain for each customer, and every filter works on both databases.
func TestAuditChains(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		c, err := metadb.OpenCloud(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				e := audit.Event{AtMillis: int64(1000 + i), Customer: []string{"", "a", "b"}[i%3], Actor: "user:1", Name: "o'neil", Action: []string{"login", "meter.set", "meter"}[i%3], Outcome: audit.Done, Details: map[string]string{"i": fmt.Sprint(i)}}
				if err := c.PutAudit(ctx, e); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n, broken, err := c.CheckAudit(ctx, nil); n != 20 || len(broken) != 0 || err != nil {
			t.Errorf("%d events, %v, %v", n, broken, err)
		}
		a := "a"
		if n, broken, err := c.CheckAudit(ctx, &a); n != 7 || len(broken) != 0 || err != nil {
			t.Errorf("of one customer: %d events, %v, %v", n, broken, err)
		}
		for name, x := range map[string]struct {
			f    audit.Filter
			want int
		}{
			"all":     {audit.Filter{View: audit.ViewServer, Limit: 100}, 20},
			"a page":  {audit.Filter{View: audit.ViewServer, Limit: 4, Before: 9}, 4},
			"own":     {audit.Filter{View: audit.ViewCustomer, Customer: "b", Limit: 100}, 6},
			"nobody":  {audit.Filter{View: audit.ViewCustomer, Limit: 100}, 0},
			"actor":   {audit.Filter{View: audit.ViewAdmin, Actor: "o'neil", Limit: 100}, 20},
			"action":  {audit.Filter{View: audit.ViewServer, Action: "meter", Limit: 100}, 13},
			"times":   {audit.Filter{View: audit.ViewServer, From: 1005, To: 1008, Limit: 100}, 3},
			"outcome": {audit.Filter{View: audit.ViewServer, Outcome: audit.Failed, Limit: 100}, 0},
		} {
			list, err := c.Audit(ctx, x.f)
			if err != nil || len(list) != x.want {
				t.Errorf("%s: %d events, %v; want %d", name, len(list), err, x.want)
			}
			if !slices.IsSortedFunc(list, func(a, b audit.Event) int { return int(b.Seq - a.Seq) }) {
				t.Errorf("%s: not the newest first", name)
			}
		}
	})
}
