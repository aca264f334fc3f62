package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/audit"
)

// The ways in which people may make accounts for themselves.
const (
	RegisterOpen   = "open"   // a new customer, or joining one
	RegisterJoin   = "join"   // only joining one, by its key or an invitation
	RegisterClosed = "closed" // only by an invitation
)

const (
	invitationPrefix = "mmi_"
	invitationLife   = 14 * 24 * time.Hour
	maxPending       = 1000 // of one customer
)

// Join is somebody who makes an account: with a new customer, or for one that is there.
type Join struct {
	NewUser
	// One of these. CustomerName makes a customer, CustomerKey asks to be let in, Invitation lets in at once.
	CustomerName, CustomerKey, Invitation string
	Address                               string
}

// Joined tells what became of it.
type Joined struct {
	User     User
	Customer Customer // whose member or applicant the user is
}

// Join makes an account. p may be nobody; the administrator of the system makes customers whatever the node allows others.
func (s *Service) Join(ctx context.Context, p Principal, in Join) (Joined, error) {
	if err := s.joins(in.Address); err != nil {
		return Joined{}, err
	}
	given := 0
	for _, x := range []string{in.CustomerName, in.CustomerKey, in.Invitation} {
		if x != "" {
			given++
		}
	}
	if given != 1 {
		return Joined{}, fault.New(fault.Invalid, "Give one of customer_name (makes a customer), customer_key (asks to join one) and invitation.")
	}
	switch {
	case in.CustomerName != "":
		return s.found(ctx, p, in)
	case in.Invitation != "":
		return s.accept(ctx, in)
	}
	return s.apply(ctx, p, in)
}

func (s *Service) joins(address string) error {
	if wait := s.byJoin.take(address, s.cfg.Now()); wait > 0 {
		return fault.Wrap(fault.RateLimited, "Too many accounts are made from this address just now.", Locked{wait}).WithHint("Wait a minute, then try again.")
	}
	return nil
}

// found makes a customer and its owner.
func (s *Service) found(ctx context.Context, p Principal, in Join) (Joined, error) {
	if s.cfg.Registration != RegisterOpen && !p.System() {
		return Joined{}, fault.New(fault.Forbidden, "New customers are made by the administrator of this node.").At("customer_name").
			WithHint("Join a customer with its key, or ask the administrator; the setting registration lets everybody make one.")
	}
	u, err := s.newUser(ctx, in.NewUser)
	if err != nil {
		return Joined{}, err
	}
	c, err := s.newCustomer(in.CustomerName, u.ID)
	if err != nil {
		return Joined{}, err
	}
	c.Contact = Contact{First: u.First, Last: u.Last, Email: u.Email, Phone: u.Phone}
	u.Customer, u.Owner = c.ID, true
	s.whose(ctx, &u, c.ID)
	say(ctx, "company", c.Name)
	return Joined{u, c}, told(s.store.Found(ctx, c, u), "store a customer", noCustomer)
}

// whose notes who makes an account: nobody was known before.
func (s *Service) whose(ctx context.Context, u *User, c CustomerID) {
	if t := audit.Of(ctx); t != nil {
		t.Of(string(c), "user:"+string(u.ID), u.Name)
	}
}

// apply makes a user who waits for a customer.
func (s *Service) apply(ctx context.Context, p Principal, in Join) (Joined, error) {
	if s.cfg.Registration == RegisterClosed && !p.System() {
		return Joined{}, fault.New(fault.Forbidden, "Accounts are made here by invitation only.")
	}
	c, err := s.CustomerByKey(ctx, in.CustomerKey)
	if err != nil {
		return Joined{}, err
	}
	u, err := s.newUser(ctx, in.NewUser)
	if err != nil {
		return Joined{}, err
	}
	letters, err := s.announce(ctx, c, &u)
	if err != nil {
		return Joined{}, err
	}
	u.Applied, u.AppliedAt = c.ID, s.now()
	s.whose(ctx, &u, c.ID)
	return Joined{u, c}, told(s.store.AddUser(ctx, u, "", s.now(), letters), "store a user", noUser)
}

// announce writes to who decides about a user who waits for their customer.
func (s *Service) announce(ctx context.Context, c Customer, u *User) (Letters, error) {
	waiting, err := s.store.Pending(ctx, CustomerScope(c.ID), "", maxPending+1)
	if err != nil {
		return nil, fmt.Errorf("count who waits: %w", err)
	}
	if len(waiting) >= maxPending {
		return nil, fault.New(fault.RateLimited, "Too many users wait for this customer already.")
	}
	mates, err := s.store.Mates(ctx, c.ID, RoleEnterprise)
	if err != nil {
		return nil, fmt.Errorf("list the administrators of a customer: %w", err)
	}
	var out Letters
	for i := range mates {
		more, err := s.letters(letterPending, &mates[i], map[string]string{"customer": c.Name, "name": u.Name, "person": person(u), "email": u.Email, "link": s.cfg.PublicURL + "/"})
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func person(u *User) string { return strings.TrimSpace(u.First + " " + u.Last) }

// invited finds an open invitation.
func (s *Service) invited(ctx context.Context, secret string) (Invitation, Customer, error) {
	refused := fault.New(fault.NotFound, "This invitation is not valid any more.").At("invitation").WithHint("Ask who invited you for another one.")
	i, err := s.store.InvitationByToken(ctx, HashOf(secret))
	if errors.Is(err, ErrNotFound) || err == nil && (i.Used != 0 || s.now() >= i.Expires) {
		return i, Customer{}, refused
	} else if err != nil {
		return i, Customer{}, fmt.Errorf("look up an invitation: %w", err)
	}
	c, err := s.store.Customer(ctx, CustomerScope(i.Customer), i.Customer)
	return i, c, told(err, "read a customer", noCustomer)
}

// Invited tells who holds the link of an open invitation by whom it is and what it fills in: the customer key, which no mail carries, since
// a mail lies about for longer than an invitation is good.
func (s *Service) Invited(ctx context.Context, secret, address string) (Invitation, Customer, string, error) {
	if wait := s.byLook.take(address, s.cfg.Now()); wait > 0 {
		return Invitation{}, Customer{}, "", fault.Wrap(fault.RateLimited, "Too many attempts from this address.", Locked{wait})
	}
	i, c, err := s.invited(ctx, secret)
	if err != nil {
		return Invitation{}, Customer{}, "", err
	}
	key, err := s.sealer.Open(c.SealedKey)
	if err != nil {
		return Invitation{}, Customer{}, "", fmt.Errorf("open the customer key: %w", err)
	}
	return i, c, string(key), nil
}

// accept makes a user whom an invitation lets in.
func (s *Service) accept(ctx context.Context, in Join) (Joined, error) {
	i, c, err := s.invited(ctx, in.Invitation)
	if err != nil {
		return Joined{}, err
	}
	if in.Email == "" {
		in.Email = i.Email
	}
	u, err := s.newUser(ctx, in.NewUser)
	if err != nil {
		return Joined{}, err
	}
	s.take(&u, i)
	if err := s.stillThere(ctx, &u); err != nil {
		return Joined{}, err
	}
	s.whose(ctx, &u, c.ID)
	say(ctx, "invited_by", i.InvitedBy, "roles", names(u.Roles))
	return Joined{u, c}, told(s.store.AddUser(ctx, u, i.ID, s.now(), nil), "store a user", "This invitation is not valid any more.")
}

func (s *Service) take(u *User, i Invitation) {
	u.Customer, u.Roles, u.ByFacility, u.Facilities = i.Customer, i.Roles, i.ByFacility, i.Facilities
	u.Applied, u.AppliedAt = "", 0
}

// stillThere leaves out facilities that were deleted since the invitation.
func (s *Service) stillThere(ctx context.Context, u *User) error {
	var out []FacilityID
	for _, id := range u.Facilities {
		_, err := s.store.Facility(ctx, CustomerScope(u.Customer), id)
		if errors.Is(err, ErrNoFacility) {
			continue
		} else if err != nil {
			return fmt.Errorf("read a facility: %w", err)
		}
		out = append(out, id)
	}
	u.Facilities = out
	return nil
}

// Apply has p, who belongs to no customer, wait for the one of a key, or follow an invitation.
func (s *Service) Apply(ctx context.Context, p Principal, key, invitation, address string) (Joined, error) {
	if err := s.joins(address); err != nil {
		return Joined{}, err
	}
	u, err := s.Me(ctx, p)
	if err != nil {
		return Joined{}, err
	}
	if u.Customer != "" {
		return Joined{}, fault.New(fault.Conflict, "You belong to a customer already, and can belong to one only.")
	}
	if invitation != "" {
		i, c, err := s.invited(ctx, invitation)
		if err != nil {
			return Joined{}, err
		}
		s.take(&u, i)
		if err := s.stillThere(ctx, &u); err != nil {
			return Joined{}, err
		}
		return Joined{u, c}, told(s.store.Accept(ctx, u, i.ID, s.now()), "accept an invitation", "This invitation is not valid any more.")
	}
	c, err := s.CustomerByKey(ctx, key)
	if err != nil {
		return Joined{}, err
	}
	letters, err := s.announce(ctx, c, &u)
	if err != nil {
		return Joined{}, err
	}
	u.Applied, u.AppliedAt = c.ID, s.now()
	return Joined{u, c}, told(s.store.Apply(ctx, u.ID, c.ID, u.AppliedAt, letters), "apply", noUser)
}

// Pending lists who waits for p's customer, or for any for who acts everywhere.
func (s *Service) Pending(ctx context.Context, p Principal, after UserID, limit int) ([]User, error) {
	if err := manages(p, permission.UsersManage); err != nil {
		return nil, err
	}
	list, err := s.store.Pending(ctx, p.Scope(), after, page(limit))
	return list, told(err, "list who waits", noUser)
}

// Waiting counts who waits for p's decision; 0 for who has none to make.
func (s *Service) Waiting(ctx context.Context, p Principal) (int, error) {
	if manages(p, permission.UsersManage) != nil || p.Customer == "" {
		return 0, nil
	}
	list, err := s.store.Pending(ctx, CustomerScope(p.Customer), "", maxPending)
	if err != nil {
		return 0, fmt.Errorf("count who waits: %w", err)
	}
	return len(list), nil
}

// waiting returns a user about whom p decides.
func (s *Service) waiting(ctx context.Context, p Principal, id UserID) (User, Customer, error) {
	if err := manages(p, permission.UsersManage); err != nil {
		return User{}, Customer{}, err
	}
	u, err := s.store.PendingUser(ctx, p.Scope(), id)
	if err != nil {
		return User{}, Customer{}, told(err, "read who waits", noUser)
	}
	c, err := s.store.Customer(ctx, p.Scope(), u.Applied)
	say(ctx, "user", u.Name)
	return u, c, told(err, "read a customer", noCustomer)
}

// Approve lets a user who waits in: with the limited role, unless in says otherwise.
func (s *Service) Approve(ctx context.Context, p Principal, id UserID, in Access) (User, error) {
	u, c, err := s.waiting(ctx, p, id)
	if err != nil {
		return User{}, err
	}
	if len(in.AddRoles) == 0 {
		in.AddRoles = []RoleID{RoleLimited}
	}
	u.Customer = c.ID
	if u.Roles, err = s.grantable(ctx, p, c.ID, in.AddRoles); err != nil {
		return User{}, err
	}
	if in.ByFacility != nil {
		u.ByFacility = *in.ByFacility
	}
	if in.Facilities != nil {
		u.Facilities = *in.Facilities
	}
	letters, err := s.letters(letterAccepted, &u, map[string]string{"customer": c.Name, "link": s.cfg.PublicURL + "/"})
	if err != nil {
		return User{}, err
	}
	say(ctx, "roles", names(u.Roles), "by_facility", fmt.Sprint(u.ByFacility), "facilities", names(u.Facilities))
	if err := s.store.Admit(ctx, p.Scope(), u, letters); err != nil {
		return User{}, told(err, "let a user in", noUser)
	}
	u, err = s.store.UserIn(ctx, p.Scope(), id)
	return u, told(err, "read a user", noUser)
}

// Reject turns a user who waits away. They keep their account, and may ask another customer.
func (s *Service) Reject(ctx context.Context, p Principal, id UserID) error {
	u, c, err := s.waiting(ctx, p, id)
	if err != nil {
		return err
	}
	letters, err := s.letters(letterRejected, &u, map[string]string{"customer": c.Name})
	if err != nil {
		return err
	}
	u.Customer, u.Roles, u.Facilities, u.ByFacility = "", systemRoles(u.Roles), nil, false
	return told(s.store.Admit(ctx, p.Scope(), u, letters), "turn a user away", noUser)
}

// systemRoles are those of ids that hold without a customer.
func systemRoles(ids []RoleID) (out []RoleID) {
	for _, id := range ids {
		if r, ok := Builtin(id); ok && r.System {
			out = append(out, id)
		}
	}
	return out
}

// Invite is an invitation that p sends.
type Invite struct {
	Email      string
	Roles      []RoleID
	ByFacility bool
	Facilities []FacilityID
}

// Invite asks somebody to join p's customer, by a mail with a link.
func (s *Service) Invite(ctx context.Context, p Principal, in Invite) (Invitation, error) {
	if err := manages(p, permission.UsersManage); err != nil {
		return Invitation{}, err
	}
	if p.Customer == "" {
		return Invitation{}, fault.New(fault.Conflict, "You belong to no customer.")
	}
	if err := checkEmail("email", in.Email); err != nil || in.Email == "" {
		return Invitation{}, first(err, fault.New(fault.Invalid, "An invitation is sent to an e-mail address.").At("email"))
	}
	if wait := s.byInviter.take(string(p.Customer), s.cfg.Now()); wait > 0 {
		return Invitation{}, fault.Wrap(fault.RateLimited, "Too many invitations are sent just now.", Locked{wait})
	}
	if len(in.Roles) == 0 {
		in.Roles = []RoleID{RoleLimited}
	}
	roles, err := s.grantable(ctx, p, p.Customer, in.Roles)
	if err != nil {
		return Invitation{}, err
	}
	for _, id := range in.Facilities {
		if _, err := s.store.Facility(ctx, CustomerScope(p.Customer), id); err != nil {
			return Invitation{}, told(err, "read a facility", noFacility)
		}
	}
	c, err := s.store.Customer(ctx, CustomerScope(p.Customer), p.Customer)
	if err != nil {
		return Invitation{}, told(err, "read a customer", noCustomer)
	}
	secret := newSecret(invitationPrefix)
	i := Invitation{
		ID: InvitationID("i" + newID()), Customer: p.Customer, Email: in.Email, Token: HashOf(secret), Roles: roles, ByFacility: in.ByFacility,
		Facilities: in.Facilities, InvitedBy: p.Name, Created: s.now(), Expires: s.now() + logdb.Millis(invitationLife.Milliseconds()),
	}
	letters, err := s.letters(letterInvitation, &User{Email: in.Email, Customer: p.Customer}, map[string]string{
		"customer": c.Name, "by": p.Name, "link": s.cfg.PublicURL + "/join#invitation=" + secret, "days": "14"})
	if err != nil {
		return Invitation{}, err
	}
	say(ctx, "email", i.Email, "roles", names(roles), "facilities", names(i.Facilities))
	return i, told(s.store.Invite(ctx, i, letters), "store an invitation", noCustomer)
}

// shownExpired is how long an invitation whose time is over stays in the list.
const shownExpired = 30 * 24 * time.Hour

// DropExpired removes links to choose a password whose time is over, and invitations a month after theirs.
func (s *Service) DropExpired(ctx context.Context) error {
	now := s.now()
	if err := s.store.DropExpired(audit.Quiet(ctx), now, now-logdb.Millis(shownExpired.Milliseconds())); err != nil {
		return fmt.Errorf("drop links and invitations that are over: %w", err)
	}
	return nil
}

// Invitations lists the invitations of p's customer that nobody has taken, those whose time is over with them.
func (s *Service) Invitations(ctx context.Context, p Principal, after InvitationID, limit int) ([]Invitation, error) {
	if err := manages(p, permission.UsersManage); err != nil {
		return nil, err
	}
	list, err := s.store.Invitations(ctx, p.Scope(), after, page(limit))
	return list, told(err, "list invitations", noUser)
}

// EndInvitation takes an invitation back: its link lets nobody in any more.
func (s *Service) EndInvitation(ctx context.Context, p Principal, id InvitationID) error {
	if err := manages(p, permission.UsersManage); err != nil {
		return err
	}
	return told(s.store.EndInvitation(ctx, p.Scope(), id, s.now()), "take an invitation back", "There is no such invitation.")
}
