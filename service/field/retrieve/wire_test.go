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

// Write takes a frame of Modbus TCP: on a serial line it has two bytes of check sum for the six before the unit number.
func (c wired) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)-4) * c.w.perByte)
	c.w.writes.Add(1)
	return c.Conn.Write(b)
}

// TestWireTime: what a retrieval takes at 19200 baud beside what its windows alone take on the wire, in virtual time, so that
// only what is sent counts. A window of the Shark family is a request of 8 and an answer of 255 bytes and holds five records of 46 bytes; one of the
// 26 records of a waveform is a request of function 0x23. One of the Nexus style is a window index of 8 bytes, both ways, a request of 8 and an answer of
// 133 bytes; it holds 128 bytes of the memory: four rows, or a part of a recording of 256 and 16,384.
func TestWireTime(t *testing.T) {
	t.Parallel()
	const records, ringWindow = 2048, 2*8 + 8 + 133
	for _, c := range []struct {
		name, profile, log string
		kind               sim.Kind
		history            time.Duration
		records            int // as many as the log holds
		windows, bytes     int // that these take at least, and the bytes of one, both ways
		most               float64
	}{
		{"2,048 records of a Shark", "eig-shark-200", "hist1", sim.Shark200, 2 * records * time.Minute, records, (records + 4) / 5, 8 + 255, 1.1},
		{"one waveform of a Shark", "eig-shark-200", "waveform", sim.Shark200, 20 * 24 * time.Hour, 26, 26, 9 + 6 + 992, 1.2},
		{"2,048 records of a Nexus", "eig-nexus-1252", "hist1", sim.Nexus, 2 * records * time.Minute, records, records / 4, ringWindow, 1.3},
		{"one waveform of a Nexus", "eig-nexus-1252", "waveform", sim.Nexus, 20 * 24 * time.Hour, 1, (256 + 16384) / 128, ringWindow, 2.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(60 * 24 * time.Hour) // the bubble begins in 2000, as the meter's calendar does
				w := newWire(19200)
				meter, err := sim.New(sim.Config{Kind: c.kind, Seed: 5, History: c.history, Open: func(string) (net.Listener, error) { return w, nil },
					MaxRecords: map[int]int{sim.LogHist1: records, sim.LogWaveform: c.records}})
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
				p, _ := profiles(t).Get(c.profile)
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
				least := time.Duration(c.windows*c.bytes) * w.perByte
				requests := (w.writes.Load() - frames) / 2
				t.Logf("%d records in %s of the line and %d requests; their windows alone take %s: %.2f times", out.Records, took.Round(time.Millisecond), requests, least.Round(time.Millisecond), float64(took)/float64(least))
				if out.Records < c.records || float64(took) > c.most*float64(least) {
					t.Errorf("%d records took %s, want %d and at most %.2f times %s", out.Records, took, c.records, c.most, least)
				}
				cancel()
				<-done
				<-done
			})
		})
	}
}
