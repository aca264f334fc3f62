package sqldb

import (
	"context"
	"fmt"
	"strconv"
)

// Space is how many bytes of the file a database uses and how many it could give back.
type Space struct {
	FileBytes int64 // all pages, without the WAL
	FreeBytes int64 // of pages that deleted rows have left
	// Tables are the bytes of the pages of each table, its indexes included.
	Tables map[string]int64
}

// Space measures the database. It reads every page.
func (db *DB) Space(ctx context.Context) (Space, error) {
	s := Space{Tables: map[string]int64{}}
	if db.pg != nil {
		return s, db.postgresSpace(ctx, &s)
	}
	size, pages, free, err := db.pageCounts(ctx)
	if err != nil {
		return s, err
	}
	s.FileBytes, s.FreeBytes = pages*size, free*size
	rows, err := db.reader.QueryContext(ctx, `SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat('main', 1) s
		LEFT JOIN sqlite_schema m ON m.name = s.name GROUP BY 1`)
	if err != nil {
		return s, fmt.Errorf("measure the tables: %w", Named(err))
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return s, fmt.Errorf("measure the tables: %w", err)
		}
		s.Tables[name] = n
	}
	return s, Named(rows.Err())
}

func (db *DB) pageCounts(ctx context.Context) (size, pages, free int64, err error) {
	for query, into := range map[string]*int64{"PRAGMA page_size": &size, "PRAGMA page_count": &pages, "PRAGMA freelist_count": &free} {
		if err := db.reader.QueryRowContext(ctx, query).Scan(into); err != nil {
			return 0, 0, 0, fmt.Errorf("measure the database: %w", Named(err))
		}
	}
	return size, pages, free, nil
}

// FreeBytes is how much of the file deleted rows have left, and how large it is. PostgreSQL uses such space again by itself: 0.
func (db *DB) FreeBytes(ctx context.Context) (free, file int64, err error) {
	if db.pg != nil {
		return 0, 0, nil
	}
	size, pages, unused, err := db.pageCounts(ctx)
	return size * unused, size * pages, err
}

// Vacuum gives pages that deleted rows have left back to the disk, at most pages of them.
func (db *DB) Vacuum(ctx context.Context, pages int) error {
	if db.writer == nil {
		return ErrReadOnly
	}
	if db.pg != nil {
		return nil
	}
	rows, err := db.writer.QueryContext(ctx, "PRAGMA incremental_vacuum("+strconv.Itoa(pages)+")")
	if err != nil {
		return fmt.Errorf("give back free pages: %w", Named(err))
	}
	defer rows.Close()
	for rows.Next() { // each step of it gives back a page
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("give back free pages: %w", Named(err))
	}
	return nil
}
