package account

import (
	"context"
	"errors"
	"fmt"

	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// NewUser says what a user shall be.
type NewUser struct {
	Name, Password string
	Permissions    permission.Set
}

// CreateUser makes a user of p's customer.
func (s *Service) CreateUser(ctx context.Context, p Principal, n NewUser) (User, error) {
	if err := Allow(p, permission.UsersManage, Resource{}); err != nil {
		return User{}, err
	}
	if p.Meter != "" {
		return User{}, fault.New(fault.Forbidden, "A key of one meter cannot make users.")
	}
	if err := CheckUserName(n.Name); err != nil {
		return User{}, err
	}
	if err := CheckPassword(n.Name, n.Password); err != nil {
		return User{}, err
	}
	if !p.Permissions.Covers(n.Permissions) {
		return User{}, fault.New(fault.Forbidden, "A user cannot get a permission that you lack.").At("permissions")
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	u := User{ID: UserID(newID()), Customer: p.Customer, Name: n.Name, PasswordHash: hash, Permissions: n.Permissions, Created: s.now()}
	switch err := s.store.CreateUser(ctx, p.Scope(), u); {
	case errors.Is(err, ErrExists):
		return User{}, fault.New(fault.Conflict, "That user name is taken.").At("user")
	case err != nil:
		return User{}, fmt.Errorf("store a user: %w", err)
	}
	return u, nil
}

// SetDisabled lets a user of p's customer in or keeps them out, ending their sessions.
func (s *Service) SetDisabled(ctx context.Context, p Principal, id UserID, disabled bool) error {
	if err := Allow(p, permission.UsersManage, Resource{}); err != nil {
		return err
	}
	switch err := s.store.SetDisabled(ctx, p.Scope(), id, disabled); {
	case errors.Is(err, ErrNotFound):
		return fault.New(fault.NotFound, "There is no such user.")
	case err != nil:
		return fmt.Errorf("change a user: %w", err)
	}
	return nil
}
