package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// Patient is a unit that is examined by asking it.
type Patient struct {
	Address string
	Unit    byte
	Profile *device.Profile // nil: not known
	Listed  []byte          // other units that are known to stand at the address
	Config  modbus.Config   // of connections that are opened for it
	Timeout time.Duration   // of one answer; 0: 1 s
}

// otherUnits are tried beside the one that does not answer.
var otherUnits = []byte{1, 255, 0, 2, 3, 247}

// Examine asks a unit, and where it does not answer as it should, asks on until it is known why: another unit, another
// transport, the registers beside, the other byte orders. It only reads. e is the connection to the address.
func Examine(ctx context.Context, e *modbus.Endpoint, p Patient) (Finding, error) {
	r := device.Request{FC: 3, Addr: 0, Count: 1}
	if p.Profile != nil {
		r.FC = p.Profile.Defaults.FC
		if p.Profile.Probe != nil {
			r = p.Profile.Probe.Request()
		} else if plan := p.Profile.Plan(p.Profile.Points, 0); len(plan) > 0 {
			r = plan[0]
		}
	}
	b, err := p.ask(ctx, e, p.Unit, r, 0)
	x, refused := modbus.ExceptionOf(err)
	switch {
	case ctx.Err() != nil:
		return Finding{}, ctx.Err()
	case err == nil:
		return p.fits(ctx, e, r, b)
	case refused && (x == modbus.GatewayTarget || x == modbus.GatewayPath):
		return p.otherUnit(ctx, e, Explain(Facts{Unit: int(p.Unit), Address: p.Address, Counters: modbus.Counters{Requests: 1, LastError: err.Error(), LastErrorAt: time.Now()}}))
	case refused:
		return p.refused(ctx, e, r, x)
	case errors.Is(err, modbus.ErrUnreachable):
		if hungUp(err.Error()) { // also what a device does that gets frames of another transport
			return p.otherTransport(ctx, r, oneMaster(p.Address))
		}
		return unreachable(Facts{Unit: int(p.Unit), Address: p.Address}, err.Error()), nil
	}
	f := Finding{FaultSilent, fmt.Sprintf("%s takes the connection, but unit %d does not answer, nor does another of those that were tried.", p.Address, p.Unit),
		"Check the meter's supply and wires and its unit number, and on a serial line baud rate and parity."}
	if errors.Is(err, modbus.ErrDesync) {
		f = Finding{FaultTransport, "What answers does not speak Modbus as " + p.Address + " says.", "Check the transport: tcp, rtu+tcp or serial, and on a serial line baud rate and parity."}
	}
	if out, err := p.otherUnit(ctx, e, f); err != nil || out != f {
		return out, err
	}
	return p.otherTransport(ctx, r, f)
}

func (p Patient) ask(ctx context.Context, e *modbus.Endpoint, unit byte, r device.Request, shift int) ([]byte, error) {
	return e.Unit(unit, modbus.UnitConfig{Timeout: cmp.Or(p.Timeout, time.Second), BusyRetries: 1}).Read(ctx, r.FC, uint16(int(r.Addr)+shift), r.Count, modbus.User)
}

// answers reports whether an outcome shows that a unit is there.
func answers(err error) bool {
	x, refused := modbus.ExceptionOf(err)
	return err == nil || refused && x != modbus.GatewayTarget && x != modbus.GatewayPath
}

// otherUnit looks whether somebody else answers at the address.
func (p Patient) otherUnit(ctx context.Context, e *modbus.Endpoint, otherwise Finding) (Finding, error) {
	for _, u := range otherUnits {
		if u == p.Unit || slices.Contains(p.Listed, u) {
			continue
		}
		_, err := p.ask(ctx, e, u, device.Request{FC: 3, Count: 1}, 0)
		if ctx.Err() != nil {
			return Finding{}, ctx.Err()
		}
		if answers(err) {
			return Finding{FaultUnit, fmt.Sprintf("Unit %d does not answer at %s, but unit %d does.", p.Unit, p.Address, u), fmt.Sprintf("Use unit %d, or give the meter the number %d.", u, p.Unit)}, nil
		}
		if errors.Is(err, modbus.ErrUnreachable) {
			return otherwise, nil
		}
	}
	return otherwise, nil
}

// otherTransport looks whether the device speaks the other of the two transports over TCP.
func (p Patient) otherTransport(ctx context.Context, r device.Request, otherwise Finding) (Finding, error) {
	if strings.HasPrefix(p.Address, "serial:") || len(p.Listed) > 0 {
		return otherwise, nil
	}
	other, name := "rtu+tcp://"+p.Address, "frames of a serial line (rtu+tcp)"
	if rest, ok := strings.CutPrefix(p.Address, "rtu+tcp://"); ok {
		other, name = rest, "Modbus TCP"
	}
	found := false
	err := modbus.With(ctx, other, p.Config, func(ctx context.Context, e *modbus.Endpoint) error {
		_, err := p.ask(ctx, e, p.Unit, r, 0)
		found = answers(err)
		return nil
	})
	if err != nil || !found {
		return otherwise, ctx.Err()
	}
	if !strings.Contains(other, "://") {
		other = "tcp://" + other
	}
	return Finding{FaultTransport, fmt.Sprintf("The device at %s speaks %s.", p.Address, name), "Use the address " + other + "."}, nil
}

// refused explains an exception.
func (p Patient) refused(ctx context.Context, e *modbus.Endpoint, r device.Request, x modbus.Exception) (Finding, error) {
	f := Finding{FaultRefused, fmt.Sprintf("The meter answers, and refuses to read %s with function %d: %v.", r.Addr, r.FC, x), "Check that the profile fits the meter's type: meter registers shows what it has."}
	switch x {
	case modbus.Busy, modbus.Acknowledge:
		return Finding{FaultBusy, "The meter says that it is busy.", "Ask again; if it stays so, end other programs that read it."}, nil
	case modbus.IllegalAddress, modbus.IllegalValue:
		return p.beside(ctx, e, r, f)
	case modbus.IllegalFunction:
		other := device.Request{FC: 7 - r.FC, Addr: r.Addr, Count: r.Count}
		if _, err := p.ask(ctx, e, p.Unit, other, 0); answers(err) && !errors.Is(err, modbus.IllegalFunction) {
			f.Try = fmt.Sprintf("It takes function %d: a profile of another type, or with fc %d, fits.", other.FC, other.FC)
		}
	}
	return f, ctx.Err()
}

// fits explains an answer: is it what the profile says?
func (p Patient) fits(ctx context.Context, e *modbus.Endpoint, r device.Request, b []byte) (Finding, error) {
	if p.Profile == nil || p.Profile.Probe == nil {
		return Finding{FaultNone, fmt.Sprintf("Unit %d answers.", p.Unit), "Whether its values are right only the profile or the meter's display can tell."}, nil
	}
	if p.Profile.Probe.Fits(b, p.Profile.Defaults) {
		return Finding{FaultNone, fmt.Sprintf("Unit %d answers as %s %s does.", p.Unit, p.Profile.Vendor, p.Profile.Model), ""}, nil
	}
	if p.Profile.Probe.Type != "ascii" {
		for _, order := range []string{"ABCD", "CDAB", "BADC", "DCBA"} {
			d := p.Profile.Defaults
			if d.Order == order {
				continue
			}
			if d.Order = order; p.Profile.Probe.Fits(b, d) {
				return Finding{FaultWordOrder, fmt.Sprintf("The value at %s makes sense in the byte order %s, not in %s.", r.Addr, order, p.Profile.Defaults.Order),
					fmt.Sprintf("Use a profile with the order %s.", order)}, nil
			}
		}
	}
	return p.beside(ctx, e, r, Finding{FaultProfile, fmt.Sprintf("Unit %d answers, but not as %s %s does.", p.Unit, p.Profile.Vendor, p.Profile.Model),
		"Another type of meter stands there, or it measures nothing: let the profile be found out (meter test without --profile)."})
}

// beside looks whether the value stands one register before or after.
func (p Patient) beside(ctx context.Context, e *modbus.Endpoint, r device.Request, otherwise Finding) (Finding, error) {
	if p.Profile == nil || p.Profile.Probe == nil {
		return otherwise, nil
	}
	for _, shift := range []int{-1, 1} {
		if int(r.Addr)+shift < 0 || int(r.Addr)+shift+r.Count > 1<<16 {
			continue
		}
		b, err := p.ask(ctx, e, p.Unit, r, shift)
		if ctx.Err() != nil {
			return Finding{}, ctx.Err()
		}
		if err == nil && p.Profile.Probe.Fits(b, p.Profile.Defaults) {
			return Finding{FaultOffByOne, fmt.Sprintf("The value that the profile has at %s stands at %s.", r.Addr, device.Addr(int(r.Addr)+shift)),
				"The addresses are off by one: set address_base of the profile to " + map[int]string{-1: "1 (register numbers)", 1: "0 (addresses as on the wire)"}[shift] + "."}, nil
		}
	}
	return otherwise, nil
}
