package command

import (
	"context"
	"errors"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// faults maps the sentinels that handlers may return to what the caller is told.
var faults = []struct {
	sentinel error
	code     fault.Code
	message  string
}{
	{logdb.ErrUnknownMeter, fault.NotFound, "There is no such meter."},
	{logdb.ErrNotFound, fault.NotFound, "There is nothing of that name."},
	{logdb.ErrConflict, fault.Conflict, "This contradicts what is stored."},
	{logdb.ErrStale, fault.Stale, "The journal does not end where it was seen."},
	{logdb.ErrFull, fault.Full, "The disk is full."},
	{context.Canceled, fault.Canceled, "The request was given up."},
	{context.DeadlineExceeded, fault.Timeout, "This took too long."},
}

// toFault gives an error of a handler the code under which it travels. Unknown errors
// become internal ones further up; their text never leaves the node.
func toFault(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	for _, f := range faults {
		if errors.Is(err, f.sentinel) {
			return fault.Wrap(f.code, f.message, err)
		}
	}
	return err
}
