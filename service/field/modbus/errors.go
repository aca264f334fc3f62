package modbus

import (
	"errors"
	"fmt"
)

// The sorts of failure, to be tested with errors.Is.
var (
	// ErrTimeout: the unit did not answer in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrDesync: what came was not an answer to the request; the connection was closed.
	ErrDesync = errors.New("the answer does not fit the request")
	// ErrUnreachable: no connection, or it broke.
	ErrUnreachable = errors.New("cannot reach the endpoint")
	// ErrNotAllowed: the write is not on the unit's whitelist; nothing was sent.
	ErrNotAllowed = errors.New("writing this register is not allowed")
	// ErrInvalidRequest: the request cannot be sent at all.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrClosed: the endpoint has stopped.
	ErrClosed = errors.New("the endpoint has stopped")
)

// Exception is a meter's refusal of a request.
type Exception byte

// The exception codes.
const (
	IllegalFunction Exception = 1
	IllegalAddress  Exception = 2
	IllegalValue    Exception = 3
	DeviceFailure   Exception = 4
	Acknowledge     Exception = 5
	Busy            Exception = 6
	MemoryParity    Exception = 8
	GatewayPath     Exception = 10
	GatewayTarget   Exception = 11
)

var exceptionTexts = map[Exception]string{
	IllegalFunction: "illegal function", IllegalAddress: "illegal data address", IllegalValue: "illegal data value",
	DeviceFailure: "device failure", Acknowledge: "acknowledge", Busy: "device busy", MemoryParity: "memory parity error",
	GatewayPath: "gateway path unavailable", GatewayTarget: "gateway target does not answer",
}

// Error words the exception.
func (e Exception) Error() string {
	text := exceptionTexts[e]
	if text == "" {
		text = "unknown"
	}
	return fmt.Sprintf("exception %d (%s)", byte(e), text)
}

// ExceptionOf returns the exception in err.
func ExceptionOf(err error) (Exception, bool) {
	var e Exception
	ok := errors.As(err, &e)
	return e, ok
}

// Error says which request failed: on a gateway with 25 meters nothing less is of use.
type Error struct {
	Endpoint string
	Unit     byte
	FC       byte
	Addr     uint16
	Count    int
	Err      error
}

// Error names the endpoint, unit, function, address and count.
func (e *Error) Error() string {
	return fmt.Sprintf("%s unit %d function %#02x address %#04x count %d: %v", e.Endpoint, e.Unit, e.FC, e.Addr, e.Count, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
