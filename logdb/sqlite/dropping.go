package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/archive"
)

const (
	cellsOfTier   = `SELECT t.id FROM series s JOIN %s t ON t.id BETWEEN s.id * 16777216 AND s.id * 16777216 + ? WHERE s.meter = ? AND (t.id & 16777215) %% 28 = 0`
	quarterFrom   = `UPDATE meter SET quarter_from = ? WHERE id = ? AND quarter_from < ?`
	hourFrom      = `UPDATE meter SET hour_from = ? WHERE id = ? AND hour_from < ?`
	hasHotChunk   = `SELECT count(*) FROM chunk c LEFT JOIN archived a ON a.chunk = c.id WHERE c.id BETWEEN ? AND ? AND a.chunk IS NULL`
	maxDropAtOnce = 2000
)

// DropTier implements logdb.Ladder. Cells that are not in the archive keep their hour tier: it costs little beside the values.
func (s *Store) DropTier(ctx context.Context, uid logdb.MeterUID, tier logdb.Tier, before logdb.Millis) error {
	day := int64(min(before, logdb.MaxTime+1).Floor(logdb.DayMillis)/logdb.DayMillis) - cellDays // a cell ends before
	table, from, remove := "quarter", quarterFrom, deleteQuarter
	if tier == logdb.TierHour {
		table, from, remove = "roll", hourFrom, deleteRoll
	}
	if day < 0 {
		return nil
	}
	for more := true; more; {
		err := s.write(ctx, "drop a tier of meter "+string(uid), func(t *txn) error {
			more = false
			meter, err := t.meterID(uid)
			if err != nil || meter == 0 {
				return err
			}
			if _, err := t.exec(from, day+1, meter, day+1); err != nil {
				return err
			}
			var ids []int64
			err = t.each(func(rows *sql.Rows) error {
				var id int64
				err := rows.Scan(&id)
				ids = append(ids, id)
				return err
			}, fmt.Sprintf(cellsOfTier, table), day, meter)
			if err != nil {
				return err
			}
			n := 0
			for _, id := range ids {
				hot := 0
				if _, err := t.one([]any{&hot}, hasHotChunk, id, id+cellDays-1); err != nil {
					return err
				}
				if hot > 0 {
					continue
				}
				if _, err := t.exec(remove, id); err != nil {
					return err
				}
				if n++; n == maxDropAtOnce {
					more = true
					break
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	filesBefore = `SELECT id, name, state, parts, points, size, sha256, tail, tail_crc, month FROM archive WHERE meter = ? AND kind = ? AND state = 2 ORDER BY month, number`
	partsOf     = `SELECT a.chunk, s.stream, s.log, s.channel FROM archived a JOIN series s ON s.id = a.chunk / 16777216 WHERE a.file = ?`
	insertGone  = `INSERT INTO gone (stream, log, day, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT (stream, log, day) DO NOTHING`
	dropArchive = `UPDATE archive SET state = 4, changed_ms = ? WHERE id = ?`
	dropParts   = `DELETE FROM archived WHERE file = ?`
)

// DropArchive implements logdb.Ladder.
func (s *Store) DropArchive(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, before logdb.Millis) (moved logdb.Moved, err error) {
	s.archiving.Lock()
	defer s.archiving.Unlock()
	day := int64(min(before, logdb.MaxTime+1).Floor(logdb.DayMillis) / logdb.DayMillis)
	var files []fileRow
	meter := int64(0)
	err = s.snapshot(ctx, "look for archive files", func(c *conn) error {
		var err error
		if meter, err = c.meterID(uid); err != nil {
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var f fileRow
			var m archive.Month
			err := f.scan(rows, &m)
			_, end := cellsOf(m)
			if kind == logdb.KindWaveform {
				end = int64((m + 1).First() / logdb.DayMillis)
			}
			if end <= day {
				files = append(files, f)
			}
			return err
		}, filesBefore, meter, kind)
	})
	if err != nil {
		return moved, err
	}
	for _, f := range files {
		dropped := false
		err := s.write(ctx, "drop archive file "+f.name, func(t *txn) error {
			var err error
			if kind == logdb.KindWaveform {
				dropped = true
				return t.dropSamples(f.id)
			}
			dropped, err = t.dropFile(uid, f.id)
			return err
		})
		if err != nil {
			return moved, err
		}
		if dropped {
			moved.Add(logdb.Moved{Files: 1, Points: f.points, Bytes: f.w.Size})
		}
	}
	return moved, nil
}

// logCell is a cell of a log.
type logCell struct {
	stream int64
	log    logdb.LogNo
	day    int64
}

const (
	hotInLog = `SELECT count(*) FROM series s JOIN chunk c ON c.id BETWEEN s.id * 16777216 + ? AND s.id * 16777216 + ? LEFT JOIN archived a ON a.chunk = c.id
	WHERE s.stream = ? AND s.log = ? AND (a.chunk IS NULL OR a.file <> ?)`
	waiting = `SELECT (SELECT count(*) FROM head WHERE stream = ? AND log = ? AND t_min < ?) + (SELECT count(*) FROM patch WHERE stream = ? AND log = ?)`
)

// dropFile lets the values of a file be gone. What is not wholly in the file waits until it is.
func (t *txn) dropFile(uid logdb.MeterUID, file int64) (bool, error) {
	cells := map[logCell]bool{}
	var values []int64
	err := t.each(func(rows *sql.Rows) error {
		var id, channel int64
		var c logCell
		if err := rows.Scan(&id, &c.stream, &c.log, &channel); err != nil {
			return err
		}
		c.day = cellOf(dayOfChunk(id))
		cells[c] = true
		if channel != marksChannel {
			values = append(values, id)
		}
		return nil
	}, partsOf, file)
	if err != nil {
		return false, err
	}
	for c := range cells {
		n, w := 0, 0
		if _, err := t.one([]any{&n}, hotInLog, c.day, c.day+cellDays-1, c.stream, c.log, file); err != nil {
			return false, err
		}
		end := logdb.Millis(c.day+cellDays) * logdb.DayMillis
		if _, err := t.one([]any{&w}, waiting, c.stream, c.log, end+1, c.stream, c.log); err != nil {
			return false, err
		}
		if n > 0 || w > 0 {
			return false, nil
		}
	}
	if err := t.keepCells(uid, cells); err != nil {
		return false, err
	}
	for c := range cells {
		if _, err := t.exec(insertGone, c.stream, c.log, c.day, t.nowMillis()); err != nil {
			return false, err
		}
		at := logdb.Millis(c.day) * logdb.DayMillis
		if err := t.changeLedger(c.stream, ledgerGone, c.log, at, func(tally *logdb.Tally) { tally.AddBits(1, at, 0) }); err != nil {
			return false, err
		}
	}
	for _, id := range values {
		if _, err := t.exec(deleteChunk, id); err != nil {
			return false, err
		}
	}
	if _, err := t.exec(dropParts, file); err != nil {
		return false, err
	}
	_, err = t.exec(dropArchive, t.nowMillis(), file)
	return true, err
}

const (
	letGo     = `UPDATE cold SET file = NULL WHERE file = ?`
	entriesOf = `SELECT e.stream, e.position, e.time_ms FROM cold k JOIN entry e ON e.id = k.entry WHERE k.file = ?`
)

// dropSamples lets the samples of a file be gone. The recordings stay, with all but their samples.
func (t *txn) dropSamples(file int64) error {
	type letGoOf struct {
		stream int64
		p      logdb.Position
		at     logdb.Millis
	}
	var all []letGoOf
	err := t.each(func(rows *sql.Rows) error {
		var e letGoOf
		err := rows.Scan(&e.stream, &e.p, &e.at)
		all = append(all, e)
		return err
	}, entriesOf, file)
	if err != nil {
		return err
	}
	for _, e := range all {
		err := t.changeLedger(e.stream, ledgerSamples, 0, e.at.Day(), func(tally *logdb.Tally) { tally.AddBits(e.p, e.at, 0) })
		if err != nil {
			return err
		}
	}
	if _, err := t.exec(letGo, file); err != nil {
		return err
	}
	_, err = t.exec(dropArchive, t.nowMillis(), file)
	return err
}

// keepCells keeps the contents of journals made from pages without positions, so that an old page stores nothing.
func (t *txn) keepCells(uid logdb.MeterUID, cells map[logCell]bool) error {
	j, err := t.journalsOf(uid, logdb.KindHistorical, false)
	if err != nil {
		return err
	}
	for _, of := range j.streams {
		if of.source == "" {
			continue
		}
		var spans []span
		for c := range cells {
			if c.stream == of.id {
				first := logdb.Millis(c.day) * logdb.DayMillis
				spans = append(spans, span{first, first + cellDays*logdb.DayMillis + 1})
			}
		}
		if len(spans) == 0 {
			continue
		}
		if err := t.loadSeries(of); err != nil {
			return err
		}
		if err := t.keepContentsIn(of, cells); err != nil {
			return err
		}
	}
	return nil
}

const (
	filesToRemove = `SELECT id, name, state, parts, points, size, sha256, tail, tail_crc, changed_ms FROM archive WHERE state IN (3, 4) ORDER BY id`
	unneeded      = `SELECT id FROM archive WHERE state = 2 AND NOT EXISTS (SELECT 1 FROM archived a WHERE a.file = archive.id) AND NOT EXISTS (SELECT 1 FROM cold k WHERE k.file = archive.id)`
)

// SweepArchive implements logdb.Ladder.
func (s *Store) SweepArchive(ctx context.Context) ([]logdb.ArchiveFault, error) {
	s.archiving.Lock()
	defer s.archiving.Unlock()
	var old []fileRow
	var at []logdb.Millis
	if err := s.noteUnneeded(ctx); err != nil {
		return nil, err
	}
	err := s.snapshot(ctx, "look for archive files", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var f fileRow
			var changed logdb.Millis
			err := f.scan(rows, &changed)
			old, at = append(old, f), append(at, changed)
			return err
		}, filesToRemove)
	})
	if err != nil {
		return nil, err
	}
	now := logdb.MillisOf(s.cfg.Now())
	for i, f := range old {
		if now-at[i] < map[int]logdb.Millis{fileReplaced: replacedStays, fileDropped: droppedStays}[f.state] {
			continue
		}
		if err := s.discard(ctx, f.id, f.name, f.state); err != nil {
			return nil, err
		}
	}
	files, err := s.ArchiveFiles(ctx, "")
	if err != nil {
		return nil, err
	}
	return s.checkFiles(ctx, files)
}

// noteUnneeded notes the files to which nothing refers: what was in them was cleared or forgotten. Nothing can come to refer to them again while
// no archive file is written.
func (s *Store) noteUnneeded(ctx context.Context) error {
	var ids []int64
	err := s.snapshot(ctx, "look for archive files that nothing needs", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, unneeded)
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.write(ctx, "note archive files that nothing needs", func(t *txn) error {
		for _, id := range ids {
			if _, err := t.exec(dropArchive, t.nowMillis(), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkFiles looks whether files are there, of the size that they had, and reads some of them from end to end: each in turn, so that all are read
// in about a month of daily runs.
func (s *Store) checkFiles(ctx context.Context, files []logdb.ArchiveFile) (out []logdb.ArchiveFault, err error) {
	const turns = 30
	turn := int(s.sweeps.Add(1)) % turns
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		err := s.fileIsThere(f)
		if err == nil && i%turns == turn {
			err = archive.Verify(s.cfg.Archive, f.Name, archive.Written{Size: f.Size, SHA256: f.SHA256})
		}
		if err != nil {
			out = append(out, logdb.ArchiveFault{File: f, Err: err})
		}
	}
	return out, nil
}

func (s *Store) fileIsThere(f logdb.ArchiveFile) error {
	src, err := s.cfg.Archive.Open(f.Name)
	if err != nil {
		return &archive.FileError{Name: f.Name, Err: err}
	}
	defer func() { _ = src.Close() }() // it was only looked at
	if src.Size() != f.Size {
		return &archive.FileError{Name: f.Name, Err: errors.New("it has another size than it was written with")}
	}
	return nil
}

const listFiles = `SELECT f.id, f.name, f.state, f.parts, f.points, f.size, f.sha256, f.tail, f.tail_crc, m.uid, f.kind, f.month FROM archive f JOIN meter m ON m.id = f.meter
	WHERE f.state IN (1, 2) AND (m.uid = ? OR ? = '') ORDER BY m.uid, f.kind, f.month, f.number`

// ArchiveFiles implements logdb.Ladder.
func (s *Store) ArchiveFiles(ctx context.Context, uid logdb.MeterUID) (out []logdb.ArchiveFile, err error) {
	err = s.snapshot(ctx, "list the archive files", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var f fileRow
			var meter string
			var a logdb.ArchiveFile
			var m archive.Month
			if err := f.scan(rows, &meter, &a.Kind, &m); err != nil {
				return err
			}
			a.Name, a.Meter, a.Month, a.Points, a.Size, a.SHA256 = f.name, logdb.MeterUID(meter), m.String(), f.points, f.w.Size, f.w.SHA256
			out = append(out, a)
			return nil
		}, listFiles, string(uid), string(uid))
	})
	return out, err
}

// ArchiveFolder is the file layer below the archive files, for a backup.
func (s *Store) ArchiveFolder() archive.Files { return s.cfg.Archive }
