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

// The limits of logins. They hold per node.
var (
	loginsPerUser    = rule{burst: 10, step: 6 * time.Second}
	loginsPerAddress = rule{burst: 30, step: 2 * time.Second}
)

const limiterEntries = 10_000

// limiter counts attempts by a name. It remembers a bounded number of names.
type limiter struct {
	rule rule
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

func newLimiter(r rule) *limiter { return &limiter{rule: r, seen: map[string]*rate.Limiter{}} }

// allow takes one attempt of name at the time now.
func (l *limiter) allow(name string, now time.Time) bool {
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
	return one.AllowN(now, 1)
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
