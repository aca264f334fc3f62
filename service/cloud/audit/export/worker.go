package export

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"metermanager/service/cloud/audit"
)

// worker brings the audit to one target. The audit itself is the queue: a target that is away finds everything when it is back.
//
// What was written to a connection counts as received when the connection has lived on for a while, or ended in order. When it breaks, all that is
// younger is sent again: a receiver may see an event twice, and knows it by its number, but never miss one.
type worker struct {
	e    *Exporter
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex
	target Target // with the position that is stored
	state  State
}

// State tells how a target is doing.
type State struct {
	Target
	// Sent is the number of the last event that was written to it; behind Position is what may have to be sent again.
	Sent    int64
	Waiting int64 // events that were not written yet
	// Elsewhere tells that another node before the same database serves it.
	Elsewhere bool
	Trouble   string
	Since     time.Time // of the trouble
}

// mark is how far was written at a time.
type mark struct {
	seq int64
	at  time.Time
}

func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	pause := w.e.cfg.FirstPause
	for ctx.Err() == nil {
		progressed, err := w.session(ctx)
		if progressed {
			pause = w.e.cfg.FirstPause
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		w.trouble(err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, w.e.cfg.LongestPause)
	}
}

var errLost = errors.New("the receiver has ended the connection")

// session sends over one link until it breaks or ctx ends, and reports whether something came to be known as received.
func (w *worker) session(ctx context.Context) (progressed bool, err error) {
	w.mu.Lock()
	t := w.target
	w.mu.Unlock()
	l, err := open(ctx, t, w.e.cfg.Folder)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", t.URL, err)
	}
	at := t.Position
	var marks []mark
	confirm := func(upTo time.Time) error {
		known := int64(0)
		for len(marks) > 0 && !marks[0].at.After(upTo) {
			known, marks = marks[0].seq, marks[1:]
		}
		if known == 0 {
			return nil
		}
		progressed = true
		return w.confirm(known)
	}
	defer func() {
		if l.finish() && len(marks) > 0 {
			err = errors.Join(err, confirm(marks[len(marks)-1].at))
		}
	}()
	tick := time.NewTicker(w.e.cfg.Poll)
	defer tick.Stop()
	for {
		events, err := w.e.store.AuditAfter(context.WithoutCancel(ctx), at, batch)
		if err != nil {
			return progressed, err
		}
		if len(events) > 0 {
			if err := l.write(w.frames(t, events)); err != nil {
				return progressed, err
			}
			at = events[len(events)-1].Seq
			marks = append(marks, mark{at, time.Now()})
			w.written(at)
		}
		settled := time.Now().Add(-w.e.cfg.Settle)
		if l.sure() {
			settled = time.Now()
		}
		select {
		case <-l.lost(): // before anything is taken for received
			return progressed, errLost
		default:
		}
		if err := confirm(settled); err != nil {
			return progressed, err
		}
		if len(events) == batch {
			continue
		}
		w.healthy()
		select {
		case <-tick.C:
			if l.sure() {
				return progressed, nil // a file is opened anew, since it may have been rotated; a name is looked up anew
			}
		case <-l.lost():
			return progressed, errLost
		case <-ctx.Done():
			return progressed, nil
		}
	}
}

// batch is how many events are read and written at once.
const batch = 200

func (w *worker) frames(t Target, events []audit.Event) []string {
	var out []string
	filter := audit.Filter{View: t.View}
	for _, e := range events {
		if filter.Takes(e) {
			out = append(out, t.framed(t.message(w.e.cfg.Writer, e)))
		}
	}
	return out
}

// confirm stores how far the target is known to have come.
func (w *worker) confirm(seq int64) error {
	w.mu.Lock()
	t := w.target
	w.mu.Unlock()
	if err := w.e.store.MoveExport(context.Background(), t, w.e.holder, seq); err != nil {
		return fmt.Errorf("note how far %s has come: %w", t.Name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target.Position = seq
	return nil
}

// serves reports whether w is the worker of a target as it is now.
func (w *worker) serves(t Target) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Position, t.Holder = w.target.Position, w.target.Holder
	return t == w.target
}

// healthy ends a trouble.
func (w *worker) healthy() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.Trouble != "" {
		w.e.cfg.Logger.Info("the audit reaches a target again", "target", w.target.Name)
	}
	w.state.Trouble, w.state.Since = "", time.Time{}
}

func (w *worker) written(seq int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Sent = seq
}

func (w *worker) trouble(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.Trouble == "" {
		w.state.Since = time.Now()
		w.e.cfg.Logger.Warn("the audit does not reach a target", "target", w.target.Name, "err", err)
	}
	w.state.Trouble = err.Error()
}
