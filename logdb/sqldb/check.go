package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// maxComplaints bounds what a check of one table says.
const maxComplaints = "100"

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Tables lists the tables, in the order of their names.
func (db *DB) Tables(ctx context.Context) ([]string, error) { return db.tables(ctx, db.reader) }

// Check looks at every page of the file, at every row and index, and at the references between tables.
// It returns what is wrong in SQLite's words; nothing when the database is sound. Others go on writing.
// PostgreSQL sees to its files itself, and does not let a reference go astray: nothing is looked at.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	if db.pg != nil {
		return nil, nil
	}
	found, err := complaints(ctx, db.reader, "PRAGMA integrity_check("+maxComplaints+")")
	if err != nil || len(found) > 0 {
		return found, err
	}
	return db.CheckReferences(ctx)
}

// CheckReferences looks at the references between tables.
func (db *DB) CheckReferences(ctx context.Context) (found []string, err error) {
	rows, err := db.reader.QueryContext(ctx, "SELECT \"table\", count(*), parent FROM pragma_foreign_key_check GROUP BY \"table\", parent")
	if err != nil {
		return damaged(fmt.Errorf("check the references: %w", Named(err)))
	}
	defer rows.Close()
	for rows.Next() {
		var table, parent string
		var n int64
		if err := rows.Scan(&table, &n, &parent); err != nil {
			return nil, fmt.Errorf("check the references: %w", err)
		}
		found = append(found, fmt.Sprintf("%d rows of %s refer to rows of %s that are not there", n, table, parent))
	}
	return found, rows.Err()
}

// CheckTable looks at the pages, rows and indexes of one table, which takes less time at once than Check.
func (db *DB) CheckTable(ctx context.Context, table string) ([]string, error) {
	if db.pg != nil {
		return nil, nil
	}
	return complaints(ctx, db.reader, "PRAGMA integrity_check("+quoted(table)+")")
}

// complaints runs a check. That the file is too damaged to be checked is something it found.
func complaints(ctx context.Context, q querier, query string) (found []string, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return damaged(fmt.Errorf("check the database: %w", Named(err)))
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("check the database: %w", err)
		}
		if text != "ok" {
			found = append(found, strings.TrimPrefix(text, "*** in database main ***\n"))
		}
	}
	if err := rows.Err(); err != nil {
		return damaged(fmt.Errorf("check the database: %w", Named(err)))
	}
	return found, nil
}

// damaged takes an error that says that the file is damaged for a finding.
func damaged(err error) ([]string, error) {
	if errors.Is(err, ErrDamaged) {
		return []string{err.Error()}, nil
	}
	return nil, err
}

// Counts returns the number of rows of every table.
func (db *DB) Counts(ctx context.Context) (out map[string]int64, err error) {
	err = db.Snapshot(ctx, func(tx *sql.Tx) error {
		out, err = db.counts(ctx, tx)
		return err
	})
	return out, err
}

// Versions returns the newest migration of every owner; none of a database without any.
func (db *DB) Versions(ctx context.Context) (out map[string]int, err error) {
	err = db.Snapshot(ctx, func(tx *sql.Tx) error {
		out, err = db.versions(ctx, tx)
		return err
	})
	return out, err
}

func (db *DB) tables(ctx context.Context, q querier) (out []string, err error) {
	list := "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
	if db.pg != nil {
		list = listPostgresTables
	}
	rows, err := q.QueryContext(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", Named(err))
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list the tables: %w", err)
		}
		out = append(out, name)
	}
	return out, Named(rows.Err())
}

func (db *DB) counts(ctx context.Context, tx *sql.Tx) (map[string]int64, error) {
	names, err := db.tables(ctx, tx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(names))
	for _, name := range names {
		var n int64
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+quoted(name)).Scan(&n); err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", name, Named(err))
		}
		out[name] = n
	}
	return out, nil
}

func (db *DB) versions(ctx context.Context, q querier) (map[string]int, error) {
	names, err := db.tables(ctx, q)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, name := range names {
		if name != "migration" {
			continue
		}
		rows, err := q.QueryContext(ctx, "SELECT owner, max(version) FROM migration GROUP BY owner")
		if err != nil {
			return nil, fmt.Errorf("read the versions: %w", Named(err))
		}
		defer rows.Close()
		for rows.Next() {
			var owner string
			var version int
			if err := rows.Scan(&owner, &version); err != nil {
				return nil, fmt.Errorf("read the versions: %w", err)
			}
			out[owner] = version
		}
		return out, Named(rows.Err())
	}
	return out, nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
