package webapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/service/bus"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/fetch"
	"metermanager/service/cloud/registry"
)

// faults maps the sentinels of what the handlers call to what the caller is told.
var faults = []struct {
	sentinel error
	code     fault.Code
	message  string
}{
	{logdb.ErrInvalid, fault.Invalid, "The request breaks a rule of log data."},
	{logdb.ErrUnknownMeter, fault.NotFound, "There is no such meter."},
	{logdb.ErrNotFound, fault.NotFound, "There is nothing of that name."},
	{logdb.ErrConflict, fault.Conflict, "This contradicts what is stored."},
	{logdb.ErrStale, fault.Stale, "The journal does not end where it was seen."},
	{logdb.ErrFull, fault.Full, "The disk here is full."},
	{chunk.ErrDamaged, fault.Internal, "Stored data of this range are damaged or missing; the log of the node names file, meter and month (metermanager check, rpc retention.status)."},
	{registry.ErrNotFound, fault.NotFound, "There is no such meter."},
	{registry.ErrExists, fault.Conflict, "The meter is registered already."},
	{account.ErrNotFound, fault.NotFound, "There is no such account."},
	{account.ErrExists, fault.Conflict, "The account exists already."},
	{account.ErrNoFacility, fault.NotFound, "There is no such facility."},
	{account.ErrLastAdmin, fault.Conflict, "This would leave the node without an administrator of the system."},
	{account.ErrFull, fault.RateLimited, "Too many wait for that already."},
	{fetch.ErrNotFound, fault.NotFound, "There is no such request."},
	{bus.ErrBusy, fault.RateLimited, "Too much is being stored just now."},
	{bus.ErrClosed, fault.Unavailable, "This node is stopping."},
	{context.Canceled, fault.Canceled, "The request was given up."},
	{context.DeadlineExceeded, fault.Timeout, "This took too long."},
}

// toFault gives any error the code under which it travels; unknown ones become internal,
// and their text stays here.
func toFault(err error) *fault.Error {
	var known *fault.Error
	if errors.As(err, &known) {
		return fault.From(err)
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.Wrap(fault.TooLarge, "The body is too large.", err)
	}
	for _, f := range faults {
		if errors.Is(err, f.sentinel) {
			return fault.Wrap(f.code, f.message, err)
		}
	}
	return fault.From(err)
}

// problemError is what huma sends for a fault.
type problemError struct{ fault *fault.Error }

// Error returns the text for the log.
func (p problemError) Error() string { return p.fault.Error() }

// MarshalJSON writes the problem document.
func (p problemError) MarshalJSON() ([]byte, error) { return p.fault.MarshalJSON() }

// GetStatus returns the HTTP status.
func (p problemError) GetStatus() int { return fault.HTTPStatus(p.fault.Code) }

// GetHeaders returns what goes with the status: when to try again, how to log in.
func (p problemError) GetHeaders() http.Header { return host.ErrorHeaders(p.fault) }

// ContentType returns the media type of problem documents.
func (problemError) ContentType(string) string { return fault.ContentType }

// problem turns an error of a handler into what huma sends. The cause is logged here, once.
func (a *API) problem(ctx context.Context, err error) huma.StatusError {
	return problemError{a.note(ctx, err)}
}

// note gives err its code and request id and logs what nobody will be told.
func (a *API) note(ctx context.Context, err error) *fault.Error {
	f := toFault(err)
	if id := host.RequestID(ctx); id != "" {
		f = f.WithRequest(id)
	}
	if f.Code == fault.Internal {
		a.log.ErrorContext(ctx, "serve a request", "request_id", f.RequestID, "err", err)
	}
	return f
}

// writeError sends err as a problem document.
func (a *API) writeError(w http.ResponseWriter, r *http.Request, err error) {
	host.WriteError(w, r, a.note(r.Context(), err))
}
