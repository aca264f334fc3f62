package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
)

const insertBatch = `INSERT INTO batch (stream, last, chain) VALUES (?, ?, ?)`

// Append implements logdb.Store.
func (s *Store) Append(ctx context.Context, b logdb.Batch) (logdb.Appended, error) {
	if err := b.Check(); err != nil {
		return logdb.Appended{}, fmt.Errorf("append: %w", err)
	}
	var done logdb.Appended
	err := s.write(ctx, "append to the journal of "+string(b.Meter), func(t *txn) error {
		var err error
		done, err = t.append(&b)
		return err
	})
	if err != nil {
		return logdb.Appended{}, err
	}
	return done, nil
}

func (t *txn) append(b *logdb.Batch) (done logdb.Appended, err error) {
	j, err := t.journalsOf(b.Meter, b.Kind, false)
	if err != nil {
		return done, err
	}
	if err := checkTargets(j, b); err != nil {
		return done, err
	}
	if own := j.own(); own != nil {
		if err := t.checkChanges([]*stream{own}, b.Entries); err != nil {
			return done, err
		}
	}
	if j, err = t.journalsOf(b.Meter, b.Kind, true); err != nil {
		return done, err
	}
	own := j.own()
	if own == nil {
		if own, err = t.makeStream(j, logdb.StreamID{Journal: t.s.cfg.NewJournalID(), Policy: "0"}, true, ""); err != nil {
			return done, err
		}
	}
	done = logdb.Appended{Journal: own.ref.Journal}
	raw := rawWriter{txn: t, stream: own, batch: b}
	first := own.end + 1
	t.touchStream(own) // before it goes on, so that a failure rolls that back
	if err := t.appendRows(own, b, &raw); err != nil {
		return done, err
	}
	if err := t.appendEntries(own, b, &raw); err != nil {
		return done, err
	}
	if err := raw.flush(); err != nil {
		return done, err
	}
	if own.end >= first {
		done.First = first
		if err := t.noteChain(own); err != nil {
			return done, err
		}
		own.put(logdb.FateRange{First: first, Last: own.end, Fate: logdb.FateStored})
	}
	done.Last, done.Chain = own.end, own.chain
	if b.Open != nil {
		return done, t.replaceOpen(j, b.Open)
	}
	return done, nil
}

// noteChain notes the chain at the end of a batch or page with which a journal that this node writes has grown.
func (t *txn) noteChain(s *stream) error {
	last, chain := s.end, s.chain
	err := t.ledger(s, ledgerBatch, 0, 0, func(tally *logdb.Tally) { tally.AddBits(last, 0, chainBits(chain[:])) })
	if err != nil {
		return err
	}
	if _, err := t.exec(insertBatch, s.id, last, chain[:]); err != nil {
		return fmt.Errorf("note the chain: %w", err)
	}
	return nil
}

// appendRows gives the rows their positions and keeps them.
func (t *txn) appendRows(own *stream, b *logdb.Batch, raw *rawWriter) error {
	for i := range b.Rows {
		h := b.Rows[i] // the caller's stays without positions
		h.Positions = make([]logdb.Position, h.Len())
		// The chain is made of rows with their channels sorted: once here instead of for every row.
		order := make([]int, len(h.Channels))
		for c := range order {
			order[c] = c
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(h.Channels[a], h.Channels[b]) })
		row := logdb.Row{}
		for k := range h.Positions {
			own.end++
			h.Positions[k] = own.end
			row.Channels, row.Values = row.Channels[:0], row.Values[:0]
			for _, c := range order {
				if v := h.Columns[c][k]; !math.IsNaN(v) {
					row.Channels, row.Values = append(row.Channels, h.Channels[c]), append(row.Values, v)
				}
			}
			e := logdb.Entry{Op: logdb.OpAdd, Position: own.end, Log: h.Log, Run: h.Run, Generation: h.Generation, Time: h.Times[k], Row: &row}
			own.chain = e.Chain(own.chain)
			if err := raw.add(&e); err != nil {
				return err
			}
		}
		if err := t.holdRows(own, &h); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) appendEntries(own *stream, b *logdb.Batch, raw *rawWriter) error {
	var targets []logdb.Position
	for i := range b.Entries {
		if b.Entries[i].Target != 0 {
			targets = append(targets, b.Entries[i].Target)
		}
	}
	if own.kind == logdb.KindHistorical {
		if err := t.expect(own, targets); err != nil {
			return err
		}
	}
	for i := range b.Entries {
		e := b.Entries[i]
		own.end++
		e.Position = own.end
		own.chain = e.Chain(own.chain)
		if err := raw.add(&e); err != nil {
			return err
		}
		if err := t.hold(own, &e); err != nil {
			return err
		}
	}
	return nil
}

// checkTargets reports a revise, withdraw or gap that tells anew of a position that comes later or not at all, or of a change in the same
// batch: that names another change instead of the record that both change.
func checkTargets(j *journals, b *logdb.Batch) error {
	var p logdb.Position
	if own := j.own(); own != nil {
		p = own.end
	}
	for i := range b.Rows {
		p += logdb.Position(b.Rows[i].Len())
	}
	before := p // the entries
	for i := range b.Entries {
		target := b.Entries[i].Target
		if p++; target >= p || target > before && b.Entries[target-before-1].Target != 0 {
			return fmt.Errorf("%w: position %d would change position %d", logdb.ErrInvalid, p, target)
		}
		if g := b.Entries[i].Gap; g != nil && g.Replaces >= p {
			return fmt.Errorf("%w: the gap at %d would replace that at %d", logdb.ErrInvalid, p, g.Replaces)
		}
	}
	return nil
}
