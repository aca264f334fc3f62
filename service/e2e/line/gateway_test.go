package line_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"metermanager/service/e2e/virtual"
	"metermanager/service/field/modbus"
)

// fault is something that happens to one request or to its answer.
type fault string

const (
	pass          fault = "pass"
	delay         fault = "delay"          // within the time that an answer may take
	late          fault = "late answer"    // behind that time
	overtaken     fault = "overtaken"      // late, and requests behind it are answered first
	dropRequest   fault = "drop request"   // it never comes to the meter
	dropAnswer    fault = "drop answer"    // the meter has done what was asked, and nobody hears of it
	lateRequest   fault = "late request"   // it comes to the meter when its sender has given up
	doubleRequest fault = "double request" // twice to the meter, and two answers
	doubleAnswer  fault = "double answer"
	cut           fault = "cut"        // the beginning of an answer, then nothing; over TCP nothing ever on this connection
	cutAndEnd     fault = "cut, end"   // the beginning of an answer, then the end of the connection
	spoil         fault = "spoil"      // other bits: over TCP of the head, which alone has no check sum below it; on a line of all
	pieces        fault = "pieces"     // an answer byte by byte
	foreign       fault = "foreign"    // an answer to somebody else before the right one
	refuse        fault = "refuse"     // an exception: failure, acknowledge, busy, gateway
	hangUp        fault = "hang up"    // the connection ends
	silence       fault = "silence"    // for a while nothing is answered
	unreachable   fault = "no connect" // for a while nobody takes a connection
)

var faults = []fault{
	delay, late, overtaken, dropRequest, dropAnswer, lateRequest, doubleRequest, doubleAnswer, cut, cutAndEnd, spoil, pieces, foreign, refuse, hangUp, silence, unreachable,
}

// mix is how often what happens.
type mix struct {
	rate    float64
	weights map[fault]int
}

func randomMix(r *rand.Rand) mix {
	m := mix{rate: []float64{0.02, 0.05, 0.1, 0.2, 0.4}[r.IntN(5)], weights: map[fault]int{}}
	for _, i := range r.Perm(len(faults))[:1+r.IntN(len(faults))] {
		m.weights[faults[i]] = 1 + r.IntN(4)
	}
	return m
}

// gateway stands at an address of the network, speaks Modbus TCP or the frames of a serial line, and asks the meters behind it one request
// after the other.
type gateway struct {
	rtu     bool
	timeout time.Duration // that an answer may take
	ask     func(unit byte, pdu []byte) []byte

	line  chan struct{} // held while a request is with the meters; a mutex would stop virtual time
	calls sync.WaitGroup

	mu      sync.Mutex
	rng     *rand.Rand
	mix     mix
	silent  time.Time // until then nothing is answered
	away    time.Time // until then nobody takes a connection
	counts  map[fault]int
	conns   map[net.Conn]bool
	stopped bool
}

func newGateway(rtu bool, timeout time.Duration, seed uint64, ask func(byte, []byte) []byte) *gateway {
	return &gateway{
		rtu: rtu, timeout: timeout, ask: ask, line: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, 11)), counts: map[fault]int{}, conns: map[net.Conn]bool{},
	}
}

// run takes connections until the listener is closed.
func (g *gateway) run(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		g.mu.Lock()
		g.conns[c] = true
		refused := g.stopped || time.Now().Before(g.away)
		g.mu.Unlock()
		if refused {
			_ = c.Close()
			continue
		}
		g.calls.Go(func() { g.serve(newFrames(c, g.rtu)) })
	}
	g.calls.Wait()
}

func (g *gateway) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = true
	for c := range g.conns {
		_ = c.Close()
	}
}

// set changes what happens; the zero mix ends all faults.
func (g *gateway) set(m mix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mix, g.silent, g.away = m, time.Time{}, time.Time{}
}

func (g *gateway) draw() (fault, *rand.Rand) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := pass
	if g.rng.Float64() < g.mix.rate {
		total := 0
		for _, w := range g.mix.weights {
			total += w
		}
		n := g.rng.IntN(total)
		for _, k := range slices.Sorted(maps.Keys(g.mix.weights)) {
			if n -= g.mix.weights[k]; n < 0 {
				f = k
				break
			}
		}
	}
	switch now := time.Now(); {
	case f == silence:
		g.silent = now.Add(time.Duration(g.rng.Int64N(int64(time.Minute))))
	case f == unreachable:
		g.away = now.Add(time.Duration(g.rng.Int64N(int64(time.Minute))))
	case now.Before(g.silent):
		f = silence
	}
	g.counts[f]++
	return f, rand.New(rand.NewPCG(g.rng.Uint64(), 13))
}

// behind asks the meter, while nobody else does.
func (g *gateway) behind(unit byte, pdu []byte) []byte {
	g.line <- struct{}{}
	defer func() { <-g.line }()
	time.Sleep(5 * time.Millisecond)
	return g.ask(unit, pdu)
}

func (g *gateway) serve(c *frames) {
	defer c.Close()
	for {
		q, err := c.request()
		if err != nil {
			return
		}
		f, r := g.draw()
		if !g.handle(c, q, f, r) {
			return
		}
	}
}

// lateness draws a time behind that of an answer. On a serial line nothing tells to which request an answer belongs, but that it comes
// before the line was silent once as long as an answer may take.
func (g *gateway) lateness(r *rand.Rand) time.Duration {
	most := g.timeout * 9
	if g.rtu {
		most = g.timeout * 8 / 10
	}
	return g.timeout + time.Duration(r.Int64N(int64(most)))
}

// handle does what a fault says and reports whether the connection goes on.
func (g *gateway) handle(c *frames, q request, f fault, r *rand.Rand) bool {
	switch f {
	case dropRequest, silence:
		return true
	case hangUp, unreachable:
		return false
	case refuse:
		code := []byte{4, 5, 6, 0x0A, 0x0B}[r.IntN(5)]
		return c.answer(q, []byte{q.pdu[0] | 0x80, code}) == nil
	case lateRequest:
		d := g.lateness(r) - 20*time.Millisecond
		g.calls.Go(func() {
			time.Sleep(d)
			if a := g.behind(q.unit, q.pdu); a != nil {
				_ = c.answer(q, a)
			}
		})
		return true
	}
	began := time.Now()
	a := g.behind(q.unit, q.pdu)
	if a == nil {
		return true
	}
	switch f {
	case dropAnswer:
		return true
	case delay:
		time.Sleep(time.Duration(r.Int64N(int64(g.timeout * 9 / 10))))
	case late:
		time.Sleep(g.lateness(r) - time.Since(began))
	case overtaken:
		d := g.lateness(r) - time.Since(began)
		g.calls.Go(func() {
			time.Sleep(d)
			_ = c.answer(q, a)
		})
		return true
	case doubleRequest:
		if b := g.behind(q.unit, q.pdu); b != nil && c.answer(q, b) != nil {
			return false
		}
	case doubleAnswer:
		return c.write(slices.Concat(c.frame(q, a), c.frame(q, a))) == nil
	case cut, cutAndEnd:
		frame := c.frame(q, a)
		c.cut(frame[:r.IntN(len(frame))])
		return f == cut
	case spoil:
		return c.write(c.spoiled(c.frame(q, a), r)) == nil
	case pieces:
		return c.pieces(c.frame(q, a)) == nil
	case foreign:
		other := q
		if other.transaction -= uint16(1 + r.IntN(1000)); c.rtu || r.IntN(2) == 0 {
			other.unit += byte(1 + r.IntN(200))
		}
		b := slices.Clone(a)
		for i := 2; i < len(b); i++ {
			b[i] ^= byte(r.IntN(256))
		}
		if c.answer(other, b) != nil {
			return false
		}
	}
	return c.answer(q, a) == nil
}

// request is what was asked, with what its answer must repeat.
type request struct {
	transaction uint16
	unit        byte
	pdu         []byte
}

// frames is a connection with the frames of Modbus TCP or of a serial line.
type frames struct {
	net.Conn
	rtu bool

	out  chan struct{} // held while a frame is written
	mute bool
}

func newFrames(c net.Conn, rtu bool) *frames {
	return &frames{Conn: c, rtu: rtu, out: make(chan struct{}, 1)}
}

var errSpoiled = errors.New("a frame that cannot be read")

func (c *frames) request() (request, error) {
	if c.rtu {
		return c.requestRTU()
	}
	var head [7]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return request{}, err
	}
	n := int(binary.BigEndian.Uint16(head[4:]))
	if n < 2 || n > modbus.MaxLongAnswer {
		return request{}, errSpoiled
	}
	q := request{binary.BigEndian.Uint16(head[:]), head[6], make([]byte, n-1)}
	_, err := io.ReadFull(c, q.pdu)
	return q, err
}

// requestRTU reads a request whose length follows from its function.
func (c *frames) requestRTU() (request, error) {
	frame := make([]byte, 8)
	if _, err := io.ReadFull(c, frame[:7]); err != nil {
		return request{}, err
	}
	n := 8
	switch frame[1] {
	case 3, 4, 6:
	case 16:
		n = 9 + int(frame[6])
	case 0x23:
		n = 9
	case 43:
		n = 7
	default:
		return request{}, errSpoiled
	}
	frame = append(frame[:7], make([]byte, n-7)...)
	if _, err := io.ReadFull(c, frame[7:]); err != nil {
		return request{}, err
	}
	if binary.LittleEndian.Uint16(frame[n-2:]) != crc(frame[:n-2]) {
		return request{}, errSpoiled
	}
	return request{unit: frame[0], pdu: frame[1 : n-2]}, nil
}

func (c *frames) frame(q request, pdu []byte) []byte {
	if c.rtu {
		b := append([]byte{q.unit}, pdu...)
		return binary.LittleEndian.AppendUint16(b, crc(b))
	}
	b := binary.BigEndian.AppendUint16(nil, q.transaction)
	b = binary.BigEndian.AppendUint16(append(b, 0, 0), uint16(len(pdu)+1))
	return append(append(b, q.unit), pdu...)
}

// spoiled changes two bytes side by side, which a check sum of 16 bits never misses; over TCP one of the head.
func (c *frames) spoiled(b []byte, r *rand.Rand) []byte {
	if !c.rtu {
		b[r.IntN(8)] ^= byte(1 + r.IntN(255))
		return b
	}
	i := r.IntN(len(b) - 1)
	b[i] ^= byte(1 + r.IntN(255))
	b[i+1] ^= byte(r.IntN(256))
	return b
}

func (c *frames) answer(q request, pdu []byte) error { return c.write(c.frame(q, pdu)) }

// cut sends the beginning of a frame. TCP loses nothing in the midst of a connection: there it is the last that comes.
func (c *frames) cut(b []byte) {
	c.out <- struct{}{}
	defer func() { <-c.out }()
	if !c.mute {
		_, _ = c.Write(b)
	}
	c.mute = !c.rtu
}

// pieces sends a frame byte by byte. Nobody else's byte comes between them.
func (c *frames) pieces(b []byte) error {
	c.out <- struct{}{}
	defer func() { <-c.out }()
	for i := range b {
		if c.mute {
			break
		}
		if _, err := c.Write(b[i : i+1]); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (c *frames) write(b []byte) error {
	c.out <- struct{}{}
	defer func() { <-c.out }()
	if c.mute {
		return nil
	}
	_, err := c.Write(b)
	return err
}

// crc is the check sum of a frame on a serial line.
func crc(b []byte) uint16 {
	sum := uint16(0xFFFF)
	for _, x := range b {
		sum ^= uint16(x)
		for range 8 {
			if sum&1 != 0 {
				sum = sum>>1 ^ 0xA001
			} else {
				sum >>= 1
			}
		}
	}
	return sum
}

// upstream asks a simulated meter, which speaks Modbus TCP.
type upstream struct {
	net     *virtual.Network
	address string
	frames  *frames
}

// ask returns nil when there is no answer.
func (u *upstream) ask(unit byte, pdu []byte) []byte {
	if u.frames == nil {
		conn, err := u.net.Dial(context.Background(), "gateway", u.address)
		if err != nil {
			return nil
		}
		u.frames = newFrames(conn, false)
	}
	a, err := u.exchange(request{7, unit, pdu})
	if err != nil {
		u.close()
		return nil
	}
	return a
}

func (u *upstream) exchange(q request) ([]byte, error) {
	if err := u.frames.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	if err := u.frames.answer(q, q.pdu); err != nil {
		return nil, err
	}
	a, err := u.frames.request() // over TCP an answer has the form of a request
	return a.pdu, err
}

func (u *upstream) close() {
	if u.frames != nil {
		_ = u.frames.Close()
		u.frames = nil
	}
}
