package virtual

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Conn is one end of a connection.
type Conn struct {
	net           *Network
	in, out       *half
	local, remote addr
}

var _ net.Conn = (*Conn)(nil)

// Read waits for data until the deadline.
func (c *Conn) Read(b []byte) (int, error) {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.closed:
			return 0, c.fail("read", net.ErrClosed)
		case h.broken != nil:
			return 0, c.fail("read", h.broken)
		case passed(h.readBy):
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case len(h.data) > 0:
			n := copy(b, h.data)
			h.data = h.data[n:]
			h.cond.Broadcast()
			return n, nil
		case len(b) == 0:
			return 0, nil
		case h.ended:
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

// Write waits for room until the deadline.
func (c *Conn) Write(b []byte) (int, error) {
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	written := 0
	for {
		switch {
		case h.ended:
			return written, c.fail("write", net.ErrClosed)
		case h.broken != nil:
			return written, c.fail("write", h.broken)
		case h.closed:
			return written, c.fail("write", syscall.EPIPE)
		case passed(h.writeBy):
			return written, c.fail("write", os.ErrDeadlineExceeded)
		}
		if room := halfBytes - len(h.data); room > 0 {
			n := min(room, len(b)-written)
			h.data = append(h.data, b[written:written+n]...)
			written += n
			h.cond.Broadcast()
		}
		if written == len(b) {
			return written, nil
		}
		h.cond.Wait()
	}
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Close ends both directions: the peer reads what was sent, then the end.
func (c *Conn) Close() error {
	c.net.forget(c)
	c.out.mu.Lock()
	c.out.ended = true
	c.out.cond.Broadcast()
	c.out.stop(&c.out.writeT)
	c.out.mu.Unlock()
	c.in.mu.Lock()
	c.in.closed = true
	c.in.data = nil
	c.in.cond.Broadcast()
	c.in.stop(&c.in.readT)
	c.in.mu.Unlock()
	return nil
}

// Break ends the connection for both ends at once; what is on its way is lost.
func (c *Conn) Break(err error) {
	for _, h := range []*half{c.in, c.out} {
		h.mu.Lock()
		if h.broken == nil {
			h.broken, h.data = err, nil
		}
		h.stop(&h.readT)
		h.stop(&h.writeT)
		h.cond.Broadcast()
		h.mu.Unlock()
	}
	c.net.forget(c)
}

func (h *half) stop(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// LocalAddr returns this end's address.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the other end's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline bounds present and future reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.readBy = t
	c.in.wakeAt(&c.in.readT, t)
	return nil
}

// SetWriteDeadline bounds present and future writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.writeBy = t
	c.out.wakeAt(&c.out.writeT, t)
	return nil
}

// wakeAt wakes who waits when a deadline passes. The caller holds mu.
func (h *half) wakeAt(timer **time.Timer, t time.Time) {
	h.stop(timer)
	h.cond.Broadcast()
	if t.IsZero() || passed(t) {
		return
	}
	*timer = time.AfterFunc(time.Until(t), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.cond.Broadcast()
	})
}
