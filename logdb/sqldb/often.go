package sqldb

import (
	"context"
	"database/sql"
	"sync"
)

// mostOften bounds the statements that ReadRow keeps.
const mostOften = 200

// often keeps statements that are asked again and again: a small query takes longer to be understood than to be answered.
type often struct {
	mu    sync.Mutex
	known map[string]*sql.Stmt
}

// ReadRow is QueryRowContext of Read for a query of which each row is found by a key, and whose text is one of few: it is
// prepared once. Nothing of what it answers is kept. (PostgreSQL's connections keep all statements.)
func (db *DB) ReadRow(ctx context.Context, query string, args ...any) *sql.Row {
	st := db.prepared(ctx, query)
	if st == nil {
		return db.reader.QueryRowContext(ctx, query, args...)
	}
	if ctx.Err() == nil {
		// In a file it takes microseconds, less than what it costs to be ready to stop it.
		ctx = context.WithoutCancel(ctx)
	}
	return st.QueryRowContext(ctx, args...)
}

// prepared returns the statement of a query; nil when it has to be asked without, which tells why.
func (db *DB) prepared(ctx context.Context, query string) *sql.Stmt {
	if db.pg != nil {
		return nil
	}
	db.often.mu.Lock()
	defer db.often.mu.Unlock()
	if st := db.often.known[query]; st != nil || len(db.often.known) >= mostOften {
		return st
	}
	st, err := db.reader.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	if db.often.known == nil {
		db.often.known = map[string]*sql.Stmt{}
	}
	db.often.known[query] = st
	return st
}
