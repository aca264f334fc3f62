package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/rpc/api"
	"metermanager/rpc/rpctest"
)

// TestNodesOnPostgres: a site and a cloud keep everything in PostgreSQL; the cloud is killed while the site uploads, passes what every node passes,
// and moves into files with everything it had.
func TestNodesOnPostgres(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts real processes")
	}
	place := sqldbtest.Postgres(t)
	cloud := newLink(t, "pgcloud", "cloud", "MM_DATABASE="+place)
	site := newLink(t, "site", "site,cloud", "MM_DATABASE="+sqldbtest.Postgres(t)) // its cloud sync and list of meters too
	site.call(api.CmdCloudAdd, map[string]any{"name": "pg", "host": cloud.url, "apikey": cloud.key()})
	reg, err := site.c.Register(t.Context(), api.RegisterRequest{Settings: logdb.Settings{Name: "web", Make: "Acme", Serial: "W-1", Zone: "UTC", LogIntervalsMillis: []int64{60_000}}})
	if err != nil {
		t.Fatal(err)
	}
	site.push(reg.MeterUID, 0, 300)
	cloud.kill() // whatever it is doing
	site.push(reg.MeterUID, 300, 300)
	cloud.start()
	site.clean("pg")
	sameEverywhere(t, "web", site, cloud)
	(&rpctest.Suite{URL: cloud.url, User: chainUser, Password: chainPassword, Serial: "S-PG"}).Run(t)
	if files, _ := filepath.Glob(filepath.Join(cloud.dir, "*.db*")); len(files) > 0 {
		t.Errorf("a node on PostgreSQL keeps %v", files)
	}
	saved := filepath.Join(t.TempDir(), "node.backup")
	if out, errs, code := tool(t, "backup", saved, "--url", cloud.url, "--key", cloud.key()); code != 0 || !strings.Contains(out, "Sound") {
		t.Fatalf("backup of a node on PostgreSQL ends with %d\n%s%s", code, out, errs)
	}
	if left, _ := filepath.Glob(filepath.Join(cloud.dir, ".*")); len(left) > 0 {
		t.Errorf("the backup has left %v", left)
	}
	before := cloud.holding("web")
	cloud.kill()
	out, errs, code := tool(t, "database", "copy", place, "files", "--folder", cloud.dir)
	if code != 0 || !strings.Contains(out, "all the same") {
		t.Fatalf("database copy: exit code %d\n%s%s", code, out, errs)
	}
	cloud.env = nil
	cloud.start()
	if after := cloud.holding("web"); after.entries != before.entries || after.entries != 600 {
		t.Errorf("%d rows in files, %d in PostgreSQL, want 600", after.entries, before.entries)
	}
	site.push(reg.MeterUID, 600, 10)
	site.clean("pg")
	sameEverywhere(t, "web", site, cloud)
	// What was backed up is a node on files, from before the last rows; the site sends them again.
	cloud.kill()
	restored := filepath.Join(t.TempDir(), "restored")
	if out, errs, code := tool(t, "restore", saved, "--folder", restored); code != 0 {
		t.Fatalf("restore ends with %d\n%s%s", code, out, errs)
	}
	cloud.dir = restored
	cloud.start()
	site.clean("pg")
	sameEverywhere(t, "web", site, cloud)
	cloud.kill()
	if out, errs, code := tool(t, "database", "copy", "files", sqldbtest.Postgres(t), "--folder", restored); code != 0 || !strings.Contains(out, "all the same") {
		t.Errorf("back into PostgreSQL: exit code %d\n%s%s", code, out, errs)
	}
	if _, errs, code := tool(t, "database", "copy", "files", "files", "--folder", cloud.dir); code != 2 || !strings.Contains(errs, "PostgreSQL") {
		t.Errorf("from files to files: exit code %d, %s", code, errs)
	}
}
