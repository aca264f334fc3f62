package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// openReader opens a database for reading only.
func (db *DB) openReader(ctx context.Context) error {
	if db.cfg.VFS == "" {
		if _, err := os.Stat(db.path); err != nil {
			return fmt.Errorf("open the database: %w", err)
		}
	}
	cacheKB := db.cfg.CacheBytes / 1024 / int64(db.cfg.Readers)
	try := func(mode string) error {
		reader, err := sql.Open("sqlite", dsn(db.path, db.cfg.VFS, cacheKB, true)+mode)
		if err != nil {
			return err
		}
		var n int
		if err := reader.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
			return errors.Join(err, reader.Close())
		}
		reader.SetMaxIdleConns(db.cfg.Readers)
		db.reader = reader
		return nil
	}
	err := try("&mode=ro")
	if err != nil && db.cfg.VFS == "" && !errors.Is(Named(err), ErrDamaged) && sealedFile(db.path) {
		// Beside a WAL database SQLite makes a file, which cannot be done here; without a WAL none is needed.
		err = try("&immutable=1")
	}
	if err != nil {
		return fmt.Errorf("open the database %s for reading: %w", db.path, Named(err))
	}
	return nil
}

// sealedFile reports whether nothing waits beside the file that belongs into it.
func sealedFile(path string) bool {
	info, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}

// CheckWritable reports the first database that could not be written to: ErrReadOnly. Those that belong together are
// looked at before any of them is opened, so that nothing is changed when one of them cannot be.
func CheckWritable(paths ...string) error {
	for _, path := range paths {
		if err := writable(path); err != nil {
			return fmt.Errorf("open the database %s: %w", path, err)
		}
	}
	return nil
}

// writable says in words why the database at path could not be written to: SQLite would open it for reading, and fail
// at the first write.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case err == nil:
		err = f.Close()
	case errors.Is(err, fs.ErrNotExist):
		return probeFolder(filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission), isReadOnlyDisk(err):
		return fmt.Errorf("%w: %w; give the user of the service the right to write to it, or make the disk writable", ErrReadOnly, err)
	}
	if err != nil {
		return err
	}
	return probeFolder(filepath.Dir(path)) // for the WAL
}

func probeFolder(folder string) error {
	f, err := os.CreateTemp(folder, ".writable-*.tmp")
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || isReadOnlyDisk(err) {
			return fmt.Errorf("%w: %w; give the user of the service the right to write to this folder, or make the disk writable", ErrReadOnly, err)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil // full, or too many files: SQLite says which
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
