package modbus

import (
	"context"
	"fmt"
)

// FCEncapsulated is function 43, of which only type 14 is used: read device identification (Modbus Application Protocol
// V1.1b3, clause 6.21).
const (
	FCEncapsulated = 0x2B
	meiDeviceID    = 0x0E
)

// The objects of the basic and the regular identification.
const (
	ObjectVendor      = 0
	ObjectProductCode = 1
	ObjectRevision    = 2
	ObjectURL         = 3
	ObjectProductName = 4
	ObjectModel       = 5
	ObjectApplication = 6
)

// The codes of DeviceID: how much is asked for.
const (
	IdentificationBasic   = 1
	IdentificationRegular = 2
)

// maxIdentificationParts bounds the requests for one identification.
const maxIdentificationParts = 10

// DeviceID reads what a unit says of itself with function 43/14: its objects by id, as it sent them. Many meters answer
// exception 1 or nothing, which means only that they do not have it.
func (u *Unit) DeviceID(ctx context.Context, code byte, p Priority) (map[byte]string, error) {
	out := map[byte]string{}
	next := byte(0)
	for range maxIdentificationParts {
		data, err := u.read(ctx, Request{FC: FCEncapsulated, Data: []byte{meiDeviceID, code, next}, Priority: p})
		if err != nil {
			return out, err
		}
		more, after, err := parseIdentification(data, out)
		if err != nil {
			return out, &Error{Endpoint: u.end.addr, Unit: u.id, FC: FCEncapsulated, Err: err}
		}
		if !more || after <= next { // a device that asks for the same again would never end
			break
		}
		next = after
	}
	return out, nil
}

// parseIdentification adds the objects of one answer, from the type on, to out and says whether more follow, and from which.
func parseIdentification(b []byte, out map[byte]string) (more bool, next byte, err error) {
	if len(b) < 6 || b[0] != meiDeviceID {
		return false, 0, fmt.Errorf("%w: no device identification", ErrDesync)
	}
	more, next = b[3] == 0xFF, b[4]
	rest := b[6:]
	for range b[5] {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return false, 0, fmt.Errorf("%w: a device identification that breaks off", ErrDesync)
		}
		n := int(rest[1])
		out[rest[0]] = string(rest[2 : 2+n])
		rest = rest[2+n:]
	}
	return more, next, nil
}
