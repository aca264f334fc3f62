package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"metermanager/logdb"
)

const cutStreams = `SELECT id, policy FROM stream WHERE meter = ? AND kind = ? AND journal = ?`

// Versions implements logdb.Store.
func (s *Store) Versions(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID, p logdb.Position) ([]logdb.Entry, error) {
	var out []logdb.Entry
	err := s.snapshot(ctx, fmt.Sprintf("read the versions of position %d of %s", p, ref), func(c *conn) error {
		meter, _, err := c.streamID(uid, kind, ref)
		if err != nil {
			return err
		}
		ids, err := c.cutOf(meter, kind, ref)
		if err != nil {
			return err
		}
		out, err = c.versionsOf(ids, kind, p)
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("position %d of %s: %w", p, ref, logdb.ErrNotFound)
	}
	return out, err
}

// cutOf returns the streams that carry the same records as one.
func (c *conn) cutOf(meter int64, kind logdb.Kind, ref logdb.StreamID) (ids []int64, err error) {
	err = c.each(func(rows *sql.Rows) error {
		var id int64
		other := logdb.StreamID{Journal: ref.Journal}
		if err := rows.Scan(&id, &other.Policy); err != nil {
			return err
		}
		if other.SameCut(ref) {
			ids = append(ids, id)
		}
		return nil
	}, cutStreams, meter, kind, string(ref.Journal))
	return ids, err
}

func (c *conn) versionsOf(ids []int64, kind logdb.Kind, p logdb.Position) (out []logdb.Entry, err error) {
	found := false // the add
	for _, id := range ids {
		for _, query := range []string{readAdd, readVersions} {
			err := c.each(func(rows *sql.Rows) error {
				var r entryRow
				if err := scanEntry(rows, &r); err != nil {
					return err
				}
				if err := r.decode(); err != nil {
					return err
				}
				found = found || r.entry.Op == logdb.OpAdd
				out = append(out, r.entry)
				return nil
			}, query, id, p)
			if err != nil {
				return nil, err
			}
		}
	}
	// A row that nobody changed stands in the columns of its log.
	for i := 0; i < len(ids) && kind == logdb.KindHistorical && !found && len(out) == 0; i++ {
		tables, err := c.tables(ids[i], positions{first: p, last: p})
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			for k := range t.rows {
				out = append(out, t.entry(k))
			}
		}
	}
	slices.SortFunc(out, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
	return slices.CompactFunc(out, func(a, b logdb.Entry) bool { return a.Position == b.Position }), nil
}
