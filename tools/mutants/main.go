package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const reportHead = `# Mutations

Lines of the no-loss logic that were broken on purpose, and the test that noticed: one of those that "make test" runs,
with fixed seeds where it draws. Written by "make mutants ARGS='-report docs/mutations.md'", which keeps the rows of what
it was not told to run (ARGS="-only TEXT"); the table itself is in tools/mutants.

| What is broken | Where | Noticed by |
| --- | --- | --- |
`

func main() {
	only := flag.String("only", "", "run only mutations whose name holds this text")
	list := flag.Bool("list", false, "print the names and end")
	report := flag.String("report", "", "write what caught which mutation to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *list, *report); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, list bool, report string) error {
	chosen := slices.DeleteFunc(table(), func(m mutation) bool { return !strings.Contains(m.name, only) })
	if list {
		for _, m := range chosen {
			fmt.Println(m.name)
		}
		return nil
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	tree, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := copyTree(root, tree); err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	checked := map[string]bool{}
	bad := 0
	rows := map[string]string{}
	for _, m := range chosen {
		began := time.Now()
		by, caught, err := try(ctx, tree, &m)
		if err == nil && by != nil {
			err = by.sound(ctx, tree, checked)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			bad++
			fmt.Printf("BROKEN    %s: %v\n", m.name, err)
		case caught == "":
			bad++
			fmt.Printf("SURVIVED  %s (%s)\n", m.name, m.file)
		default:
			fmt.Printf("caught    %s: by %s in %.0f s\n", m.name, caught, time.Since(began).Seconds())
			rows[m.name] = fmt.Sprintf("| %s | `%s` | `%s` |\n", m.name, m.file, caught)
		}
	}
	fmt.Printf("\n%d mutations, %d caught\n", len(chosen), len(chosen)-bad)
	if bad > 0 {
		return fmt.Errorf("%d of %d mutations were not caught", bad, len(chosen))
	}
	if report != "" {
		return writeReport(report, rows)
	}
	return nil
}

// writeReport writes the rows in the order of the table. What was not run this time keeps the row that it had.
func writeReport(path string, rows map[string]string) error {
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var out strings.Builder
	out.WriteString(reportHead)
	for _, m := range table() {
		row := rows[m.name]
		for line := range strings.Lines(string(before)) {
			if row == "" && strings.HasPrefix(line, "| "+m.name+" | ") {
				row = line
			}
		}
		out.WriteString(row)
	}
	return os.WriteFile(path, []byte(out.String()), 0o600)
}

// sound runs a test on the tree as it is, once: a test that fails by itself catches nothing.
func (t *test) sound(ctx context.Context, tree string, checked map[string]bool) error {
	key := fmt.Sprint(*t)
	if checked[key] {
		return nil
	}
	failed, err := t.fails(ctx, tree)
	if err != nil {
		return fmt.Errorf("without the mutation: %w", err)
	}
	if failed != "" {
		return fmt.Errorf("without the mutation: %s fails", failed)
	}
	checked[key] = true
	return nil
}

// try applies a mutation, runs its tests and takes it back; it returns what was run when one failed, and which it was.
func try(ctx context.Context, tree string, m *mutation) (by *test, caught string, err error) {
	path := filepath.Join(tree, filepath.FromSlash(m.file))
	sane, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	text, err := m.apply(string(sane))
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, sane, 0o600)) }()
	for i := range m.tests {
		failed, err := m.tests[i].fails(ctx, tree)
		if err != nil || failed != "" {
			return &m.tests[i], failed, err
		}
	}
	return nil, "", nil
}

// apply makes the edits; each text must stand there once.
func (m *mutation) apply(text string) (string, error) {
	for _, e := range m.edits {
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("%s holds the text %d times, want once: %q", m.file, n, e.old)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, nil
}

// fails runs a test and returns what failed, "" when it passes. That it cannot be built is an error: it would prove nothing.
func (t *test) fails(ctx context.Context, tree string) (string, error) {
	args := []string{"test", "-json", "-failfast", "-tags", "ci", "-count=1", "-timeout", "10m"}
	if t.run != "" {
		args = append(args, "-run", t.run)
	}
	cmd := exec.CommandContext(ctx, "go", append(append(args, t.pkg), t.args...)...)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) || ctx.Err() != nil {
		return "", errors.Join(err, ctx.Err())
	}
	return t.verdict(out.Bytes(), errs.String())
}

// verdict finds in the output of "go test -json" what failed first.
func (t *test) verdict(out []byte, errs string) (string, error) {
	failed, built := "", true
	for line := range bytes.Lines(out) {
		var e struct{ Action, Package, Test, FailedBuild string }
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		built = built && e.Action != "build-fail" && e.FailedBuild == ""
		if e.Action == "fail" && e.Test != "" && (failed == "" || len(e.Test) > len(failed) && strings.HasPrefix(e.Test, failed)) {
			failed = e.Test
		}
	}
	if !built {
		return "", fmt.Errorf("%s does not build: %s%s", t.pkg, errs, out)
	}
	if failed == "" {
		failed = "the process dying"
	}
	return strings.TrimPrefix(t.pkg, "./") + " " + failed, nil
}

// moduleRoot is the nearest folder upwards with a go.mod of the program.
func moduleRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module metermanager\n")) {
			return at, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("run this inside the module")
		}
		at = up
	}
}

// copyTree copies what tests need: everything but hidden folders and what was built.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") || rel == "bin" || rel == "tools" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}
