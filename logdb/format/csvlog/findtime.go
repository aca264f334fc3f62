package csvlog

import (
	"fmt"
	"strconv"
	"strings"

	"metermanager/logdb/format"
)

const doTime = "Name the columns of the time and its form, such as DD.MM.YYYY hh:mm:ss"

// timeCell returns the time of a row.
func timeCell(s *sheet, row int, columns []int) string {
	if len(columns) == 1 {
		return strings.TrimSpace(s.cell(row, columns[0]))
	}
	var parts []string
	for _, c := range columns {
		parts = append(parts, strings.TrimSpace(s.cell(row, c)))
	}
	return strings.Join(parts, " ")
}

// findTime finds the columns of the time and how they are written.
func findTime(file string, s *sheet, m Mapping) ([]int, timeReader, error) {
	var named []int
	for _, name := range m.Time {
		c := s.find(name)
		if c < 0 {
			return nil, timeReader{}, &format.Error{File: file, What: fmt.Sprintf("there is no column %q", name), Do: "The columns are: " + s.columns()}
		}
		named = append(named, c)
	}
	if len(s.rows) == 0 {
		return nil, timeReader{}, &format.Error{File: file, What: "there is no line of data"}
	}
	tries := [][]int{named}
	if named == nil {
		tries = nil
		for c := range min(s.width(), 20) {
			tries = append(tries, []int{c, c + 1}, []int{c})
		}
	}
	for _, columns := range tries {
		if r, ok := formOf(s, columns, m.TimeForm); ok {
			return columns, r, nil
		}
	}
	what := "no column holds times; the columns are " + s.columns()
	if named != nil {
		what = fmt.Sprintf("the time %q cannot be read", timeCell(s, 0, named))
	}
	return nil, timeReader{}, &format.Error{File: file, Line: s.lines[0], What: what, Do: doTime}
}

// formOf finds how the times of some columns are written: nine of ten of the first rows must fit, all but one of few.
func formOf(s *sheet, columns []int, form string) (timeReader, bool) {
	rows := min(len(s.rows), sampleRows)
	if len(columns) == 2 && (columns[1] >= s.width() || form == "" && !dateAndTime(s, columns)) {
		return timeReader{}, false
	}
	try := func(r timeReader, rows int) (good int) {
		for i := range rows {
			if _, err := r.parse(timeCell(s, i, columns)); err == nil {
				good++
			}
		}
		return good
	}
	enough := func(n, rows int) bool { return n > 0 && (n*10 >= rows*9 || n >= 2 && rows-n <= 1) }
	if form != "" && form != "iso" {
		r := timeReader{form: form}
		return r, enough(try(r, rows), rows)
	}
	day, month := try(timeReader{form: "iso"}, rows), try(timeReader{form: "iso", order: monthFirst}, rows)
	if enough(max(day, month), rows) {
		r := timeReader{form: "iso"}
		if day == month { // the first days of a month: the rest of the file decides, else the point or slash
			day, month = try(r, len(s.rows)), try(timeReader{form: "iso", order: monthFirst}, len(s.rows))
		}
		if month > day {
			r.order = monthFirst
		}
		return r, true
	}
	if form == "iso" || len(columns) > 1 {
		return timeReader{}, false
	}
	r, ok := epoch(s.cell(0, columns[0]))
	return r, ok && enough(try(r, rows), rows)
}

// dateAndTime reports whether a date without a time stands beside a time of day.
func dateAndTime(s *sheet, columns []int) bool {
	date, clock := strings.TrimSpace(s.cell(0, columns[0])), strings.TrimSpace(s.cell(0, columns[1]))
	return !strings.Contains(date, ":") && strings.Contains(clock, ":") && !strings.ContainsAny(clock, "/") && len(clock) <= 24
}

// epoch tells seconds, milliseconds and microseconds since 1970 apart by their size: years 1990 to 2100.
func epoch(cell string) (timeReader, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	if err != nil {
		return timeReader{}, false
	}
	for form, unit := range map[string]float64{"s": 1, "ms": 1e3, "us": 1e6} {
		if v >= 631_152_000*unit && v < 4_102_444_800*unit {
			return timeReader{form: form}, true
		}
	}
	return timeReader{}, false
}
