package webapi

import (
	"context"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
)

type loginInput struct{ Body api.LoginRequest }

func (a *API) login(ctx context.Context, c caller, in *loginInput) (*api.LoginAnswer, error) {
	if t := audit.Of(ctx); t != nil { // who it is, is known only when the password is right
		t.Describe(api.OpLogin, "", map[string]string{"user": plainText(in.Body.User)})
	}
	got, err := a.Accounts.Login(ctx, account.Login{User: in.Body.User, Password: in.Body.Password, Address: c.request.address})
	if err != nil {
		return nil, err
	}
	return a.loggedIn(ctx, c, got, in.Body.Cookie)
}

func (a *API) loggedIn(ctx context.Context, c caller, got account.LoggedIn, cookie bool) (*api.LoginAnswer, error) {
	name := ""
	if got.Principal.Customer != "" { // who waits for a customer has none
		customer, _, err := a.Accounts.CustomerOf(ctx, got.Principal)
		if err != nil {
			return nil, err
		}
		name = customer.Name
	}
	waiting, err := a.Accounts.Waiting(ctx, got.Principal)
	if err != nil {
		return nil, err
	}
	if cookie {
		age := int((got.Expires.Time().Sub(a.cfg.Now())).Seconds())
		c.request.cookies = append(c.request.cookies, c.request.sessionCookie(got.Token, max(age, 1)))
	}
	return &api.LoginAnswer{
		Token: got.Token, Expires: got.Expires, User: got.Principal.Name, UserUID: string(got.Principal.User), Customer: name, CustUID: string(got.Principal.Customer),
		Permissions: got.Principal.Permissions, State: stateOf(got.Principal.Customer, got.Waiting), Pending: waiting,
	}, nil
}

func stateOf(customer account.CustomerID, waiting bool) string {
	switch {
	case customer != "":
		return api.UserMember
	case waiting:
		return api.UserPending
	}
	return api.UserAlone
}

// done is the answer of what only succeeds.
type done struct {
	OK bool `json:"ok"`
}

func (a *API) logout(ctx context.Context, c caller, _ *none) (*done, error) {
	if c.request.token != "" {
		if err := a.Accounts.Logout(ctx, c.request.token); err != nil {
			return nil, err
		}
	}
	c.request.cookies = append(c.request.cookies, c.request.sessionCookie("", -1))
	return &done{true}, nil
}

func (a *API) user(ctx context.Context, c caller, _ *none) (*api.UserAnswer, error) {
	if !c.Known() {
		return nil, fault.New(fault.Unauthenticated, "Nobody is logged in.")
	}
	out := &api.UserAnswer{KeyID: string(c.Key), Permissions: c.Permissions, Meter: c.Meter, Started: a.started}
	if c.User != "" {
		u, err := a.Accounts.Me(ctx, c.Principal)
		if err != nil {
			return nil, err
		}
		out.User, out.UserUID, out.Email, out.State = u.Name, string(u.ID), u.Email, stateOf(u.Customer, u.Applied != "")
		if out.Pending, err = a.Accounts.Waiting(ctx, c.Principal); err != nil {
			return nil, err
		}
	}
	if c.Customer == "" { // the key of a meter that is nobody's yet, and who waits to be let in
		return out, nil
	}
	out.CustUID = string(c.Customer)
	customer, key, err := a.Accounts.CustomerOf(ctx, c.Principal)
	out.Customer, out.CustomerKey = customer.Name, key
	return out, err
}

type setupInput struct{ Body api.SetupRequest }

func (a *API) setup(ctx context.Context, c caller, in *setupInput) (*api.LoginAnswer, error) {
	got, err := a.Accounts.SetUp(ctx, account.Setup{
		Token: in.Body.Token, User: in.Body.User, Password: in.Body.Password, Address: c.request.address,
	})
	if err != nil {
		return nil, err
	}
	return a.loggedIn(ctx, c, got, false)
}
