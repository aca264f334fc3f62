package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Request is one Modbus request.
type Request struct {
	FC       byte // 3, 4, 6, 16, 0x23 or 0x2B
	Addr     uint16
	Count    int    // registers
	Repeat   int    // 0x23: 1 to 8
	Data     []byte // writes, and what follows 0x2B
	Priority Priority
}

func (r *Request) isRead() bool {
	return r.FC == 3 || r.FC == 4 || r.FC == FCReadRepeated || r.FC == FCEncapsulated
}

// expect is how many bytes of registers the answer must hold.
func (r *Request) expect() int {
	switch r.FC {
	case 3, 4:
		return 2 * r.Count
	case FCReadRepeated:
		return 2 * r.Count * r.Repeat
	}
	return 0
}

func (r *Request) check() error {
	switch r.FC {
	case 3, 4:
		if r.Count < 1 || r.Count > 125 {
			return fmt.Errorf("%w: %d registers, want 1 to 125", ErrInvalidRequest, r.Count)
		}
	case FCReadRepeated:
		if r.Count < 1 || r.Count > 125 || r.Repeat < 1 || r.Repeat > 8 || r.expect()+4 > MaxLongAnswer {
			return fmt.Errorf("%w: %d registers %d times", ErrInvalidRequest, r.Count, r.Repeat)
		}
	case FCEncapsulated:
		if len(r.Data) != 3 || r.Data[0] != meiDeviceID {
			return fmt.Errorf("%w: function 43 only reads the identification", ErrInvalidRequest)
		}
	case 6:
		if r.Count != 1 || len(r.Data) != 2 {
			return fmt.Errorf("%w: function 6 writes one register", ErrInvalidRequest)
		}
	case 16:
		if r.Count < 1 || r.Count > 123 || len(r.Data) != 2*r.Count {
			return fmt.Errorf("%w: %d bytes for %d registers", ErrInvalidRequest, len(r.Data), r.Count)
		}
	default:
		return fmt.Errorf("%w: function %#02x", ErrInvalidRequest, r.FC)
	}
	if int(r.Addr)+r.Count > 1<<16 {
		return fmt.Errorf("%w: address %#04x and %d registers end beyond 0xffff", ErrInvalidRequest, r.Addr, r.Count)
	}
	return nil
}

// UnitConfig is what is particular to one unit of an endpoint.
type UnitConfig struct {
	WriteAllow   []uint16      // the exact addresses that may be written; empty: none
	Timeout      time.Duration // of one answer; 0: the endpoint's
	RequestDelay time.Duration
	Retries      int // of reads, after a timeout, and on a serial line after an answer that was spoiled
	BusyRetries  int // of reads, after exceptions 5 and 6, 100 ms and doubling; 0 means 3, < 0 none
}

// Unit is one meter at an endpoint. Its methods may be called from several goroutines.
type Unit struct {
	end      *Endpoint
	id       byte
	cfg      UnitConfig
	counters counters
	silence  silence
}

// Unit returns the unit with that id: 0 to 255, since gateways route by it.
func (e *Endpoint) Unit(id byte, cfg UnitConfig) *Unit {
	if cfg.BusyRetries == 0 {
		cfg.BusyRetries = 3
	}
	return &Unit{end: e, id: id, cfg: cfg}
}

// Timeout is how long the unit may take for an answer.
func (u *Unit) Timeout() time.Duration {
	if u.cfg.Timeout > 0 {
		return u.cfg.Timeout
	}
	return u.end.cfg.Timeout
}

// Counters returns what happened to the unit's requests.
func (u *Unit) Counters() Counters { return u.counters.snapshot() }

// Endpoint returns the connection that the unit shares.
func (u *Unit) Endpoint() *Endpoint { return u.end }

// Do sends r and waits for its answer. It is sent once; what is not on the whitelist is
// refused here, whoever asks.
func (u *Unit) Do(ctx context.Context, r Request) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, &Error{Endpoint: u.end.addr, Unit: u.id, FC: r.FC, Addr: r.Addr, Count: r.Count, Err: err}
	}
	if err := r.check(); err != nil {
		return fail(err)
	}
	if !r.isRead() {
		for i := range r.Count {
			if !slices.Contains(u.cfg.WriteAllow, r.Addr+uint16(i)) {
				return fail(fmt.Errorf("%w: %#04x", ErrNotAllowed, r.Addr+uint16(i)))
			}
		}
	}
	if err := u.rest(&r); err != nil {
		return fail(err)
	}
	j := &job{ctx: ctx, unit: u, req: &r, done: make(chan result, 1)}
	if err := u.end.push(j); err != nil {
		return fail(err)
	}
	select {
	case out := <-j.done:
		if out.err != nil {
			return fail(out.err)
		}
		return out.data, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fail(fmt.Errorf("%w: %w", ErrTimeout, ctx.Err()))
		}
		return fail(ctx.Err())
	}
}

// Read reads registers with function 3 or 4, again after a timeout or while the meter is
// busy, as far as the unit's settings allow. Between tries the queue is free for others.
func (u *Unit) Read(ctx context.Context, fc byte, addr uint16, count int, p Priority) ([]byte, error) {
	return u.read(ctx, Request{FC: fc, Addr: addr, Count: count, Priority: p})
}

// ReadRepeated reads the same registers several times in one request (function 0x23).
func (u *Unit) ReadRepeated(ctx context.Context, addr uint16, count, repeat int, p Priority) ([]byte, error) {
	return u.read(ctx, Request{FC: FCReadRepeated, Addr: addr, Count: count, Repeat: repeat, Priority: p})
}

func (u *Unit) read(ctx context.Context, r Request) ([]byte, error) {
	timeouts, busy := 0, 0
	for {
		data, err := u.Do(ctx, r)
		if err == nil || ctx.Err() != nil {
			return data, err
		}
		x, _ := ExceptionOf(err)
		switch {
		case (errors.Is(err, ErrTimeout) || u.end.to.rtu() && errors.Is(err, ErrDesync)) && timeouts < u.cfg.Retries && !u.isSilent():
			timeouts++
		case (x == Busy || x == Acknowledge) && busy < u.cfg.BusyRetries:
			if waitErr := wait(ctx, ctx, 100*time.Millisecond<<busy); waitErr != nil {
				return nil, err
			}
			busy++
		default:
			return nil, err
		}
	}
}

// Write writes one register (function 6). It is never repeated by itself.
func (u *Unit) Write(ctx context.Context, addr, value uint16, p Priority) error {
	_, err := u.Do(ctx, Request{FC: 6, Addr: addr, Count: 1, Data: binary.BigEndian.AppendUint16(nil, value), Priority: p})
	return err
}

// WriteRegisters writes consecutive registers (function 16). It is never repeated by itself.
func (u *Unit) WriteRegisters(ctx context.Context, addr uint16, data []byte, p Priority) error {
	_, err := u.Do(ctx, Request{FC: 16, Addr: addr, Count: len(data) / 2, Data: data, Priority: p})
	return err
}
