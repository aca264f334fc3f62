package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sort"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

const (
	listGone        = `SELECT day, lost FROM gone WHERE stream = ? AND log = ? ORDER BY day`
	insertUnapplied = `INSERT INTO unapplied (stream, log, time_ms, position) VALUES (?, ?, ?, ?) ON CONFLICT (stream, log, time_ms, position) DO NOTHING`
)

// goneCells looks for the first days of the cells of a log of which the values are gone.
func (c *conn) goneCells(v *view, stream int64, log logdb.LogNo) error {
	err := c.each(func(rows *sql.Rows) error {
		var day int64
		var lost bool
		err := rows.Scan(&day, &lost)
		v.gone = append(v.gone, day)
		if lost {
			v.lost = append(v.lost, day)
		}
		return err
	}, listGone, stream, log)
	if err != nil {
		return fmt.Errorf("look for what is gone of log %d: %w", log, err)
	}
	return nil
}

// isGone reports whether the values of the cell of a time are gone.
func (v *view) isGone(at logdb.Millis, covers bool) bool {
	if len(v.gone) == 0 {
		return false
	}
	_, found := slices.BinarySearch(v.gone, cellOf(dayKey(at, covers)))
	return found
}

// isLost reports whether something of a day was lost, and not let go for its age. The day begins with what ends then.
func (v *view) isLost(day logdb.Millis, covers bool) bool {
	lost := view{gone: v.lost}
	return lost.isGone(day, covers) || lost.isGone(day+logdb.DayMillis-1, covers)
}

// isRowGone reports whether any value of a row of that time may be gone. At the edge of a cell a row has values on both sides.
func (v *view) isRowGone(at logdb.Millis) bool { return v.isGone(at, false) || v.isGone(at, true) }

// isFull reports whether all values of a day are held, as far as age has not let them go. The day begins with what ends then.
func (v *view) isFull(day logdb.Millis, covers bool) bool {
	return !v.isGone(day, covers) && !v.isGone(day+logdb.DayMillis-1, covers)
}

// addToTiers adds fresh values to the tiers of a cell whose values are gone: that is where they count from now on.
func (m *seriesMerger) addToTiers(cell int64, fresh column) error {
	points := fresh.Points
	if len(m.summed) > 0 {
		points = chunk.Points{}
		for i, p := range fresh.Positions {
			if !m.summed[rowKey{m.row.stream, p}] {
				points = appendPoint(points, fresh.Times[i], p, fresh.Values[i])
			}
		}
	}
	if points.Len() == 0 {
		return nil
	}
	id := chunkID(m.row.id, cell)
	var block logdb.Block
	m.codec.Block(points, &block)
	var old chunk.Roll
	known, err := m.storedRoll(id, &old)
	if err != nil {
		return err
	}
	if !known {
		// A channel that had nothing there, unless the tier has gone, too.
		old = chunk.Roll{Step: m.step, Covers: m.covers}
		var step logdb.Millis
		from := int64(0)
		if _, err := m.one([]any{&step, &from}, droppedHours, m.row.id); err != nil {
			return err
		}
		known = cell >= from
	}
	if known {
		if err := m.saveRoll(id, addBlock(&old, &block)); err != nil {
			return err
		}
	}
	if known, err = m.storedQuarter(id, &old); err != nil || !known {
		return err
	}
	return m.saveQuarter(id, addBlock(&old, &block), false)
}

// addBlock returns a tier with more values in it.
func addBlock(old *chunk.Roll, b *logdb.Block) *chunk.Roll {
	more := chunk.Roll{Step: old.Step, Covers: old.Covers}
	more.RollUp(b)
	out := &chunk.Roll{Step: old.Step, Covers: old.Covers}
	i := 0
	for k, step := range more.Steps {
		for ; i < len(old.Steps) && old.Steps[i] < step; i++ {
			out.Steps, out.Buckets = append(out.Steps, old.Steps[i]), append(out.Buckets, old.Buckets[i])
		}
		bucket := more.Buckets[k]
		if i < len(old.Steps) && old.Steps[i] == step {
			var a chunk.Accumulator
			old.AddTo(&a, i, i+1)
			a.AddBucket(bucket)
			bucket = a.Bucket()
			i++
		}
		out.Steps, out.Buckets = append(out.Steps, step), append(out.Buckets, bucket)
	}
	out.Steps, out.Buckets = append(out.Steps, old.Steps[i:]...), append(out.Buckets, old.Buckets[i:]...)
	return out
}

// storedRoll reads the hour tier of a cell whatever its step.
func (m *seriesMerger) storedRoll(id int64, roll *chunk.Roll) (bool, error) {
	data, crc, ok, err := m.rollBytes(id)
	if err != nil || !ok {
		return false, err
	}
	if err := checked(data, crc); err != nil {
		return false, fmt.Errorf("hour tier of day %d: %w", dayOfChunk(id), err)
	}
	return true, m.codec.Roll(data, roll)
}

const (
	readQuarter  = `SELECT crc, data FROM quarter WHERE id = ?`
	readQuarters = `SELECT id, exact, crc, data FROM quarter WHERE id BETWEEN ? AND ? ORDER BY id`
)

func (m *seriesMerger) storedQuarter(id int64, roll *chunk.Roll) (bool, error) {
	var crc int64
	var data []byte
	ok, err := m.one([]any{&crc, &data}, readQuarter, id)
	if err != nil || !ok {
		return false, err
	}
	if err := checked(data, crc); err != nil {
		return false, fmt.Errorf("15-minute tier of day %d: %w", dayOfChunk(id), err)
	}
	return true, m.codec.Roll(data, roll)
}

// comesTooLate returns the row that the values of record p had, if they are gone or an earlier change of it came too late
// already: then the tiers count what is to be changed, and no change can be applied any more. Otherwise nil.
func (t *txn) comesTooLate(cut []*stream, versions []version, p logdb.Position) (*lateRow, error) {
	for _, o := range cut {
		n := 0
		if _, err := t.one([]any{&n}, anyGone, o.id); err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		row, err := t.liveRow(o, p)
		if err != nil {
			return nil, err
		}
		if row != nil && t.gone[rowKey{o.id, p}] {
			return &lateRow{o, row.Log, row.Time}, nil
		}
		for i := range versions {
			late := lateRow{stream: o}
			known, err := t.one([]any{&late.log, &late.time}, findUnapplied, o.id, versions[i].row.entry.Position)
			if err != nil {
				return nil, err
			}
			if known {
				return &late, nil
			}
		}
	}
	return nil, nil
}

// lateRow is a row whose values are gone.
type lateRow struct {
	stream *stream
	log    logdb.LogNo
	time   logdb.Millis
}

const (
	anyGone       = `SELECT count(*) FROM gone WHERE stream = ?`
	findUnapplied = `SELECT log, time_ms FROM unapplied WHERE stream = ? AND position = ?`
)

// holdUnapplied keeps a change as history and marks what it would have changed.
func (t *txn) holdUnapplied(s *stream, e *logdb.Entry, late *lateRow) error {
	if _, err := t.insertEntry(s, e, s.id, false); err != nil {
		return err
	}
	if _, err := t.exec(insertUnapplied, late.stream.id, late.log, late.time, e.Position); err != nil {
		return fmt.Errorf("note change %d of a record that is gone: %w", e.Position, err)
	}
	return t.ledger(late.stream, ledgerLate, late.log, late.time.Day(), func(tally *logdb.Tally) { tally.AddBits(e.Position, late.time, 0) })
}

// quarterCell is a cell of the 15-minute tier.
type quarterCell struct {
	exact bool
	roll  chunk.Roll
}

// quartersIn reads the 15-minute tier of the cells from first to last.
func (c *conn) quartersIn(r *seriesRow, first, last int64) (map[int64]*quarterCell, error) {
	out := map[int64]*quarterCell{}
	err := c.each(func(rows *sql.Rows) error {
		var id, crc int64
		var q quarterCell
		var data sql.RawBytes
		if err := rows.Scan(&id, &q.exact, &crc, &data); err != nil {
			return err
		}
		err := checked(data, crc)
		if err == nil {
			err = c.codec.Roll(data, &q.roll)
		}
		if err != nil {
			return fmt.Errorf("15-minute tier of day %d: %w", dayOfChunk(id), err)
		}
		out[dayOfChunk(id)] = &q
		return nil
	}, readQuarters, chunkID(r.id, first), chunkID(r.id, last))
	return out, err
}

// readQuarters answers by the 15-minute tier what the hour tier could not: the edges of buckets, and cells without an hour
// tier. What is left is read from values.
func (b *bucketReader) readQuarters() error {
	if len(b.raw) == 0 {
		return nil
	}
	cellAt := func(key logdb.Millis) int64 { return cellOf(dayKey(max(key, 0), false)) }
	cells := map[int64]*quarterCell{}
	some, err := b.common.hasQuarters()
	if err == nil && some {
		cells, err = b.quartersIn(b.series, cellAt(b.raw[0].first), cellAt(b.raw[len(b.raw)-1].last))
	}
	if err == nil {
		err = b.addDropped(cells, cellAt)
	}
	if err != nil || len(cells) == 0 {
		return err
	}
	old := b.raw
	b.raw = nil
	for _, keys := range old {
		at := keys.first
		for day := cellAt(keys.first); day <= cellAt(keys.last-1); day += cellDays {
			q := cells[day]
			if q == nil || !q.exact || q.roll.Covers != b.covers {
				continue
			}
			cell := cellKeys(day)
			part := span{max(cell.first, keys.first), min(cell.last, keys.last)}
			if part.first >= part.last {
				continue
			}
			b.need(span{at, part.first})
			b.addSteps(&q.roll, part)
			at = part.last
		}
		b.need(span{at, keys.last})
	}
	return nil
}

// addDropped sums up anew the cells whose hour tier was dropped for its age: sums of doubles must be made in the same parts to be the
// same bits.
func (b *bucketReader) addDropped(cells map[int64]*quarterCell, cellAt func(logdb.Millis) int64) error {
	gone, err := b.common.droppedOf(b.series)
	if err != nil {
		return err
	}
	for _, keys := range b.raw {
		for day := cellAt(keys.first); day < gone.from && day <= cellAt(keys.last-1); day += cellDays {
			if q := cells[day]; b.tiered[day] || q != nil && q.exact {
				continue
			}
			roll, _, err := b.rollUp(b.series, day, gone.step)
			if err != nil {
				return err
			}
			if len(roll.Steps) == 0 {
				continue
			}
			// Through its bytes, as what is kept is read.
			data, err := b.codec.AppendRoll(nil, roll)
			if err != nil {
				return err
			}
			q := &quarterCell{exact: true}
			if err := b.codec.Roll(data, &q.roll); err != nil {
				return err
			}
			cells[day] = q
		}
	}
	return nil
}

const droppedHours = `SELECT m.step_ms, m.hour_from FROM series s JOIN meter m ON m.id = s.meter WHERE s.id = ?`

// cellKeys is the keys of a cell.
func cellKeys(day int64) span {
	out := span{logdb.Millis(day) * logdb.DayMillis, logdb.Millis(day+cellDays) * logdb.DayMillis}
	if day == 0 {
		out.first = -1 // the key of time 0, where times end what they cover
	}
	return out
}

// readGone adds what is left of the cells whose values are gone: whole steps of the finest tier, each in the bucket in which it begins, and what
// came since. It returns their keys, for nothing else is to be read there.
func (b *bucketReader) readGone(all span) (out []span, err error) {
	for _, day := range b.view.gone {
		cell := cellKeys(day)
		part := span{max(cell.first, all.first), min(cell.last, all.last)}
		if part.first >= part.last {
			continue
		}
		out = append(out, part)
		m := seriesMerger{compactor: &compactor{txn: &txn{conn: b.conn}}, row: b.series}
		var roll chunk.Roll
		known, err := m.storedQuarter(chunkID(b.series.id, day), &roll)
		if err == nil && !known {
			known, err = m.storedRoll(chunkID(b.series.id, day), &roll)
		}
		if err != nil {
			return nil, err
		}
		if known {
			b.addWhole(&roll, part)
		}
		in := b.times(part)
		i := sort.Search(b.fresh.Len(), func(k int) bool { return b.fresh.Times[k] >= in.first })
		j := i + sort.Search(b.fresh.Len()-i, func(k int) bool { return b.fresh.Times[i+k] >= in.last })
		if i < j {
			var block logdb.Block
			b.codec.Block(b.fresh.Slice(i, j), &block)
			if err := b.add(&block); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// addWhole adds the steps that begin in a span, each to the bucket in which it begins.
func (b *bucketReader) addWhole(roll *chunk.Roll, in span) {
	for k, step := range roll.Steps {
		at := logdb.Millis(step) * roll.Step
		if at < in.first || at >= in.last {
			continue
		}
		if i := sort.Search(len(b.edges), func(n int) bool { return b.edges[n] > at }) - 1; i >= 0 && i < len(b.sums) {
			roll.AddTo(&b.sums[i], k, k+1)
		}
	}
}

// withoutGone cuts the keys of gone cells out of those that are read from values.
func (b *bucketReader) withoutGone(gone []span) {
	if len(gone) == 0 {
		return
	}
	old := b.raw
	b.raw = nil
	for _, keys := range old {
		for _, g := range gone {
			if g.last <= keys.first || g.first >= keys.last {
				continue
			}
			b.need(span{keys.first, g.first})
			keys.first = min(g.last, keys.last)
		}
		b.need(keys)
	}
}

const listUnapplied = `SELECT st.journal, st.policy, u.log, u.time_ms, u.position FROM unapplied u JOIN stream st ON st.id = u.stream JOIN meter m ON m.id = st.meter
	WHERE m.uid = ? AND u.time_ms >= ? AND u.time_ms < ? ORDER BY u.time_ms, st.id, u.log, u.position`

const anyUnapplied = `SELECT 1 FROM meter m JOIN stream st ON st.meter = m.id JOIN unapplied u ON u.stream = st.id WHERE m.uid = ? LIMIT 1`

// NotApplied implements logdb.Ladder.
func (s *Store) NotApplied(ctx context.Context, uid logdb.MeterUID, first, last logdb.Millis) (out []logdb.NotApplied, err error) {
	err = s.snapshot(ctx, "list changes that came too late", func(c *conn) error {
		one := int64(0)
		if some, err := c.oneKept([]any{&one}, anyUnapplied, string(uid)); err != nil || !some { // nearly always
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var n logdb.NotApplied
			var journal string
			err := rows.Scan(&journal, &n.Stream.Policy, &n.Log, &n.Time, &n.Position)
			n.Stream.Journal = logdb.JournalID(journal)
			out = append(out, n)
			return err
		}, listUnapplied, string(uid), first, last)
	})
	return out, err
}
