package check_test

import (
	"log/slog"
	"testing"

	"metermanager/logdb"
	"metermanager/service/check"
	"metermanager/service/check/checktest"
)

// sharedTables belong to no log of a meter; every other table of logs.db is somebody's space.
var sharedTables = map[string]bool{
	"sqlite_schema": true, "meter": true, "channel": true, "snapshot": true, "stream": true, "migration": true, "archive": true,
	"gone": true, "unapplied": true, "lost": true,
}

// What the logs take and what they share adds up to the file.
func TestSpaceAddsUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, checktest.Make(t.Context(), dir))
	f, err := check.OpenFolder(t.Context(), dir, slog.New(slog.DiscardHandler))
	must(t, err)
	defer f.Close()
	whole, err := f.Base.Space(t.Context())
	must(t, err)
	logs, err := f.Logs.Space(t.Context(), whole.Tables)
	must(t, err)
	counts, err := f.Base.Counts(t.Context())
	must(t, err)
	var all, own, sum int64
	for table, n := range whole.Tables {
		all += n
		if !sharedTables[table] && counts[table] > 0 {
			own += n
		}
	}
	kinds := map[logdb.Kind]bool{}
	for _, l := range logs {
		if l.Meter != checktest.Meter {
			t.Errorf("space of meter %q", l.Meter)
		}
		kinds[l.Kind] = true
		sum += l.Records + l.Tiers + l.Raw + l.Account
	}
	if len(kinds) != 5 {
		t.Errorf("space of the kinds %v", kinds)
	}
	const rounding = 200 // a byte for each share
	if sum > own || sum < own-rounding {
		t.Errorf("the logs take %d bytes, their tables %d: is a table missing in spaceOf? %v", sum, own, whole.Tables)
	}
	if all+whole.FreeBytes > whole.FileBytes || all+whole.FreeBytes < whole.FileBytes*9/10 {
		t.Errorf("tables %d, free %d, file %d", all, whole.FreeBytes, whole.FileBytes)
	}
}
