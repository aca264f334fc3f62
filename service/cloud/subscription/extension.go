package subscription

import (
	"context"
	"fmt"
	"slices"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

var errExtension = fault.New(fault.NotFound, "There is no such extension.").At("extension").WithHint("GET " + api.Root + "/extensions lists them.")

// Uses reports whether p may use an extension: one that is free, or that p's customer has switched on. Who acts for the whole node
// may use them all.
func (s *Service) Uses(ctx context.Context, p account.Principal, e api.Extension) error {
	if e == "" || p.Everywhere() || !slices.Contains(s.policy.Load().Billable, e) {
		return nil
	}
	on, err := s.store.Extensions(ctx, account.CustomerScope(p.Customer), p.Customer)
	if err != nil {
		return fmt.Errorf("list extensions: %w", err)
	}
	if slices.Contains(on, e) {
		return nil
	}
	return fault.Newf(fault.Forbidden, "This belongs to the extension %s, which is not switched on for your customer.", e).At("extension").
		WithHint("An administrator of your customer can switch it on; it is billed then.")
}

// Extensions lists all extensions, and which of them p's customer, or for system administrators another one, has.
func (s *Service) Extensions(ctx context.Context, p account.Principal, c account.CustomerID) ([]api.ExtensionState, error) {
	c, err := s.customer(p, c, permission.MetersRead)
	if err != nil {
		return nil, err
	}
	on, err := s.store.Extensions(ctx, p.Scope(), c)
	if err != nil {
		return nil, fmt.Errorf("list extensions: %w", err)
	}
	out := []api.ExtensionState{}
	for _, e := range api.Extensions() {
		billable := slices.Contains(s.policy.Load().Billable, e.Name)
		out = append(out, api.ExtensionState{Name: e.Name, Summary: e.Summary, Billable: billable, On: slices.Contains(on, e.Name)})
	}
	return out, nil
}

// SwitchExtension switches an extension of p's customer, or for system administrators of another one, on or off.
func (s *Service) SwitchExtension(ctx context.Context, p account.Principal, c account.CustomerID, e api.Extension, on bool) error {
	c, err := s.customer(p, c, permission.UsersManage)
	if err != nil {
		return err
	}
	if p.ByFacility || p.Meter != "" {
		return errHeld
	}
	if _, ok := api.LookupExtension(e); !ok {
		return errExtension
	}
	say(ctx, "extension", string(e), "on", fmt.Sprint(on), "of_customer", string(c))
	if err := s.store.SwitchExtension(ctx, p.Scope(), c, e, on, s.now()); err != nil {
		return fmt.Errorf("switch an extension: %w", err)
	}
	return nil
}

// customer is whose extensions p means.
func (s *Service) customer(p account.Principal, c account.CustomerID, perm permission.Permission) (account.CustomerID, error) {
	if c == "" {
		c = p.Customer
	}
	if err := account.Allow(p, perm, account.Resource{}); err != nil {
		return "", err
	}
	if c != p.Customer && !p.Everywhere() {
		return "", fault.New(fault.NotFound, "There is no such customer.").At("customer")
	}
	if c == "" {
		return "", fault.New(fault.Invalid, "Say whose extensions are meant.").At("customer")
	}
	return c, nil
}
