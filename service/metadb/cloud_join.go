package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"metermanager/logdb"
	"metermanager/service/cloud/account"
)

// AddUser stores a user of no customer, or one that an invitation lets in.
func (c *Cloud) AddUser(ctx context.Context, u account.User, invitation account.InvitationID, at logdb.Millis, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		if invitation != "" {
			if err := useInvitation(ctx, tx, u, invitation, at); err != nil {
				return err
			}
		}
		if err := insertUser(ctx, tx, u); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}

func useInvitation(ctx context.Context, tx *sql.Tx, u account.User, invitation account.InvitationID, at logdb.Millis) error {
	res, err := tx.ExecContext(ctx, `UPDATE invitation SET used_ms = ? WHERE id = ? AND customer = ? AND used_ms = 0 AND expires_ms > ?`, at, string(invitation), string(u.Customer), at)
	return one(res, err, account.ErrNotFound)
}

// Accept lets a user of no customer in with an invitation.
func (c *Cloud) Accept(ctx context.Context, u account.User, invitation account.InvitationID, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		if err := useInvitation(ctx, tx, u, invitation, at); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE user SET customer = ?, applied = NULL, applied_ms = 0, by_facility = ? WHERE id = ? AND customer IS NULL`, string(u.Customer), u.ByFacility, string(u.ID))
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		return putAccess(ctx, tx, u)
	})
}

// Apply has a user of no customer wait for one.
func (c *Cloud) Apply(ctx context.Context, id account.UserID, cu account.CustomerID, at logdb.Millis, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET applied = ?, applied_ms = ? WHERE id = ? AND customer IS NULL`, string(cu), at, string(id))
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}

// pendingInScope is the condition on users who wait: only the customer that they wait for sees them.
const pendingInScope = "user.customer IS NULL AND user.applied IS NOT NULL AND (@all OR (@meter = '' AND @limited = '' AND @customer != '' AND user.applied = @customer))"

// Pending lists who waits for a customer of the scope.
func (c *Cloud) Pending(ctx context.Context, s account.Scope, after account.UserID, limit int) ([]account.User, error) {
	return c.users(ctx, `user.id > @after AND `+pendingInScope+` ORDER BY user.id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("after", string(after)), sql.Named("limit", limit))...)
}

// PendingUser returns one who waits for a customer of the scope.
func (c *Cloud) PendingUser(ctx context.Context, s account.Scope, id account.UserID) (account.User, error) {
	return c.oneUser(ctx, `user.id = @id AND `+pendingInScope, append(scopeArgs(s), sql.Named("id", string(id)))...)
}

// Admit lets a user who waits in, or with no customer turns them away.
func (c *Cloud) Admit(ctx context.Context, s account.Scope, u account.User, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET customer = @to, applied = NULL, applied_ms = 0, by_facility = @by WHERE id = @id AND (@to IS NULL OR applied = @to) AND `+pendingInScope,
			append(scopeArgs(s), sql.Named("to", nobody(u.Customer)), sql.Named("by", u.ByFacility), sql.Named("id", string(u.ID)))...)
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		if err := putAccess(ctx, tx, u); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}

// Invite stores an invitation with its letter.
func (c *Cloud) Invite(ctx context.Context, i account.Invitation, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO invitation (id, customer, email, token, roles, by_facility, facilities, invited_by, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			string(i.ID), string(i.Customer), i.Email, i.Token[:], joined(i.Roles), i.ByFacility, joined(i.Facilities), i.InvitedBy, i.Created, i.Expires)
		if err != nil {
			return fmt.Errorf("insert an invitation: %w", err)
		}
		return c.post(ctx, tx, letters)
	})
}

func joined[T ~string](ids []T) string {
	var text []string
	for _, id := range ids {
		text = append(text, string(id))
	}
	return strings.Join(text, ",")
}

func split[T ~string](text string) (out []T) {
	for part := range strings.SplitSeq(text, ",") {
		if part != "" {
			out = append(out, T(part))
		}
	}
	return out
}

const selectInvitation = `SELECT id, customer, email, token, roles, by_facility, facilities, invited_by, created_ms, expires_ms, used_ms FROM invitation WHERE `

func scanInvitation(row interface{ Scan(...any) error }) (account.Invitation, error) {
	var i account.Invitation
	var token []byte
	var roles, facilities string
	err := row.Scan(&i.ID, &i.Customer, &i.Email, &token, &roles, &i.ByFacility, &facilities, &i.InvitedBy, &i.Created, &i.Expires, &i.Used)
	copy(i.Token[:], token)
	i.Roles, i.Facilities = split[account.RoleID](roles), split[account.FacilityID](facilities)
	return i, found(err, account.ErrNotFound)
}

const invitationInScope = "(@all OR (@meter = '' AND @limited = '' AND @customer != '' AND customer = @customer))"

// Invitations lists the open ones of the scope by id.
func (c *Cloud) Invitations(ctx context.Context, s account.Scope, after account.InvitationID, limit int) (out []account.Invitation, err error) {
	rows, err := c.db.Read().QueryContext(ctx, selectInvitation+`used_ms = 0 AND id > @after AND `+invitationInScope+` ORDER BY id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("after", string(after)), sql.Named("limit", limit))...)
	if err != nil {
		return nil, fmt.Errorf("list invitations: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		i, err := scanInvitation(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, rows.Err()
}

// InvitationByToken finds an invitation by what its link holds.
func (c *Cloud) InvitationByToken(ctx context.Context, token account.Hash) (account.Invitation, error) {
	return scanInvitation(c.db.Read().QueryRowContext(ctx, selectInvitation+`token = ?`, token[:]))
}

// DropExpired removes links and invitations whose time was over.
func (c *Cloud) DropExpired(ctx context.Context, now, before logdb.Millis) error {
	var any bool
	err := c.db.ReadRow(ctx, `SELECT EXISTS (SELECT 1 FROM password_reset WHERE expires_ms <= ?) OR EXISTS (SELECT 1 FROM invitation WHERE expires_ms <= ?)`, now, before).Scan(&any)
	if err != nil || !any {
		return err // looking costs no write
	}
	return c.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM password_reset WHERE expires_ms <= ?`, now); err != nil {
			return fmt.Errorf("drop links that are over: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM invitation WHERE expires_ms <= ?`, before); err != nil {
			return fmt.Errorf("drop invitations that are over: %w", err)
		}
		return nil
	})
}

// EndInvitation takes an open invitation of the scope back.
func (c *Cloud) EndInvitation(ctx context.Context, s account.Scope, id account.InvitationID, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE invitation SET used_ms = @at WHERE used_ms = 0 AND id = @id AND `+invitationInScope,
			append(scopeArgs(s), sql.Named("at", at), sql.Named("id", string(id)))...)
		return one(res, err, account.ErrNotFound)
	})
}
