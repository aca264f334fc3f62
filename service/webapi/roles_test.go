package webapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// tenant is a customer with an owner and a user of each role, by whose tokens it acts.
type tenant struct {
	place
	name   string
	tokens map[string]string // by role, and of others: owner, pending, held (to a facility without meters)
}

// tenant makes a customer as people do, with users of the roles named, of all without any.
func (s *server) tenant(name string, only ...string) tenant {
	s.t.Helper()
	ctx := s.t.Context()
	system, err := s.accounts.Authenticate(ctx, s.system)
	must(s.t, err)
	joined, err := s.accounts.Join(ctx, system, account.Join{
		NewUser: account.NewUser{Name: "owner of " + name, Password: password, Email: "owner@" + name + ".example"}, CustomerName: "Company " + name, Address: name,
	})
	must(s.t, err)
	out := tenant{name: name, tokens: map[string]string{"owner": s.token("owner of " + name)}}
	owner, err := s.accounts.Authenticate(ctx, out.tokens["owner"])
	must(s.t, err)
	all := owner
	all.Permissions = permission.Everything().Without(permission.Of(permission.System, permission.AllCustomers))
	out.place = s.furnish(all, name, s.register(owner, "serial of "+name))
	if out.customer != joined.Customer.ID || out.customer == "" {
		s.t.Fatalf("%+v, %+v", out.place, joined)
	}
	user := func(role string, n account.NewUser) {
		if len(only) > 0 && !slices.Contains(only, role) {
			return
		}
		n.Name, n.Password, n.Customer = role+" of "+name, password, out.customer
		as := system
		as.Customer = out.customer
		_, err := s.accounts.CreateUser(ctx, as, n)
		must(s.t, err)
		out.tokens[role] = s.token(n.Name)
	}
	for _, role := range []account.RoleID{account.RoleEnterprise, account.RoleLimited, account.RoleCreator, account.RoleSystemAdmin, account.RoleSystemSupport, account.RoleSystemReader} {
		user(string(role), account.NewUser{Roles: []account.RoleID{role}})
	}
	user("held", account.NewUser{Roles: []account.RoleID{account.RoleEnterprise}, ByFacility: true, Facilities: []account.FacilityID{out.facility}})
	out.tokens["pending"] = s.token("who waits for " + name)
	return out
}

// token logs somebody in.
func (s *server) token(user string) string {
	s.t.Helper()
	got, err := s.accounts.Login(s.t.Context(), account.Login{User: user, Password: password, Address: user})
	must(s.t, err)
	return got.Token
}

// as sends a request with a token.
func (s *server) as(token, method, path, body string) response {
	s.t.Helper()
	return s.call("", method, path, body, "Authorization", "Bearer "+token)
}

// rolesOf are the roles of the matrix from the weakest to the strongest, and what each of them may do.
func rolesOf() []struct {
	name string
	may  permission.Set
} {
	of := func(id account.RoleID) permission.Set { r, _ := account.Builtin(id); return r.Permissions }
	return []struct {
		name string
		may  permission.Set
	}{
		{"pending", permission.Of(permission.OwnAccount)},
		{"role_creator", of(account.RoleCreator)},
		{"limited", of(account.RoleLimited)},
		{"held", of(account.RoleEnterprise)}, // sees nothing of the meter, which is at no facility
		{"system_reader", of(account.RoleSystemReader)},
		{"system_support", of(account.RoleSystemSupport)},
		{"enterprise", of(account.RoleEnterprise)},
		{"owner", of(account.RoleOwner)},
		{"system_admin", of(account.RoleSystemAdmin)},
	}
}

// exceptions are what roles get where the permission of the route does not decide alone: the owner of a customer, one's own account,
// and rules beyond. Who is not named gets what the permission says.
var exceptions = map[string]map[string]int{
	// For everybody.
	api.OpRegisterAccount: {"*": 403, "system_admin": 200}, api.OpReset: {"*": 403}, api.OpSetup: {"*": 403},
	api.OpApply: {"*": 409, "pending": 200}, api.OpCommand: {"role_creator": 403, "pending": 403},
	api.OpRegister:  {"*": 409, "pending": 403, "role_creator": 403, "limited": 403, "system_reader": 403, "held": 403}, // the sample is another customer's
	api.OpPush:      {"pending": 404, "role_creator": 403, "limited": 403, "system_reader": 403, "system_support": 403, "held": 404},
	api.OpRotateKey: {"pending": 403, "role_creator": 403, "limited": 403, "system_reader": 403, "held": 403}, // but for one's own
	// Another's account: found by who manages users, deleted by who may.
	api.OpGetUser:     {"pending": 404, "role_creator": 403, "limited": 403, "system_reader": 403, "held": 403},
	api.OpUpdateUser:  {"pending": 404, "role_creator": 403, "limited": 403, "system_reader": 403, "held": 403},
	api.OpDeleteUser:  {"pending": 404, "role_creator": 403, "limited": 403, "system_reader": 403, "system_support": 403, "held": 403},
	api.OpAccess:      {"pending": 404, "role_creator": 403, "limited": 403, "system_reader": 403, "held": 403},
	api.OpUserHistory: {"pending": 404, "role_creator": 403, "limited": 403, "system_reader": 403, "held": 403},
	// A system supporter may not do what a limited user cannot, but the other way round the limited user stays in reach.
	api.OpCustomer:       {"pending": 404},
	api.OpDeleteCustomer: {"*": 403, "pending": 404, "owner": 200, "system_admin": 401}, // whose customer is gone by then
	api.OpTransfer:       {"*": 403, "pending": 404, "owner": 200, "system_admin": 200},
	api.OpPool:           {"held": 403},
	// Who is held to facilities manages what reaches beyond them not at all.
	api.OpAddUser: {"held": 403}, api.OpEnableUser: {"held": 403}, api.OpSetRoles: {"held": 403}, api.OpResetUser: {"held": 403}, api.OpPending: {"held": 403},
	api.OpApprove: {"held": 403}, api.OpReject: {"held": 403}, api.OpInvitations: {"held": 403}, api.OpInvite: {"held": 403}, api.OpEndInvitation: {"held": 403},
	api.OpCreateRole: {"held": 403, "role_creator": 403}, // nobody grants what they lack
	api.OpUpdateRole: {"held": 403, "role_creator": 403}, api.OpDeleteRole: {"held": 403, "role_creator": 403}, api.OpCreateFacility: {"held": 403}, api.OpUpdateFacility: {"held": 403},
	api.OpDeleteFacility: {"held": 403}, api.OpUpdateCustomer: {"held": 403}, api.OpRotateCustomer: {"held": 403},
	api.OpKeys: {"held": 403}, api.OpCreateKey: {"held": 403, "system_support": 403}, api.OpRevokeKey: {"held": 403},
	api.OpUsage: {"held": 403}, api.OpSwitch: {"held": 403},
}

// onceOnly are operations that find nothing the second time.
var onceOnly = map[string]bool{
	api.OpDeleteUser: true, api.OpApprove: true, api.OpReject: true, api.OpEndInvitation: true, api.OpDeleteRole: true, api.OpDeleteFacility: true, api.OpRemoveMeter: true,
	api.OpAssignMeter: true, api.OpReplaceMeter: true,
	api.OpAddUser: true, api.OpTransfer: true, api.OpBanUser: true,
}

// TestRolesByRoutes sends every operation as a user of every role, about what the user's own customer has. An operation without a sample
// fails, so that none can be forgotten; so does a role of the program that is not in the matrix.
func TestRolesByRoutes(t *testing.T) {
	t.Parallel()
	for _, op := range api.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			mine := s.tenant("mine")
			c, ok := samples(mine.place)[op.ID]
			if !ok {
				t.Fatal("the matrix does not cover this operation")
			}
			path := c.path
			if path == "" {
				path = op.Path
			}
			spent := false
			for _, role := range rolesOf() {
				want := http.StatusOK
				if notThere[op.ID] {
					want = http.StatusNotFound
				}
				about := strings.Contains(op.Path, "{meter_uid}")
				switch x, all := exceptions[op.ID][role.name], exceptions[op.ID]["*"]; {
				case x != 0:
					want = x
				case all != 0:
					want = all
				case !role.may.Has(op.Permission):
					want = http.StatusForbidden
				case about && role.name == "held": // the meter is at none of its facilities
					want = http.StatusNotFound
				}
				if spent && want == http.StatusOK {
					continue
				}
				r := s.as(mine.tokens[role.name], op.Method, path, c.body)
				if r.status != want {
					t.Errorf("%s: status %d, want %d: %.300s", role.name, r.status, want, r.body)
				}
				spent = spent || onceOnly[op.ID] && r.status == http.StatusOK
			}
		})
	}
}

// TestRolesByCommands calls every command as a user of every role: of the customer that runs the node, and of another.
func TestRolesByCommands(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	other := s.tenant("other")
	home := map[string]string{}
	system, err := s.accounts.Authenticate(t.Context(), s.system)
	must(t, err)
	for _, role := range []account.RoleID{account.RoleEnterprise, account.RoleLimited, account.RoleCreator, account.RoleSystemAdmin, account.RoleSystemSupport, account.RoleSystemReader} {
		name := string(role) + " at home"
		_, err := s.accounts.CreateUser(t.Context(), system, account.NewUser{Name: name, Password: password, Roles: []account.RoleID{role}})
		must(t, err)
		home[string(role)] = s.token(name)
	}
	shared := 0
	for _, c := range api.Commands() {
		if c.Shared() {
			shared++
		}
		for _, role := range rolesOf() {
			for where, token := range map[string]string{"home": home[role.name], "another customer": other.tokens[role.name]} {
				if token == "" {
					continue
				}
				r := s.as(token, "POST", api.Root+"/rpc/"+c.Name, "{}")
				runs := role.may.Has(permission.System) || where == "home"
				allowed := role.may.Has(c.Permission) && (runs || c.Shared()) && (role.name != "held" || !strings.HasPrefix(c.Name, "audit."))
				if refused := r.status == http.StatusForbidden; refused == allowed {
					t.Errorf("%s as %s of %s: status %d: %.200s", c.Name, role.name, where, r.status, r.body)
				}
				if strings.Contains(r.body, "Main incomer") && where != "home" && !role.may.Has(permission.AllCustomers) && !strings.Contains(r.body, string(other.meter)) {
					t.Errorf("%s as %s of another customer tells: %.300s", c.Name, role.name, r.body)
				}
			}
		}
	}
	if shared == 0 {
		t.Error("no command is shared")
	}
}

// TestCustomersByRoutes sends every operation as the strongest users of one customer about everything of another: nothing is found,
// changed or told.
func TestCustomersByRoutes(t *testing.T) {
	t.Parallel()
	for _, op := range api.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			theirs, mine := s.tenant("victim", "none"), s.tenant("mine", "enterprise", "limited", "held")
			c, ok := samples(theirs.place)[op.ID]
			if !ok {
				t.Fatal("the matrix does not cover this operation")
			}
			path := c.path
			if path == "" {
				path = op.Path
			}
			secrets := []string{"victim", string(theirs.meter), string(theirs.facility), string(theirs.role), string(theirs.invitation), string(theirs.user), string(theirs.pending), string(theirs.customer)}
			before := s.snapshot(theirs)
			named := strings.Contains(path, string(theirs.meter)) || strings.Contains(path, string(theirs.user)) || strings.Contains(path, string(theirs.pending)) ||
				strings.Contains(path, string(theirs.role)) || strings.Contains(path, string(theirs.facility)) || strings.Contains(path, string(theirs.invitation)) || strings.Contains(path, string(theirs.customer))
			for _, role := range []string{"owner", "enterprise", "limited", "held", "pending"} {
				r := s.as(mine.tokens[role], op.Method, path, c.body)
				if named && r.status != http.StatusNotFound && r.status != http.StatusForbidden {
					t.Errorf("%s: status %d: %.300s", role, r.status, r.body)
				}
				if named && role == "owner" && r.status != http.StatusNotFound && op.Permission != permission.System && op.Permission != permission.AllCustomers {
					t.Errorf("the owner of another customer learns that it is there: status %d: %.300s", r.status, r.body)
				}
				for _, x := range secrets {
					if strings.Contains(r.body, x) {
						t.Errorf("%s: the answer holds %q: %.300s", role, x, r.body)
					}
				}
			}
			if after := s.snapshot(theirs); after != before {
				t.Errorf("the other customer's things changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// snapshot is what a customer's owner sees.
func (s *server) snapshot(of tenant) string {
	s.t.Helper()
	out := ""
	for _, path := range []string{"/users", "/pending-users", "/roles", "/facilities", "/invitations", "/keys", "/meters", "/customers/" + string(of.customer), "/customers/" + string(of.customer) + "/billing",
		"/meters/" + string(of.meter) + "/channels", "/meters/" + string(of.meter) + "/requests"} {
		r := s.as(of.tokens["owner"], "GET", api.Root+path, "")
		out += fmt.Sprintf("%s %d %s\n", path, r.status, r.body)
	}
	return out
}
