package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
)

// reader is a connection that only reads, with the statements that it has prepared. A transaction of database/sql starts a goroutine
// for itself and for each of its queries; for queries that find a row in a few microseconds that is half of their time. Here there are none: the
// statements run without a way to cancel them, and conn looks between rows whether anybody still waits.
type reader struct {
	conn  *sql.Conn
	known map[string]stmt
}

// get prepares each query once.
func (r *reader) get(query string) (stmt, error) {
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

func (r *reader) exec(query string) error {
	st, err := r.get(query)
	if err == nil {
		_, err = st.ExecContext(context.Background())
	}
	return err
}

func (r *reader) close() error {
	r.forget()
	return r.conn.Close()
}

// forget closes the statements: after their connection they must not be touched any more.
func (r *reader) forget() {
	for _, st := range r.known {
		_ = st.Close() // it goes with its connection
	}
	clear(r.known)
}

// breakOff closes the connection for good: database/sql must not give one to others that may be within a transaction.
func (r *reader) breakOff() {
	r.forget()
	_ = r.conn.Raw(func(any) error { return driver.ErrBadConn })
}

// readers keeps connections from one read to the next.
type readers struct {
	most   int
	mu     sync.Mutex
	idle   []*reader
	closed bool
}

// take returns a connection that nobody else has.
func (p *readers) take(ctx context.Context, db *sql.DB) (*reader, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return r, nil
	}
	p.mu.Unlock()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &reader{conn: conn, known: map[string]stmt{}}, nil
}

// giveBack ends what r read, whole says: in a transaction. One that failed as err says, or does not end properly, is not used again.
func (p *readers) giveBack(r *reader, whole bool, err error) {
	if whole {
		err = errors.Join(err, r.exec("ROLLBACK")) // nothing was written
	}
	p.mu.Lock()
	if err == nil && !p.closed && len(p.idle) < p.most {
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

func (p *readers) close() error {
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
