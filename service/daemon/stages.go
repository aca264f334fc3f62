package daemon

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopWithin is how long all parts together may take to end. Windows gives a service about
// as much, and our systemd unit a little more.
const stopWithin = 20 * time.Second

// stage is one long-lived part.
type stage struct {
	name string
	run  func(context.Context) error
}

// runStages runs the stages until ctx ends or one of them fails, then stops them one by
// one, the last first: who serves ends before what it serves from.
func runStages(ctx context.Context, stages []stage, stopping func()) error {
	// The stages do not see the end of ctx: stopping in order is what this function is for.
	base := context.WithoutCancel(ctx)
	group, failed := errgroup.WithContext(ctx)
	type running struct {
		cancel context.CancelFunc
		done   chan struct{}
	}
	parts := make([]running, len(stages))
	for i, s := range stages {
		part, cancel := context.WithCancel(base)
		parts[i] = running{cancel, make(chan struct{})}
		group.Go(func() error {
			defer close(parts[i].done)
			err := s.run(part)
			switch {
			case part.Err() != nil && err == nil:
				return nil
			case err != nil:
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return fmt.Errorf("%s ended by itself", s.name)
		})
	}
	<-failed.Done() // ctx has ended, or a stage failed
	stopping()
	deadline := time.NewTimer(stopWithin)
	defer deadline.Stop()
	for i := len(parts) - 1; i >= 0; i-- {
		parts[i].cancel()
		select {
		case <-parts[i].done:
		case <-deadline.C:
			for _, p := range parts {
				p.cancel()
			}
			return fmt.Errorf("%s did not stop within %s", stages[i].name, stopWithin)
		}
	}
	return group.Wait()
}
