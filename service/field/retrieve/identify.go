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
		return identify(ctx, shared.Endpoint, unit, m.profiles, profile, m.cfg.Now)
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
	e, err := modbus.New(address, cfg)
	if err != nil {
		return TestResult{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	runCtx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- e.Run(runCtx) }()
	out, err := identify(ctx, e, unit, profiles, profile, cfg.Now)
	cancel()
	return out, errors.Join(err, <-done)
}

func identify(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set, profile string, now func() time.Time) (TestResult, error) {
	if now == nil {
		now = time.Now
	}
	start := now()
	if profile == "" {
		return find(ctx, e, unit, profiles, now)
	}
	p, ok := profiles.Get(profile)
	if !ok {
		return TestResult{}, fmt.Errorf("%w: profile %q, have %s", ErrInvalid, profile, strings.Join(profiles.IDs(), ", "))
	}
	u := e.Unit(unit, unitConfig(p, 0))
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
func find(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set, now func() time.Time) (TestResult, error) {
	var errs []error
	var fit []string
	for _, id := range profiles.IDs() {
		p, _ := profiles.Get(id)
		if !p.TellsSerial() || p.SunSpec == nil && p.Probe == nil { // others tell the same: it must be named
			continue
		}
		if p.Probe != nil {
			ok, err := poll.NewSource(p, e.Unit(unit, unitConfig(p, 0)), now).Fits(ctx, modbus.User)
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
		out, err := identify(ctx, e, unit, profiles, id, now)
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
		ok, err := poll.NewSource(p, e.Unit(unit, unitConfig(p, 0)), now).Fits(ctx, modbus.User)
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
		return identify(ctx, e, unit, profiles, fit[0], now)
	}
	return TestResult{}, fmt.Errorf("%w: the meter may be of several profiles: %s; name one", ErrInvalid, strings.Join(fit, ", "))
}
