package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
)

// Image is a database as it was at one moment: the file, or the rows of one in PostgreSQL, which has no file. Others go on writing meanwhile; what they write
// stays in the WAL until Close, so an image is to be read without delay.
type Image struct {
	tx       *sql.Tx
	db       *DB
	path     string
	pageSize int64
	pages    int64
}

// Pin takes images of several databases at one and the same moment: nobody writes to any of them while
// they are taken, which is a matter of milliseconds. Together they are what a crash at that moment
// would have left. Close must be called for each.
func Pin(ctx context.Context, dbs ...*DB) (images []*Image, err error) {
	err = withWriters(ctx, dbs, func() error {
		for _, db := range dbs {
			image, err := db.pin(ctx)
			if err != nil {
				return fmt.Errorf("pin %s: %w", db.path, Named(err))
			}
			images = append(images, image)
		}
		return nil
	})
	if err != nil {
		for _, image := range images {
			err = errors.Join(err, image.Close())
		}
		return nil, err
	}
	return images, nil
}

// withWriters runs f while the writer's turn of every database is taken.
func withWriters(ctx context.Context, dbs []*DB, f func() error) error {
	if len(dbs) == 0 {
		return f()
	}
	if dbs[0].writer == nil { // nobody writes to it through this DB
		return withWriters(ctx, dbs[1:], f)
	}
	return dbs[0].Write(ctx, func(*sql.Tx) error { return withWriters(ctx, dbs[1:], f) })
}

// pin begins to read. The transaction does not end with ctx, whose owner closes the image.
func (db *DB) pin(ctx context.Context) (*Image, error) {
	tx, err := db.reader.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	i := &Image{tx: tx, db: db, path: db.path}
	if db.pg != nil {
		var version int64
		if err := tx.QueryRowContext(ctx, "SELECT version FROM writer").Scan(&version); err != nil { // fixes the state
			return nil, errors.Join(err, i.Close())
		}
		return i, nil
	}
	// The first statement that reads fixes the state that the transaction sees.
	var tables int
	for _, q := range []struct {
		query string
		into  any
	}{
		{"SELECT count(*) FROM sqlite_schema", &tables}, {"PRAGMA page_size", &i.pageSize}, {"PRAGMA page_count", &i.pages},
	} {
		if err := tx.QueryRowContext(ctx, q.query).Scan(q.into); err != nil {
			return nil, errors.Join(err, i.Close())
		}
	}
	return i, nil
}

// Size is the number of bytes that WriteTo writes.
func (i *Image) Size() int64 { return i.pages * i.pageSize }

// Query reads the pinned state.
func (i *Image) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return i.tx.QueryContext(ctx, query, args...)
}

// Counts returns the number of rows of every table in the pinned state.
func (i *Image) Counts(ctx context.Context) (map[string]int64, error) { return i.db.counts(ctx, i.tx) }

// Versions returns the newest migration of every owner in the pinned state.
func (i *Image) Versions(ctx context.Context) (map[string]int, error) {
	return i.db.versions(ctx, i.tx)
}

// CopyRows copies the rows of all tables in the pinned state into a file whose tables were made by the same migrations and are empty.
func (i *Image) CopyRows(ctx context.Context, to *DB) error {
	return copyRows(ctx, to, i.db, i.tx, nil)
}

// Copy writes the bytes of the file, page by page. A database in PostgreSQL has none: see CopyRows.
func (i *Image) Copy(ctx context.Context, w io.Writer) (err error) {
	if i.db.pg != nil {
		return fmt.Errorf("%w: it is no file", ErrPostgres)
	}
	rows, err := i.tx.QueryContext(ctx, "SELECT pgno, data FROM sqlite_dbpage")
	if err != nil {
		return fmt.Errorf("read the pages of %s: %w", i.path, Named(err))
	}
	defer rows.Close()
	var page sql.RawBytes
	var number, next int64
	for rows.Next() {
		if err := rows.Scan(&number, &page); err != nil {
			return fmt.Errorf("read a page of %s: %w", i.path, Named(err))
		}
		if next++; number != next || int64(len(page)) != i.pageSize {
			return fmt.Errorf("read page %d of %s: got page %d of %d bytes", next, i.path, number, len(page))
		}
		if _, err := w.Write(page); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the pages of %s: %w", i.path, Named(err))
	}
	if next != i.pages {
		return fmt.Errorf("read the pages of %s: got %d, want %d", i.path, next, i.pages)
	}
	return nil
}

// Close lets the state go.
func (i *Image) Close() error { return i.tx.Rollback() } // nothing was written
