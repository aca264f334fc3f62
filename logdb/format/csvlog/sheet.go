package csvlog

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"metermanager/logdb/format"
)

// sampleRows is how many rows are looked at to find out the form of a file.
const sampleRows = 500

// sheet is a file cut into cells.
type sheet struct {
	delimiter rune
	rows      [][]string
	lines     []int // of rows, from 1
	preamble  int   // rows before the table
	names     []string
	units     []string // nil, or of each column
}

// Sniff reports whether a file is a table with a column of times. A name that ends in .csv or .tsv decides
// where the content does not contradict.
func Sniff(name string, head []byte) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	if ext := path.Ext(name); ext == ".csv" || ext == ".tsv" {
		return bytes.IndexByte(head, 0) < 0 || bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
	}
	if bytes.IndexByte(head, 0) >= 0 || bytes.HasPrefix(bytes.TrimSpace(head), []byte("<")) {
		return false
	}
	if i := bytes.LastIndexByte(head, '\n'); i >= 0 {
		head = head[:i] // the last line may be cut
	}
	s, err := cut("", string(head), Mapping{})
	if err != nil || len(s.rows) < 2 {
		return false
	}
	_, _, err = findTime("", s, Mapping{})
	return err == nil
}

// cut cuts a text into rows, and finds the delimiter and the header.
func cut(file, text string, m Mapping) (*sheet, error) {
	s := &sheet{delimiter: m.Delimiter}
	if s.delimiter == 0 {
		s.delimiter = delimiterOf(text)
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = s.delimiter, -1, true, s.delimiter != '\t'
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			e := &format.Error{File: file, What: "the table cannot be read", Err: err, Do: "Check the quotes, and name the delimiter"}
			var p *csv.ParseError
			if errors.As(err, &p) {
				e.Line, e.Err = p.Line, p.Err
			}
			return nil, e
		}
		if len(row) == 1 && strings.TrimSpace(row[0]) == "" {
			continue
		}
		line, _ := r.FieldPos(0)
		s.rows, s.lines = append(s.rows, row), append(s.lines, line)
	}
	if len(s.rows) == 0 {
		return nil, &format.Error{File: file, What: "the file is empty"}
	}
	s.dropPreamble()
	s.takeHeader(m)
	return s, nil
}

// delimiterOf chooses what cuts most of the first lines into the same number of cells, at least two.
func delimiterOf(text string) rune {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
		if len(lines) == 100 {
			break
		}
	}
	best, most := ',', 0
	for _, d := range []rune{'\t', ';', '|', ','} {
		counts := map[int]int{}
		for _, line := range lines {
			quoted := false
			n := 0
			for _, c := range line {
				switch {
				case c == '"':
					quoted = !quoted
				case c == d && !quoted:
					n++
				}
			}
			if n > 0 {
				counts[n]++
			}
		}
		for _, n := range counts {
			if n > most {
				best, most = d, n
			}
		}
	}
	return best
}

// dropPreamble leaves out what stands before the table: lines of fewer cells than most have, and comments.
func (s *sheet) dropPreamble() {
	counts := map[int]int{}
	for _, row := range s.rows[:min(len(s.rows), sampleRows)] {
		counts[len(row)]++
	}
	width, most := 0, 0
	for w, n := range counts {
		if n > most || n == most && w > width {
			width, most = w, n
		}
	}
	n := 0
	for n < len(s.rows)-1 && (len(s.rows[n]) < width && width > 1 || strings.HasPrefix(s.rows[n][0], "#")) {
		n++
	}
	s.preamble = n
	s.rows, s.lines = s.rows[n:], s.lines[n:]
}

// takeHeader takes the line of names off, and a line of units below it.
func (s *sheet) takeHeader(m Mapping) {
	if m.Header == HeaderYes || m.Header == HeaderAuto && names(s.rows[0]) {
		for _, n := range s.rows[0] {
			s.names = append(s.names, strings.TrimSpace(n))
		}
		s.rows, s.lines = s.rows[1:], s.lines[1:]
		if len(s.rows) > 1 && units(s.rows[0]) {
			s.units = s.rows[0]
			s.rows, s.lines = s.rows[1:], s.lines[1:]
		}
	}
}

// names reports whether no cell of a row is a number or a time, and one is more than a blank.
func names(row []string) bool {
	some := false
	for _, cell := range row {
		cell = strings.TrimSpace(cell)
		if absent[strings.ToLower(cell)] {
			continue
		}
		some = true
		for _, d := range []rune{'.', ','} {
			if _, ok := (numberReader{d}).parse(cell); ok {
				return false
			}
		}
		if _, err := parseDate(cell, dayFirst); err == nil {
			return false
		}
		if _, err := parseDate(cell, monthFirst); err == nil {
			return false
		}
	}
	return some
}

// units reports whether a row holds units and nothing else.
func units(row []string) bool {
	known := 0
	for _, cell := range row {
		cell = strings.Trim(strings.TrimSpace(cell), "[]()")
		if cell == "" {
			continue
		}
		if _, _, ok := format.Unit(cell); ok {
			known++
		} else if _, ok := (numberReader{'.'}).parse(cell); ok {
			return false
		}
	}
	return known > 0
}

// width is the number of columns.
func (s *sheet) width() int {
	n := len(s.names)
	for _, row := range s.rows[:min(len(s.rows), sampleRows)] {
		n = max(n, len(row))
	}
	return n
}

// name returns the name of a column.
func (s *sheet) name(c int) string {
	if c < len(s.names) && s.names[c] != "" {
		return s.names[c]
	}
	return fmt.Sprintf("column %d", c+1)
}

// find returns the column of a name or number, -1 when there is none.
func (s *sheet) find(name string) int {
	if i := slices.Index(s.names, name); i >= 0 {
		return i
	}
	for i, n := range s.names {
		if bare, _ := splitUnit(n); strings.EqualFold(n, name) || strings.EqualFold(bare, name) {
			return i
		}
	}
	var n int
	if _, err := fmt.Sscanf(name+"\n", "%d\n", &n); err == nil && n >= 1 && n <= s.width() {
		return n - 1
	}
	return -1
}

// cell returns a cell, blank where the row is shorter.
func (s *sheet) cell(row, c int) string {
	if r := s.rows[row]; c < len(r) {
		return r[c]
	}
	return ""
}

// columns lists the names, for a message.
func (s *sheet) columns() string {
	var out []string
	for c := range min(s.width(), 12) {
		out = append(out, s.name(c))
	}
	return strings.Join(out, ", ")
}
