package desktop

import (
	"context"
	"time"

	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// How often a service is asked whether there is anything new, and a meter for its present values.
const (
	followEvery  = 10 * time.Second
	presentEvery = 2 * time.Second
)

// follow keeps up with live sources until the window is closed.
func (w *Window) follow() {
	go func() {
		asked := time.Now()
		for range time.Tick(presentEvery) {
			news := time.Since(asked) >= followEvery
			if news {
				asked = time.Now()
			}
			w.work.enter(func() { w.tick(news) })
		}
	}()
}

// tick reads what is new, unless people paused it or something is under way.
func (w *Window) tick(news bool) {
	if w.paused || w.options.Shot != "" {
		return
	}
	if w.view == viewNow {
		w.nowView.read()
	}
	if !news || len(w.work.order) > 0 {
		return
	}
	for _, s := range w.session.Sources {
		if s.Live && s.Log != nil && s.State == model.Ready {
			w.ask(s)
		}
	}
}

// ask asks a source for its meters; when one that is looked at has new records, they are read.
func (w *Window) ask(s *model.Source) {
	log := s.Log
	start(w.work, "follow "+s.Target.Place, "", func(ctx context.Context, _ report) ([]source.Meter, error) { return log.Meters(ctx) }, func(list []source.Meter, err error) {
		if err != nil { // the next read that people ask for says so
			return
		}
		if s.Grow(list) {
			w.read("", w.eventsGrew)
		}
	})
}

// eventsGrew brings the views in step with records that came meanwhile.
func (w *Window) eventsGrew() {
	w.eventsView.refresh()
	w.toleranceView.refresh()
	w.waveView.eventsChanged()
	w.trendView.grown()
	w.arrived()
	w.status.refresh()
}

// togglePause stops following live data, or goes on.
func (w *Window) togglePause() {
	w.paused = !w.paused
	w.now.Paused = w.paused
	w.nowView.refresh()
	w.status.refresh()
	if !w.paused {
		w.tick(true)
	}
}

// live reports whether anything that is open may get more data.
func (w *Window) live() bool {
	for _, s := range w.session.Sources {
		if s.Live {
			return true
		}
	}
	return false
}
