package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"metermanager/logdb/sqldb"
	"metermanager/rpc/api"
	"metermanager/service/check"
)

// Found is what was found when the databases of a backup were opened.
type Found struct {
	Findings []api.CheckFinding // damage; nothing when all is sound
	Notes    []string           // what could not be looked at
}

// Progress is told how far something has come; it may be nil.
type Progress func(text string)

func (p Progress) say(format string, args ...any) {
	if p != nil {
		p(fmt.Sprintf(format, args...))
	}
}

// inspect opens the databases in a folder as a node would find them, and compares them with the manifest. With quick
// only the files are checked, not every record.
func inspect(ctx context.Context, data string, m Manifest, quick bool, progress Progress, logger *slog.Logger) (out Found, err error) {
	f, err := check.OpenFolder(ctx, data, logger)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out.Notes = f.Notes
	for name, db := range map[string]*sqldb.DB{metaName: f.Meta, logsName: f.Base} {
		if db == nil { // too damaged to be opened, which the findings say
			continue
		}
		if err := compareDatabase(ctx, db, name, m.Databases[name]); err != nil {
			return out, err
		}
	}
	if quick {
		f.Logs, f.Sync = nil, nil // closed by its database
		out.Notes = append(out.Notes, "Not every record was looked at (--quick).")
	}
	out.Findings, err = f.All(ctx, func(done, all int, part string) { progress.say("checking %d of %d: %s", done+1, all, part) })
	return out, err
}

func compareDatabase(ctx context.Context, db *sqldb.DB, name string, want Database) error {
	versions, err := db.Versions(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	rows, err := db.Counts(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !maps.Equal(versions, want.Versions) {
		return fmt.Errorf("%w: %s is at versions %v, the manifest says %v", ErrDamaged, name, versions, want.Versions)
	}
	for _, table := range slices.Sorted(maps.Keys(want.Rows)) {
		if rows[table] != want.Rows[table] {
			return fmt.Errorf("%w: table %s of %s has %d rows, the manifest says %d", ErrDamaged, table, name, rows[table], want.Rows[table])
		}
	}
	if len(rows) != len(want.Rows) {
		return fmt.Errorf("%w: %s has %d tables, the manifest says %d", ErrDamaged, name, len(rows), len(want.Rows))
	}
	return nil
}

// VerifyOptions say how a backup is looked at.
type VerifyOptions struct {
	Passphrase string
	// Temp is the folder in which the databases are unpacked to be opened; "" means beside the file.
	Temp     string
	Quick    bool
	Progress Progress
	Logger   *slog.Logger
}

// Verify reads a backup back: every checksum, and both databases as a node would open them.
func Verify(ctx context.Context, file string, o VerifyOptions) (m Manifest, found Found, err error) {
	if o.Temp == "" {
		o.Temp = filepath.Dir(file)
	}
	temp, err := os.MkdirTemp(o.Temp, ".check-*.tmp")
	if err != nil {
		return m, found, fmt.Errorf("make room to check the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if m, err = extract(ctx, file, temp, o.Passphrase, o.Progress); err != nil {
		return m, found, err
	}
	found, err = inspect(ctx, temp, m, o.Quick, o.Progress, o.Logger)
	return m, found, err
}

// extract unpacks what belongs into a data folder.
func extract(ctx context.Context, file, to, passphrase string, progress Progress) (Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return Manifest{}, fmt.Errorf("open the backup: %w", err)
	}
	defer f.Close()
	x := &extraction{to: to, progress: progress, folders: map[string]bool{}}
	m, err := Read(ctx, f, passphrase, x.visit)
	if err != nil {
		return m, err
	}
	return m, x.sync()
}

// restoredConfig is the name of the configuration that the node ran with, in a restored folder.
const restoredConfig = "restored-config.json"

// place says where a file of a backup goes; "" when it stays out.
func place(name string) string {
	if name == effectiveName {
		return restoredConfig
	}
	inside, ok := strings.CutPrefix(name, dataPrefix)
	first, _, _ := strings.Cut(inside, "/")
	if !ok || first == "lock" || first == markerFile || first == stagingFolder {
		return ""
	}
	return inside
}
