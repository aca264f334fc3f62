package sqlite_test

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
)

// wanderingDays stores days of one value a minute; doubles says that they are no decimal numbers, of which a tier takes much more room.
func wanderingDays(t *testing.T, s *sqlite.Store, days int, doubles bool) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	v := 1200.0
	for d := range days {
		p := page("m", logdb.Position(d*1440+1), logdb.Position(d*1440+1440), volts)
		for i := range p.Rows[0].Columns[0] {
			v += float64(rng.IntN(7) - 3)
			p.Rows[0].Columns[0][i] = v / 10
			if doubles {
				p.Rows[0].Columns[0][i] = rng.Float64()
			}
		}
		accept(t, s, p)
	}
	if err := s.Compact(ctx, "m"); err != nil {
		t.Fatal(err)
	}
}

// bucketsOf reads the hours of all that a meter holds.
func bucketsOf(t *testing.T, s *sqlite.Store) (out []logdb.Bucket) {
	t.Helper()
	list, err := s.Series(ctx, "m")
	if err != nil {
		t.Fatal(err)
	}
	var edges []logdb.Millis
	for at := day0; at <= day0+40*logdb.DayMillis; at += 60 * minute {
		edges = append(edges, at)
	}
	err = s.ReadBuckets(ctx, []logdb.SeriesID{list[0].ID}, edges, func(_ logdb.SeriesID, b []logdb.Bucket) error {
		out = append(out, b...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTierInPieces: the tier is stored in pieces and read as one; one that an older version stored whole is cut when the database is opened.
func TestTierInPieces(t *testing.T) {
	t.Parallel()
	for name, doubles := range map[string]bool{"pieces": false, "whole": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir)
			wanderingDays(t, s, 40, doubles)
			want := bucketsOf(t, s)
			if n := found(t, s); n != 0 {
				t.Fatalf("an audit finds %d", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			const rows = "SELECT id, length(data) FROM roll ORDER BY id"
			before := ask(t, dir, rows)
			small := ask(t, dir, "SELECT max(length(data)) <= 990, max(length(data)) > 7920 FROM roll")[0]
			if want := map[bool]string{false: "1:0", true: "0:1"}[doubles]; small != want || len(before) < 6 {
				t.Fatalf("the rows are %v", before)
			}
			asVersion8(t, dir)
			if whole := ask(t, dir, rows); len(whole) != 3 {
				t.Fatalf("the rows of the older version are %v", whole)
			}
			s = openStore(t, dir)
			if got := ask(t, dir, rows); !reflect.DeepEqual(got, before) {
				t.Errorf("after the migration the rows are %v, want %v", got, before)
			}
			if n := found(t, s); n != 0 {
				t.Errorf("after the migration an audit finds %d", n)
			}
			if got := bucketsOf(t, s); !reflect.DeepEqual(got, want) {
				t.Error("after the migration buckets differ")
			}
			// A tier that shrinks leaves no piece behind.
			if _, err := s.Forget(ctx, "m", logdb.KindHistorical, stream, day0, day0+27*logdb.DayMillis); err != nil {
				t.Fatal(err)
			}
			if n := found(t, s); n != 0 {
				t.Errorf("after values were forgotten an audit finds %d", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// asVersion8 makes the tier of a closed store what version 8 of the schema wrote: one row a cell.
func asVersion8(t *testing.T, dir string) {
	t.Helper()
	db, err := sqldb.Open(ctx, filepath.Join(dir, "logs.db"), sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{
			// The pieces of a cell follow each other. Concatenation makes text of them, hence the cast.
			`CREATE TABLE one AS SELECT c.id AS id, c.crc AS crc, CAST((SELECT group_concat(data, '') FROM (SELECT data FROM roll p WHERE p.id BETWEEN c.id AND c.id + 27 ORDER BY p.id)) AS BLOB) AS data
				FROM roll c WHERE (c.id & 16777215) % 28 = 0`,
			`DELETE FROM roll`, `INSERT INTO roll SELECT id, crc, data FROM one`, `DROP TABLE one`, `DELETE FROM migration WHERE owner = 'logdb' AND version = 9`,
		} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
