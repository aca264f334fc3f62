package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

const insertCustomer = `INSERT INTO customer (id, name, key_hash, sealed_key, created_ms) VALUES (?, ?, ?, ?, ?)`

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
		if _, err := tx.ExecContext(ctx, insertCustomer, cu.ID, cu.Name, cu.KeyHash[:], cu.SealedKey, cu.Created); err != nil {
			return fmt.Errorf("insert the first customer: %w", err)
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

const selectCustomer = `SELECT id, name, key_hash, sealed_key, created_ms FROM customer WHERE `

func scanCustomer(row *sql.Row) (account.Customer, error) {
	var cu account.Customer
	var hash []byte
	err := row.Scan(&cu.ID, &cu.Name, &hash, &cu.SealedKey, &cu.Created)
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

// FirstCustomer returns the oldest customer.
func (c *Cloud) FirstCustomer(ctx context.Context) (account.CustomerID, error) {
	var id account.CustomerID
	err := c.db.Read().QueryRowContext(ctx, `SELECT id FROM customer ORDER BY created_ms, id LIMIT 1`).Scan(&id)
	return id, found(err, errNoCustomer)
}

func insertUser(ctx context.Context, tx *sql.Tx, u account.User) error {
	const q = `INSERT INTO user (id, customer, name, name_key, password_hash, permissions, disabled, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := tx.ExecContext(ctx, q, u.ID, u.Customer, u.Name, strings.ToLower(u.Name), u.PasswordHash, u.Permissions.String(), u.Disabled, u.Created)
	if err != nil {
		return taken(fmt.Errorf("insert a user: %w", err), account.ErrExists)
	}
	return nil
}

const selectUser = `SELECT id, customer, name, password_hash, permissions, disabled, created_ms FROM user WHERE `

func scanUser(row *sql.Row) (account.User, error) {
	var u account.User
	var perms string
	if err := row.Scan(&u.ID, &u.Customer, &u.Name, &u.PasswordHash, &perms, &u.Disabled, &u.Created); err != nil {
		return account.User{}, found(err, account.ErrNotFound)
	}
	var err error
	if u.Permissions, err = permission.Parse(perms); err != nil {
		return account.User{}, fmt.Errorf("read the permissions of user %s: %w", u.ID, err)
	}
	return u, nil
}

// UserByName finds a user for a login; upper and lower case do not matter.
func (c *Cloud) UserByName(ctx context.Context, name string) (account.User, error) {
	return scanUser(c.db.Read().QueryRowContext(ctx, selectUser+`name_key = ?`, strings.ToLower(name)))
}

// User returns the user of a session.
func (c *Cloud) User(ctx context.Context, id account.UserID) (account.User, error) {
	return scanUser(c.db.Read().QueryRowContext(ctx, selectUser+`id = ?`, string(id)))
}

// CreateUser stores a user of the scope's customer.
func (c *Cloud) CreateUser(ctx context.Context, s account.Scope, u account.User) error {
	if !s.Contains(account.Resource{Customer: u.Customer}) {
		return account.ErrNotFound
	}
	return c.write(ctx, func(tx *sql.Tx) error { return insertUser(ctx, tx, u) })
}

// SetPassword stores another password hash.
func (c *Cloud) SetPassword(ctx context.Context, s account.Scope, id account.UserID, hash []byte) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET password_hash = @hash WHERE id = @id AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("hash", hash), sql.Named("id", string(id)))...)
		return one(res, err, account.ErrNotFound)
	})
}

// SetDisabled keeps a user out, ending their sessions, or lets them in again.
func (c *Cloud) SetDisabled(ctx context.Context, s account.Scope, id account.UserID, disabled bool) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET disabled = @disabled WHERE id = @id AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("disabled", disabled), sql.Named("id", string(id)))...)
		if err := one(res, err, account.ErrNotFound); err != nil || !disabled {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE user = ?`, string(id)); err != nil {
			return fmt.Errorf("end the sessions of a user: %w", err)
		}
		return nil
	})
}
