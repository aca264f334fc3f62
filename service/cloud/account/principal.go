package account

import (
	"log/slog"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// CustomerID names a customer, the boundary of isolation. "" is nobody's.
type CustomerID string

// UserID names a user.
type UserID string

// KeyID names a key; it is no secret.
type KeyID string

// Principal is who acts: a user or a key. The zero value is somebody unknown, who may do
// nothing.
type Principal struct {
	User        UserID
	Key         KeyID
	Maker       UserID // of a key: the user who made it, "" for a meter's own and those of the first start
	Customer    CustomerID
	Name        string // of the user or key, for people and logs
	Permissions permission.Set
	Meter       logdb.MeterUID // a key that is bound to one meter
	ByFacility  bool           // a user who sees only meters of some facilities
	Owner       bool           // of the customer
}

// Known reports whether p is somebody.
func (p Principal) Known() bool { return p.User != "" || p.Key != "" }

// System reports whether p acts for the whole node: its databases, its program, every customer.
func (p Principal) System() bool { return p.Permissions.Has(permission.System) }

// Everywhere reports whether what p may do holds for every customer.
func (p Principal) Everywhere() bool {
	return p.System() || p.Permissions.Has(permission.AllCustomers)
}

// Source names p as the source of pages without positions: the credential's id.
func (p Principal) Source() string {
	if p.Key != "" {
		return "key:" + string(p.Key)
	}
	return "user:" + string(p.User)
}

// LogValue shows who acts, never a secret.
func (p Principal) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", string(p.User)), slog.String("key", string(p.Key)),
		slog.String("customer", string(p.Customer)))
}

// Resource is what somebody wants to act on: something of a customer, or one meter.
// The zero value is the caller's own customer.
type Resource struct {
	Customer CustomerID
	Meter    logdb.MeterUID
}

// Allow answers whether p may do perm on r. What belongs to another customer, or to
// nobody yet, does not exist for p: not found, never forbidden, so that nothing can be
// learnt by asking. The meter's own key reaches its meter whoever it belongs to.
func Allow(p Principal, perm permission.Permission, r Resource) error {
	if perm == permission.Public {
		return nil
	}
	if !p.Known() {
		return fault.New(fault.Unauthenticated, "This needs a login or a key.")
	}
	if !p.Scope().Contains(r) {
		return fault.New(fault.NotFound, "There is no such meter.")
	}
	if !p.Permissions.Has(perm) && !(perm == permission.AllCustomers && p.System()) {
		return fault.Newf(fault.Forbidden, "This needs the permission %s.", perm).
			WithHint("Ask an administrator of your customer for it, or use a key that has it.")
	}
	return nil
}

// Scope is the part of the world that somebody can see. Every store method on customer
// data takes one; the zero value sees nothing.
type Scope struct {
	customer CustomerID
	meter    logdb.MeterUID
	user     UserID // only meters of the facilities of this user
	all      bool
}

// Scope returns what p can see.
func (p Principal) Scope() Scope {
	switch {
	case !p.Known():
		return Scope{}
	case p.Meter != "":
		return Scope{customer: p.Customer, meter: p.Meter}
	case p.Everywhere():
		return Scope{customer: p.Customer, all: true}
	case p.ByFacility:
		return Scope{customer: p.Customer, user: p.User}
	}
	return Scope{customer: p.Customer}
}

// NodeScope sees everything: for the node's own work, never for a request.
func NodeScope() Scope { return Scope{all: true} }

// CustomerScope sees what belongs to c.
func CustomerScope(c CustomerID) Scope { return Scope{customer: c} }

// Customer returns the customer of s, "" when it has none.
func (s Scope) Customer() CustomerID { return s.customer }

// Meter returns the only meter that s sees, "" when it is not bound to one.
func (s Scope) Meter() logdb.MeterUID { return s.meter }

// User returns the user whose facilities bound s, "" when it is not bound to some.
func (s Scope) User() UserID { return s.user }

// All reports whether s sees every customer.
func (s Scope) All() bool { return s.all }

// Contains reports whether s sees r. Whether a meter is at one of the facilities of s, only a store can tell: it looks up the meter.
func (s Scope) Contains(r Resource) bool {
	switch {
	case s.all || r == Resource{}:
		return true
	case s.meter != "":
		return r.Meter == s.meter
	}
	return s.customer != "" && r.Customer == s.customer
}
