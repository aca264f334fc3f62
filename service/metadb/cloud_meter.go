package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"math"

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

const selectMeter = `SELECT uid, coalesce(customer, ''), manufacturer, serial, enabled, claim_hash, created_ms, removed_ms, expires_ms, facility, former FROM meter WHERE `

func scanMeter(row interface{ Scan(...any) error }) (registry.Meter, error) {
	var m registry.Meter
	var claim []byte
	err := row.Scan(&m.UID, &m.Customer, &m.Make, &m.Serial, &m.Enabled, &claim, &m.Created, &m.Removed, &m.Expires, &m.Facility, &m.Former)
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

// Meters lists the meters of the scope that are on the list and somebody's.
func (c *Cloud) Meters(ctx context.Context, s account.Scope) ([]registry.Meter, error) {
	return c.MetersAfter(ctx, s, "", false, math.MaxInt32)
}

// MetersAfter lists so many meters of the scope by UID, with pool those that are nobody's too.
func (c *Cloud) MetersAfter(ctx context.Context, s account.Scope, after logdb.MeterUID, pool bool, limit int) ([]registry.Meter, error) {
	return list(ctx, c.db.Read(), scanMeter, selectMeter+`removed_ms = 0 AND (@pool OR customer IS NOT NULL) AND uid > @after AND `+meterInScope+` ORDER BY uid LIMIT @limit`,
		append(scopeArgs(s), sql.Named("after", string(after)), sql.Named("pool", pool), sql.Named("limit", limit))...)
}

// AssignMeter gives a meter that is nobody's, and its keys, to a customer.
func (c *Cloud) AssignMeter(ctx context.Context, uid logdb.MeterUID, to account.CustomerID) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET customer = ?, claim_hash = NULL, former = '' WHERE uid = ? AND customer IS NULL`, string(to), string(uid))
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

// ReleaseMeter takes a meter from its customer.
func (c *Cloud) ReleaseMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, claim account.Hash, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET former = customer, customer = NULL, facility = '', claim_hash = @claim WHERE uid = @uid AND customer IS NOT NULL AND `+meterInScope,
			append(scopeArgs(s), sql.Named("claim", claim[:]), sql.Named("uid", string(uid)))...)
		if err := one(res, err, registry.ErrNotFound); err != nil {
			return err
		}
		// The meter's own key was made by nobody and can only upload; people made the others, to read too.
		if _, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked_ms = ? WHERE meter = ? AND (revoked_ms = 0 OR revoked_ms > ?) AND (created_by <> '' OR permissions <> 'upload')`, at, string(uid), at); err != nil {
			return fmt.Errorf("end the keys of a meter: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE api_key SET customer = NULL WHERE meter = ? AND created_by = '' AND permissions = 'upload'`, string(uid)); err != nil {
			return fmt.Errorf("take the key of a meter from its customer: %w", err)
		}
		return nil
	})
}

// MoveMeter puts a meter at a facility of its customer.
func (c *Cloud) MoveMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, to account.FacilityID) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET facility = @to WHERE uid = @uid AND (@to = '' OR EXISTS (SELECT 1 FROM facility AS f WHERE f.id = @to AND f.customer = meter.customer)) AND `+meterInScope,
			append(scopeArgs(s), sql.Named("to", string(to)), sql.Named("uid", string(uid)))...)
		return one(res, err, registry.ErrNotFound)
	})
}

// ReplaceMeter gives a meter another make and serial.
func (c *Cloud) ReplaceMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID, manufacturer, serial string, key account.Key, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO meter_hardware (meter, manufacturer, serial, until_ms) SELECT uid, manufacturer, serial, @at FROM meter WHERE uid = @uid AND `+meterInScope,
			append(scopeArgs(s), sql.Named("at", at), sql.Named("uid", string(uid)))...)
		if err := one(res, err, registry.ErrNotFound); err != nil {
			return taken(err, registry.ErrExists)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE meter SET manufacturer = ?, serial = ? WHERE uid = ?`, manufacturer, serial, string(uid)); err != nil {
			return taken(fmt.Errorf("store the hardware of a meter: %w", err), registry.ErrExists)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked_ms = ? WHERE meter = ? AND (revoked_ms = 0 OR revoked_ms > ?)`, at, string(uid), at); err != nil {
			return fmt.Errorf("end the keys of the hardware before: %w", err)
		}
		return insertKey(ctx, tx, key)
	})
}

// Pool lists meters on the list that are nobody's.
func (c *Cloud) Pool(ctx context.Context, q registry.PoolQuery) ([]registry.Meter, error) {
	return list(ctx, c.db.Read(), scanMeter, selectMeter+`customer IS NULL AND removed_ms = 0 AND uid > @after AND (@uid = '' OR uid = @uid) AND (@make = '' OR manufacturer = @make) AND (@serial = '' OR serial = @serial)
		ORDER BY uid LIMIT @limit`, sql.Named("after", string(q.After)), sql.Named("uid", string(q.UID)), sql.Named("make", q.Make), sql.Named("serial", q.Serial), sql.Named("limit", q.Limit))
}

// HasCustomer reports whether there is a customer.
func (c *Cloud) HasCustomer(ctx context.Context, id account.CustomerID) (has bool, err error) {
	err = c.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM customer WHERE id = ?)`, string(id)).Scan(&has)
	return has, err
}
