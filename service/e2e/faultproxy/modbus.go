package faultproxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ModbusKinds are the kinds that a Modbus proxy knows. Bytes of data are never changed:
// Modbus TCP has no checksum of its own, so that nobody could tell.
var ModbusKinds = []Kind{
	Delay, DropRequest, DropAnswer, DoubleRequest, CutAnswer, ChangeAnswer, Refuse, Stall, Reset, DoubleAnswer, LateAnswer,
	FragmentAnswer, OtherConnection,
}

// maxFrame bounds a frame: answers to function 0x23 are longer than Modbus allows.
const maxFrame = 1 << 16

// answerWait is how long the proxy waits for an answer of the meter.
const answerWait = 5 * time.Second

// Modbus passes frames on to a meter. Make it with NewModbus.
type Modbus struct {
	*dice
	listener net.Listener
	target   atomic.Pointer[string] // host:port
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// NewModbus opens the port; nothing is answered before Run.
func NewModbus(seed uint64) (*Modbus, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a proxy: %w", err)
	}
	p := &Modbus{dice: newDice(seed), listener: l, conns: map[net.Conn]bool{}}
	p.SetTarget("")
	return p, nil
}

// Addr is where the proxy listens: host:port.
func (p *Modbus) Addr() string { return p.listener.Addr().String() }

// SetTarget says where the meter is: host:port, "" when it is nowhere.
func (p *Modbus) SetTarget(address string) { p.target.Store(&address) }

// SetMix says what happens from now on; the zero Mix ends the faults.
func (p *Modbus) SetMix(m Mix) { p.set(m) }

// Counts returns how often each kind happened.
func (p *Modbus) Counts() map[Kind]int { return p.counts() }

// Run serves until ctx ends.
func (p *Modbus) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		_ = p.listener.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.conns {
			_ = c.Close()
		}
	})
	defer stop()
	defer p.wg.Wait()
	for {
		conn, err := p.listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		p.wg.Go(func() { p.serve(ctx, conn) })
	}
}

// track closes a connection at the end of Run at the latest; the returned function forgets it.
func (p *Modbus) track(c net.Conn) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		_ = c.Close()
	}
}

// serve passes the frames of one connection on, one after the other.
func (p *Modbus) serve(ctx context.Context, conn net.Conn) {
	defer p.track(conn)()
	meter, err := p.dial(ctx)
	if err != nil {
		end(conn, true)
		return
	}
	defer p.track(meter)()
	var held [][]byte // answers that come behind a later one
	for {
		request, err := readFrame(conn)
		if err != nil {
			return
		}
		kind, wait, calm := p.draw()
		switch kind {
		case Reset:
			end(conn, true)
			return
		case Stall:
			select {
			case <-calm:
			case <-ctx.Done():
			}
			return
		case DropRequest:
			continue
		case Refuse:
			if _, err := conn.Write(p.exception(request)); err != nil {
				return
			}
			continue
		case OtherConnection:
			p.takeLog(ctx, request[6])
		}
		answer, err := p.exchange(meter, request, kind == DoubleRequest)
		if err != nil {
			return
		}
		if kind == LateAnswer {
			held = append(held, answer)
			continue
		}
		if !p.answer(conn, answer, kind, wait, calm) {
			return
		}
		for _, a := range held {
			if _, err := conn.Write(a); err != nil {
				return
			}
		}
		held = nil
	}
}

func (p *Modbus) dial(ctx context.Context) (net.Conn, error) {
	target := *p.target.Load()
	if target == "" {
		return nil, errors.New("the meter is not there")
	}
	return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", target)
}

// exchange sends a request to the meter, once or twice, and returns the first answer.
func (p *Modbus) exchange(meter net.Conn, request []byte, twice bool) ([]byte, error) {
	if err := meter.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return nil, fmt.Errorf("pass a frame on: %w", err)
	}
	n := 1
	if twice {
		n = 2
	}
	var first []byte
	for range n {
		if _, err := meter.Write(request); err != nil {
			return nil, fmt.Errorf("pass a frame on: %w", err)
		}
		answer, err := readFrame(meter)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = answer
		}
	}
	return first, nil
}

// answer hands an answer back and reports whether the connection goes on.
func (p *Modbus) answer(conn net.Conn, answer []byte, kind Kind, wait time.Duration, calm <-chan struct{}) bool {
	switch kind {
	case DropAnswer:
		return true
	case Delay:
		pause(wait/4, calm)
	case CutAnswer:
		_, _ = conn.Write(answer[:p.intN(len(answer))])
		return false
	case ChangeAnswer:
		answer[p.intN(min(8, len(answer)))] ^= byte(1 + p.intN(255))
	case DoubleAnswer:
		if _, err := conn.Write(answer); err != nil {
			return false
		}
	case FragmentAnswer:
		for part := range chunks(answer, 1+len(answer)/4) {
			if _, err := conn.Write(part); err != nil {
				return false
			}
			pause(wait/50, calm)
		}
		return true
	}
	_, err := conn.Write(answer)
	return err == nil
}

// exception is a meter's "busy" or "acknowledged, not done yet".
func (p *Modbus) exception(request []byte) []byte {
	out := append([]byte(nil), request[:8]...)
	out[4], out[5] = 0, 3
	out[7] |= 0x80
	return append(out, byte(5+p.intN(2)))
}

// takeLog does what another program on the same port of the meter does: it engages a log of
// its own and lets it go again, so that the session of the first is gone.
func (p *Modbus) takeLog(ctx context.Context, unit byte) {
	meter, err := p.dial(ctx)
	if err != nil {
		return
	}
	defer p.track(meter)()
	for _, low := range []byte{0x80, 0x00} {
		frame := []byte{0x77, low, 0, 0, 0, 6, unit, 6, 0xC3, 0x4F, byte(2 + p.intN(3)), low}
		if _, err := p.exchange(meter, frame, false); err != nil {
			return
		}
	}
}

// readFrame reads one Modbus TCP frame.
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 6, 300)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	n := int(binary.BigEndian.Uint16(head[4:]))
	if n < 2 || n > maxFrame {
		return nil, fmt.Errorf("read a frame: %d bytes", n)
	}
	frame := append(head, make([]byte, n)...)
	if _, err := io.ReadFull(r, frame[6:]); err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	return frame, nil
}
