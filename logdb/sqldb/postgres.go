package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrPostgres marks what is done by the tools of PostgreSQL, for a database of it.
var ErrPostgres = errors.New("the database is one of PostgreSQL")

// patience is how long a PostgreSQL server that stops or starts is waited for.
const patience = 10 * time.Second

// IsPostgres reports whether a place is the address of a PostgreSQL database, not a path.
func IsPostgres(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

// CheckPostgres reports what is wrong with the address of a PostgreSQL database. Nothing is asked of the server.
func CheckPostgres(place string) error {
	_, _, err := parsePostgres(place)
	return err
}

// HidePassword returns the address of a PostgreSQL database without what may not be shown.
func HidePassword(place string) string {
	u, err := url.Parse(place)
	if err != nil {
		return "postgres://***" // what cannot be read may hold a password anywhere
	}
	q := u.Query()
	for _, key := range []string{"password", "sslpassword"} {
		if q.Has(key) {
			q.Set(key, "***")
		}
	}
	u.RawQuery = q.Encode()
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "xxx")
		return strings.Replace(u.String(), ":xxx@", ":***@", 1)
	}
	return u.String()
}

// defaultSchema begins the names of our schemas when the address says nothing else.
const defaultSchema = "metermanager"

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// parsePostgres reads an address, which may name the beginning of our schemas' names by schema=.
func parsePostgres(place string) (*pgconn.Config, string, error) {
	u, err := url.Parse(place)
	if err != nil {
		return nil, "", errors.New("the address of the PostgreSQL database cannot be read, want postgres://USER@HOST:PORT/DATABASE")
	}
	q := u.Query()
	schema := q.Get("schema")
	if schema == "" {
		schema = defaultSchema
	}
	if !schemaName.MatchString(schema) {
		return nil, "", fmt.Errorf("schema %q: want small letters, digits and _, at most 40", schema)
	}
	q.Del("schema")
	u.RawQuery = q.Encode()
	config, err := pgconn.ParseConfig(u.String())
	if err != nil {
		return nil, "", err
	}
	return config, schema, nil
}

// postgres is what is particular about a DB in PostgreSQL.
type postgres struct {
	schema string

	mu      sync.Mutex
	begun   pgBegun
	seen    int64 // the version after our last commit
	foreign int64 // how often the version was another than that
}

// pgBegun is the number of writes in the database, this one included, and the transaction's id.
type pgBegun struct {
	version int64
	xid     string
}

func openPostgres(ctx context.Context, place string, cfg Config) (*DB, error) {
	config, schema, err := parsePostgres(place)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if cfg.Part != "" {
		schema += "_" + cfg.Part
	}
	for k, v := range map[string]string{
		"search_path": schema, "client_encoding": "UTF8", "jit": "off", "application_name": "metermanager",
		// A node that hangs in the middle of a write must not hold up the others for ever.
		"idle_in_transaction_session_timeout": "5min", "lock_timeout": "1min",
	} {
		config.RuntimeParams[k] = v
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	db := &DB{cfg: cfg, log: cfg.Logger, now: cfg.Now, path: HidePassword(place), pg: &postgres{schema: schema, seen: -1}}
	if err := db.pg.prepare(ctx, config, cfg.ReadOnly); err != nil {
		return nil, fmt.Errorf("open the database %s: %w", db.path, err)
	}
	writes := *config
	writes.RuntimeParams = maps.Clone(config.RuntimeParams)
	// Each statement of a writer sees what was committed before it began, so that what stands behind the lock sees all.
	writes.RuntimeParams["default_transaction_isolation"] = "read committed"
	writes.RuntimeParams["default_transaction_read_only"] = "off"
	writes.AfterConnect = durable
	reads := *config
	reads.RuntimeParams = maps.Clone(config.RuntimeParams)
	reads.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	reads.RuntimeParams["default_transaction_read_only"] = "on"
	reads.RuntimeParams["idle_in_transaction_session_timeout"] = "0" // a slow client may read for long
	db.reader = sql.OpenDB(&pgConnector{config: &reads, patience: patience, begin: "begin"})
	db.reader.SetMaxIdleConns(cfg.Readers)
	if cfg.ReadOnly {
		return db, nil
	}
	db.writer = sql.OpenDB(&pgConnector{
		config: &writes, patience: patience, late: cfg.LateErrors,
		begin: "begin; update writer set version = version + 1 returning version, txid_current()",
		began: db.pg.beginning, committed: db.pg.committed,
	})
	db.writer.SetMaxOpenConns(1)
	db.writer.SetMaxIdleConns(1)
	return db, nil
}

// durable makes sure that a commit is on the disk when it returns, whatever the server's default is.
func durable(ctx context.Context, c *pgconn.PgConn) error {
	return c.Exec(ctx, "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'").Close()
}

// prepare checks the server and creates the schema and its lock when they are missing.
func (p *postgres) prepare(ctx context.Context, config *pgconn.Config, readOnly bool) error {
	k := &pgConnector{config: config, patience: patience}
	dc, err := k.Connect(ctx)
	if err != nil {
		return Named(err)
	}
	defer func() { _ = dc.Close() }()
	c := dc.(*pgConn).conn
	one := func(query string) (string, error) {
		r := c.ExecParams(ctx, query, nil, nil, nil, nil).Read()
		if r.Err != nil || len(r.Rows) == 0 {
			return "", r.Err
		}
		return string(r.Rows[0][0]), nil
	}
	for _, want := range []struct{ query, answer, problem string }{
		{"select current_setting('server_encoding')", "UTF8", "its encoding is %s: create it with ENCODING 'UTF8'"},
		{"select (current_setting('server_version_num')::int >= 130000)::text", "true", "version 13 or newer is needed"},
	} {
		got, err := one(want.query)
		if err != nil {
			return Named(err)
		}
		if got != want.answer {
			return errors.New(strings.ReplaceAll(want.problem, "%s", got))
		}
	}
	there, err := one("select coalesce(to_regclass('" + p.schema + ".writer')::text, '')")
	if err != nil || there != "" {
		return Named(err)
	}
	if readOnly {
		return fmt.Errorf("%w: there is no schema %s in it", ErrOlder, p.schema)
	}
	// Two nodes may start at once.
	return Named(c.Exec(ctx, `begin; select pg_advisory_xact_lock(hashtext('`+p.schema+`'));
		create schema if not exists `+p.schema+`;
		create table if not exists `+p.schema+`.writer (one integer primary key check (one = 1), version bigint not null);
		insert into `+p.schema+`.writer values (1, 0) on conflict do nothing; commit`).Close())
}

// beginning notes the row of the lock, which the transaction holds now.
func (p *postgres) beginning(row [][]byte) error {
	if len(row) != 2 {
		return fmt.Errorf("%w: the row of the writer's lock is missing in schema %s", ErrDamaged, p.schema)
	}
	version, err := strconv.ParseInt(string(row[0]), 10, 64)
	if err != nil {
		return fmt.Errorf("read the version: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if version != p.seen+1 {
		p.foreign++
	}
	p.begun = pgBegun{version, string(row[1])}
	// Were this one rolled back, the next would find the same version.
	p.seen = version - 1
	return nil
}

// committed runs before another write can begin.
func (p *postgres) committed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = p.begun.version
}

func (p *postgres) transaction() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun.xid
}

func (p *postgres) version() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.foreign
}

// outcome finds out what became of a commit whose answer got lost: nil when it is committed.
func (db *DB) outcome(xid string, cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		var status sql.NullString
		err := db.reader.QueryRowContext(ctx, "SELECT txid_status(?::bigint)", xid).Scan(&status)
		switch {
		case err == nil && status.String == "committed":
			return nil
		case err == nil && status.String == "aborted":
			return fmt.Errorf("%w: %w", ErrLost, cause)
		case err == nil && !status.Valid:
			return fmt.Errorf("%w: %w", ErrUncertain, cause)
		}
		// The server has not noticed yet that the connection broke, or is not there.
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUncertain, errors.Join(cause, err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

const (
	listPostgresTables = `SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname <> 'writer' ORDER BY 1`
	postgresSizes      = `SELECT relname::text, pg_total_relation_size(oid) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'`
)

// postgresSpace adds the size of each table, with its indexes and what it keeps apart.
func (db *DB) postgresSpace(ctx context.Context, s *Space) error {
	rows, err := db.reader.QueryContext(ctx, postgresSizes)
	if err != nil {
		return fmt.Errorf("measure the tables: %w", Named(err))
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return fmt.Errorf("measure the tables: %w", err)
		}
		s.Tables[name] = n
		s.FileBytes += n
	}
	return Named(rows.Err())
}

// postgresName returns our error for a code that callers must tell apart.
func postgresName(code string) error {
	switch code {
	case "53100":
		return ErrFull
	case "XX001", "XX002":
		return ErrDamaged
	case "25006":
		return ErrReadOnly
	case "23505":
		return ErrExists
	}
	return nil
}
