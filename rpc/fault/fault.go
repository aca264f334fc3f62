package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Code says what sort of thing went wrong. The words are on the wire.
//
// A Code is an error itself, so that errors.Is(err, fault.NotFound) holds on both
// ends of the wire.
type Code string

// The codes.
const (
	Invalid          Code = "invalid"            // the request breaks a rule; the same request can never succeed
	Damaged          Code = "damaged"            // it was cut or changed on the way; what was sent may be fine
	Unauthenticated  Code = "unauthenticated"    // no credential, or one that is not known
	Forbidden        Code = "forbidden"          // the credential does not reach that far
	NotFound         Code = "not_found"          // nothing of that name that the caller may see
	MethodNotAllowed Code = "method_not_allowed" // the path exists, the method does not
	NotAcceptable    Code = "not_acceptable"     // the answer cannot be given in the form asked for
	Conflict         Code = "conflict"           // contradicts what is stored
	Stale            Code = "stale"              // what the caller saw has changed since: ask again
	TooLarge         Code = "too_large"          // over a limit of size
	UnsupportedMedia Code = "unsupported_media"  // a content type or encoding that is not understood
	RateLimited      Code = "rate_limited"       // too many requests; later again
	Timeout          Code = "timeout"            // took too long; may be tried again
	Unavailable      Code = "unavailable"        // not reachable or not ready; may be tried again
	Full             Code = "full"               // the disk of the other side is full
	Canceled         Code = "canceled"           // the caller gave up
	Internal         Code = "internal"           // our mistake; the log tells more
)

// Error returns the word.
func (c Code) Error() string { return string(c) }

// Valid reports whether c is one of the codes.
func (c Code) Valid() bool { _, ok := table[c]; return ok }

// Retryable reports whether the same request may succeed later.
func (c Code) Retryable() bool { return table[c].retry }

// Error is a failure with a code. Message, Field and Hint are safe to show to anybody:
// they never hold a value that was submitted. The cause is for the log only.
type Error struct {
	Code      Code
	Message   string // what did not work
	Field     string // the member or parameter at fault, "" when there is none
	Hint      string // what to do next
	RequestID string // of the request that failed, as the far end logged it

	cause error
}

// New returns an error with a message that may be shown.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a format. Its values must be safe to show.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an error that keeps err as its cause, for the log and for errors.Is.
func Wrap(code Code, message string, err error) *Error {
	return &Error{Code: code, Message: message, cause: err}
}

// At returns e with the name of the member at fault.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// WithHint returns e with what to do next.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// WithRequest returns e with the id of the request that failed.
func (e *Error) WithRequest(id string) *Error {
	c := *e
	c.RequestID = id
	return &c
}

// Error returns message and cause: text for a log, not for a caller.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = title(e.Code)
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.cause != nil {
		if why := e.cause.Error(); !strings.Contains(s, why) {
			s = strings.TrimSuffix(s, ".") + ": " + why
		}
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is e's code, or a fault that states the same code and,
// where target states more, the same message and field.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Code:
		return t == e.Code
	case *Error:
		return t.Code == e.Code && t.cause == nil && t.RequestID == "" &&
			(t.Message == "" || t.Message == e.Message) && (t.Field == "" || t.Field == e.Field)
	}
	return false
}

// From returns the fault in err's chain. Any other error becomes an internal one whose
// message says nothing; nil stays nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		if e == err {
			return e
		}
		c := *e
		c.cause = err // keeps what was tried on the way up
		return &c
	}
	var code Code
	if errors.As(err, &code) {
		return &Error{Code: code, Message: title(code), cause: err}
	}
	return &Error{Code: Internal, Message: "Something went wrong here.", cause: err}
}

// CodeOf returns the code in err's chain, Internal when there is none and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}
