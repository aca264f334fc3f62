package virtual

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Network joins hosts by name in memory. What blocks in it blocks durably in the sense of
// testing/synctest, so that virtual time goes on.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*Listener // by "host:port"
	conns     map[*Conn]struct{}   // all open ends
	links     map[Link]*proxy
	routes    map[string]func() string
	ports     int
	odd       []string
}

// Link is a direction between two hosts: who calls, and who is called.
type Link struct{ From, To string }

// NewNetwork makes an empty network.
func NewNetwork() *Network {
	return &Network{listeners: map[string]*Listener{}, conns: map[*Conn]struct{}{}, links: map[Link]*proxy{}, routes: map[string]func() string{}}
}

// Reroute sends who calls a host to whom pick names, but for the operator; nil ends it. What is open breaks.
func (n *Network) Reroute(host string, pick func() string) {
	n.mu.Lock()
	if n.routes[host] = pick; pick == nil {
		delete(n.routes, host)
	}
	var conns []*Conn
	for c := range n.conns {
		if c.remote.host() == host && c.local.host() != operator {
			conns = append(conns, c)
		}
	}
	n.mu.Unlock()
	for _, c := range conns {
		c.Break(syscall.ECONNRESET)
	}
}

// Odd lists answers that cannot be true, whatever becomes of the data.
func (n *Network) Odd() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.odd
}

// operator is from where the harness calls nodes.
const operator = "operator"

// addr is a host with a port.
type addr string

// Network names the sort of address.
func (a addr) Network() string { return "tcp" }

// String returns host:port.
func (a addr) String() string { return string(a) }

func (a addr) host() string {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		return string(a)
	}
	return host
}

// Listener is a port of a host.
type Listener struct {
	net   *Network
	addr  addr
	queue chan *Conn
	done  chan struct{}
	once  sync.Once
}

// Listen opens a port ("cloud:80").
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr(address), Err: syscall.EADDRINUSE}
	}
	l := &Listener{net: n, addr: addr(address), queue: make(chan *Conn, 128), done: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Accept waits for a caller.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	case c := <-l.queue:
		return c, nil
	}
}

// Close gives the port back; callers who wait are hung up on.
func (l *Listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.net.mu.Lock()
		if l.net.listeners[string(l.addr)] == l {
			delete(l.net.listeners, string(l.addr))
		}
		l.net.mu.Unlock()
		for {
			select {
			case c := <-l.queue:
				_ = c.Close() // nobody will
			default:
				return
			}
		}
	})
	return nil
}

// Addr returns the address of the port.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dial opens a connection, by way of the link's proxy where there is one.
func (n *Network) Dial(ctx context.Context, from, to string) (net.Conn, error) {
	n.mu.Lock()
	p := n.links[Link{from, addr(to).host()}]
	n.mu.Unlock()
	if p != nil {
		return p.dial(ctx, to)
	}
	return n.direct(ctx, from, to)
}

// direct opens a connection without any proxy.
func (n *Network) direct(ctx context.Context, from, to string) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dial %s: %w", to, err)
	}
	n.mu.Lock()
	pick := n.routes[addr(to).host()]
	n.mu.Unlock()
	if pick != nil && from != operator {
		_, port, _ := net.SplitHostPort(to)
		to = net.JoinHostPort(pick(), port)
	}
	n.mu.Lock()
	l := n.listeners[to]
	n.mu.Unlock()
	if l == nil {
		return nil, refused(to)
	}
	near, far := n.pair(from, to)
	select {
	case l.queue <- far:
	default:
		_ = near.Close()
		return nil, refused(to)
	}
	select {
	case <-l.done: // closed meanwhile: nobody will take it out of the queue
		near.Break(syscall.ECONNRESET)
	default:
	}
	return near, nil
}

func refused(to string) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: addr(to), Err: syscall.ECONNREFUSED}
}

// pair makes the two ends of a connection.
func (n *Network) pair(from, to string) (near, far *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports++
	a, b := newHalf(), newHalf()
	caller, called := addr(fmt.Sprintf("%s:%d", from, 10_000+n.ports%50_000)), addr(to)
	near = &Conn{net: n, in: a, out: b, local: caller, remote: called}
	far = &Conn{net: n, in: b, out: a, local: called, remote: caller}
	n.conns[near], n.conns[far] = struct{}{}, struct{}{}
	return near, far
}

func (n *Network) forget(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// Drop breaks every connection of a host and closes its ports, as a power cut does.
func (n *Network) Drop(host string) {
	n.mu.Lock()
	var conns []*Conn
	for c := range n.conns {
		if c.local.host() == host || c.remote.host() == host {
			conns = append(conns, c)
		}
	}
	var ports []*Listener
	for _, l := range n.listeners {
		if l.addr.host() == host {
			ports = append(ports, l)
		}
	}
	n.mu.Unlock()
	for _, c := range conns {
		c.Break(syscall.ECONNRESET)
	}
	for _, l := range ports {
		_ = l.Close()
	}
}

// Open returns how many ends of connections are open: none when everybody has gone.
func (n *Network) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// halfBytes is how much one direction of a connection holds until its writer waits.
const halfBytes = 64 << 10

// half is one direction of a connection.
type half struct {
	mu            sync.Mutex
	cond          *sync.Cond
	data          []byte
	ended         bool  // the writer has closed: EOF behind the data
	closed        bool  // the reader has closed
	broken        error // the link is gone
	readBy        time.Time
	writeBy       time.Time
	readT, writeT *time.Timer
}

func newHalf() *half {
	h := &half{}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }
