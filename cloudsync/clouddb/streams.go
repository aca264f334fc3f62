package clouddb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"metermanager/cloudsync"
	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// chunkPositions is how many positions share a stored fate set.
const chunkPositions = 4096

const selectStreams = `SELECT id, generation, name, policy, state, closed, journal_end, chain FROM cloud_stream
	WHERE destination = ? AND meter = ? AND kind = ? AND journal = ? ORDER BY id`

// Streams returns the streams of a journal in the order in which they were opened.
func (s *Store) Streams(ctx context.Context, k cloudsync.StreamKey) ([]*cloudsync.StoredStream, error) {
	var out []*cloudsync.StoredStream
	err := s.db.Snapshot(ctx, func(tx *sql.Tx) error {
		var err error
		out, err = readStreams(ctx, tx, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the streams of meter %s, %s: %w", k.Meter, k.Kind, err)
	}
	return out, nil
}

func readStreams(ctx context.Context, tx *sql.Tx, k cloudsync.StreamKey) ([]*cloudsync.StoredStream, error) {
	rows, err := tx.QueryContext(ctx, selectStreams, k.Destination, k.Meter, k.Kind, k.Journal)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*cloudsync.StoredStream
	for rows.Next() {
		st := &cloudsync.StoredStream{}
		var policy, state, chain []byte
		if err := rows.Scan(&st.Row, &st.ID.Policy, &st.ID.Journal, &policy, &state, &st.Closed, &st.End, &chain); err != nil {
			return nil, err
		}
		if st.ID.Journal == "" {
			st.ID.Journal = k.Journal
		}
		if err := json.Unmarshal(policy, &st.Policy); err != nil {
			return nil, fmt.Errorf("read the policy of stream %s: %w", st.ID, err)
		}
		st.Policy.Limits = st.Policy.Limits.Only(k.Kind) // those of all kinds stood there once
		if err := json.Unmarshal(state, &st.State); err != nil {
			return nil, fmt.Errorf("read the state of stream %s: %w", st.ID, err)
		}
		st.Chain = digestOf(chain)
		out = append(out, st)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, st := range out {
		if err := readFates(ctx, tx, st.Row, 0, 1<<62, func(_ int64, set *logdb.FateSet) {
			for _, r := range set.Ranges() {
				st.Fates.Put(r)
			}
		}); err != nil {
			return nil, fmt.Errorf("read the fates of stream %s: %w", st.ID, err)
		}
		if err := readSets(ctx, tx, st); err != nil {
			return nil, fmt.Errorf("read what was asked for of stream %s: %w", st.ID, err)
		}
	}
	return out, nil
}

func readFates(ctx context.Context, tx *sql.Tx, stream, first, last int64, visit func(chunk int64, set *logdb.FateSet)) error {
	rows, err := tx.QueryContext(ctx, "SELECT chunk, fates FROM cloud_fates WHERE stream = ? AND chunk BETWEEN ? AND ? ORDER BY chunk", stream, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var chunk int64
		var data []byte
		if err := rows.Scan(&chunk, &data); err != nil {
			return err
		}
		var set logdb.FateSet
		if err := set.UnmarshalBinary(data); err != nil {
			return err
		}
		visit(chunk, &set)
	}
	return rows.Err()
}

const putFates = `INSERT INTO cloud_fates (stream, chunk, fates) VALUES (?, ?, ?) ON CONFLICT (stream, chunk) DO UPDATE SET fates = excluded.fates`

// addFates puts the ranges of set into the chunks of a stream, and returns by what the tally of its fates changed.
func addFates(ctx context.Context, tx *sql.Tx, stream int64, set *logdb.FateSet) (changed logdb.FateTally, err error) {
	parts := map[int64][]logdb.FateRange{}
	for _, r := range set.Ranges() {
		for r.First <= r.Last {
			chunk := int64(r.First / chunkPositions)
			part := r
			part.Last = min(r.Last, logdb.Position(chunk+1)*chunkPositions-1)
			parts[chunk] = append(parts[chunk], part)
			r.First = part.Last + 1
		}
	}
	for chunk, ranges := range parts {
		var all logdb.FateSet
		if err := readFates(ctx, tx, stream, chunk, chunk, func(_ int64, set *logdb.FateSet) { all = set.Clone() }); err != nil {
			return changed, err
		}
		for _, r := range ranges {
			for _, old := range all.Within(r.First, r.Last) {
				changed.Remove(old)
			}
			changed.Add(r)
			all.Put(r)
		}
		data, err := all.AppendBinary(nil)
		if err != nil {
			return changed, err
		}
		if _, err := tx.ExecContext(ctx, putFates, stream, chunk, data); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

const insertStream = `INSERT INTO cloud_stream (destination, meter, kind, journal, generation, name, policy, state, closed, journal_end, chain)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`

// Turn closes streams and opens others.
func (s *Store) Turn(ctx context.Context, k cloudsync.StreamKey, closed, opened []*cloudsync.StoredStream) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, st := range closed {
			if _, err := tx.ExecContext(ctx, "UPDATE cloud_stream SET closed = ? WHERE id = ?", st.Closed, st.Row); err != nil {
				return err
			}
			if err := check(ctx, tx, st.Row, logdb.FateTally{}); err != nil {
				return err
			}
		}
		for _, st := range opened {
			policy, err := json.Marshal(st.Policy)
			if err != nil {
				return err
			}
			state, err := json.Marshal(st.State)
			if err != nil {
				return err
			}
			if err := tx.QueryRowContext(ctx, insertStream, k.Destination, k.Meter, k.Kind, k.Journal, st.ID.Policy, nameOf(st, k),
				string(policy), string(state), st.Closed, st.End, st.Chain[:]).Scan(&st.Row); err != nil {
				return err
			}
			changed, err := addFates(ctx, tx, st.Row, &st.Fates)
			if err != nil {
				return err
			}
			if err := check(ctx, tx, st.Row, changed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("turn the streams of meter %s, %s: %w", k.Meter, k.Kind, err)
	}
	return nil
}

// nameOf returns the name under which a stream's journal travels, "" for its own id.
func nameOf(st *cloudsync.StoredStream, k cloudsync.StreamKey) string {
	if st.ID.Journal == k.Journal {
		return ""
	}
	return string(st.ID.Journal)
}

const putCount = `INSERT INTO cloud_limit_count (destination, journal, cut, start_ms, span, count) VALUES (?, ?, ?, ?, ?, ?)
	ON CONFLICT (destination, journal, cut, start_ms, span) DO UPDATE SET count = excluded.count`

// Decide stores a decision of one stream: fates, changes, limit counts and state together.
func (s *Store) Decide(ctx context.Context, k cloudsync.StreamKey, st *cloudsync.StoredStream, d reduce.Decision, head logdb.JournalHead) error {
	state, err := json.Marshal(d.State)
	if err != nil {
		return fmt.Errorf("write the state of stream %s: %w", st.ID, err)
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		changed, err := addFates(ctx, tx, st.Row, &d.Fates)
		if err != nil {
			return err
		}
		var changes, counts logdb.Tally
		for _, c := range d.Changes {
			done, err := tx.ExecContext(ctx, "INSERT INTO cloud_change (journal, target, position) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
				k.Journal, c.Target, c.Position)
			if err != nil {
				return err
			}
			if n, err := done.RowsAffected(); err != nil {
				return err
			} else if n > 0 {
				changeTally(&changes, c.Target, c.Position)
			}
		}
		for key, n := range d.Counts {
			var old int
			err := tx.QueryRowContext(ctx, "SELECT count FROM cloud_limit_count WHERE destination = ? AND journal = ? AND cut = ? AND start_ms = ? AND span = ?",
				k.Destination, k.Journal, st.Cut(), key.Start, key.Window).Scan(&old)
			if err == nil {
				countTally(&counts, key.Start, key.Window, old, -1)
			} else if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			countTally(&counts, key.Start, key.Window, n, 1)
			if _, err := tx.ExecContext(ctx, putCount, k.Destination, k.Journal, st.Cut(), key.Start, key.Window, n); err != nil {
				return err
			}
		}
		if err := tally(ctx, tx, int64(k.Destination), k.Journal, tallyCount+st.Cut(), counts); err != nil {
			return err
		}
		if err := tally(ctx, tx, 0, k.Journal, tallyChange, changes); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE cloud_stream SET state = ?, journal_end = ?, chain = ? WHERE id = ?",
			string(state), head.End, head.Chain[:], st.Row); err != nil {
			return err
		}
		return check(ctx, tx, st.Row, changed)
	})
	if err != nil {
		return fmt.Errorf("store decisions of stream %s: %w", st.ID, err)
	}
	return nil
}

const selectCounts = `SELECT start_ms, span, count FROM cloud_limit_count WHERE destination = ? AND journal = ? AND cut = ? AND start_ms BETWEEN ? AND ?`

// Counts returns the limit counts of a cut whose spans begin in [first, last].
func (s *Store) Counts(ctx context.Context, k cloudsync.StreamKey, cut string, first, last logdb.Millis) (limit.Counts, error) {
	rows, err := s.db.Read().QueryContext(ctx, selectCounts, k.Destination, k.Journal, cut, first, last)
	if err != nil {
		return nil, fmt.Errorf("read limit counts: %w", err)
	}
	defer rows.Close()
	out := limit.Counts{}
	for rows.Next() {
		var key limit.Key
		var n int
		if err := rows.Scan(&key.Start, &key.Window, &n); err != nil {
			return nil, fmt.Errorf("read limit counts: %w", err)
		}
		out[key] = n
	}
	return out, rows.Err()
}

// Changes returns the revises and withdraws of the targets first to last, by target and position.
func (s *Store) Changes(ctx context.Context, journal logdb.JournalID, first, last logdb.Position) ([]reduce.Change, error) {
	rows, err := s.db.Read().QueryContext(ctx,
		"SELECT target, position FROM cloud_change WHERE journal = ? AND target BETWEEN ? AND ? ORDER BY target, position", journal, first, last)
	if err != nil {
		return nil, fmt.Errorf("read the changes of positions %d to %d: %w", first, last, err)
	}
	defer rows.Close()
	var out []reduce.Change
	for rows.Next() {
		var c reduce.Change
		if err := rows.Scan(&c.Target, &c.Position); err != nil {
			return nil, fmt.Errorf("read the changes of positions %d to %d: %w", first, last, err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// DropJournals forgets every stream of a meter and kind whose journal is not k.Journal, for all destinations: the
// journal has another name now.
func (s *Store) DropJournals(ctx context.Context, k cloudsync.StreamKey) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT DISTINCT journal FROM cloud_stream WHERE meter = ? AND kind = ? AND journal <> ?", k.Meter, k.Kind, k.Journal)
		if err != nil {
			return err
		}
		old, err := scanJournals(rows)
		if err != nil {
			return err
		}
		for _, j := range old {
			for _, q := range []string{
				"INSERT INTO cloud_gone (journal) VALUES (?) ON CONFLICT DO NOTHING",
				"DELETE FROM cloud_stream WHERE journal = ?",
				"DELETE FROM cloud_ended WHERE journal = ?",
				"DELETE FROM cloud_share WHERE journal = ?",
				"DELETE FROM cloud_limit_count WHERE journal = ?",
				"DELETE FROM cloud_change WHERE journal = ?",
				"DELETE FROM cloud_tally WHERE journal = ?",
			} {
				if _, err := tx.ExecContext(ctx, q, j); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop old journals of meter %s, %s: %w", k.Meter, k.Kind, err)
	}
	return nil
}
