package export

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"metermanager/rpc/fault"
	"metermanager/service/cloud/audit"
)

// ErrExists marks a target whose name is taken.
var ErrExists = errors.New("there is such a target already")

// ErrNotHeld marks a target that another node serves, or that is gone.
var ErrNotHeld = errors.New("another node serves this target, or it is gone")

// Store keeps targets and has the events.
type Store interface {
	Exports(ctx context.Context) ([]Target, error)
	PutExport(ctx context.Context, t Target) error // ErrExists when the name is taken
	DeleteExport(ctx context.Context, name string) error
	// HoldExport has a node serve a target until a time, unless another one holds it at now, and reports whether it does.
	HoldExport(ctx context.Context, t Target, holder string, now, until time.Time) (bool, error)
	// LetExports lets go of all targets that a node holds.
	LetExports(ctx context.Context, holder string) error
	// MoveExport stores the number of the last event that a target has. ErrNotHeld when the node does not hold it.
	MoveExport(ctx context.Context, t Target, holder string, position int64) error
	// AuditAfter returns the events behind a number, oldest first; AuditLast the newest number, 0 when there is none.
	AuditAfter(ctx context.Context, seq int64, limit int) ([]audit.Event, error)
	AuditLast(ctx context.Context) (int64, error)
}

// Config of an Exporter. The zero value works.
type Config struct {
	Writer audit.Writer
	// Folder is where the files of targets are.
	Folder string
	// Poll is how often new events are looked for; 1 s by default. Settle is how long a connection must live on after
	// something was written until that counts as received; 30 s.
	Poll, Settle time.Duration
	// FirstPause and LongestPause bound the pauses between tries; 1 s and 1 min.
	FirstPause, LongestPause time.Duration
	// Lease is for how long a node holds a target; 30 s. It is renewed after a third of it, when the list of targets is looked at too. A node
	// that stops without a word is followed by another one after so long.
	Lease  time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Exporter brings the audit to its targets.
type Exporter struct {
	store   Store
	cfg     Config
	changed chan struct{} // the list of targets is another one
	holder  string        // this process, among those before one database

	mu      sync.Mutex
	workers map[string]*worker
}

// New returns the exporter of the targets in store.
func New(store Store, cfg Config) *Exporter {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&cfg.Poll, time.Second)
	set(&cfg.Settle, 30*time.Second)
	set(&cfg.FirstPause, time.Second)
	set(&cfg.LongestPause, time.Minute)
	set(&cfg.Lease, 30*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Exporter{store: store, cfg: cfg, changed: make(chan struct{}, 1), holder: rand.Text(), workers: map[string]*worker{}}
}

// Run sends until ctx ends.
func (e *Exporter) Run(ctx context.Context) error {
	failed := false
	for {
		none, err := e.reconcile(ctx)
		if err != nil && ctx.Err() == nil && !failed { // tried again at the next tick
			e.cfg.Logger.Warn("take up the targets of the audit", "err", err)
		}
		failed = err != nil
		pause := e.cfg.Lease / 3
		if none { // Add tells of a new one, and one that another node takes up is served there
			pause = 2 * e.cfg.Lease
		}
		select {
		case <-e.changed:
			continue
		case <-time.After(pause):
			continue
		case <-ctx.Done():
		}
		e.mu.Lock()
		workers := e.workers
		e.workers = map[string]*worker{}
		e.mu.Unlock()
		for _, w := range workers {
			<-w.done
		}
		if len(workers) == 0 {
			return nil
		}
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := e.store.LetExports(over, e.holder); err != nil { // another node waits for the end of the lease then
			e.cfg.Logger.Warn("let go of the targets of the audit", "err", err)
		}
		return nil
	}
}

// held lists the targets that this node serves, with their places; nil when there are none at all.
func (e *Exporter) held(ctx context.Context) (map[string]Target, error) {
	targets, err := e.store.Exports(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the targets of the audit: %w", err)
	}
	if len(targets) == 0 {
		return nil, nil
	}
	mine := map[string]bool{}
	for _, t := range targets {
		now := e.cfg.Now()
		if mine[t.Name+" "+t.ID], err = e.store.HoldExport(ctx, t, e.holder, now, now.Add(e.cfg.Lease)); err != nil {
			return nil, fmt.Errorf("hold target %s of the audit: %w", t.Name, err)
		}
	}
	if targets, err = e.store.Exports(ctx); err != nil { // as who held them before has left them
		return nil, fmt.Errorf("list the targets of the audit: %w", err)
	}
	wanted := map[string]Target{}
	for _, t := range targets {
		if mine[t.Name+" "+t.ID] {
			wanted[t.Name] = t
		}
	}
	return wanted, nil
}

// reconcile starts a worker for each target of this node that has none, and stops those of targets that are gone, are others now or are
// served by another node. It reports whether there are no targets at all.
func (e *Exporter) reconcile(ctx context.Context) (none bool, err error) {
	wanted, err := e.held(ctx)
	if err != nil {
		return false, err
	}
	e.mu.Lock()
	var over []*worker
	for name, w := range e.workers {
		if t, ok := wanted[name]; !ok || !w.serves(t) {
			over = append(over, w)
			delete(e.workers, name)
		}
	}
	e.mu.Unlock()
	for _, w := range over {
		w.stop()
		<-w.done
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, t := range wanted {
		if e.workers[name] == nil {
			ctx, cancel := context.WithCancel(ctx)
			w := &worker{e: e, stop: cancel, done: make(chan struct{}), target: t}
			w.state.Sent = t.Position
			e.workers[name] = w
			go w.run(ctx)
		}
	}
	return wanted == nil, nil
}

// poke has Run look at the list of targets.
func (e *Exporter) poke() {
	select {
	case e.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// Add takes up a target. It gets what comes from now on, or with fromStart everything.
func (e *Exporter) Add(ctx context.Context, t Target, fromStart bool) error {
	t, err := t.check()
	if err != nil {
		return err
	}
	t.Position, t.ID = 0, rand.Text()
	if !fromStart {
		if t.Position, err = e.store.AuditLast(ctx); err != nil {
			return fmt.Errorf("find the end of the audit: %w", err)
		}
	}
	err = e.store.PutExport(ctx, t)
	if errors.Is(err, ErrExists) {
		return fault.New(fault.Conflict, "There is a target of this name.").At("name")
	} else if err != nil {
		return fmt.Errorf("store a target of the audit: %w", err)
	}
	e.poke()
	return nil
}

// Remove forgets a target.
func (e *Exporter) Remove(ctx context.Context, name string) error {
	targets, err := e.store.Exports(ctx)
	if err != nil {
		return fmt.Errorf("list the targets of the audit: %w", err)
	}
	if !slices.ContainsFunc(targets, func(t Target) bool { return t.Name == name }) {
		return fault.New(fault.NotFound, "There is no such target.").At("name")
	}
	if err := e.store.DeleteExport(ctx, name); err != nil {
		return fmt.Errorf("remove a target of the audit: %w", err)
	}
	e.poke()
	return nil
}

// States lists the targets by name.
func (e *Exporter) States(ctx context.Context) ([]State, error) {
	targets, err := e.store.Exports(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the targets of the audit: %w", err)
	}
	last, err := e.store.AuditLast(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the audit: %w", err)
	}
	var out []State
	for _, t := range targets {
		s := State{Target: t, Sent: t.Position}
		e.mu.Lock()
		w := e.workers[t.Name]
		e.mu.Unlock()
		if w != nil {
			w.mu.Lock()
			s.Sent, s.Trouble, s.Since = max(w.state.Sent, t.Position), w.state.Trouble, w.state.Since
			w.mu.Unlock()
		}
		s.Elsewhere = t.Holder != "" && t.Holder != e.holder
		s.Waiting = max(0, last-s.Sent)
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
