package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
)

const listMeters = `SELECT uid FROM meter m WHERE settings IS NOT NULL OR EXISTS (SELECT 1 FROM stream s WHERE s.meter = m.id) ORDER BY uid`

// Meters implements logdb.Source.
func (s *Store) Meters(ctx context.Context) ([]logdb.MeterUID, error) {
	var out []logdb.MeterUID
	err := s.snapshot(ctx, "list the meters", func(c *conn) error {
		return c.each(func(rows *sql.Rows) error {
			var uid string
			err := rows.Scan(&uid)
			out = append(out, logdb.MeterUID(uid))
			return err
		}, listMeters)
	})
	return out, err
}

const readSettings = `SELECT settings FROM meter WHERE uid = ? AND settings IS NOT NULL`

// Settings implements logdb.Source.
func (s *Store) Settings(ctx context.Context, uid logdb.MeterUID) (out logdb.Settings, err error) {
	err = s.snapshot(ctx, "read the settings of "+string(uid), func(c *conn) error {
		var text string
		ok, err := c.one([]any{&text}, readSettings, string(uid))
		if err == nil && !ok {
			err = logdb.ErrUnknownMeter
		}
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &out)
	})
	return out, err
}

const writeSettings = `UPDATE meter SET settings = ?, step_ms = ?, rebuild = CASE WHEN ? THEN 1 ELSE rebuild END WHERE id = ?`

// PutSettings implements logdb.Store.
func (s *Store) PutSettings(ctx context.Context, uid logdb.MeterUID, settings logdb.Settings) error {
	if uid == "" {
		return fmt.Errorf("keep settings: %w: no meter", logdb.ErrInvalid)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("write the settings of %s: %w", uid, err)
	}
	return s.write(ctx, "keep the settings of "+string(uid), func(t *txn) error {
		m, err := t.meter(uid, true)
		if err != nil {
			return err
		}
		ranges, err := t.rangesOf(m.id)
		if err != nil {
			return err
		}
		since := t.nowMillis()
		for _, x := range ranges {
			if x.n > 0 && x.lastPosition > 0 { // the marks of a log have no range
				since = min(since, x.first)
			}
		}
		step := analysis.RollStep(settings.Zone, since)
		if _, err := t.exec(writeSettings, string(text), step, step != m.step, m.id); err != nil {
			return err
		}
		m.step = step
		return nil
	})
}

const (
	insertSnapshot = `INSERT INTO snapshot (meter, id, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	readSnapshot   = `SELECT p.data FROM snapshot p JOIN meter m ON m.id = p.meter WHERE m.uid = ? AND p.id = ?`
)

// PutSnapshot implements logdb.Store.
func (s *Store) PutSnapshot(ctx context.Context, uid logdb.MeterUID, data []byte) (logdb.Digest, error) {
	id := logdb.DigestOf(data)
	if known, err := s.Snapshot(ctx, uid, id); err == nil && len(known) == len(data) {
		return id, nil
	}
	err := s.write(ctx, "keep a snapshot of "+string(uid), func(t *txn) error {
		m, err := t.meter(uid, true)
		if err != nil {
			return err
		}
		_, err = t.exec(insertSnapshot, m.id, id[:], t.codec.AppendBytes(nil, data))
		return err
	})
	if err != nil {
		return logdb.Digest{}, err
	}
	return id, nil
}

// Snapshot implements logdb.Store.
func (s *Store) Snapshot(ctx context.Context, uid logdb.MeterUID, id logdb.Digest) (data []byte, err error) {
	err = s.snapshot(ctx, "read a snapshot of "+string(uid), func(c *conn) error {
		var packed []byte
		ok, err := c.one([]any{&packed}, readSnapshot, string(uid), id[:])
		if err == nil && !ok {
			err = logdb.ErrNotFound
		}
		if err == nil {
			data, err = c.codec.Bytes(packed)
		}
		return err
	})
	return data, err
}
