package source

import (
	"context"
	"errors"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/rpc/fault"
)

func isUnknown(err error) bool { return errors.Is(err, logdb.ErrUnknownMeter) }

// Explain tells an error in the words of people: what did not work, and what to do about it ("" when there is nothing to say).
func Explain(err error) (what, do string) {
	var file *format.Error
	var f *fault.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "Cancelled.", "Press F5 to load again."
	case errors.Is(err, ErrLogin):
		return "The service asks for a user and a password.", ""
	case errors.As(err, &file):
		plain := *file
		plain.Do = ""
		return point(plain.Error()), sentence(file.Do)
	case errors.As(err, &f):
		do = f.Hint
		if do == "" {
			do = adviceOf[f.Code]
		}
		return sentence(f.Message), sentence(do)
	case errors.Is(err, logdb.ErrNotFound):
		return "This record is not there any more.", "Press F5 to load the list again."
	}
	return sentence(err.Error()), ""
}

var adviceOf = map[fault.Code]string{
	fault.Unauthenticated: "Check the user and the password, or the key",
	fault.Forbidden:       "Ask for the right to read logs",
	fault.Unavailable:     "Check the address and whether the service runs, then press F5",
	fault.Timeout:         "Press F5 to try again",
}

// NeedsLogin reports whether an error is about who asks.
func NeedsLogin(err error) bool {
	return errors.Is(err, ErrLogin) || fault.CodeOf(err) == fault.Unauthenticated
}

// sentence begins with a capital letter and ends with a point.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + point(s[1:])
}

// point ends a text that may begin with the name of a file.
func point(s string) string {
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}
