package webapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEverySentinelHasACode walks the packages that handlers call and fails when one of their
// exported errors stands in neither table of faults: it would reach callers as "internal".
func TestEverySentinelHasACode(t *testing.T) {
	t.Parallel()
	tables := ""
	for _, file := range []string{"fault.go", "../command/fault.go"} {
		text, err := os.ReadFile(file)
		must(t, err)
		tables += string(text)
	}
	found := 0
	for _, dir := range []string{"../../logdb", "../bus", "../cloud/account", "../cloud/registry", "../cloud/ingest", "../cloud/realtime"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			must(t, err)
			for _, d := range file.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, spec := range g.Specs {
					for _, id := range spec.(*ast.ValueSpec).Names {
						if !strings.HasPrefix(id.Name, "Err") {
							continue
						}
						found++
						if want := file.Name.Name + "." + id.Name; !strings.Contains(tables, want+",") {
							t.Errorf("%s stands in no table of faults", want)
						}
					}
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d sentinels were found: the walk looks in the wrong place", found)
	}
}
