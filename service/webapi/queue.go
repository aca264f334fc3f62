package webapi

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/service/cloud/account"
)

// queries are the operations that read logs, which may take long: so many at a time, and the others wait. What an
// uploader asks at each upload to find its place is none of them.
var queries = map[string]bool{
	api.OpHistory: true, api.OpEvents: true, api.OpRecording: true, api.OpAnalysis: true, api.OpEN50160: true, api.OpEventGroups: true,
	api.OpVersions: true, api.OpMarks: true, api.OpLimitCounts: true, api.OpEventCounts: true, api.OpSkipped: true, api.OpLatest: true, api.OpMeters: true,
}

// queue lets queries in, in the order of their coming, but nobody has more than half of the places while others wait.
type queue struct {
	places int
	wait   time.Duration

	mu      sync.Mutex
	inside  int
	by      map[string]int // places by who has them
	waiting []*query
}

// query is one that waits.
type query struct {
	who string
	in  chan struct{} // closed when it is let in
}

// mostWaiting is how many queries may wait for each place.
const mostWaiting = 50

func newQueue(places int, wait time.Duration) *queue {
	if places <= 0 {
		places = max(16, 8*runtime.GOMAXPROCS(0))
	}
	if wait <= 0 {
		wait = 10 * time.Second
	}
	return &queue{places: places, wait: wait, by: map[string]int{}}
}

// enter waits for a place for a query of who. leave gives it back.
func (q *queue) enter(ctx context.Context, who string) (leave func(), err error) {
	leave = func() { q.leave(who) }
	q.mu.Lock()
	if q.inside < q.places && len(q.waiting) == 0 {
		q.take(who)
		q.mu.Unlock()
		return leave, nil
	}
	if len(q.waiting) >= q.places*mostWaiting {
		q.mu.Unlock()
		return nil, q.full()
	}
	one := &query{who, make(chan struct{})}
	q.waiting = append(q.waiting, one)
	q.next() // a place may be free that those before could not take
	q.mu.Unlock()

	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	select {
	case <-one.in:
		return leave, nil
	case <-timer.C:
		err = q.full()
	case <-ctx.Done():
		err = fmt.Errorf("wait for a turn: %w", ctx.Err())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w == one {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			return nil, err
		}
	}
	return leave, nil // let in at the same moment
}

func (q *queue) take(who string) {
	q.inside++
	q.by[who]++
}

func (q *queue) leave(who string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inside--
	if q.by[who]--; q.by[who] == 0 {
		delete(q.by, who)
	}
	q.next()
}

// next lets in who waits longest of those that have few places; when all have many, who waits longest.
func (q *queue) next() {
	for q.inside < q.places && len(q.waiting) > 0 {
		i := 0
		for n, w := range q.waiting {
			if q.by[w.who] < max(1, q.places/2) {
				i = n
				break
			}
		}
		w := q.waiting[i]
		q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
		q.take(w.who)
		close(w.in)
	}
}

// full says when to come back: a place is free at the latest when those that wait now have been given up.
func (q *queue) full() error {
	return fault.Wrap(fault.Unavailable, "Too many queries are being answered just now.", host.Pause{Wait: q.wait}).
		WithHint("Send it again later, or ask for less at a time.")
}

// queued lets a query wait for its turn.
func (a *API) queued(op api.Operation, next http.HandlerFunc) http.HandlerFunc {
	if !queries[op.ID] {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		leave, err := a.queue.enter(r.Context(), sender(callerOf(r.Context())))
		if err != nil {
			a.writeError(w, r, err)
			return
		}
		defer leave()
		next(w, r)
	}
}

// authenticate returns who sent a secret, and refuses who asks more often than he may.
func (a *API) authenticate(ctx context.Context, secret string) (account.Principal, error) {
	p, err := a.Accounts.Authenticate(ctx, secret)
	if err != nil {
		return p, err
	}
	if wait := a.rates.Take(p.Source()); wait > 0 {
		return p, host.TooMany("with this key or login", wait)
	}
	return p, nil
}
