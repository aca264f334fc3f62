package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// Do carries out any operation of the web API whose body is a document, and returns its answer as it came. values are the parts of its
// path in their order. The methods below say the same with types.
func (c *Client) Do(ctx context.Context, op api.Operation, values []string, query url.Values, body any) (json.RawMessage, error) {
	path, left := "", values
	for part := range strings.SplitSeq(strings.TrimPrefix(op.Path, "/"), "/") {
		if strings.HasPrefix(part, "{") {
			if len(left) == 0 {
				return nil, fault.Newf(fault.Invalid, "%s needs %s.", op.ID, strings.Trim(part, "{}"))
			}
			part, left = url.PathEscape(left[0]), left[1:]
		}
		path += "/" + part
	}
	q := call{class: classOnce, method: op.Method, path: path, query: query}
	if op.Body != api.BodyNone {
		var err error
		if q.body, err = document(body); err != nil {
			return nil, err
		}
	}
	a, err := c.do(ctx, q)
	return a.body, err
}

// every collects all pages of a list.
func every[A, T any](ctx context.Context, c *Client, path string, query url.Values, items func(A) ([]T, string)) ([]T, error) {
	var out []T
	for cursor := ""; ; {
		a, err := ask[A](ctx, c, call{class: classQuery, method: get, path: path, query: with(query, cursor)})
		if err != nil {
			return nil, err
		}
		list, next := items(a)
		if out = append(out, list...); next == "" {
			return out, nil
		}
		cursor = next
	}
}

// order carries out what only succeeds.
func (c *Client) order(ctx context.Context, method string, in any, parts ...string) error {
	q := call{class: classOnce, method: method, path: escaped(parts...)}
	if in != nil {
		var err error
		if q.body, err = document(in); err != nil {
			return err
		}
	}
	_, err := c.do(ctx, q)
	return err
}

// RegisterAccount makes an account: with a new customer, by a customer key, or by an invitation.
func (c *Client) RegisterAccount(ctx context.Context, q api.RegisterAccountRequest) (api.RegisterAccountAnswer, error) {
	return tell[api.RegisterAccountAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("accounts")}, q)
}

// ForgotPassword asks for a mail with a link to choose another password.
func (c *Client) ForgotPassword(ctx context.Context, user string) error {
	return c.order(ctx, post, api.ForgotRequest{User: user}, "password", "forgot")
}

// ResetPassword chooses a password by such a link.
func (c *Client) ResetPassword(ctx context.Context, q api.ResetRequest) error {
	return c.order(ctx, post, q, "password", "reset")
}

// ChangePassword changes the own password; other logins end.
func (c *Client) ChangePassword(ctx context.Context, q api.ChangePasswordRequest) error {
	return c.order(ctx, post, q, "user", "password")
}

// ApplyToCustomer asks a customer to be let in.
func (c *Client) ApplyToCustomer(ctx context.Context, q api.ApplyRequest) (api.RegisterAccountAnswer, error) {
	return tell[api.RegisterAccountAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("user", "customer")}, q)
}

// Users lists the users that the credential may see.
func (c *Client) Users(ctx context.Context) ([]api.User, error) {
	return every(ctx, c, escaped("users"), nil, func(a api.UsersAnswer) ([]api.User, string) { return a.Users, a.Next })
}

// UserByUID returns one user.
func (c *Client) UserByUID(ctx context.Context, uid string) (api.User, error) {
	return ask[api.User](ctx, c, call{class: classQuery, method: get, path: escaped("users", uid)})
}

// AddUser adds a user.
func (c *Client) AddUser(ctx context.Context, q api.AddUserRequest) (api.User, error) {
	return tell[api.User](ctx, c, call{class: classOnce, method: post, path: escaped("users")}, q)
}

// UpdateUser changes what is said of a user.
func (c *Client) UpdateUser(ctx context.Context, uid string, q api.UpdateUserRequest) (api.User, error) {
	return tell[api.User](ctx, c, call{class: classOnce, method: put, path: escaped("users", uid)}, q)
}

// DeleteUser deletes a user.
func (c *Client) DeleteUser(ctx context.Context, uid string) error {
	return c.order(ctx, remove, nil, "users", uid)
}

// EnableUser lets a user log in, or not.
func (c *Client) EnableUser(ctx context.Context, uid string, enabled bool) error {
	return c.order(ctx, post, api.EnableUserRequest{Enabled: enabled}, "users", uid, "enabled")
}

// BanUser keeps a user out; why "" lets them in again.
func (c *Client) BanUser(ctx context.Context, uid, why string) error {
	return c.order(ctx, post, api.BanRequest{Why: why}, "users", uid, "ban")
}

// SetUserRoles gives and takes roles.
func (c *Client) SetUserRoles(ctx context.Context, uid string, q api.SetRolesRequest) (api.User, error) {
	return tell[api.User](ctx, c, call{class: classOnce, method: post, path: escaped("users", uid, "roles")}, q)
}

// ResetUser ends a user's password and logins, and sends a link.
func (c *Client) ResetUser(ctx context.Context, uid string) (api.ResetUserAnswer, error) {
	return ask[api.ResetUserAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("users", uid, "password")})
}

// UserHistory tells what a user did, newest first: the newest 100, or with before those in front of an event of that number.
func (c *Client) UserHistory(ctx context.Context, uid string, before int64) (api.HistoryAnswer, error) {
	q := call{class: classQuery, method: get, path: escaped("users", uid, "history")}
	if before > 0 {
		q.query = url.Values{"before": {strconv.FormatInt(before, 10)}}
	}
	return ask[api.HistoryAnswer](ctx, c, q)
}

// UserAccess tells what a user may do and why, and with a meter why they can or cannot see it.
func (c *Client) UserAccess(ctx context.Context, uid string, meter logdb.MeterUID) (api.AccessAnswer, error) {
	q := call{class: classQuery, method: get, path: escaped("users", uid, "access")}
	if meter != "" {
		q.query = url.Values{"meter_uid": {string(meter)}}
	}
	return ask[api.AccessAnswer](ctx, c, q)
}

// PendingUsers lists who waits to be let in.
func (c *Client) PendingUsers(ctx context.Context) ([]api.User, error) {
	return every(ctx, c, escaped("pending-users"), nil, func(a api.UsersAnswer) ([]api.User, string) { return a.Users, a.Next })
}

// ApproveUser lets a user in.
func (c *Client) ApproveUser(ctx context.Context, uid string, q api.SetRolesRequest) (api.User, error) {
	return tell[api.User](ctx, c, call{class: classOnce, method: post, path: escaped("pending-users", uid, "approve")}, q)
}

// RejectUser turns a user away.
func (c *Client) RejectUser(ctx context.Context, uid string) error {
	return c.order(ctx, post, nil, "pending-users", uid, "reject")
}

// Invitations lists open invitations.
func (c *Client) Invitations(ctx context.Context) ([]api.Invitation, error) {
	return every(ctx, c, escaped("invitations"), nil, func(a api.InvitationsAnswer) ([]api.Invitation, string) { return a.Invitations, a.Next })
}

// Invite invites somebody by mail.
func (c *Client) Invite(ctx context.Context, q api.InviteRequest) (api.Invitation, error) {
	return tell[api.Invitation](ctx, c, call{class: classOnce, method: post, path: escaped("invitations")}, q)
}

// Invitation tells what an open invitation fills in.
func (c *Client) Invitation(ctx context.Context, secret string) (api.LookAnswer, error) {
	return tell[api.LookAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("invitation")}, api.LookRequest{Invitation: secret})
}

// WithdrawInvitation takes an invitation back.
func (c *Client) WithdrawInvitation(ctx context.Context, id string) error {
	return c.order(ctx, remove, nil, "invitations", id)
}

// Roles lists the roles that users can have.
func (c *Client) Roles(ctx context.Context) ([]api.Role, error) {
	return every(ctx, c, escaped("roles"), nil, func(a api.RolesAnswer) ([]api.Role, string) { return a.Roles, a.Next })
}

// CreateRole makes a role.
func (c *Client) CreateRole(ctx context.Context, q api.PutRoleRequest) (api.Role, error) {
	return tell[api.Role](ctx, c, call{class: classOnce, method: post, path: escaped("roles")}, q)
}

// UpdateRole changes a role.
func (c *Client) UpdateRole(ctx context.Context, id string, q api.PutRoleRequest) (api.Role, error) {
	return tell[api.Role](ctx, c, call{class: classOnce, method: put, path: escaped("roles", id)}, q)
}

// DeleteRole deletes a role.
func (c *Client) DeleteRole(ctx context.Context, id string) error {
	return c.order(ctx, remove, nil, "roles", id)
}

// Facilities lists facilities.
func (c *Client) Facilities(ctx context.Context) ([]api.Facility, error) {
	return every(ctx, c, escaped("facilities"), nil, func(a api.FacilitiesAnswer) ([]api.Facility, string) { return a.Facilities, a.Next })
}

// CreateFacility makes a facility.
func (c *Client) CreateFacility(ctx context.Context, q api.CreateFacilityRequest) (api.Facility, error) {
	return tell[api.Facility](ctx, c, call{class: classOnce, method: post, path: escaped("facilities")}, q)
}

// UpdateFacility changes a facility.
func (c *Client) UpdateFacility(ctx context.Context, uid string, q api.UpdateFacilityRequest) (api.Facility, error) {
	return tell[api.Facility](ctx, c, call{class: classOnce, method: put, path: escaped("facilities", uid)}, q)
}

// DeleteFacility deletes a facility.
func (c *Client) DeleteFacility(ctx context.Context, uid string) error {
	return c.order(ctx, remove, nil, "facilities", uid)
}

// Customers lists every customer.
func (c *Client) Customers(ctx context.Context) ([]api.Customer, error) {
	return every(ctx, c, escaped("customers"), nil, func(a api.CustomersAnswer) ([]api.Customer, string) { return a.Customers, a.Next })
}

// Customer tells what is said of a customer.
func (c *Client) Customer(ctx context.Context, uid string) (api.Customer, error) {
	return ask[api.Customer](ctx, c, call{class: classQuery, method: get, path: escaped("customers", uid)})
}

// UpdateCustomer changes what is said of a customer.
func (c *Client) UpdateCustomer(ctx context.Context, uid string, q api.UpdateCustomerRequest) (api.Customer, error) {
	return tell[api.Customer](ctx, c, call{class: classOnce, method: put, path: escaped("customers", uid)}, q)
}

// DeleteCustomer deletes a customer.
func (c *Client) DeleteCustomer(ctx context.Context, uid string) error {
	return c.order(ctx, remove, nil, "customers", uid)
}

// RotateCustomerKey gives a customer another customer key.
func (c *Client) RotateCustomerKey(ctx context.Context, uid string) (string, error) {
	a, err := ask[api.CustomerKeyAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("customers", uid, "key")})
	return a.CustomerKey, err
}

// TransferOwnership makes another user the owner of a customer.
func (c *Client) TransferOwnership(ctx context.Context, uid, to string) error {
	return c.order(ctx, post, api.TransferRequest{UserUID: to}, "customers", uid, "owner")
}

// BillingInfo tells what the invoices of a customer say.
func (c *Client) BillingInfo(ctx context.Context, uid string) (api.BillingInfo, error) {
	return ask[api.BillingInfo](ctx, c, call{class: classQuery, method: get, path: escaped("customers", uid, "billing")})
}

// SetBillingInfo changes what the invoices of a customer say.
func (c *Client) SetBillingInfo(ctx context.Context, uid string, q api.BillingInfo) error {
	return c.order(ctx, put, q, "customers", uid, "billing")
}

// UnassignedMeters finds meters that wait for a customer.
func (c *Client) UnassignedMeters(ctx context.Context, manufacturer, serial string, uid logdb.MeterUID) ([]api.PoolMeter, error) {
	query := url.Values{}
	for k, v := range map[string]string{"make": manufacturer, "serial": serial, "meter_uid": string(uid)} {
		if v != "" {
			query.Set(k, v)
		}
	}
	return every(ctx, c, escaped("unassigned-meters"), query, func(a api.PoolAnswer) ([]api.PoolMeter, string) { return a.Meters, a.Next })
}

// AssignMeter claims a meter, takes it from its customer, or gives it to one.
func (c *Client) AssignMeter(ctx context.Context, meter logdb.MeterUID, q api.AssignMeterRequest) (api.AssignMeterAnswer, error) {
	return tell[api.AssignMeterAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("meters", string(meter), "customer")}, q)
}

// MoveMeter puts a meter at a facility, "" at none.
func (c *Client) MoveMeter(ctx context.Context, meter logdb.MeterUID, facility string) (api.Meter, error) {
	return tell[api.Meter](ctx, c, call{class: classOnce, method: post, path: escaped("meters", string(meter), "facility")}, api.MoveMeterRequest{Facility: facility})
}

// ReplaceMeter notes that another meter hangs at the measuring point.
func (c *Client) ReplaceMeter(ctx context.Context, meter logdb.MeterUID, q api.ReplaceMeterRequest) (api.ReplaceMeterAnswer, error) {
	return tell[api.ReplaceMeterAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("meters", string(meter), "hardware")}, q)
}

// CheckLogin asks whether somebody may log in at a meter.
func (c *Client) CheckLogin(ctx context.Context, meter logdb.MeterUID, q api.CheckLoginRequest) (api.CheckLoginAnswer, error) {
	return tell[api.CheckLoginAnswer](ctx, c, call{class: classOnce, method: post, path: escaped("meters", string(meter), "login")}, q)
}
