package e2e_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"metermanager/logdb"
	"metermanager/service/config"
)

// TestVerifyNamesADeletedRecord deletes one record by hand from a database of a demonstration, of the site and of the cloud in turn:
// the command ends with 6 and prints the meter, the log, the day and the record.
func TestVerifyNamesADeletedRecord(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a whole demonstration")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	d := startDemo(t, dir, "24h")
	d.verified()
	for _, data := range []string{d.state().Cloud.Data, d.state().Site.Data} {
		d.interrupt()
		want, restore := deleteOne(t, config.LogsFile(data))
		d = startDemo(t, dir, "24h")
		out, errs, code := tool(t, "verify", "--data", dir)
		named := false
		for line := range strings.Lines(out) {
			named = named || strings.Contains(line, want[0]) && strings.Contains(line, want[1]) && strings.Contains(line, want[2]) && strings.Contains(line, "main-incomer")
		}
		if code != 6 || !named {
			t.Errorf("%s: verify ends with %d, want 6, and a line with %q\n%s%s", data, code, want, out, errs)
		}
		d.interrupt()
		restore()
		d = startDemo(t, dir, "24h")
		d.verified()
	}
	d.interrupt()
}

// deleteOne deletes the first PQ event and returns what must be named: the day, the log and the time, and how to put it back.
func deleteOne(t *testing.T, path string) (want []string, restore func()) {
	t.Helper()
	exec := func(query string, dest ...any) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if len(dest) > 0 {
			err = db.QueryRow(query).Scan(dest...)
		} else {
			_, err = db.Exec(query)
		}
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var id int64
	var at logdb.Millis
	exec(fmt.Sprintf(`SELECT id, time_ms FROM entry WHERE kind = %d AND op = %d AND live = 1 ORDER BY time_ms LIMIT 1`, logdb.KindPQ, logdb.OpAdd), &id, &at)
	exec(fmt.Sprintf(`CREATE TABLE taken AS SELECT * FROM entry WHERE id = %d`, id))
	exec(fmt.Sprintf(`DELETE FROM entry WHERE id = %d`, id))
	moment := at.Time().UTC()
	return []string{moment.Format("2006-01-02"), "pq 0", moment.Format(time.TimeOnly)}, func() {
		t.Helper()
		exec(`INSERT INTO entry SELECT * FROM taken`)
		exec(`DROP TABLE taken`)
	}
}
