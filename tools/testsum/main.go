package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of "go test -json".
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// counts is what the last line says.
type counts struct{ passed, failed, skipped int }

func main() {
	c, err := summarize(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	fmt.Printf("\n%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	if c.failed > 0 {
		os.Exit(1)
	}
}

// summarize copies the results of packages, the output of failed tests and the reasons
// of skipped ones to w. A package that fails without a failed test (it does not build,
// or it dies) counts as one failed test.
func summarize(r io.Reader, w io.Writer) (counts, error) {
	var c counts
	kept := map[string][]string{} // by package and test: its output so far
	failedIn := map[string]int{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(w, lines.Text()) // what the go command says outside the stream
			continue
		}
		key := e.Package + " " + e.Test
		switch {
		case e.Action == "output":
			kept[key] = append(kept[key], e.Output)
		case e.Action == "build-output":
			fmt.Fprint(w, e.Output)
		case e.Test != "":
			c.test(e, kept[key], w)
			if e.Action == "fail" {
				failedIn[e.Package]++
			}
			if e.Action != "run" && e.Action != "pause" && e.Action != "cont" {
				delete(kept, key)
			}
		case e.Action == "fail":
			if failedIn[e.Package] == 0 {
				c.failed++
				fmt.Fprint(w, strings.Join(kept[key], ""))
			}
			fmt.Fprintf(w, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
		case e.Action == "pass":
			fmt.Fprintf(w, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
		}
	}
	return c, lines.Err()
}

// test counts the end of one test.
func (c *counts) test(e event, output []string, w io.Writer) {
	switch e.Action {
	case "pass":
		c.passed++
	case "fail":
		c.failed++
		fmt.Fprintf(w, "--- FAIL: %s %s\n%s", e.Package, e.Test, strings.Join(output, ""))
	case "skip":
		c.skipped++
		reason := "no reason given"
		for _, line := range output {
			if t := strings.TrimSpace(line); !strings.HasPrefix(t, "===") && !strings.HasPrefix(t, "---") && t != "" {
				reason = t
				break
			}
		}
		fmt.Fprintf(w, "skip  %s %s: %s\n", e.Package, e.Test, reason)
	}
}
