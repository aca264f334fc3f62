package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrFull marks a write that the disk had no room for; nothing was stored.
	ErrFull = errors.New("the disk is full")
	// ErrNewer marks a database that a newer version of the program has written.
	ErrNewer = errors.New("the database was written by a newer version of this program")
	// ErrOlder marks a database that this program would have to migrate before it can read it.
	ErrOlder = errors.New("the database was written by an older version of this program")
	// ErrReadOnly marks a database, or a folder of one, to which this process cannot write.
	ErrReadOnly = errors.New("the database cannot be written to")
	// ErrDamaged marks a file that is no database or whose pages contradict each other.
	ErrDamaged = errors.New("the database file is damaged")
	// ErrExists marks a row whose key another row has.
	ErrExists = errors.New("there is such a row already")
	// ErrLost marks a connection to a server that broke. A write with this error is not stored.
	ErrLost = errors.New("the connection to the database broke")
	// ErrUncertain marks a write of which nobody can say whether it is stored: the connection broke while
	// it was committed, and the server could not be asked.
	ErrUncertain = errors.New("the database did not tell whether it stored this")

	errCommit = errors.New("the connection broke at the commit")
)

// Config is what may be chosen about a database. The zero value works.
type Config struct {
	// Readers is how many reading connections are kept open; 0 means two per processor,
	// at least 4. More are opened for as long as they are needed.
	Readers int
	// CacheBytes is the page cache of all connections together; 0 means 64 MB.
	CacheBytes int64
	// VFS is the name of a registered SQLite file layer; "" is the system's. With one, path is
	// only a name in it.
	VFS string
	// ReadOnly opens a database that is there and changes nothing, not even its version. On a medium that
	// cannot be written to, the file must have been closed properly.
	ReadOnly bool
	// Copies is a folder for copies that are taken before a migration; "" means a folder copies beside the
	// database. Not with a VFS.
	Copies string
	// Upgrade names the copies of one start of the program, so that those of several databases are known to belong
	// together; "" means the time.
	Upgrade string
	// Beside are databases of which a copy is taken, too, before this one is migrated: those that must go back with it.
	Beside []*DB
	// FreeBytes is the room on the disk of a folder, looked at before a copy; nil does not look.
	FreeBytes func(folder string) (int64, error)
	// Part tells apart what shares a database of PostgreSQL: it ends the name of the schema. A file has one part.
	Part string
	// LateErrors allows that an error of a statement without rows is told by a later statement or by Write. Then
	// PostgreSQL does not have to answer each of them.
	LateErrors bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger receives what an operator would ask about; nil discards.
	Logger *slog.Logger
}

// DB is an open database.
type DB struct {
	writer *sql.DB // one connection: transactions queue here; nil when nothing is written
	reader *sql.DB
	path   string
	cfg    Config
	log    *slog.Logger
	now    func() time.Time
	fresh  bool      // it was made by this Open
	copied bool      // a copy was taken before a migration
	pg     *postgres // nil for SQLite
	last   func(context.Context, *sql.Tx) error
	often  Readers // of ReadRow
}

// Open opens the database at place and creates its tables when they are missing. A place is a path, whose folder must
// exist, or the address of a database of PostgreSQL (postgres://USER@HOST:PORT/DATABASE), which must exist. Every
// commit is on the disk when it returns.
func Open(ctx context.Context, place string, cfg Config) (*DB, error) {
	if cfg.Readers <= 0 {
		cfg.Readers = max(4, 2*runtime.NumCPU())
	}
	if cfg.CacheBytes <= 0 {
		cfg.CacheBytes = 64 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if IsPostgres(place) {
		return openPostgres(ctx, place, cfg)
	}
	return openSQLite(ctx, place, cfg)
}

// Path returns the absolute path of the database, or the address of one in PostgreSQL without a password.
func (db *DB) Path() string { return db.path }

// ReadOnly reports whether nothing is written through db.
func (db *DB) ReadOnly() bool { return db.writer == nil }

// Read returns the pool of connections that cannot write.
func (db *DB) Read() *sql.DB { return db.reader }

// Snapshot runs f in a reading transaction, which sees one state of the database.
func (db *DB) Snapshot(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read: %w", Named(err))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return Named(f(tx))
}

// Last has f run at the end of every transaction of Write: what belongs to each change is stored with it, or neither is.
// It is set before the first Write.
func (db *DB) Last(f func(ctx context.Context, tx *sql.Tx) error) { db.last = f }

// Write runs f in a transaction that nobody else writes beside, in this process or another, and commits it when f returns
// nil. An error of f leaves nothing.
func (db *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	if db.writer == nil {
		return ErrReadOnly
	}
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to write: %w", Named(err))
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	xid := ""
	if db.pg != nil {
		xid = db.pg.transaction()
	}
	if err := f(tx); err != nil {
		return Named(err)
	}
	if db.last != nil {
		if err := db.last(ctx, tx); err != nil {
			return Named(err)
		}
	}
	err = tx.Commit()
	if errors.Is(err, errCommit) {
		err = db.outcome(xid, err)
	}
	if err != nil {
		return fmt.Errorf("commit: %w", Named(err))
	}
	return nil
}

// Version returns, inside of Write, a number that is another one when somebody else has written since the last Write.
func (db *DB) Version(ctx context.Context, tx *sql.Tx) (version int64, err error) {
	if db.pg != nil {
		return db.pg.version(), nil
	}
	if err := tx.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("look for other writers: %w", Named(err))
	}
	return version, nil
}

// Aborts reports whether an error that a statement returned ends its transaction, so that nothing else can be done in it.
func (db *DB) Aborts(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) || errors.Is(err, ErrLost) || errors.Is(err, errAborted)
}

// Postgres reports whether the database is one of PostgreSQL, not a file.
func (db *DB) Postgres() bool { return db.pg != nil }

// PrepareWrite prepares a statement for use inside Write by Tx.StmtContext. It must be called
// outside of Write, whose connection it needs.
func (db *DB) PrepareWrite(ctx context.Context, query string) (*sql.Stmt, error) {
	if db.writer == nil {
		return nil, ErrReadOnly
	}
	stmt, err := db.writer.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, Named(err))
	}
	return stmt, nil
}

// Close closes all connections; it waits for transactions that have begun.
func (db *DB) Close() error {
	// Readers first: the last connection to close copies the WAL into the file and removes it.
	err := errors.Join(db.often.Close(), db.reader.Close())
	if db.writer != nil {
		err = errors.Join(err, db.writer.Close())
	}
	return err
}

// Exists reports whether an error of a statement says that another row has the key.
func Exists(err error) bool { return errors.Is(Named(err), ErrExists) }

// Named turns the driver's result codes that callers must tell apart into our errors.
func Named(err error) error {
	name := nameOf(err)
	if name == nil || errors.Is(err, name) {
		return err
	}
	return fmt.Errorf("%w: %w", name, err)
}

func nameOf(err error) error {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return postgresName(p.Code)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch code := e.Code(); {
	case code&0xff == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_SHMSIZE: // the latter when it is opened
		return ErrFull
	case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB:
		return ErrDamaged
	case code&0xff == sqlite3.SQLITE_READONLY:
		return ErrReadOnly
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE, code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, code == sqlite3.SQLITE_CONSTRAINT_ROWID:
		return ErrExists
	}
	return nil
}
