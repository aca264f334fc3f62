package metermanager_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"metermanager/logdb/sqldb"
	"metermanager/service/check/checktest"
	"metermanager/service/config"
)

// described reads docs/schema.md: the columns of every table, by "database table".
func described(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("docs/schema.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	names := regexp.MustCompile("`([a-z0-9_]+)`")
	var database, table string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			database, table = strings.TrimPrefix(line, "## "), ""
		case strings.HasPrefix(line, "### "):
			table, _, _ = strings.Cut(strings.TrimPrefix(line, "### "), " ")
			table = database + " " + table
			out[table] = nil
		case strings.HasPrefix(line, "| `") && table != "":
			cells := strings.SplitN(line, "|", 4)
			for _, m := range names.FindAllStringSubmatch(cells[1], -1) {
				out[table] = append(out[table], m[1])
			}
			if strings.TrimSpace(cells[2]) == "" {
				t.Errorf("%s: %s says nothing", table, cells[1])
			}
		}
	}
	return out
}

// docs/schema.md describes exactly the tables and columns that the migrations make.
func TestSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := checktest.Make(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	doc := described(t)
	seen := map[string]bool{}
	for _, path := range []string{config.LogsFile(dir), config.MetaFile(dir)} {
		db, err := sqldb.Open(t.Context(), path, sqldb.Config{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		tables, err := db.Tables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			name := filepath.Base(path) + " " + table
			if table == "migration" { // described once
				name = "logs.db migration"
			}
			seen[name] = true
			want := columns(t, db, table)
			got := slices.Clone(doc[name])
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("docs/schema.md, %s: describes %v, the table has %v", name, got, want)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name := range doc {
		if !seen[name] {
			t.Errorf("docs/schema.md describes %s, which is not there", name)
		}
	}
}

func columns(t *testing.T, db *sqldb.DB, table string) (out []string) {
	t.Helper()
	rows, err := db.Read().QueryContext(t.Context(), fmt.Sprintf("SELECT name FROM pragma_table_info('%s')", table))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}
