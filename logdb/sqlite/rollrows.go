package sqlite

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"metermanager/logdb/chunk"
)

// A cell of the hour tier is stored in pieces, in rows of their own: id is series << 24 | first day of the cell, plus the number of the piece. A row of SQLite
// that takes more than half of a page has that page to itself, and at one value a minute a cell is three quarters of one; of pieces four fill a page.
const (
	rollPiece  = 990           // bytes
	mostPieced = 8 * rollPiece // what is larger lies in pages of its own anyway and stays whole
)

const (
	readRolls  = `SELECT id, crc, data FROM roll WHERE id BETWEEN ? AND ? ORDER BY id`
	deleteRoll = `DELETE FROM roll WHERE id BETWEEN ?1 AND ?1 + 27` // all pieces of a cell
	insertRoll = `INSERT INTO roll (id, crc, data) VALUES (?, ?, ?)`
)

// eachRoll visits the cells that the tier has among the ids from first to last, as they were written: visit must look
// at the checksum, and not ask the database. data hold during the visit only.
func (c *conn) eachRoll(first, last int64, visit func(id, crc int64, data []byte) error) error {
	var data []byte
	var crc int64
	cell := int64(-1)
	flush := func() error {
		if cell < 0 {
			return nil
		}
		return visit(cell, crc, data)
	}
	add := func(id, sum int64, piece []byte) error {
		if of := id - dayOfChunk(id)%cellDays; of != cell {
			if err := flush(); err != nil {
				return err
			}
			cell, data, crc = of, data[:0], sum // of what has lost its first piece the checksum is wrong
		}
		data = append(data, piece...)
		return nil
	}
	err := c.rollPieces(first, last+cellDays-1, add)
	if err != nil {
		return err
	}
	return flush()
}

// rollPieces visits what is stored from one id to another.
func (c *conn) rollPieces(first, last int64, visit func(id, crc int64, piece []byte) error) error {
	if c.reader != nil {
		return c.reader.Direct(func(row []driver.Value) error {
			if err := c.ended(); err != nil {
				return err
			}
			id, _ := row[0].(int64)
			crc, _ := row[1].(int64) // all three by the table, which is STRICT
			piece, _ := row[2].([]byte)
			return visit(id, crc, piece)
		}, readRolls, first, last)
	}
	return c.each(func(rows *sql.Rows) error {
		var id, crc int64
		var piece sql.RawBytes
		if err := rows.Scan(&id, &crc, &piece); err != nil {
			return err
		}
		return visit(id, crc, piece)
	}, readRolls, first, last)
}

// rollCells is cells of the hour tier that were read and not looked into yet.
type rollCells struct {
	list []rollCell
	data []byte
}

type rollCell struct {
	id, crc int64
	end     int // of its bytes
}

func (r *rollCells) add(id, crc int64, data []byte) {
	r.data = append(r.data, data...)
	r.list = append(r.list, rollCell{id, crc, len(r.data)})
}

func (r *rollCells) each(visit func(id, crc int64, data []byte) error) error {
	at := 0
	for _, x := range r.list {
		if err := visit(x.id, x.crc, r.data[at:x.end]); err != nil {
			return err
		}
		at = x.end
	}
	return nil
}

func (r *rollCells) clear() { r.list, r.data = r.list[:0], r.data[:0] }

// rollBytes reads one cell of the hour tier; false when there is none.
func (c *conn) rollBytes(id int64) (data []byte, crc int64, known bool, err error) {
	err = c.eachRoll(id, id, func(_, sum int64, b []byte) error {
		data, crc, known = bytes.Clone(b), sum, true
		return nil
	})
	return data, crc, known, err
}

// saveRoll writes a cell of the hour tier.
func (m *seriesMerger) saveRoll(id int64, roll *chunk.Roll) error {
	if _, err := m.exec(deleteRoll, id); err != nil {
		return fmt.Errorf("remove the hour tier: %w", err)
	}
	if len(roll.Steps) == 0 {
		return nil
	}
	data, err := m.codec.AppendRoll(nil, roll)
	if err != nil {
		return err
	}
	piece, crc := rollPiece, int64(chunk.Checksum(data))
	if len(data) > mostPieced {
		piece = len(data)
	}
	for ; len(data) > 0; id++ {
		n := min(piece, len(data))
		if _, err := m.exec(insertRoll, id, crc, data[:n]); err != nil {
			return fmt.Errorf("write the hour tier: %w", err)
		}
		data, crc = data[n:], 0 // the first has that of the whole
	}
	return nil
}
