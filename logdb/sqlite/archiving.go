package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/archive"
	"metermanager/logdb/chunk"
)

var _ logdb.Ladder = (*Store)(nil)

// What an archive file is, in the order of its life.
const (
	fileWriting  = 0 // perhaps not whole; nothing counts on it
	fileVerified = 1 // whole and read back; values that are in it may be in the database, too
	fileInUse    = 2
	fileReplaced = 3 // written anew under another number; reads that began before may use it, and a database that is put back
	fileDropped  = 4 // what was in it was let go or cleared; reads that began before may use it
)

// For how long files stay on which nothing counts.
const (
	replacedStays = 30 * logdb.DayMillis
	droppedStays  = logdb.DayMillis / 24
)

// Archive implements logdb.Ladder. Whatever step a crash comes after, the next call finds it: a file that is not verified
// is written anew, one that is verified is gone on with.
func (s *Store) Archive(ctx context.Context, uid logdb.MeterUID, before logdb.Millis) (moved logdb.Moved, err error) {
	s.archiving.Lock()
	defer s.archiving.Unlock()
	a := archiver{Store: s, uid: uid, before: int64(min(before, logdb.MaxTime+1).Floor(logdb.DayMillis) / logdb.DayMillis)}
	err = s.snapshot(ctx, "look for the meter", func(c *conn) error {
		_, err := c.one([]any{&a.meter, &a.step}, meterStep, string(uid))
		return err
	})
	if err != nil || a.meter == 0 {
		return moved, err
	}
	fail := func(err error) (logdb.Moved, error) {
		return a.moved, fmt.Errorf("archive meter %s: %w", uid, err)
	}
	if err := a.resumeKind(ctx, logdb.KindHistorical, a.move); err != nil {
		return fail(err)
	}
	if err := a.compactOld(ctx); err != nil {
		return fail(err)
	}
	months, err := a.due(ctx)
	if err != nil {
		return fail(err)
	}
	for _, m := range months {
		if err := a.month(ctx, m); err != nil {
			return fail(err)
		}
	}
	return a.moved, nil
}

// archiver moves the values of one meter into files.
type archiver struct {
	*Store
	uid    logdb.MeterUID
	meter  int64
	step   logdb.Millis
	before int64 // day
	moved  logdb.Moved
}

const (
	meterStep = `SELECT id, step_ms FROM meter WHERE uid = ?`
	oldLogs   = `SELECT st.meter, h.stream, h.log FROM head h JOIN stream st ON st.id = h.stream WHERE st.meter = ? AND h.t_min < ?
	UNION SELECT st.meter, p.stream, p.log FROM patch p JOIN stream st ON st.id = p.stream WHERE st.meter = ? ORDER BY 2, 3`
	// halfFiles were never verified: one that is dropped was about to be removed.
	halfFiles = `SELECT id, name, state, parts, points, size, sha256, tail, tail_crc FROM archive WHERE meter = ? AND kind = ? AND (state = 0 OR state = 4 AND size = 0) ORDER BY id`
	// unmoved are files that were read back, of which values may be in the database, too: their move was cut short, or, under older versions, ended
	// without having moved anything.
	unmoved = `SELECT id, name, state, parts, points, size, sha256, tail, tail_crc FROM archive f WHERE meter = ? AND kind = ? AND (state = 1 OR state = 2 AND EXISTS (
		SELECT 1 FROM archived a JOIN chunk c ON c.id = a.chunk JOIN series s ON s.id = c.id / 16777216 WHERE a.file = f.id AND s.channel <> 0 AND length(c.data) > 0)) ORDER BY id`
	takeFile   = `UPDATE archive SET state = 4, changed_ms = ? WHERE id = ? AND state = ?`
	deleteFile = `DELETE FROM archive WHERE id = ? AND state = 4`
)

// compactOld brings what is old into chunks.
func (a *archiver) compactOld(ctx context.Context) error {
	logs, err := a.logsBy(ctx, oldLogs, a.meter, logdb.Millis(a.before)*logdb.DayMillis, a.meter)
	if err != nil {
		return err
	}
	for _, l := range logs {
		if err := a.compactLog(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// fileRow is a row of archive.
type fileRow struct {
	id     int64
	name   string
	state  int
	points int64
	w      archive.Written
}

func (f *fileRow) scan(rows *sql.Rows, more ...any) error {
	var sum []byte
	var crc int64
	err := rows.Scan(append([]any{&f.id, &f.name, &f.state, &f.w.Parts, &f.points, &f.w.Size, &sum, &f.w.Tail.Offset, &crc}, more...)...)
	copy(f.w.SHA256[:], sum)
	f.w.Tail.CRC = uint32(crc)
	return err
}

func (c *conn) fileRows(query string, args ...any) (out []fileRow, err error) {
	err = c.each(func(rows *sql.Rows) error {
		var f fileRow
		err := f.scan(rows)
		out = append(out, f)
		return err
	}, query, args...)
	return out, err
}

// resumeKind takes up what was cut short.
func (a *archiver) resumeKind(ctx context.Context, kind logdb.Kind, move func(context.Context, int64) error) error {
	var half, verified []fileRow
	err := a.snapshot(ctx, "look for archive files that were begun", func(c *conn) (err error) {
		if half, err = c.fileRows(halfFiles, a.meter, kind); err == nil {
			verified, err = c.fileRows(unmoved, a.meter, kind)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range half {
		if err := a.discard(ctx, f.id, f.name, f.state); err != nil {
			return err
		}
	}
	for _, f := range verified {
		if err := archive.Verify(a.cfg.Archive, f.name, f.w); err != nil {
			return err
		}
		if err := move(ctx, f.id); err != nil {
			return err
		}
	}
	return nil
}

// discard removes a file on which nothing counts as long as it is in that state. Another node on the same database may have verified it
// meanwhile, or be about to: the row is taken first, so that only one of the two goes on.
func (s *Store) discard(ctx context.Context, id int64, name string, state int) error {
	taken := false
	err := s.write(ctx, "note that an archive file is to be removed", func(t *txn) (err error) {
		taken, err = t.changeFile(takeFile, t.nowMillis(), id, state)
		return err
	})
	if err != nil || !taken {
		return err
	}
	s.files.forget(name)
	if err := errors.Join(s.cfg.Archive.Remove(archive.Temporary(name)), s.cfg.Archive.Remove(name)); err != nil {
		return fmt.Errorf("remove archive file %s: %w", name, err)
	}
	return s.write(ctx, "note that an archive file is removed", func(t *txn) error {
		_, err := t.exec(deleteFile, id)
		return err
	})
}

// changeFile runs a change of a file's row and reports whether there was one to change.
func (t *txn) changeFile(query string, args ...any) (bool, error) {
	done, err := t.exec(query, args...)
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// notGone leaves out the rows of logs whose values are gone: a file of them alone would say nothing.
const notGone = ` AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.stream = s.stream AND g.log = s.log AND g.day <= c.id % 16777216 AND g.day + 28 > c.id % 16777216)`

const (
	unarchived  = `SELECT DISTINCT c.id FROM series s JOIN chunk c ON c.id BETWEEN s.id * 16777216 AND s.id * 16777216 + ? LEFT JOIN archived a ON a.chunk = c.id WHERE s.meter = ? AND a.chunk IS NULL` + notGone
	staleMonths = `SELECT f.month FROM archive f WHERE f.meter = ? AND f.kind = 1 AND f.state = 2 AND f.parts > (SELECT count(*) FROM archived a WHERE a.file = f.id) AND EXISTS (SELECT 1 FROM archived a WHERE a.file = f.id)`
)

// monthOf returns the month in whose file a cell belongs.
func monthOf(cell int64) archive.Month { return archive.MonthOf(logdb.Millis(cell) * logdb.DayMillis) }

// cellsOf returns the cells that begin in a month, by their first days: the first and the end of the last.
func cellsOf(m archive.Month) (first, end int64) {
	up := func(t logdb.Millis) int64 {
		day := int64(t / logdb.DayMillis)
		return (day + cellDays - 1) / cellDays * cellDays
	}
	return up(m.First()), up((m + 1).First())
}

// due returns the months of which all is old enough and something is not in a file, or something in a file does not count any more.
func (a *archiver) due(ctx context.Context) (out []archive.Month, err error) {
	found := map[archive.Month]bool{}
	err = a.snapshot(ctx, "look for what to archive", func(c *conn) error {
		err := c.each(func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			found[monthOf(cellOf(dayOfChunk(id)))] = true
			return err
		}, unarchived, min(a.before, 1<<dayBits-1), a.meter)
		if err != nil {
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var m archive.Month
			err := rows.Scan(&m)
			found[m] = true
			return err
		}, staleMonths, a.meter)
	})
	for m := range found {
		if _, end := cellsOf(m); end <= a.before {
			out = append(out, m)
		}
	}
	slices.Sort(out)
	return out, err
}

// moving is a chunk on its way into a file.
type moving struct {
	row    seriesRow
	series archive.Series
	id     int64
	n      int64
	crc    int64
	fresh  bool // it is in no file yet
	sum    uint32
	part   archive.Part
}

const (
	archiveSeries = `SELECT s.id, s.stream, s.log, coalesce(c.key, ''), st.journal, st.policy FROM series s JOIN stream st ON st.id = s.stream LEFT JOIN channel c ON c.id = s.channel
	WHERE s.meter = ? ORDER BY coalesce(c.key, ''), s.log, s.id`
	chunksToMove = `SELECT c.id, c.n, c.crc, a.chunk IS NULL FROM chunk c JOIN series s ON s.id = c.id / 16777216 LEFT JOIN archived a ON a.chunk = c.id WHERE c.id BETWEEN ? AND ?` + notGone + ` ORDER BY c.id`
)

// collect lists the chunks of the cells of a month that can be read.
func (a *archiver) collect(c *conn, m archive.Month) (out []moving, fresh int, err error) {
	var all []moving
	err = c.each(func(rows *sql.Rows) error {
		var k moving
		var key, journal, policy string
		err := rows.Scan(&k.row.id, &k.row.stream, &k.row.log, &key, &journal, &policy)
		k.row.channel = logdb.ChannelKey(key)
		k.series = archive.Series{Stream: logdb.StreamID{Journal: logdb.JournalID(journal), Policy: policy}, Log: k.row.log, Channel: k.row.channel}
		all = append(all, k)
		return err
	}, archiveSeries, a.meter)
	if err != nil {
		return nil, 0, err
	}
	first, end := cellsOf(m)
	for _, k := range all {
		from := len(out)
		err := c.each(func(rows *sql.Rows) error {
			err := rows.Scan(&k.id, &k.n, &k.crc, &k.fresh)
			out = append(out, k)
			return err
		}, chunksToMove, chunkID(k.row.id, first), chunkID(k.row.id, end-1))
		if err != nil {
			return nil, 0, err
		}
		for i := from; i < len(out); i++ {
			if !out[i].fresh {
				continue
			}
			if _, err := out[i].read(c, nil); errors.Is(err, chunk.ErrDamaged) {
				a.log.Error("found damaged log data that cannot be archived", "meter", string(a.uid), "err", err)
				out = slices.Delete(out, i, i+1)
				i--
				continue
			} else if err != nil {
				return nil, 0, err
			}
			fresh++
		}
	}
	return out, fresh, nil
}

// read reads the chunk, gives it to a writer unless that is nil, and returns a sum of its content.
func (k *moving) read(c *conn, w *archive.Writer) (sum uint32, err error) {
	if k.row.channel == "" {
		var m chunk.Marks
		if err := c.marks(k.id, &m); err != nil {
			return 0, err
		}
		if w != nil {
			k.part, err = w.Rows(k.series, &m)
		}
		return sumOfMarks(&m), err
	}
	var b logdb.Block
	if err := c.points(k.id, &b); err != nil {
		return 0, err
	}
	if w != nil {
		k.part, err = w.Values(k.series, &b)
	}
	return sumOfBlock(&b), err
}

func sumOfBlock(b *logdb.Block) uint32 {
	values := b.AppendValues(nil)
	data := make([]byte, 0, 24*len(values))
	for i, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(b.Times[i]))
		data = binary.LittleEndian.AppendUint64(data, uint64(b.Positions[i]))
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	}
	return crc32.Checksum(data, castagnoli)
}

func sumOfMarks(m *chunk.Marks) uint32 {
	data := make([]byte, 0, 24*m.Len())
	for i := range m.Times {
		data = binary.LittleEndian.AppendUint64(data, uint64(m.Times[i]))
		data = binary.LittleEndian.AppendUint64(data, uint64(m.Positions[i]))
		data = binary.LittleEndian.AppendUint32(data, m.Runs[i])
		data = binary.LittleEndian.AppendUint32(data, m.Generations[i])
	}
	return crc32.Checksum(data, castagnoli)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// month writes the file of a month and moves what is in it.
func (a *archiver) month(ctx context.Context, m archive.Month) error {
	id, name, err := a.reserveFile(ctx, a.meter, a.uid, logdb.KindHistorical, m)
	if err != nil {
		return err
	}
	var parts []moving
	var w archive.Written
	err = a.snapshot(ctx, "read "+m.String(), func(c *conn) error {
		var fresh int
		var err error
		if parts, fresh, err = a.collect(c, m); err != nil {
			return err
		}
		stale, err := c.isStale(a.meter, m)
		if err != nil || fresh == 0 && !stale {
			parts = nil
			return err
		}
		w, err = archive.Write(a.cfg.Archive, name, archive.Header{Meter: a.uid, Kind: logdb.KindHistorical, Month: m, Created: a.cfg.Now()}, func(out *archive.Writer) error {
			for i := range parts {
				if parts[i].sum, err = parts[i].read(c, out); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
	if err == nil && len(parts) > 0 {
		err = a.readBack(name, w, parts)
	}
	if err != nil || len(parts) == 0 {
		return errors.Join(err, a.discard(context.WithoutCancel(ctx), id, name, fileWriting))
	}
	if err := a.register(ctx, id, w, parts); err != nil {
		return err
	}
	a.moved.Files++
	a.moved.Bytes += w.Size
	return a.move(ctx, id)
}

const isStaleMonth = `SELECT count(*) FROM archive f WHERE f.meter = ? AND f.kind = 1 AND f.month = ? AND f.state = 2 AND f.parts > (SELECT count(*) FROM archived a WHERE a.file = f.id)`

func (c *conn) isStale(meter int64, m archive.Month) (bool, error) {
	n := 0
	_, err := c.one([]any{&n}, isStaleMonth, meter, m)
	return n > 0, err
}
