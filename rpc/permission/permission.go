package permission

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Permission is one thing that a caller may do.
type Permission uint32

// The permissions. The names are stored and on the wire; the bits are neither.
const (
	Upload           Permission = 1 << iota // push log data of meters
	MetersRead                              // see meters, their settings and channels
	MetersManage                            // register, change, enable, remove meters
	LogsRead                                // query log data
	LogsDelete                              // forget and clear log data
	RealtimeRead                            // see present values
	RealtimePost                            // post present values
	UsersManage                             // users and keys of the own customer
	RPCRead                                 // status commands
	RPCControl                              // commands that change something
	Verify                                  // compare this node with its cloud
	System                                  // the whole node, every customer
	LogsCorrect                             // correct and withdraw records; the original stays
	OwnAccount                              // see and change one's own user: all that who waits to be let in can do
	FacilitiesManage                        // facilities, and which meter is at which
	CustomerManage                          // what is said of the own customer: name, contact, address
	RolesManage                             // make and change roles
	UsersDelete                             // delete users
	BillingManage                           // what the invoices of a customer say; its owner's
	AllCustomers                            // the other permissions hold for every customer of the node
)

// Public marks operations that need no permission, such as the health checks.
const Public Permission = 0

var names = []struct {
	p    Permission
	name string
}{
	{Upload, "upload"}, {MetersRead, "meters_read"}, {MetersManage, "meters_manage"},
	{LogsRead, "logs_read"}, {LogsDelete, "logs_delete"}, {RealtimeRead, "realtime_read"},
	{RealtimePost, "realtime_post"}, {UsersManage, "users_manage"}, {RPCRead, "rpc_read"},
	{RPCControl, "rpc_control"}, {Verify, "verify"}, {System, "system"}, {LogsCorrect, "logs_correct"},
	{OwnAccount, "own_account"}, {FacilitiesManage, "facilities_manage"}, {CustomerManage, "customer_manage"},
	{RolesManage, "roles_manage"}, {UsersDelete, "users_delete"}, {BillingManage, "billing_manage"}, {AllCustomers, "all_customers"},
}

// String returns the permission's name, "public" for Public.
func (p Permission) String() string {
	if p == Public {
		return "public"
	}
	for _, n := range names {
		if n.p == p {
			return n.name
		}
	}
	return Set(p).String()
}

// MarshalText writes the name.
func (p Permission) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// All lists every permission in order.
func All() []Permission {
	out := make([]Permission, len(names))
	for i, n := range names {
		out[i] = n.p
	}
	return out
}

// Set is a set of permissions. The zero value allows nothing but Public.
type Set uint32

// Of returns the set of the given permissions.
func Of(ps ...Permission) Set {
	var s Set
	for _, p := range ps {
		s |= Set(p)
	}
	return s
}

// Everything is the set of all permissions.
func Everything() Set { return Of(All()...) }

// Has reports whether s grants p. Public is granted always.
func (s Set) Has(p Permission) bool { return s&Set(p) == Set(p) }

// With returns the union of s and o.
func (s Set) With(o Set) Set { return s | o }

// Without returns s without the permissions of o.
func (s Set) Without(o Set) Set { return s &^ o }

// Covers reports whether s grants everything that o grants: nobody may give away more than that.
func (s Set) Covers(o Set) bool { return o&^s == 0 }

// Len returns how many permissions s holds.
func (s Set) Len() int { return bits.OnesCount32(uint32(s &^ unknown)) }

// Names returns the names of s in order.
func (s Set) Names() []string {
	out := make([]string, 0, s.Len())
	for _, n := range names {
		if s.Has(n.p) {
			out = append(out, n.name)
		}
	}
	return out
}

// String joins the names by commas; "" for the empty set.
func (s Set) String() string { return strings.Join(s.Names(), ",") }

// MarshalText writes String.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// unknown marks a set from the wire with a name that this version does not know.
const unknown Set = 1 << 31

// Unknown reports whether the set came with a name that this version does not know, as the answer of a newer node may. Such a set grants
// nothing by that name, and nobody's set covers it, so that who is asked to grant it refuses.
func (s Set) Unknown() bool { return s&unknown != 0 }

// UnmarshalText reads what MarshalText wrote, also that of a newer version.
func (s *Set) UnmarshalText(text []byte) error {
	var out Set
	for part := range strings.SplitSeq(string(text), ",") {
		if v, err := Parse(part); err == nil {
			out |= v
		} else {
			out |= unknown
		}
	}
	*s = out
	return nil
}

// Parse reads names joined by commas; blanks around them do not matter. An unknown name is
// an error, so that a spelling mistake never grants less or more than was meant.
func Parse(text string) (Set, error) {
	var s Set
	if strings.TrimSpace(text) == "" {
		return 0, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		i := slices.IndexFunc(names, func(n struct {
			p    Permission
			name string
		}) bool {
			return n.name == part
		})
		if i < 0 {
			return 0, fmt.Errorf("unknown permission, want some of %s", Everything())
		}
		s |= Set(names[i].p)
	}
	return s, nil
}
