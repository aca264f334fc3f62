package desktop

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
)

// work runs what takes long outside of the window's goroutine. It is the only place from which results enter the window.
type work struct {
	// now, for tests, does everything at once on the caller's goroutine.
	now  bool
	jobs map[string]*job
	// changed is told when a job begins, tells how far it is, or ends.
	changed func()
	order   []*job
	timers  map[string]*time.Timer
}

// job is one thing that runs.
type job struct {
	key, title, note string
	share            float64 // below 0: not known
	cancel           context.CancelFunc
}

func newWork(now bool, changed func()) *work {
	return &work{now: now, jobs: map[string]*job{}, changed: changed, timers: map[string]*time.Timer{}}
}

// report tells how far a job is: a note, and a share below 0 when nobody knows.
type report func(note string, share float64)

// start runs a job. One of the same key that still runs is cancelled and its result dropped: the newest wins. apply gets the result on
// the window's goroutine; it is not called for a job that was replaced, and gets context.Canceled for one that people cancelled.
func start[T any](w *work, key, title string, run func(ctx context.Context, tell report) (T, error), apply func(T, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	j := &job{key: key, title: title, share: -1, cancel: cancel}
	if old := w.jobs[key]; old != nil {
		old.cancel()
		w.drop(old)
	}
	w.jobs[key] = j
	w.order = append(w.order, j)
	finish := func(result T, err error) {
		cancel()
		if w.jobs[key] != j {
			return
		}
		delete(w.jobs, key)
		w.drop(j)
		if apply != nil {
			apply(result, err)
		}
		w.tellChanged()
	}
	tell := func(note string, share float64) {
		w.enter(func() {
			j.note, j.share = note, share
			w.tellChanged()
		})
	}
	if w.now {
		result, err := run(ctx, tell)
		finish(result, err)
		return
	}
	w.tellChanged()
	go func() {
		result, err := run(ctx, throttled(tell))
		w.enter(func() { finish(result, err) })
	}()
}

func (w *work) drop(j *job) {
	for i, x := range w.order {
		if x == j {
			w.order = append(w.order[:i:i], w.order[i+1:]...)
			return
		}
	}
}

func (w *work) tellChanged() {
	if w.changed != nil {
		w.changed()
	}
}

// enter runs f on the window's goroutine.
func (w *work) enter(f func()) {
	if w.now {
		f()
		return
	}
	fyne.Do(f)
}

// later runs f on the window's goroutine when nobody asked for the same again for a while: what follows a hand need not follow its every move.
func (w *work) later(key string, after time.Duration, f func()) {
	if w.now {
		f()
		return
	}
	if t := w.timers[key]; t != nil {
		t.Stop()
	}
	var own *time.Timer
	own = time.AfterFunc(after, func() {
		w.enter(func() {
			if w.timers[key] == own { // not asked for again meanwhile
				delete(w.timers, key)
				f()
			}
		})
	})
	w.timers[key] = own
}

// busy reports whether a job of a key runs.
func (w *work) busy(key string) bool { return w.jobs[key] != nil }

// shown is the job that the status line tells of: the oldest with a title.
func (w *work) shown() *job {
	for _, j := range w.order {
		if j.title != "" {
			return j
		}
	}
	return nil
}

// cancelAll cancels every job with a title.
func (w *work) cancelAll() {
	for _, j := range append([]*job(nil), w.order...) {
		if j.title != "" {
			j.cancel()
		}
	}
}

// stop cancels a job and drops its result.
func (w *work) stop(key string) {
	if j := w.jobs[key]; j != nil {
		j.cancel()
		delete(w.jobs, key)
		w.drop(j)
		w.tellChanged()
	}
}
