package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTexts has every mutation apply to the tree as it is.
func TestTexts(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range table() {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := m.apply(string(text)); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if names[m.name] || len(m.tests) == 0 {
			t.Errorf("%s: twice, or without a test", m.name)
		}
		names[m.name] = true
	}
	for _, name := range inHarness {
		if !names["fault harness: "+name] {
			t.Errorf("%s: no mutation has this name", name)
		}
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	x := test{pkg: "./a/b"}
	for out, want := range map[string]string{
		`{"Action":"fail","Package":"p","Test":"TestX/one"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestX"}`: "a/b TestX/one",
		`{"Action":"fail","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestX/one"}`: "a/b TestX/one",
		`{"Action":"fail","Package":"p"}`: "a/b the process dying",
	} {
		if got, err := x.verdict([]byte(out), ""); err != nil || got != want {
			t.Errorf("%s: %q, %v", out, got, err)
		}
	}
	if got, err := x.verdict([]byte(`{"Action":"fail","Package":"p","FailedBuild":"p"}`), ""); err == nil {
		t.Errorf("a broken build counts as %q", got)
	}
}

func TestReportKeepsWhatWasNotRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.md")
	all := table()
	row := func(i int, by string) string { return "| " + all[i].name + " | `f` | `" + by + "` |\n" }
	if err := writeReport(path, map[string]string{all[0].name: row(0, "a"), all[2].name: row(2, "b")}); err != nil {
		t.Fatal(err)
	}
	if err := writeReport(path, map[string]string{all[1].name: row(1, "c"), all[2].name: row(2, "d")}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != reportHead+row(0, "a")+row(1, "c")+row(2, "d") {
		t.Errorf("%s%v", got, err)
	}
}
