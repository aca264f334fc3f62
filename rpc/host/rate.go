package host

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"metermanager/rpc/fault"
)

// rated limits how many requests an address makes. The counts live in this process only.
func rated(cfg Config) middleware {
	return func(next http.Handler) http.Handler {
		rates := NewRates[netip.Addr](cfg.Rate, cfg.Burst, cfg.Now)
		if rates == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wait := rates.Take(addressOf(r.RemoteAddr)); wait > 0 {
				cfg.refuse(w, r, TooMany("from this address", wait))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Pause is the cause of a refusal that ends by itself.
type Pause struct{ Wait time.Duration }

// Error says how long.
func (p Pause) Error() string { return "come back in " + p.Wait.String() }

// RetryAfter returns how long to wait.
func (p Pause) RetryAfter() time.Duration { return p.Wait }

// TooMany refuses a request of somebody who asks more often than he may; by says whose requests are counted.
func TooMany(by string, wait time.Duration) error {
	seconds := int64((wait + time.Second - 1) / time.Second)
	return fault.Wrap(fault.RateLimited, "Too many requests "+by+".", Pause{wait}).WithHint(fmt.Sprintf("Send it again in %d s.", seconds))
}

// crowded bounds how many requests are answered at a time.
func crowded(cfg Config) middleware {
	return func(next http.Handler) http.Handler {
		places := make(chan struct{}, cfg.Requests)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
				next.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", "5")
				cfg.refuse(w, r, fault.New(fault.Unavailable, "Too many requests are being answered just now.").WithHint("Send it again later."))
			}
		})
	}
}

// CountedAddress returns whose requests a remote address counts to: an IPv4 address or, since
// everybody has 2^64 of the others, an IPv6 network.
func CountedAddress(remote string) string {
	if a := addressOf(remote); a.IsValid() {
		return a.String()
	}
	return remote
}

// addressOf returns whose requests are counted together: an IPv4 address or an IPv6 network.
func addressOf(remote string) netip.Addr {
	text, _, err := net.SplitHostPort(remote)
	if err != nil {
		text = remote
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// bucketLife is how long somebody is remembered at least; maxBuckets how many are. Beyond
// that the older generation is forgotten, which costs less than keeping everybody.
const (
	bucketLife = 5 * time.Minute
	maxBuckets = 50_000
)

// Rates counts requests by who makes them: a bucket for each, in two generations, so that old ones go
// without a search. It lives in this process only.
type Rates[K comparable] struct {
	limit rate.Limit
	burst int
	now   func() time.Time
	life  time.Duration

	mu       sync.Mutex
	turned   time.Time
	young    map[K]*rate.Limiter
	previous map[K]*rate.Limiter
}

// NewRates allows everybody burst requests at once and perSecond on average; nil, which allows everything, when perSecond is
// not above 0.
func NewRates[K comparable](perSecond float64, burst int, now func() time.Time) *Rates[K] {
	if perSecond <= 0 {
		return nil
	}
	burst = max(burst, 1)
	// Who is forgotten gets the whole burst anew, so nobody is before his bucket is full again.
	life := max(bucketLife, time.Duration(float64(burst)/perSecond*float64(time.Second)))
	return &Rates[K]{limit: rate.Limit(perSecond), burst: burst, now: now, life: life, turned: now()}
}

// Take takes a request of who, or returns how long to wait for one.
func (r *Rates[K]) Take(who K) time.Duration {
	if r == nil {
		return 0
	}
	now := r.now()
	r.mu.Lock()
	if r.young == nil || now.Sub(r.turned) > r.life || len(r.young) >= maxBuckets {
		r.previous, r.young, r.turned = r.young, map[K]*rate.Limiter{}, now
	}
	l := r.young[who]
	if l == nil {
		if l = r.previous[who]; l == nil {
			l = rate.NewLimiter(r.limit, r.burst)
		}
		r.young[who] = l
	}
	r.mu.Unlock()
	one := l.ReserveN(now, 1)
	wait := one.DelayFrom(now)
	if wait > 0 {
		one.CancelAt(now)
	}
	return wait
}
