package host

import (
	"net/http"

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
	switch f.Code {
	case fault.Unauthenticated:
		h.Set("WWW-Authenticate", `Bearer realm="metermanager"`)
	case fault.RateLimited, fault.Unavailable, fault.Full:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "30")
		}
	}
	_ = fault.Write(w, f) // the peer is gone: there is nobody to tell
}
