package check_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"metermanager/cloudsync/clouddb"
	"metermanager/logdb/sqldb"
	"metermanager/logdb/sqlite"
	"metermanager/service/check"
	"metermanager/service/check/checktest"
	"metermanager/service/config"
	"metermanager/service/metadb"
)

// freeze stores the databases as this version writes them, to be opened by all later ones:
// go test ./service/check -run StoredVersions -freeze 0.1.0
var freeze = flag.String("freeze", "", "store the databases of this version under that name")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var storedFiles = []string{"logs.db", "meta.db"}

const storedFolder = "testdata/schema"

// record is what a stored version held.
type record struct {
	Versions map[string]map[string]int `json:"versions"`
	Content  []string                  `json:"content"` // checktest.Content, line by line
}

// TestStoredVersions opens what every released version has written: it is migrated after a copy was taken, is sound, and
// holds the same records.
func TestStoredVersions(t *testing.T) {
	t.Parallel()
	if *freeze != "" {
		store(t, filepath.Join(storedFolder, *freeze))
	}
	all, err := filepath.Glob(storedFolder + "/*")
	must(t, err)
	if len(all) == 0 {
		t.Fatal("no version is stored")
	}
	for _, version := range all {
		t.Run(filepath.Base(version), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			text, err := os.ReadFile(filepath.Join(version, "content.json"))
			must(t, err)
			var want record
			must(t, json.Unmarshal(text, &want))
			for _, name := range storedFiles {
				unpack(t, filepath.Join(version, name+".gz"), filepath.Join(dir, name))
			}
			migrated := migrate(t, dir, want)
			f, err := check.OpenFolder(t.Context(), dir, slog.New(slog.DiscardHandler))
			must(t, err)
			defer f.Close()
			found, err := f.All(t.Context(), nil)
			must(t, err)
			for _, one := range found {
				t.Errorf("after the migration: %+v", one)
			}
			if len(f.Notes) > 0 {
				t.Errorf("not everything could be looked at: %v", f.Notes)
			}
			got, err := checktest.Content(t.Context(), f.Logs)
			must(t, err)
			if got != strings.Join(want.Content, "\n")+"\n" {
				t.Errorf("it holds\n%s\nwant\n%s", got, strings.Join(want.Content, "\n"))
			}
			sameSchema(t, dir)
			copies, err := sqldb.Copies(filepath.Join(dir, "copies"))
			must(t, err)
			if migrated != (len(copies) > 0) {
				t.Errorf("migrated: %v, copies: %v", migrated, copies)
			}
		})
	}
}

// sameSchema compares the tables of a migrated folder with those of a new one: who changes a migration that has been applied somewhere, instead of adding one,
// would make databases that differ by when they were made.
func sameSchema(t *testing.T, dir string) {
	t.Helper()
	fresh := t.TempDir()
	must(t, checktest.Make(t.Context(), fresh))
	for _, name := range storedFiles {
		got, want := schemaOf(t, filepath.Join(dir, name)), schemaOf(t, filepath.Join(fresh, name))
		for table, text := range want {
			if got[table] != text {
				t.Errorf("%s: after the migration %s is\n%s\na new one is\n%s", name, table, got[table], text)
			}
		}
		for table := range got {
			if want[table] == "" {
				t.Errorf("%s: after the migration there is %s, which a new one has not", name, table)
			}
		}
	}
}

// schemaOf returns what made each table and index.
func schemaOf(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sqldb.Open(t.Context(), path, sqldb.Config{ReadOnly: true})
	must(t, err)
	defer db.Close()
	rows, err := db.Read().QueryContext(t.Context(), `SELECT type || ' ' || name, coalesce(sql, 'of itself') FROM sqlite_schema`)
	must(t, err)
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, text string
		must(t, rows.Scan(&name, &text))
		out[name] = text
	}
	must(t, rows.Err())
	return out
}

// migrate opens a stored folder as a node does, and reports whether that changed the schema.
func migrate(t *testing.T, dir string, want record) (migrated bool) {
	t.Helper()
	ctx := t.Context()
	meta, err := sqldb.Open(ctx, config.MetaFile(dir), sqldb.Config{})
	must(t, err)
	logs, err := sqlite.Open(ctx, config.LogsFile(dir), sqlite.Config{Beside: []*sqldb.DB{meta}})
	must(t, err)
	defer func() { must(t, errors.Join(logs.Close(), meta.Close())) }()
	meta.Beside(logs.Database())
	_, err = metadb.OpenCloud(ctx, meta)
	must(t, err)
	field, err := metadb.OpenField(ctx, meta)
	must(t, err)
	sync, err := clouddb.New(ctx, meta, clouddb.Config{MasterKey: checktest.MasterKey()})
	must(t, err)
	must(t, logs.Compact(ctx, checktest.Meter))
	clouds, err := sync.Destinations(ctx)
	must(t, err)
	if len(clouds) != 1 || clouds[0].Password != checktest.Password || clouds[0].Host != "cloud.example.net" {
		t.Errorf("the clouds are %+v", clouds)
	}
	meters, err := field.Meters(ctx)
	must(t, err)
	if len(meters) != 1 || meters[0].UID != checktest.Meter || meters[0].Zone != "Europe/Berlin" {
		t.Errorf("the meters are %+v", meters)
	}
	for name, db := range map[string]*sqldb.DB{"logs.db": logs.Database(), "meta.db": meta} {
		now, err := db.Versions(ctx)
		must(t, err)
		for owner, version := range now {
			if old := want.Versions[name][owner]; old > version {
				t.Errorf("%s of %s was at %d, is at %d", owner, name, old, version)
			} else {
				migrated = migrated || old < version
			}
		}
	}
	return migrated
}

func store(t *testing.T, to string) {
	t.Helper()
	dir := t.TempDir()
	ctx := context.WithoutCancel(t.Context())
	must(t, checktest.Make(ctx, dir))
	must(t, os.MkdirAll(to, 0o755))
	var r record
	r.Versions = map[string]map[string]int{}
	logs, err := sqlite.Open(ctx, config.LogsFile(dir), sqlite.Config{})
	must(t, err)
	text, err := checktest.Content(ctx, logs)
	must(t, err)
	r.Content = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	must(t, logs.Close())
	for _, name := range storedFiles {
		db, err := sqldb.Open(ctx, filepath.Join(dir, name), sqldb.Config{})
		must(t, err)
		r.Versions[name], err = db.Versions(ctx)
		must(t, errors.Join(err, db.Close()))
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		var out bytes.Buffer
		w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		must(t, err)
		_, err = w.Write(data)
		must(t, errors.Join(err, w.Close(), os.WriteFile(filepath.Join(to, name+".gz"), out.Bytes(), 0o644)))
	}
	doc, err := json.MarshalIndent(r, "", " ")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(to, "content.json"), append(doc, '\n'), 0o644))
}

func unpack(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	must(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	must(t, err)
	data, err := io.ReadAll(r)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o600))
}
