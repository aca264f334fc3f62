package desktop

import (
	"time"

	"metermanager/logdb"
	"metermanager/viewer/model"
)

// look is what can be undone of what is seen.
func (w *Window) lookNow() model.Look {
	return model.Look{
		Range: w.session.Range, Filter: w.events.Filter, First: w.trend.First, Last: w.trend.Last, Wave: w.wave.Data, From: w.wave.From, To: w.wave.To,
		SortColumn: w.events.SortColumn, SortDown: w.events.SortDown,
	}
}

// remember makes what people changed a step that can be undone.
func (w *Window) remember(kind string) {
	if !w.undoing {
		w.undo.Note(w.lookNow(), kind, time.Now())
	}
}

// arrived says that what is seen changed by itself: data came.
func (w *Window) arrived() { w.undo.Start(w.lookNow()) }

// back undoes a step, forth takes it back.
func (w *Window) back() { w.stepTo(w.undo.Back, "Nothing to undo") }

func (w *Window) forth() { w.stepTo(w.undo.Forth, "Nothing to do again") }

func (w *Window) stepTo(step func() (model.Look, bool), none string) {
	l, ok := step()
	if !ok {
		w.status.say(none)
		return
	}
	w.undoing = true
	defer func() { w.undoing = false }()
	w.events.SortColumn, w.events.SortDown = l.SortColumn, l.SortDown
	w.events.SetFilter(l.Filter)
	w.eventsView.refresh()
	w.toleranceView.refresh()
	if l.Wave != nil && l.Wave == w.wave.Data {
		w.waveView.moved(func() { w.wave.Show(l.From, l.To) })
	}
	if l.Range != w.session.Range {
		w.session.Range = l.Range
		if l.Range.Preset == "chosen" {
			w.ranges.ClearSelected()
		} else {
			w.ranges.SetSelected(l.Range.Preset)
		}
		w.trendView.around1 = [2]logdb.Millis{l.First, l.Last}
		w.reload()
		return
	}
	w.trendView.moved(func() { w.trend.Show(l.First, l.Last) })
	w.status.refresh()
}
