package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
	"metermanager/logdb/sqldb"
)

const (
	fileNamed  = `SELECT f.id, f.name, f.state, f.parts, f.points, f.size, f.sha256, f.tail, f.tail_crc, f.meter, m.uid, f.kind, f.month FROM archive f JOIN meter m ON m.id = f.meter WHERE f.name = ? AND f.state IN (1, 2)`
	insertLost = `INSERT INTO lost (meter, kind, month, name, t_min, t_max, points, at_ms, who, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	listLost   = `SELECT l.name, m.uid, l.kind, l.month, l.t_min, l.t_max, l.points, l.at_ms, l.who, l.why FROM lost l JOIN meter m ON m.id = l.meter
	WHERE m.uid = ? OR ? = '' ORDER BY m.uid, l.kind, l.t_min, l.id`
)

// AcceptLoss implements logdb.Ladder. It is one transaction: before it the file is named as missing, after it the range is lost.
func (s *Store) AcceptLoss(ctx context.Context, name, by, why string) (loss logdb.Loss, err error) {
	s.archiving.Lock()
	defer s.archiving.Unlock()
	l := loser{loss: logdb.Loss{Name: name, By: by, Why: why}}
	err = s.snapshot(ctx, "look for archive file "+name, func(c *conn) error {
		found := false
		err := c.each(func(rows *sql.Rows) error {
			found = true
			var uid string
			err := l.file.scan(rows, &l.meter, &uid, &l.loss.Kind, &l.month)
			l.loss.Meter, l.loss.Month = logdb.MeterUID(uid), l.month.String()
			return err
		}, fileNamed, name)
		if err == nil && !found {
			err = fmt.Errorf("%w: no archive file %s is in use", logdb.ErrNotFound, name)
		}
		return err
	})
	if err != nil {
		return logdb.Loss{}, err
	}
	switch err := archive.Verify(s.cfg.Archive, name, l.file.w); {
	case err == nil:
		return logdb.Loss{}, fmt.Errorf("%w: archive file %s is as it was written, nothing of it is lost", logdb.ErrInvalid, name)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, chunk.ErrDamaged):
		return logdb.Loss{}, err // a file that cannot be read now may be read tomorrow
	}
	s.files.forget(name)
	err = s.write(ctx, "accept the loss of archive file "+name, func(t *txn) error {
		l := l // a group that was rolled back runs again
		l.txn = t
		var err error
		if l.loss.Kind == logdb.KindWaveform {
			err = l.loseSamples()
		} else {
			err = l.loseValues()
		}
		if err == nil {
			_, err = t.exec(dropArchive, t.nowMillis(), l.file.id)
		}
		loss = l.loss
		return err
	})
	return loss, err
}

// loser takes a file out of use: what can still be read of it comes back into the database, the rest is lost.
type loser struct {
	*txn
	file  fileRow
	meter int64
	month archive.Month
	loss  logdb.Loss
}

// lose counts something that is lost.
func (l *loser) lose(n int64, first, last logdb.Millis) {
	if l.loss.Points == 0 {
		l.loss.First, l.loss.Last = first, last
	}
	l.loss.First, l.loss.Last = min(l.loss.First, first), max(l.loss.Last, last)
	l.loss.Points += n
}

func (l *loser) record() error {
	if l.loss.Points == 0 {
		return nil
	}
	l.loss.At = logdb.Millis(l.nowMillis())
	_, err := l.exec(insertLost, l.meter, l.loss.Kind, l.month, l.loss.Name, l.loss.First, l.loss.Last, l.loss.Points, l.loss.At, l.loss.By, l.loss.Why)
	if err != nil {
		return fmt.Errorf("note what was lost: %w", err)
	}
	return nil
}

const (
	chunksInFile = `SELECT c.id, s.stream, s.log, s.channel, c.t_min, c.t_max, c.n, length(c.data) FROM archived a JOIN chunk c ON c.id = a.chunk JOIN series s ON s.id = c.id / 16777216
	WHERE a.file = ? ORDER BY c.id`
	refillChunk = `UPDATE chunk SET data = ?, crc = ? WHERE id = ?`
	isGoneCell  = `SELECT count(*) FROM gone WHERE stream = ? AND log = ? AND day = ?`
	insertLoss  = `INSERT INTO gone (stream, log, day, at_ms, lost) VALUES (?, ?, ?, ?, 1)`
	newestOf    = `SELECT coalesce(max(position), 0) FROM entry WHERE stream = ? AND target = ?`
)

// fileChunk is a chunk of which a part is in the file.
type fileChunk struct {
	id, channel, n, hot int64
	cell                logCell
	first, last         logdb.Millis
}

// loseValues lets the cells be gone of which values are lost; tiers and the times of rows stay.
func (l *loser) loseValues() error {
	var all []fileChunk
	err := l.each(func(rows *sql.Rows) error {
		var k fileChunk
		err := rows.Scan(&k.id, &k.cell.stream, &k.cell.log, &k.channel, &k.first, &k.last, &k.n, &k.hot)
		k.cell.day = cellOf(dayOfChunk(k.id))
		all = append(all, k)
		return err
	}, chunksInFile, l.file.id)
	if err != nil {
		return err
	}
	cells := map[logCell]bool{}
	for i := range all {
		k := &all[i]
		if k.hot == 0 && k.channel != marksChannel {
			back, err := l.refill(k.id)
			if err != nil {
				return err
			}
			if !back {
				l.lose(k.n, k.first, k.last)
				cells[k.cell] = true
				if _, err := l.exec(deleteChunk, k.id); err != nil {
					return err
				}
			}
		}
		if _, err := l.exec(deleteArchived, k.id); err != nil {
			return err
		}
	}
	for c := range cells {
		if err := l.loseCell(c); err != nil {
			return err
		}
	}
	if err := l.settleChanges(cells); err != nil {
		return err
	}
	return l.record()
}

// refill takes the values of a chunk back from the file, if they can be read.
func (l *loser) refill(id int64) (bool, error) {
	var b logdb.Block
	err := l.points(id, &b)
	if errors.Is(err, chunk.ErrDamaged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	data, err := l.codec.AppendPoints(nil, chunk.Points{Times: b.Times, Positions: b.Positions, Values: b.AppendValues(nil)})
	if err != nil {
		return false, err
	}
	_, err = l.exec(refillChunk, data, int64(chunk.Checksum(data)), id)
	return true, err
}

func (l *loser) loseCell(c logCell) error {
	n := 0
	if _, err := l.one([]any{&n}, isGoneCell, c.stream, c.log, c.day); err != nil || n > 0 {
		return err // another file of that month was lost before
	}
	if _, err := l.exec(insertLoss, c.stream, c.log, c.day, l.nowMillis()); err != nil {
		return err
	}
	at := logdb.Millis(c.day) * logdb.DayMillis
	return l.changeLedger(c.stream, ledgerGone, c.log, at, func(tally *logdb.Tally) { tally.AddBits(1, at, 0) })
}

// settleChanges brings the changes that wait for lost rows to an end. The tiers hold what the rows said before and cannot be told
// otherwise; so such a change stays in the history as not applied.
func (l *loser) settleChanges(cells map[logCell]bool) error {
	defer func() { l.summed = nil }()
	byLog := map[logRef][]int64{}
	for c := range cells {
		ref := logRef{l.meter, c.stream, c.log}
		byLog[ref] = append(byLog[ref], c.day)
	}
	for ref, days := range byLog {
		slices.Sort(days)
		view, err := l.viewOf(ref.stream, ref.log, everything)
		if err != nil {
			return err
		}
		inHead := map[logdb.Position]bool{}
		for i := range view.heads {
			for _, p := range view.heads[i].page.Positions {
				inHead[p] = true
			}
		}
		view.gone = days
		for p, x := range view.patches {
			if !x.hide.Valid || inHead[p] || !view.isRowGone(x.hide.V) {
				continue
			}
			if err := l.leaveUnapplied(ref, p, x.hide.V); err != nil {
				return err
			}
		}
		if len(l.summed) == 0 {
			continue
		}
		for more := true; more; {
			if more, err = l.compact(ref, nil); err != nil {
				return fmt.Errorf("bring waiting changes to an end: %w", err)
			}
		}
	}
	return nil
}

func (l *loser) leaveUnapplied(ref logRef, p logdb.Position, at logdb.Millis) error {
	if l.summed == nil {
		l.summed = map[rowKey]bool{}
	}
	l.summed[rowKey{ref.stream, p}] = true
	change := logdb.Position(0)
	if _, err := l.one([]any{&change}, newestOf, ref.stream, p); err != nil {
		return err
	}
	if change == 0 {
		change = p // the change came in another stream of the journal
	}
	if _, err := l.exec(insertUnapplied, ref.stream, ref.log, at, change); err != nil {
		return fmt.Errorf("note change %d of a row that is lost: %w", change, err)
	}
	return l.changeLedger(ref.stream, ledgerLate, ref.log, at.Day(), func(tally *logdb.Tally) { tally.AddBits(change, at, 0) })
}

const (
	recordingsOf = `SELECT ` + entryColumns + `, e.stream, EXISTS (SELECT 1 FROM sample s WHERE s.entry = e.id) FROM cold k JOIN entry e ON e.id = k.entry WHERE k.file = ? ORDER BY e.id`
	loseSample   = `UPDATE cold SET file = NULL, lost = 1 WHERE entry = ?`
)

// loseSamples lets the samples be gone that cannot be read; the recordings stay, with all but their samples.
func (l *loser) loseSamples() error {
	var all []entryRow
	var streams []int64
	var warm []bool
	err := l.each(func(rows *sql.Rows) error {
		var r entryRow
		var stream int64
		var here bool
		err := scanEntry(rows, &r, &stream, &here)
		all, streams, warm = append(all, r), append(streams, stream), append(warm, here)
		return err
	}, recordingsOf, l.file.id)
	if err != nil {
		return err
	}
	for i := range all {
		back := warm[i]
		if !back {
			if back, err = l.refillSamples(&all[i]); err != nil {
				return err
			}
		}
		if back {
			_, err = l.exec(deleteCold, all[i].id)
		} else {
			err = l.loseSamplesOf(&all[i], streams[i])
		}
		if err != nil {
			return err
		}
	}
	return l.record()
}

func (l *loser) loseSamplesOf(r *entryRow, stream int64) error {
	p, at := r.entry.Position, r.entry.Time
	l.lose(1, at, at)
	if _, err := l.exec(loseSample, r.id); err != nil {
		return err
	}
	return l.changeLedger(stream, ledgerSamples, 0, at.Day(), func(tally *logdb.Tally) { tally.AddBits(p, at, 0) })
}

func (l *loser) refillSamples(r *entryRow) (bool, error) {
	err := r.decode()
	if err == nil {
		err = l.coldSamples(r)
	}
	if errors.Is(err, chunk.ErrDamaged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, samples, err := encodeEntry(l.codec, &r.entry)
	if err != nil {
		return false, err
	}
	if _, err := l.exec(insertSample, r.id, samples); err != nil {
		return false, fmt.Errorf("take samples back: %w", err)
	}
	_, err = l.exec(setCRC, int64(entryChecksum(&r.entry, r.digest, r.data, samples)), r.id)
	return true, err
}

// Losses implements logdb.Ladder.
func (s *Store) Losses(ctx context.Context, uid logdb.MeterUID) (out []logdb.Loss, err error) {
	err = s.oneQuery(ctx, "list what was lost", func(c *conn) error {
		return c.eachKept(func(rows sqldb.Row) error {
			var l logdb.Loss
			var meter string
			var m archive.Month
			err := rows.Scan(&l.Name, &meter, &l.Kind, &m, &l.First, &l.Last, &l.Points, &l.At, &l.By, &l.Why)
			l.Meter, l.Month = logdb.MeterUID(meter), m.String()
			out = append(out, l)
			return err
		}, listLost, string(uid), string(uid))
	})
	return out, err
}
