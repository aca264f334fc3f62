package sqlite

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
	"metermanager/logdb/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config is what may be chosen about a store. The zero value works.
type Config struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger receives what an operator would ask about; nil discards.
	Logger *slog.Logger
	// CacheBytes is the page cache of all connections together; 0 means 64 MB.
	CacheBytes int64
	// VFS is the name of a registered SQLite file layer; "" is the system's.
	VFS string
	// ReadOnly opens a log database that is there, at the version of this program, and changes nothing; writing methods
	// answer sqldb.ErrReadOnly.
	ReadOnly bool
	// Upgrade, Beside and FreeBytes are those of sqldb.Config: for the copy that is taken before a migration.
	Upgrade   string
	Beside    []*sqldb.DB
	FreeBytes func(folder string) (int64, error)
	// Archive is where files of full resolution lie; nil means the folder archive beside the database.
	Archive archive.Files
	// NewJournalID is called once for each journal that the store makes; nil means random.
	NewJournalID func() logdb.JournalID
	// CompactEvery is how often Run looks for pages to merge; 0 means every minute.
	CompactEvery time.Duration
}

// Store is a logdb.Store in one SQLite file. Its methods may be called from several goroutines; other
// processes may read the file at the same time.
type Store struct {
	cfg    Config
	db     *sqldb.DB
	codec  *chunk.Codec
	log    *slog.Logger
	writes *writer
	reads  statements // in PostgreSQL
	files  archiveFiles
	// readers are the connections that read a file.
	readers sqldb.Readers
	// archiving is held by the one who writes archive files.
	archiving sync.Mutex
	sweeps    atomic.Int64
}

var _ logdb.Store = (*Store)(nil)

// Open opens the log database at path and creates it when it is missing. Close must be called.
func Open(ctx context.Context, path string, cfg Config) (*Store, error) {
	db, err := sqldb.Open(ctx, path, sqldb.Config{
		CacheBytes: cfg.CacheBytes, VFS: cfg.VFS, ReadOnly: cfg.ReadOnly, Upgrade: cfg.Upgrade, Beside: cfg.Beside, FreeBytes: cfg.FreeBytes,
		Now: cfg.Now, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("open the log database: %w", mapError(err))
	}
	if cfg.Archive == nil {
		cfg.Archive = archive.Folder{Path: filepath.Join(filepath.Dir(db.Path()), "archive")}
	}
	return OpenDB(ctx, db, cfg)
}

// OpenDB opens the log database in db, which may be one of PostgreSQL, and closes db with it, or when it fails. cfg.Archive
// must be given.
func OpenDB(ctx context.Context, db *sqldb.DB, cfg Config) (*Store, error) {
	cfg.complete()
	s := &Store{cfg: cfg, db: db, log: cfg.Logger, files: archiveFiles{files: cfg.Archive}}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the log database %s: %w", db.Path(), mapError(err)), db.Close())
	}
	return s, nil
}

func (cfg *Config) complete() {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.NewJournalID == nil {
		cfg.NewJournalID = randomJournalID
	}
	if cfg.CompactEvery <= 0 {
		cfg.CompactEvery = time.Minute
	}
}

func (s *Store) prepare(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	if err := s.db.Migrate(ctx, "logdb", files); err != nil {
		return err
	}
	if s.codec, err = chunk.New(); err != nil {
		return err
	}
	s.reads = statements{prepare: func(query string) (stmt, error) { return s.db.Read().PrepareContext(context.WithoutCancel(ctx), query) }}
	s.readers.Most = max(4, 2*runtime.NumCPU())
	if s.cfg.ReadOnly {
		return nil
	}
	s.writes, err = newWriter(ctx, s)
	return err
}

// Database returns the database under the store, for its care.
func (s *Store) Database() *sqldb.DB { return s.db }

// Close waits for the writes that have begun and closes the file. Nothing is lost by leaving pages uncompacted.
func (s *Store) Close() error {
	if s.writes != nil {
		s.writes.close()
	}
	s.files.close()
	return errors.Join(s.readers.Close(), s.db.Close(), s.codec.Close())
}

// snapshot runs f on one state of the database.
func (s *Store) snapshot(ctx context.Context, what string, f func(*conn) error) error {
	if err := s.read(ctx, true, f); err != nil {
		return fmt.Errorf("%s: %w", what, mapError(err))
	}
	return nil
}

// oneQuery runs f, which makes a single query and none for its rows: that needs no transaction around it, which costs as much as a small query.
func (s *Store) oneQuery(ctx context.Context, what string, f func(*conn) error) error {
	if err := s.read(ctx, false, f); err != nil {
		return fmt.Errorf("%s: %w", what, mapError(err))
	}
	return nil
}

// read runs f, within a transaction if what it reads must belong together.
func (s *Store) read(ctx context.Context, whole bool, f func(*conn) error) error {
	if s.db.Postgres() {
		return s.readServer(ctx, whole, f)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t, ok := ctx.Value(togetherKey{s}).(*together); ok && t.mu.TryLock() {
		defer t.mu.Unlock()
		if t.reader != nil {
			return f(&conn{ctx: context.WithoutCancel(ctx), asked: ctx, reader: t.reader, codec: s.codec, files: &s.files})
		}
	}
	r, err := s.readers.Take(ctx, s.db)
	if err != nil {
		return err
	}
	var broken error
	begun := false
	defer func() { s.readers.GiveBack(r, begun, broken) }()
	if whole {
		if broken = r.Begin(); broken != nil {
			return broken
		}
		begun = true
	}
	return f(&conn{ctx: context.WithoutCancel(ctx), asked: ctx, reader: r, codec: s.codec, files: &s.files})
}

// together is a transaction that several reads share.
type together struct {
	mu     sync.Mutex    // of a read: others at the same time, or within it, have a transaction of their own
	reader *sqldb.Reader // nil when it is over
}

type togetherKey struct{ s *Store }

// Together implements logdb.Joint.
func (s *Store) Together(ctx context.Context, f func(context.Context) error) error {
	if s.db.Postgres() {
		return f(ctx)
	}
	return s.read(ctx, true, func(c *conn) error {
		t := &together{reader: c.reader}
		defer func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.reader = nil
		}()
		return f(context.WithValue(ctx, togetherKey{s}, t))
	})
}

// readServer is read in PostgreSQL, where the way to the server takes longer than what database/sql does.
func (s *Store) readServer(ctx context.Context, whole bool, f func(*conn) error) error {
	c := &conn{ctx: ctx, codec: s.codec, files: &s.files, statements: &s.reads}
	if !whole {
		return f(c)
	}
	var err error
	if c.tx, err = s.db.Read().BeginTx(ctx, nil); err != nil {
		return err
	}
	defer func() { _ = c.tx.Rollback() }() // nothing was written
	defer c.close()
	return f(c)
}

// mapError turns the errors of sqldb and chunk that logdb has a name for.
func mapError(err error) error {
	err = sqldb.Named(err)
	if errors.Is(err, sqldb.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", logdb.ErrFull, err)
	}
	return err
}

func randomJournalID() logdb.JournalID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return logdb.JournalID(hex.EncodeToString(b[:]))
}

// Path returns the absolute path of the database.
func (s *Store) Path() string { return s.db.Path() }
