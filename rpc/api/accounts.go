package api

import (
	"metermanager/logdb"
	"metermanager/rpc/permission"
)

// RegisterAccountRequest makes an account: with a new customer, or for one that is there. One of the last three is given.
type RegisterAccountRequest struct {
	User         string `json:"user" required:"true" minLength:"1" maxLength:"64"`
	Password     string `json:"password" required:"true" minLength:"1" maxLength:"1024" doc:"At least 10 characters, at most 72 bytes, not one that is guessed early"`
	Email        string `json:"email,omitempty" maxLength:"254" doc:"Where mails go; without it a forgotten password needs an administrator"`
	First        string `json:"first_name,omitempty" maxLength:"100"`
	Last         string `json:"last_name,omitempty" maxLength:"100"`
	Phone        string `json:"phone,omitempty" maxLength:"50"`
	CustomerName string `json:"customer_name,omitempty" maxLength:"100" doc:"Make a customer of this name, of which the user is the owner"`
	CustomerKey  string `json:"customer_key,omitempty" maxLength:"200" doc:"Ask to be let in by the customer of this key"`
	Invitation   string `json:"invitation,omitempty" maxLength:"200" doc:"Be let in by what an invitation's link holds"`
}

// The states of a user.
const (
	UserMember  = "member"  // of a customer
	UserPending = "pending" // waits for a customer
	UserAlone   = "alone"   // of no customer, and waits for none
)

// RegisterAccountAnswer tells what became of it. Log in next.
type RegisterAccountAnswer struct {
	UserUID  string `json:"user_uid"`
	State    string `json:"state" enum:"member,pending"`
	CustUID  string `json:"cust_uid,omitempty" doc:"Of a member"`
	Customer string `json:"customer" doc:"Name of the customer"`
}

// ForgotRequest asks for a link to choose another password.
type ForgotRequest struct {
	User string `json:"user" required:"true" minLength:"1" maxLength:"200" doc:"User name"`
}

// ResetRequest chooses a password by a link.
type ResetRequest struct {
	Token    string `json:"token" required:"true" minLength:"1" maxLength:"200" doc:"What the link holds"`
	Password string `json:"password" required:"true" minLength:"1" maxLength:"1024"`
}

// ChangePasswordRequest chooses another password.
type ChangePasswordRequest struct {
	Old      string `json:"old" required:"true" minLength:"1" maxLength:"1024"`
	Password string `json:"password" required:"true" minLength:"1" maxLength:"1024"`
}

// ApplyRequest has a user of no customer ask one. One of both is given.
type ApplyRequest struct {
	CustomerKey string `json:"customer_key,omitempty" maxLength:"200"`
	Invitation  string `json:"invitation,omitempty" maxLength:"200"`
}

// User is somebody who logs in.
type User struct {
	UID         string         `json:"user_uid"`
	CustUID     string         `json:"cust_uid,omitempty" doc:"Of a member"`
	Name        string         `json:"user"`
	Email       string         `json:"email,omitempty"`
	First       string         `json:"first_name,omitempty"`
	Last        string         `json:"last_name,omitempty"`
	Phone       string         `json:"phone,omitempty"`
	State       string         `json:"state" enum:"member,pending,alone"`
	Owner       bool           `json:"owner,omitempty" doc:"Of the customer"`
	Roles       []string       `json:"roles"`
	Permissions permission.Set `json:"permissions" doc:"What the roles grant together, joined by commas; nothing while disabled"`
	ByFacility  bool           `json:"by_facility" doc:"Sees only meters of the facilities"`
	Facilities  []string       `json:"facilities,omitempty"`
	Disabled    bool           `json:"disabled,omitempty"`
	Banned      string         `json:"banned,omitempty" doc:"Why the administrator of the system keeps them out"`
	Applied     logdb.Millis   `json:"applied_ms,omitempty" doc:"Since when they wait"`
	AppliedTo   string         `json:"applied_to,omitempty" doc:"cust_uid of whom they wait for"`
	Created     logdb.Millis   `json:"created_ms"`
	LastLogin   logdb.Millis   `json:"last_login_ms,omitempty"`
}

// UsersAnswer lists users by UID.
type UsersAnswer struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty"`
}

// AddUserRequest makes a user.
type AddUserRequest struct {
	User       string   `json:"user" required:"true" minLength:"1" maxLength:"64"`
	Password   string   `json:"password" required:"true" minLength:"1" maxLength:"1024"`
	Email      string   `json:"email,omitempty" maxLength:"254"`
	First      string   `json:"first_name,omitempty" maxLength:"100"`
	Last       string   `json:"last_name,omitempty" maxLength:"100"`
	Phone      string   `json:"phone,omitempty" maxLength:"50"`
	Roles      []string `json:"roles,omitempty" maxItems:"100" doc:"limited without it"`
	ByFacility bool     `json:"by_facility,omitempty"`
	Facilities []string `json:"facilities,omitempty" maxItems:"1000"`
	CustUID    string   `json:"cust_uid,omitempty" maxLength:"64" doc:"Another customer, for administrators of the system"`
}

// UpdateUserRequest changes a user; what is left out stays.
type UpdateUserRequest struct {
	Email      *string   `json:"email,omitempty" maxLength:"254"`
	First      *string   `json:"first_name,omitempty" maxLength:"100"`
	Last       *string   `json:"last_name,omitempty" maxLength:"100"`
	Phone      *string   `json:"phone,omitempty" maxLength:"50"`
	ByFacility *bool     `json:"by_facility,omitempty"`
	Facilities *[]string `json:"facilities,omitempty" maxItems:"1000"`
	Password   string    `json:"password,omitempty" maxLength:"1024" doc:"One's own, to change one's own e-mail address"`
}

// SetRolesRequest adds and removes roles, and says which facilities a user is held to; what is left out stays.
type SetRolesRequest struct {
	Add        []string  `json:"add,omitempty" maxItems:"100" doc:"Ids of roles; ADMIN is enterprise, ROLECREATOR role_creator"`
	Remove     []string  `json:"remove,omitempty" maxItems:"100"`
	ByFacility *bool     `json:"by_facility,omitempty"`
	Facilities *[]string `json:"facilities,omitempty" maxItems:"1000"`
}

// EnableUserRequest lets a user in or keeps them out.
type EnableUserRequest struct {
	Enabled bool `json:"enabled" required:"true"`
}

// BanRequest keeps a user out.
type BanRequest struct {
	Why string `json:"why" required:"true" maxLength:"200" doc:"Empty: let them in again"`
}

// ResetUserAnswer tells where the link went.
type ResetUserAnswer struct {
	Mailed bool   `json:"mailed" doc:"A mail to the user is on its way"`
	Link   string `json:"link,omitempty" doc:"To hand to a user without an e-mail address; told once"`
}

// UserEvent is one thing that a user did.
type UserEvent struct {
	Seq     int64             `json:"seq"`
	At      logdb.Millis      `json:"at_ms"`
	Address string            `json:"address,omitempty"`
	Action  string            `json:"action"`
	Target  string            `json:"target,omitempty"`
	Outcome string            `json:"outcome"`
	Reason  string            `json:"reason,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

// HistoryAnswer is what a user did, newest first.
type HistoryAnswer struct {
	Events []UserEvent `json:"events"`
	Next   string      `json:"next,omitempty"`
}

// Invitation asks somebody to join.
type Invitation struct {
	ID         string       `json:"invitation"`
	CustUID    string       `json:"cust_uid"`
	Email      string       `json:"email"`
	Roles      []string     `json:"roles"`
	ByFacility bool         `json:"by_facility"`
	Facilities []string     `json:"facilities,omitempty"`
	By         string       `json:"by" doc:"Who invited"`
	Created    logdb.Millis `json:"created_ms"`
	Expires    logdb.Millis `json:"expires_ms"`
	Expired    bool         `json:"expired,omitempty" doc:"Its time is over: the link lets nobody in. It is gone from the list a month later"`
}

// InvitationsAnswer lists invitations that nobody has taken.
type InvitationsAnswer struct {
	Invitations []Invitation `json:"invitations"`
	Next        string       `json:"next,omitempty"`
}

// LookRequest holds what the link of an invitation holds.
type LookRequest struct {
	Invitation string `json:"invitation" required:"true" minLength:"1" maxLength:"200"`
}

// LookAnswer is what an invitation fills in.
type LookAnswer struct {
	Customer    string       `json:"customer"`
	CustomerKey string       `json:"customer_key"`
	Email       string       `json:"email"`
	By          string       `json:"invited_by"`
	Expires     logdb.Millis `json:"expires_ms"`
}

// InviteRequest invites somebody by mail.
type InviteRequest struct {
	Email      string   `json:"email" required:"true" minLength:"3" maxLength:"254"`
	Roles      []string `json:"roles,omitempty" maxItems:"100" doc:"limited without it"`
	ByFacility bool     `json:"by_facility,omitempty"`
	Facilities []string `json:"facilities,omitempty" maxItems:"1000"`
}

// Role is a set of permissions with a name.
type Role struct {
	ID          string         `json:"role"`
	Name        string         `json:"name"`
	Permissions permission.Set `json:"permissions" doc:"Names joined by commas"`
	Builtin     bool           `json:"builtin,omitempty" doc:"The program's own"`
	System      bool           `json:"system,omitempty" doc:"Reaches beyond a customer"`
}

// RolesAnswer lists roles.
type RolesAnswer struct {
	Roles []Role `json:"roles"`
	Next  string `json:"next,omitempty" doc:"cursor of the next page"`
}

// PutRoleRequest makes or changes a role.
type PutRoleRequest struct {
	Name        string         `json:"name" required:"true" minLength:"1" maxLength:"100"`
	Permissions permission.Set `json:"permissions" required:"true" doc:"Names joined by commas, at most the caller's own"`
	System      bool           `json:"system,omitempty" doc:"For users of the whole node"`
}

// Facility is a place where meters are.
type Facility struct {
	UID     string       `json:"facility_uid"`
	CustUID string       `json:"cust_uid"`
	Name    string       `json:"name"`
	Address string       `json:"address,omitempty"`
	Created logdb.Millis `json:"created_ms"`
}

// FacilitiesAnswer lists facilities.
type FacilitiesAnswer struct {
	Facilities []Facility `json:"facilities"`
	Next       string     `json:"next,omitempty"`
}

// CreateFacilityRequest makes a facility.
type CreateFacilityRequest struct {
	Name    string `json:"name" required:"true" minLength:"1" maxLength:"100"`
	Address string `json:"address,omitempty" maxLength:"300"`
	CustUID string `json:"cust_uid,omitempty" maxLength:"64" doc:"Another customer, for administrators of the system"`
}

// UpdateFacilityRequest changes a facility; what is left out stays.
type UpdateFacilityRequest struct {
	Name    *string `json:"name,omitempty" maxLength:"100"`
	Address *string `json:"address,omitempty" maxLength:"300"`
}

// Customer is the object of the user who owns a customer, with more said of it. Its uid is the user_uid of who made it.
type Customer struct {
	UID          string       `json:"uid"`
	CustUID      string       `json:"cust_uid"`
	UserUID      string       `json:"user_uid" doc:"Of the owner"`
	User         string       `json:"user" doc:"User name of the owner"`
	Email        string       `json:"email,omitempty" doc:"Of the owner"`
	Company      string       `json:"company"`
	ContactFirst string       `json:"contact_first,omitempty"`
	ContactLast  string       `json:"contact_last,omitempty"`
	ContactEmail string       `json:"contact_email,omitempty"`
	ContactPhone string       `json:"contact_phone,omitempty"`
	Address      string       `json:"address,omitempty"`
	Created      logdb.Millis `json:"created_ms"`
}

// CustomersAnswer lists customers.
type CustomersAnswer struct {
	Customers []Customer `json:"customers"`
	Next      string     `json:"next,omitempty"`
}

// UpdateCustomerRequest changes what is said of a customer; what is left out stays.
type UpdateCustomerRequest struct {
	Company      *string `json:"company,omitempty" maxLength:"100"`
	ContactFirst *string `json:"contact_first,omitempty" maxLength:"100"`
	ContactLast  *string `json:"contact_last,omitempty" maxLength:"100"`
	ContactEmail *string `json:"contact_email,omitempty" maxLength:"254"`
	ContactPhone *string `json:"contact_phone,omitempty" maxLength:"50"`
	Address      *string `json:"address,omitempty" maxLength:"300"`
}

// CustomerKeyAnswer carries a new customer key.
type CustomerKeyAnswer struct {
	CustomerKey string `json:"customer_key"`
}

// TransferRequest names the next owner.
type TransferRequest struct {
	UserUID string `json:"user_uid" required:"true" minLength:"1" maxLength:"64" doc:"A user of the customer"`
}

// BillingInfo is what the invoices of a customer say.
type BillingInfo struct {
	Company   string `json:"company,omitempty" maxLength:"100" doc:"Name on the invoice"`
	Attention string `json:"attention,omitempty" maxLength:"100" doc:"Person or department"`
	Address   string `json:"address,omitempty" maxLength:"300"`
	Email     string `json:"email,omitempty" maxLength:"254" doc:"Where invoices go"`
	TaxID     string `json:"tax_id,omitempty" maxLength:"50"`
	Order     string `json:"order,omitempty" maxLength:"100" doc:"Order number that the invoice repeats"`
}

// PoolMeter is a meter that waits for a customer. Nothing of its data or settings is told.
type PoolMeter struct {
	UID     logdb.MeterUID `json:"meter_uid"`
	Make    string         `json:"make"`
	Serial  string         `json:"serial"`
	Created logdb.Millis   `json:"created_ms"`
	Former  string         `json:"former_cust_uid,omitempty" doc:"Whose data it holds; for administrators of the system"`
}

// PoolAnswer lists meters that wait.
type PoolAnswer struct {
	Meters []PoolMeter `json:"meters"`
	Next   string      `json:"next,omitempty"`
}

// AssignMeterRequest gives a meter to a customer, or takes it from one.
type AssignMeterRequest struct {
	Claim    string `json:"claim,omitempty" maxLength:"64" doc:"Claim code of a meter that waits: it becomes the caller's"`
	CustUID  string `json:"cust_uid,omitempty" maxLength:"64" doc:"For administrators of the system: to whom"`
	Remove   bool   `json:"remove,omitempty" doc:"Back to the pool; its data stay, and nobody can read them"`
	WithData bool   `json:"with_data,omitempty" doc:"For administrators of the system: hand over what it logged for another customer"`
}

// AssignMeterAnswer tells whose a meter is now.
type AssignMeterAnswer struct {
	CustUID   string `json:"cust_uid,omitempty"`
	ClaimCode string `json:"claim_code,omitempty" doc:"With which it can be claimed again; told once, to who removed it"`
}

// MoveMeterRequest puts a meter at a facility.
type MoveMeterRequest struct {
	Facility string `json:"facility_uid" required:"true" maxLength:"64" doc:"Empty: at none"`
}

// ReplaceMeterRequest says that another meter hangs at the measuring point.
type ReplaceMeterRequest struct {
	Make   string `json:"make,omitempty" maxLength:"100" doc:"The one before without it"`
	Model  string `json:"type,omitempty" maxLength:"100"`
	Serial string `json:"serial" required:"true" minLength:"1" maxLength:"100"`
}

// ReplaceMeterAnswer carries the key of the new hardware. It is shown once.
type ReplaceMeterAnswer struct {
	Meter  Meter  `json:"meter"`
	APIKey string `json:"apikey"`
}

// CheckLoginRequest asks whether somebody may log in at a meter.
type CheckLoginRequest struct {
	User     string `json:"user" required:"true" minLength:"1" maxLength:"200"`
	Password string `json:"password" required:"true" minLength:"1" maxLength:"1024"`
}

// CheckLoginAnswer tells a meter who that is. No session is opened.
type CheckLoginAnswer struct {
	Allowed     bool           `json:"allowed"`
	UserUID     string         `json:"user_uid,omitempty"`
	User        string         `json:"user,omitempty"`
	Roles       []string       `json:"roles,omitempty"`
	Permissions permission.Set `json:"permissions" doc:"Names joined by commas"`
}

// MailState is what became of a mail. Its text is told to nobody but its recipient.
type MailState struct {
	ID      string       `json:"mail"`
	CustUID string       `json:"cust_uid,omitempty"`
	Kind    string       `json:"kind"`
	To      string       `json:"to"`
	Subject string       `json:"subject"`
	State   string       `json:"state"` // waiting, sent or failed
	Tries   int          `json:"tries"`
	Trouble string       `json:"trouble,omitempty"`
	Created logdb.Millis `json:"created_ms"`
	Due     logdb.Millis `json:"due_ms"`
	Ended   logdb.Millis `json:"ended_ms,omitempty"`
}

// MailList lists mails, the newest first.
type MailList struct {
	Mails []MailState `json:"mails"`
}
