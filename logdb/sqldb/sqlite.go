package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// openSQLite opens a file in WAL mode with synchronous=FULL.
func openSQLite(ctx context.Context, path string, cfg Config) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database %s: %w", path, err)
	}
	db := &DB{path: abs, cfg: cfg, log: cfg.Logger, now: cfg.Now, often: Readers{Most: cfg.Readers}}
	if cfg.ReadOnly {
		return db, db.openReader(ctx)
	}
	if err := db.openWriter(ctx); err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, Named(err))
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
