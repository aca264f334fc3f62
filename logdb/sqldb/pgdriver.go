package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pgConnector makes connections to a PostgreSQL server that database/sql can use. They take SQLite's parameters and
// give its types of values, and a statement may run while the rows of another are read: the rows come from a portal, a part
// at a time.
type pgConnector struct {
	config *pgconn.Config
	// begin is what begins a transaction; its row, if it has one, goes to began. committed is called when one is over.
	begin     string
	began     func(row [][]byte) error
	committed func()
	// late says that an error of a statement without rows may be told by a later one or by the commit, so that
	// not every statement waits for the server.
	late bool
	// patience is how long a server that cannot be reached is tried again.
	patience time.Duration

	mu      sync.Mutex
	queries map[string]*pgQuery
}

var (
	_ driver.Connector          = (*pgConnector)(nil)
	_ driver.Conn               = (*pgConn)(nil)
	_ driver.ConnBeginTx        = (*pgConn)(nil)
	_ driver.ConnPrepareContext = (*pgConn)(nil)
	_ driver.ExecerContext      = (*pgConn)(nil)
	_ driver.QueryerContext     = (*pgConn)(nil)
	_ driver.NamedValueChecker  = (*pgConn)(nil)
	_ driver.SessionResetter    = (*pgConn)(nil)
	_ driver.Validator          = (*pgConn)(nil)
	_ driver.StmtExecContext    = (*pgStmt)(nil)
	_ driver.StmtQueryContext   = (*pgStmt)(nil)
)

// maxTranslated bounds the translated statements that are kept; there are few hundred different ones.
const maxTranslated = 2000

func (k *pgConnector) translated(query string) *pgQuery {
	k.mu.Lock()
	defer k.mu.Unlock()
	q := k.queries[query]
	if q == nil {
		if k.queries == nil || len(k.queries) >= maxTranslated {
			k.queries = map[string]*pgQuery{}
		}
		q = translate(query)
		k.queries[query] = q
	}
	return q
}

// Connect tries for a while when the server starts, stops or has too many connections.
func (k *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	until := time.Now().Add(k.patience)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		conn, err := pgconn.ConnectConfig(ctx, k.config)
		if err == nil {
			return &pgConn{k: k, conn: conn}, nil
		}
		if !passing(err) || time.Now().Add(wait).After(until) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// passing reports whether a later attempt to connect may succeed by itself.
func passing(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "57P01", "57P02", "57P03", "53300": // it stops, crashed, starts; too many connections
			return true
		}
		return false
	}
	var c *pgconn.ConnectError
	return errors.As(err, &c) && !errors.Is(err, context.Canceled)
}

func (k *pgConnector) Driver() driver.Driver { return pgDriver{} }

// pgDriver is only asked for its type: connections come from connectors.
type pgDriver struct{}

func (pgDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("open PostgreSQL by a connector")
}

// pgConn is one connection. database/sql lets one goroutine at a time use it.
type pgConn struct {
	k       *pgConnector
	conn    *pgconn.PgConn
	known   map[*pgQuery][]*pgPrepared
	named   int // statements and portals that got a name
	inTx    bool
	broken  bool
	pending []*pgResult // sent, and not yet answered
}

// pgPrepared is a statement that the server knows under a name, for parameters of some types.
type pgPrepared struct {
	name    string
	asked   []uint32 // as declared; 0 left to the server
	params  []uint32
	columns []string
	types   []uint32
	formats []int16
}

// maxPrepared bounds the statements that the server keeps for a connection.
const maxPrepared = 500

func (c *pgConn) closed() bool { return c.broken || c.conn.IsClosed() }

// IsValid implements driver.Validator.
func (c *pgConn) IsValid() bool { return !c.closed() }

// ResetSession implements driver.SessionResetter.
func (c *pgConn) ResetSession(context.Context) error {
	if c.closed() {
		return driver.ErrBadConn
	}
	return nil
}

func (c *pgConn) Close() error {
	if c.broken {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.conn.Close(ctx)
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *pgConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	return err
}

func (c *pgConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext asks the server only when the statement is run, since the types of its parameters are known then.
func (c *pgConn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return &pgStmt{c, c.k.translated(query)}, nil
}

func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, c.k.translated(query), args)
}

func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, c.k.translated(query), args)
}

type pgStmt struct {
	c *pgConn
	q *pgQuery
}

func (s *pgStmt) Close() error  { return nil }
func (s *pgStmt) NumInput() int { return -1 }

func (s *pgStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.exec(ctx, s.q, args)
}

func (s *pgStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, s.q, args)
}

var errNoContext = errors.New("only calls with a context are supported")

// Exec implements driver.Stmt; database/sql calls ExecContext.
func (s *pgStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query implements driver.Stmt; database/sql calls QueryContext.
func (s *pgStmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

func (c *pgConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx ignores the options: a connection has the isolation that its session was given.
func (c *pgConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	var row [][]byte
	_, err := c.simple(ctx, c.k.begin, func(r *pgproto3.DataRow) {
		for _, v := range r.Values {
			row = append(row, append([]byte{}, v...))
		}
	})
	if err == nil && c.k.began != nil {
		err = c.k.began(row)
	}
	if err != nil {
		if c.closed() {
			if ctx.Err() == nil {
				return nil, driver.ErrBadConn // nothing has begun: database/sql tries another connection
			}
		} else if c.conn.TxStatus() != 'I' {
			_, _ = c.simple(context.Background(), "rollback", nil)
		}
		return nil, err
	}
	c.inTx = true
	return pgTx{c}, nil
}

type pgTx struct{ c *pgConn }

// errAborted is the answer to a commit after a statement has failed.
var errAborted = errors.New("the transaction was rolled back, since a statement in it has failed")

// Commit returns an error that is no certain failure only when the connection broke (errCommit).
func (t pgTx) Commit() error {
	ctx := context.Background()
	if err := t.c.settle(ctx); err != nil {
		return errors.Join(err, t.Rollback())
	}
	t.c.inTx = false
	tag, err := t.c.simple(ctx, "commit", nil)
	switch {
	case err != nil && t.c.closed():
		return fmt.Errorf("%w: %w", errCommit, err)
	case err != nil:
		return err
	case tag != "COMMIT":
		return errAborted
	}
	if t.c.k.committed != nil {
		t.c.k.committed()
	}
	return nil
}

func (t pgTx) Rollback() error {
	t.c.inTx = false
	if t.c.closed() {
		return nil // the server rolls it back
	}
	ctx := context.Background()
	_ = t.c.settle(ctx) // what failed is rolled back
	_, err := t.c.simple(ctx, "rollback", nil)
	return err
}

// simple runs a text of statements without parameters, and returns what the last one did.
func (c *pgConn) simple(ctx context.Context, text string, row func(*pgproto3.DataRow)) (tag string, err error) {
	defer c.watch(ctx)()
	c.conn.Frontend().SendQuery(&pgproto3.Query{String: text})
	if err := c.flush(ctx); err != nil {
		return "", err
	}
	a, err := c.receive(ctx, row)
	return a.tag, err
}

// prepared returns the statement of a query for arguments of their types.
func (c *pgConn) prepared(ctx context.Context, q *pgQuery, args []driver.Value) (*pgPrepared, error) {
next:
	for _, p := range c.known[q] {
		for i, a := range args {
			if p.asked[i] != declared(a) {
				continue next
			}
		}
		return p, nil
	}
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	if len(c.known) >= maxPrepared {
		if _, err := c.simple(ctx, "DEALLOCATE ALL", nil); err != nil {
			return nil, err
		}
		c.known = nil
	}
	c.named++
	p := &pgPrepared{name: "s" + strconv.Itoa(c.named), asked: make([]uint32, len(args))}
	for i, a := range args {
		p.asked[i] = declared(a)
	}
	f := c.conn.Frontend()
	f.SendParse(&pgproto3.Parse{Name: p.name, Query: q.text, ParameterOIDs: p.asked})
	f.SendDescribe(&pgproto3.Describe{ObjectType: 'S', Name: p.name})
	f.SendSync(&pgproto3.Sync{})
	defer c.watch(ctx)()
	if err := c.flush(ctx); err != nil {
		return nil, err
	}
	a, err := c.receive(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", shorten(q.text), err)
	}
	p.params, p.columns, p.types = a.params, a.columns, a.types
	for _, t := range p.types {
		p.formats = append(p.formats, resultFormat(t))
	}
	if c.known == nil {
		c.known = map[*pgQuery][]*pgPrepared{}
	}
	c.known[q] = append(c.known[q], p)
	return p, nil
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 200 {
		return s[:200] + " ..."
	}
	return s
}

// send puts the run of a query into the buffer: at most rows of its rows, 0: all.
func (c *pgConn) send(ctx context.Context, q *pgQuery, named []driver.NamedValue, portal string, rows uint32) (*pgPrepared, error) {
	args, err := q.arguments(named)
	if err != nil {
		return nil, err
	}
	p, err := c.prepared(ctx, q, args)
	if err != nil {
		return nil, err
	}
	if len(p.params) != len(args) {
		return nil, fmt.Errorf("%w: %d parameters, %d given: %s", errType, len(p.params), len(args), shorten(q.text))
	}
	b := pgproto3.Bind{DestinationPortal: portal, PreparedStatement: p.name, ResultFormatCodes: p.formats,
		Parameters: make([][]byte, len(args)), ParameterFormatCodes: make([]int16, len(args))}
	for i, v := range args {
		if b.Parameters[i], b.ParameterFormatCodes[i], err = encodeValue(v, p.params[i]); err != nil {
			return nil, fmt.Errorf("parameter %d of %s: %w", i+1, shorten(q.text), err)
		}
	}
	f := c.conn.Frontend()
	f.SendBind(&b)
	f.SendExecute(&pgproto3.Execute{Portal: portal, MaxRows: rows})
	f.SendSync(&pgproto3.Sync{})
	return p, nil
}

// arguments puts the values in the order of the parameters.
func (q *pgQuery) arguments(named []driver.NamedValue) ([]driver.Value, error) {
	out := make([]driver.Value, len(q.names))
	for i, name := range q.names {
		found := false
		for _, v := range named {
			if name != "" && v.Name == name || name == "" && v.Ordinal == i+1 {
				out[i], found = v.Value, true
				break
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: parameter %d %q was not given: %s", errType, i+1, name, shorten(q.text))
		}
	}
	return out, nil
}

// maxLate bounds what is sent before answers are read, so that neither side waits for the other.
const maxLate = 100

func (c *pgConn) exec(ctx context.Context, q *pgQuery, args []driver.NamedValue) (driver.Result, error) {
	if _, err := c.send(ctx, q, args, "", 0); err != nil {
		return nil, err
	}
	r := &pgResult{c: c}
	c.pending = append(c.pending, r)
	if c.k.late && c.inTx && len(c.pending) < maxLate {
		return r, nil
	}
	return r, c.settle(ctx)
}

// settle waits for the answers to all that was sent, and returns the first error.
func (c *pgConn) settle(ctx context.Context) error {
	if len(c.pending) == 0 {
		return nil
	}
	defer c.watch(ctx)()
	if err := c.flush(ctx); err != nil {
		return err
	}
	return c.answers(ctx)
}

// answers reads the answers to what is pending.
func (c *pgConn) answers(ctx context.Context) (first error) {
	pending := c.pending
	c.pending = nil
	for _, r := range pending {
		a, err := c.receive(ctx, nil)
		if err != nil && first == nil {
			first = err
		}
		r.done, r.err, r.rows = true, err, a.rows()
		if c.closed() {
			break
		}
	}
	return first
}

// pgResult is what a statement did; it may not be known yet.
type pgResult struct {
	c    *pgConn
	done bool
	err  error
	rows int64
}

func (r *pgResult) LastInsertId() (int64, error) {
	return 0, errors.New("PostgreSQL tells new numbers by RETURNING only")
}

func (r *pgResult) RowsAffected() (int64, error) {
	if !r.done {
		if err := r.c.settle(context.Background()); err != nil {
			return 0, err
		}
	}
	return r.rows, r.err
}
