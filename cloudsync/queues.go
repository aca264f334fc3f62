package cloudsync

import (
	"context"
	"sync"

	"metermanager/cloudsync/runner"
)

// queue is the actor of one cloud. Each cloud has its own, so that one which is slow or does not answer keeps none of
// the others waiting.
type queue struct {
	*runner.Runner
	quit context.CancelFunc // ends it, before or while it runs
	gone <-chan struct{}    // closed by quit
	done chan struct{}      // closed when it has ended
	once sync.Once
}

func (s *Service) newQueue(name string) *queue {
	log := s.cfg.Logger.With("component", "cloudsync", "cloud", name)
	ctx, cancel := context.WithCancel(context.Background())
	return &queue{
		Runner: runner.New(runner.Config{Logger: log, Now: s.cfg.Now}),
		quit:   cancel, gone: ctx.Done(), done: make(chan struct{}),
	}
}

// run executes actions until ctx ends or the cloud is removed.
func (q *queue) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-q.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = q.Run(ctx) // ends with ctx only
	close(q.done)
}

// end ends the queue of a cloud that is removed, and waits for the action that runs.
func (d *destination) end() {
	d.queue.quit()
	d.queue.once.Do(func() { d.queue.run(context.Background()) }) // it was never started: let those who wait for it go
	<-d.queue.done
}

// startQueues starts the queues of clouds that were taken up. One that comes when the service has ended lets those who wait for it go.
func (s *Service) startQueues() {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over {
		s.endQueues()
		return
	}
	select {
	case s.started <- struct{}{}:
	default:
	}
}

// endQueues ends the queues that were never started.
func (s *Service) endQueues() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, d := range s.destinations() {
		d.queue.once.Do(func() { d.queue.run(ctx) })
	}
}

// runQueues runs the queue of every cloud, also of those that are added later, until ctx ends.
func (s *Service) runQueues(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for _, d := range s.destinations() {
			d.queue.once.Do(func() { running.Go(func() { d.queue.run(ctx) }) })
		}
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.over = true
			s.mu.Unlock()
			s.endQueues()
			return nil
		case <-s.started:
		}
	}
}
