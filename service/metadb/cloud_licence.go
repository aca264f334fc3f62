package metadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/subscription"
)

var _ subscription.Store = (*Cloud)(nil)

const selectLicence = `SELECT uid, coalesce(customer, ''), manufacturer, serial, enabled, expires_ms, removed_ms FROM meter WHERE `

func scanLicence(row interface{ Scan(...any) error }) (m subscription.Meter, err error) {
	err = row.Scan(&m.UID, &m.Customer, &m.Make, &m.Serial, &m.Enabled, &m.Expires, &m.Removed)
	return m, found(err, subscription.ErrNotFound)
}

// LicenceMeters lists the meters of the scope, removed ones too.
func (c *Cloud) LicenceMeters(ctx context.Context, s account.Scope) ([]subscription.Meter, error) {
	return list(ctx, c.db.Read(), scanLicence, selectLicence+meterInScope+` ORDER BY uid`, scopeArgs(s)...)
}

// LicenceMeter returns a meter of the scope.
func (c *Cloud) LicenceMeter(ctx context.Context, s account.Scope, uid logdb.MeterUID) (subscription.Meter, error) {
	return scanLicence(c.db.Read().QueryRowContext(ctx, selectLicence+`uid = @uid AND `+meterInScope, append(scopeArgs(s), sql.Named("uid", string(uid)))...))
}

// SetExpiration stores until when a meter is paid for.
func (c *Cloud) SetExpiration(ctx context.Context, s account.Scope, uid logdb.MeterUID, expires logdb.Millis, enabled bool) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE meter SET expires_ms = @expires, enabled = @enabled WHERE uid = @uid AND `+meterInScope,
			append(scopeArgs(s), sql.Named("expires", expires), sql.Named("enabled", enabled), sql.Named("uid", string(uid)))...)
		return one(res, err, subscription.ErrNotFound)
	})
}

const selectPeriod = `SELECT id, customer, meter, extension, from_ms, to_ms FROM licence_period WHERE `

func scanPeriod(row interface{ Scan(...any) error }) (p subscription.Period, err error) {
	err = row.Scan(&p.ID, &p.Customer, &p.Meter, &p.Extension, &p.From, &p.To)
	return p, err
}

// Periods lists the periods of a customer in the scope that reach into [from, to).
func (c *Cloud) Periods(ctx context.Context, s account.Scope, of account.CustomerID, from, to logdb.Millis) ([]subscription.Period, error) {
	return list(ctx, c.db.Read(), scanPeriod, selectPeriod+`customer = @of AND `+inScope("customer", "meter")+` AND from_ms < @to AND (to_ms = 0 OR to_ms > @from) ORDER BY id`,
		append(scopeArgs(s), sql.Named("of", string(of)), sql.Named("from", from), sql.Named("to", to))...)
}

// UsedBy lists customers of the scope by id.
func (c *Cloud) UsedBy(ctx context.Context, s account.Scope, q subscription.UsedBy) ([]subscription.CustomerName, error) {
	return list(ctx, c.db.Read(), func(row interface{ Scan(...any) error }) (one subscription.CustomerName, err error) {
		err = row.Scan(&one.ID, &one.Name)
		return one, err
	}, `SELECT id, name FROM (
		SELECT id, name FROM customer WHERE `+customerInScope+`
		UNION ALL SELECT DISTINCT customer, '' FROM licence_period
			WHERE from_ms < @to AND (to_ms = 0 OR to_ms > @from) AND NOT EXISTS (SELECT 1 FROM customer k WHERE k.id = licence_period.customer) AND `+inScope("customer", "")+`
		) AS used WHERE id >= @first AND (@only = '' OR id = @only) ORDER BY id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("from", q.From), sql.Named("to", q.To), sql.Named("first", string(q.First)), sql.Named("only", string(q.Only)), sql.Named("limit", q.Limit))...)
}

// Renewals lists meters of the scope whose date lies in [since, until).
func (c *Cloud) Renewals(ctx context.Context, s account.Scope, since, until logdb.Millis, after subscription.RenewalPlace, limit int) ([]subscription.Due, error) {
	return list(ctx, c.db.Read(), func(row interface{ Scan(...any) error }) (d subscription.Due, err error) {
		err = row.Scan(&d.UID, &d.Customer, &d.Make, &d.Serial, &d.Enabled, &d.Expires, &d.Removed, &d.CustomerName)
		return d, err
	}, `SELECT uid, customer, manufacturer, serial, enabled, expires_ms, removed_ms, coalesce((SELECT k.name FROM customer k WHERE k.id = meter.customer), '') FROM meter
		WHERE customer IS NOT NULL AND removed_ms = 0 AND expires_ms > 0 AND expires_ms >= @since AND expires_ms < @until
		AND (expires_ms > @expires OR expires_ms = @expires AND uid > @uid) AND `+meterInScope+` ORDER BY expires_ms, uid LIMIT @limit`,
		append(scopeArgs(s), sql.Named("since", since), sql.Named("until", until), sql.Named("expires", after.Expires), sql.Named("uid", string(after.Meter)), sql.Named("limit", limit))...)
}

// OpenPeriods lists the periods of meters that have no end.
func (c *Cloud) OpenPeriods(ctx context.Context) ([]subscription.Period, error) {
	return list(ctx, c.db.Read(), scanPeriod, selectPeriod+`to_ms = 0 AND meter <> '' ORDER BY id`)
}

// Settle ends periods of meters and begins others.
func (c *Cloud) Settle(ctx context.Context, end, begin []subscription.Period) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		for _, p := range end {
			if _, err := tx.ExecContext(ctx, `UPDATE licence_period SET to_ms = ? WHERE id = ? AND to_ms = 0`, p.To, p.ID); err != nil {
				return fmt.Errorf("end a period: %w", err)
			}
		}
		for _, p := range begin {
			if err := beginPeriod(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// beginPeriod begins a period, unless there is an open one already.
func beginPeriod(ctx context.Context, tx *sql.Tx, p subscription.Period) error {
	var open bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM licence_period WHERE to_ms = 0 AND ((@meter <> '' AND meter = @meter) OR (@extension <> '' AND customer = @customer AND extension = @extension)))`,
		sql.Named("meter", string(p.Meter)), sql.Named("extension", string(p.Extension)), sql.Named("customer", string(p.Customer))).Scan(&open)
	if err != nil || open {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO licence_period (customer, meter, extension, from_ms) VALUES (?, ?, ?, ?)`, string(p.Customer), string(p.Meter), string(p.Extension), p.From); err != nil {
		return fmt.Errorf("begin a period: %w", err)
	}
	return nil
}

// Extensions lists the extensions that a customer of the scope has switched on.
func (c *Cloud) Extensions(ctx context.Context, s account.Scope, customer account.CustomerID) ([]api.Extension, error) {
	return list(ctx, c.db.Read(), func(row interface{ Scan(...any) error }) (e api.Extension, err error) {
		err = row.Scan(&e)
		return e, err
	},
		`SELECT extension FROM licence_period WHERE to_ms = 0 AND extension <> '' AND customer = @of AND `+inScope("customer", "")+` ORDER BY extension`,
		append(scopeArgs(s), sql.Named("of", string(customer)))...)
}

// SwitchExtension begins or ends the period of an extension.
func (c *Cloud) SwitchExtension(ctx context.Context, s account.Scope, customer account.CustomerID, e api.Extension, on bool, at logdb.Millis) error {
	if !s.Contains(account.Resource{Customer: customer}) {
		return subscription.ErrNotFound
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		if on {
			return beginPeriod(ctx, tx, subscription.Period{Customer: customer, Extension: e, From: at})
		}
		_, err := tx.ExecContext(ctx, `UPDATE licence_period SET to_ms = @at WHERE to_ms = 0 AND extension = @extension AND customer = @of AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("at", at), sql.Named("extension", string(e)), sql.Named("of", string(customer)))...)
		return err
	})
}

// list runs a query and reads its rows.
func list[T any](ctx context.Context, db querier, scan func(interface{ Scan(...any) error }) (T, error), query string, args ...any) (out []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("run a query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read a row: %w", err)
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}
