package retrieve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// Test identifies the meter at an address and reads its present values, over the shared
// connection when there is one.
func (m *Manager) Test(ctx context.Context, address string, unit byte, profile string) (TestResult, error) {
	addr, err := modbus.ParseAddress(address)
	if err != nil {
		return TestResult{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	m.mu.Lock()
	shared := m.endpoints[addr]
	m.mu.Unlock()
	if shared != nil {
		return identify(ctx, shared.Endpoint, unit, m.profiles, profile, 0, m.cfg.Now)
	}
	return Test(ctx, m.profiles, addr, unit, profile, m.modbusConfig())
}

// TestResult is what Test found.
type TestResult struct {
	Profile  string
	Identity poll.Identity
	Readings []device.Reading
	Took     time.Duration
	Counters modbus.Counters
}

// Test needs no service and no configuration: it connects, identifies the meter (as
// profile, or as the first that fits) and reads its present values.
func Test(ctx context.Context, profiles *device.Set, address string, unit byte, profile string, cfg modbus.Config) (TestResult, error) {
	addr, err := modbus.ParseAddress(address)
	if err != nil {
		return TestResult{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var out TestResult
	err = modbus.With(ctx, addr, cfg, func(ctx context.Context, e *modbus.Endpoint) (err error) {
		out, err = identify(ctx, e, unit, profiles, profile, 0, cfg.Now)
		return err
	})
	return out, err
}

// At returns the meters of the list at an address by their units, and the connection to it while one is open.
func (m *Manager) At(address string) (map[byte]string, *modbus.Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out map[byte]string
	for _, x := range m.meters {
		if x.Address == address {
			if out == nil {
				out = map[byte]string{}
			}
			out[x.Unit] = x.Name
		}
	}
	if e := m.endpoints[address]; e != nil {
		return out, e.Endpoint
	}
	return out, nil
}

// Ask lets use talk to a unit: a meter of the list by its name, serial number or UID, or any unit at an address. It goes over the
// shared connection when there is one.
func (m *Manager) Ask(ctx context.Context, id string, unit byte, use func(context.Context, *modbus.Unit) error) error {
	cfg := modbus.UnitConfig{Retries: 1}
	address := id
	if x, err := m.find(id); err == nil {
		address, unit = x.Address, x.Unit
		if p, ok := m.profiles.Get(x.Profile); ok {
			cfg = unitConfig(p, m.cfg.Modbus.Timeout)
			cfg.WriteAllow = nil
		}
	} else if !strings.Contains(id, ":") {
		return err
	}
	addr, err := modbus.ParseAddress(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, shared := m.At(addr); shared != nil {
		return use(ctx, shared.Unit(unit, cfg))
	}
	return modbus.With(ctx, addr, m.modbusConfig(), func(ctx context.Context, e *modbus.Endpoint) error { return use(ctx, e.Unit(unit, cfg)) })
}

// Identify finds out of which profile the meter at a connection is, waiting at most that long for each answer, and reads
// its present values. Where several fit the error is a *SeveralError.
func Identify(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set, most time.Duration) (TestResult, error) {
	return identify(ctx, e, unit, profiles, "", most, nil)
}

// SeveralError says that a meter may be of several profiles.
type SeveralError struct{ Profiles []string }

// Error lists them.
func (e *SeveralError) Error() string {
	return "the meter may be of several profiles: " + strings.Join(e.Profiles, ", ") + "; name one"
}

// Unwrap makes it an invalid setting.
func (e *SeveralError) Unwrap() error { return ErrInvalid }

func identify(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set, profile string, most time.Duration, now func() time.Time) (TestResult, error) {
	if now == nil {
		now = time.Now
	}
	start := now()
	if profile == "" {
		return find(ctx, e, unit, profiles, most, now)
	}
	p, ok := profiles.Get(profile)
	if !ok {
		return TestResult{}, fmt.Errorf("%w: profile %q, have %s", ErrInvalid, profile, strings.Join(profiles.IDs(), ", "))
	}
	u := e.Unit(unit, unitConfig(p, most))
	src := poll.NewSource(p, u, now)
	who, err := src.Identify(ctx, modbus.User)
	if err != nil {
		return TestResult{}, fmt.Errorf("as %s: %w", profile, err)
	}
	readings, err := src.Read(ctx, modbus.User)
	return TestResult{profile, who, readings, now().Sub(start), u.Counters()}, err
}

// find tries the profiles in order: first those of meters that say who they are, then those that are told by what they
// read. Of the latter only one may fit.
func find(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set, most time.Duration, now func() time.Time) (TestResult, error) {
	var errs []error
	var fit []string
	for _, id := range profiles.IDs() {
		p, _ := profiles.Get(id)
		if !p.TellsSerial() || p.SunSpec == nil && p.Probe == nil { // others tell the same: it must be named
			continue
		}
		if p.Probe != nil {
			ok, err := poll.NewSource(p, e.Unit(unit, unitConfig(p, most)), now).Fits(ctx, modbus.User)
			if err == nil && !ok {
				err = poll.ErrIdentity
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("as %s: %w", id, err))
				if ctx.Err() != nil || errors.Is(err, modbus.ErrUnreachable) {
					return TestResult{}, errors.Join(errs...)
				}
				continue
			}
		}
		out, err := identify(ctx, e, unit, profiles, id, most, now)
		if err == nil || out.Profile != "" {
			return out, err
		}
		errs = append(errs, err)
		if ctx.Err() != nil || errors.Is(err, modbus.ErrUnreachable) {
			return TestResult{}, errors.Join(errs...)
		}
	}
	for _, id := range profiles.IDs() {
		p, _ := profiles.Get(id)
		if p.TellsSerial() {
			continue
		}
		ok, err := poll.NewSource(p, e.Unit(unit, unitConfig(p, most)), now).Fits(ctx, modbus.User)
		if err != nil {
			errs = append(errs, fmt.Errorf("as %s: %w", id, err))
			if ctx.Err() != nil || errors.Is(err, modbus.ErrUnreachable) {
				break
			}
		}
		if ok {
			fit = append(fit, id)
		}
	}
	switch len(fit) {
	case 0:
		return TestResult{}, errors.Join(errs...)
	case 1:
		return identify(ctx, e, unit, profiles, fit[0], most, now)
	}
	return TestResult{}, &SeveralError{fit}
}
