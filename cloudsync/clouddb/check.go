package clouddb

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"metermanager/logdb"
)

const (
	readCheck = `SELECT fates_a, fates_b FROM cloud_check WHERE stream = ?`
	putCheck  = `INSERT INTO cloud_check (stream, meter, kind, journal, generation, fates_a, fates_b, sum)
		SELECT id, meter, kind, journal, generation, ?2, ?3, ?4 FROM cloud_stream WHERE id = ?1
		ON CONFLICT (stream) DO UPDATE SET fates_a = excluded.fates_a, fates_b = excluded.fates_b, sum = excluded.sum`
	rowOfStream = `SELECT meter, kind, journal, generation, name, policy, state, closed, journal_end, chain FROM cloud_stream WHERE id = ?`
	putTally    = `INSERT INTO cloud_tally (destination, journal, what, n, a, b) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (destination, journal, what) DO UPDATE SET n = excluded.n, a = excluded.a, b = excluded.b`
)

// check keeps apart what the row of a stream and its sets say, and adds changed to the tally of its fates. It is called at
// the end of each transaction that changed any of them.
func check(ctx context.Context, tx *sql.Tx, row int64, changed logdb.FateTally) error {
	var a, b int64
	err := tx.QueryRowContext(ctx, readCheck, row).Scan(&a, &b)
	fates := logdb.FateTally{A: uint64(a) + changed.A, B: uint64(b) + changed.B}
	if errors.Is(err, sql.ErrNoRows) { // new, or of an older version: what is there is taken for right
		if fates, err = allFates(ctx, tx, row); err == nil {
			err = allTallies(ctx, tx, row)
		}
	}
	if err != nil {
		return fmt.Errorf("keep the check of a stream: %w", err)
	}
	sum, err := sumOfStream(ctx, tx, row)
	if err != nil {
		return fmt.Errorf("sum up a stream: %w", err)
	}
	if _, err := tx.ExecContext(ctx, putCheck, row, int64(fates.A), int64(fates.B), sum); err != nil {
		return fmt.Errorf("keep the check of a stream: %w", err)
	}
	_, err = tx.ExecContext(ctx, "UPDATE cloud_stream SET checked = 1 WHERE id = ? AND checked = 0", row)
	return err
}

// allFates sums up the fates of a stream.
func allFates(ctx context.Context, tx *sql.Tx, row int64) (out logdb.FateTally, err error) {
	err = readFates(ctx, tx, row, 0, 1<<62, func(_ int64, set *logdb.FateSet) {
		t := set.Tally()
		out.A, out.B = out.A+t.A, out.B+t.B
	})
	return out, err
}

// allTallies counts the changes and limit counts of the journal of a stream anew.
func allTallies(ctx context.Context, tx *sql.Tx, row int64) error {
	var destination int64
	var journal logdb.JournalID
	if err := tx.QueryRowContext(ctx, "SELECT destination, journal FROM cloud_stream WHERE id = ?", row).Scan(&destination, &journal); err != nil {
		return err
	}
	a := auditor{ctx: ctx, tx: tx}
	have := map[string]logdb.Tally{}
	err := a.each(func(rows *sql.Rows) error {
		var cut, span string
		var start logdb.Millis
		var n int
		err := rows.Scan(&cut, &start, &span, &n)
		t := have[tallyCount+cut]
		countTally(&t, start, span, n, 1)
		have[tallyCount+cut] = t
		return err
	}, "SELECT cut, start_ms, span, count FROM cloud_limit_count WHERE destination = ? AND journal = ?", destination, journal)
	if err != nil {
		return err
	}
	var changes logdb.Tally
	err = a.each(func(rows *sql.Rows) error {
		var target, position logdb.Position
		err := rows.Scan(&target, &position)
		changeTally(&changes, target, position)
		return err
	}, "SELECT target, position FROM cloud_change WHERE journal = ?", journal)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM cloud_tally WHERE journal = ? AND destination IN (0, ?)", journal, destination); err != nil {
		return err
	}
	for what, t := range have {
		if err := tally(ctx, tx, destination, journal, what, t); err != nil {
			return err
		}
	}
	return tally(ctx, tx, 0, journal, tallyChange, changes)
}

// sumOfStream is a hash of the row of a stream, but for whose it is, and of its sets.
func sumOfStream(ctx context.Context, tx *sql.Tx, row int64) (int64, error) {
	var meter, journal, generation, as, policy, state string
	var kind, closed, end int64
	var chain []byte
	err := tx.QueryRowContext(ctx, rowOfStream, row).Scan(&meter, &kind, &journal, &generation, &as, &policy, &state, &closed, &end, &chain)
	if err != nil {
		return 0, err
	}
	var b []byte
	for _, text := range []string{meter, journal, generation, policy, state, string(chain)} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	b = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(b, kind), closed), end)
	if as != "" { // the sums of older versions hold
		b = append(b, as...)
	}
	rows, err := tx.QueryContext(ctx, "SELECT name, positions FROM cloud_set WHERE stream = ? ORDER BY name", row)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var data []byte
		if err := rows.Scan(&name, &data); err != nil {
			return 0, err
		}
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		b = append(binary.AppendUvarint(b, uint64(len(data))), data...)
	}
	return int64(short(b)), rows.Err()
}

func short(b []byte) uint64 {
	sum := logdb.DigestOf(b)
	return binary.BigEndian.Uint64(sum[:])
}

// countTally counts a row of cloud_limit_count.
func countTally(t *logdb.Tally, start logdb.Millis, span string, n int, sign int) {
	bits := short(binary.AppendVarint([]byte(span), int64(n)))
	if sign > 0 {
		t.AddBits(1, start, bits)
	} else {
		t.RemoveBits(1, start, bits)
	}
}

// changeTally counts a row of cloud_change.
func changeTally(t *logdb.Tally, target, position logdb.Position) {
	t.AddBits(position, 0, uint64(target))
}

// tally adds changed to a row of cloud_tally.
func tally(ctx context.Context, tx *sql.Tx, destination int64, journal logdb.JournalID, what string, changed logdb.Tally) error {
	if changed == (logdb.Tally{}) {
		return nil
	}
	t, _, err := readTally(ctx, tx, destination, journal, what)
	if err != nil {
		return err
	}
	t.Merge(changed)
	if _, err := tx.ExecContext(ctx, putTally, destination, journal, what, t.Count, int64(t.Sum[0]), int64(t.Sum[1])); err != nil {
		return fmt.Errorf("keep a tally of %s: %w", what, err)
	}
	return nil
}

func readTally(ctx context.Context, tx *sql.Tx, destination int64, journal logdb.JournalID, what string) (t logdb.Tally, ok bool, err error) {
	var a, b int64
	err = tx.QueryRowContext(ctx, "SELECT n, a, b FROM cloud_tally WHERE destination = ? AND journal = ? AND what = ?", destination, journal, what).Scan(&t.Count, &a, &b)
	if errors.Is(err, sql.ErrNoRows) {
		return logdb.Tally{}, false, nil
	}
	t.Sum = [2]uint64{uint64(a), uint64(b)}
	if err != nil {
		return t, false, fmt.Errorf("read a tally of %s: %w", what, err)
	}
	return t, true, nil
}

// What the rows of cloud_tally count.
const (
	tallyCount  = "count " // and the cut
	tallyChange = "change"
)
