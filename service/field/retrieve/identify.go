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
	ids := []string{profile}
	if profile == "" {
		ids = profiles.IDs()
	}
	var errs []error
	for _, id := range ids {
		p, ok := profiles.Get(id)
		if !ok {
			return TestResult{}, fmt.Errorf("%w: profile %q, have %s", ErrInvalid, id, strings.Join(profiles.IDs(), ", "))
		}
		u := e.Unit(unit, unitConfig(p, 0))
		src := poll.NewSource(p, u, now)
		who, err := src.Identify(ctx, modbus.User)
		if err == nil {
			readings, err := src.Read(ctx, modbus.User)
			return TestResult{id, who, readings, now().Sub(start), u.Counters()}, err
		}
		errs = append(errs, fmt.Errorf("as %s: %w", id, err))
		if ctx.Err() != nil || errors.Is(err, modbus.ErrUnreachable) {
			break
		}
	}
	return TestResult{}, errors.Join(errs...)
}
