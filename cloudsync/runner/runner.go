package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// HistorySize is how many finished actions are remembered.
const HistorySize = 1000

// ErrNothing is returned by an action that found nothing to do: it counts as skipped.
var ErrNothing = errors.New("nothing to do")

// ErrStopped is returned to those who ask something of a runner that has ended.
var ErrStopped = errors.New("the queue has ended")

// Action is one unit of work.
type Action struct {
	// Key makes equal actions one: enqueueing a key that waits already is a no-op. An action
	// that is being executed does not count, since it may have read the world before it changed.
	Key    string
	Name   string            // what is done: upload, register, ...
	Meter  string            // to whom, "" for none
	Params map[string]string // shown in the history
	// Do does it. The text says what was done; ErrNothing means that nothing had to be.
	Do func(ctx context.Context) (result string, err error)
	// Out is what Do fills beside its text, nil when nothing. Its record brings it to everybody who waits for it.
	Out any
}

// Outcome is how an action ended.
type Outcome string

// The outcomes.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	Skipped   Outcome = "skipped"
)

// Record is a finished action as the history keeps it.
type Record struct {
	Name     string            `json:"action"`
	Meter    string            `json:"meter,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
	Outcome  Outcome           `json:"outcome"`
	Result   string            `json:"result,omitempty"`
	Queued   time.Time         `json:"queued"`
	Started  time.Time         `json:"started"`
	Duration time.Duration     `json:"duration_ns"`
	Err      error             `json:"-"`
	Out      any               `json:"-"` // of the action that was executed
}

// Pending is an action that waits or runs.
type Pending struct {
	Name    string            `json:"action"`
	Meter   string            `json:"meter,omitempty"`
	Params  map[string]string `json:"params,omitempty"`
	Queued  time.Time         `json:"queued"`
	Started time.Time         `json:"started,omitzero"`
}

// Counts are totals since the runner was made.
type Counts struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
}

// Status is a picture of the runner; nobody changes it any more.
type Status struct {
	Current *Pending  `json:"current,omitempty"` // nil when idle
	Queue   []Pending `json:"queue"`             // without the current one
	Counts  Counts    `json:"counts"`
}

// Config of a Runner. The zero value works.
type Config struct {
	Logger *slog.Logger     // nil: discard
	Now    func() time.Time // nil: time.Now
}

// Runner executes actions one at a time in the order in which they came.
type Runner struct {
	now    func() time.Time
	log    *slog.Logger
	inbox  chan request
	ended  chan struct{}
	status atomic.Pointer[Status]
	past   atomic.Pointer[[]*Record] // oldest first, at most HistorySize
}

type request struct {
	actions []Action
	wait    chan Record // of the only action; nil: nobody waits
	added   chan int
}

type item struct {
	Action
	queued  time.Time
	waiters []chan Record
}

// New makes a runner; it does nothing before Run.
func New(cfg Config) *Runner {
	r := &Runner{now: cfg.Now, log: cfg.Logger, inbox: make(chan request), ended: make(chan struct{})}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.status.Store(&Status{Queue: []Pending{}})
	r.past.Store(&[]*Record{})
	return r
}

// Status returns the newest picture without waiting for anything.
func (r *Runner) Status() Status { return *r.status.Load() }

// History returns at most n finished actions, newest first; n <= 0 means all that are remembered.
func (r *Runner) History(n int) []Record {
	past := *r.past.Load()
	if n <= 0 || n > len(past) {
		n = len(past)
	}
	out := make([]Record, 0, n)
	for i := len(past) - 1; len(out) < n; i-- {
		out = append(out, *past[i])
	}
	return out
}

// Enqueue puts the actions whose keys do not wait yet at the end of the queue and says how many it took.
func (r *Runner) Enqueue(ctx context.Context, actions ...Action) (int, error) {
	if len(actions) == 0 {
		return 0, nil
	}
	return r.ask(ctx, request{actions: actions})
}

// Do enqueues the action, or joins the one of the same key that waits, and returns
// when it has been executed. Ending ctx ends the waiting, not the action.
func (r *Runner) Do(ctx context.Context, a Action) (Record, error) {
	wait := make(chan Record, 1)
	if _, err := r.ask(ctx, request{actions: []Action{a}, wait: wait}); err != nil {
		return Record{}, err
	}
	select {
	case rec := <-wait:
		return rec, nil
	case <-ctx.Done():
		return Record{}, ctx.Err()
	case <-r.ended:
		return Record{}, ErrStopped
	}
}

func (r *Runner) ask(ctx context.Context, q request) (int, error) {
	q.added = make(chan int, 1)
	select {
	case r.inbox <- q:
		return <-q.added, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-r.ended:
		return 0, ErrStopped
	}
}

// Run executes actions until ctx ends; the action that runs then is cancelled and waited
// for, what waits is dropped. A runner runs once.
func (r *Runner) Run(ctx context.Context) error {
	defer close(r.ended)
	var (
		queue    []*item
		current  *item
		started  time.Time
		counts   Counts
		finished = make(chan Record)
	)
	for {
		if current == nil && len(queue) > 0 && ctx.Err() == nil {
			current, queue = queue[0], queue[1:]
			started = r.now()
			go func(it *item, started time.Time) { finished <- r.execute(ctx, it, started) }(current, started)
		}
		r.publish(current, started, queue, counts)
		select {
		case <-ctx.Done():
			if current != nil {
				r.remember(<-finished)
			}
			r.publish(nil, time.Time{}, nil, counts)
			return nil
		case q := <-r.inbox:
			var added int
			queue, added = r.insert(queue, q)
			q.added <- added
		case rec := <-finished:
			switch rec.Outcome {
			case Succeeded:
				counts.Succeeded++
			case Failed:
				counts.Failed++
			case Skipped:
				counts.Skipped++
			}
			r.remember(rec)
			for _, w := range current.waiters {
				w <- rec
			}
			current = nil
		}
	}
}

func (r *Runner) insert(queue []*item, q request) ([]*item, int) {
	waiting := make(map[string]*item, len(queue))
	for _, it := range queue {
		waiting[it.Key] = it
	}
	added := 0
	for _, a := range q.actions {
		it := waiting[a.Key]
		if it == nil {
			it = &item{Action: a, queued: r.now()}
			waiting[a.Key] = it
			queue = append(queue, it)
			added++
		}
		if q.wait != nil {
			it.waiters = append(it.waiters, q.wait)
		}
	}
	return queue, added
}

// execute runs one action. What went wrong ends here, so it is logged here.
func (r *Runner) execute(ctx context.Context, it *item, started time.Time) Record {
	text, err := it.Do(ctx)
	rec := Record{
		Name: it.Name, Meter: it.Meter, Params: it.Params, Result: text, Err: err, Out: it.Out, Outcome: Succeeded,
		Queued: it.queued, Started: started, Duration: r.now().Sub(started),
	}
	log := r.log.With("action", it.Name, "meter", it.Meter, "dur_ms", rec.Duration.Milliseconds())
	switch {
	case errors.Is(err, ErrNothing):
		rec.Outcome = Skipped
		if text == "" {
			rec.Result = ErrNothing.Error()
		}
		log.Debug("skip action")
	case err != nil:
		rec.Outcome = Failed
		rec.Result = err.Error()
		if ctx.Err() == nil {
			log.Warn("end action without success", "err", err)
		}
	default:
		log.Debug("finish action", "result", text)
	}
	return rec
}

func (r *Runner) remember(rec Record) {
	past := *r.past.Load()
	if len(past) >= HistorySize {
		past = past[len(past)-HistorySize+1:]
	}
	next := make([]*Record, 0, len(past)+1)
	next = append(append(next, past...), &rec)
	r.past.Store(&next)
}

func (r *Runner) publish(current *item, started time.Time, queue []*item, counts Counts) {
	s := &Status{Queue: make([]Pending, 0, len(queue)), Counts: counts}
	if current != nil {
		s.Current = &Pending{Name: current.Name, Meter: current.Meter, Params: current.Params, Queued: current.queued, Started: started}
	}
	for _, it := range queue {
		s.Queue = append(s.Queue, Pending{Name: it.Name, Meter: it.Meter, Params: it.Params, Queued: it.queued})
	}
	r.status.Store(s)
}
