package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// HTTPKinds are the kinds that an HTTP proxy knows.
var HTTPKinds = []Kind{
	Delay, DropRequest, DropAnswer, DoubleRequest, DoubleAtOnce, LateRequest, CutRequest, CutAnswer, ChangeRequest, ChangeAnswer,
	Refuse, RefuseDone, Portal, Stall, Reset, FragmentAnswer,
}

// statuses are what a proxy answers by itself.
var statuses = []int{408, 413, 429, 500, 502, 503, 504, 302}

// HTTP passes requests on to a node. Make it with NewHTTP.
type HTTP struct {
	*dice
	listener net.Listener
	target   atomic.Pointer[string] // host:port
	up       *http.Transport
	late     sync.WaitGroup // requests on their way after their sender has given up
}

// NewHTTP opens the port; nothing is answered before Run. Without a target everything is refused.
func NewHTTP(seed uint64) (*HTTP, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a proxy: %w", err)
	}
	p := &HTTP{dice: newDice(seed), listener: l, up: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8, IdleConnTimeout: 5 * time.Second}}
	p.SetTarget("")
	return p, nil
}

// Addr is where the proxy listens: host:port.
func (p *HTTP) Addr() string { return p.listener.Addr().String() }

// SetTarget says where the node is: host:port, "" when it is nowhere.
func (p *HTTP) SetTarget(address string) {
	p.target.Store(&address)
	p.up.CloseIdleConnections()
}

// SetMix says what happens from now on; the zero Mix ends the faults.
func (p *HTTP) SetMix(m Mix) { p.set(m) }

// Counts returns how often each kind happened.
func (p *HTTP) Counts() map[Kind]int { return p.counts() }

// Run serves until ctx ends and everything that is late has arrived.
func (p *HTTP) Run(ctx context.Context) error {
	s := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	err := s.Serve(p.listener)
	p.late.Wait()
	p.up.CloseIdleConnections()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Settled waits until everything that is late has arrived.
func (p *HTTP) Settled() { p.late.Wait() }

// reply is an answer of the node.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP lets one request through, or not.
func (p *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		abort(w, false)
		return
	}
	kind, wait, calm := p.draw()
	switch kind {
	case Delay:
		pause(wait/4, calm)
	case DropRequest, Reset:
		abort(w, kind == Reset)
		return
	case Stall:
		<-calm
		abort(w, false)
		return
	case Portal:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><title>Welcome to our network</title>Please log in.</html>")
		return
	case Refuse:
		p.refuse(w)
		return
	case LateRequest:
		p.sendLate(r, body, wait)
		abort(w, false)
		return
	case CutRequest:
		body = body[:p.intN(len(body)+1)]
	case ChangeRequest:
		body = p.changed(body)
	}
	p.pass(w, r, body, kind, wait, calm)
}

// pass hands the request on and the answer back.
func (p *HTTP) pass(w http.ResponseWriter, r *http.Request, body []byte, kind Kind, wait time.Duration, calm <-chan struct{}) {
	ctx := r.Context()
	switch kind {
	case DoubleAtOnce:
		p.sendLate(r, body, time.Microsecond)
	case DropAnswer, RefuseDone:
		ctx = context.WithoutCancel(ctx)
	}
	out, err := p.forward(ctx, r, body)
	if kind == DoubleRequest && err == nil {
		out, err = p.forward(ctx, r, body)
	}
	if err != nil {
		abort(w, true)
		return
	}
	switch kind {
	case DropAnswer:
		abort(w, false)
		return
	case RefuseDone:
		p.refuse(w)
		return
	case ChangeAnswer:
		out.body = p.changed(out.body)
	case Delay:
		pause(wait/4, calm)
	}
	for k, v := range out.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
	w.WriteHeader(out.status)
	switch kind {
	case CutAnswer:
		_, _ = w.Write(out.body[:p.intN(len(out.body))])
		_ = http.NewResponseController(w).Flush()
		abort(w, p.intN(2) == 0)
		return
	case FragmentAnswer:
		for part := range chunks(out.body, 1+len(out.body)/5) {
			_, _ = w.Write(part)
			_ = http.NewResponseController(w).Flush()
			pause(wait/20, calm)
		}
		return
	}
	_, _ = w.Write(out.body)
}

// sendLate hands a request on after a while, whoever still waits for it.
func (p *HTTP) sendLate(r *http.Request, body []byte, wait time.Duration) {
	r = r.Clone(context.WithoutCancel(r.Context()))
	p.late.Go(func() {
		pause(wait, nil)
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		_, _ = p.forward(ctx, r, body)
	})
}

// forward hands a request on and reads the whole answer.
func (p *HTTP) forward(ctx context.Context, r *http.Request, body []byte) (reply, error) {
	target := *p.target.Load()
	if target == "" {
		return reply{}, errors.New("the node is not there")
	}
	u := *r.URL
	u.Scheme, u.Host = "http", target
	q, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("pass a request on: %w", err)
	}
	q.Header = r.Header.Clone()
	q.Header.Del("Connection")
	if len(body) == 0 {
		q.Body, q.ContentLength = http.NoBody, 0
	}
	res, err := p.up.RoundTrip(q)
	if err != nil {
		return reply{}, fmt.Errorf("pass a request on: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, fmt.Errorf("read an answer: %w", err)
	}
	res.Header.Del("Connection")
	return reply{res.StatusCode, res.Header, text}, nil
}

// refuse answers with an error status, with and without Retry-After.
func (p *HTTP) refuse(w http.ResponseWriter) {
	status := statuses[p.intN(len(statuses))]
	if p.intN(2) == 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.intN(2)))
	}
	if status == http.StatusFound {
		w.Header().Set("Location", "http://127.0.0.1:1/")
	}
	w.WriteHeader(status)
}

// changed returns a copy of b with a few other bytes.
func (p *HTTP) changed(b []byte) []byte {
	out := bytes.Clone(b)
	if len(out) == 0 {
		return out
	}
	for range 1 + p.intN(3) {
		out[p.intN(len(out))] ^= byte(1 + p.intN(255))
	}
	return out
}

// abort ends the connection without a whole answer; hard: with a reset.
func abort(w http.ResponseWriter, hard bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // HTTP/1 connections can always be taken over
	}
	end(conn, hard)
}

func end(conn net.Conn, hard bool) {
	if tcp, ok := conn.(*net.TCPConn); ok && hard {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// chunks cuts b into pieces of n bytes.
func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}
