package metadb_test

import (
	"errors"
	"testing"
	"time"

	"metermanager/logdb/sqldb"
	"metermanager/service/cloud/audit/export"
	"metermanager/service/metadb"
)

// TestTargetsAreHeld: one of several nodes holds a target until its time is over, and only it moves it, never back, on both databases.
func TestTargetsAreHeld(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		c, err := metadb.OpenCloud(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		target := export.Target{Name: "siem", ID: "1", URL: "file:a", Position: 5}
		if err := c.PutExport(ctx, target); err != nil {
			t.Fatal(err)
		}
		at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
		hold := func(of export.Target, who string, from, to int, want bool) {
			t.Helper()
			if held, err := c.HoldExport(ctx, of, who, at(from), at(to)); err != nil || held != want {
				t.Errorf("%s holds %t, %v, want %t", who, held, err, want)
			}
		}
		move := func(of export.Target, who string, position int64, want error) {
			t.Helper()
			if err := c.MoveExport(ctx, of, who, position); !errors.Is(err, want) {
				t.Errorf("%s moves to %d: %v, want %v", who, position, err, want)
			}
		}
		former := target
		former.ID = "0"
		hold(former, "a", 0, 10, false)
		hold(target, "a", 0, 10, true)
		hold(target, "b", 9, 19, false)
		move(target, "a", 7, nil)
		move(target, "a", 6, export.ErrNotHeld)
		move(target, "b", 9, export.ErrNotHeld)
		move(former, "a", 9, export.ErrNotHeld)
		hold(target, "a", 9, 20, true)
		hold(target, "b", 19, 29, false)
		hold(target, "b", 20, 30, true)
		move(target, "a", 9, export.ErrNotHeld)
		if err := errors.Join(c.LetExports(ctx, "a"), c.LetExports(ctx, "b")); err != nil {
			t.Fatal(err)
		}
		hold(target, "a", 21, 31, true)
		if list, err := c.Exports(ctx); err != nil || len(list) != 1 || list[0].Position != 7 || list[0].ID != "1" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
