package clouddb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/cloudsync"
	"metermanager/logdb"
)

// sets names the sets of positions of a stream beside its fates.
func sets(st *cloudsync.StoredStream) map[string]*logdb.FateSet {
	return map[string]*logdb.FateSet{"asked": &st.Asked, "whole": &st.Whole, "fetched": &st.Fetched, "refused": &st.Refused}
}

func readSets(ctx context.Context, tx *sql.Tx, st *cloudsync.StoredStream) error {
	rows, err := tx.QueryContext(ctx, "SELECT name, positions FROM cloud_set WHERE stream = ?", st.Row)
	if err != nil {
		return err
	}
	defer rows.Close()
	into := sets(st)
	for rows.Next() {
		var name string
		var data []byte
		if err := rows.Scan(&name, &data); err != nil {
			return err
		}
		if set := into[name]; set != nil {
			if err := set.UnmarshalBinary(data); err != nil {
				return fmt.Errorf("read the positions %s: %w", name, err)
			}
		}
	}
	return rows.Err()
}

const (
	putSet  = `INSERT INTO cloud_set (stream, name, positions) VALUES (?, ?, ?) ON CONFLICT (stream, name) DO UPDATE SET positions = excluded.positions`
	dropSet = `DELETE FROM cloud_set WHERE stream = ? AND name = ?`
)

// PutRequested stores the sets of a stream beside its fates as they are in st, and changes the fates of those in fates.
func (s *Store) PutRequested(ctx context.Context, st *cloudsync.StoredStream, fates *logdb.FateSet) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		changed, err := addFates(ctx, tx, st.Row, fates)
		if err != nil {
			return err
		}
		for name, set := range sets(st) {
			if set.Len() == 0 {
				if _, err := tx.ExecContext(ctx, dropSet, st.Row, name); err != nil {
					return err
				}
				continue
			}
			data, err := set.AppendBinary(nil)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, putSet, st.Row, name, data); err != nil {
				return err
			}
		}
		return check(ctx, tx, st.Row, changed)
	})
	if err != nil {
		return fmt.Errorf("store what was asked for of stream %s: %w", st.ID, err)
	}
	return nil
}
