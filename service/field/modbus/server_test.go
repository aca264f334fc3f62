package modbus_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"metermanager/service/field/modbus"
)

// frame is one request as a test server sees it.
type frame struct {
	txn  uint16
	unit byte
	pdu  []byte
}

// answer builds an MBAP frame.
func (f frame) answer(pdu ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, f.txn)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pdu)+1))
	return append(append(b, f.unit), pdu...)
}

// registers answers a read with v in every register.
func (f frame) registers(v uint16) []byte {
	n := int(binary.BigEndian.Uint16(f.pdu[3:5]))
	pdu := []byte{f.pdu[0], byte(2 * n)}
	for range n {
		pdu = binary.BigEndian.AppendUint16(pdu, v)
	}
	return f.answer(pdu...)
}

// addr is the requested address.
func (f frame) addr() uint16 { return binary.BigEndian.Uint16(f.pdu[1:3]) }

// server hands each request, with its number since the start, to handle.
type server struct {
	addr  string
	mu    sync.Mutex
	n     int
	conns int
}

func serve(t *testing.T, handle func(n int, f frame, c net.Conn)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String()}
	var wg sync.WaitGroup
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			open = append(open, c)
			s.mu.Unlock()
			wg.Go(func() { s.talk(c, handle) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range open {
			c.Close()
		}
		s.mu.Unlock()
		wg.Wait()
	})
	return s
}

func (s *server) talk(c net.Conn, handle func(int, frame, net.Conn)) {
	defer c.Close()
	for {
		var head [7]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		pdu := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
		if _, err := io.ReadFull(c, pdu); err != nil {
			return
		}
		s.mu.Lock()
		s.n++
		n := s.n
		s.mu.Unlock()
		handle(n, frame{binary.BigEndian.Uint16(head[:]), head[6], pdu}, c)
	}
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

func start(t *testing.T, addr string, cfg modbus.Config) *modbus.Endpoint {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Second
	}
	e, err := modbus.New(addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return e
}
