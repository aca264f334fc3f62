package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/logdb"
	"metermanager/service/cloud/account"
)

// CreateSession stores a login.
func (c *Cloud) CreateSession(ctx context.Context, ses account.Session) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		const q = `INSERT INTO session (token, user, created_ms, expires_ms, last_used_ms) VALUES (?, ?, ?, ?, ?)`
		if _, err := tx.ExecContext(ctx, q, ses.Token[:], ses.User, ses.Created, ses.Expires, ses.LastUsed); err != nil {
			return fmt.Errorf("insert a session: %w", err)
		}
		return nil
	})
}

// Session finds a login by the hash of its token.
func (c *Cloud) Session(ctx context.Context, token account.Hash) (account.Session, error) {
	ses := account.Session{Token: token}
	const q = `SELECT user, created_ms, expires_ms, last_used_ms FROM session WHERE token = ?`
	err := c.db.ReadRow(ctx, q, token[:]).Scan(&ses.User, &ses.Created, &ses.Expires, &ses.LastUsed)
	return ses, found(err, account.ErrNotFound)
}

// TouchSession notes that a session was used.
func (c *Cloud) TouchSession(ctx context.Context, token account.Hash, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE session SET last_used_ms = ? WHERE token = ?`, at, token[:])
		return err
	})
}

// DeleteSession ends a login.
func (c *Cloud) DeleteSession(ctx context.Context, token account.Hash) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM session WHERE token = ?`, token[:])
		return one(res, err, account.ErrNotFound)
	})
}

// DropSessions removes sessions that have ended.
func (c *Cloud) DropSessions(ctx context.Context, now, idleSince logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE expires_ms <= ? OR last_used_ms < ?`, now, idleSince)
		return err
	})
}
