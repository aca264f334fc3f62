package host

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"metermanager/rpc/fault"
)

// WriteError sends err as a problem document with the request's id: the one writer of
// errors. It tells what a fault says and nothing else; the caller logs the cause of an
// internal one.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.From(err)
	if f == nil {
		f = fault.New(fault.Internal, "Something went wrong here.")
	}
	if id := RequestID(r.Context()); id != "" {
		f = f.WithRequest(id)
	}
	h := w.Header()
	for name, values := range ErrorHeaders(err) {
		if h.Get(name) == "" {
			h[name] = values
		}
	}
	_ = fault.Write(w, f) // the peer is gone: there is nobody to tell
}

// retrySeconds is what a peer waits that is not told by the error itself.
const retrySeconds = 30

// ErrorHeaders returns the headers that belong to an error. How long to wait is taken from a
// method RetryAfter of any error in its chain.
func ErrorHeaders(err error) http.Header {
	h := http.Header{}
	switch fault.CodeOf(err) {
	case fault.Unauthenticated:
		h.Set("WWW-Authenticate", `Bearer realm="metermanager"`)
	case fault.RateLimited, fault.Unavailable, fault.Full:
		seconds := int64(retrySeconds)
		var known interface{ RetryAfter() time.Duration }
		if errors.As(err, &known) {
			seconds = max(1, int64((known.RetryAfter()+time.Second-1)/time.Second))
		}
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	return h
}
