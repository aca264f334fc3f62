package registry

import (
	"context"
	"errors"
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/audit"
)

// PoolQuery finds meters that wait for a customer. Empty members do not matter.
type PoolQuery struct {
	UID          logdb.MeterUID
	Make, Serial string
	After        logdb.MeterUID
	Limit        int
}

// Pool finds meters that wait for a customer: all of them for who acts everywhere; for others those of one exact serial or UID, and so
// seldom that nobody tries them all. What is found is no proof of possession yet: that is the claim code.
func (r *Registry) Pool(ctx context.Context, p account.Principal, q PoolQuery) ([]Meter, error) {
	if err := r.manages(p); err != nil {
		return nil, err
	}
	if !p.Everywhere() {
		if q.UID == "" && q.Serial == "" {
			return nil, fault.New(fault.Invalid, "Give the serial or the UID of the meter.").At("serial")
		}
		if wait := r.searches.Take(string(p.Customer), r.cfg.Now()); wait > 0 {
			return nil, fault.Wrap(fault.RateLimited, "Meters are searched too often just now.", account.Locked{Wait: wait})
		}
	}
	q.Make, q.Serial = identity(logdb.Settings{Make: q.Make, Serial: q.Serial})
	list, err := r.store.Pool(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list meters without a customer: %w", err)
	}
	if !p.Everywhere() {
		for i := range list {
			list[i].Former = ""
		}
	}
	return list, nil
}

// manages reports whether p may decide whose meters are.
func (r *Registry) manages(p account.Principal) error {
	if err := account.Allow(p, permission.MetersManage, account.Resource{}); err != nil {
		return err
	}
	if p.ByFacility || p.Meter != "" {
		return fault.New(fault.Forbidden, "This is for users who see all facilities.")
	}
	return nil
}

var errNotClaimed = fault.New(fault.NotFound, "No meter waits under this UID with this claim code.").At("claim")

// Claim gives a meter that waits to p's customer. The claim code is the proof that they have it in hands: the meter or its manager was
// told it, and nobody else.
func (r *Registry) Claim(ctx context.Context, p account.Principal, uid logdb.MeterUID, claim string) (Meter, error) {
	if err := r.manages(p); err != nil {
		return Meter{}, err
	}
	if p.Customer == "" {
		return Meter{}, fault.New(fault.Conflict, "You belong to no customer.")
	}
	if wait := r.claims.Take(string(uid), r.cfg.Now()); wait > 0 {
		return Meter{}, fault.Wrap(fault.RateLimited, "Too many claims of this meter just now.", account.Locked{Wait: wait})
	}
	m, err := r.store.Meter(ctx, account.NodeScope(), uid)
	if errors.Is(err, ErrNotFound) || err == nil && (m.Customer != "" || !claimFits(m, claim)) {
		return Meter{}, errNotClaimed
	} else if err != nil {
		return Meter{}, fmt.Errorf("look up a meter: %w", err)
	}
	if m.Former != "" && m.Former != p.Customer {
		return Meter{}, fault.New(fault.Conflict, "This meter holds data of another customer.").WithHint("Ask the administrator of the system, who can clear them first or hand them over.")
	}
	return r.give(ctx, m, p.Customer)
}

func (r *Registry) give(ctx context.Context, m Meter, to account.CustomerID) (Meter, error) {
	if err := r.store.AssignMeter(ctx, m.UID, to); errors.Is(err, ErrNotFound) {
		return Meter{}, errNotClaimed
	} else if err != nil {
		return Meter{}, fmt.Errorf("give a meter to its customer: %w", err)
	}
	say(ctx, "customer_before", string(m.Customer), "customer", string(to))
	m.Customer, m.Former = to, ""
	return m, nil
}

// say notes what a change is about in its event of the audit.
func say(ctx context.Context, pairs ...string) {
	if t := audit.Of(ctx); t != nil {
		t.Say(pairs...)
	}
}

// Assign gives a meter to a customer without a claim code: the administrator of the system does so. What it logged for another customer
// is only handed over when that is said.
func (r *Registry) Assign(ctx context.Context, p account.Principal, uid logdb.MeterUID, to account.CustomerID, withData bool) (Meter, error) {
	if err := account.Allow(p, permission.AllCustomers, account.Resource{}); err != nil {
		return Meter{}, err
	}
	if err := r.manages(p); err != nil {
		return Meter{}, err
	}
	m, err := r.store.Meter(ctx, account.NodeScope(), uid)
	if errors.Is(err, ErrNotFound) {
		return Meter{}, errNoMeter
	} else if err != nil {
		return Meter{}, fmt.Errorf("look up a meter: %w", err)
	}
	if m.Customer == to {
		return m, nil
	}
	if holds := m.holds(); holds != "" && holds != to && !withData {
		return Meter{}, fault.New(fault.Conflict, "This meter holds data of another customer.").At("with_data").WithHint("Clear its logs first, or hand them over with with_data.")
	}
	if ok, err := r.store.HasCustomer(ctx, to); err != nil || !ok {
		return Meter{}, fault.Wrap(fault.NotFound, "There is no such customer.", err).At("cust_uid")
	}
	if m.Customer != "" {
		if err := r.store.ReleaseMeter(ctx, account.NodeScope(), uid, account.Hash{}, r.now()); err != nil {
			return Meter{}, fmt.Errorf("take a meter from its customer: %w", err)
		}
	}
	say(ctx, "with_data", fmt.Sprint(withData))
	return r.give(ctx, m, to)
}

// holds is whose data the logs of a meter hold.
func (m *Meter) holds() account.CustomerID {
	if m.Customer != "" {
		return m.Customer
	}
	return m.Former
}

// Release takes a meter from its customer: it waits in the pool, goes on uploading with its own key, and nobody reads it. The claim code
// with which it can be claimed again is told once. Other keys of the meter end.
func (r *Registry) Release(ctx context.Context, p account.Principal, uid logdb.MeterUID) (claim string, err error) {
	m, err := r.Access(ctx, p, permission.MetersManage, uid)
	if err != nil {
		return "", err
	}
	if err := r.manages(p); err != nil {
		return "", err
	}
	claim = newClaimCode()
	if err := r.store.ReleaseMeter(ctx, p.Scope(), uid, account.HashOf(canonicalClaim(claim)), r.now()); err != nil {
		return "", fmt.Errorf("take a meter from its customer: %w", err)
	}
	say(ctx, "customer_before", string(m.Customer))
	return claim, nil
}

// Move puts a meter at a facility of its customer, or at none.
func (r *Registry) Move(ctx context.Context, p account.Principal, uid logdb.MeterUID, to account.FacilityID) (Meter, error) {
	m, err := r.Access(ctx, p, permission.MetersManage, uid)
	if err != nil {
		return Meter{}, err
	}
	if err := r.manages(p); err != nil {
		return Meter{}, err
	}
	if err := r.store.MoveMeter(ctx, p.Scope(), uid, to); errors.Is(err, ErrNotFound) {
		return Meter{}, fault.New(fault.NotFound, "There is no such facility.").At("facility_uid")
	} else if err != nil {
		return Meter{}, fmt.Errorf("move a meter: %w", err)
	}
	say(ctx, "facility_before", string(m.Facility), "facility", string(to))
	m.Facility = to
	return r.withSettings(ctx, m)
}

// Replaced is a measuring point with other hardware. APIKey is the key of the new meter, told once; those of the one before have ended.
type Replaced struct {
	Meter  Meter
	APIKey string
}

// Replace notes that another meter hangs at a measuring point: the UID, its data and its place stay.
func (r *Registry) Replace(ctx context.Context, p account.Principal, uid logdb.MeterUID, with logdb.Settings) (Replaced, error) {
	m, err := r.Access(ctx, p, permission.MetersManage, uid)
	if err != nil {
		return Replaced{}, err
	}
	if err := r.manages(p); err != nil {
		return Replaced{}, err
	}
	r.changes.Lock()
	defer r.changes.Unlock()
	if m, err = r.withSettings(ctx, m); err != nil {
		return Replaced{}, err
	}
	s := m.Settings
	s.Serial = with.Serial
	if with.Make != "" {
		s.Make = with.Make
	}
	if with.Model != "" {
		s.Model = with.Model
	}
	s.Firmware = "" // of the meter before
	if s, err = checkSettings(s); err != nil {
		return Replaced{}, err
	}
	mk, serial := identity(s)
	if mk == "" || serial == "" {
		return Replaced{}, fault.New(fault.Invalid, "A meter is known by its make and serial number, which cannot be blank.").At("serial")
	}
	if mk == m.Make && serial == m.Serial {
		return Replaced{}, fault.New(fault.Conflict, "This meter hangs there already.").At("serial")
	}
	key, secret := r.accounts.MeterKey(m.Customer, uid, "meter "+serial)
	if err := r.store.ReplaceMeter(ctx, p.Scope(), uid, mk, serial, key, r.now()); errors.Is(err, ErrExists) {
		return Replaced{}, errRegistered
	} else if err != nil {
		return Replaced{}, fmt.Errorf("replace a meter: %w", err)
	}
	say(ctx, "serial_before", m.Serial, "serial", serial, "make_before", m.Make, "make", mk)
	m.Make, m.Serial = mk, serial
	s.UID, s.Version = uid, newVersion()
	if err := r.logs.PutSettings(ctx, uid, s); err != nil {
		return Replaced{}, fmt.Errorf("store settings of a replaced meter: %w", err)
	}
	m, err = r.withSettings(ctx, m)
	return Replaced{m, secret}, err
}
