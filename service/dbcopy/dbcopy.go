package dbcopy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"metermanager/cloudsync/clouddb"
	"metermanager/logdb"
	"metermanager/logdb/postgres"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/service/config"
	"metermanager/service/metadb"
)

// ErrDifferent marks a copy that is not what was copied.
var ErrDifferent = errors.New("the copy differs")

// Side is one of the two places: a data folder, or the address of a PostgreSQL database with the data folder of the node.
type Side struct {
	Folder   string
	Database string // "" for files in the folder
}

// String names the side without secrets.
func (s Side) String() string {
	if s.Database != "" {
		return sqldb.HidePassword(s.Database)
	}
	return s.Folder
}

// Progress is told how far the copy is. what is logs, meta or compare.
type Progress func(what string, done, total int64)

// Result says what was copied and compared.
type Result struct {
	Rows    int64 // of all tables
	Meters  int
	Streams int
	Days    int // digests that were compared
}

// opened is both databases of a side.
type opened struct {
	meta *sqldb.DB
	logs *sqlite.Store
}

// open opens a side, and makes its tables when they are missing.
func (s Side) open(ctx context.Context) (*opened, error) {
	o := &opened{}
	var err error
	if s.Database == "" {
		if err := os.MkdirAll(s.Folder, 0o700); err != nil {
			return nil, fmt.Errorf("make the data folder: %w", err)
		}
		o.meta, err = sqldb.Open(ctx, config.MetaFile(s.Folder), sqldb.Config{})
	} else {
		o.meta, err = sqldb.Open(ctx, s.Database, sqldb.Config{Part: postgres.MetaPart})
	}
	if err != nil {
		return nil, fmt.Errorf("open the database of meters and users: %w", err)
	}
	if s.Database == "" {
		o.logs, err = sqlite.Open(ctx, config.LogsFile(s.Folder), sqlite.Config{})
	} else {
		o.logs, err = postgres.Open(ctx, s.Database, config.ArchiveFolder(s.Folder), sqlite.Config{})
	}
	if err != nil {
		return nil, errors.Join(err, o.meta.Close())
	}
	return o, nil
}

// migrate makes the tables of accounts, meters and cloud sync, which others own.
func (o *opened) migrate(ctx context.Context) error {
	if _, err := metadb.OpenCloud(ctx, o.meta); err != nil {
		return err
	}
	if _, err := metadb.OpenField(ctx, o.meta); err != nil {
		return err
	}
	// The key seals secrets; making tables needs none.
	_, err := clouddb.New(ctx, o.meta, clouddb.Config{MasterKey: make([]byte, 32)})
	return err
}

func (o *opened) close() error { return errors.Join(o.logs.Close(), o.meta.Close()) }

// Copy copies both databases of a node, which must not run, into a place whose tables are empty or missing, and compares them. A copy that is cut short leaves
// tables without rows, or the logs alone, which nobody takes for a node: it has no users.
func Copy(ctx context.Context, to, from Side, progress Progress) (out Result, err error) {
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	src, err := from.open(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	dst, err := to.open(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, dst.close()) }()
	for _, o := range []*opened{src, dst} {
		if err := o.migrate(ctx); err != nil {
			return out, fmt.Errorf("bring the tables up to date: %w", err)
		}
	}
	for _, part := range []struct {
		what     string
		to, from *sqldb.DB
	}{{"logs", dst.logs.Database(), src.logs.Database()}, {"meta", dst.meta, src.meta}} {
		n := int64(0)
		err := sqldb.CopyRows(ctx, part.to, part.from, func(done, total int64) { n = done; progress(part.what, done, total) })
		if err != nil {
			return out, fmt.Errorf("copy %s: %w", part.what, err)
		}
		out.Rows += n
	}
	return out, compare(ctx, dst, src, &out, progress)
}

// Files are the databases of a node as files in a folder of their own.
type Files struct {
	o    *opened
	Meta *sqldb.DB
	Logs *sqldb.DB
}

// Export copies both databases of a node, which may work meanwhile, into files in a folder: as they were at one and the same moment.
// Close must be called.
func Export(ctx context.Context, folder string, meta, logs *sqldb.DB) (f *Files, err error) {
	o, err := Side{Folder: folder}.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if err := o.migrate(ctx); err != nil {
		return nil, fmt.Errorf("make the tables: %w", err)
	}
	images, err := sqldb.Pin(ctx, meta, logs)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, image := range images {
			_ = image.Close() // it only reads
		}
	}()
	for i, to := range []*sqldb.DB{o.meta, o.logs.Database()} {
		if err := images[i].CopyRows(ctx, to); err != nil {
			return nil, fmt.Errorf("copy %s: %w", to.Path(), err)
		}
		want, err := images[i].Counts(ctx)
		if err != nil {
			return nil, err
		}
		have, err := to.Counts(ctx)
		if err != nil {
			return nil, err
		}
		if err := sameRows(have, want); err != nil {
			return nil, err
		}
	}
	return &Files{o, o.meta, o.logs.Database()}, nil
}

// Close closes the files.
func (f *Files) Close() error { return f.o.close() }

// compare holds the rows of every table and the digests of every stream against each other, computed from what each side holds.
func compare(ctx context.Context, dst, src *opened, out *Result, progress Progress) error {
	for _, pair := range [][2]*sqldb.DB{{dst.logs.Database(), src.logs.Database()}, {dst.meta, src.meta}} {
		if err := sameCounts(ctx, pair[0], pair[1]); err != nil {
			return err
		}
	}
	meters, err := src.logs.Meters(ctx)
	if err != nil {
		return err
	}
	for i, uid := range meters {
		progress("compare", int64(i), int64(len(meters)))
		out.Meters++
		for _, kind := range logdb.Kinds {
			if err := sameStreams(ctx, dst, src, uid, kind, out); err != nil {
				return err
			}
		}
	}
	progress("compare", int64(len(meters)), int64(len(meters)))
	return nil
}

func sameCounts(ctx context.Context, a, b *sqldb.DB) error {
	have, err := a.Counts(ctx)
	if err != nil {
		return err
	}
	want, err := b.Counts(ctx)
	if err != nil {
		return err
	}
	return sameRows(have, want)
}

func sameRows(have, want map[string]int64) error {
	for table, n := range want {
		if table != "migration" && table != "writer" && have[table] != n {
			return fmt.Errorf("%w: table %s has %d rows, want %d", ErrDifferent, table, have[table], n)
		}
	}
	return nil
}

func sameStreams(ctx context.Context, dst, src *opened, uid logdb.MeterUID, kind logdb.Kind, out *Result) error {
	states, err := src.logs.Streams(ctx, uid, kind)
	if err != nil {
		return err
	}
	for _, s := range states {
		out.Streams++
		want, err := src.logs.Digests(ctx, uid, kind, s.Stream)
		if err != nil {
			return err
		}
		have, err := dst.logs.Digests(ctx, uid, kind, s.Stream)
		if err != nil {
			return err
		}
		out.Days += len(want)
		if !slices.Equal(have, want) {
			return fmt.Errorf("%w: meter %s, %s, stream %s", ErrDifferent, uid, kind, s.Stream)
		}
	}
	return nil
}
