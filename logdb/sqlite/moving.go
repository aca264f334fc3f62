package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

const (
	// movable are chunks whose values are in the database and in the file. The rows of logs stay in the database: they are
	// small, and a change that comes when the values are gone must find its row.
	movable = `SELECT c.id, s.stream, s.log, ch.key FROM archived a JOIN chunk c ON c.id = a.chunk JOIN series s ON s.id = c.id / 16777216 JOIN channel ch ON ch.id = s.channel
	WHERE a.file = ? AND length(c.data) > 0 ORDER BY c.id`
	emptyChunk = `UPDATE chunk SET data = x'' WHERE id = ? AND EXISTS (SELECT 1 FROM archived a WHERE a.chunk = chunk.id AND a.file = ?)`
	fileMoved  = `UPDATE archive SET state = 2, changed_ms = ? WHERE id = ?`
	// What the file has replaced counts no more.
	filesReplaced = `UPDATE archive SET state = 3, changed_ms = ? WHERE meter = ? AND state = 2 AND NOT EXISTS (SELECT 1 FROM archived a WHERE a.file = archive.id) AND NOT EXISTS (SELECT 1 FROM cold k WHERE k.file = archive.id)`
	writeQuarter  = `INSERT INTO quarter (id, exact, crc, data) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET exact = excluded.exact, crc = excluded.crc, data = excluded.data`
	deleteQuarter = `DELETE FROM quarter WHERE id = ?`
	// maxMove bounds the values that one transaction takes out of the database.
	maxMove = 500_000
)

// quarterStep is the step of the tier that is written when full resolution goes.
const quarterStep = logdb.DayMillis / 96

// cellMove is the chunks of one series and cell.
type cellMove struct {
	row  seriesRow
	cell int64
	ids  []int64
}

// move takes the values that are in a verified file out of the database, a bounded part in each transaction, and writes the
// 15-minute tier in their place.
func (a *archiver) move(ctx context.Context, file int64) error {
	var cells []cellMove
	err := a.snapshot(ctx, "look for what is archived", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			m := cellMove{ids: make([]int64, 1)}
			var key string
			if err := rows.Scan(&m.ids[0], &m.row.stream, &m.row.log, &key); err != nil {
				return err
			}
			m.row.id, m.row.channel, m.cell = m.ids[0]>>dayBits, logdb.ChannelKey(key), cellOf(dayOfChunk(m.ids[0]))
			if n := len(cells); n > 0 && cells[n-1].row.id == m.row.id && cells[n-1].cell == m.cell {
				cells[n-1].ids = append(cells[n-1].ids, m.ids[0])
				return nil
			}
			cells = append(cells, m)
			return nil
		}, movable, file)
	})
	if err != nil {
		return err
	}
	for len(cells) > 0 {
		var done int
		var points int64
		err := a.write(ctx, "take archived values out of the database", func(t *txn) error {
			done, points = 0, 0 // a group that was rolled back runs again
			for done < len(cells) && points < maxMove {
				n, err := t.moveCell(file, a.meter, &cells[done])
				if err != nil {
					return err
				}
				points += n
				done++
			}
			return nil
		})
		if err != nil {
			return err
		}
		a.moved.Points += points
		cells = cells[done:]
	}
	return a.write(ctx, "note an archive file", func(t *txn) error { return t.settleFile(a.meter, file) })
}

// settleFile notes that a file is in use, and that those are not which it has replaced.
func (t *txn) settleFile(meter, file int64) error {
	if _, err := t.exec(fileMoved, t.nowMillis(), file); err != nil {
		return err
	}
	_, err := t.exec(filesReplaced, t.nowMillis(), meter)
	return err
}

// moveCell takes the chunks of a cell out of the database.
func (t *txn) moveCell(file, meter int64, c *cellMove) (points int64, err error) {
	if err := t.writeQuarters(meter, &c.row, c.cell); err != nil {
		return 0, fmt.Errorf("15-minute tier of day %d: %w", c.cell, err)
	}
	for _, id := range c.ids {
		n := int64(0)
		if _, err := t.one([]any{&n}, chunkSize, id); err != nil {
			return 0, err
		}
		if _, err := t.exec(emptyChunk, id, file); err != nil {
			return 0, fmt.Errorf("take a chunk out: %w", err)
		}
		points += n
	}
	return points, nil
}

const chunkSize = `SELECT n FROM chunk WHERE id = ?`

// writeQuarters writes the 15-minute tier of a cell, unless the hour tier has such steps itself.
func (t *txn) writeQuarters(meter int64, r *seriesRow, cell int64) error {
	var step logdb.Millis
	if _, err := t.one([]any{&step}, stepOfMeter, meter); err != nil {
		return err
	}
	if step <= quarterStep {
		_, err := t.exec(deleteQuarter, chunkID(r.id, cell))
		return err
	}
	roll, exact, err := t.rollUp(r, cell, quarterStep)
	if err != nil {
		return err
	}
	return t.saveQuarter(chunkID(r.id, cell), roll, exact)
}

// rollUp sums up the chunks of a cell. It tells whether all values are decimal and so small that their sums are exact in any order.
func (c *conn) rollUp(r *seriesRow, cell int64, step logdb.Millis) (*chunk.Roll, bool, error) {
	roll := &chunk.Roll{Step: step, Covers: r.covers()}
	exact := true
	m := seriesMerger{compactor: &compactor{txn: &txn{conn: c}}, row: r}
	list, err := m.chunksIn(cell)
	if err != nil {
		return nil, false, err
	}
	var b logdb.Block
	for _, k := range list {
		if err := c.points(k.id, &b); err != nil {
			return nil, false, err
		}
		exact = exact && isExact(&b)
		roll.RollUp(&b)
	}
	return roll, exact, nil
}

// isExact reports whether sums of the values are the same bits in whatever order they are made: a million of them stay below 2^63.
func isExact(b *logdb.Block) bool {
	const most = 1 << 42
	if len(b.Exceptions) > 0 {
		return false
	}
	for _, m := range b.Mantissas {
		if m >= most || m <= -most {
			return false
		}
	}
	return true
}

func (t *txn) saveQuarter(id int64, roll *chunk.Roll, exact bool) error {
	if len(roll.Steps) == 0 {
		_, err := t.exec(deleteQuarter, id)
		return err
	}
	data, err := t.codec.AppendRoll(nil, roll)
	if err != nil {
		return err
	}
	if _, err := t.exec(writeQuarter, id, exact, int64(chunk.Checksum(data)), data); err != nil {
		return fmt.Errorf("write the 15-minute tier: %w", err)
	}
	return nil
}
