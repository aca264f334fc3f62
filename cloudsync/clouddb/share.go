package clouddb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"metermanager/cloudsync"
	"metermanager/logdb"
)

// Owner returns whose streams a destination uses for a journal.
func (s *Store) Owner(ctx context.Context, k cloudsync.StreamKey) (cloudsync.DestinationID, error) {
	owner := k.Destination
	err := s.db.Read().QueryRowContext(ctx, "SELECT owner FROM cloud_share WHERE destination = ? AND journal = ?", k.Destination, k.Journal).Scan(&owner)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("look up whose streams cloud destination %d uses: %w", k.Destination, err)
	}
	return owner, nil
}

// Owners lists the destinations that have streams of their own of a journal.
func (s *Store) Owners(ctx context.Context, k cloudsync.StreamKey) ([]cloudsync.DestinationID, error) {
	return s.numbers(ctx, "SELECT DISTINCT destination FROM cloud_stream WHERE journal = ? AND meter = ? AND kind = ? ORDER BY destination", k.Journal, k.Meter, k.Kind)
}

// Sharers lists the destinations that use the streams of k.Destination, itself aside.
func (s *Store) Sharers(ctx context.Context, k cloudsync.StreamKey) ([]cloudsync.DestinationID, error) {
	return s.numbers(ctx, "SELECT destination FROM cloud_share WHERE owner = ? AND journal = ? ORDER BY destination", k.Destination, k.Journal)
}

func (s *Store) numbers(ctx context.Context, query string, args ...any) ([]cloudsync.DestinationID, error) {
	rows, err := s.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list cloud destinations: %w", err)
	}
	defer rows.Close()
	var out []cloudsync.DestinationID
	for rows.Next() {
		var d cloudsync.DestinationID
		if err := rows.Scan(&d); err != nil {
			return nil, fmt.Errorf("list cloud destinations: %w", err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// Share lets k.Destination, which has none of its own, use the streams of owner.
func (s *Store) Share(ctx context.Context, k cloudsync.StreamKey, owner cloudsync.DestinationID) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO cloud_share (destination, journal, owner) VALUES (?, ?, ?)", k.Destination, k.Journal, owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("share the streams of journal %s: %w", k.Journal, err)
	}
	return nil
}

// Part gives k.Destination, which shares its streams with others, a copy that nobody else uses.
func (s *Store) Part(ctx context.Context, k cloudsync.StreamKey) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		var owner cloudsync.DestinationID
		err := tx.QueryRowContext(ctx, "SELECT owner FROM cloud_share WHERE destination = ? AND journal = ?", k.Destination, k.Journal).Scan(&owner)
		if errors.Is(err, sql.ErrNoRows) { // the others get a copy
			heir, err := bequeath(ctx, tx, k.Destination, k.Journal)
			if err != nil || heir == 0 {
				return err
			}
			return copyStreams(ctx, tx, k.Journal, k.Destination, heir)
		}
		if err != nil {
			return err
		}
		if err := copyStreams(ctx, tx, k.Journal, owner, k.Destination); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM cloud_share WHERE destination = ? AND journal = ?", k.Destination, k.Journal)
		return err
	})
	if err != nil {
		return fmt.Errorf("part the streams of journal %s: %w", k.Journal, err)
	}
	return nil
}

// bequeath makes the first of those who share the streams of d their owner, and returns it; 0 when there is none.
func bequeath(ctx context.Context, tx *sql.Tx, d cloudsync.DestinationID, journal logdb.JournalID) (heir cloudsync.DestinationID, err error) {
	err = tx.QueryRowContext(ctx, "SELECT destination FROM cloud_share WHERE owner = ? AND journal = ? ORDER BY destination", d, journal).Scan(&heir)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM cloud_share WHERE destination = ? AND journal = ?", heir, journal); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE cloud_share SET owner = ? WHERE owner = ? AND journal = ?", heir, d, journal)
	return heir, err
}

// copyStreams copies the streams of a journal with their decisions to another destination.
func copyStreams(ctx context.Context, tx *sql.Tx, journal logdb.JournalID, from, to cloudsync.DestinationID) error {
	for _, q := range []string{
		`INSERT INTO cloud_stream (destination, meter, kind, journal, generation, name, policy, state, closed, journal_end, chain, checked)
			SELECT ?3, meter, kind, journal, generation, name, policy, state, closed, journal_end, chain, checked FROM cloud_stream
			WHERE destination = ?2 AND journal = ?1 ORDER BY id`,
		`INSERT INTO cloud_fates (stream, chunk, fates) SELECT n.id, f.chunk, f.fates FROM cloud_stream o
			JOIN cloud_stream n ON n.destination = ?3 AND n.journal = o.journal AND n.generation = o.generation
			JOIN cloud_fates f ON f.stream = o.id WHERE o.destination = ?2 AND o.journal = ?1`,
		`INSERT INTO cloud_set (stream, name, positions) SELECT n.id, f.name, f.positions FROM cloud_stream o
			JOIN cloud_stream n ON n.destination = ?3 AND n.journal = o.journal AND n.generation = o.generation
			JOIN cloud_set f ON f.stream = o.id WHERE o.destination = ?2 AND o.journal = ?1`,
		`INSERT INTO cloud_check (stream, meter, kind, journal, generation, fates_a, fates_b, sum)
			SELECT n.id, c.meter, c.kind, c.journal, c.generation, c.fates_a, c.fates_b, c.sum FROM cloud_stream o
			JOIN cloud_stream n ON n.destination = ?3 AND n.journal = o.journal AND n.generation = o.generation
			JOIN cloud_check c ON c.stream = o.id WHERE o.destination = ?2 AND o.journal = ?1`,
		`INSERT INTO cloud_tally (destination, journal, what, n, a, b)
			SELECT ?3, journal, what, n, a, b FROM cloud_tally WHERE destination = ?2 AND journal = ?1`,
		`INSERT INTO cloud_limit_count (destination, journal, cut, start_ms, span, count)
			SELECT ?3, journal, cut, start_ms, span, count FROM cloud_limit_count WHERE destination = ?2 AND journal = ?1`,
	} {
		if _, err := tx.ExecContext(ctx, q, journal, from, to); err != nil {
			return err
		}
	}
	return nil
}

// bequeathAll hands over all that others share of a destination which is removed.
func bequeathAll(ctx context.Context, tx *sql.Tx, d cloudsync.DestinationID) error {
	rows, err := tx.QueryContext(ctx, "SELECT DISTINCT journal FROM cloud_share WHERE owner = ?", d)
	if err != nil {
		return err
	}
	journals, err := scanJournals(rows)
	if err != nil {
		return err
	}
	for _, j := range journals {
		heir, err := bequeath(ctx, tx, d, j)
		if err != nil {
			return err
		}
		if heir == 0 {
			continue
		}
		if err := handOver(ctx, tx, heir, d, j); err != nil {
			return err
		}
	}
	return nil
}

// handOver makes heir the owner of what d decided of a journal.
func handOver(ctx context.Context, tx *sql.Tx, heir, d cloudsync.DestinationID, journal logdb.JournalID) error {
	for _, q := range []string{
		"UPDATE cloud_stream SET destination = ? WHERE destination = ? AND journal = ?",
		"UPDATE cloud_limit_count SET destination = ? WHERE destination = ? AND journal = ?",
		"UPDATE cloud_tally SET destination = ? WHERE destination = ? AND journal = ?",
	} {
		if _, err := tx.ExecContext(ctx, q, heir, d, journal); err != nil {
			return err
		}
	}
	return nil
}

// Rename gives the streams of k.Destination, which nobody else uses, the names that they bear in streams.
func (s *Store) Rename(ctx context.Context, k cloudsync.StreamKey, streams []*cloudsync.StoredStream) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, putEnded, k.Destination, k.Journal); err != nil {
			return err
		}
		for _, st := range streams {
			policy, err := json.Marshal(st.Policy)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE cloud_stream SET generation = ?, name = ?, policy = ? WHERE id = ?", st.ID.Policy, nameOf(st, k), string(policy), st.Row); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE cloud_check SET generation = ? WHERE stream = ?", st.ID.Policy, st.Row); err != nil {
				return err
			}
			if err := check(ctx, tx, st.Row, logdb.FateTally{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("rename the streams of journal %s for cloud destination %d: %w", k.Journal, k.Destination, err)
	}
	return nil
}

func scanJournals(rows *sql.Rows) ([]logdb.JournalID, error) {
	var out []logdb.JournalID
	for rows.Next() {
		var j logdb.JournalID
		if err := rows.Scan(&j); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, j)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// Gone reports whether DropJournals has forgotten the journal.
func (s *Store) Gone(ctx context.Context, k cloudsync.StreamKey) (bool, error) {
	var n int
	err := s.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM cloud_gone WHERE journal = ?", k.Journal).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look whether journal %s was given up: %w", k.Journal, err)
	}
	return n > 0, nil
}

// Ended lists the streams of a journal of which the last destination was removed, or gave them other names.
func (s *Store) Ended(ctx context.Context, k cloudsync.StreamKey) ([]cloudsync.EndedStream, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT generation, name, policy, last FROM cloud_ended WHERE journal = ?", k.Journal)
	if err != nil {
		return nil, fmt.Errorf("list the ended streams of journal %s: %w", k.Journal, err)
	}
	defer rows.Close()
	var out []cloudsync.EndedStream
	for rows.Next() {
		var e cloudsync.EndedStream
		var policy []byte
		if err := rows.Scan(&e.ID.Policy, &e.ID.Journal, &policy, &e.Last); err != nil {
			return nil, fmt.Errorf("read an ended stream of journal %s: %w", k.Journal, err)
		}
		if e.ID.Journal == "" {
			e.ID.Journal = k.Journal
		}
		if err := json.Unmarshal(policy, &e.Policy); err != nil {
			return nil, fmt.Errorf("read the policy of ended stream %s: %w", e.ID, err)
		}
		e.Policy.Limits = e.Policy.Limits.Only(k.Kind)
		out = append(out, e)
	}
	return out, rows.Err()
}

// Ends lists the journal's ends at the time of the decisions, of all destinations.
func (s *Store) Ends(ctx context.Context, k cloudsync.StreamKey) ([]logdb.End, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT DISTINCT journal_end, chain FROM cloud_stream WHERE journal = ?", k.Journal)
	if err != nil {
		return nil, fmt.Errorf("read the ends of journal %s: %w", k.Journal, err)
	}
	defer rows.Close()
	var out []logdb.End
	for rows.Next() {
		var e logdb.End
		var chain []byte
		if err := rows.Scan(&e.Position, &chain); err != nil {
			return nil, fmt.Errorf("read the ends of journal %s: %w", k.Journal, err)
		}
		e.Chain = digestOf(chain)
		out = append(out, e)
	}
	return out, rows.Err()
}
