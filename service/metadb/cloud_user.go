package metadb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

func insertUser(ctx context.Context, tx *sql.Tx, u account.User) error {
	const q = `INSERT INTO user (id, customer, name, name_key, password_hash, permissions, disabled, created_ms, email, first_name, last_name, phone, applied, applied_ms, by_facility)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := tx.ExecContext(ctx, q, u.ID, nobody(u.Customer), u.Name, strings.ToLower(u.Name), u.PasswordHash, u.Permissions.String(), u.Disabled, u.Created,
		u.Email, u.First, u.Last, u.Phone, nobody(u.Applied), u.AppliedAt, u.ByFacility)
	if err != nil {
		return taken(fmt.Errorf("insert a user: %w", err), account.ErrExists)
	}
	return putAccess(ctx, tx, u)
}

// putAccess stores the roles and facilities of a user in place of those before. A facility of another customer is not there.
func putAccess(ctx context.Context, tx *sql.Tx, u account.User) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM user_role WHERE user = ?`, string(u.ID)); err != nil {
		return fmt.Errorf("clear the roles of a user: %w", err)
	}
	for _, role := range u.Roles {
		if _, err := tx.ExecContext(ctx, `INSERT INTO user_role (user, role) VALUES (?, ?)`, string(u.ID), string(role)); err != nil {
			return fmt.Errorf("give a role: %w", err)
		}
	}
	return putFacilities(ctx, tx, u)
}

// putFacilities stores the facilities of a user in place of those before.
func putFacilities(ctx context.Context, tx *sql.Tx, u account.User) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM user_facility WHERE user = ?`, string(u.ID)); err != nil {
		return fmt.Errorf("clear the facilities of a user: %w", err)
	}
	for _, f := range u.Facilities {
		res, err := tx.ExecContext(ctx, `INSERT INTO user_facility (user, facility) SELECT ?, id FROM facility WHERE id = ? AND customer = ?`, string(u.ID), string(f), string(u.Customer))
		if err := one(res, err, account.ErrNoFacility); err != nil {
			return fmt.Errorf("give a facility: %w", err)
		}
	}
	return nil
}

const selectUser = `SELECT user.id, coalesce(user.customer, ''), user.name, user.password_hash, user.permissions, user.disabled, user.created_ms, user.email, user.first_name,
	user.last_name, user.phone, coalesce(user.applied, ''), user.applied_ms, user.by_facility, user.banned_ms, user.banned_why, user.last_login_ms, coalesce(customer.owner = user.id, FALSE)
	FROM user LEFT JOIN customer ON customer.id = user.customer WHERE `

func scanUser(row interface{ Scan(...any) error }) (account.User, error) {
	var u account.User
	var perms string
	if err := row.Scan(&u.ID, &u.Customer, &u.Name, &u.PasswordHash, &perms, &u.Disabled, &u.Created, &u.Email, &u.First, &u.Last, &u.Phone, &u.Applied, &u.AppliedAt,
		&u.ByFacility, &u.Banned, &u.BannedWhy, &u.LastLogin, &u.Owner); err != nil {
		return account.User{}, found(err, account.ErrNotFound)
	}
	var err error
	if u.Permissions, err = permission.Parse(perms); err != nil {
		return account.User{}, fmt.Errorf("read the permissions of user %s: %w", u.ID, err)
	}
	return u, nil
}

// oneUser reads a user with roles.
func (c *Cloud) oneUser(ctx context.Context, condition string, args ...any) (account.User, error) {
	u, err := scanUser(c.db.ReadRow(ctx, selectUser+condition, args...))
	if err != nil {
		return account.User{}, err
	}
	list := []account.User{u}
	err = c.addRoles(ctx, list, `user_role.user = ?`, string(u.ID))
	return list[0], err
}

// addRoles reads the roles of users. condition bounds the rows to theirs.
func (c *Cloud) addRoles(ctx context.Context, users []account.User, condition string, args ...any) error {
	at := map[account.UserID]int{}
	for i := range users {
		at[users[i].ID] = i
	}
	rows, err := c.db.Read().QueryContext(ctx, `SELECT user_role.user, user_role.role, coalesce(role.name, ''), coalesce(role.permissions, ''), coalesce(role.customer, ''), role.id IS NOT NULL
		FROM user_role LEFT JOIN role ON role.id = user_role.role WHERE `+condition+` ORDER BY user_role.user, user_role.role`, args...)
	if err != nil {
		return fmt.Errorf("read the roles of users: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var id account.UserID
		var r account.Role
		var perms string
		var custom bool
		if err := rows.Scan(&id, &r.ID, &r.Name, &perms, &r.Customer, &custom); err != nil {
			return fmt.Errorf("read a role of a user: %w", err)
		}
		i, ok := at[id]
		if !ok {
			continue
		}
		users[i].Roles = append(users[i].Roles, r.ID)
		if !custom {
			continue
		}
		if r.Permissions, err = permission.Parse(perms); err != nil {
			return fmt.Errorf("read the permissions of role %s: %w", r.ID, err)
		}
		// A role of another customer grants nothing: whoever changes customers loses what the one before gave.
		if r.System = r.Customer == ""; r.System || r.Customer == users[i].Customer {
			users[i].Custom = append(users[i].Custom, r)
		}
	}
	return rows.Err()
}

// addFacilities reads the facilities of users.
func (c *Cloud) addFacilities(ctx context.Context, users []account.User, condition string, args ...any) error {
	at := map[account.UserID]int{}
	for i := range users {
		at[users[i].ID] = i
	}
	rows, err := c.db.Read().QueryContext(ctx, `SELECT user, facility FROM user_facility WHERE `+condition+` ORDER BY user, facility`, args...)
	if err != nil {
		return fmt.Errorf("read the facilities of users: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		var id account.UserID
		var f account.FacilityID
		if err := rows.Scan(&id, &f); err != nil {
			return fmt.Errorf("read a facility of a user: %w", err)
		}
		if i, ok := at[id]; ok {
			users[i].Facilities = append(users[i].Facilities, f)
		}
	}
	return rows.Err()
}

// UserByName finds a user for a login; upper and lower case do not matter.
func (c *Cloud) UserByName(ctx context.Context, name string) (account.User, error) {
	return c.oneUser(ctx, `user.name_key = ?`, strings.ToLower(name))
}

// User returns the user of a session.
func (c *Cloud) User(ctx context.Context, id account.UserID) (account.User, error) {
	return c.oneUser(ctx, `user.id = ?`, string(id))
}

// UserIn returns a user of the scope with facilities.
func (c *Cloud) UserIn(ctx context.Context, s account.Scope, id account.UserID) (account.User, error) {
	u, err := c.oneUser(ctx, `user.id = @id AND `+inScope("user.customer", ""), append(scopeArgs(s), sql.Named("id", string(id)))...)
	if err != nil {
		return u, err
	}
	list := []account.User{u}
	err = c.addFacilities(ctx, list, `user = ?`, string(id))
	return list[0], err
}

// users lists users with roles and facilities.
func (c *Cloud) users(ctx context.Context, condition string, args ...any) (out []account.User, err error) {
	rows, err := c.db.Read().QueryContext(ctx, selectUser+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		return out, err
	}
	for i := range out { // a page of them
		if err := c.addRoles(ctx, out[i:i+1], `user_role.user = ?`, string(out[i].ID)); err != nil {
			return nil, err
		}
		if err := c.addFacilities(ctx, out[i:i+1], `user = ?`, string(out[i].ID)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Users lists the users of the scope by id.
func (c *Cloud) Users(ctx context.Context, s account.Scope, after account.UserID, limit int) ([]account.User, error) {
	return c.users(ctx, `user.id > @after AND `+inScope("user.customer", "")+` ORDER BY user.id LIMIT @limit`,
		append(scopeArgs(s), sql.Named("after", string(after)), sql.Named("limit", limit))...)
}

// Mates lists the users of a customer who own it or have one of the roles.
func (c *Cloud) Mates(ctx context.Context, cu account.CustomerID, roles ...account.RoleID) ([]account.User, error) {
	all, err := c.users(ctx, `user.customer = ? AND user.disabled = 0 AND user.banned_ms = 0 AND (customer.owner = user.id OR EXISTS (SELECT 1 FROM user_role WHERE user_role.user = user.id)) ORDER BY user.id`, string(cu))
	var out []account.User
	for _, u := range all {
		ok := u.Owner
		for _, r := range roles {
			for _, has := range u.Roles {
				ok = ok || has == r
			}
		}
		if ok {
			out = append(out, u)
		}
	}
	return out, err
}

// CreateUser stores a user of the scope's customer.
func (c *Cloud) CreateUser(ctx context.Context, s account.Scope, u account.User) error {
	if !s.Contains(account.Resource{Customer: u.Customer}) {
		return account.ErrNotFound
	}
	return c.write(ctx, func(tx *sql.Tx) error { return insertUser(ctx, tx, u) })
}

// UpdateUser stores what people say of a user.
func (c *Cloud) UpdateUser(ctx context.Context, s account.Scope, u account.User, held bool, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		// Links that were sent to another mailbox end with it.
		if _, err := tx.ExecContext(ctx, `DELETE FROM password_reset WHERE user = ? AND EXISTS (SELECT 1 FROM user u WHERE u.id = password_reset.user AND u.email <> ?)`, string(u.ID), u.Email); err != nil {
			return fmt.Errorf("end the links of a user: %w", err)
		}
		res, err := tx.ExecContext(ctx, `UPDATE user SET email = @email, first_name = @first, last_name = @last, phone = @phone WHERE id = @id AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("email", u.Email), sql.Named("first", u.First), sql.Named("last", u.Last), sql.Named("phone", u.Phone), sql.Named("id", string(u.ID)))...)
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		if held {
			if _, err := tx.ExecContext(ctx, `UPDATE user SET by_facility = ? WHERE id = ?`, u.ByFacility, string(u.ID)); err != nil {
				return fmt.Errorf("hold a user to facilities: %w", err)
			}
			if err := putFacilities(ctx, tx, u); err != nil {
				return err
			}
		}
		return c.post(ctx, tx, letters)
	})
}

// writeAdmins is write for what may take an administrator of the system away: the last one who can log in stays.
func (c *Cloud) writeAdmins(ctx context.Context, f func(*sql.Tx) error) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		admins := func() (n int, err error) {
			const q = `SELECT count(*) FROM user_role r JOIN user u ON u.id = r.user WHERE r.role = ? AND u.disabled = 0 AND u.banned_ms = 0`
			if err = tx.QueryRowContext(ctx, q, string(account.RoleSystemAdmin)).Scan(&n); err != nil {
				return 0, fmt.Errorf("count the administrators of the system: %w", err)
			}
			return n, nil
		}
		before, err := admins()
		if err == nil {
			err = f(tx)
		}
		if err != nil || before == 0 {
			return err
		}
		if after, err := admins(); err != nil || after > 0 {
			return err
		}
		return account.ErrLastAdmin
	})
}

// SetAccess stores roles and facilities of a user of the scope.
func (c *Cloud) SetAccess(ctx context.Context, s account.Scope, u account.User) error {
	return c.writeAdmins(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET by_facility = @by, permissions = @permissions WHERE id = @id AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("by", u.ByFacility), sql.Named("permissions", u.Permissions.String()), sql.Named("id", string(u.ID)))...)
		if err := one(res, err, account.ErrNotFound); err != nil {
			return err
		}
		return putAccess(ctx, tx, u)
	})
}

// SetPassword stores another password hash.
func (c *Cloud) SetPassword(ctx context.Context, s account.Scope, id account.UserID, hash []byte) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET password_hash = @hash WHERE id = @id AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("hash", hash), sql.Named("id", string(id)))...)
		return one(res, err, account.ErrNotFound)
	})
}

// NoteLogin keeps when a user logged in last.
func (c *Cloud) NoteLogin(ctx context.Context, id account.UserID, at logdb.Millis) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE user SET last_login_ms = ? WHERE id = ?`, at, string(id))
		return err
	})
}

func endSessions(ctx context.Context, tx *sql.Tx, id account.UserID, keep account.Hash) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE user = ? AND token <> ?`, string(id), keep[:]); err != nil {
		return fmt.Errorf("end the sessions of a user: %w", err)
	}
	return nil
}

// SetDisabled keeps a user out, ending their sessions, or lets them in again.
func (c *Cloud) SetDisabled(ctx context.Context, s account.Scope, id account.UserID, disabled bool) error {
	return c.writeAdmins(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET disabled = @disabled WHERE id = @id AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("disabled", disabled), sql.Named("id", string(id)))...)
		if err := one(res, err, account.ErrNotFound); err != nil || !disabled {
			return err
		}
		return endSessions(ctx, tx, id, account.Hash{})
	})
}

// SetBanned keeps a user out for the administrator of the system, or with at 0 lets them in again.
func (c *Cloud) SetBanned(ctx context.Context, id account.UserID, at logdb.Millis, why string) error {
	return c.writeAdmins(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE user SET banned_ms = ?, banned_why = ? WHERE id = ?`, at, why, string(id))
		if err := one(res, err, account.ErrNotFound); err != nil || at == 0 {
			return err
		}
		return endSessions(ctx, tx, id, account.Hash{})
	})
}

// DeleteUser removes a user of the scope who owns no customer.
func (c *Cloud) DeleteUser(ctx context.Context, s account.Scope, id account.UserID) error {
	return c.writeAdmins(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM user WHERE id = @id AND NOT EXISTS (SELECT 1 FROM customer WHERE owner = @id) AND `+inScope("customer", ""),
			append(scopeArgs(s), sql.Named("id", string(id)))...)
		return one(res, err, account.ErrNotFound)
	})
}

// ChangePassword stores another password and ends the user's other sessions and links.
func (c *Cloud) ChangePassword(ctx context.Context, id account.UserID, hash []byte, keep account.Hash, letters account.Letters) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		if err := setPassword(ctx, tx, id, hash, keep); err != nil {
			return err
		}
		return c.post(ctx, tx, letters)
	})
}

func setPassword(ctx context.Context, tx *sql.Tx, id account.UserID, hash []byte, keep account.Hash) error {
	res, err := tx.ExecContext(ctx, `UPDATE user SET password_hash = ? WHERE id = ?`, hash, string(id))
	if err := one(res, err, account.ErrNotFound); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM password_reset WHERE user = ?`, string(id)); err != nil {
		return fmt.Errorf("end the links of a user: %w", err)
	}
	return endSessions(ctx, tx, id, keep)
}
