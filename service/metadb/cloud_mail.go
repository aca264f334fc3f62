package metadb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"

	"metermanager/service/cloud/account"
)

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
