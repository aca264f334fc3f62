package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

func insertKey(ctx context.Context, tx *sql.Tx, k account.Key) error {
	const q = `INSERT INTO api_key (id, customer, name, hash, permissions, meter, created_by, maker, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := tx.ExecContext(ctx, q, k.ID, nobody(k.Customer), k.Name, k.Hash[:], k.Permissions.String(), string(k.Meter), k.CreatedBy, string(k.Maker), k.Created)
	if err != nil {
		return taken(fmt.Errorf("insert a key: %w", err), account.ErrExists)
	}
	return nil
}

// CreateKey stores a key of the scope's customer.
func (c *Cloud) CreateKey(ctx context.Context, s account.Scope, k account.Key) error {
	if !s.Contains(account.Resource{Customer: k.Customer, Meter: k.Meter}) {
		return account.ErrNotFound
	}
	return c.write(ctx, func(tx *sql.Tx) error { return insertKey(ctx, tx, k) })
}

const selectKey = `SELECT id, coalesce(customer, ''), name, hash, permissions, meter, created_by, maker, created_ms, last_used_ms, revoked_ms FROM api_key WHERE `

func scanKey(row interface{ Scan(...any) error }) (account.Key, error) {
	var k account.Key
	var hash []byte
	var perms string
	err := row.Scan(&k.ID, &k.Customer, &k.Name, &hash, &perms, &k.Meter, &k.CreatedBy, &k.Maker, &k.Created, &k.LastUsed, &k.Revoked)
	if err != nil {
		return account.Key{}, found(err, account.ErrNotFound)
	}
	copy(k.Hash[:], hash)
	if k.Permissions, err = permission.Parse(perms); err != nil {
		return account.Key{}, fmt.Errorf("read the permissions of key %s: %w", k.ID, err)
	}
	return k, nil
}

// KeyByHash finds a key by the hash of its secret, revoked or not.
func (c *Cloud) KeyByHash(ctx context.Context, h account.Hash) (account.Key, error) {
	return scanKey(c.db.ReadRow(ctx, selectKey+`hash = ?`, h[:]))
}

// Key returns a key of the scope, ended or not.
func (c *Cloud) Key(ctx context.Context, s account.Scope, id account.KeyID) (account.Key, error) {
	return scanKey(c.db.Read().QueryRowContext(ctx, selectKey+`id = @id AND `+inScope("customer", "meter"), append(scopeArgs(s), sql.Named("id", string(id)))...))
}

// Keys lists so many keys of the scope that have not ended, the oldest first, behind a place.
func (c *Cloud) Keys(ctx context.Context, s account.Scope, now logdb.Millis, after account.KeyPlace, limit int) ([]account.Key, error) {
	return list(ctx, c.db.Read(), scanKey, selectKey+`(revoked_ms = 0 OR revoked_ms > @now) AND (created_ms > @created OR created_ms = @created AND id > @id) AND `+
		inScope("customer", "meter")+` ORDER BY created_ms, id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("now", now), sql.Named("created", after.Created), sql.Named("id", string(after.ID)), sql.Named("limit", limit))...)
}

// TouchKey notes that a key was used.
func (c *Cloud) TouchKey(ctx context.Context, id account.KeyID, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE api_key SET last_used_ms = ? WHERE id = ?`, at, string(id))
		return err
	})
}

// RevokeKey ends a key of the scope.
func (c *Cloud) RevokeKey(ctx context.Context, s account.Scope, id account.KeyID, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked_ms = @at WHERE id = @id AND (revoked_ms = 0 OR revoked_ms > @at) AND `+inScope("customer", "meter"),
			append(scopeArgs(s), sql.Named("at", at), sql.Named("id", string(id)))...)
		return one(res, err, account.ErrNotFound)
	})
}

// ReplaceKey stores k and ends another key of the scope at a time, as account.Store says.
func (c *Cloud) ReplaceKey(ctx context.Context, s account.Scope, old account.KeyID, ends logdb.Millis, k account.Key, own bool) error {
	if !s.Contains(account.Resource{Customer: k.Customer, Meter: k.Meter}) {
		return account.ErrNotFound
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		successor := ""
		if own {
			if err := endUnused(ctx, tx, old, k.Created); err != nil {
				return err
			}
			successor = string(k.ID)
		}
		res, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked_ms = @ends, replaced_by = @by WHERE id = @id AND (revoked_ms = 0 OR revoked_ms >= @ends) AND `+inScope("customer", "meter"),
			append(scopeArgs(s), sql.Named("ends", ends), sql.Named("by", successor), sql.Named("id", string(old)))...)
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		return insertKey(ctx, tx, k)
	})
}

// endUnused ends the key by which one that is ending replaced itself before. That must not have been used.
func endUnused(ctx context.Context, tx *sql.Tx, id account.KeyID, at logdb.Millis) error {
	var ending logdb.Millis
	var successor string
	err := tx.QueryRowContext(ctx, `SELECT revoked_ms, replaced_by FROM api_key WHERE id = ?`, string(id)).Scan(&ending, &successor)
	if err != nil {
		return found(fmt.Errorf("read a key: %w", err), account.ErrNotFound)
	}
	if ending == 0 {
		return nil
	}
	res, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked_ms = ? WHERE id = ? AND last_used_ms = 0 AND (revoked_ms = 0 OR revoked_ms > ?)`, at, successor, at)
	return one(res, err, account.ErrExists)
}
