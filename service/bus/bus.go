package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed marks a publish to a topic that no longer takes messages.
var ErrClosed = errors.New("the bus is closed")

// Ack tells how far a published message came.
type Ack[R any] struct {
	// Done says that the consumer has finished and Result is its answer. A topic that
	// only keeps the message for later answers with Done unset.
	Done   bool
	Result R
}

// Publisher hands messages to a topic. When Publish returns nil the message is either
// consumed or durable in the bus, as Ack says.
type Publisher[M, R any] interface {
	Publish(ctx context.Context, message M) (Ack[R], error)
}

// Inline is the topic of a single node: its consumer runs in the publisher's goroutine.
type Inline[M, R any] struct {
	name    string
	consume func(context.Context, M) (R, error)
	slots   chan struct{}
	wait    time.Duration

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Config bounds an inline topic. The zero value works.
type Config struct {
	// Parallel is the most messages that are consumed at a time; 8 by default.
	Parallel int
	// Wait is how long a publisher waits for its turn before ErrBusy; 30 s by default.
	Wait time.Duration
}

// ErrBusy marks a message that was not taken because too many wait already. Nothing
// was done; the sender should try again later.
var ErrBusy = errors.New("too many messages wait")

// NewInline returns a topic called name whose messages go to consume.
func NewInline[M, R any](name string, consume func(context.Context, M) (R, error), cfg Config) *Inline[M, R] {
	if cfg.Parallel <= 0 {
		cfg.Parallel = 8
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 30 * time.Second
	}
	return &Inline[M, R]{name: name, consume: consume, slots: make(chan struct{}, cfg.Parallel), wait: cfg.Wait}
}

// Publish runs the consumer and returns its answer.
func (t *Inline[M, R]) Publish(ctx context.Context, message M) (Ack[R], error) {
	if err := t.enter(); err != nil {
		return Ack[R]{}, err
	}
	defer t.running.Done()
	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	select {
	case t.slots <- struct{}{}:
	case <-timer.C:
		return Ack[R]{}, fmt.Errorf("publish to %s: %w", t.name, ErrBusy)
	case <-ctx.Done():
		return Ack[R]{}, fmt.Errorf("publish to %s: %w", t.name, ctx.Err())
	}
	defer func() { <-t.slots }()
	result, err := t.consume(ctx, message)
	if err != nil {
		return Ack[R]{}, err
	}
	return Ack[R]{Done: true, Result: result}, nil
}

func (t *Inline[M, R]) enter() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return fmt.Errorf("publish to %s: %w", t.name, ErrClosed)
	}
	t.running.Add(1)
	return nil
}

// Close refuses new messages and waits for those under way.
func (t *Inline[M, R]) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.running.Wait()
}

// Notices tells any number of consumers what has happened. Each runs in the
// publisher's goroutine and must not block.
type Notices[M any] struct {
	consumers []func(context.Context, M)
}

// NewNotices returns a topic with its consumers, which are called in this order.
func NewNotices[M any](consumers ...func(context.Context, M)) *Notices[M] {
	return &Notices[M]{consumers: consumers}
}

// Publish tells every consumer.
func (n *Notices[M]) Publish(ctx context.Context, message M) {
	for _, consume := range n.consumers {
		consume(ctx, message)
	}
}
