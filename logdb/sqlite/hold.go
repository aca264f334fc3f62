package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

const insertHead = `INSERT INTO head (stream, log, t_min, t_max, p_min, p_max, n, received_ms, crc, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// holdRows keeps adds that have positions: one head page, and what is known of the series and days that it touches.
// None of the rows may have been superseded before it came; holdAdds sorts those out.
func (t *txn) holdRows(s *stream, h *logdb.History) error {
	n := h.Len()
	if n == 0 {
		return nil
	}
	if t.rows != nil {
		for _, p := range h.Positions {
			delete(t.rows, rowKey{s.id, p}) // looked for before it was here
		}
	}
	marks, err := t.seriesOf(s, h.Log, "")
	if err != nil {
		return err
	}
	marks.n += int64(n)
	t.touchSeries(marks)
	if err := t.claimMarks(s, h); err != nil {
		return err
	}
	numbers := make([]int64, 0, len(h.Channels))
	columns := make([][]float64, 0, len(h.Channels))
	for c, key := range h.Channels {
		first := slices.IndexFunc(h.Columns[c], func(v float64) bool { return !math.IsNaN(v) })
		if first < 0 {
			continue
		}
		r, err := t.seriesOf(s, h.Log, key)
		if err != nil {
			return err
		}
		if err := t.countColumn(r, h, h.Columns[c], first); err != nil {
			return err
		}
		numbers = append(numbers, r.id)
		columns = append(columns, h.Columns[c])
	}
	page := *h
	page.Columns = columns
	data, err := t.codec.AppendPage(nil, &page, numbers)
	if err != nil {
		return fmt.Errorf("%w: %w", logdb.ErrInvalid, err)
	}
	_, err = t.exec(insertHead, s.id, h.Log, slices.Min(h.Times), slices.Max(h.Times), h.Positions[0], h.Positions[n-1], n,
		t.nowMillis(), int64(chunk.Checksum(data)), data)
	if err != nil {
		return fmt.Errorf("keep a page of %d rows: %w", n, err)
	}
	return nil
}

// countColumn adds a column to the range of its series and to the claims of its days.
func (t *txn) countColumn(r *series, h *logdb.History, column []float64, first int) error {
	day := logdb.Millis(math.MinInt64)
	var tally *logdb.Tally
	for i := first; i < len(column); i++ {
		v, at := column[i], h.Times[i]
		if math.IsNaN(v) {
			continue
		}
		if tally == nil || at < day || at >= day+logdb.DayMillis {
			var err error
			if tally, err = t.tally(r.stream, r.key.log, r.key.channel, at); err != nil {
				return err
			}
			day = at.Day()
		}
		tally.AddValue(h.Positions[i], at, v)
		r.count(h.Positions[i], at, v)
	}
	t.touchSeries(r)
	return nil
}

// count adds one value to the range of the series.
func (r *series) count(p logdb.Position, at logdb.Millis, v float64) {
	if r.n == 0 || at < r.first {
		r.first = at
	}
	if r.n == 0 || at > r.last || at == r.last && p > r.lastPosition {
		r.last, r.lastPosition, r.lastValue = at, p, v
	}
	r.n++
}

// uncount takes one value out; a bound that it stood on is read again before the commit.
func (r *series) uncount(p logdb.Position, at logdb.Millis) {
	r.n--
	r.staleFirst = r.staleFirst || at <= r.first
	r.staleLast = r.staleLast || at > r.last || at == r.last && p >= r.lastPosition
}

// spanViews are the views of one log that its series share.
type spanViews map[span]*view

// refresh reads the bounds and the last value of a series again when they are not known any more. What bounds
// it now lies close to the old bound as a rule, so that is looked at first.
func (t *txn) refresh(r *series, views spanViews) error {
	if r.key.channel == marksChannel || !r.staleFirst && !r.staleLast || r.n == 0 {
		r.staleFirst, r.staleLast = false, false
		return nil
	}
	const near = 35 * logdb.DayMillis
	goneFirst, goneLast, err := t.goneBounds(r)
	if err != nil {
		return err
	}
	if r.staleFirst {
		at := r.first
		first, _, err := t.bounds(r, views, span{at, at + near}, everything)
		if err != nil {
			return err
		}
		if first.n == 0 || goneFirst.n > 0 && goneFirst.first < first.first {
			first = goneFirst
		}
		r.first = first.first
	}
	if r.staleLast {
		at := r.last
		_, last, err := t.bounds(r, views, span{at - near, logdb.MaxTime + 1}, everything)
		if err != nil {
			return err
		}
		if last.n == 0 || goneLast.n > 0 && goneLast.last > last.last {
			last = goneLast
		}
		r.last, r.lastPosition, r.lastValue = last.last, last.lastPosition, last.lastValue
	}
	r.staleFirst, r.staleLast = false, false
	return nil
}

// goneBounds returns the first and the last value of a series in the cells whose values are gone: the tiers have them; where those were dropped,
// too, the first and the last row stand for them.
func (t *txn) goneBounds(r *series) (first, last series, err error) {
	view := view{}
	if err := t.goneCells(&view, r.stream.id, r.key.log); err != nil || len(view.gone) == 0 {
		return first, last, err
	}
	var step logdb.Millis
	hourFrom := int64(0)
	if _, err := t.one([]any{&step, &hourFrom}, droppedHours, r.id); err != nil {
		return first, last, err
	}
	row := seriesRow{id: r.id, channel: r.channel}
	m := seriesMerger{compactor: &compactor{txn: t}, row: &row}
	for _, cell := range view.gone {
		var roll chunk.Roll
		known, err := m.storedQuarter(chunkID(r.id, cell), &roll)
		if err == nil && !known {
			known, err = m.storedRoll(chunkID(r.id, cell), &roll)
		}
		if err != nil {
			return first, last, fmt.Errorf("read the range of series %d in its sums: %w", r.id, err)
		}
		if n := len(roll.Buckets); known && n > 0 {
			first.count(0, roll.Buckets[0].FirstTime, roll.Buckets[0].First)
			last.count(0, roll.Buckets[n-1].LastTime, roll.Buckets[n-1].Last)
		}
		marks := r.stream.series[seriesKey{r.key.log, marksChannel}]
		if known || cell >= hourFrom || marks == nil { // it had no values there
			continue
		}
		in := span{logdb.Millis(cell) * logdb.DayMillis, logdb.Millis(cell+cellDays)*logdb.DayMillis - 1}
		if row.covers() {
			in.last++
		}
		rows, err := t.chunksOf(&seriesRow{id: marks.id}, in)
		if err != nil {
			return first, last, err
		}
		for _, k := range rows {
			if k.tMin <= in.last {
				first.count(0, k.tMin, math.NaN())
				last.count(0, min(k.tMax, in.last), math.NaN())
			}
		}
	}
	return first, last, nil
}

// bounds returns the first and the last value of a series within the first of the spans that holds any.
func (t *txn) bounds(r *series, views spanViews, spans ...span) (first, last series, err error) {
	for _, in := range spans {
		view := views[in]
		if view == nil {
			if view, err = t.viewOf(r.stream.id, r.key.log, in); err != nil {
				return first, last, fmt.Errorf("read the range of series %d again: %w", r.id, err)
			}
			views[in] = view
		}
		err = t.values(&seriesRow{id: r.id, channel: r.channel}, view, in, func(b *logdb.Block) error {
			values := b.AppendValues(nil)
			end := b.Len() - 1
			if first.n == 0 {
				first.count(b.Positions[0], b.Times[0], values[0])
			}
			last.count(b.Positions[end], b.Times[end], values[end])
			return nil
		})
		if err != nil {
			return first, last, fmt.Errorf("read the range of series %d again: %w", r.id, err)
		}
		if first.n > 0 {
			break
		}
	}
	return first, last, nil
}

// superseded returns which positions of the cut, among first to last, have a revise or withdraw.
func (t *txn) superseded(cut []*stream, first, last logdb.Position) (map[logdb.Position]bool, error) {
	var out map[logdb.Position]bool
	for _, s := range cut {
		if !s.revised {
			continue
		}
		err := t.each(func(rows *sql.Rows) error {
			var p logdb.Position
			if err := rows.Scan(&p); err != nil {
				return err
			}
			if out == nil {
				out = map[logdb.Position]bool{}
			}
			out[p] = true
			return nil
		}, findTargets, s.id, first, last)
		if err != nil {
			return nil, fmt.Errorf("look for changes of positions %d to %d: %w", first, last, err)
		}
	}
	return out, nil
}

const findTargets = `SELECT DISTINCT target FROM entry WHERE stream = ? AND target BETWEEN ? AND ? AND target <> 0`

// holdAdds keeps historical adds: those that were superseded before they came as dead versions, the
// others in the head.
func (t *txn) holdAdds(s *stream, h *logdb.History) error {
	n := h.Len()
	if n == 0 {
		return nil
	}
	dead, err := t.superseded(s.cut(), h.Positions[0], h.Positions[n-1])
	if err != nil {
		return err
	}
	if len(dead) == 0 {
		return t.holdRows(s, h)
	}
	live := pick(h, func(i int) bool { return !dead[h.Positions[i]] })
	if err := t.holdRows(s, &live); err != nil {
		return err
	}
	for i := range n {
		if dead[h.Positions[i]] {
			e := h.Entry(i)
			if err := t.holdVersion(s, &e); err != nil {
				return err
			}
		}
	}
	return nil
}

// pick returns the rows of h that keep says yes to, h itself when it is all of them.
func pick(h *logdb.History, keep func(i int) bool) logdb.History {
	var rows []int
	for i := range h.Len() {
		if keep(i) {
			rows = append(rows, i)
		}
	}
	if len(rows) == h.Len() {
		return *h
	}
	out := *h
	out.Times = choose(h.Times, rows)
	out.Positions = choose(h.Positions, rows)
	out.Columns = make([][]float64, len(h.Columns))
	for c := range h.Columns {
		out.Columns[c] = choose(h.Columns[c], rows)
	}
	return out
}

func choose[T any](in []T, rows []int) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = in[i]
	}
	return out
}

// rowOf makes a page of one row of an add.
func rowOf(e *logdb.Entry) logdb.History {
	h := logdb.History{
		Log: e.Log, Run: e.Run, Generation: e.Generation, Channels: e.Row.Channels,
		Times: []logdb.Millis{e.Time}, Positions: []logdb.Position{e.Position}, Columns: make([][]float64, len(e.Row.Values)),
	}
	for i := range e.Row.Values {
		h.Columns[i] = e.Row.Values[i : i+1]
	}
	return h
}

// hold keeps an entry of any kind at a position where nothing is held.
func (t *txn) hold(s *stream, e *logdb.Entry) error {
	switch {
	case s.kind == logdb.KindHistorical && e.Op == logdb.OpAdd:
		h := rowOf(e)
		return t.holdAdds(s, &h)
	case e.Op == logdb.OpAdd || e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw:
		if s.kind == logdb.KindHistorical {
			return t.holdVersion(s, e)
		}
		return t.holdRecord(s, e)
	default:
		_, err := t.insertEntry(s, e, s.id, false)
		return err
	}
}
