package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"metermanager/service/cloud/audit"
	"metermanager/service/cloud/audit/export"
)

var _ export.Store = (*Cloud)(nil)

// Exports lists the targets of the audit.
func (c *Cloud) Exports(ctx context.Context) ([]export.Target, error) {
	return list(ctx, c.db.Read(), func(row interface{ Scan(...any) error }) (t export.Target, err error) {
		err = row.Scan(&t.Name, &t.URL, &t.Format, &t.View, &t.CA, &t.Fingerprint, &t.Position)
		return t, err
	}, `SELECT name, url, format, view, ca, fingerprint, position FROM audit_export ORDER BY name`)
}

// PutExport stores a target.
func (c *Cloud) PutExport(ctx context.Context, t export.Target) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_export (name, url, format, view, ca, fingerprint, position) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			t.Name, t.URL, t.Format, t.View, t.CA, t.Fingerprint, t.Position)
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

// MoveExport notes how far a target has come.
func (c *Cloud) MoveExport(ctx context.Context, name string, position int64) error {
	return c.write(audit.Quiet(ctx), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE audit_export SET position = ? WHERE name = ?`, position, name)
		return err
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
