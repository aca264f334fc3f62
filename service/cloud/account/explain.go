package account

import (
	"context"

	"metermanager/rpc/permission"
)

// Explained is why a user may do what.
type Explained struct {
	User User
	// Acts is who the user is to the rest of the node.
	Acts Principal
	// Blocked says why the user cannot log in, "" when they can.
	Blocked string
	// By lists what grants each permission: ids of roles, "owner", or "user" for what was given besides.
	By map[permission.Permission][]string
}

// Explain tells why a user that p may see may do what: oneself, or one that p manages.
func (s *Service) Explain(ctx context.Context, p Principal, id UserID) (Explained, error) {
	u, err := s.UserOf(ctx, p, id)
	if err != nil {
		return Explained{}, err
	}
	out := Explained{User: u, Acts: u.principal(), By: map[permission.Permission][]string{}}
	switch {
	case u.Banned != 0:
		out.Blocked = "The user is banned: " + u.BannedWhy
	case u.Disabled:
		out.Blocked = "The user is disabled."
	}
	may := u.rights()
	grant := func(by string, of permission.Set) {
		for _, one := range permission.All() {
			if may.Has(one) && of.Has(one) {
				out.By[one] = append(out.By[one], by)
			}
		}
	}
	for _, one := range u.grants() {
		grant(one.by, one.set)
	}
	return out, nil
}

// granted is a set of permissions and what grants it.
type granted struct {
	by  string
	set permission.Set
}

// grants lists what the rights of a user come from.
func (u *User) grants() (out []granted) {
	if r, ok := Builtin(RoleOwner); ok && u.Owner {
		out = append(out, granted{string(RoleOwner), r.Permissions})
	}
	for _, id := range u.Roles {
		if r, ok := Builtin(id); ok && (r.System || u.Customer != "") {
			out = append(out, granted{string(id), r.Permissions})
		}
	}
	for _, r := range u.Custom {
		if r.System || u.Customer != "" {
			out = append(out, granted{string(r.ID), r.Permissions})
		}
	}
	if u.Customer != "" {
		out = append(out, granted{"user", u.Permissions})
	}
	return out
}
