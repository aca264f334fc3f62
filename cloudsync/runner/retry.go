package runner

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Backoff says how often and after which pauses something is tried again. Zero fields
// take the defaults.
type Backoff struct {
	Tries  int           // in all; default 4
	First  time.Duration // pause after the first failure; default 500 ms
	Max    time.Duration // longest pause; default 10 s
	Jitter float64       // share by which a pause varies either way; default 0.2
	// Permanent says which errors no repetition can cure; nil: none.
	Permanent func(error) bool
	// Rand returns numbers in [0, 1); nil: math/rand.
	Rand func() float64
}

// retryAfter is implemented by errors in which the other side said how long to wait.
type retryAfter interface{ RetryAfter() time.Duration }

// Pause returns the pause after failure number n (from 1): doubled each time, capped, with
// jitter. What the other side asked for in err comes first where it is longer, capped at ten times Max.
func (b Backoff) Pause(n int, err error) time.Duration {
	b = b.withDefaults()
	d := b.First
	for i := 1; i < n && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	d = time.Duration(float64(d) * (1 + b.Jitter*(2*b.Rand()-1)))
	var said retryAfter
	if errors.As(err, &said) {
		d = max(d, min(said.RetryAfter(), 10*b.Max))
	}
	return d
}

func (b Backoff) withDefaults() Backoff {
	if b.Tries <= 0 {
		b.Tries = 4
	}
	if b.First <= 0 {
		b.First = 500 * time.Millisecond
	}
	if b.Max <= 0 {
		b.Max = 10 * time.Second
	}
	if b.Jitter == 0 {
		b.Jitter = 0.2
	}
	if b.Rand == nil {
		b.Rand = rand.Float64
	}
	return b
}

// Retry calls op until it succeeds, fails for good, ctx ends or the tries are used up. It
// returns op's last error.
func Retry(ctx context.Context, b Backoff, op func(ctx context.Context) error) error {
	b = b.withDefaults()
	for n := 1; ; n++ {
		err := op(ctx)
		if err == nil || n >= b.Tries || ctx.Err() != nil || b.Permanent != nil && b.Permanent(err) {
			return err
		}
		timer := time.NewTimer(b.Pause(n, err))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
