package metermanager_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of ARCHITECTURE.md")

const module = "metermanager"

// anything allows a row to import every package: the composition root.
const anything = "anything below it"

// row is a package: what it owns, and which of our packages it imports. Leaves are pure
// (no I/O, no clock, no globals), so everybody may import them and no row lists them.
type row struct {
	path    string
	leaf    bool
	owns    string
	imports string // relative to the module, separated by blanks
}

// pkg is what the go command says about a package.
type pkg struct {
	ImportPath, Dir, Name              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

// list returns the packages of the module for an operating system.
func list(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-tags", "ci",
		"-json=ImportPath,Dir,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func relative(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// both collects the imports of the code for Linux and for Windows, ours and those of others.
func both(t *testing.T) (ours, others map[string]map[string]bool) {
	t.Helper()
	ours, others = map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, goos := range []string{"linux", "windows"} {
		for _, p := range list(t, goos) {
			path, ok := relative(p.ImportPath)
			if !ok {
				t.Fatalf("package %s is not of this module", p.ImportPath)
			}
			if ours[path] == nil {
				ours[path], others[path] = map[string]bool{}, map[string]bool{}
			}
			for _, i := range p.Imports {
				if rel, ok := relative(i); ok {
					ours[path][rel] = true
				} else if first, _, _ := strings.Cut(i, "/"); strings.Contains(first, ".") {
					others[path][i] = true
				}
			}
		}
	}
	return ours, others
}

func TestArchitectureImports(t *testing.T) {
	t.Parallel()
	ours, _ := both(t)
	rows, leaf := map[string]row{}, map[string]bool{}
	for _, r := range table {
		if _, twice := rows[r.path]; twice {
			t.Errorf("%s stands twice in the table", r.path)
		}
		rows[r.path] = r
		leaf[r.path] = r.leaf
	}
	for path := range ours {
		if _, ok := rows[path]; !ok {
			t.Errorf("package %s stands in no row of the table", path)
		}
	}
	for path, r := range rows {
		used, exists := ours[path]
		if !exists {
			t.Errorf("the table has a row for %s, which does not exist", path)
			continue
		}
		if r.imports == anything {
			continue
		}
		allowed := strings.Fields(r.imports)
		for i := range used {
			if leaf[i] {
				continue
			}
			if r.leaf {
				t.Errorf("the leaf %s imports %s, which is none", path, i)
			} else if !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s, which its row does not allow", path, i)
			}
		}
		for _, i := range allowed {
			if !used[i] || leaf[i] {
				t.Errorf("the row of %s allows %s needlessly", path, i)
			}
		}
	}
}

// The two sides of the service meet in logs, on the bus and in the four packages that
// serve both, never directly; nothing imports a main package.
func TestArchitectureSides(t *testing.T) {
	t.Parallel()
	ours, _ := both(t)
	for path, imports := range ours {
		for i := range imports {
			if strings.HasPrefix(path, "service/field/") && strings.HasPrefix(i, "service/cloud/") ||
				strings.HasPrefix(path, "service/cloud/") && strings.HasPrefix(i, "service/field/") {
				t.Errorf("%s imports %s: the two sides never see each other", path, i)
			}
			if i == "service" {
				t.Errorf("%s imports the main package %s", path, i)
			}
		}
	}
}

// Who else's code is used where. A line that nobody needs is an error as well.
func TestArchitectureThirdParty(t *testing.T) {
	t.Parallel()
	_, others := both(t)
	needed := map[string]bool{}
	for path, imports := range others {
		for i := range imports {
			pin, ok := pinOf(i)
			if !ok {
				t.Errorf("%s imports %s, which stands in no pin", path, i)
				continue
			}
			if !slices.Contains(strings.Fields(pins[pin]), path) {
				t.Errorf("%s imports %s, which is pinned to %s", path, i, pins[pin])
			}
			needed[pin+" "+path] = true
		}
	}
	for pin, paths := range pins {
		for _, path := range strings.Fields(paths) {
			if !needed[pin+" "+path] {
				t.Errorf("%s is pinned to %s needlessly", pin, path)
			}
		}
	}
}

// pinOf returns the longest pin that an import falls under: one module's packages may be pinned apart.
func pinOf(importPath string) (string, bool) {
	longest, found := "", false
	for pin := range pins {
		if (importPath == pin || strings.HasPrefix(importPath, pin+"/")) && len(pin) >= len(longest) {
			longest, found = pin, true
		}
	}
	return longest, found
}

func TestArchitecturePackages(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "linux") {
		path, _ := relative(p.ImportPath)
		for _, bad := range []string{"util", "utils", "common", "helper", "helpers", "base", "types", "misc"} {
			if p.Name == bad || filepath.Base(path) == bad {
				t.Errorf("package %s says nothing about what it holds", path)
			}
		}
		text, err := os.ReadFile(filepath.Join(p.Dir, "doc.go"))
		if err != nil {
			t.Errorf("package %s has no doc.go", path)
			continue
		}
		for _, part := range []string{"Owns", "Does not own", "May import", "Start reading at"} {
			if !strings.Contains(strings.ReplaceAll(string(text), "\n// ", " "), part) {
				t.Errorf("%s/doc.go lacks %q", path, part)
			}
		}
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); n > 800 {
				t.Errorf("%s/%s has %d lines, at most 800", path, file, n)
			}
		}
	}
}

// ARCHITECTURE.md shows the table above; "make generate" writes it.
func TestArchitectureDocument(t *testing.T) {
	t.Parallel()
	const file, begin, end = "ARCHITECTURE.md", "<!-- table: written by make generate -->\n", "<!-- end of table -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks around the table", file)
	}
	now := document()
	if now == old {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not the one in the test: run make generate", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+now+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString("\n| Package | | Owns | Imports |\n| --- | --- | --- | --- |\n")
	for _, r := range table {
		mark, imports := "", r.imports
		if r.leaf {
			mark = "L"
		}
		if imports == "" {
			imports = "-"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.path, mark, r.owns, imports)
	}
	b.WriteString("\n| Module of others | Used only in |\n| --- | --- |\n")
	names := make([]string, 0, len(pins))
	for pin := range pins {
		names = append(names, pin)
	}
	slices.Sort(names)
	for _, pin := range names {
		fmt.Fprintf(&b, "| `%s` | %s |\n", pin, pins[pin])
	}
	b.WriteString("\n")
	return b.String()
}
