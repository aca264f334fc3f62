package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// SetupToken returns the one-time token with which the first user is made, "" when there
// is a user already. A new start makes a new token; the old one is worth nothing then.
func (s *Service) SetupToken(ctx context.Context) (string, error) {
	has, err := s.store.HasUsers(ctx)
	if err != nil {
		return "", fmt.Errorf("look for users: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setup = Hash{}
	if has {
		return "", nil
	}
	token := newSecret("setup-")
	s.setup = HashOf(token)
	return token, nil
}

// NeedsSetup reports whether nobody can log in yet.
func (s *Service) NeedsSetup(ctx context.Context) (bool, error) {
	has, err := s.store.HasUsers(ctx)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return !has, nil
}

// Setup is the first step of a new node: the token that its first start printed, and the
// owner's name and password.
type Setup struct {
	Token, User, Password string
	Customer              string // name of the customer; the user's by default
	Address               string
}

// SetUp makes the first customer and its owner. It works once.
func (s *Service) SetUp(ctx context.Context, in Setup) (LoggedIn, error) {
	if wait := s.byAddr.take(in.Address, s.cfg.Now()); wait > 0 {
		return LoggedIn{}, fault.Wrap(fault.RateLimited, "Too many attempts from this address.", Locked{wait}).WithHint("Wait a minute, then try again.")
	}
	s.mu.Lock()
	want := s.setup
	s.mu.Unlock()
	got := HashOf(in.Token)
	if want == (Hash{}) || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return LoggedIn{}, fault.New(fault.Forbidden, "The set-up token is not valid, or was used already.").At("token").
			WithHint("Take the link that the latest start of the service printed.")
	}
	user, _, err := s.bootstrap(ctx, Bootstrap{User: in.User, Password: in.Password, Customer: in.Customer})
	if err != nil {
		return LoggedIn{}, err
	}
	s.mu.Lock()
	s.setup = Hash{}
	s.mu.Unlock()
	return s.open(ctx, user)
}

// Bootstrap is an owner and a key whose secrets the caller made up.
type Bootstrap struct {
	User, Password string
	Customer       string
	// Key, when not "", becomes a key with KeyPermissions. It must begin with KeyPrefix and
	// have at least 32 characters after it.
	Key            string
	KeyPermissions permission.Set
}

// EnsureBootstrap makes the first customer, its owner and a key, and reports whether it
// did: with a user present already it changes nothing, so it can run at every start.
func (s *Service) EnsureBootstrap(ctx context.Context, b Bootstrap) (bool, error) {
	has, err := s.store.HasUsers(ctx)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	if has {
		return false, nil
	}
	_, made, err := s.bootstrap(ctx, b)
	if errors.Is(err, fault.Conflict) {
		return false, nil
	}
	return made, err
}

func (s *Service) bootstrap(ctx context.Context, b Bootstrap) (User, bool, error) {
	if err := CheckUserName(b.User); err != nil {
		return User{}, false, err
	}
	if err := CheckPassword(b.User, b.Password); err != nil {
		return User{}, false, err
	}
	hash, err := s.hasher.hash(ctx, b.Password)
	if err != nil {
		return User{}, false, err
	}
	if b.Customer == "" {
		b.Customer = b.User
	}
	now := s.now()
	id := UserID(newID())
	c, err := s.newCustomer(b.Customer, id) // a customer's object is its owner's: one id for both
	if err != nil {
		return User{}, false, err
	}
	u := User{ID: id, Customer: c.ID, Name: b.User, PasswordHash: hash, Owner: true, Roles: []RoleID{RoleSystemAdmin}, Created: now}
	var keys []Key
	if b.Key != "" {
		if len(b.Key) < len(KeyPrefix)+32 || b.Key[:len(KeyPrefix)] != KeyPrefix {
			return User{}, false, fault.Newf(fault.Invalid, "A key begins with %s and has at least 32 characters after it.", KeyPrefix).At("apikey")
		}
		keys = append(keys, Key{
			ID: KeyID(newID()), Customer: c.ID, Name: "first key", Hash: HashOf(b.Key),
			Permissions: b.KeyPermissions, CreatedBy: b.User, Created: now,
		})
	}
	switch err := s.store.Bootstrap(ctx, c, u, keys); {
	case errors.Is(err, ErrExists):
		return User{}, false, fault.New(fault.Conflict, "This node is set up already.").WithHint("Log in.")
	case err != nil:
		return User{}, false, fmt.Errorf("store the first user: %w", err)
	}
	return u, true, nil
}
