package metadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"metermanager/service/cloud/audit"
	"metermanager/service/cloud/audit/export"
)

var _ export.Store = (*Cloud)(nil)

// Exports lists the targets of the audit.
func (c *Cloud) Exports(ctx context.Context) ([]export.Target, error) {
	return list(ctx, c.db.Read(), func(row interface{ Scan(...any) error }) (t export.Target, err error) {
		err = row.Scan(&t.Name, &t.ID, &t.URL, &t.Format, &t.View, &t.CA, &t.Fingerprint, &t.Position, &t.Holder)
		return t, err
	}, `SELECT name, id, url, format, view, ca, fingerprint, position, holder FROM audit_export ORDER BY name`)
}

// PutExport stores a target.
func (c *Cloud) PutExport(ctx context.Context, t export.Target) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_export (name, id, url, format, view, ca, fingerprint, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			t.Name, t.ID, t.URL, t.Format, t.View, t.CA, t.Fingerprint, t.Position)
		return taken(err, export.ErrExists)
	})
}

// DeleteExport forgets a target.
func (c *Cloud) DeleteExport(ctx context.Context, name string) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM audit_export WHERE name = ?`, name)
		return err
	})
}

// HoldExport has a node serve a target until a time, unless another one does.
func (c *Cloud) HoldExport(ctx context.Context, t export.Target, holder string, now, until time.Time) (held bool, err error) {
	err = c.write(audit.Quiet(ctx), func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE audit_export SET holder = @holder, held_until_ms = @until WHERE name = @name AND id = @id AND (holder = @holder OR holder = '' OR held_until_ms <= @now)`,
			sql.Named("holder", holder), sql.Named("until", until.UnixMilli()), sql.Named("name", t.Name), sql.Named("id", t.ID), sql.Named("now", now.UnixMilli()))
		if err = one(res, err, export.ErrNotHeld); errors.Is(err, export.ErrNotHeld) {
			return nil
		}
		held = err == nil
		return err
	})
	return held && err == nil, err
}

// LetExports lets go of all targets that a node holds.
func (c *Cloud) LetExports(ctx context.Context, holder string) error {
	return c.write(audit.Quiet(ctx), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE audit_export SET holder = '', held_until_ms = 0 WHERE holder = ?`, holder)
		return err
	})
}

// MoveExport notes how far a target has come; it never goes back.
func (c *Cloud) MoveExport(ctx context.Context, t export.Target, holder string, position int64) error {
	return c.write(audit.Quiet(ctx), func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE audit_export SET position = ? WHERE name = ? AND id = ? AND holder = ? AND position <= ?`, position, t.Name, t.ID, holder, position)
		return one(res, err, export.ErrNotHeld)
	})
}

// AuditAfter returns the events behind a number, oldest first.
func (c *Cloud) AuditAfter(ctx context.Context, seq int64, limit int) (out []audit.Event, err error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT "+auditColumns+" FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return nil, fmt.Errorf("read an audit event: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// AuditLast returns the number of the newest event.
func (c *Cloud) AuditLast(ctx context.Context) (seq int64, err error) {
	if err := c.db.Read().QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM audit").Scan(&seq); err != nil {
		return 0, fmt.Errorf("find the end of the audit: %w", err)
	}
	return seq, nil
}
