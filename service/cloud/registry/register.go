package registry

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
)

// Registration is a meter that asks for a UID.
type Registration struct {
	Settings logdb.Settings
	// Claim is the claim code of a meter that waits for its customer, sent by one of the
	// customer's users or managers.
	Claim string
	// CustomerKey associates the meter with that customer, sent by the meter.
	CustomerKey string
}

// Registered is the answer to a registration. APIKey and ClaimCode are told once.
type Registered struct {
	Meter     Meter
	New       bool
	APIKey    string
	ClaimCode string
}

var errRegistered = fault.New(fault.Conflict, "A meter of this make and serial is already registered.").
	WithHint("Register it with its own key, with a key of its customer, or claim it with its claim code.")

// Register makes a meter known, or returns what is known of it. p may be nobody: then the
// meter waits for a customer, with a key of its own that can only upload, and a claim code.
func (r *Registry) Register(ctx context.Context, p account.Principal, reg Registration) (Registered, error) {
	s, err := checkSettings(reg.Settings)
	if err != nil {
		return Registered{}, err
	}
	mk, serial := identity(s)
	if mk == "" || serial == "" {
		field := "serial"
		if mk == "" {
			field = "make"
		}
		return Registered{}, fault.New(fault.Invalid, "A meter is registered by its make and serial number, which cannot be blank.").At(field)
	}
	customer, err := r.customerOf(ctx, p, reg)
	if err != nil {
		return Registered{}, err
	}
	m, err := r.store.MeterBySerial(ctx, mk, serial)
	switch {
	case err == nil:
		return r.registerKnown(ctx, p, customer, m, reg, s)
	case !errors.Is(err, ErrNotFound):
		return Registered{}, fmt.Errorf("look up a meter by serial: %w", err)
	}
	out, err := r.registerNew(ctx, p, customer, s)
	if errors.Is(err, ErrExists) { // somebody registered it in the meantime
		if m, err = r.store.MeterBySerial(ctx, mk, serial); err == nil {
			return r.registerKnown(ctx, p, customer, m, reg, s)
		}
	}
	return out, err
}

// customerOf returns the customer for whom a registration speaks, "" when for none.
func (r *Registry) customerOf(ctx context.Context, p account.Principal, reg Registration) (account.CustomerID, error) {
	if !p.Known() {
		if !r.strays.AllowN(r.cfg.Now(), 1) {
			return "", fault.New(fault.RateLimited, "Too many meters register without a key just now.").WithHint("Try again in a minute.")
		}
	} else if !p.Permissions.Has(permission.Upload) && !p.Permissions.Has(permission.MetersManage) {
		return "", account.Allow(p, permission.Upload, account.Resource{})
	} else if p.ByFacility {
		return "", fault.New(fault.Forbidden, "Meters are registered by users who see all facilities.")
	}
	if reg.CustomerKey == "" {
		return p.Customer, nil
	}
	c, err := r.accounts.CustomerByKey(ctx, reg.CustomerKey)
	if err != nil {
		return "", err
	}
	if p.Customer != "" && p.Customer != c.ID {
		return "", fault.New(fault.Forbidden, "The customer key belongs to another customer than the login or key.").At("customer_key")
	}
	return c.ID, nil
}

func (r *Registry) registerNew(ctx context.Context, p account.Principal, customer account.CustomerID, s logdb.Settings) (Registered, error) {
	if p.Meter != "" {
		return Registered{}, fault.New(fault.Forbidden, "This key belongs to one meter and cannot register another.")
	}
	mk, serial := identity(s)
	out := Registered{New: true, Meter: Meter{
		UID: r.cfg.NewUID(), Customer: customer, Make: mk, Serial: serial, Enabled: true, Created: r.now(),
	}}
	if customer == "" {
		n, err := r.store.Unassigned(ctx)
		if err != nil {
			return Registered{}, fmt.Errorf("count meters without a customer: %w", err)
		}
		if n >= r.cfg.MaxUnassigned {
			return Registered{}, fault.New(fault.RateLimited, "Too many meters wait for a customer here.").WithHint("Register with a key.")
		}
		out.ClaimCode = newClaimCode()
		out.Meter.Claim = account.HashOf(canonicalClaim(out.ClaimCode))
	}
	var key *account.Key
	if !p.Known() {
		k, secret := r.accounts.MeterKey(customer, out.Meter.UID, "meter "+serial)
		key, out.APIKey = &k, secret
	}
	if err := r.store.CreateMeter(ctx, out.Meter, key); err != nil {
		return Registered{}, fmt.Errorf("register a meter: %w", err)
	}
	r.remember(out.Meter.UID)
	return out, r.putFirst(ctx, &out.Meter, s)
}

// putFirst stores the settings of a meter that registers. Should the node die before, the next
// registration, which every sender repeats, does it.
func (r *Registry) putFirst(ctx context.Context, m *Meter, s logdb.Settings) error {
	s.UID, s.Version = m.UID, newVersion()
	if err := r.logs.PutSettings(ctx, m.UID, s); err != nil {
		return fmt.Errorf("store settings of a new meter: %w", err)
	}
	m.Settings = s
	return nil
}

func (r *Registry) registerKnown(ctx context.Context, p account.Principal, customer account.CustomerID, m Meter, reg Registration, s logdb.Settings) (Registered, error) {
	own := p.Meter != "" && p.Meter == m.UID
	switch {
	case m.Customer == "":
		claimed := p.Known() && p.Meter == "" && claimFits(m, reg.Claim)
		// What holds data of another customer is given away by the administrator of the system only.
		if customer != "" && (claimed || own) && (m.Former == "" || m.Former == customer) {
			if err := r.store.AssignMeter(ctx, m.UID, customer); errors.Is(err, ErrNotFound) {
				return Registered{}, errRegistered
			} else if err != nil {
				return Registered{}, fmt.Errorf("give a meter to its customer: %w", err)
			}
			m.Customer = customer
		} else if !own {
			return Registered{}, errRegistered
		}
	case own:
	case p.Meter != "" || customer != m.Customer:
		return Registered{}, errRegistered
	}
	if m.Removed != 0 {
		if err := r.store.RemoveMeter(ctx, account.CustomerScope(m.Customer), m.UID, 0); err != nil {
			return Registered{}, fmt.Errorf("put a meter back on the list: %w", err)
		}
		m.Removed = 0
	}
	if _, err := r.logs.Settings(ctx, m.UID); errors.Is(err, logdb.ErrUnknownMeter) {
		if err := r.putFirst(ctx, &m, s); err != nil {
			return Registered{}, err
		}
	}
	m, err := r.withSettings(ctx, m)
	return Registered{Meter: m}, err
}

// newClaimCode makes a code of 100 random bits that people can read out and type.
func newClaimCode() string {
	var b [13]byte
	rand.Read(b[:])
	s := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])[:20]
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:]
}

func canonicalClaim(code string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
}

func claimFits(m Meter, code string) bool {
	got := account.HashOf(canonicalClaim(code))
	return m.Claim != account.Hash{} && code != "" && subtle.ConstantTimeCompare(m.Claim[:], got[:]) == 1
}

// adoptLocal lists meters whose data this node writes itself, so that the web API serves a
// site's own meters too. It reports whether there was a new one.
func (r *Registry) adoptLocal(ctx context.Context) (bool, error) {
	uids, err := r.logs.Meters(ctx)
	if err != nil {
		return false, fmt.Errorf("list meters of the log database: %w", err)
	}
	strange, err := r.unknown(ctx, uids)
	if err != nil || len(strange) == 0 {
		return false, err
	}
	customer, err := r.store.FirstCustomer(ctx)
	if errors.Is(err, ErrNotFound) {
		return false, nil // before the set-up nobody can see anything
	} else if err != nil {
		return false, fmt.Errorf("look up the node's customer: %w", err)
	}
	for _, uid := range strange {
		if err := r.adopt(ctx, customer, uid); err != nil {
			return false, err
		}
	}
	return true, nil
}

// localMake stands for the make of a local meter that is listed under its UID.
const localMake = "local"

// adopt puts a local meter on the list. When its make and serial are unknown, or taken by
// one that registered from elsewhere, it stands under its UID.
func (r *Registry) adopt(ctx context.Context, customer account.CustomerID, uid logdb.MeterUID) error {
	s, err := r.logs.Settings(ctx, uid)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		return fmt.Errorf("read settings of meter %s: %w", uid, err)
	}
	m := Meter{UID: uid, Customer: customer, Enabled: true, Created: r.now()}
	m.Make, m.Serial = identity(s)
	err = ErrExists
	if m.Make != "" && m.Serial != "" {
		err = r.store.CreateMeter(ctx, m, nil)
	}
	if errors.Is(err, ErrExists) {
		m.Make, m.Serial = localMake, string(uid)
		err = r.store.CreateMeter(ctx, m, nil)
	}
	if err != nil && !errors.Is(err, ErrExists) { // a second request adopted it at the same time
		return fmt.Errorf("list a local meter: %w", err)
	}
	r.remember(uid)
	return nil
}

// NodeMeters lists the meters whose data are this node's to pass on: those that it reads itself and those of its own
// customer, the oldest. What other customers of a shared node send is theirs.
func (r *Registry) NodeMeters(ctx context.Context) ([]logdb.MeterUID, error) {
	all, err := r.logs.Meters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list meters of the log database: %w", err)
	}
	customer, err := r.store.FirstCustomer(ctx)
	if errors.Is(err, ErrNotFound) {
		return all, nil // nobody can have registered anything
	} else if err != nil {
		return nil, fmt.Errorf("look up the node's customer: %w", err)
	}
	known, err := r.store.KnownMeters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list known meters: %w", err)
	}
	listed, err := r.store.Meters(ctx, account.CustomerScope(customer))
	if err != nil {
		return nil, fmt.Errorf("list the meters of the node's customer: %w", err)
	}
	others := map[logdb.MeterUID]bool{}
	for _, uid := range known {
		others[uid] = true
	}
	for i := range listed {
		delete(others, listed[i].UID)
	}
	return slices.DeleteFunc(all, func(uid logdb.MeterUID) bool { return others[uid] }), nil
}

func (r *Registry) remember(uid logdb.MeterUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[uid] = true
}

// unknown returns those of uids that the registry has never seen.
func (r *Registry) unknown(ctx context.Context, uids []logdb.MeterUID) ([]logdb.MeterUID, error) {
	if out := r.notRemembered(uids); len(out) == 0 {
		return nil, nil
	}
	known, err := r.store.KnownMeters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list known meters: %w", err)
	}
	for _, uid := range known {
		r.remember(uid)
	}
	return r.notRemembered(uids), nil
}

func (r *Registry) notRemembered(uids []logdb.MeterUID) []logdb.MeterUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []logdb.MeterUID
	for _, uid := range uids {
		if !r.known[uid] {
			out = append(out, uid)
		}
	}
	return out
}
