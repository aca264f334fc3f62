package sqldb

import (
	"context"
	"database/sql"
)

// ReadRow is QueryRowContext of Read for a small query of which each row is found by a key, and whose text is one of few: it is prepared once. Who may see
// what is decided by such rows, so each use asks SQLite whether anything was committed since the row was read (see kept): if so, it is read anew.
// (PostgreSQL's connections keep all statements, and nothing else.)
func (db *DB) ReadRow(ctx context.Context, query string, args ...any) Row {
	if db.pg != nil {
		return db.reader.QueryRowContext(ctx, query, args...)
	}
	row, err := db.readRow(ctx, query, args)
	if err != nil {
		return noRow{err}
	}
	return row
}

func (db *DB) readRow(ctx context.Context, query string, args []any) (row Row, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := db.often.Take(ctx, db)
	if err != nil {
		return nil, err
	}
	defer func() { db.often.GiveBack(r, false, err) }()
	// In a file it takes microseconds, less than what it costs to be ready to stop it. There is no transaction around both: what is committed between them
	// is read, and the next look forgets it.
	if err := r.look(); err != nil {
		return nil, err
	}
	row = noRow{sql.ErrNoRows}
	err = r.Each(func(found Row) error {
		row = found
		return nil
	}, query, args...)
	return row, err
}

// noRow tells at Scan why there is no row, as sql.Row does.
type noRow struct{ err error }

func (n noRow) Scan(...any) error { return n.err }
