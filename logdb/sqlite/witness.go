package sqlite

import (
	"database/sql"
	"encoding/binary"
	"fmt"

	"metermanager/logdb"
)

// ledgerWhat is what a row of the ledger counts. The numbers are stored: never renumber.
type ledgerWhat int64

const (
	ledgerRaw   ledgerWhat = 1 // raw records, by day
	ledgerBatch ledgerWhat = 2 // chains at the ends of batches
	ledgerOpen  ledgerWhat = 3 // starts of events that wait
	ledgerSlot  ledgerWhat = 4 // records that took a slot of a limit, by day
	ledgerSeen  ledgerWhat = 5 // contents of events
	ledgerEnded ledgerWhat = 6 // events that took the place of a start
	ledgerKept  ledgerWhat = 7 // contents of values that are not stored any more, by day
	// What was let go for its age, so that nothing else passes for it.
	ledgerGone    ledgerWhat = 8  // cells of values
	ledgerLate    ledgerWhat = 9  // changes that came too late, by the day of what they change
	ledgerSamples ledgerWhat = 10 // recordings without samples, by day
)

const (
	insertWitness = `INSERT INTO witness (stream, position, op, target, log, time_ms, sum) VALUES (?, ?, ?, ?, ?, ?, ?)`
	deleteWitness = `DELETE FROM witness WHERE stream = ? AND position = ?`
	readLedger    = `SELECT n, a, b FROM ledger WHERE stream = ? AND what = ? AND log = ? AND day = ?`
	writeLedger   = `INSERT INTO ledger (stream, what, log, day, n, a, b) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (stream, what, log, day) DO UPDATE SET n = excluded.n, a = excluded.a, b = excluded.b`
	deleteLedger = `DELETE FROM ledger WHERE stream = ? AND what = ? AND log = ? AND day = ?`
	dropLedger   = `DELETE FROM ledger WHERE stream = ? AND what = ? AND log = ?`
)

// witnessSum stands for everything that an entry says. digest is that of its content.
func witnessSum(e *logdb.Entry, digest logdb.Digest) int64 {
	b := make([]byte, 0, 128)
	b = binary.BigEndian.AppendUint64(append(b, byte(e.Op)), uint64(e.Position))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Target))
	b = append(append(b, e.Replaces[:]...), digest[:]...)
	b = binary.AppendUvarint(b, uint64(e.Run))
	b = binary.AppendUvarint(b, uint64(e.Generation))
	b = binary.AppendVarint(b, int64(e.At))
	b = append(append(append(b, e.By...), 0), e.Why...)
	sum := logdb.DigestOf(b)
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// witness keeps an entry in short, apart from it.
func (t *txn) witness(s *stream, e *logdb.Entry, digest logdb.Digest) error {
	if !s.witnessed {
		return nil
	}
	if _, err := t.exec(insertWitness, s.id, e.Position, e.Op, e.Target, e.Log, e.Time, witnessSum(e, digest)); err != nil {
		return fmt.Errorf("note entry %d of %s: %w", e.Position, s.ref, err)
	}
	return nil
}

// markBits is what a mark says beside its time and position.
func markBits(run, generation uint32) uint64 { return uint64(run)<<32 | uint64(generation) }

// claimMark counts a live row, values or not, in the claim of its day, or takes it out.
func (t *txn) claimMark(s *stream, log logdb.LogNo, m tableRow, sign int) error {
	if !s.witnessed {
		return nil
	}
	tally, err := t.tally(s, log, marksChannel, m.time)
	if err != nil {
		return err
	}
	if bits := markBits(m.run, m.generation); sign > 0 {
		tally.AddBits(m.position, m.time, bits)
	} else {
		tally.RemoveBits(m.position, m.time, bits)
	}
	return nil
}

// claimMarks counts the rows of a page.
func (t *txn) claimMarks(s *stream, h *logdb.History) error {
	if !s.witnessed {
		return nil
	}
	var tally *logdb.Tally
	var day logdb.Millis
	bits := markBits(h.Run, h.Generation)
	for i, at := range h.Times {
		if tally == nil || at < day || at >= day+logdb.DayMillis {
			var err error
			if tally, err = t.tally(s, h.Log, marksChannel, at); err != nil {
				return err
			}
			day = at.Day()
		}
		tally.AddBits(h.Positions[i], at, bits)
	}
	return nil
}

// ledger changes one tally of the ledger.
func (t *txn) ledger(s *stream, what ledgerWhat, log logdb.LogNo, day logdb.Millis, change func(*logdb.Tally)) error {
	if !s.witnessed {
		return nil
	}
	return t.changeLedger(s.id, what, log, day, change)
}

func (t *txn) changeLedger(stream int64, what ledgerWhat, log logdb.LogNo, day logdb.Millis, change func(*logdb.Tally)) error {
	var tally logdb.Tally
	var a, b int64
	if _, err := t.one([]any{&tally.Count, &a, &b}, readLedger, stream, what, log, day); err != nil {
		return fmt.Errorf("read what was noted of %s: %w", day, err)
	}
	tally.Sum = [2]uint64{uint64(a), uint64(b)}
	change(&tally)
	var err error
	if tally == (logdb.Tally{}) {
		_, err = t.exec(deleteLedger, stream, what, log, day)
	} else {
		_, err = t.exec(writeLedger, stream, what, log, day, tally.Count, int64(tally.Sum[0]), int64(tally.Sum[1]))
	}
	if err != nil {
		return fmt.Errorf("note something of %s: %w", day, err)
	}
	return nil
}

// rawBits stands for a raw record but its position and time.
func rawBits(r *logdb.RawRecord) uint64 {
	b := binary.AppendUvarint(nil, uint64(r.Run))
	b = binary.AppendUvarint(b, uint64(r.Generation))
	b = append(append(b, r.Snapshot[:]...), r.Bytes...)
	return hash64(b)
}

func hash64(b []byte) uint64 {
	sum := logdb.DigestOf(b)
	return binary.BigEndian.Uint64(sum[:])
}

// rawTallies counts raw records by day.
func rawTallies(records []logdb.RawRecord) map[logdb.Millis]logdb.Tally {
	out := map[logdb.Millis]logdb.Tally{}
	for i := range records {
		tally := out[records[i].Time.Day()]
		tally.AddBits(records[i].Position, records[i].Time, rawBits(&records[i]))
		out[records[i].Time.Day()] = tally
	}
	return out
}

func (t *txn) ledgerRaw(s *stream, log logdb.LogNo, records []logdb.RawRecord) error {
	if !s.witnessed {
		return nil
	}
	for day, of := range rawTallies(records) {
		if err := t.ledger(s, ledgerRaw, log, day, func(tally *logdb.Tally) { tally.Merge(of) }); err != nil {
			return err
		}
	}
	return nil
}

// slotTimes returns when a record took slots.
func (t *txn) slotTimes(stream int64, p logdb.Position) (out []logdb.Millis, err error) {
	err = t.each(func(rows *sql.Rows) error {
		var at logdb.Millis
		err := rows.Scan(&at)
		out = append(out, at)
		return err
	}, `SELECT time_ms FROM slot WHERE stream = ? AND position = ?`, stream, p)
	return out, err
}

// seenBits stands for the content of an event that was seen for the n-th time.
func seenBits(digest []byte, n int) uint64 {
	return hash64(binary.AppendUvarint(digest[:len(digest):len(digest)], uint64(n)))
}

// chainBits stands for the chain at the end of a batch.
func chainBits(chain []byte) uint64 { return hash64(chain) }

// openBits stands for the start of an event that waits.
func openBits(data, raw []byte) uint64 {
	return hash64(append(binary.AppendUvarint(nil, uint64(len(data))), append(data[:len(data):len(data)], raw...)...))
}
