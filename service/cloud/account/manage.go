package account

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/audit"
)

// manages reports whether p may do perm, which reaches beyond single facilities, for its customer.
func manages(p Principal, perm permission.Permission) error {
	if err := Allow(p, perm, Resource{}); err != nil {
		return err
	}
	if p.Meter != "" {
		return fault.New(fault.Forbidden, "A key of one meter cannot do that.")
	}
	if p.ByFacility {
		return fault.New(fault.Forbidden, "This is for users who see all facilities.")
	}
	return nil
}

// outranks reports whether p may change u: who may do something that p may not is out of reach, or p would get it by a new password.
func outranks(p Principal, u *User) error {
	if !p.Permissions.Covers(u.rights()) {
		return fault.New(fault.Forbidden, "This user may do more than you: only somebody who may do as much can change them.")
	}
	return nil
}

// unknownPermission reports a name that this version does not know.
func unknownPermission(s permission.Set) error {
	if s.Unknown() {
		return fault.New(fault.Invalid, "There is a name among them that is no permission.").At("permissions").WithHint("They are " + permission.Everything().String() + ".")
	}
	return nil
}

// page bounds a list.
func page(limit int) int {
	if limit <= 0 || limit > 1000 {
		return 1000
	}
	return limit
}

// say notes what a change is about in its event of the audit.
func say(ctx context.Context, pairs ...string) {
	if t := audit.Of(ctx); t != nil {
		t.Say(pairs...)
	}
}

// checkText reports a text for people that is too long or holds what is no text.
func checkText(field, value string, least, most int) error {
	n := utf8.RuneCountInString(value)
	if n < least || n > most || !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fault.Newf(fault.Invalid, "This has %d to %d characters on one line.", least, most).At(field)
	}
	return nil
}

// checkEmail reports what is no address, "" being one that is not known.
func checkEmail(field, address string) error {
	if address == "" {
		return nil
	}
	a, err := mail.ParseAddress(address)
	if err != nil || a.Address != address || len(address) > 254 {
		return fault.New(fault.Invalid, "This is no e-mail address.").At(field).WithHint("Such as ann@example.net, without a name.")
	}
	return nil
}

// told gives the errors of stores their words.
func told(err error, tried, missing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrLastAdmin):
		return fault.New(fault.Conflict, "This would leave the node without an administrator of the system.").WithHint("Give somebody else the role system_admin first.")
	case errors.Is(err, ErrNoFacility):
		return fault.New(fault.NotFound, "There is no such facility.").At("facilities")
	case errors.Is(err, ErrNotFound):
		return fault.New(fault.NotFound, missing)
	case errors.Is(err, ErrExists):
		return fault.New(fault.Conflict, "That user name is taken.").At("user")
	}
	return fmt.Errorf("%s: %w", tried, err)
}
