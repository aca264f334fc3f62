package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
)

// Forget implements logdb.Store.
func (s *Store) Forget(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID, first, last logdb.Millis) (n int, err error) {
	err = s.write(ctx, fmt.Sprintf("forget in stream %s of %s", ref, uid), func(t *txn) error {
		j, err := t.journalsOf(uid, kind, false)
		if err != nil {
			return err
		}
		of := j.find(ref)
		switch {
		case of == nil:
			return logdb.ErrNotFound
		case of.own:
			return fmt.Errorf("%w: an own journal has no holes, nothing in it can be forgotten", logdb.ErrInvalid)
		}
		f := forgetter{txn: t, stream: of, in: span{max(first, logdb.MinTime), min(last, logdb.MaxTime+1)}}
		if f.in.first >= f.in.last {
			return nil
		}
		t.touchStream(of)
		if kind == logdb.KindHistorical {
			n, err = f.forgetRows()
		} else {
			n, err = f.forgetRecords()
		}
		return err
	})
	return n, err
}

// forgetter removes the live records of a stream in a span and makes their positions undecided.
type forgetter struct {
	*txn
	stream *stream
	in     span
}

const (
	liveIn       = `SELECT ` + entryColumns + ` FROM entry e WHERE e.meter = ? AND e.kind = ? AND e.kind <> 1 AND e.time_ms >= ? AND e.time_ms < ? AND e.shown = ? AND e.live = 1`
	seenWith     = `SELECT digest, n, position FROM seen WHERE stream = ? AND digest IN (SELECT digest FROM seen WHERE stream = ? AND position = ?)`
	forgetSeen   = `DELETE FROM seen WHERE stream = ? AND digest IN (SELECT digest FROM seen WHERE stream = ? AND position = ?)`
	forgetEnded  = `DELETE FROM ended WHERE stream = ? AND position = ?`
	forgetSlot   = `DELETE FROM slot WHERE stream = ? AND position = ?`
	hasKept      = `SELECT count(*) FROM kept WHERE stream = ?`
	logsOfStream = `SELECT id, log FROM series WHERE stream = ? AND channel = 0`
)

func (f *forgetter) forgetRecords() (int, error) {
	var found []entryRow
	err := f.each(func(rows *sql.Rows) error {
		var r entryRow
		err := scanEntry(rows, &r)
		found = append(found, r)
		return err
	}, liveIn, f.stream.meter.id, f.stream.kind, f.in.first, f.in.last, f.stream.id)
	if err != nil {
		return 0, fmt.Errorf("find the records: %w", err)
	}
	for i := range found {
		r := &found[i]
		p := original(&r.entry)
		if err := f.countRecord(f.stream, r, p, -1); err != nil {
			return 0, err
		}
		if err := f.forgetVersions(p); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// forgetVersions removes all versions of record p that have a row of their own.
func (f *forgetter) forgetVersions(p logdb.Position) error {
	versions, err := f.versions(f.stream.cut(), p)
	if err != nil {
		return err
	}
	for i := range versions {
		v := &versions[i]
		if err := f.removeEntry(v.stream.id, &v.row); err != nil {
			return err
		}
		if err := f.forgetSuperseded(v.stream, &v.row.entry); err != nil {
			return err
		}
		if err := f.undecide(v.stream, v.row.entry.Position); err != nil {
			return err
		}
	}
	return nil
}

func (f *forgetter) undecide(s *stream, p logdb.Position) error {
	s.undecide(p, p)
	f.touchStream(s)
	if s.source != "" {
		if err := f.forgetContents(s, p); err != nil {
			return err
		}
	}
	if s.kind == logdb.KindHistorical {
		return nil
	}
	taken, err := f.slotTimes(s.id, p)
	if err != nil {
		return fmt.Errorf("look for a slot: %w", err)
	}
	for _, at := range taken {
		if err := f.ledger(s, ledgerSlot, 0, at.Day(), func(tally *logdb.Tally) { tally.RemoveBits(p, at, 0) }); err != nil {
			return err
		}
	}
	if _, err := f.exec(forgetSlot, s.id, p); err != nil {
		return fmt.Errorf("give back a slot: %w", err)
	}
	return nil
}

// forgetRows removes rows and their values: it takes them out of the claims, then has the compactor drop them.
func (f *forgetter) forgetRows() (int, error) {
	if err := f.loadSeries(f.stream); err != nil {
		return 0, err
	}
	n := 0
	kept := 0
	if f.stream.source != "" {
		if _, err := f.one([]any{&kept}, hasKept, f.stream.id); err != nil {
			return 0, err
		}
	}
	for _, r := range f.stream.series {
		if r.key.channel == marksChannel {
			rows, err := f.positionsOf(r)
			if err != nil {
				return 0, err
			}
			r.n -= int64(len(rows))
			f.touchSeries(r)
			n += len(rows)
			if err := f.undecideRows(rows); err != nil {
				return 0, err
			}
			continue
		}
		if err := f.forgetValues(r, kept > 0); err != nil {
			return 0, err
		}
	}
	if n == 0 {
		return 0, nil
	}
	clear(f.stream.marks)
	for _, r := range f.stream.series {
		f.touchSeries(r)
		if r.key.channel == marksChannel {
			if _, err := f.compact(logRef{f.stream.meter.id, f.stream.id, r.key.log}, &f.in); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// positionsOf returns the positions of the live rows of a log in the span, and takes them out of the claims.
func (f *forgetter) positionsOf(marks *series) ([]logdb.Position, error) {
	view, err := f.viewOf(f.stream.id, marks.key.log, f.in)
	if err != nil {
		return nil, err
	}
	var out []logdb.Position
	fresh := view.freshMarks()
	take := func(c *column, i int) error {
		m := tableRow{time: c.Times[i], position: c.Positions[i], run: c.runs[i], generation: c.generations[i]}
		if m.time < f.in.first || m.time >= f.in.last || view.isRowGone(m.time) {
			return nil
		}
		out = append(out, m.position)
		return f.claimMark(f.stream, marks.key.log, m, -1)
	}
	for i := range fresh.Times {
		if err := take(&fresh, i); err != nil {
			return nil, err
		}
	}
	row := seriesRow{id: marks.id}
	list, err := f.chunksOf(&row, f.in)
	if err != nil {
		return nil, err
	}
	m := seriesMerger{compactor: &compactor{txn: f.txn, view: view}, row: &row, marks: true}
	for _, k := range list {
		part, err := m.column(k.id)
		if err != nil {
			return nil, err
		}
		for i, at := range part.Times {
			if view.hidden(part.Positions[i], at) {
				continue
			}
			if err := take(&part, i); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// undecideRows takes rows and the entries of their versions out of the sets.
func (f *forgetter) undecideRows(rows []logdb.Position) error {
	if len(rows) == 0 {
		return nil
	}
	slices.Sort(rows)
	changed, err := f.superseded(f.stream.cut(), rows[0], rows[len(rows)-1])
	if err != nil {
		return err
	}
	for i := 0; i < len(rows); {
		if changed[rows[i]] {
			if err := f.forgetVersions(rows[i]); err != nil {
				return err
			}
			i++
			continue
		}
		j := i + 1
		for j < len(rows) && rows[j] == rows[j-1]+1 && !changed[rows[j]] {
			j++
		}
		f.stream.undecide(rows[i], rows[j-1])
		i = j
	}
	return nil
}

// forgetValues takes the values of a series in the span out of its claims and its range, and out of the
// contents that are kept.
func (f *forgetter) forgetValues(r *series, kept bool) error {
	view, err := f.viewOf(f.stream.id, r.key.log, f.in)
	if err != nil {
		return err
	}
	gone := map[logdb.Millis]map[uint64]bool{}
	err = f.values(&seriesRow{id: r.id, channel: r.channel}, view, f.in, func(b *logdb.Block) error {
		for i, v := range b.AppendValues(nil) {
			at, p := b.Times[i], b.Positions[i]
			if view.isRowGone(at) {
				continue
			}
			tally, err := f.tally(f.stream, r.key.log, r.key.channel, at)
			if err != nil {
				return err
			}
			tally.RemoveValue(p, at, v)
			r.uncount(p, at)
			if kept {
				if gone[at.Day()] == nil {
					gone[at.Day()] = map[uint64]bool{}
				}
				key := valueKey{r.key.log, r.channel, at, math.Float64bits(v)}
				gone[at.Day()][key.hash()] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for day, hashes := range gone {
		if err := f.unkeep(f.stream, day, hashes); err != nil {
			return err
		}
	}
	return nil
}

const (
	clearSamples = `DELETE FROM sample WHERE entry IN (SELECT id FROM entry WHERE stream = ?)`
	clearCold    = `DELETE FROM cold WHERE entry IN (SELECT id FROM entry WHERE stream = ?)`
	clearEntries = `DELETE FROM entry WHERE stream = ?`
	clearWitness = `DELETE FROM witness WHERE stream = ?`
	clearHead    = `DELETE FROM head WHERE stream = ?`
	clearPatches = `DELETE FROM patch WHERE stream = ?`
	clearClaims  = `DELETE FROM claim WHERE stream = ?`
	clearChunks  = `DELETE FROM chunk WHERE id BETWEEN ? AND ?`
	clearRolls   = `DELETE FROM roll WHERE id BETWEEN ? AND ?`
	// What an archive file holds of them is removed with the file, when nothing in it is needed any more.
	clearArchived  = `DELETE FROM archived WHERE chunk BETWEEN ? AND ?`
	clearQuarters  = `DELETE FROM quarter WHERE id BETWEEN ? AND ?`
	clearReplaced  = `UPDATE archive SET state = 4 WHERE state = 3 AND meter = (SELECT meter FROM stream WHERE id = ?)`
	clearLetGo     = `DELETE FROM ledger WHERE stream = ? AND what IN (8, 9, 10)`
	clearGone      = `DELETE FROM gone WHERE stream = ?`
	clearUnapplied = `DELETE FROM unapplied WHERE stream = ?`
)

// Clear implements logdb.Store. Raw records of the meter stay: without them the next retrieval could not find its
// place and would bring everything back.
func (s *Store) Clear(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) error {
	return s.write(ctx, fmt.Sprintf("clear the %s log of %s", kind, uid), func(t *txn) error {
		j, err := t.journalsOf(uid, kind, false)
		if err != nil {
			return err
		}
		for _, of := range j.streams {
			if err := t.clearStream(of); err != nil {
				return err
			}
		}
		// What was counted is gone; the cached claims with it.
		t.cache.claims = map[claimKey]*claim{}
		clear(t.cache.dirtyClaims)
		return nil
	})
}

func (t *txn) clearStream(s *stream) error {
	if err := t.flush(); err != nil { // claims of other streams that wait in the same transaction
		return err
	}
	if err := t.loadSeries(s); err != nil {
		return err
	}
	if s.source != "" && s.kind == logdb.KindHistorical {
		if err := t.keepContents(s); err != nil {
			return err
		}
	}
	for _, query := range []string{clearSamples, clearCold, clearEntries, clearWitness, clearHead, clearPatches, clearClaims, clearGone, clearUnapplied, clearLetGo, clearReplaced} {
		if _, err := t.exec(query, s.id); err != nil {
			return err
		}
	}
	for _, r := range s.series {
		for _, query := range []string{clearArchived, clearChunks, clearRolls, clearQuarters} {
			if _, err := t.exec(query, chunkID(r.id, 0), chunkID(r.id, 1<<dayBits-1)); err != nil {
				return err
			}
		}
		r.n, r.first, r.last, r.lastPosition, r.lastValue, r.staleFirst, r.staleLast = 0, 0, 0, 0, 0, false, false
		t.touchSeries(r)
	}
	s.revised = false
	t.touchStream(s)
	return nil
}
