package account

import (
	"context"

	"metermanager/logdb"
)

// Letters are mails that belong to a change: they are stored in its transaction, so that neither is there without the other.
type Letters []Letter

// LetterKind says what a mail is about.
type LetterKind string

// Letter is a mail to somebody.
type Letter struct {
	Kind     LetterKind
	Customer CustomerID // of whom it tells; "" of none
	To       string
	Subject  string
	Sealed   []byte // the text; it may hold a link that lets somebody in
	Written  logdb.Millis
}

// CustomerStore keeps customers.
type CustomerStore interface {
	Customer(ctx context.Context, s Scope, id CustomerID) (Customer, error)
	CustomerByKey(ctx context.Context, h Hash) (Customer, error)
	// FirstCustomer is the one that runs the node.
	FirstCustomer(ctx context.Context) (CustomerID, error)
	// Customers lists those of the scope by id, from the one after on.
	Customers(ctx context.Context, s Scope, after CustomerID, limit int) ([]Customer, error)
	// Found stores a customer with its first user.
	Found(ctx context.Context, c Customer, u User) error
	// UpdateCustomer stores name and contact.
	UpdateCustomer(ctx context.Context, s Scope, c Customer) error
	// SetCustomerKey replaces the key.
	SetCustomerKey(ctx context.Context, s Scope, id CustomerID, h Hash, sealed []byte) error
	// SetOwner makes a user of the customer its owner, if from still is; from keeps the role as.
	SetOwner(ctx context.Context, s Scope, id CustomerID, from, to UserID, as RoleID) error
	// DeleteCustomer removes a customer with facilities, roles, invitations and keys. Its users belong to none, its meters wait in the pool.
	DeleteCustomer(ctx context.Context, s Scope, id CustomerID, letters Letters) error
	Billing(ctx context.Context, s Scope, id CustomerID) (string, error)
	SetBilling(ctx context.Context, s Scope, id CustomerID, text string) error
}

// UserStore keeps users. Methods on one user of a scope are ErrNotFound for anybody else.
type UserStore interface {
	// Users lists those of the scope by id, from the one after on.
	Users(ctx context.Context, s Scope, after UserID, limit int) ([]User, error)
	UserIn(ctx context.Context, s Scope, id UserID) (User, error)
	// Mates are the users of a customer who own it or have one of the roles: whom to tell.
	Mates(ctx context.Context, c CustomerID, roles ...RoleID) ([]User, error)
	// UpdateUser stores what people say of a user (mail, names, phone), with held the facilities too.
	UpdateUser(ctx context.Context, s Scope, u User, held bool, letters Letters) error
	// SetAccess stores roles and facilities, and ends nothing: the next request sees them.
	SetAccess(ctx context.Context, s Scope, u User) error
	SetBanned(ctx context.Context, id UserID, at logdb.Millis, why string) error
	DeleteUser(ctx context.Context, s Scope, id UserID) error
	// ChangePassword stores another password and ends all sessions but one.
	ChangePassword(ctx context.Context, id UserID, hash []byte, keep Hash, letters Letters) error
}

// RoleStore keeps roles that people made.
type RoleStore interface {
	// Roles lists those of a customer, of the whole node with "".
	Roles(ctx context.Context, c CustomerID) ([]Role, error)
	PutRole(ctx context.Context, r Role) error
	DeleteRole(ctx context.Context, c CustomerID, id RoleID) error
}

// FacilityStore keeps facilities.
type FacilityStore interface {
	Facilities(ctx context.Context, s Scope, after FacilityID, limit int) ([]Facility, error)
	Facility(ctx context.Context, s Scope, id FacilityID) (Facility, error)
	CreateFacility(ctx context.Context, s Scope, f Facility) error
	UpdateFacility(ctx context.Context, s Scope, f Facility) error
	// DeleteFacility takes it from users and meters too.
	DeleteFacility(ctx context.Context, s Scope, id FacilityID) error
}

// JoinStore keeps who wants to join, and who is asked to.
type JoinStore interface {
	// DropExpired removes links whose time was over at now, and invitations whose time was over at before.
	DropExpired(ctx context.Context, now, before logdb.Millis) error
	// AddUser stores a user of no customer, or one that an invitation lets in, which is used up by it.
	AddUser(ctx context.Context, u User, invitation InvitationID, at logdb.Millis, letters Letters) error
	// Accept lets a user of no customer in with an invitation, which is used up by it.
	Accept(ctx context.Context, u User, invitation InvitationID, at logdb.Millis) error
	// Apply has a user of no customer wait for one.
	Apply(ctx context.Context, id UserID, c CustomerID, at logdb.Millis, letters Letters) error
	// Pending lists who waits for a customer of the scope.
	Pending(ctx context.Context, s Scope, after UserID, limit int) ([]User, error)
	PendingUser(ctx context.Context, s Scope, id UserID) (User, error)
	// Admit lets u, who waits, in with the access that it has, or turns them away when u.Customer is "".
	Admit(ctx context.Context, s Scope, u User, letters Letters) error

	Invite(ctx context.Context, i Invitation, letters Letters) error
	Invitations(ctx context.Context, s Scope, after InvitationID, limit int) ([]Invitation, error)
	InvitationByToken(ctx context.Context, token Hash) (Invitation, error)
	EndInvitation(ctx context.Context, s Scope, id InvitationID, at logdb.Millis) error
}

// PasswordStore keeps who forgot a password.
type PasswordStore interface {
	// Wish notes that somebody forgot the password of name; whether there is such a user is looked up later. At most limit wait.
	Wish(ctx context.Context, name string, at logdb.Millis, limit int) error
	Wishes(ctx context.Context, limit int) ([]Wish, error)
	// Grant ends a wish; unless r is nil it stores the link that the letter tells of.
	Grant(ctx context.Context, wish int64, r *Reset, letters Letters) error
	// Reset finds a link, ResetPassword uses it up: it stores another password and ends the user's sessions and other links.
	Reset(ctx context.Context, token Hash) (Reset, error)
	ResetPassword(ctx context.Context, r Reset, hash []byte, letters Letters) error
	// PutReset stores a link that an administrator asked for, in place of the password and the sessions.
	PutReset(ctx context.Context, r Reset, hash []byte, letters Letters) error
}

// Wish is somebody's word that they forgot the password of a name.
type Wish struct {
	ID   int64
	Name string
	At   logdb.Millis
}

// Reset is a link with which a user chooses a new password, once.
type Reset struct {
	Token   Hash
	User    UserID
	Created logdb.Millis
	Expires logdb.Millis
}

// Facility is a place of a customer where meters are.
type Facility struct {
	ID            FacilityID
	Customer      CustomerID
	Name, Address string
	Created       logdb.Millis
}

// InvitationID names an invitation.
type InvitationID string

// Invitation asks somebody to join a customer. Who takes it is let in at once, with what it says.
type Invitation struct {
	ID         InvitationID
	Customer   CustomerID
	Email      string
	Token      Hash
	Roles      []RoleID
	ByFacility bool
	Facilities []FacilityID
	InvitedBy  string
	Created    logdb.Millis
	Expires    logdb.Millis
	Used       logdb.Millis // 0: open
}
