package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// Roles lists the roles that people made for a customer, for the whole node with "".
func (c *Cloud) Roles(ctx context.Context, of account.CustomerID) (out []account.Role, err error) {
	rows, err := c.db.Read().QueryContext(ctx, `SELECT id, coalesce(customer, ''), name, permissions, created_ms FROM role WHERE coalesce(customer, '') = ? ORDER BY name, id`, string(of))
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var r account.Role
		var perms string
		if err := rows.Scan(&r.ID, &r.Customer, &r.Name, &perms, &r.Created); err != nil {
			return nil, fmt.Errorf("read a role: %w", err)
		}
		if r.Permissions, err = permission.Parse(perms); err != nil {
			return nil, fmt.Errorf("read the permissions of role %s: %w", r.ID, err)
		}
		r.System = r.Customer == ""
		out = append(out, r)
	}
	return out, rows.Err()
}

// PutRole stores a role, new or changed; the customer of one that exists stays.
func (c *Cloud) PutRole(ctx context.Context, r account.Role) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO role (id, customer, name, permissions, created_ms) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, permissions = excluded.permissions WHERE coalesce(role.customer, '') = coalesce(excluded.customer, '')`,
			string(r.ID), nobody(r.Customer), r.Name, r.Permissions.String(), r.Created)
		return one(res, err, account.ErrNotFound)
	})
}

// DeleteRole removes a role, and takes it from who has it.
func (c *Cloud) DeleteRole(ctx context.Context, of account.CustomerID, id account.RoleID) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM role WHERE id = ? AND coalesce(customer, '') = ?`, string(id), string(of))
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM user_role WHERE role = ?`, string(id)); err != nil {
			return fmt.Errorf("take a role from its users: %w", err)
		}
		return nil
	})
}
