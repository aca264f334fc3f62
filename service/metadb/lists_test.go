package metadb_test

import (
	"fmt"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
	"metermanager/service/cloud/subscription"
	"metermanager/service/metadb"
)

// TestListsInPages cuts meters, keys, renewals and customers in the query, on both databases, and shows each scope its own.
func TestListsInPages(t *testing.T) {
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
		for _, id := range []string{"a", "b"} {
			u := account.User{ID: account.UserID("u" + id), Name: "user " + id, PasswordHash: []byte{1}, Customer: account.CustomerID(id)}
			must(c.Found(ctx, account.Customer{ID: u.Customer, Owner: u.ID, Name: "Customer " + id, KeyHash: account.HashOf(id), SealedKey: []byte{0}}, u))
			for i := range 3 {
				uid := logdb.MeterUID(fmt.Sprintf("m%d%s", i, id))
				must(c.CreateMeter(ctx, registry.Meter{UID: uid, Customer: u.Customer, Make: "EIG", Serial: string(uid), Enabled: true}, nil))
				must(c.SetExpiration(ctx, account.NodeScope(), uid, logdb.Millis(100+i/2), true)) // two on one day
				must(c.CreateKey(ctx, account.CustomerScope(u.Customer), account.Key{ID: account.KeyID(uid), Customer: u.Customer, Name: "k", Hash: account.HashOf("k" + string(uid)),
					Permissions: permission.Of(permission.Upload), Maker: u.ID, Created: logdb.Millis(7 + i/2)}))
			}
		}
		must(c.CreateMeter(ctx, registry.Meter{UID: "pool", Make: "EIG", Serial: "pool"}, nil))
		must(c.RevokeKey(ctx, account.NodeScope(), "m1b", 50))
		must(c.Settle(ctx, nil, []subscription.Period{{Customer: "a", Meter: "m0a", From: 5}, {Customer: "gone", Meter: "x", From: 5}, {Customer: "later", Meter: "y", From: 5000}}))
		all, a := account.NodeScope(), account.CustomerScope("a")
		read := func(s account.Scope, what string) (out string) {
			t.Helper()
			switch what {
			case "meters", "meters and pool":
				for after := logdb.MeterUID(""); ; {
					page, err := c.MetersAfter(ctx, s, after, what != "meters", 2)
					must(err)
					if len(page) == 0 {
						return out
					}
					for _, m := range page {
						out += string(m.UID) + " "
					}
					after = page[len(page)-1].UID
				}
			case "keys":
				for after := (account.KeyPlace{}); ; {
					page, err := c.Keys(ctx, s, 60, after, 2)
					must(err)
					if len(page) == 0 {
						return out
					}
					for _, k := range page {
						out += string(k.ID) + "/" + string(k.Maker) + " "
					}
					after = account.KeyPlace{Created: page[len(page)-1].Created, ID: page[len(page)-1].ID}
				}
			case "renewals":
				for after := (subscription.RenewalPlace{}); ; {
					page, err := c.Renewals(ctx, s, 100, 102, after, 2)
					must(err)
					if len(page) == 0 {
						return out
					}
					for _, m := range page {
						out += string(m.UID) + "/" + m.CustomerName + " "
					}
					after = subscription.RenewalPlace{Expires: page[len(page)-1].Expires, Meter: page[len(page)-1].UID}
				}
			}
			for first := account.CustomerID(""); ; {
				page, err := c.UsedBy(ctx, s, subscription.UsedBy{First: first, From: 1, To: 1000, Limit: 2})
				must(err)
				if len(page) == 0 {
					return out
				}
				for _, u := range page {
					out += string(u.ID) + "/" + u.Name + " "
				}
				first = page[len(page)-1].ID + "0"
			}
		}
		for _, x := range []struct {
			s          account.Scope
			what, want string
		}{
			{a, "meters", "m0a m1a m2a "}, {a, "meters and pool", "m0a m1a m2a "}, {all, "meters", "m0a m0b m1a m1b m2a m2b "}, {all, "meters and pool", "m0a m0b m1a m1b m2a m2b pool "},
			{account.Scope{}, "meters and pool", ""},
			{a, "keys", "m0a/ua m1a/ua m2a/ua "}, {all, "keys", "m0a/ua m0b/ub m1a/ua m2a/ua m2b/ub "},
			{a, "renewals", "m0a/Customer a m1a/Customer a m2a/Customer a "},
			{all, "renewals", "m0a/Customer a m0b/Customer b m1a/Customer a m1b/Customer b m2a/Customer a m2b/Customer b "},
			{a, "used", "a/Customer a "}, {all, "used", "a/Customer a b/Customer b gone/ "}, {account.Scope{}, "used", ""},
		} {
			if got := read(x.s, x.what); got != x.want {
				t.Errorf("%s: %q, want %q", x.what, got, x.want)
			}
		}
		if list, err := c.UsedBy(ctx, all, subscription.UsedBy{Only: "b", From: 1, To: 1000, Limit: 5}); err != nil || len(list) != 1 || list[0].ID != "b" {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := c.Periods(ctx, all, "a", 1, 1000); err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
		}
		// Links and invitations whose time is over, and a user whose facilities change with the rest or not at all.
		must(c.Invite(ctx, account.Invitation{ID: "i1", Customer: "a", Token: account.HashOf("i1"), Expires: 10}, nil))
		must(c.Invite(ctx, account.Invitation{ID: "i2", Customer: "a", Token: account.HashOf("i2"), Expires: 20}, nil))
		must(c.PutReset(ctx, account.Reset{Token: account.HashOf("r"), User: "ua", Expires: 30}, []byte{1}, nil))
		must(c.DropExpired(ctx, 29, 10))
		if list, err := c.Invitations(ctx, a, "", 5); err != nil || len(list) != 1 || list[0].ID != "i2" {
			t.Errorf("%v, %v", list, err)
		}
		_, err = c.Reset(ctx, account.HashOf("r"))
		must(err)
		must(c.DropExpired(ctx, 30, 10))
		if _, err := c.Reset(ctx, account.HashOf("r")); err == nil {
			t.Error("a link outlives its time")
		}
		must(c.CreateFacility(ctx, a, account.Facility{ID: "f", Customer: "a", Name: "f"}))
		must(c.UpdateUser(ctx, a, account.User{ID: "ua", Customer: "a", First: "Ann", ByFacility: true, Facilities: []account.FacilityID{"f"}}, true, nil))
		if err := c.UpdateUser(ctx, a, account.User{ID: "ua", Customer: "a", First: "Eve", Facilities: []account.FacilityID{"none"}}, true, nil); err == nil {
			t.Error("a facility that is not there is given")
		}
		if u, err := c.UserIn(ctx, a, "ua"); err != nil || u.First != "Ann" || !u.ByFacility || fmt.Sprint(u.Facilities) != "[f]" {
			t.Errorf("%+v, %v", u, err)
		}
		if err := c.UpdateUser(ctx, account.CustomerScope("b"), account.User{ID: "ua", First: "Eve"}, false, nil); err == nil {
			t.Error("another customer's user is changed")
		}
	})
}
