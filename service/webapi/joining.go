package webapi

import (
	"context"
	"net/http"

	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

type registerAccountInput struct{ Body api.RegisterAccountRequest }

func (a *API) registerAccount(ctx context.Context, c caller, in *registerAccountInput) (*api.RegisterAccountAnswer, error) {
	b := in.Body
	got, err := a.Accounts.Join(ctx, c.Principal, account.Join{
		NewUser:      account.NewUser{Name: b.User, Password: b.Password, Email: b.Email, First: b.First, Last: b.Last, Phone: b.Phone},
		CustomerName: b.CustomerName, CustomerKey: b.CustomerKey, Invitation: b.Invitation, Address: c.request.address,
	})
	if err != nil {
		return nil, err
	}
	return joinedAnswer(got), nil
}

func joinedAnswer(j account.Joined) *api.RegisterAccountAnswer {
	out := &api.RegisterAccountAnswer{UserUID: string(j.User.ID), State: api.UserPending, Customer: j.Customer.Name}
	if j.User.Customer != "" {
		out.State, out.CustUID = api.UserMember, string(j.Customer.ID)
	}
	return out
}

type forgotInput struct{ Body api.ForgotRequest }

func (a *API) forgot(ctx context.Context, c caller, in *forgotInput) (*done, error) {
	return doneOr(a.Accounts.Forgot(ctx, in.Body.User, c.request.address))
}

type resetInput struct{ Body api.ResetRequest }

func (a *API) reset(ctx context.Context, c caller, in *resetInput) (*done, error) {
	return doneOr(a.Accounts.ResetPassword(ctx, in.Body.Token, in.Body.Password, c.request.address))
}

type changePasswordInput struct{ Body api.ChangePasswordRequest }

func (a *API) changePassword(ctx context.Context, c caller, in *changePasswordInput) (*done, error) {
	return doneOr(a.Accounts.ChangePassword(ctx, c.Principal, in.Body.Old, in.Body.Password, c.request.token, c.request.address))
}

type applyInput struct{ Body api.ApplyRequest }

func (a *API) apply(ctx context.Context, c caller, in *applyInput) (*api.RegisterAccountAnswer, error) {
	got, err := a.Accounts.Apply(ctx, c.Principal, in.Body.CustomerKey, in.Body.Invitation, c.request.address)
	if err != nil {
		return nil, err
	}
	return joinedAnswer(got), nil
}

func (a *API) pending(ctx context.Context, c caller, in *PageInput) (*api.UsersAnswer, error) {
	after, limit, err := in.after("u")
	if err != nil {
		return nil, err
	}
	list, err := a.Accounts.Pending(ctx, c.Principal, account.UserID(after), limit+1)
	if err != nil {
		return nil, err
	}
	return usersAnswer(list, limit), nil
}

func (a *API) approve(ctx context.Context, c caller, in *setRolesInput) (*api.User, error) {
	return userAnswerOf(a.Accounts.Approve(ctx, c.Principal, in.User, in.access()))
}

func (a *API) reject(ctx context.Context, c caller, in *UserPath) (*done, error) {
	return doneOr(a.Accounts.Reject(ctx, c.Principal, in.User))
}

func invitationDocument(i account.Invitation) api.Invitation {
	return api.Invitation{
		ID: string(i.ID), CustUID: string(i.Customer), Email: i.Email, Roles: texts(i.Roles), ByFacility: i.ByFacility, Facilities: texts(i.Facilities),
		By: i.InvitedBy, Created: i.Created, Expires: i.Expires,
	}
}

func (a *API) invitations(ctx context.Context, c caller, in *PageInput) (*api.InvitationsAnswer, error) {
	after, limit, err := in.after("i")
	if err != nil {
		return nil, err
	}
	list, err := a.Accounts.Invitations(ctx, c.Principal, account.InvitationID(after), limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf("i", list, limit, func(i account.Invitation) string { return string(i.ID) })
	out := &api.InvitationsAnswer{Invitations: []api.Invitation{}, Next: next}
	for _, i := range list {
		doc := invitationDocument(i)
		doc.Expired = millis(a.cfg.Now().UnixMilli()) >= i.Expires
		out.Invitations = append(out.Invitations, doc)
	}
	return out, nil
}

type inviteInput struct{ Body api.InviteRequest }

func (a *API) invite(ctx context.Context, c caller, in *inviteInput) (*api.Invitation, error) {
	i, err := a.Accounts.Invite(ctx, c.Principal, account.Invite{
		Email: in.Body.Email, Roles: idsOf[account.RoleID](in.Body.Roles), ByFacility: in.Body.ByFacility, Facilities: idsOf[account.FacilityID](in.Body.Facilities),
	})
	if err != nil {
		return nil, err
	}
	doc := invitationDocument(i)
	return &doc, nil
}

type lookInput struct{ Body api.LookRequest }

func (a *API) invitation(ctx context.Context, c caller, in *lookInput) (*api.LookAnswer, error) {
	i, customer, key, err := a.Accounts.Invited(ctx, in.Body.Invitation, c.request.address)
	if err != nil {
		return nil, err
	}
	return &api.LookAnswer{Customer: customer.Name, CustomerKey: key, Email: i.Email, By: i.InvitedBy, Expires: i.Expires}, nil
}

type invitationInput struct {
	ID account.InvitationID `path:"invitation" maxLength:"64"`
}

func (a *API) endInvitation(ctx context.Context, c caller, in *invitationInput) (*done, error) {
	return doneOr(a.Accounts.EndInvitation(ctx, c.Principal, in.ID))
}

// joinPage serves the form of an invitation.
func (a *API) joinPage(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return newPage(joinHTML, styleCSS, formJS+joinJS, "").serve(w)
}

// resetPage serves the form of a link to choose a password.
func (a *API) resetPage(w http.ResponseWriter, _ *http.Request, _ caller) error {
	return newPage(resetHTML, styleCSS, formJS+resetJS, "").serve(w)
}
