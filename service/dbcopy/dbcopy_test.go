package dbcopy_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqldb/sqldbtest"
	"metermanager/logdb/sqlite"
	"metermanager/service/check/checktest"
	"metermanager/service/dbcopy"
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
