package retain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"metermanager/logdb"
)

// Store is what the runner moves data in.
type Store interface {
	logdb.Ladder
	Meters(ctx context.Context) ([]logdb.MeterUID, error)
}

// Config completes a runner. RulesOf must be given.
type Config struct {
	// RulesOf returns the ages of a meter's customer.
	RulesOf func(ctx context.Context, meter logdb.MeterUID) (Rules, error)
	// Every is how long a pass begins after the one before; 6 hours by default.
	Every time.Duration
	// Now is the clock; nil means time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// firstAfter is when the first pass begins: not while a node that was started is busy catching up.
const firstAfter = 10 * time.Minute

// Runner applies the ages, one meter after the other. What it does can be cut short anywhere: the next pass goes on.
type Runner struct {
	store Store
	cfg   Config
	pass  sync.Mutex // held by the pass that runs
	soon  chan struct{}

	mu     sync.Mutex
	status Status
}

// Status is how far a runner is.
type Status struct {
	Running  bool
	Meter    logdb.MeterUID // that is being looked at
	Started  logdb.Millis   // the last pass
	Finished logdb.Millis   // the last pass that came to its end
	Next     logdb.Millis
	Meters   int         // looked at in the last pass
	Moved    logdb.Moved // in the last pass
	Dropped  logdb.Moved
	Failed   int      // meters, in the last pass
	Errors   []string // the first of them
	Faults   []string // archive files that are not as they were written
}

// maxErrors is how many errors a status shows.
const maxErrors = 10

// New returns a runner.
func New(store Store, cfg Config) *Runner {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Every <= 0 {
		cfg.Every = 6 * time.Hour
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Runner{store: store, cfg: cfg, soon: make(chan struct{}, 1)}
}

// Run makes passes until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	timer := time.NewTimer(firstAfter)
	defer timer.Stop()
	r.set(func(s *Status) { s.Next = logdb.MillisOf(r.cfg.Now().Add(firstAfter)) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-r.soon:
		}
		if err := r.Pass(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Error("applied the ages of log data with errors", "err", err)
		}
		timer.Reset(r.cfg.Every)
		r.set(func(s *Status) { s.Next = logdb.MillisOf(r.cfg.Now().Add(r.cfg.Every)) })
	}
}

// Soon has the next pass begin at once.
func (r *Runner) Soon() {
	select {
	case r.soon <- struct{}{}:
	default: // it does already
	}
}

func (r *Runner) set(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

// Status returns how far the runner is.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.status
	out.Errors, out.Faults = append([]string{}, out.Errors...), append([]string{}, out.Faults...)
	return out
}

// Pass applies the ages to all meters once, or to those that are named. A meter that fails does not hold up the others.
func (r *Runner) Pass(ctx context.Context, only ...logdb.MeterUID) error {
	r.pass.Lock()
	defer r.pass.Unlock()
	now := r.cfg.Now()
	r.set(func(s *Status) {
		*s = Status{Running: true, Started: logdb.MillisOf(now), Finished: s.Finished, Next: s.Next, Faults: s.Faults}
	})
	defer r.set(func(s *Status) { s.Running, s.Meter = false, "" })
	meters, err := only, error(nil)
	if len(only) == 0 {
		if meters, err = r.store.Meters(ctx); err != nil {
			return fmt.Errorf("list the meters: %w", err)
		}
	}
	var first error
	for _, uid := range meters {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.set(func(s *Status) { s.Meter = uid })
		moved, dropped, err := r.meter(ctx, uid, now)
		r.set(func(s *Status) {
			s.Meters++
			s.Moved.Add(moved)
			s.Dropped.Add(dropped)
			if err == nil {
				return
			}
			if s.Failed++; len(s.Errors) < maxErrors {
				s.Errors = append(s.Errors, fmt.Sprintf("%s: %v", uid, err))
			}
		})
		first = errors.Join(first, err)
		if err != nil && ctx.Err() == nil { // who is told to stop has not failed
			r.cfg.Logger.Error("applied the ages of a meter's log data with errors", "meter", string(uid), "err", err)
		}
		if moved.Files > 0 || dropped.Files > 0 {
			r.cfg.Logger.Info("moved old log data", "meter", string(uid), "files", moved.Files, "values", moved.Points, "bytes", moved.Bytes, "files_dropped", dropped.Files)
		}
	}
	if err := r.sweep(ctx); err != nil {
		return errors.Join(first, err)
	}
	r.set(func(s *Status) { s.Finished = logdb.MillisOf(r.cfg.Now()) })
	return first
}

// sweep removes files that nothing needs and looks at the others.
func (r *Runner) sweep(ctx context.Context) error {
	faults, err := r.store.SweepArchive(ctx)
	texts := make([]string, 0, len(faults))
	for _, f := range faults {
		texts = append(texts, f.Err.Error())
		r.cfg.Logger.Error("found an archive file that is not as it was written", "file", f.File.Name, "meter", string(f.File.Meter), "month", f.File.Month, "err", f.Err)
	}
	r.set(func(s *Status) { s.Faults = texts })
	if err != nil {
		return fmt.Errorf("sweep the archive: %w", err)
	}
	return nil
}

// meter applies the ages to one meter: values go into the archive before anything that answers for them goes.
func (r *Runner) meter(ctx context.Context, uid logdb.MeterUID, now time.Time) (moved, dropped logdb.Moved, err error) {
	rules, err := r.cfg.RulesOf(ctx, uid)
	if err != nil {
		return moved, dropped, fmt.Errorf("look up the ages: %w", err)
	}
	if err := rules.Check(); err != nil {
		return moved, dropped, err
	}
	c := rules.Cutoffs(now)
	if moved, err = r.store.Archive(ctx, uid, c.Full); err != nil {
		return moved, dropped, err
	}
	recordings, err := r.store.ArchiveRecordings(ctx, uid, c.Waveform)
	moved.Add(recordings)
	if err != nil {
		return moved, dropped, err
	}
	if err := r.store.DropTier(ctx, uid, logdb.TierQuarter, c.Quarter); err != nil {
		return moved, dropped, err
	}
	if err := r.store.DropTier(ctx, uid, logdb.TierHour, c.Hour); err != nil {
		return moved, dropped, err
	}
	for _, of := range []struct {
		kind   logdb.Kind
		before logdb.Millis
	}{{logdb.KindHistorical, c.Archive}, {logdb.KindWaveform, c.Samples}} {
		gone, err := r.store.DropArchive(ctx, uid, of.kind, of.before)
		dropped.Add(gone)
		if err != nil {
			return moved, dropped, err
		}
	}
	return moved, dropped, nil
}
