package sqldb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"metermanager/logdb/sqldb"
)

func keptDB(t *testing.T) (*sqldb.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := sqldb.Open(t.Context(), path, sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	change(t, db, `CREATE TABLE k (id INTEGER PRIMARY KEY, name TEXT, data BLOB, real REAL)`)
	return db, path
}

func change(t *testing.T, db *sqldb.DB, query string, args ...any) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadRowSeesEveryCommit reads the same row before and after it is changed, by the same process and by another connection
// to the file: each read finds what was committed last, also when it found nothing before.
func TestReadRowSeesEveryCommit(t *testing.T) {
	t.Parallel()
	db, path := keptDB(t)
	other, err := sqldb.Open(t.Context(), path, sqldb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	read := func() string {
		t.Helper()
		var name string
		err := db.ReadRow(t.Context(), `SELECT name FROM k WHERE id = ?`, int64(1)).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return "none"
		}
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	want := func(name string) {
		t.Helper()
		for range 3 {
			if got := read(); got != name {
				t.Fatalf("read %q, committed was %q", got, name)
			}
		}
	}
	want("none")
	change(t, db, `INSERT INTO k (id, name) VALUES (1, 'a')`)
	want("a")
	for i := range 20 {
		name := fmt.Sprint("by ", i)
		change(t, []*sqldb.DB{db, other}[i%2], `UPDATE k SET name = ? WHERE id = 1`, name)
		want(name)
	}
	errUndo := errors.New("undo")
	err = db.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`UPDATE k SET name = 'not committed'`); err != nil {
			return err
		}
		want("by 19")
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Fatal(err)
	}
	want("by 19")
	change(t, other, `DELETE FROM k`)
	want("none")
}

// TestReadRowAsksForWhatIsAsked tells apart questions that look alike.
func TestReadRowAsksForWhatIsAsked(t *testing.T) {
	t.Parallel()
	db, _ := keptDB(t)
	change(t, db, `INSERT INTO k (id, name) VALUES (1, '1'), (2, 'i1'), (3, ''), (4, 's0:')`)
	for range 2 {
		for _, q := range []struct {
			where string
			args  []any
			want  int64
		}{
			{`name = ?`, []any{"1"}, 1}, {`id = ?`, []any{int64(1)}, 1}, {`name = ?`, []any{"i1"}, 2}, {`name = ?`, []any{""}, 3}, {`name = ?`, []any{"s0:"}, 4},
			{`id = @a AND id <> @b`, []any{sql.Named("a", int64(1)), sql.Named("b", int64(2))}, 1},
			{`id = @a AND id <> @b`, []any{sql.Named("b", int64(1)), sql.Named("a", int64(2))}, 2},
		} {
			var id int64
			if err := db.ReadRow(t.Context(), `SELECT id FROM k WHERE `+q.where, q.args...).Scan(&id); err != nil || id != q.want {
				t.Errorf("%s %v: %d %v, want %d", q.where, q.args, id, err, q.want)
			}
		}
	}
}

// TestReadRowBesideWrites has readers and a writer at the same time: no read finds something older than what was committed before it began.
func TestReadRowBesideWrites(t *testing.T) {
	t.Parallel()
	db, _ := keptDB(t)
	change(t, db, `INSERT INTO k (id) VALUES (0)`)
	var mu sync.Mutex
	committed := int64(0)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				mu.Lock()
				least := committed
				mu.Unlock()
				var got int64
				if err := db.ReadRow(context.Background(), `SELECT max(id) FROM k`).Scan(&got); err != nil || got < least {
					t.Errorf("read %d (%v) after %d was committed", got, err, least)
				}
			}
		})
	}
	for i := range int64(60) {
		change(t, db, `INSERT INTO k (id) VALUES (?)`, i+1)
		mu.Lock()
		committed = i + 1
		mu.Unlock()
	}
	all.Wait()
}

type (
	number  int64
	small   uint8
	text    string
	flag    bool
	content []byte
)

// TestKeptRowScansAsSQL scans every kind of value into every kind of place, from a row that may be kept and from one of database/sql.
func TestKeptRowScansAsSQL(t *testing.T) {
	t.Parallel()
	db, _ := keptDB(t)
	places := []func() any{
		func() any { return new(int64) }, func() any { return new(number) }, func() any { return new(small) }, func() any { return new(bool) },
		func() any { return new(flag) }, func() any { return new(sql.Null[number]) }, func() any { return new(uint64) }, func() any { return new(int) },
		func() any { return new(string) }, func() any { return new(text) }, func() any { return new([]byte) }, func() any { return new(content) },
		func() any { return new(sql.Null[text]) }, func() any { return new(float64) },
	}
	const query = `SELECT %s WHERE ? = 1`
	scanned := 0
	for _, value := range []string{"0", "1", "-1", "200", "300", "9223372036854775807", "'text'", "''", "x'00ff'", "1.5", "NULL"} {
		for _, place := range places {
			q := fmt.Sprintf(query, value)
			theirs, ours := place(), place()
			wantErr := db.Read().QueryRowContext(t.Context(), q, int64(1)).Scan(theirs)
			for range 2 { // as found, and as kept
				gotErr := db.ReadRow(t.Context(), q, int64(1)).Scan(ours)
				// What database/sql turns into something of another kind, such as a number into text, nobody needs here: an error is right.
				if gotErr != nil && wantErr == nil && !sameKind(value, ours) {
					continue
				}
				if (gotErr == nil) != (wantErr == nil) || gotErr == nil && !reflect.DeepEqual(ours, theirs) {
					t.Errorf("%s into %T: %v %v, database/sql says %v %v", value, ours, reflect.ValueOf(ours).Elem(), gotErr, reflect.ValueOf(theirs).Elem(), wantErr)
				}
				if gotErr == nil {
					scanned++
				}
			}
		}
	}
	if scanned < 80 {
		t.Errorf("only %d were scanned", scanned)
	}
}

// sameKind reports whether a value of SQL is of the kind of a place, so that it must be taken.
func sameKind(value string, place any) bool {
	kind := reflect.TypeOf(place).Elem().Kind()
	switch {
	case value == "NULL":
		return kind == reflect.Struct || kind == reflect.Slice
	case strings.HasPrefix(value, "'"):
		return kind == reflect.String
	case strings.HasPrefix(value, "x'"):
		return kind == reflect.Slice
	case value == "1.5":
		return kind == reflect.Float64
	}
	return kind == reflect.Int64
}

// TestKeptBytesAreTheCallers: who changes bytes that were read changes nothing that is kept.
func TestKeptBytesAreTheCallers(t *testing.T) {
	t.Parallel()
	db, _ := keptDB(t)
	change(t, db, `INSERT INTO k (id, data) VALUES (1, x'0102')`)
	for range 3 {
		var data []byte
		if err := db.ReadRow(t.Context(), `SELECT data FROM k WHERE id = 1`).Scan(&data); err != nil || !bytes.Equal(data, []byte{1, 2}) {
			t.Fatalf("%x %v", data, err)
		}
		data[0] = 9
	}
}
