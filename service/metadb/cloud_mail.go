package metadb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/notify"
)

var _ notify.Store = (*Cloud)(nil)

// The states of a mail.
const (
	mailWaiting = "waiting"
	mailSent    = "sent"
	mailFailed  = "failed"
)

// post puts letters into the box from which they are sent, in the transaction of what they tell.
func (c *Cloud) post(ctx context.Context, tx *sql.Tx, letters account.Letters) error {
	for _, l := range letters {
		var id [10]byte
		rand.Read(id[:])
		_, err := tx.ExecContext(ctx, `INSERT INTO mail (id, customer, kind, recipient, subject, body, created_ms, due_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			hex.EncodeToString(id[:]), string(l.Customer), string(l.Kind), l.To, l.Subject, l.Sealed, l.Written, l.Written, mailWaiting)
		if err != nil {
			return fmt.Errorf("insert a mail: %w", err)
		}
	}
	return nil
}

// DueMails lists the mails that wait and are due, the oldest first.
func (c *Cloud) DueMails(ctx context.Context, now logdb.Millis, limit int) (out []notify.Mail, err error) {
	rows, err := c.db.Read().QueryContext(ctx, `SELECT id, kind, recipient, subject, body, created_ms, tries FROM mail WHERE state = 'waiting' AND due_ms <= ? ORDER BY due_ms, id LIMIT ?`, now, limit)
	if err != nil {
		return nil, fmt.Errorf("list mails that are due: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var m notify.Mail
		if err := rows.Scan(&m.ID, &m.Kind, &m.To, &m.Subject, &m.Sealed, &m.Created, &m.Tries); err != nil {
			return nil, fmt.Errorf("read a mail: %w", err)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// MailSent notes that a mail was sent, and takes its text away.
func (c *Cloud) MailSent(ctx context.Context, id string, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE mail SET state = ?, body = x'', trouble = '', tries = tries + 1, ended_ms = ? WHERE id = ?`, mailSent, at, id)
		return err
	})
}

// MailLater notes a try that failed.
func (c *Cloud) MailLater(ctx context.Context, id string, due logdb.Millis, trouble string, failed bool) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		q, args := `UPDATE mail SET due_ms = ?, trouble = ?, tries = tries + 1 WHERE id = ?`, []any{due, trouble, id}
		if failed {
			q, args = `UPDATE mail SET state = ?, body = x'', ended_ms = ?, trouble = ?, tries = tries + 1 WHERE id = ?`, []any{mailFailed, due, trouble, id}
		}
		_, err := tx.ExecContext(ctx, q, args...)
		return err
	})
}

// DropMails removes mails that ended before.
func (c *Cloud) DropMails(ctx context.Context, before logdb.Millis) error {
	var any bool
	if err := c.db.ReadRow(ctx, `SELECT EXISTS (SELECT 1 FROM mail WHERE state <> 'waiting' AND ended_ms < ?)`, before).Scan(&any); err != nil || !any {
		return err // looking costs no write
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM mail WHERE state <> 'waiting' AND ended_ms < ?`, before)
		return err
	})
}

// Mails lists mails without their texts, the newest first.
func (c *Cloud) Mails(ctx context.Context, state string, limit int) (out []api.MailState, err error) {
	rows, err := c.db.Read().QueryContext(ctx, `SELECT id, customer, kind, recipient, subject, created_ms, due_ms, tries, state, trouble, ended_ms FROM mail
		WHERE (?1 = '' OR state = ?1) ORDER BY created_ms DESC, id LIMIT ?2`, state, limit)
	if err != nil {
		return nil, fmt.Errorf("list mails: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var m api.MailState
		if err := rows.Scan(&m.ID, &m.CustUID, &m.Kind, &m.To, &m.Subject, &m.Created, &m.Due, &m.Tries, &m.State, &m.Trouble, &m.Ended); err != nil {
			return nil, fmt.Errorf("read a mail: %w", err)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}
