package account

import (
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/rpc/permission"
)

// RoleID names a role: one of the program's own, or one that people made.
type RoleID string

// FacilityID names a facility.
type FacilityID string

// The program's own roles. Their permissions stand in the program, so that a new version can add to them.
const (
	// RoleOwner has everything of a customer, what its invoices say too. A customer has one owner; the role is not given, ownership is
	// transferred.
	RoleOwner RoleID = "owner"
	// RoleEnterprise configures a customer and sees all of its meters.
	RoleEnterprise RoleID = "enterprise"
	// RoleLimited reads, and can be held to some facilities. Who is let in has it until somebody says otherwise.
	RoleLimited RoleID = "limited"
	// RoleCreator makes roles of a customer.
	RoleCreator RoleID = "role_creator"
	// RoleSystemAdmin has everything of everybody, and the node itself.
	RoleSystemAdmin RoleID = "system_admin"
	// RoleSystemSupport configures every customer's meters and users. It deletes no users and sees nothing of invoices.
	RoleSystemSupport RoleID = "system_support"
	// RoleSystemReader reads every customer's meters.
	RoleSystemReader RoleID = "system_reader"
)

var (
	reading = permission.Of(permission.OwnAccount, permission.MetersRead, permission.LogsRead, permission.RealtimeRead)
	// operating are commands to the node. They act for the customer that runs it; those of others only get what is theirs.
	operating   = permission.Of(permission.RPCRead, permission.RPCControl, permission.Verify)
	configuring = reading.With(operating).With(permission.Of(permission.Upload, permission.MetersManage, permission.LogsDelete, permission.LogsCorrect,
		permission.RealtimePost, permission.UsersManage, permission.UsersDelete, permission.FacilitiesManage, permission.CustomerManage, permission.RolesManage))
)

// builtin are the program's own roles in the order in which people see them.
var builtin = []Role{
	{ID: RoleOwner, Name: "Owner", Permissions: configuring.With(permission.Of(permission.BillingManage))},
	{ID: RoleEnterprise, Name: "Enterprise", Permissions: configuring},
	{ID: RoleLimited, Name: "Limited", Permissions: reading.With(permission.Of(permission.RPCRead))},
	{ID: RoleCreator, Name: "Role creator", Permissions: permission.Of(permission.OwnAccount, permission.RolesManage)},
	{ID: RoleSystemAdmin, Name: "System administrator", System: true, Permissions: permission.Everything()},
	{ID: RoleSystemSupport, Name: "System support", System: true, Permissions: reading.With(permission.Of(permission.AllCustomers, permission.MetersManage,
		permission.UsersManage, permission.FacilitiesManage, permission.CustomerManage, permission.RPCRead))},
	{ID: RoleSystemReader, Name: "System reader", System: true, Permissions: reading.With(permission.Of(permission.AllCustomers, permission.RPCRead))},
}

// aliases are the words of the printed interface for two of them.
var aliases = map[string]RoleID{"ADMIN": RoleEnterprise, "ROLECREATOR": RoleCreator}

// Role is a set of permissions with a name.
type Role struct {
	ID          RoleID
	Customer    CustomerID // "" of the program's own, and of those for users of the whole node
	Name        string
	Permissions permission.Set
	System      bool // reaches beyond one customer
	Created     logdb.Millis
}

// Builtin returns one of the program's own roles.
func Builtin(id RoleID) (Role, bool) {
	i := slices.IndexFunc(builtin, func(r Role) bool { return r.ID == id })
	if i < 0 {
		return Role{}, false
	}
	return builtin[i], true
}

// roleNamed resolves the words of the printed interface.
func roleNamed(id RoleID) RoleID {
	if alias, ok := aliases[strings.ToUpper(string(id))]; ok {
		return alias
	}
	return id
}

// Granted returns what a user may do now.
func (u *User) Granted() permission.Set {
	if u.Disabled || u.Banned != 0 {
		return 0
	}
	return u.rights()
}

// rights are what the roles grant, the program's own and those of people, and what was granted besides. A user of no customer keeps
// only what concerns themselves, or the whole node.
func (u *User) rights() permission.Set {
	out := permission.Of(permission.OwnAccount)
	for _, id := range u.Roles {
		if r, ok := Builtin(id); ok && (r.System || u.Customer != "") {
			out = out.With(r.Permissions)
		}
	}
	for _, r := range u.Custom {
		if r.System || u.Customer != "" {
			out = out.With(r.Permissions)
		}
	}
	if u.Customer == "" {
		return out
	}
	if u.Owner {
		owner, _ := Builtin(RoleOwner)
		out = out.With(owner.Permissions)
	}
	return out.With(u.Permissions)
}
