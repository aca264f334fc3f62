package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"metermanager/rpc/fault"
)

// Passwords have at least MinPassword characters and at most MaxPassword bytes, which is
// all that bcrypt looks at.
const (
	MinPassword = 10
	MaxPassword = 72
)

const defaultCost = 12

// hasher bounds how many passwords are hashed at a time: a check costs a quarter of a
// second of processor time, so a flood of logins would be an attack on it.
type hasher struct {
	cost  int
	slots chan struct{}
	dummy []byte // takes the time of a real check when there is no such user
}

func newHasher(cost, parallel int) (*hasher, error) {
	if cost == 0 {
		cost = defaultCost
	}
	if parallel <= 0 {
		parallel = 2 * runtime.GOMAXPROCS(0)
	}
	var random [16]byte
	rand.Read(random[:])
	dummy, err := bcrypt.GenerateFromPassword(random[:], cost)
	if err != nil {
		return nil, fmt.Errorf("prepare password hashing with cost %d: %w", cost, err)
	}
	return &hasher{cost: cost, slots: make(chan struct{}, parallel), dummy: dummy}, nil
}

func (h *hasher) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Canceled, "The request was given up.", ctx.Err())
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
		return fault.New(fault.RateLimited, "Too many people are logging in just now.").WithHint("Try again in a few seconds.")
	}
}

// hash returns what is stored of a password.
func (h *hasher) hash(ctx context.Context, password string) ([]byte, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	out, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return out, nil
}

// check reports whether password is the one of stored, which may be nil for a user that
// does not exist. It takes the same time either way.
func (h *hasher) check(ctx context.Context, stored []byte, password string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	against := stored
	if against == nil {
		against = h.dummy
	}
	tooLong := len(password) > MaxPassword
	if tooLong { // bcrypt would look at the first 72 bytes only
		password = password[:MaxPassword]
	}
	err := bcrypt.CompareHashAndPassword(against, []byte(password))
	switch {
	case err == nil:
		return stored != nil && !tooLong, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, fmt.Errorf("check a password: %w", err)
}

// outdated reports whether a stored hash was made with a lower cost than today's.
func (h *hasher) outdated(stored []byte) bool {
	cost, err := bcrypt.Cost(stored)
	return err == nil && cost < h.cost
}

// CheckPassword reports the rule that a new password breaks.
func CheckPassword(user, password string) error {
	bad := func(text string) error { return fault.New(fault.Invalid, text).At("password") }
	switch {
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return bad("The password holds bytes that are no text.")
	case utf8.RuneCountInString(password) < MinPassword:
		return bad(fmt.Sprintf("The password needs at least %d characters.", MinPassword))
	case len(password) > MaxPassword:
		return bad(fmt.Sprintf("The password may have at most %d bytes.", MaxPassword))
	case strings.EqualFold(password, user):
		return bad("The password must differ from the user name.")
	}
	if why := weak(user, password); why != "" {
		return fault.New(fault.Invalid, why).At("password").WithHint("A few words that have nothing to do with each other are easy to keep and hard to guess.")
	}
	return nil
}

// CheckUserName reports the rule that a user name breaks.
func CheckUserName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 64 || !utf8.ValidString(name) {
		return fault.New(fault.Invalid, "A user name has 1 to 64 characters.").At("user")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return fault.New(fault.Invalid, "A user name holds no control characters.").At("user")
		}
	}
	if strings.TrimSpace(name) != name {
		return fault.New(fault.Invalid, "A user name neither begins nor ends with a blank.").At("user")
	}
	return nil
}
