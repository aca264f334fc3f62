package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/audit"
)

// TokenPrefix begins every session token, KeyPrefix every key.
const (
	TokenPrefix = "mm_"
	KeyPrefix   = "mmk_"
)

// Login is somebody's attempt to log in. It has no String method on purpose: it must not
// be printed.
type Login struct {
	User, Password string
	// Address is where the attempt comes from, for the limit by address.
	Address string
}

// LoggedIn is the answer of a login. Token is told once.
type LoggedIn struct {
	Token     string
	Expires   logdb.Millis
	Principal Principal
	// Waiting is set of who belongs to no customer yet and waits for one.
	Waiting bool
}

var errWrongLogin = fault.New(fault.Unauthenticated, "User name or password is wrong.")

// errDisabled is told to who gave the right password.
var errDisabled = fault.New(fault.Forbidden, "This account is disabled.").WithHint("Ask an administrator of your customer.")

// Login checks a password and opens a session. A user that does not exist and a wrong password take the same time and give the
// same answer, whether the account is disabled or not.
func (s *Service) Login(ctx context.Context, l Login) (LoggedIn, error) {
	user, err := s.verify(ctx, l)
	if err != nil {
		return LoggedIn{}, err
	}
	return s.open(ctx, user)
}

// verify returns whose name and password those are. Failures count, whatever for the password is asked.
func (s *Service) verify(ctx context.Context, l Login) (User, error) {
	now := s.cfg.Now()
	name := strings.ToLower(l.User)
	pair := l.Address + " " + name
	if err := s.admit(l.Address, pair, name, now); err != nil {
		return User{}, err
	}
	user, err := s.store.UserByName(ctx, l.User)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, fmt.Errorf("look up a user: %w", err)
	}
	var stored []byte
	if err == nil {
		stored = user.PasswordHash
	}
	ok, err := s.hasher.check(ctx, stored, l.Password)
	if err != nil {
		return User{}, err
	}
	if !ok {
		return User{}, errWrongLogin
	}
	// Who may log in may do so often: a script does for every command.
	s.byPair.forget(pair)
	s.byAddr.refund(l.Address, now)
	s.byUser.refund(name, now)
	if user.Disabled || user.Banned != 0 { // only who knows the password hears it
		return User{}, errDisabled
	}
	if s.hasher.outdated(stored) {
		if err := s.rehash(ctx, user, l.Password); err != nil {
			return User{}, err
		}
	}
	return user, nil
}

// Locked is the cause of a login that was refused without a look at the password.
type Locked struct{ Wait time.Duration }

// Error says how long.
func (l Locked) Error() string { return fmt.Sprintf("logins are locked for %s", l.Wait) }

// RetryAfter returns how long to wait.
func (l Locked) RetryAfter() time.Duration { return l.Wait }

// admit takes an attempt of each count. What it says does not depend on whether there is such a
// user.
func (s *Service) admit(address, pair, name string, now time.Time) error {
	for _, c := range []struct {
		limit *limiter
		name  string
		who   string
	}{
		{s.byPair, pair, "as this user from this address"}, {s.byAddr, address, "from this address"}, {s.byUser, name, "as this user"},
	} {
		if wait := c.limit.take(c.name, now); wait > 0 {
			seconds := int64((wait + time.Second - 1) / time.Second)
			return fault.Wrap(fault.RateLimited, "Too many logins "+c.who+" have failed. Logging in is locked, with the right password too.", Locked{wait}).
				WithHint(fmt.Sprintf("Try again in %d s, and once: each failure locks it again.", seconds))
		}
	}
	return nil
}

func (s *Service) rehash(ctx context.Context, user User, password string) error {
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.store.SetPassword(audit.Quiet(ctx), NodeScope(), user.ID, hash); err != nil { // of no customer, perhaps
		return fmt.Errorf("store a stronger password hash: %w", err)
	}
	return nil
}

func (s *Service) open(ctx context.Context, user User) (LoggedIn, error) {
	if t := audit.Of(ctx); t != nil {
		p := user.principal()
		t.Of(string(p.Customer), p.Source(), p.Name)
	}
	now := s.now()
	if err := s.store.NoteLogin(audit.Quiet(ctx), user.ID, now); err != nil {
		return LoggedIn{}, fmt.Errorf("note a login: %w", err)
	}
	token := newSecret(TokenPrefix)
	ses := Session{
		Token: HashOf(token), User: user.ID, Created: now, LastUsed: now,
		Expires: now + logdb.Millis(s.cfg.SessionLife.Milliseconds()),
	}
	if err := s.store.DropSessions(audit.Quiet(ctx), now, now-logdb.Millis(s.cfg.SessionIdle.Milliseconds())); err != nil {
		return LoggedIn{}, fmt.Errorf("drop ended sessions: %w", err)
	}
	if err := s.store.CreateSession(ctx, ses); err != nil {
		return LoggedIn{}, fmt.Errorf("open a session: %w", err)
	}
	return LoggedIn{Token: token, Expires: ses.Expires, Principal: user.principal(), Waiting: user.Applied != ""}, nil
}

// Logout ends the session of token; an unknown one is as good as ended.
func (s *Service) Logout(ctx context.Context, token string) error {
	if err := s.store.DeleteSession(ctx, HashOf(token)); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

func (u User) principal() Principal {
	return Principal{User: u.ID, Customer: u.Customer, Name: u.Name, Permissions: u.Granted(), ByFacility: u.ByFacility && !u.Owner, Owner: u.Owner}
}

// touchEvery is how exact the time of the last use is kept, so that reading does not mean
// writing.
const touchEvery = logdb.Millis(60_000)

// Authenticate returns who sent secret, a session token or a key. Nothing is kept in
// memory: a disabled user and a revoked key are out at once.
func (s *Service) Authenticate(ctx context.Context, secret string) (Principal, error) {
	if strings.HasPrefix(secret, KeyPrefix) {
		return s.authenticateKey(ctx, secret)
	}
	ses, err := s.store.Session(ctx, HashOf(secret))
	if errors.Is(err, ErrNotFound) {
		return Principal{}, fault.New(fault.Unauthenticated, "The login or key is not known.")
	} else if err != nil {
		return Principal{}, fmt.Errorf("look up a session: %w", err)
	}
	now := s.now()
	if now >= ses.Expires || now-ses.LastUsed > logdb.Millis(s.cfg.SessionIdle.Milliseconds()) {
		return Principal{}, fault.New(fault.Unauthenticated, "The login has ended.").WithHint("Log in again.")
	}
	user, err := s.store.User(ctx, ses.User)
	if errors.Is(err, ErrNotFound) || err == nil && (user.Disabled || user.Banned != 0) {
		return Principal{}, fault.New(fault.Unauthenticated, "The login has ended.")
	} else if err != nil {
		return Principal{}, fmt.Errorf("look up the user of a session: %w", err)
	}
	if now-ses.LastUsed >= touchEvery {
		if err := s.store.TouchSession(audit.Quiet(ctx), ses.Token, now); err != nil {
			s.cfg.Logger.WarnContext(ctx, "note the use of a session", "user", user.ID, "err", err)
		}
	}
	return user.principal(), nil
}

func (s *Service) authenticateKey(ctx context.Context, secret string) (Principal, error) {
	key, err := s.store.KeyByHash(ctx, HashOf(secret))
	want := HashOf(secret)
	if errors.Is(err, ErrNotFound) || err == nil && (key.ended(s.now()) || subtle.ConstantTimeCompare(key.Hash[:], want[:]) != 1) {
		return Principal{}, fault.New(fault.Unauthenticated, "The login or key is not known.")
	} else if err != nil {
		return Principal{}, fmt.Errorf("look up a key: %w", err)
	}
	holds, err := s.Holds(ctx, key)
	if err != nil {
		return Principal{}, err
	}
	if holds == 0 && key.Permissions != 0 {
		return Principal{}, fault.New(fault.Unauthenticated, "This key has ended with the rights of the user who made it.").WithHint("Somebody who manages keys can replace it.")
	}
	if now := s.now(); now-key.LastUsed >= touchEvery {
		if err := s.store.TouchKey(audit.Quiet(ctx), key.ID, now); err != nil {
			s.cfg.Logger.WarnContext(ctx, "note the use of a key", "key", key.ID, "err", err)
		}
	}
	return Principal{Key: key.ID, Maker: key.Maker, Customer: key.Customer, Name: key.Name, Permissions: holds, Meter: key.Meter}, nil
}
