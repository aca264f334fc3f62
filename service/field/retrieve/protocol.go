package retrieve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// session is one log of a meter while it is read, by the protocol of its family. Records have indexes that do not
// move during a session; what the meter records meanwhile comes behind.
type session interface {
	// look asks the meter what the log holds. ErrLogDisabled: the meter does not keep it.
	look(ctx context.Context) error
	extent() extent
	// check reports why a log that looks so cannot be read. want is the record size that the settings give, or 0.
	check(want int) error
	// engage takes the log, disengage lets it go if it was asked for, whatever became of ctx.
	engage(ctx context.Context) error
	disengage(ctx context.Context) error
	// held fails when what was read since engage may be another log's, or of another time.
	held(ctx context.Context) error
	// oldest is the index of the oldest record.
	oldest(ctx context.Context) (uint32, error)
	// window reads records that may come with one request, fetch any number: it fails with ErrShifted when they moved meanwhile.
	window(ctx context.Context, index uint32, records int) ([][]byte, error)
	fetch(ctx context.Context, from, to uint32) ([][]byte, error)
	// registers reads the meter's registers with the patience of a session.
	registers() *caller
}

// extent is what a log holds.
type extent struct {
	Used, Max  uint32
	RecordSize int
	Last       string // the newest record's time as the meter has it, hexadecimal; "" when the log is empty

	perRequest int  // records that one request brings
	repeats    bool // function 0x23 is needed
}

// newSession looks at a log; nothing is engaged yet.
func newSession(ctx context.Context, conn Conn, p *device.Profile, log device.Log, priority modbus.Priority) (session, error) {
	c := caller{conn: conn, priority: priority}
	var s session
	switch log.Family {
	case device.FamilyWindow:
		s = &windowSession{caller: c, lay: p.Layouts.Session, profile: p, log: log}
	case device.FamilyRing:
		s = newRingSession(c, log)
	default:
		return nil, fmt.Errorf("%w: log family %q", device.ErrProfile, log.Family)
	}
	return s, s.look(ctx)
}

// Conn is a unit of an endpoint.
type Conn interface {
	Do(ctx context.Context, r modbus.Request) ([]byte, error)
}

// caller asks one meter.
type caller struct {
	conn     Conn
	priority modbus.Priority
}

// do sends a request, again while the meter is busy and after one timeout or a broken link.
func (c *caller) do(ctx context.Context, r modbus.Request) ([]byte, error) {
	r.Priority = c.priority
	deadline := time.Now().Add(readyTime)
	delay, links := time.Duration(0), 0
	for try := 0; ; try++ {
		data, err := c.conn.Do(ctx, r)
		if err == nil || ctx.Err() != nil {
			return data, err
		}
		x, busy := modbus.ExceptionOf(err)
		busy = busy && (x == modbus.Busy || x == modbus.Acknowledge)
		if !busy {
			if links++; links > 1 || !errors.Is(err, modbus.ErrTimeout) && !errors.Is(err, modbus.ErrDesync) && !errors.Is(err, modbus.ErrUnreachable) {
				return nil, err
			}
		}
		if try >= readyTries || time.Now().After(deadline) {
			return nil, err
		}
		if err := sleep(ctx, delay); err != nil {
			return nil, err
		}
		delay = min(2*delay+5*time.Millisecond, time.Second)
	}
}

func (c *caller) read(ctx context.Context, addr device.Addr, count int) ([]byte, error) {
	return c.do(ctx, modbus.Request{FC: 3, Addr: uint16(addr), Count: count})
}

// Read makes a caller a poll.Conn.
func (c *caller) Read(ctx context.Context, fc byte, addr uint16, count int, _ modbus.Priority) ([]byte, error) {
	return c.do(ctx, modbus.Request{FC: fc, Addr: addr, Count: count})
}

func (c *caller) word(ctx context.Context, addr device.Addr) (uint16, error) {
	b, err := c.read(ctx, addr, 1)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(b), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
