package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotEmpty marks a database that holds rows already.
var ErrNotEmpty = errors.New("the database is not empty")

// housekeeping are tables that every database fills itself.
var housekeeping = map[string]bool{"migration": true, "writer": true, "sqlite_sequence": true}

// CopyRows copies the rows of all tables of a database into another one whose tables were made by the same migrations (others there stay empty) and are empty, in one
// transaction there and from one state here. progress is told how many rows of how many are done; it may be nil.
func CopyRows(ctx context.Context, to, from *DB, progress func(done, total int64)) error {
	return from.Snapshot(ctx, func(src *sql.Tx) error { return copyRows(ctx, to, from, src, progress) })
}

// copyRows copies what src sees of from.
func copyRows(ctx context.Context, to, from *DB, src *sql.Tx, progress func(done, total int64)) error {
	counts, err := from.counts(ctx, src)
	if err != nil {
		return err
	}
	there, err := to.Counts(ctx)
	if err != nil {
		return err
	}
	var total int64
	for name, n := range counts {
		if housekeeping[name] {
			continue
		}
		if _, ok := there[name]; !ok {
			return fmt.Errorf("%w: there is no table %s in %s", ErrOlder, name, to.Path())
		}
		if there[name] > 0 {
			return fmt.Errorf("%w: %s has %d rows of %s", ErrNotEmpty, to.Path(), there[name], name)
		}
		total += n
	}
	tables, err := from.creationOrder(ctx, to)
	if err != nil {
		return err
	}
	// A node without some part has no tables of it.
	tables = slices.DeleteFunc(tables, func(name string) bool { _, ok := counts[name]; return !ok })
	c := &copier{from: from, total: total, progress: progress}
	return to.Write(ctx, func(dst *sql.Tx) error {
		c.done = 0 // it may run a second time, on a new connection
		for _, table := range tables {
			if err := c.table(ctx, dst, src, table); err != nil {
				return fmt.Errorf("copy %s: %w", table, err)
			}
		}
		return to.renumber(ctx, dst, tables)
	})
}

// creationOrder lists the tables so that what others refer to comes first: in the order in which a SQLite file has them.
func (db *DB) creationOrder(ctx context.Context, other *DB) ([]string, error) {
	file := db
	if file.pg != nil {
		file = other
	}
	if file.pg != nil {
		return nil, errors.New("one of the two databases must be a SQLite file")
	}
	rows, err := file.reader.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", Named(err))
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list the tables: %w", err)
		}
		if !housekeeping[name] {
			out = append(out, name)
		}
	}
	return out, Named(rows.Err())
}

type copier struct {
	from        *DB
	done, total int64
	progress    func(done, total int64)
}

func (c *copier) table(ctx context.Context, dst, src *sql.Tx, table string) error {
	rows, err := src.QueryContext(ctx, "SELECT * FROM "+quoted(table))
	if err != nil {
		return Named(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	names, marks := make([]string, len(columns)), make([]string, len(columns))
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i, name := range columns {
		names[i], marks[i], into[i] = quoted(name), "?", &values[i]
	}
	insert, err := dst.PrepareContext(ctx, "INSERT INTO "+quoted(table)+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		return Named(err)
	}
	defer func() { _ = insert.Close() }()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok && b == nil { // an empty blob, not NULL
				values[i] = []byte{}
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return Named(err)
		}
		if c.done++; c.progress != nil && c.done%1000 == 0 {
			c.progress(c.done, c.total)
		}
	}
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return Named(rows.Err())
}

// renumber lets keys that number themselves go on behind the highest.
func (db *DB) renumber(ctx context.Context, tx *sql.Tx, tables []string) error {
	if db.pg == nil {
		return nil // SQLite takes the highest plus one by itself
	}
	for _, table := range tables {
		var column string
		err := tx.QueryRowContext(ctx, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = ? AND is_identity = 'YES'`, table).Scan(&column)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return fmt.Errorf("find the key of %s: %w", table, Named(err))
		}
		var next int64
		if err := tx.QueryRowContext(ctx, "SELECT setval(pg_get_serial_sequence(?, ?), (SELECT coalesce(max("+quoted(column)+"), 0) + 1 FROM "+quoted(table)+"), false)",
			quoted(table), column).Scan(&next); err != nil {
			return fmt.Errorf("number the key of %s: %w", table, Named(err))
		}
	}
	return nil
}
