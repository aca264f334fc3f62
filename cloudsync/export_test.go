package cloudsync

import (
	"context"
	"time"
)

// RunQueue executes what is asked for and plans nothing by itself, so that a random test can be repeated.
func (s *Service) RunQueue(ctx context.Context) error { return s.runQueues(ctx) }

// Plan is the pure function under test.
func Plan(c *Cache, now time.Time) []Action { return plan(c, now) }

// Look renews this node's side of the caches, as Run does.
func (s *Service) Look(ctx context.Context) error { return s.lookOnly(ctx, true) }

// LookMarked renews this node's side of the cache of those meters that it was told of.
func (s *Service) LookMarked(ctx context.Context) error { return s.lookOnly(ctx, false) }

// Due returns what is wanted of all clouds at present.
func (s *Service) Due() (out []Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dests {
		out = append(out, plan(&d.cache, s.cfg.Now())...)
	}
	return out
}

// Seen is what the clock showed when it was read last.
func (s *Service) Seen() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}
