package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	// copiesFolder is where copies are when nobody says otherwise.
	copiesFolder = "copies"
	// keptUpgrades is of how many upgrades the copies are kept.
	keptUpgrades = 3
	// spareBytes must be left on the disk beside a copy.
	spareBytes = 64 << 20
	stampForm  = "20060102T150405Z"
)

// MigrationCopy is a copy that was taken before a migration.
type MigrationCopy struct {
	Path     string
	Database string // name of the database's file
	Upgrade  string // the same for the databases of one start of the program
	Reason   string // the first migration that was to be applied, such as logdb0003to0004
}

// Copies lists the copies in a folder, the oldest first.
func Copies(folder string) ([]MigrationCopy, error) {
	names, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the copies: %w", err)
	}
	var out []MigrationCopy
	for _, e := range names {
		// UPGRADE_DATABASE_REASON.copy
		parts := strings.SplitN(strings.TrimSuffix(e.Name(), ".copy"), "_", 3)
		if !strings.HasSuffix(e.Name(), ".copy") || len(parts) != 3 {
			continue
		}
		out = append(out, MigrationCopy{filepath.Join(folder, e.Name()), parts[1], parts[0], parts[2]})
	}
	slices.SortStableFunc(out, func(a, b MigrationCopy) int { return strings.Compare(a.Upgrade, b.Upgrade) })
	return out, nil
}

// CopiesFolder is the folder of the copies of a database.
func CopiesFolder(database string) string { return filepath.Join(filepath.Dir(database), copiesFolder) }

// Beside adds databases to those of Config.Beside.
func (db *DB) Beside(others ...*DB) { db.cfg.Beside = append(db.cfg.Beside, others...) }

// copyFirst takes a copy of a database that is about to be migrated, and of those that belong to it, once for each Open.
// A copy counts when it has been read back and its name is on the disk.
func (db *DB) copyFirst(ctx context.Context, reason string) error {
	for _, one := range append([]*DB{db}, db.cfg.Beside...) {
		known, err := one.Versions(ctx)
		if err == nil {
			err = one.copyOnce(ctx, known, reason)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) copyOnce(ctx context.Context, known map[string]int, reason string) error {
	if db.pg != nil || db.cfg.VFS != "" || db.fresh || db.copied || len(known) == 0 || db.ReadOnly() {
		return nil
	}
	folder := db.cfg.Copies
	if folder == "" {
		folder = CopiesFolder(db.path)
	}
	upgrade := db.cfg.Upgrade
	if upgrade == "" {
		upgrade = db.now().UTC().Format(stampForm)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of copies: %w", err)
	}
	if err := db.roomFor(ctx, folder); err != nil {
		return err
	}
	to := filepath.Join(folder, upgrade+"_"+filepath.Base(db.path)+"_"+reason+".copy")
	db.log.Info("copying the database before a migration", "path", to, "reason", reason)
	if err := db.takeCopy(ctx, to, known); err != nil {
		return fmt.Errorf("copy the database before a migration (nothing was changed): %w", err)
	}
	db.copied = true
	db.log.Info("copied the database before a migration", "path", to, "undo", "metermanager rollback")
	if err := dropOldCopies(folder, filepath.Base(db.path)); err != nil {
		db.log.Warn("cannot remove old copies", "err", err)
	}
	return nil
}

// roomFor refuses a copy that the disk has no room for.
func (db *DB) roomFor(ctx context.Context, folder string) error {
	if db.cfg.FreeBytes == nil {
		return nil
	}
	size, pages, _, err := db.pageCounts(ctx)
	if err != nil {
		return err
	}
	free, err := db.cfg.FreeBytes(folder)
	if err != nil {
		return fmt.Errorf("look for room for a copy: %w", err)
	}
	if need := size*pages + spareBytes; free < need {
		return fmt.Errorf("%w: a copy of %s is taken before it is migrated, which needs %d MB, and %d MB are free; make room and start again (nothing was changed)",
			ErrFull, db.path, need>>20, free>>20)
	}
	return nil
}

func (db *DB) takeCopy(ctx context.Context, to string, known map[string]int) (err error) {
	unfinished := to + ".tmp"
	// A journal that a killed program left would be taken for that of the new file.
	for _, end := range []string{"-journal", "-wal", "-shm", ""} {
		if err := os.Remove(unfinished + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	defer func() {
		if err != nil {
			_ = os.Remove(unfinished) // the error is what matters
		}
	}()
	f, err := os.OpenFile(unfinished, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // VACUUM INTO takes an empty file
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	if _, err := db.writer.ExecContext(ctx, "VACUUM INTO ?", unfinished); err != nil {
		return Named(err)
	}
	if err := checkCopy(ctx, unfinished, known); err != nil {
		return err
	}
	if err := syncFile(unfinished); err != nil {
		return err
	}
	if err := os.Rename(unfinished, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// checkCopy reads a copy back.
func checkCopy(ctx context.Context, path string, known map[string]int) (err error) {
	c, err := Open(ctx, path, Config{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	found, err := c.Check(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.Join(found, "; "))
	}
	if has, err := c.Versions(ctx); err != nil || !maps.Equal(has, known) {
		return errors.Join(err, fmt.Errorf("the copy is at versions %v, the database at %v", has, known))
	}
	return nil
}

// dropOldCopies removes what a killed program left, and copies of a database but of the newest upgrades.
func dropOldCopies(folder, database string) error {
	all, err := Copies(folder)
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(folder, "*_"+database+"_*.copy.tmp*"))
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c MigrationCopy) bool { return c.Database != database })
	for _, c := range all[:max(0, len(all)-keptUpgrades)] {
		left = append(left, c.Path)
	}
	var errs []error
	for _, path := range left {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder puts the names in a folder on the disk. Windows cannot, and does not need it.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
