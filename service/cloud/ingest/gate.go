package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"metermanager/rpc/fault"
)

// GateConfig bounds what is taken in at a time. The zero value works.
type GateConfig struct {
	// MaxBytes bounds the memory of the pages that are being read, checked and stored, as estimated
	// from their text; 192 MiB by default. MaxPages bounds their number; 128 by default.
	MaxBytes int64
	MaxPages int
	// MaxWaiting is how many pages may wait for their turn; 4,000 by default. They are not read yet.
	MaxWaiting int
	// MaxWait is how long one waits before its sender is told to come back; 10 s by default.
	MaxWait time.Duration
}

func (c GateConfig) withDefaults() GateConfig {
	if c.MaxBytes <= 0 {
		c.MaxBytes = 192 << 20
	}
	if c.MaxPages <= 0 {
		c.MaxPages = 128
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = 4000
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 10 * time.Second
	}
	return c
}

// textCost is how much memory a byte of a page's text takes until the page is stored: the text, its
// rows and what the store writes.
const textCost = 4

// gate lets pages in one sender after the other: who sends much waits behind itself, not before others.
type gate struct {
	cfg GateConfig
	now func() time.Time

	mu      sync.Mutex
	bytes   int64
	pages   int
	queues  map[string][]*waiter
	turn    []string // senders that wait, next first
	waiting int
	stats   GateStats
	pace    time.Duration // smoothed time between two pages that leave
	left    time.Time
}

// waiter is a page before the gate.
type waiter struct {
	bytes int64
	in    chan struct{} // closed when it is let in
}

// GateStats tells what the gate has done.
type GateStats struct {
	Bytes          int64 // estimated memory of the pages inside
	Pages, Waiting int   // inside and before the gate
	Admitted       int64
	Refused        int64 // sent away with a time to come back
}

func newGate(cfg GateConfig, now func() time.Time) *gate {
	return &gate{cfg: cfg.withDefaults(), now: now, queues: map[string][]*waiter{}}
}

// Admission is a page's place inside the gate. It must be released once.
type Admission struct {
	g     *gate
	bytes int64
	done  bool
}

// admit waits for a page of a sender to be let in. text is how many bytes its text is expected to have.
func (g *gate) admit(ctx context.Context, sender string, text int64) (*Admission, error) {
	need := min(max(text, 1<<10)*textCost, g.cfg.MaxBytes) // a page that is larger than everything comes in alone
	g.mu.Lock()
	if g.waiting == 0 && g.fits(need) {
		g.enter(need)
		g.mu.Unlock()
		return &Admission{g: g, bytes: need}, nil
	}
	if g.waiting >= g.cfg.MaxWaiting {
		defer g.mu.Unlock()
		return nil, g.refuse()
	}
	w := &waiter{need, make(chan struct{})}
	if len(g.queues[sender]) == 0 {
		g.turn = append(g.turn, sender)
	}
	g.queues[sender] = append(g.queues[sender], w)
	g.waiting++
	g.mu.Unlock()

	timer := time.NewTimer(g.cfg.MaxWait)
	defer timer.Stop()
	var gone error
	select {
	case <-w.in:
		return &Admission{g: g, bytes: need}, nil
	case <-timer.C:
	case <-ctx.Done():
		gone = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.in: // let in at the same moment
		return &Admission{g: g, bytes: need}, nil
	default:
	}
	g.forget(sender, w)
	g.letIn() // a large page at the head may have kept smaller ones out
	if gone != nil {
		return nil, fmt.Errorf("wait for a turn: %w", gone)
	}
	return nil, g.refuse()
}

// fits reports whether so much more may come in. An empty gate takes everything.
func (g *gate) fits(need int64) bool {
	return g.pages == 0 || g.pages < g.cfg.MaxPages && g.bytes+need <= g.cfg.MaxBytes
}

func (g *gate) enter(need int64) {
	g.bytes += need
	g.pages++
	g.stats.Admitted++
}

// letIn opens the gate for those whose turn it is.
func (g *gate) letIn() {
	for len(g.turn) > 0 {
		sender := g.turn[0]
		w := g.queues[sender][0]
		if !g.fits(w.bytes) {
			return
		}
		g.turn = g.turn[1:]
		g.pop(sender)
		if len(g.queues[sender]) > 0 {
			g.turn = append(g.turn, sender)
		}
		g.enter(w.bytes)
		close(w.in)
	}
}

// pop takes the first page of a sender away.
func (g *gate) pop(sender string) {
	rest := g.queues[sender][1:]
	if g.waiting--; len(rest) == 0 {
		delete(g.queues, sender)
		return
	}
	g.queues[sender] = rest
}

// forget takes a page away that waits no longer.
func (g *gate) forget(sender string, w *waiter) {
	list := g.queues[sender]
	for i := range list {
		if list[i] != w {
			continue
		}
		g.waiting--
		if list = append(list[:i:i], list[i+1:]...); len(list) > 0 {
			g.queues[sender] = list
			return
		}
		delete(g.queues, sender)
		for k := range g.turn {
			if g.turn[k] == sender {
				g.turn = append(g.turn[:k:k], g.turn[k+1:]...)
				return
			}
		}
	}
}

// busy is the refusal of a page that may come later.
type busy struct {
	error
	after time.Duration
}

// RetryAfter says when.
func (e busy) RetryAfter() time.Duration { return e.after }

// Unwrap shows the fault inside.
func (e busy) Unwrap() error { return e.error }

// refuse sends a page away, for as long as those that wait will take; spread, so that not all of them
// come back at once.
func (g *gate) refuse() error {
	g.stats.Refused++
	after := min(max(time.Duration(g.waiting)*g.pace, 2*time.Second), time.Minute)
	after += time.Duration(rand.Int64N(int64(after)/2 + 1))
	return busy{fault.New(fault.Unavailable, "Too many pages are being stored just now.").WithHint("Send it again later."), after}
}

// Grow makes room for more of the page than was expected. It does not wait, since those who wait for it
// might wait for each other.
func (a *Admission) Grow(text int64) error {
	more := text * textCost
	g := a.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pages > 1 && g.bytes+more > g.cfg.MaxBytes+g.cfg.MaxBytes/4 {
		return g.refuse()
	}
	g.bytes += more
	a.bytes += more
	return nil
}

// Release gives the place to the next.
func (a *Admission) Release() {
	g := a.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.done {
		return
	}
	a.done = true
	g.bytes -= a.bytes
	g.pages--
	now := g.now()
	if since := now.Sub(g.left); !g.left.IsZero() && since >= 0 {
		g.pace += (min(since, time.Second) - g.pace) / 16
	}
	g.left = now
	g.letIn()
}

func (g *gate) statistics() GateStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := g.stats
	out.Bytes, out.Pages, out.Waiting = g.bytes, g.pages, g.waiting
	return out
}

// Admit waits for the turn of a page of a sender, whose text is expected to have so many bytes. While
// the disk has no room, or too many wait, it is an error that says when to come back.
func (s *Service) Admit(ctx context.Context, sender string, text int64) (*Admission, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	return s.gate.admit(ctx, sender, text)
}

func (s *Service) room() error {
	if s.cfg.Room == nil {
		return nil
	}
	return s.cfg.Room()
}

// Gate tells how much is being taken in.
func (s *Service) Gate() GateStats { return s.gate.statistics() }
