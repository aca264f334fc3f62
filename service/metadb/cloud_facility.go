package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/service/cloud/account"
)

// facilityInScope is the condition that every statement on facilities carries.
const facilityInScope = "(@all OR (@meter = '' AND @customer != '' AND customer = @customer)) AND (@limited = '' OR id IN (SELECT facility FROM user_facility WHERE user = @limited))"

const selectFacility = `SELECT id, customer, name, address, created_ms FROM facility WHERE `

func scanFacility(row interface{ Scan(...any) error }) (account.Facility, error) {
	var f account.Facility
	err := row.Scan(&f.ID, &f.Customer, &f.Name, &f.Address, &f.Created)
	return f, found(err, account.ErrNoFacility)
}

// Facilities lists those of the scope by id.
func (c *Cloud) Facilities(ctx context.Context, s account.Scope, after account.FacilityID, limit int) (out []account.Facility, err error) {
	rows, err := c.db.Read().QueryContext(ctx, selectFacility+`id > @after AND `+facilityInScope+` ORDER BY id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("after", string(after)), sql.Named("limit", limit))...)
	if err != nil {
		return nil, fmt.Errorf("list facilities: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		f, err := scanFacility(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// Facility returns a facility of the scope.
func (c *Cloud) Facility(ctx context.Context, s account.Scope, id account.FacilityID) (account.Facility, error) {
	return scanFacility(c.db.Read().QueryRowContext(ctx, selectFacility+`id = @id AND `+facilityInScope, append(scopeArgs(s), sql.Named("id", string(id)))...))
}

// CreateFacility stores a facility of the scope's customer.
func (c *Cloud) CreateFacility(ctx context.Context, s account.Scope, f account.Facility) error {
	if !s.Contains(account.Resource{Customer: f.Customer}) {
		return account.ErrNotFound
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO facility (id, customer, name, address, created_ms) VALUES (?, ?, ?, ?, ?)`, string(f.ID), string(f.Customer), f.Name, f.Address, f.Created)
		if err != nil {
			return taken(fmt.Errorf("insert a facility: %w", err), account.ErrExists)
		}
		return nil
	})
}

// UpdateFacility stores name and address of a facility of the scope.
func (c *Cloud) UpdateFacility(ctx context.Context, s account.Scope, f account.Facility) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE facility SET name = @name, address = @address WHERE id = @id AND `+facilityInScope,
			append(scopeArgs(s), sql.Named("id", string(f.ID)), sql.Named("name", f.Name), sql.Named("address", f.Address))...)
		return one(res, err, account.ErrNoFacility)
	})
}

// DeleteFacility removes a facility of the scope, from users and meters too.
func (c *Cloud) DeleteFacility(ctx context.Context, s account.Scope, id account.FacilityID) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM facility WHERE id = @id AND `+facilityInScope, append(scopeArgs(s), sql.Named("id", string(id)))...)
		if err := one(res, err, account.ErrNoFacility); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE meter SET facility = '' WHERE facility = ?`, string(id)); err != nil {
			return fmt.Errorf("take the meters from a facility: %w", err)
		}
		return nil
	})
}
