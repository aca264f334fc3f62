package desktop

import (
	"context"
	"errors"
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

func isCancelled(err error) bool { return errors.Is(err, context.Canceled) }

// statusBar is the line at the bottom: what is being done and how far, else what is shown.
type statusBar struct {
	w      *Window
	root   fyne.CanvasObject
	text   *words
	right  *words
	bar    *widget.ProgressBar
	cancel *widget.Button
	busy   *fyne.Container
}

func newStatusBar(w *Window) *statusBar {
	s := &statusBar{w: w, text: newWords(w.look, "", 12, colorFaint, false).elastic(), right: newWords(w.look, "", 12, colorFaint, false), bar: widget.NewProgressBar()}
	s.bar.TextFormatter = func() string { return "" }
	s.cancel = widget.NewButtonWithIcon("Cancel", theme.CancelIcon(), w.work.cancelAll)
	s.cancel.Importance = widget.LowImportance
	s.busy = container.NewHBox(container.NewCenter(container.NewGridWrap(fyne.NewSize(160, 8), s.bar)), s.cancel)
	s.busy.Hide()
	row := container.NewBorder(nil, nil, nil, container.NewHBox(s.busy, inset(0, 0, 8, 8, s.right)), inset(0, 0, 10, 10, s.text))
	s.root = container.NewBorder(rule(w.look), nil, nil, nil, panel(w.look, container.NewStack(wideHigh(26), row)))
	return s
}

// wideHigh is nothing of a height.
func wideHigh(h float32) fyne.CanvasObject {
	return container.NewGridWrap(fyne.NewSize(1, h))
}

func (s *statusBar) refresh() {
	defer s.w.trace()
	if j := s.w.work.shown(); j != nil {
		text := j.title
		if j.note != "" {
			text += ": " + j.note
		}
		s.text.set(text + " …")
		if j.share >= 0 {
			s.bar.SetValue(j.share)
			s.bar.Show()
		} else {
			s.bar.Hide()
		}
		s.busy.Show()
		return
	}
	s.busy.Hide()
	s.text.set(s.w.summary())
	text := "? keys · Ctrl-K what to do"
	switch {
	case s.w.live() && s.w.paused:
		text = "paused: Space follows again · " + text
	case s.w.live():
		text = "live · " + text
	}
	s.right.set(text)
}

// say puts a sentence into the line until something happens.
func (s *statusBar) say(text string) { s.text.set(text) }

// summary says what is shown.
func (w *Window) summary() string {
	if len(w.session.Sources) == 0 {
		return "Nothing is open"
	}
	for _, s := range w.session.Sources {
		if s.Err != nil {
			what, do := source.Explain(s.Err)
			return named(s, what) + " " + do
		}
	}
	n := len(w.session.Selected())
	text := fmt.Sprintf("%d of %d meters shown", n, len(w.session.Meters()))
	switch w.view {
	case viewEvents, viewTolerance:
		text += " · " + w.events.Count()
		if w.events.State == model.Stale {
			text += " · not complete: a source did not answer"
		}
	case viewTrend:
		if note := w.trend.CursorNote(); note != "" {
			text += " · " + note
		}
	case viewWave:
		if note := w.wave.CursorNote(); note != "" {
			text += " · " + note
		}
	}
	return text
}
