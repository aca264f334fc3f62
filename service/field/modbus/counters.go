package modbus

import (
	"errors"
	"sync"
	"time"
)

// Counters are what happened to a unit's requests, or an endpoint's, since it was made.
type Counters struct {
	Requests           int64            `json:"requests"`
	OK                 int64            `json:"ok"`
	Timeouts           int64            `json:"timeouts"`
	Desyncs            int64            `json:"desyncs"`
	Unreachable        int64            `json:"unreachable"`
	Exceptions         map[string]int64 `json:"exceptions,omitempty"` // by their words
	UnknownTransaction int64            `json:"unknown_transactions"`
	UnknownUnit        int64            `json:"unknown_units"`
	CRCErrors          int64            `json:"crc_errors"`   // of serial lines
	Late               int64            `json:"late_answers"` // thrown away, of serial lines
	Connects           int64            `json:"connects"`
	BytesIn            int64            `json:"bytes_in"`
	BytesOut           int64            `json:"bytes_out"`
	LatencySum         time.Duration    `json:"latency_sum_ns"` // of the answered requests
	LatencyMax         time.Duration    `json:"latency_max_ns"`
	// Latencies counts the answered requests by how long the answer took: how many up to each of LatencyBounds, and how
	// many longer.
	Latencies   [len(LatencyBounds) + 1]int64 `json:"latencies"`
	LastOK      time.Time                     `json:"last_ok,omitzero"`
	LastError   string                        `json:"last_error,omitempty"`
	LastErrorAt time.Time                     `json:"last_error_at,omitzero"`
}

// LatencyBounds are the upper bounds of the classes of Counters.Latencies.
var LatencyBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
}

type counters struct {
	mu       sync.Mutex
	c        Counters
	answered time.Time // last, also with an exception
}

func (c *counters) snapshot() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.c
	out.Exceptions = make(map[string]int64, len(c.c.Exceptions))
	for k, v := range c.c.Exceptions {
		out.Exceptions[k] = v
	}
	return out
}

func (c *counters) add(f func(*Counters)) {
	c.mu.Lock()
	f(&c.c)
	c.mu.Unlock()
}

// done counts the outcome of one request.
func (c *counters) done(err error, took time.Duration, at time.Time) {
	x, isException := ExceptionOf(err)
	c.mu.Lock()
	if err == nil || isException && !unanswered(err) {
		c.answered = at
	}
	c.mu.Unlock()
	c.add(func(c *Counters) {
		c.Requests++
		if err == nil {
			c.OK++
			c.LastOK = at
		} else {
			c.LastError, c.LastErrorAt = err.Error(), at
		}
		switch {
		case isException:
			if c.Exceptions == nil {
				c.Exceptions = map[string]int64{}
			}
			c.Exceptions[x.Error()]++
		case errors.Is(err, ErrTimeout):
			c.Timeouts++
		case errors.Is(err, ErrDesync):
			c.Desyncs++
		case errors.Is(err, ErrUnreachable):
			c.Unreachable++
		}
		if err == nil || isException {
			c.LatencySum += took
			c.LatencyMax = max(c.LatencyMax, took)
			i := 0
			for i < len(LatencyBounds) && took > LatencyBounds[i] {
				i++
			}
			c.Latencies[i]++
		}
	})
}
