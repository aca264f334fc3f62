package modbus_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/service/field/modbus"
)

// crc is the check of a serial frame, by the table-free form of appendix B of the standard.
func crc(b []byte) []byte {
	c := uint16(0xFFFF)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return binary.LittleEndian.AppendUint16(nil, c)
}

func framed(b ...byte) []byte { return append(b, crc(b)...) }

// line is an endpoint at a serial line behind a gateway, in virtual time: each request of eight bytes is answered with what answers holds for it, a
// part at a time with a pause between the parts.
func line(t *testing.T, timeout time.Duration, answers ...[][]byte) *modbus.Endpoint {
	t.Helper()
	return lineOn(t, func(c net.Conn) net.Conn { return c }, timeout, answers...)
}

// busy is a connection of a machine that does something else for a while after each time-out that is set.
type busy struct{ net.Conn }

func (b busy) SetDeadline(at time.Time) error {
	err := b.Conn.SetDeadline(at)
	time.Sleep(3 * time.Millisecond)
	return err
}

// lineOn is line on connections that near makes.
func lineOn(t *testing.T, near func(net.Conn) net.Conn, timeout time.Duration, answers ...[][]byte) *modbus.Endpoint {
	t.Helper()
	n := 0
	serve := func(c net.Conn) {
		defer c.Close()
		for {
			var q [8]byte
			if _, err := io.ReadFull(c, q[:]); err != nil {
				return
			}
			if !bytes.Equal(crc(q[:6]), q[6:]) {
				t.Errorf("request % x has a wrong check", q)
			}
			for _, part := range answers[min(n, len(answers)-1)] {
				if len(part) == 0 { // later than anybody waits
					time.Sleep(timeout * 3 / 2)
					continue
				}
				if _, err := c.Write(part); err != nil {
					return
				}
			}
			n++
		}
	}
	var served sync.WaitGroup
	t.Cleanup(served.Wait) // after the endpoint has hung up
	return start(t, "rtu+tcp://gateway:4001", modbus.Config{Timeout: timeout, Dial: func(context.Context, string) (net.Conn, error) {
		here, far := net.Pipe()
		served.Go(func() { serve(far) })
		return near(here), nil
	}})
}

func TestSerialFrames(t *testing.T) {
	t.Parallel()
	two := framed(1, 3, 4, 0, 0x14, 0, 0x28)
	spoiled := bytes.Clone(two)
	spoiled[3] ^= 1
	for _, c := range []struct {
		name    string
		answers [][][]byte
		retries int
		data    []byte
		err     error
	}{
		{name: "in one piece", answers: [][][]byte{{two}}, data: two[3:7]},
		{name: "byte by byte", answers: [][][]byte{{two[:1], two[1:2], two[2:5], two[5:]}}, data: two[3:7]},
		{name: "an exception in two pieces", answers: [][][]byte{{framed(1, 0x83, 2)[:3], framed(1, 0x83, 2)[3:]}}, err: modbus.IllegalAddress},
		{name: "a wrong check", answers: [][][]byte{{spoiled}}, err: modbus.ErrDesync},
		{name: "a wrong check, then a right one", answers: [][][]byte{{spoiled}, {two}}, retries: 1, data: two[3:7]},
		{name: "another unit", answers: [][][]byte{{framed(2, 3, 4, 0, 1, 0, 2)}}, err: modbus.ErrDesync},
		{name: "another function", answers: [][][]byte{{framed(1, 4, 4, 0, 1, 0, 2)}}, err: modbus.ErrDesync},
		{name: "fewer registers than asked for", answers: [][][]byte{{framed(1, 3, 2, 0, 1)}}, err: modbus.ErrDesync},
		{name: "half a frame", answers: [][][]byte{{two[:5]}}, err: modbus.ErrDesync},
		{name: "noise before it", answers: [][][]byte{{[]byte{0, 0xFF}, two}, {two}}, retries: 1, data: two[3:7]},
		{name: "silence", answers: [][][]byte{{}}, err: modbus.ErrTimeout},
		// Two values that look alike: the first one comes too late, and must not be taken for the second.
		{name: "a late answer", answers: [][][]byte{{nil, framed(1, 3, 4, 0, 1, 0, 1)}, {two}}, retries: 1, data: two[3:7]},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := line(t, 200*time.Millisecond, c.answers...)
				data, err := e.Unit(1, modbus.UnitConfig{Retries: c.retries}).Read(t.Context(), 3, 0x5B00, 2, modbus.Live)
				if !errors.Is(err, c.err) || !bytes.Equal(data, c.data) {
					t.Errorf("% x, %v; want % x, %v", data, err, c.data, c.err)
				}
				if n := e.Counters(); n.Connects != 1 {
					t.Errorf("%d connections, the line must stay open", n.Connects)
				}
			})
		})
	}
}

// TestSerialAnswerTwice: an answer that came twice, or comes after its asker has given up early, is not taken for the answer to the next request, which
// looks like the first.
func TestSerialAnswerTwice(t *testing.T) {
	t.Parallel()
	first, second := framed(1, 3, 4, 0, 1, 0, 1), framed(1, 3, 4, 0, 2, 0, 2)
	const timeout = time.Second
	for name, c := range map[string]struct {
		answers [][]byte
		patient time.Duration
		early   bool // the first asker hears nothing
		busy    bool
	}{
		"twice":             {[][]byte{first, first}, timeout, false, false},
		"twice, while busy": {[][]byte{first, first}, timeout, false, true},
		"given up early":    {[][]byte{nil, first}, timeout / 10, true, false},
		"given up in end":   {[][]byte{nil, first}, 2 * timeout, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := lineOn(t, func(near net.Conn) net.Conn {
					if c.busy {
						return busy{near}
					}
					return near
				}, timeout, c.answers, [][]byte{second})
				u := e.Unit(1, modbus.UnitConfig{})
				ctx, cancel := context.WithTimeout(t.Context(), c.patient)
				defer cancel()
				data, err := u.Read(ctx, 3, 0x5B00, 2, modbus.Live)
				if c.early != (err != nil) || !c.early && !bytes.Equal(data, first[3:7]) {
					t.Errorf("the first: % x, %v", data, err)
				}
				if data, err := u.Read(t.Context(), 3, 0x5B00, 2, modbus.Live); err != nil || !bytes.Equal(data, second[3:7]) {
					t.Errorf("the second: % x, %v; want % x", data, err, second[3:7])
				}
				if n := e.Counters(); n.Late == 0 || n.Connects != 1 {
					t.Errorf("counters %+v: what came beside is not counted", n)
				}
			})
		})
	}
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7:502", "tcp://meter:5020": "meter:5020", "[2001:db8::1]": "[2001:db8::1]:502",
		"rtu+tcp://gateway:4001":        "rtu+tcp://gateway:4001",
		"serial:/dev/ttyUSB0":           "serial:/dev/ttyUSB0?baud=19200&parity=e&stop=1",
		"serial:///dev/ttyS1?baud=9600": "serial:/dev/ttyS1?baud=9600&parity=e&stop=1",
		"serial:COM3?parity=N&stop=2":   "serial:COM3?baud=19200&parity=n&stop=2",
		"rtu+tcp://gateway":             "", "udp://x:1": "", "": "", "a b": "", "serial:": "", "serial:COM3?baud=1": "", "serial:COM3?parity=x": "", "serial:COM3?color=red": "",
	} {
		got, err := modbus.ParseAddress(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
		if want != "" {
			if again, err := modbus.ParseAddress(got); again != got || err != nil {
				t.Errorf("%q is not canonical: %q, %v", got, again, err)
			}
		}
	}
}
