package modbus

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// A unit that does not answer costs its neighbours on a line a timeout each time it is asked. While they answer and it does
// not, it is asked seldom, once, and when nothing else waits. When nobody answers, the trouble is that of the line or the
// gateway: then everybody goes on asking as usual, so that nothing is missed when it comes back.

const (
	silentAfter    = 3 // unanswered requests, one after the other
	minSilentPause = 5 * time.Second
	maxSilentPause = time.Minute
)

// silence is how long a unit has not answered.
type silence struct {
	mu       sync.Mutex
	missed   int       // requests in a row that it did not answer, while others did
	since    time.Time // of the first of them
	last     time.Time // of the last
	notAsked time.Time // it is not asked before, while others answer
}

// heard notes the outcome of a request to u.
func (u *Unit) heard(err error, at time.Time) {
	s := &u.silence
	s.mu.Lock()
	defer s.mu.Unlock()
	if !unanswered(err) {
		s.missed = 0
		return
	}
	previous := s.last
	s.last = at
	switch {
	case s.missed == 0:
		s.since = at
	case !u.end.answeredSince(previous):
		return // perhaps nobody can: it has had no chance
	}
	if s.missed++; s.missed >= silentAfter {
		pause := maxSilentPause
		if n := s.missed - silentAfter; n < 4 {
			pause = minSilentPause << n
		}
		s.notAsked = at.Add(pause)
	}
}

// unanswered reports whether an error means that the unit is not there. The gateway that says so has answered for itself.
func unanswered(err error) bool {
	x, ok := ExceptionOf(err)
	return ok && x == GatewayTarget || errors.Is(err, ErrTimeout)
}

// isSilent reports whether u does not answer while others at its endpoint do.
func (u *Unit) isSilent() bool {
	u.silence.mu.Lock()
	defer u.silence.mu.Unlock()
	return u.silence.missed >= silentAfter
}

// rest refuses a request to a silent unit that comes too early, and puts others behind what waits for its neighbours.
// Somebody who waits for the answer is never refused.
func (u *Unit) rest(r *Request) error {
	if r.Priority == User || !u.isSilent() {
		return nil
	}
	now := u.end.cfg.Now()
	u.silence.mu.Lock()
	left, since := u.silence.notAsked.Sub(now), u.silence.since
	u.silence.mu.Unlock()
	if left > 0 && left <= maxSilentPause { // longer: the clock was set back
		return fmt.Errorf("%w since %s, while other units at this address answer (asked again at %s)",
			ErrTimeout, since.UTC().Format(time.RFC3339), now.Add(left).UTC().Format(time.RFC3339))
	}
	r.Priority = absent
	return nil
}

// SilentSince is when the unit stopped answering while others at its address do; zero while it answers.
func (u *Unit) SilentSince() time.Time {
	if !u.isSilent() {
		return time.Time{}
	}
	u.silence.mu.Lock()
	defer u.silence.mu.Unlock()
	return u.silence.since
}

// answeredSince reports whether any unit answered at t or after it.
func (e *Endpoint) answeredSince(t time.Time) bool {
	e.counters.mu.Lock()
	defer e.counters.mu.Unlock()
	return !e.counters.answered.Before(t)
}
