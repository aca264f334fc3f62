package desktop

import (
	"sync"
	"time"
)

// throttled lets a report pass ten times a second at most: a window that is told of every step has no time for people.
func throttled(tell report) report {
	var mu sync.Mutex
	var last time.Time
	return func(note string, share float64) {
		mu.Lock()
		pass := time.Since(last) >= 100*time.Millisecond
		if pass {
			last = time.Now()
		}
		mu.Unlock()
		if pass {
			tell(note, share)
		}
	}
}
