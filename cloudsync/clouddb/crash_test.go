package clouddb_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"metermanager/cloudsync"
	"metermanager/cloudsync/clouddb"
	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/simdisk"
)

// dump is all that the tables hold.
func dump(t *testing.T, db *sqldb.DB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range column(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'cloud%' ORDER BY 1") {
		names := strings.Join(column(t, db, "SELECT name FROM pragma_table_info('"+table+"')"), "), quote(")
		fmt.Fprintf(&out, "%s: %s\n", table, strings.Join(column(t, db, "SELECT concat_ws(' ', quote("+names+")) FROM "+table+" ORDER BY 1"), "; "))
	}
	return out.String()
}

func column(t *testing.T, db *sqldb.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Read().Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s.String)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

// life opens the database and does the steps until one fails; it returns what the tables held after each.
func life(t *testing.T, d *simdisk.Disk, look bool) (dumps []string, done int) {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "/simulated/meta.db", sqldb.Config{VFS: d.VFS(), Readers: 1, CacheBytes: 1 << 20})
	if err != nil {
		return nil, 0
	}
	defer db.Close() // after a crash its handles are dead
	s, err := clouddb.New(ctx, db, clouddb.Config{MasterKey: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		return nil, 0
	}
	st, next := stream(journal, "1"), stream(journal, "2")
	k := cloudsync.StreamKey{Destination: 1, Meter: "m", Kind: logdb.KindPQ, Journal: journal}
	steps := []func() error{func() error { return s.Turn(ctx, k, nil, []*cloudsync.StoredStream{st}) }}
	for i := range logdb.Position(12) {
		steps = append(steps, func() error {
			p := 1 + i*900
			d := reduce.Decision{State: reduce.State{Next: p + 900, From: p}, Counts: limit.Counts{{Window: "day", Start: 0}: int(p)}}
			d.Fates.Put(logdb.FateRange{First: p, Last: p + 899, Fate: logdb.FateStored})
			d.Changes = []reduce.Change{{Target: p, Position: p + 1}}
			return s.Decide(ctx, k, st, d, logdb.JournalHead{End: p + 899})
		})
	}
	steps = append(steps, func() error {
		st.Closed = 9000
		return s.Turn(ctx, k, []*cloudsync.StoredStream{st}, []*cloudsync.StoredStream{next})
	}, func() error {
		k.Journal = "ffffffffffffffffffffffffffffffff"
		return s.DropJournals(ctx, k)
	})
	if look {
		dumps = append(dumps, dump(t, db))
	}
	for _, step := range steps {
		if err := step(); err != nil {
			break
		}
		if done++; look {
			dumps = append(dumps, dump(t, db))
		}
	}
	return dumps, done
}

// TestCrashes has the power go at each change of the disk: decisions that were answered are there, with all that
// belongs to them, and one that was not is there whole or not at all.
func TestCrashes(t *testing.T) {
	t.Parallel()
	template := newDisk(t, 0)
	db, err := sqldb.Open(t.Context(), "/simulated/meta.db", sqldb.Config{VFS: template.VFS()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := clouddb.New(t.Context(), db, clouddb.Config{MasterKey: bytes.Repeat([]byte{1}, 32)})
	if err == nil {
		_, err = s.PutDestination(t.Context(), cloudsync.Destination{Host: "x"})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := template.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	want, all := life(t, template, true)
	for n := int64(1); ; n++ {
		d := newDisk(t, uint64(n))
		if err := d.Restore(image); err != nil {
			t.Fatal(err)
		}
		d.CrashAfter(n)
		_, done := life(t, d, false)
		if err := d.Crash(); err != nil {
			t.Fatal(err)
		}
		db, err := sqldb.Open(t.Context(), "/simulated/meta.db", sqldb.Config{VFS: d.VFS()})
		if err != nil {
			t.Fatal(err)
		}
		got := dump(t, db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if got != want[done] && (done == all || got != want[done+1]) {
			t.Errorf("the power went at change %d, after %d steps:\n%s\nwant:\n%s", n, done, got, want[done])
		}
		if done == all {
			if n < 50 {
				t.Errorf("only %d changes", n)
			}
			return
		}
	}
}

func newDisk(t *testing.T, seed uint64) *simdisk.Disk {
	t.Helper()
	d, err := simdisk.New(simdisk.Config{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
