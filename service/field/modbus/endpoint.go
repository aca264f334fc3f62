package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	gomodbus "github.com/goburrow/modbus"
)

// muteAfter is how many timeouts may pass without a byte from anybody before a connection is taken for dead. It doubles, up to
// maxMuteAfter, while a new one is no better: then it is the units that are silent.
const (
	muteAfter    = 4
	maxMuteAfter = 32
)

// Config tunes an endpoint. The zero value works.
type Config struct {
	Timeout        time.Duration // of one answer; 2 s
	ConnectTimeout time.Duration // 3 s
	ConnectDelay   time.Duration // pause after connecting; none
	RequestDelay   time.Duration // pause between requests; none
	CloseAfterPoll bool          // close when the queue is empty, for meters with one master
	MinBackoff     time.Duration // 1 s
	MaxBackoff     time.Duration // 60 s
	Dial           func(ctx context.Context, address string) (net.Conn, error)
	Now            func() time.Time
	Logger         *slog.Logger
}

// Endpoint owns the one connection to an address. Its units share the connection and a
// queue; Run is the only goroutine that touches the connection.
type Endpoint struct {
	addr string // canonical
	to   address
	cfg  Config

	mu     sync.Mutex
	queue  [priorities][]*job
	passed [priorities]int // tickets of what went before those that wait
	units  map[byte]bool   // seen, to tell a gateway from a meter
	closed bool
	wake   chan struct{}
	// Written by Run:
	nextDial  time.Time // during a back-off: not tried again before
	dialError error
	connected bool

	counters counters
	packager gomodbus.Packager
	address  func(unit byte) // whom the packager's next frame is for

	// Owned by Run:
	conn     net.Conn
	fresh    bool // nothing was read from conn yet
	failures int
	lastUse  time.Time
	silence  time.Duration // an RTU line must have been silent so long before the next request; 0: it is in step
	mute     time.Duration // waited for answers since a byte came on conn
	patience int           // timeouts in mute after which conn is given up
}

type job struct {
	ctx  context.Context
	unit *Unit
	req  *Request
	done chan result
}

type result struct {
	data []byte
	err  error
}

// New makes an endpoint. Nothing connects before Run and the first request.
func New(address string, cfg Config) (*Endpoint, error) {
	addr, err := parse(address)
	if err != nil {
		return nil, err
	}
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&cfg.Timeout, 2*time.Second)
	set(&cfg.ConnectTimeout, 3*time.Second)
	set(&cfg.MinBackoff, time.Second)
	set(&cfg.MaxBackoff, time.Minute)
	if addr.scheme == schemeSerial {
		cfg.Dial = func(context.Context, string) (net.Conn, error) { return openPort(addr.target, addr.line) }
	}
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, "tcp", address)
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Endpoint{addr: addr.String(), to: addr, cfg: cfg, units: map[byte]bool{}, wake: make(chan struct{}, 1), patience: muteAfter}
	if addr.rtu() {
		h := gomodbus.NewRTUClientHandler(addr.target)
		e.packager, e.address = h, func(unit byte) { h.SlaveId = unit }
	} else {
		h := gomodbus.NewTCPClientHandler(addr.target)
		e.packager, e.address = h, func(unit byte) { h.SlaveId = unit }
	}
	return e, nil
}

// With connects to an address for as long as use takes.
func With(ctx context.Context, address string, cfg Config, use func(context.Context, *Endpoint) error) error {
	e, err := New(address, cfg)
	if err != nil {
		return err
	}
	runCtx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- e.Run(runCtx) }()
	err = use(ctx, e)
	cancel()
	return errors.Join(err, <-done)
}

// Address returns the address in its canonical form: see ParseAddress.
func (e *Endpoint) Address() string { return e.addr }

// Counters returns what happened so far.
func (e *Endpoint) Counters() Counters { return e.counters.snapshot() }

// Run serves the queue until ctx ends, then fails what waits and closes the connection.
func (e *Endpoint) Run(ctx context.Context) error {
	defer e.shut()
	for {
		j := e.pop()
		if j == nil {
			if e.cfg.CloseAfterPoll {
				e.close()
			}
			select {
			case <-ctx.Done():
				return nil
			case <-e.wake:
			}
			continue
		}
		if ctx.Err() != nil {
			j.done <- result{err: ErrClosed}
			return nil
		}
		if err := j.ctx.Err(); err != nil {
			j.done <- result{err: err}
			continue
		}
		data, err := e.serve(ctx, j)
		j.done <- result{data, err}
	}
}

func (e *Endpoint) shut() {
	e.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for p := range e.queue {
		for _, j := range e.queue[p] {
			j.done <- result{err: ErrClosed}
		}
		e.queue[p] = nil
	}
}

func (e *Endpoint) shared() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.units) > 1
}

func (e *Endpoint) close() {
	if e.conn != nil {
		e.conn.Close() // nothing can be done about its error
		e.conn = nil
		e.mu.Lock()
		e.connected = false
		e.mu.Unlock()
	}
}

// setDial notes how the last attempt to connect ended.
func (e *Endpoint) setDial(err error, next time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dialError, e.nextDial, e.connected = err, next, err == nil
}

// Health is the state of an endpoint's connection.
type Health struct {
	Connected bool      `json:"connected"`
	NextDial  time.Time `json:"next_attempt,omitzero"` // while it cannot be reached: when that is tried again
	Waiting   int       `json:"waiting"`               // requests in the queue
	Counters  Counters  `json:"counters"`
}

// Health returns the state of the connection.
func (e *Endpoint) Health() Health {
	waiting := e.Waiting()
	e.mu.Lock()
	defer e.mu.Unlock()
	return Health{e.connected, e.nextDial, waiting, e.counters.snapshot()}
}

// serve carries out one request. A connection that the meter closed while it was idle is
// opened again, silently, and a read is then sent once more.
func (e *Endpoint) serve(ctx context.Context, j *job) ([]byte, error) {
	for try := 0; ; try++ {
		if err := e.connect(ctx, j); err != nil {
			e.count(j, err, 0)
			return nil, err
		}
		if err := e.pause(ctx, j); err != nil {
			return nil, err
		}
		reused := !e.fresh
		x, data, err := e.exchange(j)
		if err != nil && reused && try == 0 && x.received == 0 && j.req.isRead() && isHangUp(err) {
			continue
		}
		return data, err
	}
}

// What Windows says of a connection that the other side reset, or that it gave up itself. Its numbers
// are in no package for other systems, and syscall's own names are not these.
const (
	wsaConnAborted = syscall.Errno(10053)
	wsaConnReset   = syscall.Errno(10054)
)

func isHangUp(err error) bool {
	return errors.Is(err, wsaConnReset) || errors.Is(err, wsaConnAborted) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

func (e *Endpoint) exchange(j *job) (*exchange, []byte, error) {
	start := e.cfg.Now()
	timeout := j.unit.Timeout()
	deadline := time.Now().Add(timeout) // of the socket, which knows the real clock only
	if d, ok := j.ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	x := &exchange{ctx: j.ctx, conn: e.conn, deadline: deadline, fc: j.req.FC, rtu: e.to.rtu(), drained: e.silence, count: func(what string) { e.dropped(j, what) }}
	e.address(j.unit.id)
	sent := time.Now()
	data, err := call(e.packager, x, j.req)
	e.lastUse = e.cfg.Now()
	if x.received > 0 {
		e.fresh = false
	}
	for _, c := range []*counters{&e.counters, &j.unit.counters} {
		c.add(func(c *Counters) { c.BytesIn += int64(x.received); c.BytesOut += int64(x.sent) })
	}
	_, refused := ExceptionOf(err)
	switch {
	case err == nil, refused:
		e.failures, e.silence = 0, 0
	case e.to.rtu() && !errors.Is(err, ErrUnreachable):
		// A line that other units share stays open, but for isMute; what comes late is thrown away before the next request. Somebody who gave up early has
		// left more of the time in which an answer is no surprise.
		e.silence = max(timeout, 2*timeout-time.Since(sent))
	case errors.Is(err, ErrTimeout) && x.clean && e.shared():
		// A silent unit behind a gateway must not take the link from the others, but for isMute. Its
		// late answer will carry a transaction id that nobody waits for.
	default:
		e.close()
	}
	if e.isMute(j, x, err, min(time.Since(sent), timeout), timeout) {
		e.close()
	}
	e.count(j, err, e.cfg.Now().Sub(start))
	return x, data, err
}

// isMute reports whether the connection is to be given up although nothing is wrong with it below: a gateway that hung, or that
// dropped the session, acknowledges what it is sent and never answers, while it would serve a new one. Of a serial port there is no other.
func (e *Endpoint) isMute(j *job, x *exchange, err error, waited, timeout time.Duration) bool {
	if x.received+x.late > 0 {
		e.mute, e.patience = 0, muteAfter
		return false
	}
	if e.conn == nil || e.to.scheme == schemeSerial || !errors.Is(err, ErrTimeout) || j.unit.isSilent() { // that it is silent is known
		return false
	}
	e.mute += waited
	if e.mute < time.Duration(e.patience)*timeout-timeout/2 { // a clock may tick a little late
		return false
	}
	e.patience = min(2*e.patience, maxMuteAfter)
	return true
}

func (e *Endpoint) dropped(j *job, what string) {
	for _, c := range []*counters{&e.counters, &j.unit.counters} {
		c.add(func(c *Counters) {
			switch what {
			case "unit":
				c.UnknownUnit++
			case "crc":
				c.CRCErrors++
			case "late":
				c.Late++
			default:
				c.UnknownTransaction++
			}
		})
	}
}

func (e *Endpoint) count(j *job, err error, took time.Duration) {
	at := e.cfg.Now()
	e.counters.done(err, took, at)
	j.unit.counters.done(err, took, at)
	j.unit.heard(err, at)
}

// connect opens the connection unless a back-off forbids it. It never gives up for good.
func (e *Endpoint) connect(ctx context.Context, j *job) error {
	if e.conn != nil {
		return nil
	}
	if wait := e.nextDial.Sub(e.cfg.Now()); wait > 0 && wait <= e.cfg.MaxBackoff && j.req.Priority != User { // longer: the clock was set back
		return fmt.Errorf("%w: %w (next attempt at %s)", ErrUnreachable, e.dialError, e.nextDial.UTC().Format(time.RFC3339))
	}
	dialCtx, cancel := context.WithTimeout(j.ctx, e.cfg.ConnectTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	conn, err := e.cfg.Dial(dialCtx, e.to.target)
	if err != nil {
		if ctx.Err() != nil {
			return ErrClosed
		}
		if j.ctx.Err() != nil && errors.Is(j.ctx.Err(), context.Canceled) {
			return j.ctx.Err()
		}
		e.setDial(err, e.cfg.Now().Add(e.backoff()))
		e.failures++
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	e.conn, e.fresh, e.lastUse, e.silence, e.mute = conn, true, time.Time{}, 0, 0
	e.setDial(nil, time.Time{})
	e.counters.add(func(c *Counters) { c.Connects++ })
	e.cfg.Logger.Debug("connected", "conn", e.addr)
	return wait(ctx, j.ctx, e.cfg.ConnectDelay)
}

// backoff is 1, 2, 4 .. 60 s, less up to a quarter so that many managers spread out.
func (e *Endpoint) backoff() time.Duration {
	d := e.cfg.MaxBackoff
	if e.failures < 16 {
		d = min(d, e.cfg.MinBackoff<<e.failures)
	}
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}

// pause keeps the distance between requests that slow meters need.
func (e *Endpoint) pause(ctx context.Context, j *job) error {
	d := max(e.cfg.RequestDelay, j.unit.cfg.RequestDelay)
	if e.to.scheme == schemeSerial {
		d = max(d, e.to.line.silence())
	}
	if d <= 0 || e.lastUse.IsZero() {
		return nil
	}
	return wait(ctx, j.ctx, d-e.cfg.Now().Sub(e.lastUse))
}

func wait(run, request context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-run.Done():
		return ErrClosed
	case <-request.Done():
		return request.Err()
	}
}
