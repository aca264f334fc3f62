package modbus

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/goburrow/serial"
)

// pollEvery is how often a read of a serial port looks whether its deadline has passed.
const pollEvery = 5 * time.Millisecond

// port is a serial port that has deadlines like a connection.
type port struct {
	serial.Port
	name     string
	deadline atomic.Int64 // nanoseconds since 1970; 0: none
}

func openPort(name string, l line) (net.Conn, error) {
	p, err := serial.Open(&serial.Config{Address: name, BaudRate: l.Baud, DataBits: 8, StopBits: l.Stop, Parity: l.Parity, Timeout: pollEvery})
	if err != nil {
		return nil, err
	}
	return &port{Port: p, name: name}, nil
}

// Read waits for bytes until the deadline.
func (p *port) Read(b []byte) (int, error) {
	for {
		if d := p.deadline.Load(); d != 0 && time.Now().UnixNano() >= d {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := p.Port.Read(b)
		if n > 0 || err != nil && !errors.Is(err, serial.ErrTimeout) {
			return n, err
		}
	}
}

// SetDeadline bounds reads; a write to a serial port does not wait for anybody.
func (p *port) SetDeadline(t time.Time) error {
	var d int64
	if !t.IsZero() {
		d = t.UnixNano()
	}
	p.deadline.Store(d)
	return nil
}

// SetReadDeadline is SetDeadline.
func (p *port) SetReadDeadline(t time.Time) error { return p.SetDeadline(t) }

// SetWriteDeadline does nothing.
func (p *port) SetWriteDeadline(time.Time) error { return nil }

// portName is a serial port's name as an address.
type portName string

func (n portName) Network() string { return schemeSerial }
func (n portName) String() string  { return string(n) }

// LocalAddr is the port.
func (p *port) LocalAddr() net.Addr { return portName(p.name) }

// RemoteAddr is the port.
func (p *port) RemoteAddr() net.Addr { return portName(p.name) }
