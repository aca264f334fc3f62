package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// bounds are the upper bounds of the histogram of durations in seconds.
var bounds = [...]float64{0.005, 0.02, 0.1, 0.5, 2, 10, 60}

// Requests counts the requests of the web API by operation and status. The zero value works.
type Requests struct {
	mu    sync.Mutex
	codes map[requestKey]int64
	took  map[string]*durations
}

type requestKey struct {
	operation string
	status    int
}

type durations struct {
	buckets [len(bounds)]int64 // each holds those of the ones before
	count   int64
	sum     float64
}

// Observe counts a request that was answered.
func (r *Requests) Observe(operation string, status int, took time.Duration) {
	s := took.Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.codes == nil {
		r.codes, r.took = map[requestKey]int64{}, map[string]*durations{}
	}
	r.codes[requestKey{operation, status}]++
	d := r.took[operation]
	if d == nil {
		d = &durations{}
		r.took[operation] = d
	}
	for i, b := range bounds {
		if s <= b {
			d.buckets[i]++
		}
	}
	d.count++
	d.sum += s
}

// Write writes the counts.
func (r *Requests) Write(t *Text) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := t.Family("metermanager_http_requests_total", Counter, "Requests of the web API, by operation and HTTP status.")
	keys := make([]requestKey, 0, len(r.codes))
	for k := range r.codes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b requestKey) int {
		return cmp.Or(cmp.Compare(a.operation, b.operation), cmp.Compare(a.status, b.status))
	})
	for _, k := range keys {
		f.Sample(float64(r.codes[k]), "operation", k.operation, "code", strconv.Itoa(k.status))
	}
	const name = "metermanager_http_request_duration_seconds"
	t.Family(name, histogram, "How long requests took, by operation.")
	for i, k := range keys {
		if i > 0 && keys[i-1].operation == k.operation {
			continue
		}
		d := r.took[k.operation]
		for i, b := range bounds {
			t.line(name+"_bucket", float64(d.buckets[i]), []string{"operation", k.operation, "le", number(b)})
		}
		t.line(name+"_bucket", float64(d.count), []string{"operation", k.operation, "le", "+Inf"})
		t.line(name+"_sum", d.sum, []string{"operation", k.operation})
		t.line(name+"_count", float64(d.count), []string{"operation", k.operation})
	}
}
