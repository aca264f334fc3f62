package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// importedAndExported puts files into the log of a meter of a running site, twice, and takes the recording out again.
func importedAndExported(t *testing.T, demoDir string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("fault.dat", "1,0,-4,0\n2,1000,2,0\n3,2000,99999,1\n4,3000,7,1\n")
	fault := write("fault.cfg", "Station,Relay,1999\n2,1A,1D\n1,IA,A,,A,0.5,0,0,-99999,99999,100,5,S\n1,TRIP,,,0\n50\n1\n1000,4\n"+
		"01/03/2021,10:00:00.000000\n01/03/2021,10:00:00.002000\nASCII\n1\n")
	load := write("load.csv", "time,P [kW]\n2021-03-01 00:00,1.5\n2021-03-01 00:15,\n2021-03-01 00:30,2.25\n")
	fast := write("fast.csv", "time,v\n2021-03-01T00:00:00Z,1\n2021-03-01T00:00:01Z,2\n")

	args := []string{"log", "import", "--data", demoDir, "--meter", "main-incomer", "--json", "--primary", "--map", "P=import.power", fault, load}
	for round, want := range [][2]int{{1, 0}, {0, 1}} {
		out, errs, code := tool(t, args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != 0 || len(lines) != 2 {
			t.Fatalf("import ends with %d\n%s%s", code, out, errs)
		}
		for i, kind := range []string{"waveform", "historical"} {
			var got struct {
				Imported map[string]struct{ Stored, Repeats, Skipped int }
			}
			if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
				t.Fatal(err)
			}
			if n := got.Imported[kind]; n.Stored != want[0]*(i+1) || n.Repeats != want[1]*(i+1) || n.Skipped != 0 {
				t.Errorf("round %d, %s: %+v", round+1, kind, n)
			}
		}
	}
	if out, errs, code := tool(t, "log", "import", "--data", demoDir, "--meter", "main-incomer", fast); code != 2 || !strings.Contains(errs, "rpc limit.set historical_interval 0s") {
		t.Errorf("rows that a limit would skip: exit code %d\n%s%s", code, out, errs)
	}

	out, errs, code := tool(t, "log", "query", "main-incomer", "--data", demoDir, "--from", "2021-01-01", "--to", "2022-01-01", "--json")
	if code != 0 || !strings.Contains(out, "2.25") || !strings.Contains(out, "import.power") {
		t.Errorf("the rows are not answered: exit code %d\n%s%s", code, out, errs)
	}
	out, _, _ = tool(t, "log", "query", "main-incomer", "waveform", "--data", demoDir, "--from", "2021-01-01", "--to", "2022-01-01")
	id := ""
	for _, word := range strings.Fields(out) {
		if strings.Contains(word, "@") {
			id = word
		}
	}
	for _, c := range []struct{ args, file string }{
		{"--out again.cff", "again.cff"}, {"--revision 1999 --samples ascii --out again.cfg", "again.cfg"}, {"--samples binary32 --out more.CFG", "more.CFG"},
	} {
		words := strings.Fields(strings.ReplaceAll(c.args, "--out ", "--out "+dir+string(filepath.Separator)))
		if out, errs, code := tool(t, append([]string{"log", "export", "main-incomer", "waveform", "--data", demoDir, "--recording", id, "--format", "comtrade"}, words...)...); code != 0 {
			t.Errorf("export %s ends with %d\n%s%s", c.args, code, out, errs)
			continue
		}
		out, errs, code := tool(t, "log", "import", "--dry-run", "--json", filepath.Join(dir, c.file))
		for _, want := range []string{`"name":"IA","unit":"A"`, `"samples":4,"missing":1,"first":-40,"min":-40,"max":70`, `"name":"TRIP","unit":"","digital":true,"samples":4,"first":0,"min":0,"max":1`, `"station":"main-incomer"`} {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s does not say %s\n%s%s", c.file, want, out, errs)
			}
		}
	}
}
