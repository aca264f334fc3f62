package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/service/cloud/account"
)

// Customers lists those of the scope by id.
func (c *Cloud) Customers(ctx context.Context, s account.Scope, after account.CustomerID, limit int) (out []account.Customer, err error) {
	rows, err := c.db.Read().QueryContext(ctx, selectCustomer+`id > @after AND (@all OR id = @customer) ORDER BY id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("after", string(after)), sql.Named("limit", limit))...)
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		cu, err := scanCustomer(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, cu)
	}
	return out, rows.Err()
}

// Found stores a customer with its first user, its owner.
func (c *Cloud) Found(ctx context.Context, cu account.Customer, u account.User) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		if err := insertCustomer(ctx, tx, cu); err != nil {
			return err
		}
		return insertUser(ctx, tx, u)
	})
}

// customerInScope is the condition on the table of customers.
const customerInScope = "(@all OR (@customer != '' AND id = @customer))"

// changeCustomer runs one statement on a customer of the scope.
func (c *Cloud) changeCustomer(ctx context.Context, s account.Scope, id account.CustomerID, set string, args ...any) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE customer SET `+set+` WHERE id = @id AND `+customerInScope, append(append(scopeArgs(s), sql.Named("id", string(id))), args...)...)
		return one(res, err, account.ErrNotFound)
	})
}

// UpdateCustomer stores what is said of a customer.
func (c *Cloud) UpdateCustomer(ctx context.Context, s account.Scope, cu account.Customer) error {
	return c.changeCustomer(ctx, s, cu.ID, `name = @name, contact_first = @first, contact_last = @last, contact_email = @email, contact_phone = @phone, address = @address`,
		sql.Named("name", cu.Name), sql.Named("first", cu.Contact.First), sql.Named("last", cu.Contact.Last), sql.Named("email", cu.Contact.Email),
		sql.Named("phone", cu.Contact.Phone), sql.Named("address", cu.Contact.Address))
}

// SetCustomerKey replaces the key of a customer.
func (c *Cloud) SetCustomerKey(ctx context.Context, s account.Scope, id account.CustomerID, h account.Hash, sealed []byte) error {
	return c.changeCustomer(ctx, s, id, `key_hash = @hash, sealed_key = @sealed`, sql.Named("hash", h[:]), sql.Named("sealed", sealed))
}

// Billing returns what the invoices of a customer say.
func (c *Cloud) Billing(ctx context.Context, s account.Scope, id account.CustomerID) (text string, err error) {
	err = c.db.Read().QueryRowContext(ctx, `SELECT billing FROM customer WHERE id = @id AND `+customerInScope, append(scopeArgs(s), sql.Named("id", string(id)))...).Scan(&text)
	return text, found(err, account.ErrNotFound)
}

// SetBilling stores what the invoices of a customer say.
func (c *Cloud) SetBilling(ctx context.Context, s account.Scope, id account.CustomerID, text string) error {
	return c.changeCustomer(ctx, s, id, `billing = @billing`, sql.Named("billing", text))
}

// SetOwner makes another user of the customer its owner.
func (c *Cloud) SetOwner(ctx context.Context, s account.Scope, id account.CustomerID, from, to account.UserID, as account.RoleID) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE customer SET owner = @to WHERE id = @id AND owner = @from
			AND EXISTS (SELECT 1 FROM user WHERE user.id = @to AND user.customer = @id AND user.disabled = 0 AND user.banned_ms = 0) AND `+customerInScope,
			append(scopeArgs(s), sql.Named("id", string(id)), sql.Named("from", string(from)), sql.Named("to", string(to)))...)
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		// The owner is bound to no facilities.
		if _, err := tx.ExecContext(ctx, `UPDATE user SET by_facility = 0 WHERE id = ?`, string(to)); err != nil {
			return fmt.Errorf("free the owner of facilities: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO user_role (user, role) SELECT id, ? FROM user WHERE id = ? ON CONFLICT (user, role) DO NOTHING`, string(as), string(from)); err != nil {
			return fmt.Errorf("keep a role of the owner before: %w", err)
		}
		return nil
	})
}

// DeleteCustomer removes a customer. Its users belong to none then, and its meters wait in the pool with the data that are its.
func (c *Cloud) DeleteCustomer(ctx context.Context, s account.Scope, id account.CustomerID, letters account.Letters) error {
	return c.writeAdmins(ctx, func(tx *sql.Tx) error {
		var owned bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM customer WHERE id = @id AND `+customerInScope+`)`, append(scopeArgs(s), sql.Named("id", string(id)))...).Scan(&owned); err != nil {
			return fmt.Errorf("look for a customer: %w", err)
		}
		if !owned {
			return account.ErrNotFound
		}
		for _, q := range []string{
			`DELETE FROM session WHERE user IN (SELECT id FROM user WHERE customer = @id)`,
			`DELETE FROM user_role WHERE user IN (SELECT id FROM user WHERE customer = @id)`,
			`DELETE FROM user_facility WHERE user IN (SELECT id FROM user WHERE customer = @id)`,
			`UPDATE user SET customer = NULL, permissions = '', by_facility = 0 WHERE customer = @id`,
			`UPDATE user SET applied = NULL, applied_ms = 0 WHERE applied = @id`,
			// Meters go on uploading with their own keys; all others end, so that none reads for the next customer.
			`DELETE FROM api_key WHERE customer = @id AND (meter = '' OR created_by <> '' OR permissions <> 'upload')`,
			`UPDATE api_key SET customer = NULL WHERE customer = @id`,
			`UPDATE meter SET customer = NULL, facility = '', former = @id WHERE customer = @id`,
			`DELETE FROM customer WHERE id = @id`, // with facilities, roles and invitations
		} {
			if _, err := tx.ExecContext(ctx, q, sql.Named("id", string(id))); err != nil {
				return fmt.Errorf("delete a customer: %w", err)
			}
		}
		return c.post(ctx, tx, letters)
	})
}
