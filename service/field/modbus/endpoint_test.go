package modbus_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"metermanager/service/field/modbus"
)

func TestFaultyAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		first  func(f frame) []byte // the answer to the first request; later ones are answered well
		want   error
		closes bool
		check  func(c modbus.Counters) bool
	}{
		{"unknown transaction before the right one", func(f frame) []byte {
			late := f
			late.txn--
			return append(late.registers(9), f.registers(1)...)
		}, nil, false, func(c modbus.Counters) bool { return c.UnknownTransaction == 1 }},
		{"another unit before the right one", func(f frame) []byte {
			other := f
			other.unit++
			return append(other.registers(9), f.registers(1)...)
		}, nil, false, func(c modbus.Counters) bool { return c.UnknownUnit == 1 }},
		{"two answers in one write", func(f frame) []byte { return append(f.registers(1), f.registers(9)...) }, nil, false,
			func(c modbus.Counters) bool { return true }},
		{"byte count of fewer registers", func(f frame) []byte { return f.answer(3, 2, 0, 1) }, modbus.ErrDesync, true, nil},
		{"byte count beyond the frame", func(f frame) []byte { return f.answer(3, 200, 0, 1) }, modbus.ErrDesync, true, nil},
		{"another function", func(f frame) []byte { return f.answer(4, 4, 0, 1, 0, 1) }, modbus.ErrDesync, true, nil},
		{"exception of another function", func(f frame) []byte { return f.answer(0x90, 2) }, modbus.ErrDesync, true, nil},
		{"length 0", func(f frame) []byte { return []byte{byte(f.txn >> 8), byte(f.txn), 0, 0, 0, 0, f.unit} }, modbus.ErrDesync, true, nil},
		{"length 1", func(f frame) []byte { return []byte{byte(f.txn >> 8), byte(f.txn), 0, 0, 0, 1, f.unit} }, modbus.ErrDesync, true, nil},
		{"length 2", func(f frame) []byte { return f.answer(3) }, modbus.ErrDesync, true, nil},
		{"length over 254", func(f frame) []byte { return f.answer(append([]byte{3, 4}, make([]byte, 300)...)...) }, modbus.ErrDesync, true, nil},
		{"protocol id", func(f frame) []byte { b := f.registers(1); b[3] = 7; return b }, modbus.ErrDesync, true, nil},
		{"exception 1", func(f frame) []byte { return f.answer(0x83, 1) }, modbus.IllegalFunction, false, nil},
		{"exception 2", func(f frame) []byte { return f.answer(0x83, 2) }, modbus.IllegalAddress, false, nil},
		{"exception 4", func(f frame) []byte { return f.answer(0x83, 4) }, modbus.DeviceFailure, false, nil},
		{"gateway target", func(f frame) []byte { return f.answer(0x83, 0x0B) }, modbus.GatewayTarget, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(n int, f frame, c net.Conn) {
				if n == 1 {
					c.Write(tc.first(f))
					return
				}
				c.Write(f.registers(2))
			})
			u := start(t, s.addr, modbus.Config{}).Unit(5, modbus.UnitConfig{})
			got, err := u.Read(t.Context(), 3, 0x03E7, 2, modbus.Live)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if err == nil && !bytes.Equal(got, []byte{0, 1, 0, 1}) {
				t.Fatalf("read % x", got)
			}
			var e *modbus.Error
			if err != nil && (!errors.As(err, &e) || e.Unit != 5 || e.FC != 3 || e.Addr != 0x03E7 || e.Count != 2 || e.Endpoint != s.addr) {
				t.Errorf("the error %v does not carry its request", err)
			}
			if tc.check != nil && !tc.check(u.Counters()) {
				t.Errorf("counters %+v", u.Counters())
			}
			got, err = u.Read(t.Context(), 3, 0x03E7, 2, modbus.Live)
			if err != nil || !bytes.Equal(got, []byte{0, 2, 0, 2}) {
				t.Fatalf("the next read gives % x, %v", got, err)
			}
			if want := 1 + btoi(tc.closes); s.connections() != want {
				t.Errorf("%d connections, want %d", s.connections(), want)
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A late answer must never become the answer to the next request: neither on a new
// connection (one unit) nor on the same one (a gateway).
func TestLateAnswerIsDropped(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		var first frame
		var mu sync.Mutex
		s := serve(t, func(n int, f frame, c net.Conn) {
			mu.Lock()
			defer mu.Unlock()
			if f.addr() == 20 {
				first = f
				return // silent for now
			}
			if first.pdu != nil {
				c.Write(first.registers(20)) // the late answer comes first
				first = frame{}
			}
			c.Write(f.registers(f.addr()))
		})
		e := start(t, s.addr, modbus.Config{Timeout: 50 * time.Millisecond})
		u := e.Unit(1, modbus.UnitConfig{})
		if shared {
			if _, err := e.Unit(2, modbus.UnitConfig{}).Read(t.Context(), 3, 7, 1, modbus.Live); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.Read(t.Context(), 3, 20, 1, modbus.Live); !errors.Is(err, modbus.ErrTimeout) {
			t.Fatalf("a silent unit gives %v", err)
		}
		got, err := u.Read(t.Context(), 3, 40, 1, modbus.Live)
		if err != nil || !bytes.Equal(got, []byte{0, 40}) {
			t.Fatalf("shared %v: asked for 40, got % x, %v", shared, got, err)
		}
		if want := 2 - btoi(shared); s.connections() != want {
			t.Errorf("shared %v: %d connections, want %d", shared, s.connections(), want)
		}
		if shared && e.Counters().UnknownTransaction != 1 {
			t.Errorf("the late answer was not counted: %+v", e.Counters())
		}
	}
}

func TestAnswerInSingleBytes(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, f frame, c net.Conn) {
		for _, b := range f.registers(3) {
			c.Write([]byte{b})
		}
	})
	got, err := start(t, s.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{}).Read(t.Context(), 4, 0, 2, modbus.Live)
	if err != nil || !bytes.Equal(got, []byte{0, 3, 0, 3}) {
		t.Fatalf("% x, %v", got, err)
	}
}

func TestCloseMidFrame(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, f frame, c net.Conn) {
		if n == 1 {
			c.Write(f.registers(1)[:8])
			c.Close()
			return
		}
		c.Write(f.registers(2))
	})
	u := start(t, s.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{})
	if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); !errors.Is(err, modbus.ErrUnreachable) {
		t.Fatalf("a connection closed inside a frame gives %v", err)
	}
	if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
		t.Fatalf("the next read: %v", err)
	}
}

// Embedded devices close idle sockets: the read is repeated once without an error; a
// write is not.
func TestIdleCloseIsSilentForReads(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 4)
	s := serve(t, func(n int, f frame, c net.Conn) {
		if f.pdu[0] == 6 {
			c.Write(f.answer(f.pdu...))
		} else {
			c.Write(f.registers(1))
		}
		c.Close()
		closed <- struct{}{}
	})
	u := start(t, s.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{WriteAllow: []uint16{5}})
	for range 3 {
		if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
			t.Fatalf("read after an idle close: %v", err)
		}
		<-closed
	}
	if s.requests() != 3 {
		t.Errorf("%d requests arrived, want 3", s.requests())
	}
	if c := u.Counters(); c.OK != 3 {
		t.Errorf("counters %+v", c)
	}
}

// TestHangUpOfWindows: an idle connection that was reset is opened again, by the words of Windows too.
func TestHangUpOfWindows(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{10053, 10054} {
		s := serve(t, func(_ int, f frame, c net.Conn) { c.Write(f.registers(7)) })
		dials := 0
		u := start(t, s.addr, modbus.Config{Dial: func(_ context.Context, address string) (net.Conn, error) {
			c, err := net.Dial("tcp", address)
			dials++
			return &resets{Conn: c, errno: errno, after: 1 + 1000*(dials-1)}, err
		}}).Unit(1, modbus.UnitConfig{})
		for range 2 {
			if b, err := u.Read(t.Context(), 3, 1, 1, modbus.Live); err != nil || b[1] != 7 {
				t.Errorf("% x, %v", b, err)
			}
		}
		if c := u.Counters(); dials != 2 || c.Unreachable != 1 {
			t.Errorf("%d connections, %+v", dials, c)
		}
	}
}

// resets is a connection that Windows resets after some writes.
type resets struct {
	net.Conn
	errno syscall.Errno
	after int
}

func (c *resets) Write(b []byte) (int, error) {
	if c.after--; c.after < 0 {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("wsasend", c.errno)}
	}
	return c.Conn.Write(b)
}

func TestWriteWhitelist(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, f frame, c net.Conn) { c.Write(f.answer(f.pdu[:5]...)) })
	u := start(t, s.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{WriteAllow: []uint16{0xC34F, 0xC350, 0xC351, 0xC352}})
	for _, addr := range []uint16{0x4E1F, 0x4E20, 0x55EF, 0x59D7, 0x61A7, 0x658F, 0xC34E, 0xC353} {
		if err := u.Write(t.Context(), addr, 1, modbus.User); !errors.Is(err, modbus.ErrNotAllowed) {
			t.Errorf("writing %#04x gives %v", addr, err)
		}
	}
	if err := u.WriteRegisters(t.Context(), 0xC351, make([]byte, 6), modbus.User); !errors.Is(err, modbus.ErrNotAllowed) {
		t.Errorf("writing beyond the list gives %v", err)
	}
	if s.requests() != 0 {
		t.Fatalf("%d forbidden writes were sent", s.requests())
	}
	if err := u.Write(t.Context(), 0xC34F, 0x0280, modbus.User); err != nil {
		t.Errorf("an allowed write: %v", err)
	}
	if err := u.WriteRegisters(t.Context(), 0xC350, make([]byte, 6), modbus.User); err != nil {
		t.Errorf("an allowed write of three: %v", err)
	}
}

func TestInvalidRequestsAreNotSent(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, f frame, c net.Conn) {})
	u := start(t, s.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{WriteAllow: []uint16{1}})
	for _, r := range []modbus.Request{
		{FC: 3, Count: 0}, {FC: 3, Count: 126}, {FC: 3, Addr: 0xFFFF, Count: 2}, {FC: 5, Count: 1}, {FC: 8, Count: 1}, {FC: 0x23, Count: 125, Repeat: 9},
		{FC: 0x23, Count: 1}, {FC: 6, Addr: 1, Count: 1}, {FC: 16, Addr: 1, Count: 1, Data: []byte{1}},
	} {
		if _, err := u.Do(t.Context(), r); !errors.Is(err, modbus.ErrInvalidRequest) {
			t.Errorf("%+v gives %v", r, err)
		}
	}
	if s.requests() != 0 {
		t.Errorf("%d requests were sent", s.requests())
	}
}

// The manual's waveform request: 124 registers four times are 992 bytes.
func TestReadRepeated(t *testing.T) {
	t.Parallel()
	var got []byte
	s := serve(t, func(n int, f frame, c net.Conn) {
		size := 992
		switch n {
		case 1:
			got = f.pdu
		case 2:
			size = 1000 // does not fit the request
		case 3:
			c.Write(f.answer(0xA3, 6))
			return
		case 4:
			c.Write(f.answer(append([]byte{0x23, 0x10, 0x10}, make([]byte, 4100)...)...))
			return
		}
		pdu := binary.BigEndian.AppendUint16([]byte{0x23}, uint16(size))
		c.Write(f.answer(append(pdu, make([]byte, size)...)...))
	})
	u := start(t, s.addr, modbus.Config{}).Unit(1, modbus.UnitConfig{BusyRetries: -1})
	b, err := u.ReadRepeated(t.Context(), 0xC351, 0x7C, 4, modbus.Logs)
	if err != nil || len(b) != 992 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if want := []byte{0x23, 0xC3, 0x51, 0x00, 0x7C, 0x04}; !bytes.Equal(got, want) {
		t.Errorf("sent % x, the manual prints % x", got, want)
	}
	for _, want := range []error{modbus.ErrDesync, modbus.Busy, modbus.ErrDesync} {
		if _, err := u.ReadRepeated(t.Context(), 0xC351, 0x7C, 4, modbus.Logs); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	// The manual's table prints an answer of 992 bytes for 125 registers four times, which are 1000.
	if _, err := u.ReadRepeated(t.Context(), 0xC351, 0x7D, 4, modbus.Logs); !errors.Is(err, modbus.ErrDesync) {
		t.Errorf("992 bytes for 1000: %v", err)
	}
}

func TestBusyIsRetriedTimeoutsToo(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, f frame, c net.Conn) {
		switch n {
		case 1:
			c.Write(f.answer(0x83, 6))
		case 2:
			c.Write(f.answer(0x83, 5))
		case 3: // silence
		default:
			c.Write(f.registers(1))
		}
	})
	u := start(t, s.addr, modbus.Config{Timeout: 50 * time.Millisecond}).Unit(1, modbus.UnitConfig{Retries: 1})
	if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
		t.Fatal(err)
	}
	c := u.Counters()
	if c.Requests != 4 || c.Timeouts != 1 || c.Exceptions[modbus.Busy.Error()] != 1 || c.OK != 1 {
		t.Errorf("counters %+v", c)
	}
}

func TestPriorityOrder(t *testing.T) {
	t.Parallel()
	release, seen := make(chan struct{}), make(chan struct{}, 1)
	var mu sync.Mutex
	var order []uint16
	s := serve(t, func(n int, f frame, c net.Conn) {
		if n == 1 {
			seen <- struct{}{}
			<-release
		}
		mu.Lock()
		order = append(order, f.addr())
		mu.Unlock()
		c.Write(f.registers(1))
	})
	e := start(t, s.addr, modbus.Config{Timeout: 5 * time.Second})
	u := e.Unit(1, modbus.UnitConfig{})
	var wg sync.WaitGroup
	ask := func(addr uint16, p modbus.Priority) {
		before := e.Waiting()
		wg.Go(func() {
			if _, err := u.Read(context.Background(), 3, addr, 1, p); err != nil {
				t.Error(err)
			}
		})
		for addr != 0 && e.Waiting() == before {
			runtime.Gosched()
		}
	}
	ask(0, modbus.Live)
	<-seen
	ask(3, modbus.Logs)
	ask(2, modbus.User)
	ask(1, modbus.Live)
	close(release)
	wg.Wait()
	if len(order) != 4 || order[1] != 1 || order[2] != 2 || order[3] != 3 {
		t.Errorf("served in the order %v, want live, user, logs", order)
	}
}

func TestCancelDoesNotWaitForTheAnswer(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	s := serve(t, func(n int, f frame, c net.Conn) {
		if n == 1 {
			arrived <- struct{}{}
			return
		}
		c.Write(f.registers(1))
	})
	u := start(t, s.addr, modbus.Config{Timeout: time.Hour}).Unit(1, modbus.UnitConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := u.Read(ctx, 3, 0, 1, modbus.Live); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, err := u.Read(t.Context(), 3, 0, 1, modbus.Live); err != nil {
		t.Fatalf("the next read: %v", err)
	}
}

func TestBackoffAndUserBypass(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	dials, now := 0, time.Unix(1_700_000_000, 0)
	e := start(t, "meter:502", modbus.Config{
		Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Dial: func(context.Context, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dials++
			return nil, errors.New("refused")
		},
	})
	u := e.Unit(1, modbus.UnitConfig{})
	try := func(p modbus.Priority, want int) {
		t.Helper()
		if _, err := u.Read(t.Context(), 3, 0, 1, p); !errors.Is(err, modbus.ErrUnreachable) {
			t.Fatalf("error %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		if dials != want {
			t.Fatalf("%d attempts, want %d", dials, want)
		}
	}
	advance := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	try(modbus.Live, 1)
	try(modbus.Live, 1) // still backing off
	try(modbus.User, 2) // a user does not wait
	advance(3 * time.Second)
	try(modbus.Live, 3)
	n := 3
	for range 10 { // for ever, at least once a minute
		advance(61 * time.Second)
		n++
		try(modbus.Live, n)
	}
}

func TestStopFailsWhatWaits(t *testing.T) {
	t.Parallel()
	e, err := modbus.New("127.0.0.1:1", modbus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Unit(1, modbus.UnitConfig{}).Read(t.Context(), 3, 0, 1, modbus.Live); !errors.Is(err, modbus.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// FuzzAnswer feeds arbitrary bytes as the answer, of Modbus TCP and of a serial line: an error or the right number of
// registers, never a hang, never anything else.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{1, 3, 4, 0, 1, 0, 1, 0x6A, 0x33})
	f.Add([]byte{1, 0x83, 2, 0xC0, 0xF1})
	f.Add([]byte{0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 1, 0, 1})
	f.Add([]byte{0, 1, 0, 0, 0, 3, 1, 0x83, 2})
	f.Add([]byte{0, 1, 0, 0, 0, 0, 1})
	f.Add([]byte{0, 9, 0, 0, 0, 3, 1, 0x83, 2, 0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 1, 0, 1})
	f.Add([]byte{0, 1, 0, 0, 0, 13, 1, 0x2B, 0x0E, 2, 0x82, 0, 0, 1, 5, 2, 'M', '1'})
	f.Add([]byte{1, 0x2B, 0x0E, 2, 0x82, 0xFF, 0, 9, 0, 2, 'A', 'B'})
	registers := func(ctx context.Context, t *testing.T, u *modbus.Unit) {
		if b, err := u.Read(ctx, 3, 0, 2, modbus.Live); err == nil && len(b) != 4 {
			t.Errorf("%d bytes for two registers", len(b))
		}
	}
	identification := func(ctx context.Context, t *testing.T, u *modbus.Unit) {
		objects, err := u.DeviceID(ctx, modbus.IdentificationRegular, modbus.Live)
		total := 0
		for _, o := range objects {
			total += len(o)
		}
		if err == nil && total > 256 {
			t.Errorf("%d bytes of identification in one frame", total)
		}
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, address := range []string{"fuzz:502", "rtu+tcp://fuzz:502"} {
			fuzzAnswer(t, address, answer, registers)
			fuzzAnswer(t, address, answer, identification)
		}
	})
}

func fuzzAnswer(t *testing.T, address string, answer []byte, ask func(context.Context, *testing.T, *modbus.Unit)) {
	e, err := modbus.New(address, modbus.Config{Dial: func(context.Context, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			buf := make([]byte, 64)
			there.Read(buf)
			there.Write(answer)
			there.Close()
		}()
		return here, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	ask(ctx, t, e.Unit(1, modbus.UnitConfig{}))
	cancel()
	<-done
}
