package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const mbapHeader = 7

// accept serves the connections of one listener: one COM port of the meter.
func (m *Meter) accept(ctx context.Context, l net.Listener, port int) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			if c != nil {
				_ = c.Close()
			}
			return nil
		case err != nil:
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() {
				continue
			}
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		if !m.keep(c) {
			continue
		}
		wg.Go(func() {
			defer m.drop(c)
			if err := m.serve(ctx, c, port); err != nil && ctx.Err() == nil {
				m.log.Debug("end connection", "conn", c.RemoteAddr().String(), "err", err)
			}
		})
	}
}

// keep remembers a connection; without supply the meter hangs up.
func (m *Meter) keep(c net.Conn) bool {
	if !m.Powered(m.cfg.Now()) {
		_ = c.Close()
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[c] = struct{}{}
	return true
}

func (m *Meter) drop(c net.Conn) {
	_ = c.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, c)
}

func (m *Meter) closeConns() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		_ = c.Close()
	}
}

// CloseConnections ends all connections, as a meter does with idle ones.
func (m *Meter) CloseConnections() { m.closeConns() }

// serve answers the requests of one connection in order.
func (m *Meter) serve(ctx context.Context, c net.Conn, port int) error {
	var header [mbapHeader]byte
	for {
		if _, err := io.ReadFull(c, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read header: %w", err)
		}
		length := int(binary.BigEndian.Uint16(header[4:]))
		if binary.BigEndian.Uint16(header[2:]) != 0 || length < 2 || length > 254 {
			return fmt.Errorf("read header: protocol or length of % x", header)
		}
		pdu := make([]byte, length-1)
		if _, err := io.ReadFull(c, pdu); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if !m.Powered(m.cfg.Now()) {
			return errors.New("the meter's supply has failed")
		}
		if header[6] != m.cfg.Unit {
			continue // somebody else's
		}
		if err := m.reply(ctx, c, port, header, pdu); err != nil {
			return err
		}
	}
}

// reply answers one request, or does what a fault asks for.
func (m *Meter) reply(ctx context.Context, c net.Conn, port int, header [mbapHeader]byte, pdu []byte) error {
	fault := m.faults.forRequest(pdu)
	if fault == nil {
		fault = &Fault{}
	}
	if fault.Kind == FaultSilence {
		return nil
	}
	if fault.Kind == FaultClose {
		return errors.New("fault: connection closed")
	}
	var answer []byte
	if fault.Kind == FaultException {
		answer = []byte{pdu[0] | 0x80, fault.Code}
	} else if answer = m.answer(port, pdu); answer == nil {
		return nil
	}
	if fault.Kind == FaultLate {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
	if _, err := writeFrames(c, spoil(header, answer, fault), fault); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	if fault.Kind == FaultCloseMidFrame {
		return errors.New("fault: connection closed in mid-frame")
	}
	return nil
}

// spoil frames an answer and applies a fault to its bytes.
func spoil(header [mbapHeader]byte, answer []byte, fault *Fault) []byte {
	answer = append([]byte(nil), answer...)
	data := answer[0] == readRegisters && len(answer) > 4
	switch fault.Kind {
	case FaultWrongFunction:
		answer[0] ^= 0x07
	case FaultWrongByteCount:
		if data {
			answer[1] += 2
		}
	case FaultShortAnswer:
		if data {
			answer = answer[:len(answer)-2]
			answer[1] -= 2
		}
	}
	frame := append(header[:mbapHeader:mbapHeader], answer...)
	binary.BigEndian.PutUint16(frame[4:], uint16(len(answer)+1))
	transaction := binary.BigEndian.Uint16(frame)
	switch fault.Kind {
	case FaultWrongTransaction:
		binary.BigEndian.PutUint16(frame, transaction+100)
	case FaultWrongUnit:
		frame[6]++
	case FaultLength:
		binary.BigEndian.PutUint16(frame[4:], uint16(fault.Value))
	case FaultProtocol:
		frame[3] = 1
	case FaultCloseMidFrame:
		frame = frame[:len(frame)/2]
	case FaultTwoReplies:
		stale := append([]byte(nil), frame...)
		binary.BigEndian.PutUint16(stale, transaction-1)
		for i := mbapHeader + 2; i < len(stale); i++ {
			stale[i] ^= 0x55
		}
		frame = append(stale, frame...)
	}
	return frame
}

// writeFrames writes at once, or byte by byte.
func writeFrames(c net.Conn, b []byte, fault *Fault) (int, error) {
	if fault.Kind != FaultDribble {
		return c.Write(b)
	}
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}
