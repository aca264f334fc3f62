package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// column is values of one series, or the marks of a log when runs is not nil.
type column struct {
	chunk.Points
	runs, generations []uint32
}

func (c *column) add(o *column, i int) {
	c.Points = appendPoint(c.Points, o.Times[i], o.Positions[i], 0)
	if o.runs != nil {
		c.runs, c.generations = append(c.runs, o.runs[i]), append(c.generations, o.generations[i])
	} else {
		c.Values[len(c.Values)-1] = o.Values[i]
	}
}

// slice returns part of a column, sharing its arrays.
func (c *column) slice(i, j int) column {
	out := column{Points: c.Points.Slice(i, j)}
	if c.runs != nil {
		out.runs, out.generations = c.runs[i:j], c.generations[i:j]
	}
	return out
}

// freshMarks returns the rows that are not in chunks, in order of (time, position).
func (v *view) freshMarks() column {
	type mark struct {
		at              logdb.Millis
		p               logdb.Position
		run, generation uint32
	}
	var all []mark
	for h := range v.heads {
		page := &v.heads[h].page
		for k, at := range page.Times {
			if !v.hidden(page.Positions[k], at) {
				all = append(all, mark{at, page.Positions[k], page.Run, page.Generation})
			}
		}
	}
	for p, x := range v.patches {
		if x.show.Valid {
			all = append(all, mark{x.show.V, p, x.run, x.generation})
		}
	}
	slices.SortFunc(all, func(a, b mark) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return int(a.p) - int(b.p)
	})
	out := column{runs: make([]uint32, 0, len(all)), generations: make([]uint32, 0, len(all))}
	for _, m := range all {
		out.Points = appendPoint(out.Points, m.at, m.p, 0)
		out.runs, out.generations = append(out.runs, m.run), append(out.generations, m.generation)
	}
	return out
}

// mergeSeries merges one series cell by cell.
func (c *compactor) mergeSeries(r *seriesRow) error {
	var fresh column
	if r.channel == "" {
		fresh = c.view.freshMarks()
	} else {
		points, err := c.view.fresh(r, everything)
		if err != nil {
			return err
		}
		fresh.Points = points
	}
	m := seriesMerger{compactor: c, row: r, covers: r.covers(), marks: r.channel == ""}
	touched := map[int64]bool{} // days
	for _, at := range fresh.Times {
		touched[dayKey(at, m.covers)] = true
	}
	for _, x := range c.view.patches {
		if x.hide.Valid {
			touched[dayKey(x.hide.V, m.covers)] = true
		}
	}
	if c.without != nil {
		list, err := c.chunksOf(r, *c.without)
		if err != nil {
			return err
		}
		for _, k := range list {
			for day := dayOfChunk(k.id); day < dayOfChunk(k.id)+k.days; day++ {
				touched[day] = true
			}
		}
	}
	cells := map[int64][]int64{}
	for day := range touched {
		cells[cellOf(day)] = append(cells[cellOf(day)], day)
	}
	next := 0
	order := make([]int64, 0, len(cells))
	for cell := range cells {
		order = append(order, cell)
	}
	slices.Sort(order)
	for _, cell := range order {
		end := next
		for end < fresh.Len() && dayKey(fresh.Times[end], m.covers) < cell+cellDays {
			end++
		}
		if err := m.mergeCell(cell, cells[cell], fresh.slice(next, end)); err != nil {
			return fmt.Errorf("day %d: %w", cell, err)
		}
		next = end
	}
	return nil
}

// seriesMerger rewrites the chunks of one series.
type seriesMerger struct {
	*compactor
	row    *seriesRow
	covers bool
	marks  bool
}

// mergeCell merges fresh values into the chunks of 28 days, of which some days are touched.
func (m *seriesMerger) mergeCell(cell int64, touched []int64, fresh column) error {
	if _, gone := slices.BinarySearch(m.view.gone, cell); gone && !m.marks {
		return m.addToTiers(cell, fresh)
	}
	old, err := m.chunksIn(cell)
	if err != nil {
		return err
	}
	days := int64(cellDays)
	if len(old) > 0 {
		days = old[0].days
	} else {
		days = daysFor(fresh.Times)
	}
	for {
		split, err := m.rewrite(cell, days, old, touched, fresh)
		if err != nil || !split {
			return err
		}
		// Too many values: fewer days a chunk, for the whole cell.
		days = map[int64]int64{28: 7, 7: 1}[days]
		touched = touched[:0]
		for day := cell; day < cell+cellDays; day++ {
			touched = append(touched, day)
		}
	}
}

// daysFor chooses how many days a chunk holds by how close together the values lie.
func daysFor(times []logdb.Millis) int64 {
	if len(times) < 2 {
		return cellDays
	}
	span := float64(times[len(times)-1]-times[0]) / float64(logdb.DayMillis)
	perDay := float64(len(times)-1) / math.Max(span, 1.0/24)
	for _, days := range [...]int64{28, 7} {
		if perDay*float64(days) <= maxChunk {
			return days
		}
	}
	return 1
}

func (m *seriesMerger) chunksIn(cell int64) ([]chunkRow, error) {
	var out []chunkRow
	err := m.each(func(rows *sql.Rows) error {
		var k chunkRow
		err := rows.Scan(&k.id, &k.days, &k.n, &k.tMin, &k.tMax, &k.pMin, &k.pMax)
		out = append(out, k)
		return err
	}, listChunks, chunkID(m.row.id, cell), chunkID(m.row.id, cell+cellDays-1))
	return out, err
}

// rewrite writes the chunks of a cell that hold touched days anew, each of the given number of days, and the hour
// tier with them. Before it writes anything it reports whether one would hold too many values.
func (m *seriesMerger) rewrite(cell, days int64, old []chunkRow, touched []int64, fresh column) (split bool, err error) {
	starts := map[int64]bool{}
	for _, day := range touched {
		starts[day-(day-cell)%days] = true
	}
	merged := map[int64]column{}
	next := 0
	for start := cell; start < cell+cellDays; start += days {
		end := next
		for end < fresh.Len() && dayKey(fresh.Times[end], m.covers) < start+days {
			end++
		}
		part := fresh.slice(next, end)
		next = end
		if !starts[start] {
			continue
		}
		before, err := m.load(old, start, start+days)
		if err != nil {
			return false, err
		}
		all := m.join(before, part)
		if all.Len() > maxChunk && days > 1 {
			return true, nil
		}
		merged[start] = all
	}
	for _, k := range old {
		if day := dayOfChunk(k.id); starts[day-(day-cell)%days] {
			for _, query := range []string{deleteArchived, deleteChunk} {
				if _, err := m.exec(query, k.id); err != nil {
					return false, fmt.Errorf("remove a chunk: %w", err)
				}
			}
		}
	}
	for start, all := range merged {
		if err := m.write(start, days, all); err != nil {
			return false, err
		}
	}
	if m.marks {
		return false, nil
	}
	if err := m.rollCell(cell, days, merged); err != nil {
		return false, err
	}
	return false, m.quarterCell(cell)
}

const (
	deleteChunk    = `DELETE FROM chunk WHERE id = ?`
	deleteArchived = `DELETE FROM archived WHERE chunk = ?` // its file is written anew
	writeChunk     = `INSERT INTO chunk (id, days, n, t_min, t_max, p_min, p_max, crc, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// load reads the values of the days from start to before end out of the old chunks.
func (m *seriesMerger) load(old []chunkRow, start, end int64) (out column, err error) {
	if m.marks {
		out.runs, out.generations = []uint32{}, []uint32{}
	}
	for _, k := range old {
		if day := dayOfChunk(k.id); day+k.days <= start || day >= end {
			continue
		}
		part, err := m.column(k.id)
		if err != nil {
			return out, err
		}
		for i := range part.Times {
			if day := dayKey(part.Times[i], m.covers); day >= start && day < end {
				out.add(&part, i)
			}
		}
	}
	return out, nil
}

// column reads a chunk.
func (m *seriesMerger) column(id int64) (out column, err error) {
	if m.marks {
		var marks chunk.Marks
		if err := m.conn.marks(id, &marks); err != nil {
			return out, err
		}
		return column{chunk.Points{Times: marks.Times, Positions: marks.Positions, Values: make([]float64, marks.Len())}, marks.Runs, marks.Generations}, nil
	}
	var b logdb.Block
	if err := m.points(id, &b); err != nil {
		return out, err
	}
	return column{Points: chunk.Points{Times: b.Times, Positions: b.Positions, Values: b.AppendValues(nil)}}, nil
}

// join merges two columns in order of (time, position), without what patches hide and what is forgotten.
func (m *seriesMerger) join(a, b column) (out column) {
	if m.marks {
		out.runs, out.generations = make([]uint32, 0, a.Len()+b.Len()), make([]uint32, 0, a.Len()+b.Len())
	}
	take := func(c *column, i int) {
		if m.without == nil || m.view.isRowGone(c.Times[i]) || c.Times[i] < m.without.first || c.Times[i] >= m.without.last {
			out.add(c, i)
		}
	}
	k := 0
	for i := range a.Times {
		for k < b.Len() && (b.Times[k] < a.Times[i] || b.Times[k] == a.Times[i] && b.Positions[k] < a.Positions[i]) {
			take(&b, k)
			k++
		}
		if !m.view.hidden(a.Positions[i], a.Times[i]) {
			take(&a, i)
		}
	}
	for ; k < b.Len(); k++ {
		take(&b, k)
	}
	return out
}

func (m *seriesMerger) write(start, days int64, c column) error {
	n := c.Len()
	if n == 0 {
		return nil
	}
	var data []byte
	var err error
	if m.marks {
		data, err = m.codec.AppendMarks(nil, chunk.Marks{Times: c.Times, Positions: c.Positions, Runs: c.runs, Generations: c.generations})
	} else {
		data, err = m.codec.AppendPoints(nil, c.Points)
	}
	if err != nil {
		return err
	}
	_, err = m.exec(writeChunk, chunkID(m.row.id, start), days, n, c.Times[0], c.Times[n-1],
		slices.Min(c.Positions), slices.Max(c.Positions), int64(chunk.Checksum(data)), data)
	if err != nil {
		return fmt.Errorf("write a chunk: %w", err)
	}
	return nil
}
