package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/logdb"
	"metermanager/service/cloud/account"
)

// Wish notes that somebody forgot the password of a name.
func (c *Cloud) Wish(ctx context.Context, name string, at logdb.Millis, limit int) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO reset_wish (name, at_ms) SELECT ?1, ?2 WHERE (SELECT count(*) FROM reset_wish) < ?3`, name, at, limit)
		return one(res, err, account.ErrFull)
	})
}

// Wishes lists the oldest wishes.
func (c *Cloud) Wishes(ctx context.Context, limit int) (out []account.Wish, err error) {
	var any bool
	if err := c.db.ReadRow(ctx, `SELECT EXISTS (SELECT 1 FROM reset_wish)`).Scan(&any); err != nil || !any {
		return nil, err // they are asked for every few seconds
	}
	rows, err := c.db.Read().QueryContext(ctx, `SELECT id, name, at_ms FROM reset_wish ORDER BY id LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list wishes: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var w account.Wish
		if err := rows.Scan(&w.ID, &w.Name, &w.At); err != nil {
			return nil, fmt.Errorf("read a wish: %w", err)
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

func insertReset(ctx context.Context, tx *sql.Tx, r account.Reset) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO password_reset (token, user, created_ms, expires_ms) VALUES (?, ?, ?, ?)`, r.Token[:], string(r.User), r.Created, r.Expires); err != nil {
		return fmt.Errorf("insert a link: %w", err)
	}
	return nil
}

// Grant ends a wish, with the link that it leads to.
func (c *Cloud) Grant(ctx context.Context, wish int64, r *account.Reset, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM reset_wish WHERE id = ?`, wish); err != nil {
			return fmt.Errorf("end a wish: %w", err)
		}
		if r == nil {
			return nil
		}
		if err := insertReset(ctx, tx, *r); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}

// PutReset stores a link that an administrator asked for, in place of the password and the sessions.
func (c *Cloud) PutReset(ctx context.Context, r account.Reset, hash []byte, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		if err := setPassword(ctx, tx, r.User, hash, account.Hash{}); err != nil {
			return err
		}
		if err := insertReset(ctx, tx, r); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}

// Reset finds a link.
func (c *Cloud) Reset(ctx context.Context, token account.Hash) (account.Reset, error) {
	r := account.Reset{Token: token}
	err := c.db.Read().QueryRowContext(ctx, `SELECT user, created_ms, expires_ms FROM password_reset WHERE token = ?`, token[:]).Scan(&r.User, &r.Created, &r.Expires)
	return r, found(err, account.ErrNotFound)
}

// ResetPassword uses a link up.
func (c *Cloud) ResetPassword(ctx context.Context, r account.Reset, hash []byte, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM password_reset WHERE token = ?`, r.Token[:])
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		if err := setPassword(ctx, tx, r.User, hash, account.Hash{}); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}
