package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// rawPage is how many raw records of one batch share a row at most.
const rawPage = 256

// rawWriter gathers the raw records of a batch, log by log.
type rawWriter struct {
	*txn
	stream *stream
	batch  *logdb.Batch
	next   int // of the batch's raw records
	logs   map[logdb.LogNo][]logdb.RawRecord
	order  []logdb.LogNo
}

func (w *rawWriter) add(e *logdb.Entry) error {
	if w.batch.Raw == nil {
		return nil
	}
	data := w.batch.Raw[w.next]
	w.next++
	if len(data) == 0 {
		return nil
	}
	if w.logs == nil {
		w.logs = map[logdb.LogNo][]logdb.RawRecord{}
	}
	if _, known := w.logs[e.Log]; !known {
		w.order = append(w.order, e.Log)
	}
	w.logs[e.Log] = append(w.logs[e.Log], logdb.RawRecord{Position: e.Position, Bytes: data, Run: e.Run, Generation: e.Generation, Time: e.Time})
	return nil
}

func (w *rawWriter) flush() error {
	for _, log := range w.order {
		for part := range slices.Chunk(w.logs[log], rawPage) {
			if err := w.insertRaw(w.stream.id, log, w.batch.Snapshot, part); err != nil {
				return err
			}
			for i := range part {
				part[i].Snapshot = w.batch.Snapshot
			}
			if err := w.ledgerRaw(w.stream, log, part); err != nil {
				return err
			}
		}
	}
	return nil
}

const insertRaw = `INSERT INTO raw (stream, log, p_min, p_max, snapshot, data) VALUES (?, ?, ?, ?, ?, ?)`

func (t *txn) insertRaw(stream int64, log logdb.LogNo, snapshot logdb.Digest, records []logdb.RawRecord) error {
	_, err := t.exec(insertRaw, stream, log, records[0].Position, records[len(records)-1].Position, snapshot[:],
		t.codec.AppendBytes(nil, encodeRaw(records)))
	if err != nil {
		return fmt.Errorf("keep %d raw records: %w", len(records), err)
	}
	return nil
}

// encodeRaw writes records as differences to the one before: position, run, generation, time, length, bytes.
func encodeRaw(records []logdb.RawRecord) []byte {
	var b []byte
	var last logdb.RawRecord
	for _, r := range records {
		b = binary.AppendUvarint(b, uint64(r.Position-last.Position))
		b = binary.AppendVarint(b, int64(r.Run)-int64(last.Run))
		b = binary.AppendVarint(b, int64(r.Generation)-int64(last.Generation))
		b = binary.AppendVarint(b, int64(r.Time-last.Time))
		b = binary.AppendUvarint(b, uint64(len(r.Bytes)))
		b = append(b, r.Bytes...)
		last = r
	}
	return b
}

func decodeRaw(data []byte, snapshot logdb.Digest) ([]logdb.RawRecord, error) {
	short := fmt.Errorf("%w: raw records end too early", chunk.ErrDamaged)
	var out []logdb.RawRecord
	var last logdb.RawRecord
	for len(data) > 0 {
		var numbers [5]int64
		for i := range numbers {
			var n int
			if i == 0 || i == 4 {
				var u uint64
				u, n = binary.Uvarint(data)
				numbers[i] = int64(u)
			} else {
				numbers[i], n = binary.Varint(data)
			}
			if n <= 0 {
				return nil, short
			}
			data = data[n:]
		}
		if numbers[4] < 0 || numbers[4] > int64(len(data)) {
			return nil, short
		}
		last = logdb.RawRecord{
			Position: last.Position + logdb.Position(numbers[0]), Run: uint32(int64(last.Run) + numbers[1]),
			Generation: uint32(int64(last.Generation) + numbers[2]), Time: last.Time + logdb.Millis(numbers[3]),
			Bytes: bytes.Clone(data[:numbers[4]]), Snapshot: snapshot,
		}
		data = data[numbers[4]:]
		out = append(out, last)
	}
	return out, nil
}

type rawRow struct {
	id      int64
	records []logdb.RawRecord
}

func (c *conn) scanRaw(rows *sql.Rows) (r rawRow, err error) {
	var snapshot, data []byte
	if err := rows.Scan(&r.id, &snapshot, &data); err != nil {
		return r, err
	}
	var id logdb.Digest
	copy(id[:], snapshot)
	plain, err := c.codec.Bytes(data)
	if err != nil {
		return r, fmt.Errorf("raw records %d: %w", r.id, err)
	}
	r.records, err = decodeRaw(plain, id)
	return r, err
}

const (
	lastRaw = `SELECT id, snapshot, data FROM raw WHERE stream = ? AND log = ? ORDER BY p_max DESC`
	rawAt   = `SELECT id, snapshot, data FROM raw WHERE stream = ? AND p_min <= ? AND p_max >= ?`
)

// LastRaw implements logdb.Store.
func (s *Store) LastRaw(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, n int) ([]logdb.RawRecord, error) {
	var out []logdb.RawRecord
	err := s.snapshot(ctx, "read the last raw records of "+string(uid), func(c *conn) error {
		_, id, err := c.ownJournal(uid, kind)
		if errors.Is(err, logdb.ErrNotFound) || n <= 0 {
			return nil
		}
		if err != nil {
			return err
		}
		err = c.each(func(rows *sql.Rows) error {
			r, err := c.scanRaw(rows)
			if err != nil {
				return err
			}
			out = append(slices.Clone(r.records), out...)
			if len(out) >= n {
				return errEnough
			}
			return nil
		}, lastRaw, id, log)
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[max(0, len(out)-n):], nil
}

const rawFrom = `SELECT id, snapshot, data FROM raw WHERE stream = ? AND log = ? AND p_max >= ? ORDER BY p_max`

// ReadRaw implements logdb.Store.
func (s *Store) ReadRaw(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, log logdb.LogNo, first logdb.Position, n int) ([]logdb.RawRecord, error) {
	var out []logdb.RawRecord
	err := s.snapshot(ctx, fmt.Sprintf("read the raw records of %s from %d", uid, first), func(c *conn) error {
		_, id, err := c.ownJournal(uid, kind)
		if errors.Is(err, logdb.ErrNotFound) || n <= 0 {
			return nil
		}
		if err != nil {
			return err
		}
		err = c.each(func(rows *sql.Rows) error {
			r, err := c.scanRaw(rows)
			for _, record := range r.records {
				if record.Position >= first && len(out) < n {
					out = append(out, record)
				}
			}
			if err == nil && len(out) == n {
				return errEnough
			}
			return err
		}, rawFrom, id, log, first)
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	return out, err
}

// RawAt implements logdb.Store.
func (s *Store) RawAt(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, p logdb.Position) (found logdb.RawRecord, err error) {
	err = s.snapshot(ctx, fmt.Sprintf("read the raw record of %s at %d", uid, p), func(c *conn) error {
		_, id, err := c.ownJournal(uid, kind)
		if err != nil {
			return err
		}
		err = c.each(func(rows *sql.Rows) error {
			r, err := c.scanRaw(rows)
			for _, record := range r.records {
				if record.Position == p {
					found = record
				}
			}
			return err
		}, rawAt, id, p, p)
		if err == nil && found.Position == 0 {
			err = logdb.ErrNotFound
		}
		return err
	})
	return found, err
}

const (
	listOpen   = `SELECT o.log, o.start_ms, o.data, o.raw FROM open_start o JOIN meter m ON m.id = o.meter WHERE m.uid = ? AND o.kind = ? ORDER BY o.id`
	deleteOpen = `DELETE FROM open_start WHERE meter = ? AND kind = ? AND log = ?`
	insertOpen = `INSERT INTO open_start (meter, kind, log, start_ms, data, raw) VALUES (?, ?, ?, ?, ?, ?)`
)

// OpenStarts implements logdb.Store.
func (s *Store) OpenStarts(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]logdb.OpenStart, error) {
	var out []logdb.OpenStart
	err := s.snapshot(ctx, "read the open events of "+string(uid), func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var o logdb.OpenStart
			var data []byte
			if err := rows.Scan(&o.Log, &o.Start, &data, &o.Raw); err != nil {
				return err
			}
			var e logdb.Entry
			if err := decodeEntry(data, &e); err != nil || e.Excursion == nil {
				return fmt.Errorf("open event of %s: %w: %w", o.Start, chunk.ErrDamaged, err)
			}
			o.Event = *e.Excursion
			out = append(out, o)
			return nil
		}, listOpen, string(uid), kind)
	})
	return out, err
}

func (t *txn) replaceOpen(j *journals, set *logdb.OpenSet) error {
	if _, err := t.exec(deleteOpen, j.meter.id, j.kind, set.Log); err != nil {
		return fmt.Errorf("remove the open events of log %d: %w", set.Log, err)
	}
	own := j.own()
	if _, err := t.exec(dropLedger, own.id, ledgerOpen, set.Log); err != nil {
		return fmt.Errorf("remove the open events of log %d: %w", set.Log, err)
	}
	for i := range set.Starts {
		o := &set.Starts[i]
		data, _, err := encodeEntry(t.codec, &logdb.Entry{Op: logdb.OpAdd, Log: o.Log, Time: o.Start, Excursion: &o.Event})
		if err != nil {
			return fmt.Errorf("%w: %w", logdb.ErrInvalid, err)
		}
		if _, err := t.exec(insertOpen, j.meter.id, j.kind, o.Log, o.Start, data, o.Raw); err != nil {
			return fmt.Errorf("keep an open event of log %d: %w", o.Log, err)
		}
		err = t.ledger(own, ledgerOpen, o.Log, o.Start.Day(), func(tally *logdb.Tally) { tally.AddBits(1, o.Start, openBits(data, o.Raw)) })
		if err != nil {
			return err
		}
	}
	return nil
}
