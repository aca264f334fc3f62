package desktop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/logdb"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// welcome is what stands there while nothing is open.
type welcome struct{ root fyne.CanvasObject }

func newWelcome(w *Window) *welcome {
	open := widget.NewButtonWithIcon("Open a file", theme.FolderOpenIcon(), w.askFile)
	open.Importance = widget.HighImportance
	connect := widget.NewButtonWithIcon("Connect to a service", theme.LoginIcon(), func() { w.askService(source.Target{}, "") })
	return &welcome{w.notice(nil, "Open a log", "Drop files here: PQDIF, COMTRADE, CSV, Green Button, or the log database (logs.db) of a service. Or connect to a running service or a cloud.",
		container.NewHBox(open, connect))}
}

// askFile lets people choose a file.
func (w *Window) askFile() {
	d := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
		if err != nil || f == nil {
			return
		}
		path := f.URI().Path()
		_ = f.Close()
		w.app.Preferences().SetString("folder", filepath.Dir(path))
		w.open(source.Target{Place: path})
	}, w.win)
	if folder := w.app.Preferences().String("folder"); folder != "" {
		if l, err := storage.ListerForURI(storage.NewFileURI(folder)); err == nil {
			d.SetLocation(l)
		}
	}
	d.Resize(fyne.NewSize(820, 560))
	d.Show()
}

// askService asks for an address and who asks. note says what was wrong with an earlier try.
func (w *Window) askService(t source.Target, note string) {
	address, user, password := widget.NewEntry(), widget.NewEntry(), widget.NewPasswordEntry()
	address.SetPlaceHolder("http://127.0.0.1:8080")
	address.SetText(t.Place)
	if t.Place == "" {
		address.SetText(w.app.Preferences().String("address"))
	}
	user.SetText(t.User)
	items := []*widget.FormItem{widget.NewFormItem("Address", address), widget.NewFormItem("User", user), widget.NewFormItem("Password", password)}
	if note != "" {
		l := widget.NewLabel(note)
		l.Wrapping, l.Importance = fyne.TextWrapWord, widget.DangerImportance
		items = append([]*widget.FormItem{widget.NewFormItem("", l)}, items...)
	}
	d := dialog.NewForm("Connect to a service or a cloud", "Connect", "Cancel", items, func(ok bool) {
		if !ok {
			return
		}
		place := strings.TrimRight(strings.TrimSpace(address.Text), "/")
		if place == "" {
			return
		}
		if !strings.Contains(place, "://") {
			place = "http://" + place
		}
		w.app.Preferences().SetString("address", place)
		w.open(source.Target{Place: place, User: user.Text, Password: password.Text})
	}, w.win)
	d.Resize(fyne.NewSize(460, 240))
	password.OnSubmitted = func(string) { d.Submit() }
	d.Show()
	w.trace()
	if c := w.win.Canvas(); t.Place != "" && t.User != "" {
		c.Focus(password)
	} else if t.Place != "" {
		c.Focus(user)
	} else {
		c.Focus(address)
	}
}

// askClocks asks how far clocks are off: events of several meters are joined by it.
func (w *Window) askClocks() {
	seconds := func(v logdb.Millis) string { return strconv.FormatFloat(float64(v)/1000, 'f', -1, 64) }
	every, own := widget.NewEntry(), widget.NewEntry()
	every.SetText(seconds(w.events.ClockError))
	items := []*widget.FormItem{widget.NewFormItem("Every clock is right to, in s", every)}
	var m *model.Meter
	if e := w.events.Event(); e != nil {
		m = w.events.Meter(e)
		own.SetText(seconds(w.events.ClockAhead[m.UID]))
		items = append(items, widget.NewFormItem(m.Title()+" is ahead by, in s", own))
	}
	dialog.ShowForm("How far clocks are off", "Take it", "Cancel", items, func(ok bool) {
		if !ok {
			return
		}
		if err := w.events.StateClocks(m, every.Text, own.Text); err != nil {
			w.status.say(err.Error())
			return
		}
		w.eventsView.card.refresh()
		w.toleranceView.card.refresh()
	}, w.win)
}

// showNotes tells what a file leaves open and how it was read.
func (w *Window) showNotes(x *model.Source) {
	text := "Nothing was left open."
	if len(x.Notes) > 0 {
		text = "• " + strings.Join(x.Notes, "\n• ")
	}
	if x.Err != nil {
		what, do := source.Explain(x.Err)
		text = what + " " + do
	}
	l := widget.NewLabel(x.Target.Place + "\n" + x.Kind + "\n\n" + text)
	l.Wrapping = fyne.TextWrapWord
	d := dialog.NewCustom("About "+x.Title, "Close", container.NewVScroll(l), w.win)
	d.Resize(fyne.NewSize(620, 420))
	d.Show()
}

// exportKinds are the endings that can be written in a view.
func (w *Window) exportKinds() []string {
	switch w.view {
	case viewWave:
		return []string{".csv", ".cff", ".cfg", ".png", ".svg", ".pdf"}
	case viewWeek:
		return []string{".pdf", ".json"}
	case viewNow:
		return []string{".png", ".svg", ".pdf"}
	}
	return []string{".csv", ".png", ".svg", ".pdf"}
}

// askExport lets people name a file; its ending says what is written.
func (w *Window) askExport() {
	kinds := w.exportKinds()
	name := widget.NewEntry()
	folder := w.app.Preferences().StringWithFallback("exports", homeFolder())
	name.SetText(filepath.Join(folder, w.exportName()+kinds[0]))
	kind := widget.NewSelect(kinds, func(ext string) {
		name.SetText(strings.TrimSuffix(name.Text, filepath.Ext(name.Text)) + ext)
	})
	kind.Selected = kinds[0]
	hint := widget.NewLabel("What is seen is written: the events of the list, the values of the graph, the recording.")
	hint.Wrapping, hint.Importance = fyne.TextWrapWord, widget.LowImportance
	d := dialog.NewForm("Export", "Write", "Cancel", []*widget.FormItem{widget.NewFormItem("As", kind), widget.NewFormItem("File", name), widget.NewFormItem("", hint)}, func(ok bool) {
		if ok {
			w.app.Preferences().SetString("exports", filepath.Dir(name.Text))
			w.export(name.Text)
		}
	}, w.win)
	d.Resize(fyne.NewSize(640, 230))
	name.OnSubmitted = func(string) { d.Submit() }
	d.Show()
	w.trace()
	w.win.Canvas().Focus(name)
}

func homeFolder() string {
	if dir, err := os.UserHomeDir(); err == nil {
		return dir
	}
	return "."
}

// exportName is a name for what is seen.
func (w *Window) exportName() string {
	base := viewTitles[w.view]
	if w.view == viewWave && w.wave.Data != nil {
		base = w.wave.Title() + " " + w.wave.Data.Entry.Time.Time().Format("2006-01-02 150405")
	}
	return strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) {
			return '-'
		}
		return r
	}, base))
}

// export writes what is seen.
func (w *Window) export(path string) {
	d := w.exported()
	start(w.work, "export", "Writing "+filepath.Base(path), func(_ context.Context, _ report) (string, error) { return path, model.Export(path, d) }, func(path string, err error) {
		if err != nil {
			what, do := source.Explain(err)
			dialog.ShowInformation("The export was not written", what+"\n"+do, w.win)
			return
		}
		fmt.Println("exported", path)
		w.status.say("Written: " + path)
	})
}

// exported gathers what an export needs of the view, on the window's goroutine.
func (w *Window) exported() model.Exported {
	switch w.view {
	case viewWave:
		return model.Exported{Wave: w.wave.Data, Drawing: w.wave.Drawing()}
	case viewTrend:
		return model.Exported{Table: w.trend.Table(), Drawing: w.trend.Drawing()}
	case viewWeek:
		return model.Exported{Week: w.week.Data, Page: w.week.Page()}
	case viewNow:
		return model.Exported{Drawing: w.now.Drawing()}
	case viewTolerance:
		return model.Exported{Events: w.events.Copy(), Drawing: w.toleranceView.data.Chart}
	}
	first, last := w.session.Range.Bounds(w.session.Selected(), 0)
	if last < 10 {
		first, last = 0, 0
	}
	return model.Exported{Events: w.events.Copy(), Drawing: w.events.Timeline(first, last)}
}

const helpText = `/	search events
?	this help
Ctrl-K	what to do: a command, a meter, a channel, "sags last week on …"
g then e d w p b n	events, trend, waveform, CBEMA, EN 50160, now
[  ]	previous and next event or recording
Enter	open the recording of the event
← →	move what is seen, with a cursor set: the cursor
+  −  0	zoom in, zoom out, fit
Home  End	to the begin, to the end
c	set a cursor where the pointer is; again: the second one
e	export what is seen
Ctrl-Z  Ctrl-Y	undo, do again: zoom, filter, order, time
Space	stop following live data, go on
F5	read again
Esc	clear cursors and filter, close
Heading	a click sorts by the column
Drag	zoom · Shift-drag: move · Wheel: zoom at the pointer · Double click: fit`

// showHelp lists the keys.
func (w *Window) showHelp() {
	box := container.NewVBox()
	for line := range strings.SplitSeq(helpText, "\n") {
		key, text, _ := strings.Cut(line, "\t")
		box.Add(container.NewHBox(wide(150, newWords(w.look, key, 13, colorAccent, true)), newWords(w.look, text, 13, theme.ColorNameForeground, false)))
	}
	dialog.ShowCustom("Keys", "Close", box, w.win)
}
