package applog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// damper lets the first few of equal lines through and counts the rest; the next one that passes
// says how many there were. Lines for debugging are left alone.
type damper struct {
	next   slog.Handler
	state  *repeats
	prefix string // of WithAttrs and WithGroup
}

// Enabled asks the handler below.
func (d *damper) Enabled(ctx context.Context, l slog.Level) bool { return d.next.Enabled(ctx, l) }

// Handle passes a line on, or counts it.
func (d *damper) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return d.next.Handle(ctx, r)
	}
	var key strings.Builder
	key.WriteString(r.Level.String())
	key.WriteString(r.Message)
	key.WriteString(d.prefix)
	r.Attrs(func(a slog.Attr) bool {
		addKey(&key, a)
		return true
	})
	pass, before := d.state.note(key.String())
	if !pass {
		return nil
	}
	if before > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int64("repeated", before))
	}
	return d.next.Handle(ctx, r)
}

// WithAttrs adds attributes.
func (d *damper) WithAttrs(attrs []slog.Attr) slog.Handler {
	var key strings.Builder
	key.WriteString(d.prefix)
	for _, a := range attrs {
		addKey(&key, a)
	}
	return &damper{next: d.next.WithAttrs(attrs), state: d.state, prefix: key.String()}
}

// WithGroup opens a group.
func (d *damper) WithGroup(name string) slog.Handler {
	return &damper{next: d.next.WithGroup(name), state: d.state, prefix: d.prefix + "\x00" + name}
}

// addKey adds what makes a line another one: to whom and by whom something happened. Numbers,
// durations, ids of requests and the words of errors, which hold ports and offsets, do not.
func addKey(key *strings.Builder, a slog.Attr) {
	switch a.Key {
	case "component", "meter", "serial", "customer", "user", "key", "action", "kind", "destination", "address", "result":
		key.WriteString("\x00" + a.Key + "=" + a.Value.String())
	}
}

// mostKeys is how many lines are told apart; beyond that the older half is forgotten.
const mostKeys = 2000

// repeats counts equal lines, in two generations.
type repeats struct {
	same   int
	window time.Duration
	now    func() time.Time

	mu         sync.Mutex
	young, old map[string]*repeat
}

type repeat struct {
	since   time.Time
	passed  int
	skipped int64
}

// note says whether a line may pass, and how many equal ones did not since the last that did.
func (s *repeats) note(key string) (pass bool, before int64) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= mostKeys/2 {
		s.old, s.young = s.young, map[string]*repeat{}
	}
	r := s.young[key]
	if r == nil {
		if r = s.old[key]; r == nil {
			r = &repeat{since: now}
		}
		s.young[key] = r
	}
	if age := now.Sub(r.since); age >= s.window || age < 0 {
		r.since, r.passed = now, 0
	}
	if r.passed >= s.same {
		r.skipped++
		return false, 0
	}
	r.passed++
	before, r.skipped = r.skipped, 0
	return true, before
}
