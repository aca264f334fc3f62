package desktop

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// open opens a source.
func (w *Window) open(t source.Target) {
	x := w.session.Add(t)
	w.tree.refresh()
	w.restage()
	start(w.work, "open "+t.Place, "Opening "+t.Title(), func(ctx context.Context, tell report) (model.Contents, error) {
		return model.Load(ctx, t, func(done, total int64) {
			if total > 0 {
				tell(fmt.Sprintf("%s of %s read", bytesText(done), bytesText(total)), float64(done)/float64(total))
			}
		})
	}, func(c model.Contents, err error) {
		if w.waiting > 0 {
			w.waiting--
		}
		if err != nil {
			w.session.Fail(x, err)
			w.refused(x, err)
		} else {
			w.session.Take(x, c)
		}
		w.tree.refresh()
		w.restage()
		w.ranges.SetSelected(w.session.Range.Preset)
		w.reload()
	})
}

// refused asks for a login where that is what is missing; of anything else the tree and the view tell.
func (w *Window) refused(x *model.Source, err error) {
	what, do := source.Explain(err)
	fmt.Fprintln(os.Stderr, "metermanager-viewer:", strings.TrimSpace(named(x, what)+" "+do))
	w.code = 1
	if source.NeedsLogin(err) && w.options.Shot == "" {
		note := what
		if x.Target.User == "" {
			note = ""
		}
		w.askService(x.Target, note)
	}
}

// named puts the source before what went wrong with it, where that does not say it.
func named(x *model.Source, what string) string {
	if strings.HasPrefix(what, x.Title) {
		return what
	}
	return x.Title + ": " + what
}

// reload reads anew what is looked at.
func (w *Window) reload() { w.read("Reading events", w.eventsArrived) }

// read reads the events of what is looked at; arrived is told when they are there.
func (w *Window) read(title string, arrived func()) {
	meters := ready(w.session.Selected())
	now := logdb.MillisOf(time.Now())
	first, last := w.session.Range.Bounds(meters, now)
	w.events.State = model.Loading
	w.eventsView.refresh()
	if len(meters) == 0 {
		w.work.stop("events")
		w.events.Take(&model.EventSet{})
		arrived()
		return
	}
	start(w.work, "events", title, func(ctx context.Context, tell report) (*model.EventSet, error) {
		return model.LoadEvents(ctx, meters, first, last, func(done, total, events int) {
			tell(fmt.Sprintf("%d of %d logs, %d events", done, total, events), float64(done)/float64(total))
		})
	}, func(set *model.EventSet, err error) {
		if err != nil {
			w.events.Fail(err)
			w.markStale(meters, err)
		} else {
			w.events.Take(set)
			for m, err := range set.Failed {
				w.markStale([]*model.Meter{m}, err)
			}
		}
		arrived()
	})
}

// markStale tells the tree of a source that does not answer any more.
func (w *Window) markStale(meters []*model.Meter, err error) {
	if what, _ := source.Explain(err); what == "" || isCancelled(err) {
		return
	}
	for _, m := range meters {
		w.session.Fail(m.Source, err)
	}
	w.tree.refresh()
}

// ready leaves out meters of sources that could not be opened.
func ready(list []*model.Meter) (out []*model.Meter) {
	for _, m := range list {
		if m.Source.Log != nil {
			out = append(out, m)
		}
	}
	return out
}

// eventsArrived brings the views in step with the list.
func (w *Window) eventsArrived() {
	if n, _ := w.options.event(); n >= 0 && !w.settled && n < len(w.events.Shown) {
		w.events.Selected = w.events.Shown[n]
	}
	w.eventsView.refresh()
	w.toleranceView.refresh()
	w.trendView.metersChanged()
	w.waveView.eventsChanged()
	w.weekView.metersChanged()
	w.nowView.metersChanged()
	w.arrived()
	w.status.refresh()
	if w.options.View == "" && !w.settled && w.waiting == 0 && len(w.session.Meters()) > 0 {
		w.show(w.events.Fitting())
	}
	if w.waiting == 0 {
		w.settled = true
		w.maybeShoot()
	}
}

// reloadSources opens every source anew: what F5 does.
func (w *Window) reloadSources() {
	for _, s := range append([]*model.Source(nil), w.session.Sources...) {
		if s.Live || s.State == model.Failed || s.State == model.Stale {
			w.open(s.Target)
		}
	}
	w.reload()
}
