package desktop

import (
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"metermanager/logdb"
)

// keys are those of the whole window; a text that is being written takes them first.
func (w *Window) keys() {
	c := w.win.Canvas()
	c.SetOnTypedKey(w.typedKey)
	c.SetOnTypedRune(w.typedRune)
	c.AddShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyO, Modifier: fyne.KeyModifierControl}, func(fyne.Shortcut) { w.askFile() })
	c.AddShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyK, Modifier: fyne.KeyModifierControl}, func(fyne.Shortcut) { w.showPalette() })
	c.AddShortcut(&fyne.ShortcutUndo{}, func(fyne.Shortcut) { w.back() })
	c.AddShortcut(&fyne.ShortcutRedo{}, func(fyne.Shortcut) { w.forth() })
	c.AddShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyE, Modifier: fyne.KeyModifierControl}, func(fyne.Shortcut) { w.askExport() })
}

// views by the letter behind g.
var letters = map[rune]string{'e': viewEvents, 'd': viewTrend, 't': viewTrend, 'w': viewWave, 'p': viewTolerance, 'b': viewWeek, 'n': viewNow}

func (w *Window) typedRune(r rune) {
	if w.prefix {
		w.prefix = false
		if view, ok := letters[r]; ok {
			w.show(view)
		}
		return
	}
	switch r {
	case 'g':
		w.prefix = true
	case '/':
		w.show(viewEvents)
		w.win.Canvas().Focus(w.eventsView.search)
	case '?':
		w.showHelp()
	case '[':
		w.step(-1)
	case ']':
		w.step(1)
	case '+', '=':
		w.zoom(0.6)
	case '-':
		w.zoom(1 / 0.6)
	case '0':
		w.fit()
	case 'c':
		w.placeCursor()
	case 'e':
		w.askExport()
	case ' ':
		w.togglePause()
	}
}

func (w *Window) typedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyLeft:
		w.arrow(-1)
	case fyne.KeyRight:
		w.arrow(1)
	case fyne.KeyUp:
		w.step(-1)
	case fyne.KeyDown:
		w.step(1)
	case fyne.KeyHome:
		w.pan(-1e6)
	case fyne.KeyEnd:
		w.pan(1e6)
	case fyne.KeyReturn, fyne.KeyEnter:
		if w.events.Event() != nil {
			if i := w.events.RecordingOf(w.events.Selected); i >= 0 {
				w.showRecording(i)
			} else {
				w.status.say("There is no recording of this event")
			}
		}
	case fyne.KeyF5:
		w.reloadSources()
	case fyne.KeyEscape:
		w.escape()
	}
}

// step goes to the next event, or the next recording.
func (w *Window) step(by int) {
	if w.view == viewWave {
		w.waveView.step(by)
		return
	}
	w.eventsView.step(by)
	w.toleranceView.card.refresh()
}

func (w *Window) zoom(factor float64) {
	switch w.view {
	case viewTrend:
		w.trendView.moved(func() { w.trend.Zoom((w.trend.First+w.trend.Last)/2, factor) })
	case viewWave:
		w.waveView.moved(func() { w.wave.Zoom((w.wave.From+w.wave.To)/2, factor) })
	}
}

func (w *Window) fit() {
	switch w.view {
	case viewTrend:
		w.trendView.moved(w.trend.Fit)
	case viewWave:
		w.waveView.moved(w.wave.Fit)
	}
}

// arrow moves the cursor by a sample where one is set, else what is seen.
func (w *Window) arrow(by int) {
	if w.view == viewWave && w.wave.Data != nil && !math.IsNaN(w.wave.A) {
		w.wave.MoveA(by)
		w.waveView.cursors()
		return
	}
	w.pan(0.2 * float64(by))
}

func (w *Window) pan(share float64) {
	switch w.view {
	case viewTrend:
		share = min(max(share, -1e3), 1e3)
		w.trendView.moved(func() { w.trend.Pan(share) })
	case viewWave:
		w.waveView.moved(func() { w.wave.Pan(share) })
	}
}

// placeCursor sets a cursor where the pointer is, or in the middle.
func (w *Window) placeCursor() {
	switch w.view {
	case viewTrend:
		at := w.trendView.hover
		if !w.trendView.plot.hair.Visible() {
			at = (w.trend.First + w.trend.Last) / 2
		}
		w.trendView.setCursor(logdb.Millis(at))
	case viewWave:
		at := w.waveView.hover
		if !w.waveView.plot.hair.Visible() {
			at = (w.wave.From + w.wave.To) / 2
		}
		w.waveView.setCursor(at)
	}
}

func (w *Window) escape() {
	switch w.view {
	case viewTrend:
		w.trend.A, w.trend.B, w.trendView.next = 0, 0, 0
		w.trendView.cursors()
	case viewWave:
		w.waveView.clearCursors()
	default:
		w.eventsView.clear()
	}
}
