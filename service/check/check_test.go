package check_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/service/check"
	"metermanager/service/check/checktest"
	"metermanager/service/config"
)

func findings(t *testing.T, dir string) []api.CheckFinding {
	t.Helper()
	f, err := check.OpenFolder(t.Context(), dir, slog.New(slog.DiscardHandler))
	must(t, err)
	defer f.Close()
	out, err := f.All(t.Context(), nil)
	must(t, err)
	return out
}

// Each sort of damage is found, in the whole check and in a part of it, and says what to do.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file, query, part, want string
	}{
		{"sound", "", "", "", ""},
		{"a changed block of values", "logs.db", "UPDATE chunk SET data = zeroblob(length(data)) WHERE id = (SELECT max(id) FROM chunk)", "meter/" + string(checktest.Meter) + "/historical", "missing"},
		{"a lost recording", "logs.db", "DELETE FROM sample", "meter/" + string(checktest.Meter) + "/waveform", "samples of entry"},
		{"a changed event", "logs.db", "UPDATE entry SET code = 15 WHERE kind = 3 AND code = 14", "meter/" + string(checktest.Meter) + "/system", "altered"},
		{"a lost fate", "logs.db", "DELETE FROM fate", "meter/" + string(checktest.Meter) + "/historical", "fate"},
		{"an archive file that is not there", "logs.db", "INSERT INTO archive (meter, kind, month, number, name, state, changed_ms) VALUES (1, 1, 674, 1, 'm/1.parquet', 2, 0)", "archive", "missing"},
		{"a row without its table", "meta.db", "DELETE FROM customer", "references/meta.db", "that are not there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			must(t, checktest.Make(t.Context(), dir))
			if c.query != "" {
				must(t, checktest.SetByHand(t.Context(), filepath.Join(dir, c.file), c.query))
			}
			found := findings(t, dir)
			if c.query == "" {
				if len(found) > 0 {
					t.Fatalf("a sound folder: %+v", found)
				}
				return
			}
			f, err := check.OpenFolder(t.Context(), dir, slog.New(slog.DiscardHandler))
			must(t, err)
			defer f.Close()
			one, err := f.Run(t.Context(), c.part)
			must(t, err)
			for what, list := range map[string][]api.CheckFinding{"the whole check": found, c.part: one} {
				hit := false
				for _, x := range list {
					hit = hit || strings.Contains(x.Text, c.want)
					if x.Advice == "" || x.Place == "" {
						t.Errorf("%s: %+v says not where or what to do", what, x)
					}
				}
				if !hit {
					t.Errorf("%s: %+v, want %q", what, list, c.want)
				}
			}
		})
	}
}

// Every part of a check of a sound node is sound, and together they cover all tables.
func TestPartsAreTheWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, checktest.Make(t.Context(), dir))
	f, err := check.OpenFolder(t.Context(), dir, slog.New(slog.DiscardHandler))
	must(t, err)
	defer f.Close()
	parts, err := f.Parts(t.Context())
	must(t, err)
	all := "\n" + strings.Join(parts, "\n") + "\n"
	for _, want := range []string{"table/logs.db/chunk", "table/meta.db/user", "references/logs.db", "archive", "meter/" + string(checktest.Meter) + "/pq"} {
		if !strings.Contains(all, "\n"+want+"\n") {
			t.Errorf("there is no part %s in %s", want, all)
		}
	}
	for _, part := range parts {
		if found, err := f.Run(t.Context(), part); err != nil || len(found) > 0 {
			t.Errorf("%s: %+v, %v", part, found, err)
		}
	}
	for _, part := range []string{"", "table", "table/logs.db/none", "table/x.db/chunk", "meter/x", "meter/x/none", "references/none", `table/logs.db/chunk"); DROP TABLE chunk; --`} {
		if _, err := f.Run(t.Context(), part); !errors.Is(err, check.ErrNoPart) {
			t.Errorf("part %q: %v", part, err)
		}
	}
}

func TestDamagedFileIsAFinding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, checktest.Make(t.Context(), dir))
	path := config.LogsFile(dir)
	text, err := os.ReadFile(path)
	must(t, err)
	for i := 20 * 4096; i < 60*4096 && i < len(text); i++ {
		text[i] = 0xaa
	}
	must(t, os.WriteFile(path, text, 0o600))
	found := findings(t, dir)
	if len(found) == 0 || found[0].Place != "logs.db" || !strings.Contains(found[0].Advice, "restore") {
		t.Errorf("a file with damaged pages: %+v", found)
	}
}
