package metadb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"math"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/service/field/retrieve"
)

//go:embed field/*.sql
var fieldFiles embed.FS

// Field keeps the site's list of meters with the state and history of their retrieval.
type Field struct{ db *sqldb.DB }

var _ retrieve.State = (*Field)(nil)

// OpenField brings the tables of the field side in db up to date.
func OpenField(ctx context.Context, db *sqldb.DB) (*Field, error) {
	files, err := fs.Sub(fieldFiles, "field")
	if err != nil {
		return nil, fmt.Errorf("open the migrations: %w", err)
	}
	if err := db.Migrate(ctx, "field", files); err != nil {
		return nil, fmt.Errorf("migrate the list of meters: %w", err)
	}
	return &Field{db}, nil
}

const selectFieldMeters = `SELECT uid, name, address, unit, profile, zone, serial, enabled, retrieve_s, live_s, log_s, added_ms, ct_factor, pt_factor, decoded, limits
	FROM field_meter ORDER BY added_ms, uid`

// Meters lists the meters in the order in which they were added.
func (f *Field) Meters(ctx context.Context) ([]retrieve.Meter, error) {
	return query(ctx, f.db, func(rows *sql.Rows) (m retrieve.Meter, err error) {
		err = rows.Scan(&m.UID, &m.Name, &m.Address, &m.Unit, &m.Profile, &m.Zone, &m.Serial, &m.Enabled,
			&m.RetrieveSeconds, &m.LiveSeconds, &m.LogSeconds, &m.Added, &m.CTFactor, &m.PTFactor, &m.Decoded, &m.Limits)
		return m, err
	}, selectFieldMeters)
}

const putFieldMeter = `INSERT INTO field_meter (uid, name, address, unit, profile, zone, serial, enabled, retrieve_s, live_s, log_s, added_ms,
		ct_factor, pt_factor, decoded, limits)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (uid) DO UPDATE SET name = excluded.name, address = excluded.address, unit = excluded.unit,
		profile = excluded.profile, zone = excluded.zone, serial = excluded.serial, enabled = excluded.enabled,
		retrieve_s = excluded.retrieve_s, live_s = excluded.live_s, log_s = excluded.log_s,
		ct_factor = excluded.ct_factor, pt_factor = excluded.pt_factor, decoded = excluded.decoded, limits = excluded.limits`

// PutMeter adds a meter or replaces its line.
func (f *Field) PutMeter(ctx context.Context, m retrieve.Meter) error {
	return f.exec(ctx, putFieldMeter, m.UID, m.Name, m.Address, m.Unit, m.Profile, m.Zone, m.Serial, m.Enabled,
		m.RetrieveSeconds, m.LiveSeconds, m.LogSeconds, m.Added, m.CTFactor, m.PTFactor, m.Decoded, m.Limits)
}

// DeleteMeter removes a meter with its states and history.
func (f *Field) DeleteMeter(ctx context.Context, uid logdb.MeterUID) error {
	return f.exec(ctx, "DELETE FROM field_meter WHERE uid = ?", uid)
}

const selectFieldLogs = `SELECT log, next, used, max, last_stamp, sets_dst, records, last_success_ms, last_error, error_ms, serial
	FROM field_log WHERE uid = ?`

// LogStates returns where the retrieval of each log stands.
func (f *Field) LogStates(ctx context.Context, uid logdb.MeterUID) (map[string]retrieve.LogState, error) {
	list, err := query(ctx, f.db, func(rows *sql.Rows) (s retrieve.LogState, err error) {
		err = rows.Scan(&s.Log, &s.Next, &s.Used, &s.Max, &s.LastStamp, &s.SetsDST, &s.Records, &s.LastSuccess, &s.LastError, &s.ErrorAt, &s.Serial)
		return s, err
	}, selectFieldLogs, uid)
	if err != nil {
		return nil, err
	}
	out := make(map[string]retrieve.LogState, len(list))
	for _, s := range list {
		out[s.Log] = s
	}
	return out, nil
}

const putFieldLog = `INSERT INTO field_log (uid, log, next, used, max, last_stamp, sets_dst, records, last_success_ms, last_error, error_ms, serial)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (uid, log) DO UPDATE SET next = excluded.next, used = excluded.used, max = excluded.max,
		last_stamp = excluded.last_stamp, sets_dst = excluded.sets_dst, records = excluded.records,
		last_success_ms = excluded.last_success_ms, last_error = excluded.last_error, error_ms = excluded.error_ms, serial = excluded.serial`

// PutLogState keeps where the retrieval of one log stands.
func (f *Field) PutLogState(ctx context.Context, uid logdb.MeterUID, s retrieve.LogState) error {
	return f.exec(ctx, putFieldLog, uid, s.Log, s.Next, s.Used, s.Max, s.LastStamp, s.SetsDST, s.Records, s.LastSuccess, s.LastError, s.ErrorAt, s.Serial)
}

const (
	addFieldHistory  = `INSERT INTO field_history (uid, start_ms, took_ms, action, cause, records, error) VALUES (?, ?, ?, ?, ?, ?, ?)`
	trimFieldHistory = `DELETE FROM field_history WHERE uid = ? AND id <= (
		SELECT id FROM field_history WHERE uid = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`
)

// AddHistory remembers one retrieval, and forgets all but the newest keep of that meter.
func (f *Field) AddHistory(ctx context.Context, h retrieve.HistoryItem, keep int) error {
	return f.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, addFieldHistory, h.Meter, h.Start, h.Took, h.Action, h.Trigger, h.Records, h.Error); err != nil {
			return fmt.Errorf("add a retrieval: %w", err)
		}
		if _, err := tx.ExecContext(ctx, trimFieldHistory, h.Meter, h.Meter, keep); err != nil {
			return fmt.Errorf("forget old retrievals: %w", err)
		}
		return nil
	})
}

const selectFieldHistory = `SELECT id, uid, start_ms, took_ms, action, cause, records, error
	FROM field_history WHERE uid = ? ORDER BY id DESC LIMIT ?`

// History returns the newest retrievals of a meter, newest first. limit 0 means all.
func (f *Field) History(ctx context.Context, uid logdb.MeterUID, limit int) ([]retrieve.HistoryItem, error) {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	return query(ctx, f.db, func(rows *sql.Rows) (h retrieve.HistoryItem, err error) {
		err = rows.Scan(&h.ID, &h.Meter, &h.Start, &h.Took, &h.Action, &h.Trigger, &h.Records, &h.Error)
		return h, err
	}, selectFieldHistory, uid, limit)
}

func (f *Field) exec(ctx context.Context, text string, args ...any) error {
	return f.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text, args...)
		return err
	})
}

// query runs a SELECT and scans every row.
func query[T any](ctx context.Context, db *sqldb.DB, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := db.Read().QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
