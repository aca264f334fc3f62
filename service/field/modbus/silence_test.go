package modbus_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/service/field/modbus"
)

// watch is a clock that tests set.
type watch struct {
	mu sync.Mutex
	at time.Time
}

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *watch) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// piped is an endpoint in virtual time: how busy the machine is does not matter.
func piped(t *testing.T, clock *watch, handle func(n int, f frame, c net.Conn)) *modbus.Endpoint {
	t.Helper()
	var served sync.WaitGroup
	t.Cleanup(served.Wait) // after the endpoint has hung up
	return start(t, "10.0.0.9:502", modbus.Config{Timeout: 20 * time.Millisecond, Now: clock.now, Dial: func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		served.Go(func() { (&server{}).talk(far, handle) })
		return near, nil
	}})
}

// TestSilentUnitIsLeftAlone: a unit that does not answer while its neighbours do is asked seldom and once, so that it costs
// them little; somebody who waits for it still has it asked.
func TestSilentUnitIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, silentUnit)
}

func silentUnit(t *testing.T) {
	var mu sync.Mutex
	asked, back := 0, false
	clock := &watch{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	e := piped(t, clock, func(_ int, f frame, c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if f.unit == 7 {
			asked++
			if !back {
				return
			}
		}
		c.Write(f.registers(1))
	})
	dead, alive := e.Unit(7, modbus.UnitConfig{Retries: 1}), e.Unit(8, modbus.UnitConfig{})
	poll := func(p modbus.Priority) (deadErr error) {
		t.Helper()
		if _, err := alive.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
			t.Fatal(err)
		}
		clock.add(time.Second)
		_, err := dead.Read(t.Context(), 3, 0, 1, p)
		return err
	}
	for range 60 { // a minute
		if err := poll(modbus.Live); !errors.Is(err, modbus.ErrTimeout) {
			t.Fatal(err)
		}
	}
	mu.Lock()
	first := asked
	mu.Unlock()
	if first < 4 || first > 9 { // twice at first, then with pauses of 5, 10, 20, 40 s
		t.Errorf("asked %d times in a minute", first)
	}
	if dead.SilentSince().IsZero() || !alive.SilentSince().IsZero() {
		t.Errorf("silent since %v and %v", dead.SilentSince(), alive.SilentSince())
	}
	poll(modbus.User)
	mu.Lock()
	if asked != first+1 {
		t.Errorf("somebody waits, and it is asked %d times", asked-first)
	}
	back = true
	mu.Unlock()
	answers := 0
	for range 61 {
		if poll(modbus.Live) == nil {
			answers++
		}
	}
	if answers == 0 || poll(modbus.Live) != nil || !dead.SilentSince().IsZero() {
		t.Errorf("%d answers after it came back", answers)
	}
}

// TestSilentGatewayKeepsTheSchedule: when nobody answers the gateway is away, and everybody is asked as usual, so that the
// first question after it came back is answered.
func TestSilentGatewayKeepsTheSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, silentGateway)
}

func silentGateway(t *testing.T) {
	var mu sync.Mutex
	away := false
	clock := &watch{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	e := piped(t, clock, func(_ int, f frame, c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if !away {
			c.Write(f.registers(1))
		}
	})
	var units []*modbus.Unit
	for i := range byte(4) {
		units = append(units, e.Unit(i+1, modbus.UnitConfig{}))
	}
	ask := func(want bool) {
		t.Helper()
		for i, u := range units {
			clock.add(time.Second)
			if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); (err == nil) != want {
				t.Errorf("unit %d: %v", i+1, err)
			}
		}
	}
	ask(true)
	mu.Lock()
	away = true
	mu.Unlock()
	for range 6 {
		ask(false)
	}
	mu.Lock()
	away = false
	mu.Unlock()
	ask(true)
}
