package retrieve_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/logdb/logdbtest"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// wire is a serial line of a baud rate between a meter and its reader, in virtual time: every byte takes its time.
type wire struct {
	perByte time.Duration
	queue   chan net.Conn
	closed  chan struct{}
	bytes   atomic.Int64
	writes  atomic.Int64 // frames, both ways
}

func newWire(baud int) *wire {
	return &wire{perByte: 11 * time.Second / time.Duration(baud), queue: make(chan net.Conn), closed: make(chan struct{})}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.queue:
		return wired{c, w}, nil
	case <-w.closed:
		return nil, errors.New("closed")
	}
}

func (w *wire) Close() error {
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	return nil
}
func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 502} }

func (w *wire) dial(ctx context.Context, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case w.queue <- far:
		return wired{near, w}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type wired struct {
	net.Conn
	w *wire
}

func (c wired) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * c.w.perByte)
	c.w.bytes.Add(int64(len(b)))
	c.w.writes.Add(1)
	return c.Conn.Write(b)
}

// TestWireTime: what a retrieval takes at 19200 baud beside what its windows alone take on the wire, in virtual time, so that
// only what is sent counts. A window of 125 registers is a request of 8 and an answer of 255 bytes and holds five records of 46 bytes; one of the
// 26 records of a waveform is a request of function 0x23.
func TestWireTime(t *testing.T) {
	t.Parallel()
	const records = 2048
	for _, c := range []struct {
		name, log string
		history   time.Duration
		records   int // in a window
		bytes     int // of a window, both ways
		most      float64
	}{
		{"2,048 records", "hist1", records * time.Minute, 5, 8 + 255, 1.15},
		{"one waveform", "waveform", 20 * 24 * time.Hour, 1, 9 + 6 + 992, 1.2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(60 * 24 * time.Hour) // the bubble begins in 2000, as the meter's calendar does
				w := newWire(19200)
				meter, err := sim.New(sim.Config{Seed: 5, History: c.history, MaxRecords: map[int]int{sim.LogWaveform: 26}, Open: func(string) (net.Listener, error) { return w, nil }})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 2)
				go func() { done <- meter.Run(ctx) }()
				e, err := modbus.New("10.0.0.9:502", modbus.Config{Dial: w.dial, Timeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				go func() { done <- e.Run(ctx) }()
				p, _ := profiles(t).Get("eig-shark-200")
				unit := e.Unit(1, modbus.UnitConfig{WriteAllow: p.WriteList(), Timeout: 10 * time.Second})
				id, err := poll.NewSource(p, unit, nil).Identify(ctx, modbus.User)
				if err != nil {
					t.Fatal(err)
				}
				log, _ := p.LogOf(c.log)
				zone, err := time.LoadLocation("America/New_York")
				if err != nil {
					t.Fatal(err)
				}
				var st retrieve.LogState
				frames, start := w.writes.Load(), time.Now()
				out, err := (&retrieve.Reader{Store: logdbtest.NewModel(logdbtest.Config{}), Priority: modbus.Logs}).Log(ctx, &retrieve.Target{UID: uid, Profile: p, Zone: zone, Conn: unit, Identity: id}, log, &st, true)
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				least := time.Duration((out.Records+c.records-1)/c.records*c.bytes) * w.perByte
				requests := (w.writes.Load() - frames) / 2
				t.Logf("%d records in %s of the line and %d requests; their windows alone take %s: %.2f times", out.Records, took.Round(time.Millisecond), requests, least.Round(time.Millisecond), float64(took)/float64(least))
				if out.Records == 0 || float64(took) > c.most*float64(least) {
					t.Errorf("%d records took %s, want at most %.2f times %s", out.Records, took, c.most, least)
				}
				cancel()
				<-done
				<-done
			})
		})
	}
}
