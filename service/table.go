package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is text in columns. A head that begins with ">" is aligned to the right.
type table struct {
	heads []string
	rows  [][]string
}

func newTable(heads ...string) *table { return &table{heads: heads} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints heads, a rule and rows, two spaces between columns, none at line ends.
func (t *table) write(w io.Writer) error {
	widths := make([]int, len(t.heads))
	heads := make([]string, len(t.heads))
	for i, h := range t.heads {
		heads[i] = strings.TrimPrefix(h, ">")
		widths[i] = utf8.RuneCountInString(heads[i])
	}
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
	}
	for _, row := range append([][]string{heads, rule}, t.rows...) {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if strings.HasPrefix(t.heads[i], ">") {
				line.WriteString(fill + cell)
			} else {
				line.WriteString(cell + fill)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return nil
}

// wideTable is the width from which a table is cut into several.
const wideTable = 140

// writeCut prints a table that is too wide as several below each other, each with the
// first column.
func (t *table) writeCut(w io.Writer) error {
	widths := make([]int, len(t.heads))
	for i, h := range t.heads {
		widths[i] = utf8.RuneCountInString(strings.TrimPrefix(h, ">"))
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for first := 1; first < len(t.heads); {
		width, last := widths[0], first
		for last < len(t.heads) && (last == first || width+2+widths[last] <= wideTable) {
			width += 2 + widths[last]
			last++
		}
		part := newTable(append([]string{t.heads[0]}, t.heads[first:last]...)...)
		for _, row := range t.rows {
			part.add(append([]string{row[0]}, row[first:last]...)...)
		}
		if first > 1 {
			if _, err := fmt.Fprintln(w); err != nil {
				return fmt.Errorf("write table: %w", err)
			}
		}
		if err := part.write(w); err != nil {
			return err
		}
		first = last
	}
	return nil
}

// printJSON writes v with two spaces of indent.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// formatValue prints a value for people: blank when absent, whole numbers in full, others
// with the 7 digits that a meter's 32 bits hold. Exports and JSON have all digits.
func formatValue(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	if v == math.Trunc(v) {
		return plain(v)
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 7, 64), 64)
	if err != nil {
		return plain(v)
	}
	return plain(short)
}

// plain prints all digits that v needs to be read back unchanged.
func plain(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// count prints n with the plural of its noun.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return grouped(n) + " " + noun + "s"
}

// grouped prints n with thin groups of thousands: 1 234 567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return sign + s
}

// bytesText prints a size with one decimal.
func bytesText(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "B" {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
}
