package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Reader is a connection to a file that only reads, with the statements that it has prepared. One goroutine uses it at a time. A transaction of
// database/sql starts a goroutine for itself and for each of its queries; for queries that find a row in a few microseconds that is half of their time.
// Here there are none: the statements run without a way to cancel them.
type Reader struct {
	conn  *sql.Conn
	known map[string]*sql.Stmt
	raw   map[string]driver.Stmt // used, and closed, within conn.Raw only
	kept  kept
}

// Stmt prepares each query once.
func (r *Reader) Stmt(query string) (*sql.Stmt, error) {
	if st, ok := r.known[query]; ok {
		return st, nil
	}
	st, err := r.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	r.known[query] = st
	return st, nil
}

// direct has f use a statement that each read makes, as the driver knows it: what database/sql does around it would take longer than the statement.
func (r *Reader) direct(query string, f func(driver.Stmt) error) error {
	return r.conn.Raw(func(c any) error {
		st := r.raw[query]
		if st == nil {
			var err error
			if st, err = c.(driver.Conn).Prepare(query); err != nil {
				return fmt.Errorf("prepare %q: %w", query, err)
			}
			r.raw[query] = st
		}
		return f(st)
	})
}

func (r *Reader) exec(query string) error {
	return r.direct(query, func(st driver.Stmt) error {
		_, err := st.(driver.StmtExecContext).ExecContext(context.Background(), nil)
		return err
	})
}

// Direct visits the rows of a query as the driver gives them, for one of many small rows, whose way through database/sql would take longer than reading them.
// What visit gets holds during the visit only; visit must not use the reader.
func (r *Reader) Direct(visit func([]driver.Value) error, query string, args ...int64) error {
	return r.direct(query, func(st driver.Stmt) error {
		named := make([]driver.NamedValue, len(args))
		for i, a := range args {
			named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
		}
		rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), named)
		if err != nil {
			return err
		}
		row := make([]driver.Value, len(rows.Columns()))
		for err == nil {
			if err = rows.Next(row); err == nil {
				err = visit(row)
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return errors.Join(err, rows.Close())
	})
}

// Begin begins a transaction, which sees one state of the database. It ends when the reader is given back.
func (r *Reader) Begin() error {
	err := r.exec("BEGIN")
	if err == nil {
		err = r.look() // the first that the transaction reads, so it is of the state that the transaction sees
	}
	return err
}

func (r *Reader) close() error {
	r.forget()
	return r.conn.Close()
}

// forget closes the statements: after their connection they must not be touched any more.
func (r *Reader) forget() {
	for _, st := range r.known {
		_ = st.Close() // it goes with its connection
	}
	clear(r.known)
	_ = r.conn.Raw(func(any) error {
		for _, st := range r.raw {
			_ = st.Close()
		}
		return nil
	})
	clear(r.raw)
}

// breakOff closes the connection for good: database/sql must not give one to others that may be within a transaction.
func (r *Reader) breakOff() {
	r.forget()
	_ = r.conn.Raw(func(any) error { return driver.ErrBadConn })
}

// Readers keeps connections from one read to the next: at most Most of them.
type Readers struct {
	Most   int
	mu     sync.Mutex
	idle   []*Reader
	closed bool
}

// Take returns a connection of db that nobody else has. Whoever took it gives it back.
func (p *Readers) Take(ctx context.Context, db *DB) (*Reader, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return r, nil
	}
	p.mu.Unlock()
	conn, err := db.reader.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &Reader{conn: conn, known: map[string]*sql.Stmt{}, raw: map[string]driver.Stmt{}}, nil
}

// GiveBack ends what r read, whole says: in a transaction. One that failed as err says, or does not end properly, is not used again.
func (p *Readers) GiveBack(r *Reader, whole bool, err error) {
	r.kept.sure = false
	if whole {
		err = errors.Join(err, r.exec("ROLLBACK")) // nothing was written
	}
	p.mu.Lock()
	if err == nil && !p.closed && len(p.idle) < p.Most {
		p.idle = append(p.idle, r)
		r = nil
	}
	p.mu.Unlock()
	if r == nil {
		return
	}
	if err != nil {
		r.breakOff()
	}
	_ = r.close()
}

// Close closes the connections that wait; the others are closed when they are given back.
func (p *Readers) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var err error
	for _, r := range p.idle {
		err = errors.Join(err, r.close())
	}
	p.idle = nil
	return err
}
