package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
)

const (
	lastNumber = `SELECT coalesce(max(number), 0) FROM archive WHERE meter = ? AND kind = ? AND month = ?`
	insertFile = `INSERT INTO archive (meter, kind, month, number, name, state, changed_ms) VALUES (?, ?, ?, ?, ?, 0, ?) RETURNING id`
)

// reserveFile notes a name before there is a file, so that no file is ever unknown. A name that a file has which this database does not know
// (it was restored from a backup) is left alone.
func (s *Store) reserveFile(ctx context.Context, meter int64, uid logdb.MeterUID, kind logdb.Kind, m archive.Month) (id int64, name string, err error) {
	number := 0
	err = s.snapshot(ctx, "look for archive files", func(c *conn) error {
		_, err := c.one([]any{&number}, lastNumber, meter, kind, m)
		return err
	})
	if err != nil {
		return 0, "", err
	}
	for taken := true; taken; {
		number++
		name = archive.Name(uid, kind, m, number)
		src, err := s.cfg.Archive.Open(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			taken = false
		case err != nil:
			return 0, "", err
		default:
			_ = src.Close() // it was only looked for
		}
	}
	err = s.write(ctx, "note an archive file", func(t *txn) error {
		t.changes++
		_, err := t.one([]any{&id}, insertFile, meter, kind, m, number, name, t.nowMillis())
		return err
	})
	return id, name, err
}

// readBack compares the file, read again, with what was to be written.
func (a *archiver) readBack(name string, w archive.Written, parts []moving) error {
	if err := archive.Verify(a.cfg.Archive, name, w); err != nil {
		return err
	}
	f, err := archive.Open(a.cfg.Archive, name, &w.Tail)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	var b logdb.Block
	var m chunk.Marks
	for i := range parts {
		k := &parts[i]
		if err := f.Check(k.part); err != nil {
			return err
		}
		var s archive.Series
		var sum uint32
		if k.row.channel == "" {
			s, err = f.Rows(k.part.Index, &m)
			sum = sumOfMarks(&m)
		} else {
			s, err = f.Values(k.part.Index, &b)
			sum = sumOfBlock(&b)
		}
		if err != nil {
			return err
		}
		if s != k.series || sum != k.sum {
			return &archive.FileError{Name: name, Err: fmt.Errorf("%w: part %d does not read as it was written", chunk.ErrDamaged, k.part.Index)}
		}
	}
	return nil
}

const (
	registerFile = `UPDATE archive SET state = 1, parts = ?, points = ?, size = ?, sha256 = ?, tail = ?, tail_crc = ?, changed_ms = ? WHERE id = ? AND state = 0`
	// A chunk that has changed since it was read stays as it is: the part in the file does not count.
	registerPart = `INSERT INTO archived (chunk, file, part, first, size, crc) SELECT c.id, ?, ?, ?, ?, ? FROM chunk c WHERE c.id = ? AND c.crc = ? AND c.n = ?
	ON CONFLICT (chunk) DO UPDATE SET file = excluded.file, part = excluded.part, first = excluded.first, size = excluded.size, crc = excluded.crc`
)

var errTaken = errors.New("another node took the archive file for one that was left half written")

// registerFile notes that a file was verified, unless another node has taken its row to remove it.
func (t *txn) registerFile(id int64, w archive.Written, points int64) error {
	ok, err := t.changeFile(registerFile, w.Parts, points, w.Size, w.SHA256[:], w.Tail.Offset, int64(w.Tail.CRC), t.nowMillis(), id)
	if err == nil && !ok {
		err = errTaken
	}
	return err
}

// register notes a verified file and what is in it.
func (a *archiver) register(ctx context.Context, id int64, w archive.Written, parts []moving) error {
	points := int64(0)
	for i := range parts {
		if parts[i].row.channel != "" {
			points += parts[i].n
		}
	}
	return a.write(ctx, "note a verified archive file", func(t *txn) error {
		if err := t.registerFile(id, w, points); err != nil {
			return err
		}
		for i := range parts {
			k := &parts[i]
			if _, err := t.exec(registerPart, id, k.part.Index, k.part.Offset, k.part.Size, int64(k.part.CRC), k.id, k.crc, k.n); err != nil {
				return fmt.Errorf("note a part: %w", err)
			}
		}
		return nil
	})
}
