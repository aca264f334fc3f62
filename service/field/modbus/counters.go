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
	LastError          string           `json:"last_error,omitempty"`
}

type counters struct {
	mu sync.Mutex
	c  Counters
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
func (c *counters) done(err error, took time.Duration) {
	c.add(func(c *Counters) {
		c.Requests++
		if err == nil {
			c.OK++
		} else {
			c.LastError = err.Error()
		}
		x, isException := ExceptionOf(err)
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
		}
	})
}
