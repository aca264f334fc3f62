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

// Periods lists the periods of the scope that reach into [from, to).
func (c *Cloud) Periods(ctx context.Context, s account.Scope, from, to logdb.Millis) ([]subscription.Period, error) {
	return list(ctx, c.db.Read(), scanPeriod, selectPeriod+inScope("customer", "meter")+` AND from_ms < @to AND (to_ms = 0 OR to_ms > @from) ORDER BY id`,
		append(scopeArgs(s), sql.Named("from", from), sql.Named("to", to))...)
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

// CustomerNames lists the customers of the scope.
func (c *Cloud) CustomerNames(ctx context.Context, s account.Scope) (map[account.CustomerID]string, error) {
	type customer struct {
		id   account.CustomerID
		name string
	}
	all, err := list(ctx, c.db.Read(), func(row interface{ Scan(...any) error }) (one customer, err error) {
		err = row.Scan(&one.id, &one.name)
		return one, err
	},
		`SELECT id, name FROM customer WHERE @all OR (@customer != '' AND id = @customer)`, scopeArgs(s)...)
	out := map[account.CustomerID]string{}
	for _, one := range all {
		out[one.id] = one.name
	}
	return out, err
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
