package webapi

import (
	"context"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

type accessInput struct {
	UserPath
	Meter logdb.MeterUID `query:"meter_uid" maxLength:"200" doc:"Also tell whether the user can see this meter, and why not"`
}

// access tells why a user may do what, from the tables by which it is decided.
func (a *API) access(ctx context.Context, c caller, in *accessInput) (*api.AccessAnswer, error) {
	got, err := a.Accounts.Explain(ctx, c.Principal, in.User)
	if err != nil {
		return nil, err
	}
	u := userDocument(got.User)
	out := &api.AccessAnswer{UserUID: u.UID, User: u.Name, State: u.State, Blocked: got.Blocked, Grants: []api.AccessGrant{}}
	for _, p := range permission.All() {
		if by := got.By[p]; len(by) > 0 {
			out.Grants = append(out.Grants, api.AccessGrant{Permission: p.String(), By: by})
		}
	}
	may := func(p permission.Permission) bool { return p == permission.Public || got.Acts.Permissions.Has(p) }
	for _, op := range api.Operations() {
		out.Operations = append(out.Operations, api.AccessOperation{Name: op.ID, Permission: op.Permission.String(), Allowed: may(op.Permission)})
	}
	for _, command := range api.Commands() {
		runs := command.Shared()
		if !runs {
			if runs, err = a.Commands.Runs(ctx, got.Acts); err != nil {
				return nil, err
			}
		}
		out.Operations = append(out.Operations, api.AccessOperation{Name: command.Name, Command: true, Permission: command.Permission.String(), Allowed: runs && may(command.Permission)})
	}
	if in.Meter != "" {
		out.Meter, err = a.accessToMeter(ctx, c.Principal, got, in.Meter)
	}
	return out, err
}

// accessToMeter asks as the user would, after who asks was found to see the meter: nobody learns from it of one that is out of their sight.
func (a *API) accessToMeter(ctx context.Context, p account.Principal, of account.Explained, uid logdb.MeterUID) (*api.AccessMeter, error) {
	out := &api.AccessMeter{MeterUID: uid}
	m, err := a.Meters.Access(ctx, p, permission.MetersRead, uid)
	if err != nil {
		if of.User.ID != p.User || fault.CodeOf(err) != fault.NotFound {
			return nil, err
		}
		out.Why = "There is no such meter for you: it is not on the list of your customer, or at none of the facilities to which you are held."
		return out, nil
	}
	_, err = a.Meters.Access(ctx, of.Acts, permission.MetersRead, uid)
	switch out.Sees = err == nil; {
	case of.Blocked != "":
		out.Why = of.Blocked
	case out.Sees:
		if _, err = a.Meters.Access(ctx, of.Acts, permission.LogsRead, uid); err != nil {
			if code := fault.CodeOf(err); code != fault.Forbidden && code != fault.NotFound {
				return nil, err
			}
			out.Why = fault.From(err).Message
		}
		out.Reads = err == nil
	case fault.CodeOf(err) == fault.Forbidden:
		out.Why = "No role of the user grants " + permission.MetersRead.String() + "."
	case fault.CodeOf(err) != fault.NotFound:
		return nil, err
	case m.Customer != of.User.Customer:
		out.Why = "The meter is not on the list of the user's customer."
	default:
		out.Why = "The user is held to facilities, and the meter is at none of them."
	}
	return out, nil
}
