package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
)

const (
	readCold = `SELECT f.name, f.tail, f.tail_crc, k.part, k.first, k.size, k.crc, k.lost FROM cold k LEFT JOIN archive f ON f.id = k.file WHERE k.entry = ?`
	// warmTimes are the times of recordings whose samples are in the database.
	warmTimes    = `SELECT e.time_ms FROM entry e JOIN sample s ON s.entry = e.id WHERE e.meter = ? AND e.kind = ? AND e.kind <> 1 AND e.time_ms < ?`
	staleCold    = `SELECT f.month FROM archive f WHERE f.meter = ? AND f.kind = ? AND f.state = 2 AND f.parts > (SELECT count(*) FROM cold k WHERE k.file = f.id) AND EXISTS (SELECT 1 FROM cold k WHERE k.file = f.id)`
	recordingsIn = `SELECT ` + entryColumns + `, st.journal, st.policy, k.file IS NOT NULL FROM entry e JOIN stream st ON st.id = e.stream LEFT JOIN cold k ON k.entry = e.id
	WHERE e.meter = ? AND e.kind = ? AND e.kind <> 1 AND e.time_ms >= ? AND e.time_ms < ? AND (k.file IS NOT NULL OR EXISTS (SELECT 1 FROM sample s WHERE s.entry = e.id))
	ORDER BY e.time_ms, e.id`
	registerCold = `INSERT INTO cold (entry, file, part, first, size, crc) SELECT e.id, ?, ?, ?, ?, ? FROM entry e WHERE e.id = ? AND e.crc = ?
	ON CONFLICT (entry) DO UPDATE SET file = excluded.file, part = excluded.part, first = excluded.first, size = excluded.size, crc = excluded.crc`
	movableCold = `SELECT ` + entryColumns + ` FROM cold k JOIN entry e ON e.id = k.entry JOIN sample s ON s.entry = e.id WHERE k.file = ? ORDER BY e.id`
	setCRC      = `UPDATE entry SET crc = ? WHERE id = ?`
	deleteCold  = `DELETE FROM cold WHERE entry = ?`
)

// What became of the samples of a recording that are not here any more.
var (
	errSamplesGone = fmt.Errorf("%w: the samples of the recording are gone", logdb.ErrNotFound)
	errSamplesAged = fmt.Errorf("%w: they were let go for their age", errSamplesGone)
	errSamplesLost = fmt.Errorf("%w: they were lost with their archive file", errSamplesGone)
)

// coldSamples fills in the samples of a recording from the archive, and compares the whole with its digest.
func (c *conn) coldSamples(r *entryRow) error {
	var name sql.NullString
	var n [6]sql.NullInt64
	lost := false
	ok, err := c.one([]any{&name, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &lost}, readCold, r.id)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: the samples of entry %d are gone", chunk.ErrDamaged, r.entry.Position)
	}
	switch {
	case name.Valid:
	case lost:
		return errSamplesLost
	default:
		return errSamplesAged
	}
	p := archive.Part{Index: int(n[2].Int64), Offset: n[3].Int64, Size: n[4].Int64, CRC: uint32(n[5].Int64)}
	tail := archive.Tail{Offset: n[0].Int64, CRC: uint32(n[1].Int64)}
	err = c.files.use(name.String, tail, func(f *archive.File) error {
		if err := f.Check(p); err != nil {
			return err
		}
		return f.Samples(p.Index, r.entry.Waveform)
	})
	if err != nil {
		return fmt.Errorf("samples of entry %d: %w", r.entry.Position, err)
	}
	if r.entry.ContentDigest() != r.digest {
		return fmt.Errorf("%w: recording %d has another digest", chunk.ErrDamaged, r.entry.Position)
	}
	return nil
}

// ArchiveRecordings implements logdb.Ladder.
func (s *Store) ArchiveRecordings(ctx context.Context, uid logdb.MeterUID, before logdb.Millis) (logdb.Moved, error) {
	s.archiving.Lock()
	defer s.archiving.Unlock()
	a := recordingArchiver{archiver: archiver{Store: s, uid: uid}, until: min(before, logdb.MaxTime+1)}
	err := s.snapshot(ctx, "look for the meter", func(c *conn) error {
		_, err := c.one([]any{&a.meter, &a.step}, meterStep, string(uid))
		return err
	})
	if err != nil || a.meter == 0 {
		return a.moved, err
	}
	if err := a.run(ctx); err != nil {
		return a.moved, fmt.Errorf("archive recordings of meter %s: %w", uid, err)
	}
	return a.moved, nil
}

// recordingArchiver moves the samples of one meter's recordings into files, a file for each month in which they began.
type recordingArchiver struct {
	archiver
	until logdb.Millis
}

const kindOfRecordings = logdb.KindWaveform

func (a *recordingArchiver) run(ctx context.Context) error {
	if err := a.resumeKind(ctx, kindOfRecordings, a.moveSamples); err != nil {
		return err
	}
	found := map[archive.Month]bool{} // true: something in its file does not count any more
	err := a.snapshot(ctx, "look for recordings to archive", func(c *conn) error {
		err := c.each(func(rows *sql.Rows) error {
			var at logdb.Millis
			err := rows.Scan(&at)
			found[archive.MonthOf(max(0, at))] = false
			return err
		}, warmTimes, a.meter, kindOfRecordings, a.until)
		if err != nil {
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var m archive.Month
			err := rows.Scan(&m)
			found[m] = true
			return err
		}, staleCold, a.meter, kindOfRecordings)
	})
	if err != nil {
		return err
	}
	var months []archive.Month
	for m := range found {
		if (m + 1).First() <= a.until {
			months = append(months, m)
		}
	}
	slices.Sort(months)
	for _, m := range months {
		if err := a.month(ctx, m, found[m]); err != nil {
			return err
		}
	}
	return nil
}

// movingSamples is a recording on its way into a file.
type movingSamples struct {
	id     int64
	crc    int64
	digest logdb.Digest
	series archive.Series
	head   logdb.Entry // without samples
	n      int64
	part   archive.Part
}

func (a *recordingArchiver) month(ctx context.Context, m archive.Month, stale bool) error {
	id, name, err := a.reserveFile(ctx, a.meter, a.uid, kindOfRecordings, m)
	if err != nil {
		return err
	}
	var parts []movingSamples
	var w archive.Written
	err = a.snapshot(ctx, "read the recordings of "+m.String(), func(c *conn) error {
		rows, refs, filed, err := a.collect(c, m)
		if err != nil || len(rows) == 0 {
			return err
		}
		w, err = archive.Write(a.cfg.Archive, name, archive.Header{Meter: a.uid, Kind: kindOfRecordings, Month: m, Created: a.cfg.Now()}, func(out *archive.Writer) error {
			for i := range rows {
				p, err := a.writeOne(c, out, &rows[i], refs[i])
				if errors.Is(err, chunk.ErrDamaged) {
					a.log.Error("found a damaged recording that cannot be archived", "meter", string(a.uid), "err", err)
					continue
				}
				if err != nil {
					return err
				}
				if p.n > 0 {
					parts = append(parts, p)
					stale = stale || !filed[i]
				}
			}
			return nil
		})
		return err
	})
	if err == nil && len(parts) > 0 {
		err = a.readBack(name, w, parts)
	}
	if err != nil || len(parts) == 0 || !stale { // nothing new in it
		return errors.Join(err, a.discard(context.WithoutCancel(ctx), id, name, fileWriting))
	}
	if err := a.register(ctx, id, w, parts); err != nil {
		return err
	}
	a.moved.Files++
	a.moved.Bytes += w.Size
	return a.moveSamples(ctx, id)
}

// collect lists the recordings of a month that have samples, and which of them are in a file.
func (a *recordingArchiver) collect(c *conn, m archive.Month) (out []entryRow, refs []logdb.StreamID, filed []bool, err error) {
	err = c.each(func(rows *sql.Rows) error {
		var r entryRow
		var journal string
		var ref logdb.StreamID
		var inFile bool
		if err := scanEntry(rows, &r, &journal, &ref.Policy, &inFile); err != nil {
			return err
		}
		ref.Journal = logdb.JournalID(journal)
		out, refs, filed = append(out, r), append(refs, ref), append(filed, inFile)
		return nil
	}, recordingsIn, a.meter, kindOfRecordings, m.First(), (m + 1).First())
	return out, refs, filed, err
}

func (a *recordingArchiver) writeOne(c *conn, out *archive.Writer, r *entryRow, ref logdb.StreamID) (p movingSamples, err error) {
	if err := r.decode(); err != nil || r.entry.Waveform == nil {
		return p, err
	}
	if err := c.samples(r); err != nil {
		return p, err
	}
	w := r.entry.Waveform
	p = movingSamples{id: r.id, crc: r.crc, digest: r.digest, series: archive.Series{Stream: ref, Log: r.entry.Log}, n: int64(len(w.Digital))}
	for _, ch := range w.Channels {
		p.n += int64(len(ch.Samples))
	}
	if p.n == 0 {
		return p, nil
	}
	if p.part, err = out.Recording(p.series, a.codec, &r.entry); err != nil {
		return p, err
	}
	p.head = headOf(&r.entry)
	r.entry = logdb.Entry{} // its samples are many
	return p, nil
}

// headOf is a recording without its samples.
func headOf(e *logdb.Entry) logdb.Entry {
	out := *e
	w := *e.Waveform
	w.Channels = make([]logdb.WaveChannel, len(w.Channels))
	for i, ch := range e.Waveform.Channels {
		w.Channels[i].Name = ch.Name
	}
	w.Digital = nil
	out.Waveform = &w
	return out
}

// readBack compares the file, read again, with the digests of the recordings.
func (a *recordingArchiver) readBack(name string, w archive.Written, parts []movingSamples) error {
	if err := archive.Verify(a.cfg.Archive, name, w); err != nil {
		return err
	}
	f, err := archive.Open(a.cfg.Archive, name, &w.Tail)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	for i := range parts {
		p := &parts[i]
		if err := f.Check(p.part); err != nil {
			return err
		}
		e := headOf(&p.head)
		if err := f.Samples(p.part.Index, e.Waveform); err != nil {
			return err
		}
		if e.ContentDigest() != p.digest {
			return &archive.FileError{Name: name, Err: fmt.Errorf("%w: part %d does not read as it was written", chunk.ErrDamaged, p.part.Index)}
		}
	}
	return nil
}

func (a *recordingArchiver) register(ctx context.Context, id int64, w archive.Written, parts []movingSamples) error {
	points := int64(0)
	for i := range parts {
		points += parts[i].n
	}
	return a.write(ctx, "note a verified archive file", func(t *txn) error {
		err := t.registerFile(id, w, points)
		for i := 0; i < len(parts) && err == nil; i++ {
			p := &parts[i]
			_, err = t.exec(registerCold, id, p.part.Index, p.part.Offset, p.part.Size, int64(p.part.CRC), p.id, p.crc)
		}
		return err
	})
}

// moveSamples takes the samples that are in a verified file out of the database, a bounded part in each transaction. The checksum of a
// recording then covers what is left here; its digest covers all.
func (a *archiver) moveSamples(ctx context.Context, file int64) error {
	var rows []entryRow
	err := a.snapshot(ctx, "look for archived recordings", func(c *conn) error {
		return c.each(func(found *sql.Rows) error {
			var r entryRow
			err := scanEntry(found, &r)
			rows = append(rows, r)
			return err
		}, movableCold, file)
	})
	if err != nil {
		return err
	}
	const part = 64
	for len(rows) > 0 {
		n := min(part, len(rows))
		err := a.write(ctx, "take archived samples out of the database", func(t *txn) error {
			for i := range rows[:n] {
				if err := t.moveSamplesOf(&rows[i], file); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		a.moved.Points += int64(n)
		rows = rows[n:]
	}
	return a.write(ctx, "note an archive file", func(t *txn) error { return t.settleFile(a.meter, file) })
}

const inCold = `SELECT 1 FROM cold k JOIN entry e ON e.id = k.entry WHERE k.entry = ? AND k.file = ? AND e.crc = ?`

func (t *txn) moveSamplesOf(r *entryRow, file int64) error {
	one := 0
	ok, err := t.one([]any{&one}, inCold, r.id, file, r.crc)
	if err != nil || !ok {
		return err // removed or replaced meanwhile
	}
	if err := r.decode(); err != nil {
		return err
	}
	if _, err := t.exec(setCRC, int64(entryChecksum(&r.entry, r.digest, r.data, nil)), r.id); err != nil {
		return err
	}
	_, err = t.exec(deleteSample, r.id)
	return err
}
