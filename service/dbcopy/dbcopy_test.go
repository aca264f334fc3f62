package dbcopy_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/logdb/sqlite"
	"metermanager/service/check/checktest"
	"metermanager/service/dbcopy"
	"metermanager/service/metadb"
)

// content is everything that a log database holds, as text.
func content(t *testing.T, s *sqlite.Store, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	text, err := checktest.Content(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestThereAndBack: a node with data of all kinds goes into PostgreSQL and from there into files again, with everything it had.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	place := sqldbtest.Postgres(t)
	first, last := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "last")
	if err := checktest.Make(ctx, first); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(ctx, filepath.Join(first, "logs.db"), sqlite.Config{})
	want := content(t, s, err)
	files, pg := dbcopy.Side{Folder: first}, dbcopy.Side{Folder: first, Database: place}
	seen := map[string]bool{}
	there, err := dbcopy.Copy(ctx, pg, files, func(what string, done, total int64) {
		if seen[what] = true; done > total {
			t.Errorf("%s: %d of %d", what, done, total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if there.Rows == 0 || there.Meters == 0 || there.Streams == 0 || there.Days == 0 || !seen["logs"] || !seen["meta"] || !seen["compare"] {
		t.Errorf("%+v, %v", there, seen)
	}
	s, err = postgres.Open(ctx, place, filepath.Join(first, "archive"), sqlite.Config{})
	if got := content(t, s, err); got != want {
		t.Error("PostgreSQL answers otherwise")
	}
	if _, err := dbcopy.Copy(ctx, pg, files, nil); !errors.Is(err, sqldb.ErrNotEmpty) {
		t.Errorf("a second copy into the same place: %v", err)
	}
	back, err := dbcopy.Copy(ctx, dbcopy.Side{Folder: last}, pg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if back != there {
		t.Errorf("back came %+v, there went %+v", back, there)
	}
	s, err = sqlite.Open(ctx, filepath.Join(last, "logs.db"), sqlite.Config{})
	if got := content(t, s, err); got != want {
		t.Error("the files answer otherwise")
	}
}

// TestExportWhileItWorks: the files that are made of a node on PostgreSQL while rows come in are of one moment: nothing in them differs from
// what was kept apart of it, and what is in them is the beginning of the journal.
func TestExportWhileItWorks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	place, folder := sqldbtest.Postgres(t), t.TempDir()
	s, err := postgres.Open(ctx, place, filepath.Join(folder, "archive"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	meta, err := sqldb.Open(ctx, place, sqldb.Config{Part: postgres.MetaPart})
	if err != nil {
		t.Fatal(err)
	}
	defer meta.Close()
	if _, err := metadb.OpenCloud(ctx, meta); err != nil { // a cloud has no tables of a site
		t.Fatal(err)
	}
	const batches, rows = 60, 40
	add := func(n int) error {
		h := logdb.History{Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: make([][]float64, 1)}
		for i := range rows {
			h.Times, h.Columns[0] = append(h.Times, logdb.Millis(1_700_006_400_000+(n*rows+i)*60_000)), append(h.Columns[0], float64(i))
		}
		_, err := s.Append(ctx, logdb.Batch{Meter: "m", Kind: logdb.KindHistorical, Rows: []logdb.History{h}})
		return err
	}
	if err := add(0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for n := 1; n < batches; n++ {
			if err := add(n); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if running = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		exportIsSound(t, meta, s, rows)
	}
}

func exportIsSound(t *testing.T, meta *sqldb.DB, s *sqlite.Store, rows int) {
	t.Helper()
	ctx := context.Background()
	folder := filepath.Join(t.TempDir(), "export")
	files, err := dbcopy.Export(ctx, folder, meta, s.Database())
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	copied, err := sqlite.Open(ctx, filepath.Join(folder, "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	states, err := copied.Streams(ctx, "m", logdb.KindHistorical)
	if err != nil || len(states) != 1 {
		t.Fatalf("%d streams, %v", len(states), err)
	}
	a, err := copied.Audit(ctx, "m", logdb.KindHistorical, states[0].Stream)
	if err != nil || len(a.Findings) > 0 {
		t.Errorf("findings %+v, %v", a.Findings, err)
	}
	n := int64(0)
	for _, d := range a.Days {
		n += d.Data.Count
	}
	if n == 0 || n%int64(rows) != 0 {
		t.Errorf("%d values, want whole batches of %d", n, rows)
	}
}
