package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/service/cloud/account"
)

func insertCustomer(ctx context.Context, tx *sql.Tx, cu account.Customer) error {
	const q = `INSERT INTO customer (id, name, owner, key_hash, sealed_key, created_ms, contact_first, contact_last, contact_email, contact_phone, address)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := tx.ExecContext(ctx, q, cu.ID, cu.Name, cu.Owner, cu.KeyHash[:], cu.SealedKey, cu.Created, cu.Contact.First, cu.Contact.Last, cu.Contact.Email, cu.Contact.Phone, cu.Contact.Address)
	if err != nil {
		return taken(fmt.Errorf("insert a customer: %w", err), account.ErrExists)
	}
	return nil
}

// Bootstrap creates the first customer with its user and keys.
func (c *Cloud) Bootstrap(ctx context.Context, cu account.Customer, u account.User, keys []account.Key) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		var users int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM user`).Scan(&users); err != nil {
			return fmt.Errorf("count users: %w", err)
		}
		if users > 0 {
			return account.ErrExists
		}
		if err := insertCustomer(ctx, tx, cu); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE customer SET home = 1 WHERE id = ?`, string(cu.ID)); err != nil {
			return fmt.Errorf("note whose node it is: %w", err)
		}
		if err := insertUser(ctx, tx, u); err != nil {
			return err
		}
		for _, k := range keys {
			if err := insertKey(ctx, tx, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// HasUsers reports whether anybody can log in.
func (c *Cloud) HasUsers(ctx context.Context) (bool, error) {
	var has bool
	if err := c.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM user)`).Scan(&has); err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return has, nil
}

const selectCustomer = `SELECT id, name, owner, key_hash, sealed_key, created_ms, contact_first, contact_last, contact_email, contact_phone, address FROM customer WHERE `

func scanCustomer(row interface{ Scan(...any) error }) (account.Customer, error) {
	var cu account.Customer
	var hash []byte
	err := row.Scan(&cu.ID, &cu.Name, &cu.Owner, &hash, &cu.SealedKey, &cu.Created, &cu.Contact.First, &cu.Contact.Last, &cu.Contact.Email, &cu.Contact.Phone, &cu.Contact.Address)
	copy(cu.KeyHash[:], hash)
	return cu, found(err, account.ErrNotFound)
}

// Customer returns a customer of the scope.
func (c *Cloud) Customer(ctx context.Context, s account.Scope, id account.CustomerID) (account.Customer, error) {
	q := selectCustomer + `id = @id AND (@all OR (@customer != '' AND id = @customer))`
	return scanCustomer(c.db.Read().QueryRowContext(ctx, q, append(scopeArgs(s), sql.Named("id", string(id)))...))
}

// CustomerByKey finds a customer by the hash of its key.
func (c *Cloud) CustomerByKey(ctx context.Context, h account.Hash) (account.Customer, error) {
	return scanCustomer(c.db.Read().QueryRowContext(ctx, selectCustomer+`key_hash = ?`, h[:]))
}

// FirstCustomer returns the customer that runs the node: the one of the set-up.
func (c *Cloud) FirstCustomer(ctx context.Context) (account.CustomerID, error) {
	var id account.CustomerID
	err := c.db.Read().QueryRowContext(ctx, `SELECT id FROM customer WHERE home = 1`).Scan(&id)
	return id, found(err, errNoCustomer)
}
