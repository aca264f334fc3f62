package metadb_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"metermanager/logdb/sqldb"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/metadb"
)

// before returns the migrations of the cloud side up to a number.
func before(t *testing.T, last string) fstest.MapFS {
	t.Helper()
	names, err := filepath.Glob("cloud/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	out := fstest.MapFS{}
	for _, name := range names {
		if base := filepath.Base(name); base <= last+"_~" {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[base] = &fstest.MapFile{Data: text}
		}
	}
	return out
}

// TestUsersOfEarlierVersionsKeepTheirRights: who had everything owns the customer and is the system's administrator, logins go on, and
// whoever had less keeps that.
func TestUsersOfEarlierVersionsKeepTheirRights(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		if err := db.Migrate(ctx, "cloud", before(t, "0005")); err != nil {
			t.Fatal(err)
		}
		token := account.HashOf("token")
		if err := db.Write(ctx, func(tx *sql.Tx) error {
			for _, q := range []string{
				`INSERT INTO customer (id, name, key_hash, sealed_key, created_ms) VALUES ('c', 'C', x'01', x'02', 1)`,
				`INSERT INTO user (id, customer, name, name_key, password_hash, permissions, created_ms) VALUES ('u', 'c', 'Boss', 'boss', x'03', 'upload,meters_read,system,logs_correct', 1),
					('v', 'c', 'Ann', 'ann', x'03', 'logs_read', 2)`,
			} {
				if _, err := tx.Exec(q); err != nil {
					return err
				}
			}
			_, err := tx.Exec(`INSERT INTO session (token, user, created_ms, expires_ms, last_used_ms) VALUES (?, 'v', 1, 9, 5)`, token[:])
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c, err := metadb.OpenCloud(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		boss, err := c.UserByName(ctx, "BOSS")
		if err != nil || !boss.Owner || boss.Granted() != permission.Everything() {
			t.Errorf("%+v, %v: %s", boss, err, boss.Granted())
		}
		ann, err := c.User(ctx, "v")
		if err != nil || ann.Owner || ann.Granted() != permission.Of(permission.LogsRead, permission.OwnAccount) {
			t.Errorf("%+v, %v", ann, err)
		}
		if ses, err := c.Session(ctx, token); err != nil || ses.User != "v" || ses.Expires != 9 {
			t.Errorf("%+v, %v", ses, err)
		}
		if err := c.SetDisabled(ctx, account.CustomerScope("c"), "v", true); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Session(ctx, token); err == nil {
			t.Error("the session of a disabled user is still there")
		}
	})
}

// TestAccountsOfCustomers goes along the stores of accounts on both databases, as two customers would.
func TestAccountsOfCustomers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		c, err := metadb.OpenCloud(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		gone := func(err error) {
			t.Helper()
			if err == nil {
				t.Error("another customer's was found")
			}
		}
		for _, id := range []string{"a", "b"} {
			must(c.Found(ctx, account.Customer{ID: account.CustomerID(id), Name: id, Owner: account.UserID(id), KeyHash: account.HashOf(id), SealedKey: []byte{1}},
				account.User{ID: account.UserID(id), Customer: account.CustomerID(id), Name: "owner " + id, PasswordHash: []byte{1}, Owner: true}))
			must(c.CreateFacility(ctx, account.CustomerScope(account.CustomerID(id)), account.Facility{ID: account.FacilityID("f" + id), Customer: account.CustomerID(id), Name: "f"}))
			must(c.PutRole(ctx, account.Role{ID: account.RoleID("r" + id), Customer: account.CustomerID(id), Name: "r", Permissions: permission.Of(permission.Verify)}))
		}
		a, b := account.CustomerScope("a"), account.CustomerScope("b")
		letter := account.Letters{{Kind: "test", To: "x@example.net", Subject: "s", Sealed: []byte("x")}}
		// Somebody applies, is admitted with a role and a facility, and then moves to the other customer without either.
		must(c.AddUser(ctx, account.User{ID: "u", Name: "U", PasswordHash: []byte{1}, Applied: "a", AppliedAt: 5}, "", 5, letter))
		if list, err := c.Pending(ctx, a, "", 10); err != nil || len(list) != 1 || list[0].Applied != "a" {
			t.Fatalf("%+v, %v", list, err)
		}
		if list, err := c.Pending(ctx, b, "", 10); err != nil || len(list) != 0 {
			t.Errorf("b sees who waits for a: %+v, %v", list, err)
		}
		gone(c.Admit(ctx, b, account.User{ID: "u", Customer: "b"}, nil))
		gone(c.Admit(ctx, a, account.User{ID: "u", Customer: "b"}, nil))
		gone(c.Admit(ctx, a, account.User{ID: "u", Customer: "a", Facilities: []account.FacilityID{"fb"}}, nil))
		must(c.Admit(ctx, a, account.User{ID: "u", Customer: "a", ByFacility: true, Roles: []account.RoleID{account.RoleLimited, "ra"}, Facilities: []account.FacilityID{"fa"}}, letter))
		gone(c.Admit(ctx, a, account.User{ID: "u", Customer: "a"}, nil)) // waits no more
		u, err := c.UserIn(ctx, a, "u")
		if must(err); !u.ByFacility || fmt.Sprint(u.Facilities) != "[fa]" || !u.Granted().Has(permission.Verify) || u.Granted().Has(permission.UsersManage) {
			t.Errorf("%+v", u)
		}
		_, err = c.UserIn(ctx, b, "u")
		gone(err)
		if list, err := c.Facilities(ctx, account.Principal{User: "u", Customer: "a", ByFacility: true}.Scope(), "", 10); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		gone(c.SetAccess(ctx, b, account.User{ID: "u", Roles: []account.RoleID{account.RoleEnterprise}}))
		gone(c.UpdateFacility(ctx, b, account.Facility{ID: "fa", Name: "stolen"}))
		gone(c.DeleteFacility(ctx, b, "fa"))
		gone(c.DeleteRole(ctx, "b", "ra"))
		gone(c.PutRole(ctx, account.Role{ID: "ra", Customer: "b", Name: "stolen"}))
		gone(c.DeleteUser(ctx, b, "u"))
		gone(c.DeleteUser(ctx, a, "a")) // the owner
		gone(c.SetOwner(ctx, a, "a", "u", "u", account.RoleEnterprise))
		must(c.SetOwner(ctx, a, "a", "a", "u", account.RoleEnterprise))
		if u, err = c.User(ctx, "u"); err != nil || !u.Owner || u.ByFacility {
			t.Errorf("%+v, %v", u, err)
		}
		must(c.Invite(ctx, account.Invitation{ID: "i", Customer: "b", Email: "x@example.net", Token: account.HashOf("i"), Roles: []account.RoleID{"limited", "rb"}, InvitedBy: "b", Expires: 9}, letter))
		if list, err := c.Invitations(ctx, b, "", 10); err != nil || len(list) != 1 || len(list[0].Roles) != 2 {
			t.Errorf("%+v, %v", list, err)
		}
		gone(c.EndInvitation(ctx, a, "i", 6))
		gone(c.AddUser(ctx, account.User{ID: "w", Customer: "a", Name: "W", PasswordHash: []byte{1}}, "i", 6, nil))
		must(c.AddUser(ctx, account.User{ID: "w", Customer: "b", Name: "W", PasswordHash: []byte{1}, Roles: []account.RoleID{"rb"}}, "i", 6, nil))
		gone(c.AddUser(ctx, account.User{ID: "x", Customer: "b", Name: "X", PasswordHash: []byte{1}}, "i", 6, nil)) // used up
		// Passwords.
		must(c.Wish(ctx, "w", 7, 1))
		if err := c.Wish(ctx, "w", 7, 1); err == nil || !strings.Contains(err.Error(), account.ErrFull.Error()) {
			t.Errorf("a second wish: %v", err)
		}
		wishes, err := c.Wishes(ctx, 10)
		must(err)
		must(c.Grant(ctx, wishes[0].ID, &account.Reset{Token: account.HashOf("t"), User: "w", Expires: 9}, letter))
		r, err := c.Reset(ctx, account.HashOf("t"))
		must(err)
		must(c.ResetPassword(ctx, r, []byte{2}, nil))
		gone(c.ResetPassword(ctx, r, []byte{3}, nil))
		// A link that was sent to another mailbox ends with it.
		must(c.Wish(ctx, "w", 7, 1))
		wishes, err = c.Wishes(ctx, 10)
		must(err)
		must(c.UpdateUser(ctx, account.NodeScope(), account.User{ID: "w", Email: "old@example.net"}, false, nil))
		must(c.Grant(ctx, wishes[0].ID, &account.Reset{Token: account.HashOf("l"), User: "w", Expires: 9}, nil))
		must(c.UpdateUser(ctx, account.NodeScope(), account.User{ID: "w", Email: "old@example.net", First: "Will"}, false, nil))
		if _, err := c.Reset(ctx, account.HashOf("l")); err != nil {
			t.Errorf("another first name ends a link: %v", err)
		}
		must(c.UpdateUser(ctx, account.NodeScope(), account.User{ID: "w", Email: "new@example.net"}, false, nil))
		_, err = c.Reset(ctx, account.HashOf("l"))
		gone(err)
		// A customer that goes leaves nothing behind but its users and meters, which are nobody's.
		gone(c.DeleteCustomer(ctx, b, "a", nil))
		must(c.DeleteCustomer(ctx, account.NodeScope(), "b", letter))
		if w, err := c.User(ctx, "w"); err != nil || w.Customer != "" || w.Granted() != permission.Of(permission.OwnAccount) {
			t.Errorf("%+v, %v", w, err)
		}
		if list, err := c.Customers(ctx, account.NodeScope(), "", 10); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestMetersOfCustomers goes along the ownership of meters, and the letters, on both databases.
func TestMetersOfCustomers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		c, err := metadb.OpenCloud(ctx, db)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		gone := func(err error) {
			t.Helper()
			if err == nil {
				t.Error("another customer's was found")
			}
		}
		must(err)
		for _, id := range []string{"a", "b"} {
			must(c.Found(ctx, account.Customer{ID: account.CustomerID(id), Name: id, Owner: account.UserID(id), KeyHash: account.HashOf(id), SealedKey: []byte{1}},
				account.User{ID: account.UserID(id), Customer: account.CustomerID(id), Name: "owner " + id, PasswordHash: []byte{1}}))
			must(c.CreateFacility(ctx, account.CustomerScope(account.CustomerID(id)), account.Facility{ID: account.FacilityID("f" + id), Customer: account.CustomerID(id), Name: "f"}))
		}
		a, b := account.CustomerScope("a"), account.CustomerScope("b")
		key := func(id string, perms permission.Permission, by string) account.Key {
			return account.Key{ID: account.KeyID(id), Customer: "a", Name: id, Hash: account.HashOf(id), Permissions: permission.Of(perms), Meter: "m", CreatedBy: by, Created: 1}
		}
		own := key("own", permission.Upload, "")
		must(c.CreateMeter(ctx, registry.Meter{UID: "m", Customer: "a", Make: "eig", Serial: "1", Enabled: true}, &own))
		must(c.CreateKey(ctx, a, key("reads", permission.LogsRead, "ann")))
		gone(c.MoveMeter(ctx, b, "m", "fb"))
		gone(c.MoveMeter(ctx, a, "m", "fb"))
		must(c.MoveMeter(ctx, a, "m", "fa"))
		if m, err := c.Meter(ctx, a, "m"); err != nil || m.Facility != "fa" {
			t.Errorf("%+v, %v", m, err)
		}
		held := account.Principal{User: "b", Customer: "a", ByFacility: true}.Scope()
		_, err = c.Meter(ctx, held, "m")
		gone(err)
		gone(c.ReleaseMeter(ctx, b, "m", account.HashOf("x"), 5))
		must(c.ReleaseMeter(ctx, a, "m", account.HashOf("x"), 5))
		if list, err := c.Pool(ctx, registry.PoolQuery{Serial: "1", Make: "eig", Limit: 10}); err != nil || len(list) != 1 || list[0].Former != "a" || list[0].Facility != "" || list[0].Claim != account.HashOf("x") {
			t.Errorf("%+v, %v", list, err)
		}
		for id, revoked := range map[string]bool{"own": false, "reads": true} {
			if k, err := c.KeyByHash(ctx, account.HashOf(id)); err != nil || (k.Revoked != 0) != revoked || !revoked && k.Customer != "" {
				t.Errorf("%+v, %v", k, err)
			}
		}
		must(c.AssignMeter(ctx, "m", "b"))
		fresh := account.Key{ID: "new", Customer: "b", Name: "new", Hash: account.HashOf("new"), Permissions: permission.Of(permission.Upload), Meter: "m"}
		gone(c.ReplaceMeter(ctx, a, "m", "eig", "2", fresh, 6))
		must(c.ReplaceMeter(ctx, b, "m", "eig", "2", fresh, 6))
		if k, err := c.KeyByHash(ctx, account.HashOf("own")); err != nil || k.Revoked != 6 {
			t.Errorf("%+v, %v", k, err)
		}
		if has, err := c.HasCustomer(ctx, "b"); err != nil || !has {
			t.Errorf("%v, %v", has, err)
		}
		must(c.DeleteCustomer(ctx, account.NodeScope(), "b", account.Letters{{Kind: "k", To: "x@example.net", Subject: "s", Sealed: []byte("x"), Written: 7}}))
		if list, err := c.Pool(ctx, registry.PoolQuery{Limit: 10}); err != nil || len(list) != 1 || list[0].Former != "b" {
			t.Errorf("%+v, %v", list, err)
		}
		// The letter of it.
		due, err := c.DueMails(ctx, 7, 10)
		if must(err); len(due) != 1 || string(due[0].Sealed) != "x" {
			t.Fatalf("%+v", due)
		}
		must(c.MailLater(ctx, due[0].ID, 9, "busy", false))
		if due, err := c.DueMails(ctx, 8, 10); err != nil || len(due) != 0 {
			t.Errorf("%+v, %v", due, err)
		}
		must(c.MailSent(ctx, due[0].ID, 9))
		if list, err := c.Mails(ctx, "sent", 10); err != nil || len(list) != 1 || list[0].Tries != 2 {
			t.Errorf("%+v, %v", list, err)
		}
		must(c.DropMails(ctx, 10))
		if list, err := c.Mails(ctx, "", 10); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
