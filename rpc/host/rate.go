package host

import (
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
		if cfg.Rate < 0 {
			return next
		}
		buckets := &buckets{limit: rate.Limit(cfg.Rate), burst: cfg.Burst, now: cfg.Now, turned: cfg.Now()}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !buckets.allow(addressOf(r.RemoteAddr)) {
				w.Header().Set("Retry-After", "1")
				WriteError(w, r, fault.New(fault.RateLimited, "Too many requests from this address.").WithHint("Wait a second."))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
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
				WriteError(w, r, fault.New(fault.Unavailable, "Too many requests are being answered just now.").WithHint("Send it again later."))
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

// bucketLife is how long an address is remembered at least; maxBuckets how many are. Beyond
// that the older generation is forgotten, which costs less than keeping everybody.
const (
	bucketLife = 5 * time.Minute
	maxBuckets = 50_000
)

// buckets holds a limiter per address in two generations, so that old ones go without a
// search.
type buckets struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu       sync.Mutex
	turned   time.Time
	young    map[netip.Addr]*rate.Limiter
	previous map[netip.Addr]*rate.Limiter
}

func (b *buckets) allow(a netip.Addr) bool {
	now := b.now()
	b.mu.Lock()
	if b.young == nil || now.Sub(b.turned) > bucketLife || len(b.young) >= maxBuckets {
		b.previous, b.young, b.turned = b.young, map[netip.Addr]*rate.Limiter{}, now
	}
	l := b.young[a]
	if l == nil {
		if l = b.previous[a]; l == nil {
			l = rate.NewLimiter(b.limit, b.burst)
		}
		b.young[a] = l
	}
	b.mu.Unlock()
	return l.AllowN(now, 1)
}
