package webapi

import (
	"context"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
)

func texts[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func idsOf[T ~string](list []string) []T {
	out := make([]T, len(list))
	for i, id := range list {
		out[i] = T(id)
	}
	return out
}

func idsIn[T ~string](list *[]string) *[]T {
	if list == nil {
		return nil
	}
	out := idsOf[T](*list)
	return &out
}

func userDocument(u account.User) api.User {
	out := api.User{
		UID: string(u.ID), CustUID: string(u.Customer), Name: u.Name, Email: u.Email, First: u.First, Last: u.Last, Phone: u.Phone, State: api.UserAlone, Owner: u.Owner,
		Roles: texts(u.Roles), Permissions: u.Granted(), ByFacility: u.ByFacility, Facilities: texts(u.Facilities), Disabled: u.Disabled, Banned: u.BannedWhy,
		Applied: u.AppliedAt, AppliedTo: string(u.Applied), Created: u.Created, LastLogin: u.LastLogin,
	}
	switch {
	case u.Customer != "":
		out.State = api.UserMember
	case u.Applied != "":
		out.State = api.UserPending
	}
	if u.Owner {
		out.Roles = append([]string{string(account.RoleOwner)}, out.Roles...)
	}
	return out
}

func usersAnswer(list []account.User, limit int) *api.UsersAnswer {
	list, next := pageOf("u", list, limit, func(u account.User) string { return string(u.ID) })
	out := &api.UsersAnswer{Users: []api.User{}, Next: next}
	for _, u := range list {
		out.Users = append(out.Users, userDocument(u))
	}
	return out
}

func userAnswerOf(u account.User, err error) (*api.User, error) {
	if err != nil {
		return nil, err
	}
	doc := userDocument(u)
	return &doc, nil
}

func doneOr(err error) (*done, error) {
	if err != nil {
		return nil, err
	}
	return &done{true}, nil
}

func (a *API) users(ctx context.Context, c caller, in *PageInput) (*api.UsersAnswer, error) {
	after, limit, err := in.after("u")
	if err != nil {
		return nil, err
	}
	list, err := a.Accounts.Users(ctx, c.Principal, account.UserID(after), limit+1)
	if err != nil {
		return nil, err
	}
	return usersAnswer(list, limit), nil
}

// UserPath is the user of a path. It is exported since huma fills exported parts only.
type UserPath struct {
	User account.UserID `path:"user_uid" maxLength:"64" doc:"UID of the user"`
}

func (a *API) getUser(ctx context.Context, c caller, in *UserPath) (*api.User, error) {
	return userAnswerOf(a.Accounts.UserOf(ctx, c.Principal, in.User))
}

type addUserInput struct{ Body api.AddUserRequest }

func (a *API) addUser(ctx context.Context, c caller, in *addUserInput) (*api.User, error) {
	b := in.Body
	return userAnswerOf(a.Accounts.CreateUser(ctx, c.Principal, account.NewUser{
		Name: b.User, Password: b.Password, Email: b.Email, First: b.First, Last: b.Last, Phone: b.Phone, Roles: idsOf[account.RoleID](b.Roles),
		ByFacility: b.ByFacility, Facilities: idsOf[account.FacilityID](b.Facilities), Customer: account.CustomerID(b.CustUID),
	}))
}

type updateUserInput struct {
	UserPath
	Body api.UpdateUserRequest
}

func (a *API) updateUser(ctx context.Context, c caller, in *updateUserInput) (*api.User, error) {
	b := in.Body
	if _, err := a.Accounts.UpdateUser(ctx, c.Principal, in.User, account.Person{
		Email: b.Email, First: b.First, Last: b.Last, Phone: b.Phone, Password: b.Password, Address: c.request.address,
		ByFacility: b.ByFacility, Facilities: idsIn[account.FacilityID](b.Facilities),
	}); err != nil {
		return nil, err
	}
	return userAnswerOf(a.Accounts.UserOf(ctx, c.Principal, in.User))
}

func (a *API) deleteUser(ctx context.Context, c caller, in *UserPath) (*done, error) {
	return doneOr(a.Accounts.DeleteUser(ctx, c.Principal, in.User))
}

type enableUserInput struct {
	UserPath
	Body api.EnableUserRequest
}

func (a *API) enableUser(ctx context.Context, c caller, in *enableUserInput) (*done, error) {
	return doneOr(a.Accounts.SetDisabled(ctx, c.Principal, in.User, !in.Body.Enabled))
}

type banUserInput struct {
	UserPath
	Body api.BanRequest
}

func (a *API) banUser(ctx context.Context, c caller, in *banUserInput) (*done, error) {
	return doneOr(a.Accounts.Ban(ctx, c.Principal, in.User, in.Body.Why))
}

type setRolesInput struct {
	UserPath
	Body api.SetRolesRequest
}

func (in *setRolesInput) access() account.Access {
	return account.Access{
		AddRoles: idsOf[account.RoleID](in.Body.Add), RemoveRoles: idsOf[account.RoleID](in.Body.Remove),
		ByFacility: in.Body.ByFacility, Facilities: idsIn[account.FacilityID](in.Body.Facilities),
	}
}

func (a *API) setRoles(ctx context.Context, c caller, in *setRolesInput) (*api.User, error) {
	return userAnswerOf(a.Accounts.SetAccess(ctx, c.Principal, in.User, in.access()))
}

func (a *API) resetUser(ctx context.Context, c caller, in *UserPath) (*api.ResetUserAnswer, error) {
	link, err := a.Accounts.ResetUser(ctx, c.Principal, in.User)
	if err != nil {
		return nil, err
	}
	return &api.ResetUserAnswer{Mailed: link == "", Link: link}, nil
}

type historyInput struct {
	UserPath
	Limit  int   `query:"limit" minimum:"0" maximum:"1000" doc:"How many at most; 100 without it"`
	Before int64 `query:"before" minimum:"0" doc:"Only events of a smaller number: the next page"`
}

// userHistory tells what a user did, from the audit: to themselves, to who manages them, to the administrator of the system.
func (a *API) userHistory(ctx context.Context, c caller, in *historyInput) (*api.HistoryAnswer, error) {
	u, err := a.Accounts.UserOf(ctx, c.Principal, in.User)
	if err != nil {
		return nil, err
	}
	if a.Audit == nil {
		return nil, fault.New(fault.Unavailable, "This node keeps no audit.")
	}
	f := audit.Filter{View: audit.ViewServer, Actor: "user:" + string(u.ID), Before: in.Before, Limit: in.Limit}
	if !c.Everywhere() { // what the user did for another customer before is that customer's
		f.View, f.Customer = audit.ViewCustomer, string(c.Customer)
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	events, err := a.Audit.Audit(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &api.HistoryAnswer{Events: []api.UserEvent{}}
	for _, e := range events {
		out.Events = append(out.Events, userEvent(e))
	}
	return out, nil
}

func userEvent(e audit.Event) api.UserEvent {
	return api.UserEvent{Seq: e.Seq, At: millis(e.AtMillis), Address: e.Address, Action: e.Action, Target: e.Target, Outcome: e.Outcome, Reason: e.Reason, Details: e.Details}
}
