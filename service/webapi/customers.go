package webapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/cloud/account"
)

func millis(ms int64) logdb.Millis { return logdb.Millis(ms) }

func customerDocument(c account.Customer, owner account.User) api.Customer {
	return api.Customer{
		UID: string(c.ID), CustUID: string(c.ID), UserUID: string(c.Owner), User: owner.Name, Email: owner.Email, Company: c.Name,
		ContactFirst: c.Contact.First, ContactLast: c.Contact.Last, ContactEmail: c.Contact.Email, ContactPhone: c.Contact.Phone, Address: c.Contact.Address, Created: c.Created,
	}
}

func (a *API) customers(ctx context.Context, c caller, in *PageInput) (*api.CustomersAnswer, error) {
	after, limit, err := in.after("c")
	if err != nil {
		return nil, err
	}
	list, err := a.Accounts.Customers(ctx, c.Principal, account.CustomerID(after), limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf("c", list, limit, func(l account.Listed) string { return string(l.ID) })
	out := &api.CustomersAnswer{Customers: []api.Customer{}, Next: next}
	for _, l := range list {
		out.Customers = append(out.Customers, customerDocument(l.Customer, l.OwnerUser))
	}
	return out, nil
}

// CustomerPath is the customer of a path. It is exported since huma fills exported parts only.
type CustomerPath struct {
	Customer account.CustomerID `path:"cust_uid" maxLength:"64" doc:"UID of the customer"`
}

func (a *API) customer(ctx context.Context, c caller, in *CustomerPath) (*api.Customer, error) {
	return a.customerAnswer(ctx, c, in.Customer)
}

func (a *API) customerAnswer(ctx context.Context, c caller, id account.CustomerID) (*api.Customer, error) {
	got, err := a.Accounts.Listed(ctx, c.Principal, id)
	if err != nil {
		return nil, err
	}
	doc := customerDocument(got.Customer, got.OwnerUser)
	return &doc, nil
}

type updateCustomerInput struct {
	CustomerPath
	Body api.UpdateCustomerRequest
}

func (a *API) updateCustomer(ctx context.Context, c caller, in *updateCustomerInput) (*api.Customer, error) {
	b := in.Body
	if _, err := a.Accounts.UpdateCustomer(ctx, c.Principal, in.Customer, account.CustomerInfo{
		Name: b.Company, First: b.ContactFirst, Last: b.ContactLast, Email: b.ContactEmail, Phone: b.ContactPhone, Address: b.Address,
	}); err != nil {
		return nil, err
	}
	return a.customerAnswer(ctx, c, in.Customer)
}

func (a *API) deleteCustomer(ctx context.Context, c caller, in *CustomerPath) (*done, error) {
	return doneOr(a.Accounts.DeleteCustomer(ctx, c.Principal, in.Customer))
}

func (a *API) rotateCustomerKey(ctx context.Context, c caller, in *CustomerPath) (*api.CustomerKeyAnswer, error) {
	key, err := a.Accounts.RotateCustomerKey(ctx, c.Principal, in.Customer)
	if err != nil {
		return nil, err
	}
	return &api.CustomerKeyAnswer{CustomerKey: key}, nil
}

type transferInput struct {
	CustomerPath
	Body api.TransferRequest
}

func (a *API) transfer(ctx context.Context, c caller, in *transferInput) (*done, error) {
	return doneOr(a.Accounts.TransferOwnership(ctx, c.Principal, in.Customer, account.UserID(in.Body.UserUID)))
}

func (a *API) billing(ctx context.Context, c caller, in *CustomerPath) (*api.BillingInfo, error) {
	b, err := a.Accounts.BillingOf(ctx, c.Principal, in.Customer)
	if err != nil {
		return nil, err
	}
	doc := api.BillingInfo(b)
	return &doc, nil
}

type setBillingInput struct {
	CustomerPath
	Body api.BillingInfo
}

func (a *API) setBilling(ctx context.Context, c caller, in *setBillingInput) (*done, error) {
	return doneOr(a.Accounts.SetBilling(ctx, c.Principal, in.Customer, account.Billing(in.Body)))
}

func roleDocument(r account.Role) api.Role {
	_, own := account.Builtin(r.ID)
	return api.Role{ID: string(r.ID), Name: r.Name, Permissions: r.Permissions, Builtin: own, System: r.System}
}

func (a *API) roles(ctx context.Context, c caller, in *PageInput) (*api.RolesAnswer, error) {
	list, err := a.Accounts.Roles(ctx, c.Principal)
	if err != nil {
		return nil, err
	}
	list, next, err := pageIn(*in, "o", list, func(r account.Role) string { return string(r.ID) })
	if err != nil {
		return nil, err
	}
	out := &api.RolesAnswer{Roles: []api.Role{}, Next: next}
	for _, r := range list {
		out.Roles = append(out.Roles, roleDocument(r))
	}
	return out, nil
}

type createRoleInput struct{ Body api.PutRoleRequest }

// Resolve refuses names of permissions that this version does not know.
func (in *createRoleInput) Resolve(huma.Context) []error { return known(in.Body.Permissions) }

func (a *API) createRole(ctx context.Context, c caller, in *createRoleInput) (*api.Role, error) {
	return a.putRole(ctx, c, "", in.Body)
}

// RolePath is the role of a path. It is exported since huma fills exported parts only.
type RolePath struct {
	Role account.RoleID `path:"role" maxLength:"64"`
}

type updateRoleInput struct {
	RolePath
	Body api.PutRoleRequest
}

// Resolve refuses names of permissions that this version does not know.
func (in *updateRoleInput) Resolve(huma.Context) []error { return known(in.Body.Permissions) }

func (a *API) updateRole(ctx context.Context, c caller, in *updateRoleInput) (*api.Role, error) {
	return a.putRole(ctx, c, in.Role, in.Body)
}

func (a *API) putRole(ctx context.Context, c caller, id account.RoleID, b api.PutRoleRequest) (*api.Role, error) {
	r, err := a.Accounts.PutRole(ctx, c.Principal, account.Role{ID: id, Name: b.Name, Permissions: b.Permissions, System: b.System})
	if err != nil {
		return nil, err
	}
	doc := roleDocument(r)
	return &doc, nil
}

func (a *API) deleteRole(ctx context.Context, c caller, in *RolePath) (*done, error) {
	return doneOr(a.Accounts.DeleteRole(ctx, c.Principal, in.Role))
}

func facilityDocument(f account.Facility) api.Facility {
	return api.Facility{UID: string(f.ID), CustUID: string(f.Customer), Name: f.Name, Address: f.Address, Created: f.Created}
}

func (a *API) facilities(ctx context.Context, c caller, in *PageInput) (*api.FacilitiesAnswer, error) {
	after, limit, err := in.after("f")
	if err != nil {
		return nil, err
	}
	list, err := a.Accounts.Facilities(ctx, c.Principal, account.FacilityID(after), limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf("f", list, limit, func(f account.Facility) string { return string(f.ID) })
	out := &api.FacilitiesAnswer{Facilities: []api.Facility{}, Next: next}
	for _, f := range list {
		out.Facilities = append(out.Facilities, facilityDocument(f))
	}
	return out, nil
}

func facilityAnswer(f account.Facility, err error) (*api.Facility, error) {
	if err != nil {
		return nil, err
	}
	doc := facilityDocument(f)
	return &doc, nil
}

type createFacilityInput struct{ Body api.CreateFacilityRequest }

func (a *API) createFacility(ctx context.Context, c caller, in *createFacilityInput) (*api.Facility, error) {
	return facilityAnswer(a.Accounts.CreateFacility(ctx, c.Principal, account.Facility{Name: in.Body.Name, Address: in.Body.Address, Customer: account.CustomerID(in.Body.CustUID)}))
}

// FacilityPath is the facility of a path. It is exported since huma fills exported parts only.
type FacilityPath struct {
	Facility account.FacilityID `path:"facility_uid" maxLength:"64"`
}

type updateFacilityInput struct {
	FacilityPath
	Body api.UpdateFacilityRequest
}

func (a *API) updateFacility(ctx context.Context, c caller, in *updateFacilityInput) (*api.Facility, error) {
	return facilityAnswer(a.Accounts.UpdateFacility(ctx, c.Principal, in.Facility, in.Body.Name, in.Body.Address))
}

func (a *API) deleteFacility(ctx context.Context, c caller, in *FacilityPath) (*done, error) {
	return doneOr(a.Accounts.DeleteFacility(ctx, c.Principal, in.Facility))
}
