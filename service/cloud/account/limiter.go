package account

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rule allows burst attempts at once and one more every step.
type rule struct {
	burst int
	step  time.Duration
}

// The limits of logins that fail. They hold per node. Were a user's attempts counted whoever
// makes them, one guesser could lock the user out for ever by guessing on; so they are counted
// for each user and address, and what all addresses together may do for a user refills ten times
// as fast as one address can spend it. Only many addresses at once lock a user out, as long as
// they go on: without that limit they could guess without end.
var (
	loginsPerPair    = rule{burst: 10, step: 6 * time.Second} // a user from one address
	loginsPerAddress = rule{burst: 30, step: 2 * time.Second} // all users from one address
	loginsPerUser    = rule{burst: 100, step: 600 * time.Millisecond}
)

// The limits of what makes accounts and sends mail.
var (
	joinsPerAddress        = rule{burst: 10, step: time.Minute}
	forgotPerAddress       = rule{burst: 10, step: time.Minute}
	forgotPerUser          = rule{burst: 3, step: 20 * time.Minute}
	invitationsPerCustomer = rule{burst: 100, step: time.Minute}
)

const limiterEntries = 10_000

// limiter counts attempts by a name. It remembers a bounded number of names.
type limiter struct {
	rule rule
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

func newLimiter(r rule) *limiter { return &limiter{rule: r, seen: map[string]*rate.Limiter{}} }

// Limiter counts attempts by a name for other packages.
type Limiter struct{ l *limiter }

// NewLimiter allows burst attempts of a name at once and one more every step.
func NewLimiter(burst int, step time.Duration) *Limiter {
	return &Limiter{newLimiter(rule{burst, step})}
}

// Take takes one attempt of name at the time now, or returns how long to wait for it.
func (l *Limiter) Take(name string, now time.Time) time.Duration { return l.l.take(name, now) }

// take takes one attempt of name at the time now, or returns how long to wait for it.
func (l *limiter) take(name string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.seen[name]
	if !ok {
		if len(l.seen) >= limiterEntries {
			l.evict(now)
		}
		one = rate.NewLimiter(rate.Every(l.rule.step), l.rule.burst)
		l.seen[name] = one
	}
	r := one.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// forget gives name all its attempts back.
func (l *limiter) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, name)
}

// refund gives back one attempt, which was allowed at the time then and turned out well.
func (l *limiter) refund(name string, then time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one, ok := l.seen[name]; ok && one.TokensAt(then) < float64(l.rule.burst) {
		left := min(one.TokensAt(then)+1, float64(l.rule.burst))
		fresh := rate.NewLimiter(rate.Every(l.rule.step), l.rule.burst)
		fresh.AllowN(then, l.rule.burst-int(left))
		l.seen[name] = fresh
	}
}

// evict drops the names that have all their attempts again; when that frees too little,
// any, since a table that grows without end is the worse failure.
func (l *limiter) evict(now time.Time) {
	for name, one := range l.seen {
		if one.TokensAt(now) >= float64(l.rule.burst) {
			delete(l.seen, name)
		}
	}
	for name := range l.seen {
		if len(l.seen) < limiterEntries*9/10 {
			return
		}
		delete(l.seen, name)
	}
}
