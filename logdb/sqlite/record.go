package sqlite

import (
	"cmp"
	"fmt"
	"slices"

	"metermanager/logdb"
)

const updateEntry = `UPDATE entry SET shown = ?, live = ? WHERE id = ?`

// holdRecord keeps a version of an event or recording and makes the one with the highest position the live one.
func (t *txn) holdRecord(s *stream, e *logdb.Entry) error {
	cut := s.cut()
	if e.Op == logdb.OpAdd && !slices.ContainsFunc(cut, func(o *stream) bool { return o.revised }) {
		row, err := t.insertEntry(s, e, s.id, true)
		if err != nil {
			return err
		}
		return t.countRecord(s, &row, e.Position, 1)
	}
	p := original(e)
	versions, err := t.versions(cut, p)
	if err != nil {
		return err
	}
	before := stateOf(versions)
	if before.entry != nil {
		if err := t.countRecord(before.stream, &before.newest.row, p, -1); err != nil {
			return err
		}
	}
	row, err := t.insertEntry(s, e, s.id, false)
	if err != nil {
		return err
	}
	versions = append(versions, version{s, row})
	slices.SortFunc(versions, func(a, b version) int { return cmp.Compare(a.row.entry.Position, b.row.entry.Position) })
	return t.settle(versions, p)
}

// settle writes which version of a record is live and where it counts.
func (t *txn) settle(versions []version, p logdb.Position) error {
	after := stateOf(versions)
	for i := range versions {
		r := &versions[i].row
		live := after.entry == &r.entry
		if r.shown == after.stream.id && r.live == live {
			continue
		}
		if _, err := t.exec(updateEntry, after.stream.id, live, r.id); err != nil {
			return fmt.Errorf("settle record %d: %w", p, err)
		}
	}
	if after.entry != nil {
		return t.countRecord(after.stream, &after.newest.row, p, 1)
	}
	return nil
}

// countRecord adds a live version to the claim of its day, or takes it out.
func (t *txn) countRecord(s *stream, r *entryRow, p logdb.Position, sign int) error {
	tally, err := t.tally(s, r.entry.Log, 0, r.entry.Time)
	if err != nil {
		return err
	}
	if sign > 0 {
		tally.AddEntry(p, r.digest)
	} else {
		tally.RemoveEntry(p, r.digest)
	}
	return nil
}

const (
	deleteEntry  = `DELETE FROM entry WHERE id = ?`
	samplesGone  = `SELECT 1 FROM cold WHERE entry = ? AND file IS NULL`
	deleteSample = `DELETE FROM sample WHERE entry = ?`
	readEntry    = `SELECT ` + entryColumns + ` FROM entry e WHERE e.stream = ? AND e.position = ?`
)

// removeEntry removes an entry of a stream with what belongs to it.
func (t *txn) removeEntry(stream int64, r *entryRow) error {
	id := r.id
	if _, err := t.exec(deleteWitness, stream, r.entry.Position); err != nil {
		return fmt.Errorf("remove the note of an entry: %w", err)
	}
	one := 0
	if gone, err := t.one([]any{&one}, samplesGone, id); err != nil {
		return err
	} else if gone {
		err := t.changeLedger(stream, ledgerSamples, 0, r.entry.Time.Day(), func(tally *logdb.Tally) { tally.RemoveBits(r.entry.Position, r.entry.Time, 0) })
		if err != nil {
			return err
		}
	}
	for _, query := range []string{deleteSample, deleteCold} {
		if _, err := t.exec(query, id); err != nil {
			return fmt.Errorf("remove samples: %w", err)
		}
	}
	if _, err := t.exec(deleteEntry, id); err != nil {
		return fmt.Errorf("remove an entry: %w", err)
	}
	return nil
}

// replace puts e in the place of what is held at its position: the full variant of a recording, or a row
// that takes the place of the combined one.
func (t *txn) replace(s *stream, e *logdb.Entry) error {
	if s.kind == logdb.KindHistorical {
		old, err := t.liveRow(s, e.Position)
		if err != nil {
			return err
		}
		if old != nil {
			if err := t.conceal(s, old, e.Position); err != nil {
				return err
			}
		}
		return t.reveal(s, e, e.Position)
	}
	p := original(e)
	versions, err := t.versions(s.cut(), p)
	if err != nil {
		return err
	}
	if before := stateOf(versions); before.entry != nil {
		if err := t.countRecord(before.stream, &before.newest.row, p, -1); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(versions, func(v version) bool { return v.stream == s && v.row.entry.Position == e.Position })
	if i < 0 {
		return fmt.Errorf("replace entry %d of %s: %w", e.Position, s.ref, logdb.ErrNotFound)
	}
	if err := t.removeEntry(s.id, &versions[i].row); err != nil {
		return err
	}
	if versions[i].row, err = t.insertEntry(s, e, s.id, false); err != nil {
		return err
	}
	return t.settle(versions, p)
}
