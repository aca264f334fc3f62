package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/logdb"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

var errNoCustomer = registry.ErrNotFound

// CreateMeter stores a meter with its own key.
func (c *Cloud) CreateMeter(ctx context.Context, m registry.Meter, key *account.Key) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		const q = `INSERT INTO meter (uid, customer, manufacturer, serial, enabled, claim_hash, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`
		var claim []byte
		if m.Claim != (account.Hash{}) {
			claim = m.Claim[:]
		}
		_, err := tx.ExecContext(ctx, q, string(m.UID), nobody(m.Customer), m.Make, m.Serial, m.Enabled, claim, m.Created)
		if err != nil {
			return taken(fmt.Errorf("insert a meter: %w", err), registry.ErrExists)
		}
		if key == nil {
			return nil
		}
		return insertKey(ctx, tx, *key)
	})
}

// meterInScope is the condition that every statement on meters carries.
var meterInScope = inScope("customer", "uid") + " AND " + atFacility

const selectMeter = `SELECT uid, coalesce(customer, ''), manufacturer, serial, enabled, claim_hash, created_ms, removed_ms, expires_ms FROM meter WHERE `

func scanMeter(row interface{ Scan(...any) error }) (registry.Meter, error) {
	var m registry.Meter
	var claim []byte
	err := row.Scan(&m.UID, &m.Customer, &m.Make, &m.Serial, &m.Enabled, &claim, &m.Created, &m.Removed, &m.Expires)
	copy(m.Claim[:], claim)
	return m, found(err, registry.ErrNotFound)
}

// MeterBySerial finds a meter for its registration.
func (c *Cloud) MeterBySerial(ctx context.Context, manufacturer, serial string) (registry.Meter, error) {
	return scanMeter(c.db.ReadRow(ctx, selectMeter+`manufacturer = ? AND serial = ?`, manufacturer, serial))
}

// Meter returns a meter of the scope that is on the list.
func (c *Cloud) Meter(ctx context.Context, s account.Scope, uid logdb.MeterUID) (registry.Meter, error) {
	return scanMeter(c.db.ReadRow(ctx, selectMeter+`uid = @uid AND removed_ms = 0 AND `+meterInScope,
		append(scopeArgs(s), sql.Named("uid", string(uid)))...))
}

// Meters lists the meters of the scope that have a customer.
func (c *Cloud) Meters(ctx context.Context, s account.Scope) (out []registry.Meter, err error) {
	q := selectMeter + `removed_ms = 0 AND customer IS NOT NULL AND ` + meterInScope + ` ORDER BY uid`
	rows, err := c.db.Read().QueryContext(ctx, q, scopeArgs(s)...)
	if err != nil {
		return nil, fmt.Errorf("list meters: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		m, err := scanMeter(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// AssignMeter gives a meter that is nobody's, and its keys, to a customer.
func (c *Cloud) AssignMeter(ctx context.Context, uid logdb.MeterUID, to account.CustomerID) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET customer = ?, claim_hash = NULL WHERE uid = ? AND customer IS NULL`, string(to), string(uid))
		if err := one(res, err, registry.ErrNotFound); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE api_key SET customer = ? WHERE meter = ? AND customer IS NULL`, string(to), string(uid)); err != nil {
			return fmt.Errorf("give the keys of a meter to its customer: %w", err)
		}
		return nil
	})
}

// EnableMeter makes a meter readable, or not.
func (c *Cloud) EnableMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, enabled bool) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET enabled = @enabled WHERE uid = @uid AND `+meterInScope,
			append(scopeArgs(s), sql.Named("enabled", enabled), sql.Named("uid", string(uid)))...)
		return one(res, err, registry.ErrNotFound)
	})
}

// RemoveMeter takes a meter off the list, or with at 0 puts it back.
func (c *Cloud) RemoveMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET removed_ms = @at WHERE uid = @uid AND `+meterInScope,
			append(scopeArgs(s), sql.Named("at", at), sql.Named("uid", string(uid)))...)
		return one(res, err, registry.ErrNotFound)
	})
}

// Unassigned counts the meters that are nobody's.
func (c *Cloud) Unassigned(ctx context.Context) (n int, err error) {
	err = c.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM meter WHERE customer IS NULL`).Scan(&n)
	return n, err
}

// KnownMeters lists the UID of every meter.
func (c *Cloud) KnownMeters(ctx context.Context) (out []logdb.MeterUID, err error) {
	rows, err := c.db.Read().QueryContext(ctx, `SELECT uid FROM meter`)
	if err != nil {
		return nil, fmt.Errorf("list known meters: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var uid logdb.MeterUID
		if err := rows.Scan(&uid); err != nil {
			return nil, fmt.Errorf("read a known meter: %w", err)
		}
		out = append(out, uid)
	}
	return out, rows.Err()
}
