package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"metermanager/cloudsync/clouddb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/rpc/api"
	"metermanager/service/config"
)

// Folder is a data folder in which no program works, opened for reading.
type Folder struct {
	Node
	// Notes say what cannot be looked at, and why.
	Notes []string
	// Broken are files that are too damaged to be opened.
	Broken []api.CheckFinding
}

// OpenFolder opens the databases of a data folder for reading. The caller holds its lock.
func OpenFolder(ctx context.Context, data string, logger *slog.Logger) (f *Folder, err error) {
	f = &Folder{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	cfg := sqldb.Config{ReadOnly: true, Logger: logger}
	f.Meta, err = sqldb.Open(ctx, config.MetaFile(data), cfg)
	if err = f.broken("meta.db", err); err != nil {
		return f, fmt.Errorf("open the database of meters and users: %w", err)
	}
	f.Logs, err = sqlite.Open(ctx, config.LogsFile(data), sqlite.Config{ReadOnly: true, Logger: logger})
	switch {
	case err == nil:
		f.Base = f.Logs.Database()
	case errors.Is(err, sqldb.ErrOlder), errors.Is(err, sqldb.ErrNewer):
		f.Logs = nil
		f.Notes = append(f.Notes, "The log database is of another version of this program: its pages are checked, its records are not.")
		f.Base, err = sqldb.Open(ctx, config.LogsFile(data), cfg)
	}
	if err = f.broken("logs.db", err); err != nil {
		return f, fmt.Errorf("open the log database: %w", err)
	}
	if f.Meta == nil {
		return f, nil
	}
	// No secret is opened here, so the key does not matter.
	f.Sync, err = clouddb.New(ctx, f.Meta, clouddb.Config{MasterKey: make([]byte, 32)})
	if errors.Is(err, sqldb.ErrOlder) || errors.Is(err, sqldb.ErrNewer) {
		f.Sync, err = nil, nil
		f.Notes = append(f.Notes, "The database of meters and users is of another version of this program: its pages are checked, the decisions of the cloud sync are not.")
	}
	return f, f.broken("meta.db", err)
}

// broken notes that a file cannot be opened because it is damaged.
func (f *Folder) broken(name string, err error) error {
	if !errors.Is(err, sqldb.ErrDamaged) {
		return err
	}
	f.Broken = append(f.Broken, pages(name, []string{err.Error()})...)
	return nil
}

// Close closes the databases.
func (f *Folder) Close() error {
	var errs []error
	if f.Meta != nil {
		errs = append(errs, f.Meta.Close())
	}
	switch {
	case f.Logs != nil:
		errs = append(errs, f.Logs.Close())
	case f.Base != nil:
		errs = append(errs, f.Base.Close())
	}
	return errors.Join(errs...)
}

// All carries out the whole check of a folder. progress is told of each part and may be nil.
func (f *Folder) All(ctx context.Context, progress func(done, all int, part string)) ([]api.CheckFinding, error) {
	parts, err := f.wholeParts(ctx)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(f.Broken)
	for i, p := range parts {
		if progress != nil {
			progress(i, len(parts), p.name)
		}
		found, err := p.run(ctx)
		if err != nil {
			return out, fmt.Errorf("check %s: %w", p.name, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

type wholePart struct {
	name string
	run  func(context.Context) ([]api.CheckFinding, error)
}

// wholeParts are the parts of a check with both databases as a whole. Where a file is too damaged to list what is in
// it, that is what the check of the file says.
func (f *Folder) wholeParts(ctx context.Context) ([]wholePart, error) {
	var out []wholePart
	for name, db := range f.databases() {
		out = append(out, wholePart{name, func(ctx context.Context) ([]api.CheckFinding, error) { return Database(ctx, name, db) }})
	}
	rest, err := f.meterParts(ctx)
	if err != nil && !errors.Is(err, sqldb.ErrDamaged) {
		return nil, err
	}
	for _, name := range rest {
		out = append(out, wholePart{name, func(ctx context.Context) ([]api.CheckFinding, error) { return f.Run(ctx, name) }})
	}
	return out, nil
}
