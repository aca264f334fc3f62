package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// How many rows are asked for at once: first few, since many readers want only the first.
const (
	firstRows = 32
	moreRows  = 256
)

func (c *pgConn) query(ctx context.Context, q *pgQuery, args []driver.NamedValue) (driver.Rows, error) {
	r := &pgRows{c: c, ctx: ctx}
	limit := uint32(0)
	if c.inTx { // outside of a transaction a portal ends with its statement
		c.named++
		r.portal = "p" + strconv.Itoa(c.named)
		limit = firstRows
	}
	p, err := c.send(ctx, q, args, r.portal, limit)
	if err == nil {
		r.p = p
		err = r.fetch()
	}
	if err != nil && !c.inTx && c.closed() && ctx.Err() == nil {
		return nil, driver.ErrBadConn // a statement by itself that only reads: database/sql tries another connection
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// pgRows is the answer of a query, a part of it in memory.
type pgRows struct {
	c      *pgConn
	ctx    context.Context // of the query, which is why it may stand here
	p      *pgPrepared
	portal string
	more   bool   // the portal has more
	data   []byte // the values of the part, one after the other
	ends   []int  // where each ends in data; -1: NULL
	next   int    // in ends
	start  int    // in data
}

func (r *pgRows) Columns() []string { return r.p.columns }

// Next implements driver.Rows. Blobs stay as they are until it is called again.
func (r *pgRows) Next(dest []driver.Value) error {
	if r.next >= len(r.ends) {
		if !r.more {
			return io.EOF
		}
		f := r.c.conn.Frontend()
		f.SendExecute(&pgproto3.Execute{Portal: r.portal, MaxRows: moreRows})
		f.SendSync(&pgproto3.Sync{})
		if err := r.fetch(); err != nil {
			return err
		}
		if len(r.ends) == 0 {
			return io.EOF
		}
	}
	for i := range dest {
		var value []byte
		if end := r.ends[r.next]; end >= 0 {
			value = r.data[r.start:end:end]
			r.start = end
		}
		r.next++
		var err error
		if dest[i], err = decodeValue(value, r.p.types[i]); err != nil {
			return fmt.Errorf("column %s: %w", r.p.columns[i], err)
		}
	}
	return nil
}

// fetch reads the rows that were asked for.
func (r *pgRows) fetch() error {
	r.data, r.ends, r.next, r.start, r.more = r.data[:0], r.ends[:0], 0, 0, false
	defer r.c.watch(r.ctx)()
	if err := r.c.flush(r.ctx); err != nil {
		return err
	}
	before := r.c.answers(r.ctx)
	if r.c.closed() {
		return before
	}
	a, err := r.c.receive(r.ctx, func(row *pgproto3.DataRow) {
		for _, v := range row.Values {
			if v == nil {
				r.ends = append(r.ends, -1)
				continue
			}
			r.data = append(r.data, v...)
			r.ends = append(r.ends, len(r.data))
		}
	})
	if before != nil {
		return before // the query could not run after it
	}
	r.more = a.suspended
	return err
}

// Close lets the portal go with the next statement.
func (r *pgRows) Close() error {
	if r.portal != "" && !r.c.closed() {
		r.c.conn.Frontend().SendClose(&pgproto3.Close{ObjectType: 'P', Name: r.portal})
		r.portal, r.more = "", false
	}
	return nil
}

// pgAnswer is what a server says of one statement.
type pgAnswer struct {
	tag       string
	suspended bool // there are more rows
	params    []uint32
	columns   []string
	types     []uint32
}

// rows is how many rows the statement changed.
func (a *pgAnswer) rows() int64 {
	n, _ := strconv.ParseInt(a.tag[strings.LastIndexByte(a.tag, ' ')+1:], 10, 64)
	return n
}

// receive reads the server's messages until it is ready for the next statement.
func (c *pgConn) receive(ctx context.Context, row func(*pgproto3.DataRow)) (a pgAnswer, err error) {
	for {
		m, broken := c.conn.ReceiveMessage(context.Background()) // watch ends it with ctx
		if broken != nil {
			return a, c.lost(ctx, errors.Join(err, broken))
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			if row != nil {
				row(m)
			}
		case *pgproto3.CommandComplete:
			a.tag = string(m.CommandTag)
		case *pgproto3.PortalSuspended:
			a.suspended = true
		case *pgproto3.ParameterDescription:
			a.params = append([]uint32{}, m.ParameterOIDs...)
		case *pgproto3.RowDescription:
			for _, f := range m.Fields {
				a.columns = append(a.columns, string(f.Name))
				a.types = append(a.types, f.DataTypeOID)
			}
		case *pgproto3.ErrorResponse:
			if err == nil {
				err = pgconn.ErrorResponseToPgError(m)
			}
		case *pgproto3.ReadyForQuery:
			return a, err
		}
	}
}

func (c *pgConn) flush(ctx context.Context) error {
	if c.closed() {
		return c.lost(ctx, pgconn.ErrConnClosed)
	}
	if err := c.conn.Frontend().Flush(); err != nil {
		return c.lost(ctx, err)
	}
	return nil
}

// watch makes what waits for the server fail when ctx ends, until the returned function is called.
func (c *pgConn) watch(ctx context.Context) func() {
	if ctx.Done() == nil {
		return func() {}
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.Conn().SetDeadline(time.Unix(1, 0))
		close(fired)
	})
	return func() {
		if !stop() {
			<-fired
			_ = c.conn.Conn().SetDeadline(time.Time{})
		}
	}
}

// lost gives the connection up: what the server does with it is not known any more.
func (c *pgConn) lost(ctx context.Context, err error) error {
	if !c.broken {
		c.broken = true
		_ = c.conn.Conn().Close()
		if ctx.Err() != nil { // let the server stop what nobody waits for
			conn := c.conn
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				_ = conn.CancelRequest(ctx)
			}()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
