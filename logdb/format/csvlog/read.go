package csvlog

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/charset"
)

// Read reads a table; a file that gzip packed is unpacked.
func Read(ctx context.Context, f format.File, o format.Options, m Mapping) (*format.Content, error) {
	text, err := load(f, o)
	if err != nil {
		return nil, err
	}
	c := &format.Content{Kind: Kind, Files: []string{f.Name}}
	decoded, taken, err := charset.Decode(text, o.Charset)
	if err != nil {
		return nil, &format.Error{File: f.Name, What: err.Error(), Do: "Name the character set of the file"}
	}
	if taken != "" {
		c.Assumed = append(c.Assumed, "the text is not UTF-8; read as "+taken)
	}
	o.Report(int64(len(text))/2, int64(len(text)))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := cut(f.Name, decoded, m)
	if err != nil {
		return nil, err
	}
	r := &reader{file: f.Name, opt: o, m: m, sheet: s, content: c}
	if err := r.read(ctx, len(decoded)); err != nil {
		return nil, err
	}
	o.Report(int64(len(text)), int64(len(text)))
	return c, nil
}

func load(f format.File, o format.Options) ([]byte, error) {
	file, err := format.Gunzip(f.Dir).Open(f.Name)
	if err != nil {
		return nil, &format.Error{File: f.Name, What: "cannot be opened", Err: format.Plain(err)}
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, o.Bytes()+1))
	if err != nil {
		return nil, &format.Error{File: f.Name, What: "cannot be read", Err: format.Plain(err)}
	}
	if int64(len(b)) > o.Bytes() {
		return nil, &format.Error{File: f.Name, What: fmt.Sprintf("is larger than %d MiB", o.Bytes()>>20), Do: "Cut it into parts"}
	}
	return b, nil
}

// reader reads one table.
type reader struct {
	file    string
	opt     format.Options
	m       Mapping
	sheet   *sheet
	content *format.Content

	when    timeReader
	columns []int // of the time
	numbers numberReader
	kept    []int // rows whose time was read
	times   []logdb.Millis
}

func (r *reader) assume(text string, args ...any) {
	r.content.Assumed = append(r.content.Assumed, fmt.Sprintf(text, args...))
}

func (r *reader) miss(text string, args ...any) {
	r.content.NotUnderstood = append(r.content.NotUnderstood, fmt.Sprintf(text, args...))
}

func (r *reader) read(ctx context.Context, size int) error {
	s := r.sheet
	if n := s.width() * len(s.rows); n > 4*size+1000 {
		return &format.Error{File: r.file, Line: s.lines[0], What: fmt.Sprintf("some lines have %d cells, most far fewer", s.width()), Do: "Check the delimiter"}
	}
	if s.preamble > 0 {
		r.assume("%d lines before the table were left out", s.preamble)
	}
	var err error
	if r.columns, r.when, err = findTime(r.file, s, r.m); err != nil {
		return err
	}
	if err := r.readTimes(ctx); err != nil {
		return err
	}
	r.numbers = numberReader{r.m.Decimal}
	if r.m.Decimal == 0 {
		r.numbers.decimal = decimalOf(s.rows[:min(len(s.rows), sampleRows)], s.delimiter)
	}
	chosen, err := r.choose()
	if err != nil {
		return err
	}
	for _, c := range chosen {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.column(c)
	}
	if len(r.content.Trends) == 0 {
		return &format.Error{File: r.file, Line: s.lines[0], What: "no column holds numbers beside the time", Do: "Check the delimiter and the decimal sign, and name the columns"}
	}
	r.longRows()
	r.shift()
	return nil
}

// readTimes reads the time of every row.
func (r *reader) readTimes(ctx context.Context) error {
	s, walls := r.sheet, local{zone: r.opt.Location()}
	bad, firstBad, local, back := 0, -1, 0, 0
	var zone *time.Location
	for i := range s.rows {
		if i%100_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		m, err := r.when.parse(timeCell(s, i, r.columns))
		if err != nil {
			if bad++; firstBad < 0 {
				firstBad = i
			}
			continue
		}
		if !m.fixed {
			local++
			m.zone = r.opt.Location()
		}
		at := walls.time(m)
		if zone == nil {
			zone = m.zone
			r.content.Start = at.In(zone)
		}
		ms := logdb.MillisOf(at)
		if n := len(r.times); n > 0 && ms < r.times[n-1] {
			back++
		}
		r.kept, r.times = append(r.kept, i), append(r.times, ms)
	}
	if bad > len(s.rows)/2 || len(r.times) == 0 {
		return &format.Error{File: r.file, Line: s.lines[max(firstBad, 0)], What: fmt.Sprintf("the time %q cannot be read", timeCell(s, max(firstBad, 0), r.columns)), Do: doTime}
	}
	if bad > 0 {
		r.miss("%d lines whose time cannot be read were left out; the first is line %d with %q", bad, s.lines[firstBad], timeCell(s, firstBad, r.columns))
	}
	if back > 0 {
		r.assume("times go back %d times", back)
	}
	r.content.Records = len(r.times)
	if local > 0 && r.opt.Zone == nil {
		r.assume("times carry no offset from UTC; they were read as UTC")
	}
	if walls.repeated > 0 {
		r.assume("%d times fall into an hour that comes twice; they were told apart by their order", walls.repeated)
	}
	if walls.skipped > 0 {
		r.miss("%d times fall into an hour that the clock of %s skips", walls.skipped, r.opt.Location())
	}
	return nil
}

// choose returns the columns to read, and adds an empty trend for each.
func (r *reader) choose() ([]int, error) {
	s := r.sheet
	isTime := map[int]bool{}
	for _, c := range r.columns {
		isTime[c] = true
	}
	var out []int
	named := map[int]bool{}
	for _, want := range r.m.Columns {
		c := s.find(want.Name)
		if c < 0 {
			return nil, &format.Error{File: r.file, What: fmt.Sprintf("there is no column %q", want.Name), Do: "The columns are: " + s.columns()}
		}
		if isTime[c] {
			return nil, &format.Error{File: r.file, What: fmt.Sprintf("column %q is the time", want.Name)}
		}
		named[c] = true
		out = append(out, c)
		r.content.Trends = append(r.content.Trends, r.trend(c, want))
	}
	for c := range s.width() {
		if (len(r.m.Columns) == 0 || r.m.Others) && !isTime[c] && !named[c] {
			out = append(out, c)
			r.content.Trends = append(r.content.Trends, r.trend(c, Column{}))
		}
	}
	return out, nil
}

// trend describes the channel of a column.
func (r *reader) trend(c int, want Column) format.Trend {
	name, unit := splitUnit(r.sheet.name(c))
	if c < len(r.sheet.units) {
		if u := strings.Trim(strings.TrimSpace(r.sheet.units[c]), "[]()"); u != "" {
			unit = u
		}
	}
	if want.Unit != "" {
		unit = want.Unit
	}
	t := format.Trend{Channel: format.Channel{Name: name, Unit: unit, Key: want.Key, Factor: 1}, Log: r.m.Log, Times: r.times}
	if t.Key == "" {
		if k, err := logdb.NormalizeChannel(strings.ToLower(name)); err == nil {
			t.Key = k // a file that this program wrote
		}
	}
	if t.Key != "" && !t.SetKey(t.Key) {
		r.miss("column %s is in %q, but %s is in %q: its values were taken as they are", name, unit, t.Key, logdb.LookupChannel(t.Key).Unit)
	}
	if want.Scale != 0 {
		t.Factor *= want.Scale
	}
	return t
}

// splitUnit takes the unit off a column's name: "W [kW]", "U (V)". One that is joined to it, as in load_kW, stays.
func splitUnit(name string) (bare, unit string) {
	for _, p := range []string{"[]", "()"} {
		if i := strings.LastIndexByte(name, p[0]); i > 0 && strings.HasSuffix(name, p[1:]) {
			return strings.TrimSpace(name[:i]), strings.TrimSpace(name[i+1 : len(name)-1])
		}
	}
	last := name[strings.LastIndexAny(name, "_ ")+1:]
	if u, _, ok := format.Unit(last); ok && (u != "" || last == "%") && strings.ContainsAny(last, "AVWhHz%r") {
		return name, last
	}
	return name, ""
}

// column reads the values of column c into its trend. One of mostly text is left out.
func (r *reader) column(c int) {
	t := r.pending()
	values := make([]float64, 0, len(r.kept))
	texts, numbers, first := 0, 0, -1
	for _, i := range r.kept {
		v, ok := r.numbers.parse(r.sheet.cell(i, c))
		switch {
		case !ok:
			if texts++; first < 0 {
				first = i
			}
			v, _ = r.numbers.parse("")
		case v == v:
			numbers++
		}
		values = append(values, v)
	}
	where := ""
	if first >= 0 {
		where = fmt.Sprintf("the first is %s in line %d", strconv.Quote(short(r.sheet.cell(first, c))), r.sheet.lines[first])
	}
	asked := len(r.m.Columns) > 0 && !r.m.Others
	switch {
	case texts > numbers || numbers == 0 && !asked && texts > 0:
		r.miss("column %s holds text (%s); it was left out", r.sheet.name(c), where)
		r.drop(t)
		return
	case numbers == 0 && !asked && c >= len(r.sheet.names):
		r.drop(t) // a comma at the end of lines
		return
	case texts > 0:
		r.miss("%d cells of column %s are no numbers and count as absent; %s", texts, r.sheet.name(c), where)
	}
	t.Values = values
}

func short(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}

// pending returns the first trend without values.
func (r *reader) pending() *format.Trend {
	for i := range r.content.Trends {
		if r.content.Trends[i].Values == nil {
			return &r.content.Trends[i]
		}
	}
	return nil
}

func (r *reader) drop(t *format.Trend) {
	all := r.content.Trends
	for i := range all {
		if &all[i] == t {
			r.content.Trends = append(all[:i], all[i+1:]...)
			return
		}
	}
}

// longRows reports cells beyond the last column.
func (r *reader) longRows() {
	w := r.sheet.width()
	n, first := 0, 0
	for i, row := range r.sheet.rows {
		if len(row) > w && strings.TrimSpace(strings.Join(row[w:], "")) != "" {
			if n++; n == 1 {
				first = r.sheet.lines[i]
			}
		}
	}
	if n > 0 {
		r.miss("%d lines have more cells than there are columns; the first is line %d", n, first)
	}
}

// shift takes the times of interval quantities to the end of what they cover.
func (r *reader) shift() {
	covers := 0
	for i := range r.content.Trends {
		t := &r.content.Trends[i]
		if t.Key == "" || !logdb.LookupChannel(t.Key).CoversInterval {
			continue
		}
		if covers++; r.m.Starts {
			t.Times = ends(r.times)
		}
	}
	if covers > 0 && !r.m.Starts {
		r.assume("times of interval quantities were taken as the end of what they cover")
	}
}
