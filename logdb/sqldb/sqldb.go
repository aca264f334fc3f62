package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

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
	fresh  bool // it was made by this Open
	copied bool // a copy was taken before a migration
}

// Open opens the database at path and creates it when it is missing; its folder must
// exist. Every commit is on the disk when it returns (WAL, synchronous=FULL).
func Open(ctx context.Context, path string, cfg Config) (*DB, error) {
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
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database %s: %w", path, err)
	}
	db := &DB{path: abs, cfg: cfg, log: cfg.Logger, now: cfg.Now}
	if cfg.ReadOnly {
		if err := db.openReader(ctx); err != nil {
			return nil, err
		}
		return db, nil
	}
	if err := db.openWriter(ctx); err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, mapError(err))
	}
	// The reader gets the other half of the cache. It is not bounded: a visitor may read again while its own read is
	// open, and a bound could then wait for itself.
	reader, err := sql.Open("sqlite", dsn(abs, cfg.VFS, cfg.CacheBytes/2/1024/int64(cfg.Readers), true))
	if err != nil {
		_ = db.writer.Close()
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	reader.SetMaxIdleConns(cfg.Readers)
	db.reader = reader
	return db, nil
}

// openWriter opens the writing connection, which creates the file and makes it a WAL database.
func (db *DB) openWriter(ctx context.Context) error {
	if db.cfg.VFS == "" {
		info, err := os.Stat(db.path)
		db.fresh = err != nil || info.Size() == 0
		if err := writable(db.path); err != nil {
			return err
		}
	}
	// The writer gets half of the cache: it touches the leaves of several tables in turn.
	writer, err := sql.Open("sqlite", dsn(db.path, db.cfg.VFS, db.cfg.CacheBytes/2/1024, false))
	if err != nil {
		return err
	}
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	if err := writer.PingContext(ctx); err != nil {
		return errors.Join(err, writer.Close())
	}
	// The database holds what people may not see without a credential.
	if db.cfg.VFS == "" {
		if err := os.Chmod(db.path, 0o600); err != nil {
			return errors.Join(fmt.Errorf("protect it: %w", err), writer.Close())
		}
	}
	db.writer = writer
	return nil
}

// dsn is the address of the file with the settings of every connection to it. The driver
// applies busy_timeout and auto_vacuum first and query_only last.
func dsn(path, vfs string, cacheKB int64, readOnly bool) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/data/logs.db
	}
	q := url.Values{}
	q.Set("_busy_timeout", "10000")
	q.Set("_dqs", "0")
	if vfs != "" {
		q.Set("vfs", vfs)
	}
	q.Add("_pragma", "cache_size(-"+strconv.FormatInt(max(cacheKB, 256), 10)+")")
	q.Add("_pragma", "temp_store(2)")
	if readOnly {
		q.Set("_query_only", "1")
	} else {
		// SQLite writes this setting in a commit of its own each time. That commit also syncs what a killed program had
		// written and not synced, before anybody is told of it: leave it in, or sync by another way.
		q.Set("_auto_vacuum", "INCREMENTAL")
		q.Set("_foreign_keys", "1")
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", "FULL")
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "wal_autocheckpoint(4000)")
		q.Add("_pragma", "journal_size_limit(67108864)")
	}
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: q.Encode()}).String()
}

// Path returns the absolute path of the database.
func (db *DB) Path() string { return db.path }

// ReadOnly reports whether nothing is written through db.
func (db *DB) ReadOnly() bool { return db.writer == nil }

// Read returns the pool of connections that cannot write.
func (db *DB) Read() *sql.DB { return db.reader }

// Snapshot runs f in a reading transaction, which sees one state of the database.
func (db *DB) Snapshot(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read: %w", mapError(err))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return mapError(f(tx))
}

// Write runs f in a transaction that nobody else writes beside, and commits it when f returns
// nil. An error of f leaves nothing.
func (db *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	if db.writer == nil {
		return ErrReadOnly
	}
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to write: %w", mapError(err))
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	if err := f(tx); err != nil {
		return mapError(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", mapError(err))
	}
	return nil
}

// PrepareWrite prepares a statement for use inside Write by Tx.StmtContext. It must be called
// outside of Write, whose connection it needs.
func (db *DB) PrepareWrite(ctx context.Context, query string) (*sql.Stmt, error) {
	if db.writer == nil {
		return nil, ErrReadOnly
	}
	stmt, err := db.writer.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, mapError(err))
	}
	return stmt, nil
}

// Close closes all connections; it waits for transactions that have begun.
func (db *DB) Close() error {
	// Readers first: the last connection to close copies the WAL into the file and removes it.
	err := db.reader.Close()
	if db.writer != nil {
		err = errors.Join(err, db.writer.Close())
	}
	return err
}

// mapError turns the driver's result codes that callers must tell apart into our errors.
func mapError(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch code := e.Code(); {
	case code&0xff == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_SHMSIZE: // the latter when it is opened
		return fmt.Errorf("%w: %w", ErrFull, err)
	case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case code&0xff == sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}
