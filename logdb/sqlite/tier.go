package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// rollCell writes the hour tier of a cell anew for the chunks that were rewritten, and keeps its other steps. A tier that
// is missing, damaged or of another step is made from all chunks.
func (m *seriesMerger) rollCell(cell, days int64, merged map[int64]column) error {
	id := chunkID(m.row.id, cell)
	roll := chunk.Roll{Step: m.step, Covers: m.covers}
	var old chunk.Roll
	known, err := m.oldRoll(id, &old)
	if err != nil {
		return err
	}
	if !known {
		list, err := m.chunksIn(cell)
		if err != nil {
			return err
		}
		for _, k := range list {
			if _, ok := merged[dayOfChunk(k.id)]; ok {
				continue
			}
			part, err := m.load([]chunkRow{k}, dayOfChunk(k.id), dayOfChunk(k.id)+k.days)
			if err != nil {
				return err
			}
			merged[dayOfChunk(k.id)] = part
		}
	}
	perDay := int64(logdb.DayMillis / m.step)
	next := 0
	var block logdb.Block
	for start := cell; start < cell+cellDays; start += days {
		all, anew := merged[start]
		for ; next < len(old.Steps) && old.Steps[next] < (start+days)*perDay; next++ {
			if !anew {
				roll.Steps, roll.Buckets = append(roll.Steps, old.Steps[next]), append(roll.Buckets, old.Buckets[next])
			}
		}
		if anew && all.Len() > 0 {
			m.codec.Block(all.Points, &block)
			roll.RollUp(&block)
		}
	}
	return m.saveRoll(id, &roll)
}

// quarterCell writes the 15-minute tier of a cell anew where there is one: from what is in the archive and what came back from there.
func (m *seriesMerger) quarterCell(cell int64) error {
	id := chunkID(m.row.id, cell)
	one := 0
	known, err := m.one([]any{&one}, hasQuarter, id)
	if err != nil || !known {
		return err
	}
	return m.writeQuarters(m.logRef.meter, m.row, cell)
}

// quartersOfArchived writes the 15-minute tier of a cell that is in the archive: with the steps of the hour tier it had until now, it may have needed
// none.
func (m *seriesMerger) quartersOfArchived(cell int64) error {
	id := chunkID(m.row.id, cell)
	n, from := 0, int64(0)
	if _, err := m.one([]any{&n}, emptyChunks, id, id+cellDays-1); err != nil {
		return err
	}
	if _, err := m.one([]any{&from}, droppedQuarter, m.row.id); err != nil {
		return err
	}
	if n == 0 || cell < from {
		return nil
	}
	return m.writeQuarters(m.logRef.meter, m.row, cell)
}

const emptyChunks = `SELECT count(*) FROM chunk WHERE id BETWEEN ? AND ? AND length(data) = 0`

const hasQuarter = `SELECT 1 FROM quarter WHERE id = ?`

// oldRoll reads the tier of a cell when it can be used again.
func (m *seriesMerger) oldRoll(id int64, old *chunk.Roll) (bool, error) {
	data, crc, ok, err := m.rollBytes(id)
	if err != nil {
		return false, fmt.Errorf("read the hour tier: %w", err)
	}
	if ok && checked(data, crc) == nil && m.codec.Roll(data, old) == nil && old.Step == m.step && old.Covers == m.covers {
		return true, nil
	}
	*old = chunk.Roll{}
	return false, nil
}

const (
	seriesOfMeter = `SELECT s.id, s.stream, s.log, c.key FROM series s JOIN channel c ON c.id = s.channel WHERE s.meter = ?`
	rebuilt       = `UPDATE meter SET rebuild = 0 WHERE id = ? AND step_ms = ?`
)

// rebuildRolls makes the hour tier of a meter anew, whose zone has changed, one series in each transaction.
func (s *Store) rebuildRolls(ctx context.Context, meter int64) error {
	var all []seriesRow
	var step logdb.Millis
	err := s.snapshot(ctx, "list the series of a meter", func(c *conn) error {
		if _, err := c.one([]any{&step}, stepOfMeter, meter); err != nil {
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var r seriesRow
			var key string
			err := rows.Scan(&r.id, &r.stream, &r.log, &key)
			r.channel = logdb.ChannelKey(key)
			all = append(all, r)
			return err
		}, seriesOfMeter, meter)
	})
	if err != nil {
		return err
	}
	for i := range all {
		err := s.write(ctx, "rebuild the hour tier", func(t *txn) error { return t.rebuildSeries(meter, step, &all[i]) })
		if err != nil {
			return err
		}
	}
	return s.write(ctx, "rebuild the hour tier", func(t *txn) error {
		_, err := t.exec(rebuilt, meter, step)
		return err
	})
}

func (t *txn) rebuildSeries(meter int64, step logdb.Millis, r *seriesRow) error {
	c := &compactor{txn: t, logRef: logRef{meter, r.stream, r.log}, step: step, view: &view{codec: t.codec}}
	m := seriesMerger{compactor: c, row: r, covers: r.covers()}
	if err := t.goneCells(c.view, r.stream, r.log); err != nil {
		return err
	}
	list, err := t.chunksOf(r, everything)
	if err != nil {
		return err
	}
	for i := 0; i < len(list); {
		cell := cellOf(dayOfChunk(list[i].id))
		days := list[i].days
		for i < len(list) && cellOf(dayOfChunk(list[i].id)) == cell {
			i++
		}
		if _, gone := slices.BinarySearch(c.view.gone, cell); gone {
			continue // not all values are here of which its sums were made
		}
		var old chunk.Roll
		known, err := m.oldRoll(chunkID(r.id, cell), &old)
		if err != nil {
			return err
		}
		if known { // what went into the archive while the steps were shorter has no 15-minute tier yet
			if known, err = t.one([]any{new(int)}, hasQuarter, chunkID(r.id, cell)); err != nil {
				return err
			}
			if known {
				continue
			}
		} else if err := m.rollCell(cell, days, map[int64]column{}); err != nil {
			return err
		}
		if err := m.quartersOfArchived(cell); err != nil {
			return err
		}
	}
	return nil
}
