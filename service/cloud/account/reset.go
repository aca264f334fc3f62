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
)

const (
	resetPrefix = "mmr_"
	resetLife   = time.Hour
	// adminResetLife is longer: the user did not ask for it and may not be there.
	adminResetLife = 3 * 24 * time.Hour
	maxWishes      = 10_000
)

// ChangePassword gives p another password. All other logins of p end, and the links to choose one.
func (s *Service) ChangePassword(ctx context.Context, p Principal, old, password, token, address string) error {
	u, err := s.Me(ctx, p)
	if err != nil {
		return err
	}
	if _, err := s.verify(ctx, Login{User: u.Name, Password: old, Address: address}); err != nil {
		return passwordNeeded(err)
	}
	if err := CheckPassword(u.Name, password); err != nil {
		return err
	}
	if old == password {
		return fault.New(fault.Invalid, "The new password is the old one.").At("password")
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	letters, err := s.letters(letterPasswordChanged, &u, nil)
	if err != nil {
		return err
	}
	return told(s.store.ChangePassword(ctx, u.ID, hash, HashOf(token), letters), "store a password", noUser)
}

// Forgot notes that somebody forgot the password of a user name. What it does and how long it takes is the same whether there is such a
// user: who that is, FulfilWishes looks up after the answer.
func (s *Service) Forgot(ctx context.Context, name, address string) error {
	now := s.cfg.Now()
	if wait := s.byForgot.take(address, now); wait > 0 {
		return fault.Wrap(fault.RateLimited, "This was asked too often from this address just now.", Locked{wait}).WithHint("Look into your mails, then try again later.")
	}
	if s.byWish.take(strings.ToLower(name), now) > 0 {
		return nil // mails are on their way; whoever asks on must neither fill a mailbox nor keep its owner from asking
	}
	if len(name) > 200 {
		name = name[:200]
	}
	if err := s.store.Wish(ctx, strings.ToValidUTF8(name, "?"), s.now(), maxWishes); err != nil {
		return fmt.Errorf("note who forgot a password: %w", err)
	}
	return nil
}

// FulfilWishes writes the letters to those who forgot their password, as far as there are such users.
func (s *Service) FulfilWishes(ctx context.Context) error {
	wishes, err := s.store.Wishes(ctx, 100)
	if err != nil {
		return fmt.Errorf("list who forgot a password: %w", err)
	}
	for _, w := range wishes {
		u, err := s.store.UserByName(ctx, w.Name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("look up who forgot a password: %w", err)
		}
		var r *Reset
		var letters Letters
		if err == nil && !u.Disabled && u.Banned == 0 && u.Email != "" && s.now()-w.At < logdb.Millis(resetLife.Milliseconds()) {
			var link string
			r, link = s.newReset(u.ID, resetLife)
			if letters, err = s.letters(letterReset, &u, map[string]string{"link": link, "name": u.Name}); err != nil {
				return err
			}
		}
		if err := s.store.Grant(ctx, w.ID, r, letters); err != nil {
			return fmt.Errorf("store a link: %w", err)
		}
	}
	return nil
}

func (s *Service) newReset(user UserID, life time.Duration) (*Reset, string) {
	secret := newSecret(resetPrefix)
	now := s.now()
	return &Reset{Token: HashOf(secret), User: user, Created: now, Expires: now + logdb.Millis(life.Milliseconds())}, s.cfg.PublicURL + "/reset#token=" + secret
}

// ResetPassword chooses a password by a link that a mail brought, or an administrator handed over. The link works once.
func (s *Service) ResetPassword(ctx context.Context, secret, password, address string) error {
	if wait := s.byForgot.take(address, s.cfg.Now()); wait > 0 {
		return fault.Wrap(fault.RateLimited, "Too many attempts from this address.", Locked{wait})
	}
	refused := fault.New(fault.Forbidden, "This link is not valid any more.").At("token").WithHint("Ask for another one.")
	r, err := s.store.Reset(ctx, HashOf(secret))
	if errors.Is(err, ErrNotFound) || err == nil && s.now() >= r.Expires {
		return refused
	} else if err != nil {
		return fmt.Errorf("look up a link: %w", err)
	}
	u, err := s.store.User(ctx, r.User)
	if err != nil {
		return told(err, "read a user", noUser)
	}
	s.whose(ctx, &u, u.Customer)
	if u.Disabled || u.Banned != 0 {
		return errDisabled
	}
	if err := CheckPassword(u.Name, password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	letters, err := s.letters(letterPasswordChanged, &u, nil)
	if err != nil {
		return err
	}
	switch err := s.store.ResetPassword(ctx, r, hash, letters); {
	case errors.Is(err, ErrNotFound): // used in the meantime
		return refused
	case err != nil:
		return fmt.Errorf("store a password: %w", err)
	}
	return nil
}

// ResetUser ends the password and the logins of a user that p manages, and sends them a link. A user without an address gets it from p,
// to whom it is told once.
func (s *Service) ResetUser(ctx context.Context, p Principal, id UserID) (link string, err error) {
	u, err := s.managed(ctx, p, permission.UsersManage, id)
	if err != nil {
		return "", err
	}
	if id == p.User {
		return "", fault.New(fault.Conflict, "Change your own password with the one that you have.")
	}
	none, err := s.hasher.hash(ctx, newSecret("")) // nobody knows it
	if err != nil {
		return "", err
	}
	r, link := s.newReset(id, adminResetLife)
	letters, err := s.letters(letterResetByAdmin, &u, map[string]string{"link": link, "name": u.Name, "by": p.Name})
	if err != nil {
		return "", err
	}
	if err := s.store.PutReset(ctx, *r, none, letters); err != nil {
		return "", told(err, "store a link", noUser)
	}
	if u.Email != "" {
		return "", nil
	}
	return link, nil
}

// Checked is what a meter hears of somebody who wants to log in at it.
type Checked struct {
	User        User
	Permissions permission.Set
}

// Check tells a meter whether somebody may log in at it, so that it need keep no passwords. No session is opened. p is the meter's own
// key, or one of its manager; the meter is of p's scope, as the caller has found out. reaches tells whether the user sees the meter.
func (s *Service) Check(ctx context.Context, p Principal, l Login, reaches func(Principal) error) (Checked, error) {
	u, err := s.verify(ctx, l)
	if err != nil {
		return Checked{}, err
	}
	q := u.principal()
	if u.Customer == "" || !q.Everywhere() && u.Customer != p.Customer {
		return Checked{}, errWrongLogin // of another customer: no such user here
	}
	if err := reaches(q); err != nil {
		return Checked{}, errWrongLogin
	}
	return Checked{u, q.Permissions}, nil
}
