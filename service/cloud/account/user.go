package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

const noUser = "There is no such user."

// NewUser says what a user shall be.
type NewUser struct {
	Name, Password            string
	Email, First, Last, Phone string
	// Permissions are granted besides those of Roles; limited is the role of who has neither.
	Permissions permission.Set
	Roles       []RoleID
	ByFacility  bool
	Facilities  []FacilityID
	// Customer is another one than p's, for who acts everywhere.
	Customer CustomerID
}

// CreateUser makes a user of p's customer.
func (s *Service) CreateUser(ctx context.Context, p Principal, n NewUser) (User, error) {
	if err := manages(p, permission.UsersManage); err != nil {
		return User{}, err
	}
	if n.Customer == "" {
		n.Customer = p.Customer
	}
	if _, err := s.store.Customer(ctx, p.Scope(), n.Customer); err != nil {
		return User{}, told(err, "read a customer", "There is no such customer.")
	}
	u, err := s.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	u.Customer, u.Permissions, u.ByFacility, u.Facilities = n.Customer, n.Permissions, n.ByFacility, n.Facilities
	if !p.Permissions.Covers(n.Permissions) {
		return User{}, fault.New(fault.Forbidden, "A user cannot get a permission that you lack.").At("permissions")
	}
	if len(n.Roles) == 0 && n.Permissions == 0 {
		n.Roles = []RoleID{RoleLimited}
	}
	if u.Roles, err = s.grantable(ctx, p, u.Customer, n.Roles); err != nil {
		return User{}, err
	}
	say(ctx, "user", u.Name, "user_uid", string(u.ID), "roles", names(u.Roles))
	return u, told(s.store.CreateUser(ctx, p.Scope(), u), "store a user", noUser)
}

// newUser checks what is said of a new user and hashes the password.
func (s *Service) newUser(ctx context.Context, n NewUser) (User, error) {
	if err := first(CheckUserName(n.Name), CheckPassword(n.Name, n.Password), checkPerson(n.Email, n.First, n.Last, n.Phone)); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	return User{
		ID: UserID(newID()), Name: n.Name, PasswordHash: hash, Email: n.Email, First: n.First, Last: n.Last, Phone: n.Phone, Created: s.now(),
	}, nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkPerson(email, firstName, last, phone string) error {
	return first(checkEmail("email", email), checkText("first_name", firstName, 0, 100), checkText("last_name", last, 0, 100), checkText("phone", phone, 0, 50))
}

func names[T ~string](ids []T) string {
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return strings.Join(out, ",")
}

// Users lists the users that p may see, by id: its own alone, those of its customer, or everybody.
func (s *Service) Users(ctx context.Context, p Principal, after UserID, limit int) ([]User, error) {
	if !p.Permissions.Has(permission.UsersManage) || p.ByFacility {
		u, err := s.Me(ctx, p)
		if err != nil || after >= u.ID {
			return nil, err
		}
		return []User{u}, nil
	}
	if err := manages(p, permission.UsersManage); err != nil {
		return nil, err
	}
	list, err := s.store.Users(ctx, p.Scope(), after, page(limit))
	return list, told(err, "list users", noUser)
}

// Me returns p's own user.
func (s *Service) Me(ctx context.Context, p Principal) (User, error) {
	if err := Allow(p, permission.OwnAccount, Resource{}); err != nil {
		return User{}, err
	}
	if p.User == "" {
		return User{}, fault.New(fault.Forbidden, "A key is no user.")
	}
	u, err := s.store.UserIn(ctx, NodeScope(), p.User)
	return u, told(err, "read a user", noUser)
}

// UserOf returns a user that p may see: itself, or one that it manages.
func (s *Service) UserOf(ctx context.Context, p Principal, id UserID) (User, error) {
	if id == p.User && id != "" {
		return s.Me(ctx, p)
	}
	if err := Allow(p, permission.OwnAccount, Resource{}); err != nil {
		return User{}, err
	}
	u, err := s.store.UserIn(ctx, p.Scope(), id)
	if err != nil {
		return User{}, told(err, "read a user", noUser)
	}
	return u, manages(p, permission.UsersManage)
}

// managed returns a user that p may change.
func (s *Service) managed(ctx context.Context, p Principal, perm permission.Permission, id UserID) (User, error) {
	if !p.Known() {
		return User{}, Allow(p, perm, Resource{})
	}
	u, err := s.store.UserIn(ctx, p.Scope(), id)
	if err != nil {
		return User{}, told(err, "read a user", noUser)
	}
	say(ctx, "user", u.Name)
	if err := manages(p, perm); err != nil {
		return User{}, err
	}
	return u, outranks(p, &u)
}

// Person is what people say of a user; nil stays as it is.
type Person struct {
	Email, First, Last, Phone *string
	// Password is the user's own, without which nobody changes the address to which a new one is sent.
	Password string
	Address  string // of who asks, for the limit of guesses
	// ByFacility and Facilities are for who manages users, of their own user too.
	ByFacility *bool
	Facilities *[]FacilityID
}

// UpdateUser changes what is said of a user: of oneself, or of one that p manages.
func (s *Service) UpdateUser(ctx context.Context, p Principal, id UserID, in Person) (User, error) {
	own := id == p.User && id != ""
	var u User
	var err error
	if own {
		u, err = s.Me(ctx, p)
	} else {
		u, err = s.managed(ctx, p, permission.UsersManage, id)
	}
	if err != nil {
		return User{}, err
	}
	before := u
	held := in.ByFacility != nil || in.Facilities != nil
	if held {
		if _, err := s.managed(ctx, p, permission.UsersManage, id); err != nil {
			return User{}, err
		}
		if err := hold(ctx, &u, in.ByFacility, in.Facilities); err != nil {
			return User{}, err
		}
	}
	for _, x := range []struct{ to, from *string }{{&u.Email, in.Email}, {&u.First, in.First}, {&u.Last, in.Last}, {&u.Phone, in.Phone}} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	if err := checkPerson(u.Email, u.First, u.Last, u.Phone); err != nil {
		return User{}, err
	}
	var letters Letters
	if u.Email != before.Email {
		if own {
			if _, err := s.verify(ctx, Login{User: u.Name, Password: in.Password, Address: in.Address}); err != nil {
				return User{}, passwordNeeded(err)
			}
		}
		say(ctx, "email_before", before.Email, "email", u.Email)
		if letters, err = s.letters(letterEmailChanged, &before, map[string]string{"email": u.Email}); err != nil {
			return User{}, err
		}
	}
	return u, told(s.store.UpdateUser(ctx, scopeOf(p, &u), u, held, letters), "store a user", noUser)
}

// hold holds a user to facilities, or to none.
func hold(ctx context.Context, u *User, by *bool, facilities *[]FacilityID) error {
	if u.Customer == "" {
		return fault.New(fault.Conflict, "This user belongs to no customer.")
	}
	before := u.ByFacility
	if by != nil {
		u.ByFacility = *by
	}
	if facilities != nil {
		u.Facilities = *facilities
	}
	if u.Owner && u.ByFacility {
		return fault.New(fault.Conflict, "The owner of a customer is held to no facilities.").At("by_facility")
	}
	say(ctx, "by_facility_before", fmt.Sprint(before), "by_facility", fmt.Sprint(u.ByFacility), "facilities", names(u.Facilities))
	return nil
}

// passwordNeeded says of a wrong password that it was asked for again.
func passwordNeeded(err error) error {
	if errors.Is(err, fault.Unauthenticated) {
		return fault.New(fault.Forbidden, "This needs your password, and it is wrong.").At("password")
	}
	return err
}

// Access is what a user gets and loses.
type Access struct {
	AddRoles, RemoveRoles []RoleID
	ByFacility            *bool
	Facilities            *[]FacilityID // with ByFacility
}

// SetAccess changes the roles and facilities of a user. A role that is there already, or is not, stays so.
func (s *Service) SetAccess(ctx context.Context, p Principal, id UserID, in Access) (User, error) {
	u, err := s.managed(ctx, p, permission.UsersManage, id)
	if err != nil {
		return User{}, err
	}
	if u.Customer == "" {
		return User{}, fault.New(fault.Conflict, "This user belongs to no customer.")
	}
	before := names(u.Roles)
	add, err := s.grantable(ctx, p, u.Customer, in.AddRoles)
	if err != nil {
		return User{}, err
	}
	for _, r := range add {
		if !slices.Contains(u.Roles, r) {
			u.Roles = append(u.Roles, r)
		}
	}
	for _, r := range in.RemoveRoles {
		u.Roles = slices.DeleteFunc(u.Roles, func(has RoleID) bool { return has == roleNamed(r) })
	}
	if err := hold(ctx, &u, in.ByFacility, in.Facilities); err != nil {
		return User{}, err
	}
	say(ctx, "roles_before", before, "roles", names(u.Roles))
	if err := s.store.SetAccess(ctx, p.Scope(), u); err != nil {
		return User{}, told(err, "store the access of a user", noUser)
	}
	u, err = s.store.UserIn(ctx, p.Scope(), id)
	return u, told(err, "read a user", noUser)
}

// SetDisabled lets a user of p's customer in or keeps them out, ending their sessions.
func (s *Service) SetDisabled(ctx context.Context, p Principal, id UserID, disabled bool) error {
	u, err := s.managed(ctx, p, permission.UsersManage, id)
	if err != nil {
		return err
	}
	if disabled && (id == p.User || u.Owner) {
		return fault.New(fault.Conflict, "Neither yourself nor the owner of a customer can be disabled.")
	}
	say(ctx, "disabled_before", fmt.Sprint(u.Disabled), "disabled", fmt.Sprint(disabled))
	return told(s.store.SetDisabled(ctx, p.Scope(), id, disabled), "change a user", noUser)
}

// Ban keeps a user out, or with why "" lets them in again. Only the administrator of the system does.
func (s *Service) Ban(ctx context.Context, p Principal, id UserID, why string) error {
	u, err := s.managed(ctx, p, permission.System, id)
	if err != nil {
		return err
	}
	if err := checkText("why", why, 0, 200); err != nil {
		return err
	}
	if id == p.User {
		return fault.New(fault.Conflict, "Nobody can ban themselves.")
	}
	at := s.now()
	if why == "" {
		at = 0
	}
	say(ctx, "banned_before", u.BannedWhy, "banned", why)
	return told(s.store.SetBanned(ctx, id, at, why), "ban a user", noUser)
}

// DeleteUser removes a user: oneself, or one that p manages. Keys that the user made stay: managers upload with them.
func (s *Service) DeleteUser(ctx context.Context, p Principal, id UserID) error {
	var u User
	var err error
	if id == p.User && id != "" {
		u, err = s.Me(ctx, p)
	} else {
		u, err = s.managed(ctx, p, permission.UsersDelete, id)
	}
	if err != nil {
		return err
	}
	if u.Owner {
		return fault.New(fault.Conflict, "The owner of a customer cannot be deleted.").WithHint("Transfer the ownership first, or delete the customer.")
	}
	return told(s.store.DeleteUser(ctx, scopeOf(p, &u), id), "delete a user", noUser)
}

// scopeOf is p's, or for oneself everything: who belongs to no customer is in no scope.
func scopeOf(p Principal, u *User) Scope {
	if u.ID == p.User {
		return NodeScope()
	}
	return p.Scope()
}
