package account

import (
	"context"
	"slices"

	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

const noRole = "There is no such role."

// grantable resolves roles that p gives to a user of a customer: the program's own or the customer's, none of which grants what p lacks.
func (s *Service) grantable(ctx context.Context, p Principal, customer CustomerID, ids []RoleID) ([]RoleID, error) {
	var out []RoleID
	for _, id := range ids {
		r, err := s.role(ctx, customer, roleNamed(id))
		if err != nil {
			return nil, err
		}
		switch {
		case r.ID == RoleOwner:
			return nil, fault.New(fault.Conflict, "Ownership is transferred, not given.").At("roles")
		case r.System && !p.System():
			return nil, fault.New(fault.Forbidden, "Only the administrator of the system gives roles that reach beyond a customer.").At("roles")
		case !p.Permissions.Covers(r.Permissions):
			return nil, fault.New(fault.Forbidden, "A user cannot get a permission that you lack.").At("roles")
		}
		if !slices.Contains(out, r.ID) {
			out = append(out, r.ID)
		}
	}
	return out, nil
}

// role finds a role that users of a customer can have.
func (s *Service) role(ctx context.Context, customer CustomerID, id RoleID) (Role, error) {
	if r, ok := Builtin(id); ok {
		return r, nil
	}
	for _, of := range []CustomerID{customer, ""} {
		list, err := s.store.Roles(ctx, of)
		if err != nil {
			return Role{}, told(err, "list roles", noRole)
		}
		if i := slices.IndexFunc(list, func(r Role) bool { return r.ID == id }); i >= 0 {
			return list[i], nil
		}
	}
	return Role{}, fault.New(fault.NotFound, noRole).At("roles")
}

// Roles lists the roles that p's customer has: the program's own and those that its people made. Roles that reach beyond a customer are
// for who acts everywhere.
func (s *Service) Roles(ctx context.Context, p Principal) ([]Role, error) {
	if err := Allow(p, permission.OwnAccount, Resource{}); err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(slices.Clone(builtin), func(r Role) bool { return r.System && !p.Everywhere() })
	of := []CustomerID{}
	if p.Customer != "" {
		of = append(of, p.Customer)
	}
	if p.Everywhere() {
		of = append(of, "")
	}
	for _, c := range of {
		list, err := s.store.Roles(ctx, c)
		if err != nil {
			return nil, told(err, "list roles", noRole)
		}
		out = append(out, list...)
	}
	return out, nil
}

// maxRoles is how many roles people can make for a customer: every request of a user looks up theirs.
const maxRoles = 1000

// neverInRoles are the permissions that no role of people grants: the owner's alone, and what only the program's own role has.
var neverInRoles = permission.Of(permission.BillingManage, permission.System)

// PutRole makes a role, or changes the one with r.ID. With r.System it is one for users of the whole node.
func (s *Service) PutRole(ctx context.Context, p Principal, r Role) (Role, error) {
	if err := manages(p, permission.RolesManage); err != nil {
		return Role{}, err
	}
	if err := first(checkText("name", r.Name, 1, 100), unknownPermission(r.Permissions)); err != nil {
		return Role{}, err
	}
	r.Customer = p.Customer
	if r.System {
		if !p.System() {
			return Role{}, fault.New(fault.Forbidden, "Only the administrator of the system makes roles that reach beyond a customer.").At("system")
		}
		r.Customer = ""
	} else if r.Customer == "" {
		return Role{}, fault.New(fault.Conflict, "You belong to no customer that could have roles.")
	}
	if r.Permissions == 0 || r.Permissions&neverInRoles != 0 || !r.System && r.Permissions.Has(permission.AllCustomers) {
		return Role{}, fault.New(fault.Invalid, "A role grants something, and neither billing_manage nor system; all_customers only one that reaches beyond a customer.").At("permissions")
	}
	r.Permissions = r.Permissions.With(permission.Of(permission.OwnAccount))
	if !p.Permissions.Covers(r.Permissions) {
		return Role{}, fault.New(fault.Forbidden, "A role cannot grant a permission that you lack.").At("permissions")
	}
	if r.ID == "" {
		r.ID = RoleID("r" + newID())
	} else if old, err := s.role(ctx, r.Customer, r.ID); err != nil {
		return Role{}, err
	} else if _, own := Builtin(r.ID); own || old.Customer != r.Customer || !p.Permissions.Covers(old.Permissions) {
		return Role{}, fault.New(fault.Forbidden, "This role is not yours to change.")
	} else {
		say(ctx, "permissions_before", old.Permissions.String())
		r.Created = old.Created
	}
	if r.Created == 0 {
		r.Created = s.now()
		if list, err := s.store.Roles(ctx, r.Customer); err != nil {
			return Role{}, told(err, "list roles", noRole)
		} else if len(list) >= maxRoles {
			return Role{}, fault.Newf(fault.Conflict, "There are %d roles already, and no room for more.", maxRoles).WithHint("Delete roles that nobody has.")
		}
	}
	say(ctx, "role", r.Name, "permissions", r.Permissions.String())
	return r, told(s.store.PutRole(ctx, r), "store a role", noRole)
}

// DeleteRole removes a role, and takes it from who has it.
func (s *Service) DeleteRole(ctx context.Context, p Principal, id RoleID) error {
	if err := manages(p, permission.RolesManage); err != nil {
		return err
	}
	r, err := s.role(ctx, p.Customer, id)
	if err != nil {
		return err
	}
	if _, own := Builtin(id); own || r.System && !p.System() || !p.Permissions.Covers(r.Permissions) {
		return fault.New(fault.Forbidden, "This role is not yours to delete.")
	}
	say(ctx, "role", r.Name, "permissions_before", r.Permissions.String())
	return told(s.store.DeleteRole(ctx, r.Customer, id), "delete a role", noRole)
}
