package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const createMigrations = `CREATE TABLE IF NOT EXISTS migration (
	owner TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, applied_ms INTEGER NOT NULL,
	PRIMARY KEY (owner, version)) STRICT`

// Migrate applies the files NNNN_name.sql at the root of files that owner has not applied yet, in
// order and all in one transaction. Each owner counts for itself, so that several packages can keep
// their tables in one database. ErrNewer when the database knows more of owner's files than files.
//
// Of a database that is in use already a copy is taken first (copy.go), and nothing is applied without it. A
// database that was opened for reading is not changed: ErrOlder when something would have to be applied.
func (db *DB) Migrate(ctx context.Context, owner string, files fs.FS) error {
	steps, err := migrations(files)
	if err != nil {
		return fmt.Errorf("list the migrations of %s: %w", owner, err)
	}
	known, err := db.Versions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of %s: %w", owner, err)
	}
	switch done := known[owner]; {
	case done > len(steps):
		return newer(owner, done, len(steps))
	case db.ReadOnly() && done < len(steps):
		return fmt.Errorf("%w: %s is at version %d, this program needs %d", ErrOlder, owner, done, len(steps))
	case db.ReadOnly():
		return nil
	case done < len(steps):
		if err := db.copyFirst(ctx, fmt.Sprintf("%s%04dto%04d", owner, done, len(steps))); err != nil {
			return err
		}
	}
	return db.Write(ctx, func(tx *sql.Tx) error {
		if err := db.script(ctx, tx, createMigrations); err != nil {
			return fmt.Errorf("create the list of migrations: %w", err)
		}
		var done int
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM migration WHERE owner = ?", owner).Scan(&done); err != nil {
			return fmt.Errorf("read the version of %s: %w", owner, err)
		}
		if done > len(steps) {
			return newer(owner, done, len(steps))
		}
		for i, step := range steps[done:] {
			if err := db.script(ctx, tx, step.text); err != nil {
				return fmt.Errorf("apply migration %s of %s: %w", step.name, owner, err)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO migration (owner, version, name, applied_ms) VALUES (?, ?, ?, ?)",
				owner, done+i+1, step.name, db.now().UnixMilli()); err != nil {
				return fmt.Errorf("note migration %s of %s: %w", step.name, owner, err)
			}
			db.log.Info("applied a database migration", "owner", owner, "name", step.name)
		}
		return nil
	})
}

func newer(owner string, done, known int) error {
	return fmt.Errorf("%w: %s is at version %d, this program knows %d; use that version, or put back the copy that it took before (metermanager rollback)", ErrNewer, owner, done, known)
}

// script runs the statements of a migration.
func (db *DB) script(ctx context.Context, tx *sql.Tx, text string) error {
	if db.pg == nil {
		_, err := tx.ExecContext(ctx, text)
		return err
	}
	for _, statement := range pgScript(text) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", shorten(statement), err)
		}
	}
	return nil
}

type migration struct {
	name, text string
}

// migrations reads the numbered files; the numbers must be 1, 2, 3 ... without holes.
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []migration
	for _, name := range names {
		number, _, ok := strings.Cut(path.Base(name), "_")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || len(number) != 4 || n != len(out)+1 {
			return nil, fmt.Errorf("migration %s: want %04d_name.sql", name, len(out)+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		out = append(out, migration{name, string(text)})
	}
	return out, nil
}
