package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/logdb"
)

const (
	oldStreams  = `SELECT id, meter, kind FROM stream WHERE witnessed = 0`
	setWitness  = `UPDATE stream SET witnessed = 1, fates_a = ?, fates_b = ? WHERE id = ?`
	uidOfMeter  = `SELECT uid FROM meter WHERE id = ?`
	dropLedgers = `DELETE FROM ledger WHERE stream = ?`
)

// witnessOld keeps apart, for streams that an older version wrote, what newer ones keep with every write: what is there
// now is taken for right, since nothing says otherwise. One transaction each.
func (s *Store) witnessOld(ctx context.Context) error {
	type old struct {
		id, meter int64
		kind      logdb.Kind
		uid       string
	}
	var all []old
	err := s.snapshot(ctx, "look for streams of an older version", func(c *conn) error {
		err := c.each(func(rows *sql.Rows) error {
			var o old
			err := rows.Scan(&o.id, &o.meter, &o.kind)
			all = append(all, o)
			return err
		}, oldStreams)
		for i := 0; i < len(all) && err == nil; i++ {
			_, err = c.one([]any{&all[i].uid}, uidOfMeter, all[i].meter)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range all {
		err := s.write(ctx, "note what an older version wrote", func(t *txn) error {
			j, err := t.journalsOf(logdb.MeterUID(o.uid), o.kind, false)
			if err != nil {
				return err
			}
			for _, st := range j.streams {
				if st.id == o.id && !st.witnessed {
					return t.witnessStream(st)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("meter %s: %w", o.uid, err)
		}
	}
	return nil
}

// witnessStream notes everything that is held of a stream.
func (t *txn) witnessStream(s *stream) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.changes++ // a failure rolls back what the cache is told below
	s.witnessed, s.fateSum = true, s.fates.Tally()
	d, err := t.s.newDigester(t.conn, t.uid(s), s.kind, s.ref)
	if err != nil {
		return err
	}
	a := auditor{
		digester: d, ref: s.ref, own: s.own, rows: map[digestKey][]logdb.Point{}, marksAt: map[logdb.Position]logdb.Millis{},
		standing: map[logdb.Position]bool{}, changed: map[logdb.Position]bool{}, named: map[digestKey]bool{},
	}
	if s.kind == logdb.KindHistorical {
		if err := a.marksOf(); err != nil { // not witnessed yet: it only reads
			return err
		}
		for k, points := range a.rows {
			tally, err := t.tally(s, k.log, marksChannel, k.day)
			if err != nil {
				return err
			}
			*tally = logdb.Tally{}
			for _, p := range points {
				tally.AddBits(p.Position, p.Time, p.Bits)
			}
		}
	}
	if err := t.witnessEntries(s); err != nil {
		return err
	}
	have := map[ledgerKey]*ledgerDay{}
	for _, step := range []func(map[ledgerKey]*ledgerDay) error{a.rawRecords, a.batches, a.openStarts, a.contents} {
		if err := step(have); err != nil {
			return err
		}
	}
	if _, err := t.exec(dropLedgers, s.id); err != nil {
		return err
	}
	for k, day := range have {
		if err := t.ledger(s, k.what, k.log, k.day, func(tally *logdb.Tally) { *tally = day.tally }); err != nil {
			return err
		}
	}
	_, err = t.exec(setWitness, int64(s.fateSum.A), int64(s.fateSum.B), s.id)
	return err
}

// witnessEntries notes the entries that can be read.
func (t *txn) witnessEntries(s *stream) error {
	if _, err := t.exec(clearWitness, s.id); err != nil {
		return err
	}
	var found []entryRow
	err := t.each(func(rows *sql.Rows) error {
		var r entryRow
		if err := scanEntry(rows, &r); err != nil {
			return err
		}
		if r.decode() == nil {
			r.data = nil
			found = append(found, r)
		}
		return nil
	}, `SELECT `+entryColumns+` FROM entry e WHERE e.stream = ?`, s.id)
	if err != nil {
		return err
	}
	for i := range found {
		if err := t.witness(s, &found[i].entry, found[i].digest); err != nil {
			return err
		}
	}
	return nil
}

// uid returns the name of the meter of a stream.
func (t *txn) uid(s *stream) logdb.MeterUID {
	for uid, m := range t.cache.meters {
		if m == s.meter {
			return uid
		}
	}
	return ""
}
