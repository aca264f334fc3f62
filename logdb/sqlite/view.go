package sqlite

import (
	"cmp"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// view is what is not in chunks of one log of a stream: the head pages that touch a span, and the patches.
type view struct {
	codec   *chunk.Codec
	heads   []headPage
	patches map[logdb.Position]*patch
	gone    []int64 // cells of which the values are gone
	lost    []int64 // those among them that were lost, and not let go for their age
}

type headPage struct {
	seq  int64
	page chunk.Page
}

// patch changes one row: hide what the chunks and the head hold at a time, show another row instead.
type patch struct {
	hide, show sql.Null[logdb.Millis]
	run        uint32
	generation uint32
	row        *logdb.Row
}

// viewCache keeps the views of one read: the channels of a log share theirs.
type viewCache map[seriesKey]*view

func (v viewCache) of(c *conn, r *seriesRow, in span) (*view, error) {
	key := seriesKey{r.log, r.stream}
	if known, ok := v[key]; ok {
		return known, nil
	}
	loaded, err := c.viewOf(r.stream, r.log, in)
	if err != nil {
		return nil, fmt.Errorf("read the head of log %d: %w", r.log, err)
	}
	v[key] = loaded
	return loaded, nil
}

const (
	readHeads   = `SELECT seq, crc, data FROM head WHERE stream = ? AND log = ? AND t_max >= ? AND t_min <= ? ORDER BY seq`
	readPatches = `SELECT position, hide_ms, show_ms, run, generation, data FROM patch WHERE stream = ? AND log = ? AND position BETWEEN ? AND ?`
)

// viewHas asks whether there is anything at all beside the chunks, as there mostly is not.
const viewHas = `SELECT EXISTS (SELECT 1 FROM head WHERE stream = ? AND log = ?), EXISTS (SELECT 1 FROM patch WHERE stream = ? AND log = ?),
	EXISTS (SELECT 1 FROM gone WHERE stream = ? AND log = ?)`

func (c *conn) viewOf(stream int64, log logdb.LogNo, in span) (*view, error) {
	v := &view{codec: c.codec}
	var heads, patches, gone bool
	_, err := c.oneKept([]any{&heads, &patches, &gone}, viewHas, stream, log, stream, log, stream, log)
	if err == nil && heads {
		err = c.headsOf(v, stream, log, in)
	}
	if err == nil && patches {
		v.patches, err = c.patchesOf(stream, log, 0, math.MaxInt64)
	}
	if err == nil && gone {
		err = c.goneCells(v, stream, log)
	}
	return v, err
}

// headsOf reads the head pages of a log that touch a span.
func (c *conn) headsOf(v *view, stream int64, log logdb.LogNo, in span) error {
	return c.each(func(rows *sql.Rows) error {
		var h headPage
		var crc int64
		var data []byte
		if err := rows.Scan(&h.seq, &crc, &data); err != nil {
			return err
		}
		if err := checked(data, crc); err != nil {
			return fmt.Errorf("head page %d: %w", h.seq, err)
		}
		if err := c.codec.Page(data, &h.page); err != nil {
			return fmt.Errorf("head page %d: %w", h.seq, err)
		}
		v.heads = append(v.heads, h)
		return nil
	}, readHeads, stream, log, in.first, in.last)
}

// patchesOf returns the changes of rows of a log at positions first to last.
func (c *conn) patchesOf(stream int64, log logdb.LogNo, first, last logdb.Position) (map[logdb.Position]*patch, error) {
	var out map[logdb.Position]*patch
	err := c.each(func(rows *sql.Rows) error {
		p := &patch{}
		var position logdb.Position
		var data []byte
		if err := rows.Scan(&position, &p.hide, &p.show, &p.run, &p.generation, &data); err != nil {
			return err
		}
		if p.show.Valid {
			row, err := readRow(data)
			if err != nil {
				return fmt.Errorf("changed row %d: %w", position, err)
			}
			p.row = row
		}
		if out == nil {
			out = map[logdb.Position]*patch{}
		}
		out[position] = p
		return nil
	}, readPatches, stream, log, first, last)
	return out, err
}

// hidden reports whether the row that stands at (at, p) is no longer live.
func (v *view) hidden(p logdb.Position, at logdb.Millis) bool {
	x := v.patches[p]
	return x != nil && x.hide.Valid && x.hide.V == at
}

// fresh returns the live values of a series that are not in chunks, in order of (time, position).
func (v *view) fresh(r *seriesRow, in span) (chunk.Points, error) {
	var out chunk.Points
	var column []float64
	for h := range v.heads {
		page := &v.heads[h].page
		i := slices.Index(page.Series, r.id)
		if i < 0 {
			continue
		}
		var err error
		if column, err = v.codec.PageColumn(page, i, column[:0]); err != nil {
			return out, fmt.Errorf("head page %d: %w", v.heads[h].seq, err)
		}
		for k, value := range column {
			at, p := page.Times[k], page.Positions[k]
			if math.IsNaN(value) || at < in.first || at >= in.last || v.patches != nil && v.hidden(p, at) {
				continue
			}
			out.Times, out.Positions, out.Values = append(out.Times, at), append(out.Positions, p), append(out.Values, value)
		}
	}
	for p, x := range v.patches {
		if !x.show.Valid || x.show.V < in.first || x.show.V >= in.last {
			continue
		}
		if i := slices.Index(x.row.Channels, r.channel); i >= 0 {
			out.Times, out.Positions, out.Values = append(out.Times, x.show.V), append(out.Positions, p), append(out.Values, x.row.Values[i])
		}
	}
	sortPoints(&out)
	return out, nil
}

// sortPoints brings points into order of (time, position).
func sortPoints(p *chunk.Points) {
	less := func(i, j int) bool {
		return p.Times[i] < p.Times[j] || p.Times[i] == p.Times[j] && p.Positions[i] < p.Positions[j]
	}
	for i := 1; i < p.Len(); i++ {
		if less(i, i-1) {
			order := make([]int, p.Len())
			for k := range order {
				order[k] = k
			}
			slices.SortFunc(order, func(a, b int) int {
				return cmp.Or(cmp.Compare(p.Times[a], p.Times[b]), cmp.Compare(p.Positions[a], p.Positions[b]))
			})
			p.Times, p.Positions, p.Values = choose(p.Times, order), choose(p.Positions, order), choose(p.Values, order)
			return
		}
	}
}
