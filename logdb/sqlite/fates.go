package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sort"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
)

// rangesPerRow is how many ranges of a fate set share a row. A stream that is reduced has two new ranges a
// minute: one row for all would be written again and again.
const rangesPerRow = 256

const (
	loadFates   = `SELECT data FROM fate WHERE stream = ? AND last >= ? ORDER BY last`
	fateRows    = `SELECT first FROM fate WHERE stream = ? AND last >= ? ORDER BY last LIMIT 1`
	deleteFates = `DELETE FROM fate WHERE stream = ? AND last >= ?`
	insertFates = `INSERT INTO fate (stream, first, last, data) VALUES (?, ?, ?, ?)`
)

// fatesFrom visits the rows of a stream's fates from the one that holds position p, or follows it, on.
func (c *conn) fatesFrom(stream int64, p logdb.Position, visit func(*logdb.FateSet) error) error {
	return c.each(func(rows *sql.Rows) error { return visitFates(rows, visit) }, loadFates, stream, p)
}

// visitFates visits the fates of one row.
func visitFates(row sqldb.Row, visit func(*logdb.FateSet) error) error {
	var data sql.RawBytes
	if err := row.Scan(&data); err != nil {
		return err
	}
	var part logdb.FateSet
	if err := part.UnmarshalBinary(data); err != nil {
		return fmt.Errorf("fates of a stream: %w", err)
	}
	return visit(&part)
}

// fatesOf loads all fates of a stream.
func (c *conn) fatesOf(stream int64) (out logdb.FateSet, err error) {
	err = c.eachKept(func(row sqldb.Row) error {
		return visitFates(row, func(part *logdb.FateSet) error {
			for _, f := range part.Ranges() {
				out.Put(f)
			}
			return nil
		})
	}, loadFates, stream, logdb.Position(0))
	return out, err
}

// fateAt returns the fate of one position.
func (c *conn) fateAt(stream int64, p logdb.Position) (f logdb.FateRange, ok bool, err error) {
	err = c.fatesFrom(stream, p, func(part *logdb.FateSet) error {
		f, ok = part.At(p)
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return f, ok, err
}

// put decides positions of the stream.
func (s *stream) put(f logdb.FateRange) {
	s.uncount(f.First, f.Last)
	s.fateSum.Add(f)
	s.fates.Put(f)
	s.changed(f.First)
}

// undecide makes positions of the stream undecided.
func (s *stream) undecide(first, last logdb.Position) {
	s.uncount(first, last)
	s.fates.Remove(first, last)
	s.changed(first)
}

// uncount takes the fates of positions out of the tally.
func (s *stream) uncount(first, last logdb.Position) {
	for _, old := range s.fates.Within(first, last) {
		s.fateSum.Remove(old)
	}
}

// changed notes the lowest position whose fate differs from the table. The range before it may have grown.
func (s *stream) changed(p logdb.Position) {
	if p--; s.fatesFrom == unchanged || p < s.fatesFrom {
		s.fatesFrom = p
	}
}

// unchanged is the value of fatesFrom when the table holds all fates.
const unchanged = logdb.Position(math.MaxUint64)

// saveFates writes the rows from the first changed one on.
func (t *txn) saveFates(s *stream) error {
	if s.fatesFrom == unchanged {
		return nil
	}
	// The row that holds the change begins where it began; what lies before stays.
	from := s.fatesFrom
	var first logdb.Position
	ok, err := t.one([]any{&first}, fateRows, s.id, from)
	if err != nil {
		return fmt.Errorf("find the fates of %s: %w", s.ref, err)
	}
	if ok {
		from = min(from, first)
	}
	if _, err := t.exec(deleteFates, s.id, from); err != nil {
		return fmt.Errorf("save the fates of %s: %w", s.ref, err)
	}
	ranges := s.fates.Ranges()
	start := sort.Search(len(ranges), func(i int) bool { return ranges[i].Last >= from })
	for i := start; i < len(ranges); i += rangesPerRow {
		part := ranges[i:min(i+rangesPerRow, len(ranges))]
		var set logdb.FateSet
		for _, f := range part {
			set.Put(f)
		}
		data, err := set.AppendBinary(nil)
		if err == nil {
			_, err = t.exec(insertFates, s.id, part[0].First, part[len(part)-1].Last, data)
		}
		if err != nil {
			return fmt.Errorf("save the fates of %s: %w", s.ref, err)
		}
	}
	s.fatesFrom = unchanged
	return nil
}
