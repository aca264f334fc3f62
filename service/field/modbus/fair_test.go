package modbus_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/service/field/modbus"
)

// gateway is one in virtual time, with a line behind it. silent is asked of each request: of which connection, counted from 1, and
// for which unit it is.
type gateway struct {
	scheme string // of its address
	wire   time.Duration
	silent func(connection int, unit byte) bool

	mu          sync.Mutex
	connections int
	served      sync.WaitGroup
}

func (g *gateway) start(t *testing.T, timeout time.Duration) *modbus.Endpoint {
	t.Helper()
	t.Cleanup(g.served.Wait) // after the endpoint has hung up
	return start(t, g.scheme+"10.0.0.9:502", modbus.Config{Timeout: timeout, Dial: func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		g.mu.Lock()
		g.connections++
		n := g.connections
		g.mu.Unlock()
		g.served.Go(func() { g.serve(n, far) })
		return near, nil
	}})
}

func (g *gateway) serve(n int, c net.Conn) {
	defer c.Close()
	q := make([]byte, 12)
	if g.scheme != "" {
		q = q[:8]
	}
	for {
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		time.Sleep(g.wire)
		unit, answer := q[0], framed(q[0], 3, 2, 0, 42)
		if g.scheme == "" {
			unit, answer = q[6], frame{binary.BigEndian.Uint16(q), q[6], q[7:]}.registers(42)
		}
		if !g.silent(n, unit) {
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

// TestConnectionThatIsDeadAboveTCP: a gateway that takes requests and answers none serves a new connection, which is made after
// some timeouts, for ever; a unit that is silent while others answer leaves the connection to them.
func TestConnectionThatIsDeadAboveTCP(t *testing.T) {
	t.Parallel()
	first := func(connection int, _ byte) bool { return connection == 1 }
	one := func(_ int, unit byte) bool { return unit == 1 }
	all := func(int, byte) bool { return true }
	for _, tc := range []struct {
		name        string
		scheme      string
		silent      func(int, byte) bool // from the third request on
		units       []byte               // asked in turn
		connections int
		timeouts    int64
	}{
		{"two units", "", first, []byte{1, 2}, 2, 4},
		{"one unit, another was asked once", "", first, []byte{1}, 2, 4},
		{"two units on a line", "rtu+tcp://", first, []byte{1, 2}, 2, 4},
		{"one unit on a line", "rtu+tcp://", first, []byte{1}, 2, 4},
		{"one of two is silent", "", one, []byte{1, 2}, 1, 0},
		{"one of two on a line is silent", "rtu+tcp://", one, []byte{1, 2}, 1, 0},
		{"everybody is silent", "", all, []byte{1, 2}, 4, 60}, // 4, 8 and 16 timeouts are waited for, then 32
		{"everybody on a line is silent", "rtu+tcp://", all, []byte{1, 2}, 4, 60},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				hung := false
				g := &gateway{scheme: tc.scheme, silent: func(n int, unit byte) bool {
					mu.Lock()
					defer mu.Unlock()
					return hung && tc.silent(n, unit)
				}}
				e := g.start(t, time.Second)
				units := []*modbus.Unit{e.Unit(1, modbus.UnitConfig{}), e.Unit(2, modbus.UnitConfig{})}
				for _, u := range units {
					if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
						t.Fatal(err)
					}
				}
				mu.Lock()
				hung = true
				mu.Unlock()
				var last error
				for i := range 60 {
					_, last = units[tc.units[i%len(tc.units)]-1].Read(t.Context(), 3, 0, 1, modbus.User)
				}
				if c := e.Counters(); g.connections != tc.connections || tc.timeouts > 0 && c.Timeouts != tc.timeouts {
					t.Errorf("%d connections after %d timeouts, want %d after %d", g.connections, c.Timeouts, tc.connections, tc.timeouts)
				}
				if (last == nil) == (tc.timeouts == 60) {
					t.Errorf("the last request: %v", last)
				}
			})
		})
	}
}

// TestLogsHaveTheirTurn: what is polled more often than a line can carry leaves its part of it to logs, and to somebody who waits; rows
// that are lost when they come late leave less.
func TestLogsHaveTheirTurn(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		first, then modbus.Priority
		least, most int // percent of the line
	}{
		{"live values before logs", modbus.Live, modbus.Logs, 23, 34},
		{"live values before somebody who waits", modbus.Live, modbus.User, 23, 34},
		{"rows before logs", modbus.Exact, modbus.Logs, 9, 13},
		{"rows before live values", modbus.Exact, modbus.Live, 0, 1},
		{"somebody who waits before logs", modbus.User, modbus.Logs, 23, 34},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{wire: 150 * time.Millisecond, silent: func(int, byte) bool { return false }} // of 9600 baud
				e := g.start(t, 2*time.Second)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				poll := func(unit byte, p modbus.Priority, served *int) {
					u := e.Unit(unit, modbus.UnitConfig{})
					wg.Go(func() {
						for ctx.Err() == nil {
							if _, err := u.Read(ctx, 3, 0, 1, p); err == nil {
								*served++
							}
						}
					})
				}
				var first [25]int
				for i := range first {
					poll(byte(i+2), tc.first, &first[i])
				}
				then := 0
				poll(1, tc.then, &then)
				time.Sleep(10 * time.Minute)
				cancel()
				wg.Wait()
				all := then
				for i, n := range first {
					if all += n; n == 0 {
						t.Errorf("unit %d is never read", i+2)
					}
				}
				if share := 100 * then / all; share < tc.least || share > tc.most {
					t.Errorf("%d of %d requests are %d percent, want %d to %d", then, all, share, tc.least, tc.most)
				}
			})
		})
	}
}

// slow is a connection on which cutting off a read takes until released.
type slow struct {
	net.Conn
	cutting, release chan struct{}
}

func (c *slow) SetDeadline(at time.Time) error {
	if at.Before(time.Unix(1000, 0)) {
		close(c.cutting)
		<-c.release
	}
	return c.Conn.SetDeadline(at)
}

// TestCancelSparesTheNextRequest: who gives up cuts off one exchange, not the one behind it.
func TestCancelSparesTheNextRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cutting, release, answer := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var served sync.WaitGroup
		t.Cleanup(served.Wait)
		e := start(t, "10.0.0.9:502", modbus.Config{Timeout: time.Minute, Dial: func(context.Context, string) (net.Conn, error) {
			near, far := net.Pipe()
			served.Go(func() {
				(&server{}).talk(far, func(n int, f frame, c net.Conn) {
					<-answer
					c.Write(f.registers(uint16(n)))
				})
			})
			return &slow{near, cutting, release}, nil
		}})
		u, other := e.Unit(1, modbus.UnitConfig{}), e.Unit(2, modbus.UnitConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		var asked sync.WaitGroup
		asked.Go(func() { u.Read(ctx, 3, 0, 1, modbus.Live) })
		synctest.Wait()
		asked.Go(func() {
			if _, err := other.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		<-cutting
		answer <- struct{}{} // the first is answered all the same
		synctest.Wait()
		close(release)
		synctest.Wait()
		close(answer)
		asked.Wait()
	})
}
