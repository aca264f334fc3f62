package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
	"metermanager/logdb/sqldb"
)

type stmt = *sql.Stmt

// statements prepares each query once.
type statements struct {
	prepare func(query string) (stmt, error)
	mu      sync.Mutex
	known   map[string]stmt
}

func (s *statements) get(query string) (stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.known[query]; ok {
		return st, nil
	}
	if s.prepare == nil {
		return nil, nil
	}
	st, err := s.prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	if s.known == nil {
		s.known = map[string]stmt{}
	}
	s.known[query] = st
	return st, nil
}

// conn is one transaction, reading or writing, with what loading data needs.
type conn struct {
	ctx        context.Context // of the transaction, which is why it may stand here
	tx         *sql.Tx         // nil: a reader, or one query, which needs none
	reader     *sqldb.Reader   // of the transaction, nil: tx
	asked      context.Context // with a reader: of who waits for the answer
	codec      *chunk.Codec
	files      *archiveFiles
	statements *statements
	open       map[string]stmt
}

func (c *conn) stmt(query string) (stmt, error) {
	if c.reader != nil {
		if err := c.ended(); err != nil {
			return nil, err
		}
		return c.reader.Stmt(query)
	}
	if st, ok := c.open[query]; ok {
		return st, nil
	}
	st, err := c.statements.get(query)
	if err != nil || st == nil || c.tx == nil {
		return st, err
	}
	st = c.tx.StmtContext(c.ctx, st)
	if c.open == nil {
		c.open = map[string]stmt{}
	}
	c.open[query] = st
	return st, nil
}

// ended says why nobody waits for the answer any more.
func (c *conn) ended() error {
	if c.asked != nil {
		return c.asked.Err()
	}
	return c.ctx.Err()
}

func (c *conn) close() {
	for _, st := range c.open {
		_ = st.Close() // the prepared one behind it stays
	}
	c.open = nil
}

func (c *conn) exec(query string, args ...any) (sql.Result, error) {
	st, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return c.tx.ExecContext(c.ctx, query, args...)
	}
	return st.ExecContext(c.ctx, args...)
}

func (c *conn) query(query string, args ...any) (*sql.Rows, error) {
	st, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return c.tx.QueryContext(c.ctx, query, args...)
	}
	return st.QueryContext(c.ctx, args...)
}

// each runs a query and calls visit for every row; the rows are closed when it returns.
func (c *conn) each(visit func(*sql.Rows) error, query string, args ...any) error {
	rows, err := c.query(query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := c.ended(); err != nil {
			return err
		}
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// eachKept is each for a query with a small answer about what rarely changes, which most reads ask: a reader keeps the answer for as long as nobody
// has committed anything. visit must not change bytes that it gets as sql.RawBytes.
func (c *conn) eachKept(visit func(sqldb.Row) error, query string, args ...any) error {
	if c.reader == nil {
		return c.each(func(rows *sql.Rows) error { return visit(rows) }, query, args...)
	}
	if err := c.ended(); err != nil {
		return err
	}
	return c.reader.Each(visit, query, args...)
}

// oneKept is one for such a query.
func (c *conn) oneKept(dest []any, query string, args ...any) (found bool, err error) {
	err = c.eachKept(func(row sqldb.Row) error {
		found = true
		return row.Scan(dest...)
	}, query, args...)
	return found, err
}

// one scans the only row of a query into dest; false when there is none.
func (c *conn) one(dest []any, query string, args ...any) (bool, error) {
	st, err := c.stmt(query)
	if err != nil {
		return false, err
	}
	var row *sql.Row
	if st == nil {
		row = c.tx.QueryRowContext(c.ctx, query, args...)
	} else {
		row = st.QueryRowContext(c.ctx, args...)
	}
	switch err := row.Scan(dest...); {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// checked returns data when its checksum is crc.
func checked(data []byte, crc int64) error {
	if got := chunk.Checksum(data); int64(got) != crc {
		return fmt.Errorf("%w: checksum %08x, want %08x", chunk.ErrDamaged, got, crc)
	}
	return nil
}

const findMeter = `SELECT id FROM meter WHERE uid = ?`

// meterID returns the number of a meter, 0 when it is not known.
func (c *conn) meterID(uid logdb.MeterUID) (id int64, err error) {
	_, err = c.oneKept([]any{&id}, findMeter, string(uid))
	return id, err
}

const findStream = `SELECT id FROM stream WHERE meter = ? AND kind = ? AND journal = ? AND policy = ?`

// streamID returns the number of a stream; ErrNotFound.
func (c *conn) streamID(uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID) (meter, id int64, err error) {
	if meter, err = c.meterID(uid); err != nil {
		return 0, 0, err
	}
	ok, err := c.oneKept([]any{&id}, findStream, meter, kind, string(ref.Journal), ref.Policy)
	if err != nil {
		return 0, 0, err
	}
	if !ok {
		return 0, 0, logdb.ErrNotFound
	}
	return meter, id, nil
}
