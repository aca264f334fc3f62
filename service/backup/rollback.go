package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"metermanager/logdb/sqldb"
	"metermanager/service/config"
)

// ErrNoCopy marks a roll back without a copy to go back to.
var ErrNoCopy = errors.New("there is no copy of that upgrade")

// RolledBack is what a roll back did.
type RolledBack struct {
	Upgrade   string
	Databases []string
	Aside     string // where the databases of the newer version lie
}

// Rollback puts the databases back that were copied before the migrations of an upgrade; "" means the newest. What was
// recorded since lies aside. A kill in between is known, and the next Rollback goes on.
func Rollback(ctx context.Context, data, upgrade string, now func() time.Time) (r RolledBack, err error) {
	unlock, err := config.LockFolder(data)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	m, err := readMarker(data)
	if err != nil {
		return r, err
	}
	if m != nil && m.Phase != phaseRollback {
		return r, Unfinished(data)
	}
	if m == nil {
		if m, err = stageRollback(ctx, data, upgrade, now()); err != nil {
			return r, err
		}
	}
	r = RolledBack{Upgrade: m.Upgrade, Aside: m.Aside}
	copies, err := copiesOf(data, m.Upgrade)
	if err != nil {
		return r, err
	}
	for _, c := range copies {
		r.Databases = append(r.Databases, c.Database)
		if err := swap(data, c.Database, m.Aside); err != nil {
			return r, fmt.Errorf("put back %s: %w", c.Database, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(data, stagingFolder)); err != nil {
		return r, err
	}
	return r, removeMarker(data)
}

// copiesOf lists the copies of an upgrade; "" means the newest.
func copiesOf(data, upgrade string) ([]sqldb.MigrationCopy, error) {
	all, err := sqldb.Copies(sqldb.CopiesFolder(config.MetaFile(data)))
	if err != nil {
		return nil, err
	}
	if upgrade == "" && len(all) > 0 {
		upgrade = all[len(all)-1].Upgrade
	}
	out := slices.DeleteFunc(slices.Clone(all), func(c sqldb.MigrationCopy) bool { return c.Upgrade != upgrade })
	if len(out) == 0 {
		var names []string
		for _, c := range all {
			names = append(names, c.Upgrade)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%w: no upgrade of this folder has migrated anything", ErrNoCopy)
		}
		return nil, fmt.Errorf("%w: %s; there are %s", ErrNoCopy, upgrade, strings.Join(slices.Compact(names), ", "))
	}
	return out, nil
}

// stageRollback copies the copies, checks them and writes the marker.
func stageRollback(ctx context.Context, data, upgrade string, now time.Time) (*marker, error) {
	copies, err := copiesOf(data, upgrade)
	if err != nil {
		return nil, err
	}
	staging := filepath.Join(data, stagingFolder)
	if err := os.RemoveAll(staging); err != nil {
		return nil, err
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return nil, err
	}
	for _, c := range copies {
		to := filepath.Join(staging, c.Database)
		if err := copyFile(c.Path, to); err != nil {
			return nil, fmt.Errorf("copy %s: %w", c.Path, err)
		}
		if err := sound(ctx, to); err != nil {
			return nil, fmt.Errorf("check %s: %w", c.Path, err)
		}
	}
	if err := errors.Join(sameOwner(staging, data), syncFolder(staging)); err != nil {
		return nil, err
	}
	aside, err := makeAside(data, now)
	if err != nil {
		return nil, err
	}
	m := &marker{Phase: phaseRollback, Upgrade: copies[0].Upgrade, Aside: aside}
	return m, m.write(data)
}

func sound(ctx context.Context, path string) (err error) {
	db, err := sqldb.Open(ctx, path, sqldb.Config{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := db.Check(ctx)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%w: %s", sqldb.ErrDamaged, found[0])
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// swap moves a database aside and puts the staged one in its place. While that is staged, what has its name in the
// folder is the old one.
func swap(data, name, aside string) error {
	staged := filepath.Join(data, stagingFolder, name)
	if _, err := os.Stat(staged); errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	for _, end := range []string{"-wal", "-shm", ""} {
		err := os.Rename(filepath.Join(data, name+end), filepath.Join(aside, name+end))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := errors.Join(syncFolder(aside), syncFolder(data)); err != nil {
		return err
	}
	if err := os.Rename(staged, filepath.Join(data, name)); err != nil {
		return err
	}
	return syncFolder(data)
}
