package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// table is rows of one log, found by position: what the columns of the series hold, put together again.
type table struct {
	log      logdb.LogNo
	rows     []tableRow // rising positions
	index    map[logdb.Position]int
	channels []logdb.ChannelKey
	columns  [][]float64 // NaN where a row has no value
}

type tableRow struct {
	time       logdb.Millis
	position   logdb.Position
	run        uint32
	generation uint32
	gone       bool // its values are, for good
}

// entry returns row i as an add.
func (t *table) entry(i int) logdb.Entry {
	r := t.rows[i]
	e := logdb.Entry{Op: logdb.OpAdd, Log: t.log, Run: r.run, Generation: r.generation, Time: r.time, Position: r.position, Row: &logdb.Row{}}
	for c, column := range t.columns {
		if !math.IsNaN(column[i]) {
			e.Row.Channels = append(e.Row.Channels, t.channels[c])
			e.Row.Values = append(e.Row.Values, column[i])
		}
	}
	return e
}

// history returns rows [i, j), which are of one run and generation.
func (t *table) history(i, j int) logdb.History {
	h := logdb.History{Log: t.log, Run: t.rows[i].run, Generation: t.rows[i].generation}
	for _, r := range t.rows[i:j] {
		h.Times, h.Positions = append(h.Times, r.time), append(h.Positions, r.position)
	}
	for c, column := range t.columns {
		if slices.ContainsFunc(column[i:j], func(v float64) bool { return !math.IsNaN(v) }) {
			h.Channels, h.Columns = append(h.Channels, t.channels[c]), append(h.Columns, column[i:j])
		}
	}
	return h
}

// column returns the column of a channel, making it when it is new.
func (t *table) column(key logdb.ChannelKey) []float64 {
	if i := slices.Index(t.channels, key); i >= 0 {
		return t.columns[i]
	}
	column := make([]float64, len(t.rows))
	for i := range column {
		column[i] = math.NaN()
	}
	t.channels, t.columns = append(t.channels, key), append(t.columns, column)
	return column
}

// positions is which rows are wanted: those from first to last that want says yes to, all when it is nil. Rows whose values are gone
// are found without them, or not at all with whole.
type positions struct {
	first, last logdb.Position
	want        func(logdb.Position) bool
	whole       bool
}

func (w *positions) has(p logdb.Position) bool {
	return p >= w.first && p <= w.last && (w.want == nil || w.want(p))
}

// rowFinder finds the rows of one log of a stream by position.
type rowFinder struct {
	*conn
	stream  int64
	w       positions
	view    *view
	keys    map[int64]logdb.ChannelKey // by series
	table   *table
	inPages []pageRow
	chunked span // times of the rows that are in chunks
}

type pageRow struct {
	head, row int
	position  logdb.Position
}

const listLogs = `SELECT s.id, s.log, s.channel, coalesce(c.key, '') FROM series s LEFT JOIN channel c ON c.id = s.channel WHERE s.stream = ? ORDER BY s.log, c.key`

// tables finds live rows by position, log by log.
func (c *conn) tables(stream int64, w positions) ([]*table, error) {
	type logSeries struct {
		marks int64
		keys  map[int64]logdb.ChannelKey
	}
	logs := map[logdb.LogNo]*logSeries{}
	var order []logdb.LogNo
	err := c.each(func(rows *sql.Rows) error {
		var id, channel int64
		var log logdb.LogNo
		var key string
		if err := rows.Scan(&id, &log, &channel, &key); err != nil {
			return err
		}
		if logs[log] == nil {
			logs[log] = &logSeries{keys: map[int64]logdb.ChannelKey{}}
			order = append(order, log)
		}
		if channel == marksChannel {
			logs[log].marks = id
		} else {
			logs[log].keys[id] = logdb.ChannelKey(key)
		}
		return nil
	}, listLogs, stream)
	if err != nil {
		return nil, fmt.Errorf("list the logs of a stream: %w", err)
	}
	var out []*table
	for _, log := range order {
		f := rowFinder{conn: c, stream: stream, w: w, keys: logs[log].keys, table: &table{log: log}}
		if err := f.find(log, logs[log].marks); err != nil {
			return nil, fmt.Errorf("find rows of log %d by position: %w", log, err)
		}
		if len(f.table.rows) > 0 {
			out = append(out, f.table)
		}
	}
	return out, nil
}

const readHeadsByPosition = `SELECT seq, crc, data FROM head WHERE stream = ? AND log = ? AND p_max >= ? AND p_min <= ?`

func (f *rowFinder) find(log logdb.LogNo, marks int64) error {
	f.view = &view{codec: f.codec}
	var err error
	if f.view.patches, err = f.patchesOf(f.stream, log, f.w.first, f.w.last); err != nil {
		return err
	}
	if err := f.goneCells(f.view, f.stream, log); err != nil {
		return err
	}
	for p, x := range f.view.patches {
		if x.show.Valid && f.w.has(p) {
			f.table.rows = append(f.table.rows, tableRow{x.show.V, p, x.run, x.generation, false})
		}
	}
	if err := f.findInHead(log); err != nil {
		return err
	}
	if err := f.findInChunks(marks); err != nil {
		return err
	}
	if len(f.table.rows) == 0 {
		return nil
	}
	slices.SortFunc(f.table.rows, func(a, b tableRow) int { return int(a.position) - int(b.position) })
	f.table.index = make(map[logdb.Position]int, len(f.table.rows))
	for i, r := range f.table.rows {
		f.table.index[r.position] = i
	}
	for p, x := range f.view.patches {
		if i, ok := f.table.index[p]; ok && x.show.Valid {
			for k, key := range x.row.Channels {
				f.table.column(key)[i] = x.row.Values[k]
			}
		}
	}
	if err := f.fillFromHead(); err != nil {
		return err
	}
	return f.fillFromChunks()
}

func (f *rowFinder) findInHead(log logdb.LogNo) error {
	return f.each(func(rows *sql.Rows) error {
		var h headPage
		var crc int64
		var data []byte
		if err := rows.Scan(&h.seq, &crc, &data); err != nil {
			return err
		}
		err := checked(data, crc)
		if err == nil {
			err = f.codec.Page(data, &h.page)
		}
		if err != nil {
			return fmt.Errorf("head page %d: %w", h.seq, err)
		}
		for k, p := range h.page.Positions {
			if f.w.has(p) && !f.view.hidden(p, h.page.Times[k]) {
				f.table.rows = append(f.table.rows, tableRow{h.page.Times[k], p, h.page.Run, h.page.Generation, false})
				f.inPages = append(f.inPages, pageRow{len(f.view.heads), k, p})
			}
		}
		f.view.heads = append(f.view.heads, h)
		return nil
	}, readHeadsByPosition, f.stream, log, f.w.first, f.w.last)
}

func (f *rowFinder) findInChunks(marks int64) error {
	f.chunked = span{math.MaxInt64, math.MinInt64}
	list, err := f.chunksOf(&seriesRow{id: marks}, everything)
	if err != nil {
		return err
	}
	var m chunk.Marks
	for _, k := range list {
		if k.pMax < f.w.first || k.pMin > f.w.last {
			continue
		}
		if err := f.conn.marks(k.id, &m); err != nil {
			return err
		}
		for i, p := range m.Positions {
			if f.w.has(p) && !f.view.hidden(p, m.Times[i]) {
				gone := f.view.isRowGone(m.Times[i])
				if gone && f.w.whole {
					continue
				}
				f.table.rows = append(f.table.rows, tableRow{m.Times[i], p, m.Runs[i], m.Generations[i], gone})
				f.chunked.first, f.chunked.last = min(f.chunked.first, m.Times[i]), max(f.chunked.last, m.Times[i]+1)
			}
		}
	}
	return nil
}

func (f *rowFinder) fillFromHead() error {
	for h := range f.view.heads {
		page := &f.view.heads[h].page
		var rows []pageRow
		for _, r := range f.inPages {
			if r.head == h {
				rows = append(rows, r)
			}
		}
		if len(rows) == 0 {
			continue
		}
		var column []float64
		for i, id := range page.Series {
			var err error
			if column, err = f.codec.PageColumn(page, i, column[:0]); err != nil {
				return fmt.Errorf("head page %d: %w", f.view.heads[h].seq, err)
			}
			out := f.table.column(f.keys[id])
			for _, r := range rows {
				out[f.table.index[r.position]] = column[r.row]
			}
		}
	}
	return nil
}

func (f *rowFinder) fillFromChunks() error {
	if f.chunked.first >= f.chunked.last {
		return nil
	}
	var b logdb.Block
	var values []float64
	for id, key := range f.keys {
		list, err := f.chunksOf(&seriesRow{id: id, channel: key}, f.chunked)
		if err != nil {
			return err
		}
		for _, k := range list {
			if k.pMax < f.w.first || k.pMin > f.w.last || k.tMax < f.chunked.first || k.tMin >= f.chunked.last {
				continue
			}
			if err := f.points(k.id, &b); err != nil {
				return err
			}
			part := trim(&b, f.chunked)
			values = part.AppendValues(values[:0])
			var out []float64
			for i, p := range part.Positions {
				if p < f.w.first || p > f.w.last {
					continue
				}
				if row, ok := f.table.index[p]; ok && f.table.rows[row].time == part.Times[i] && !f.view.hidden(p, part.Times[i]) {
					if out == nil {
						out = f.table.column(key)
					}
					out[row] = values[i]
				}
			}
		}
	}
	return nil
}
