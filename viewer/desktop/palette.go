package desktop

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/chart"
	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// action is a command of the palette with what it does.
type action struct {
	model.Command
	run func()
}

// actions are all commands of the window.
func (w *Window) actions() []action {
	var out []action
	add := func(name, title, key string, run func()) {
		out = append(out, action{model.Command{Name: name, Title: title, Key: key}, run})
	}
	for _, v := range Views {
		add("view "+v, "Show "+viewTitles[v], "g "+viewKeys[v], func() { w.show(v) })
	}
	add("open", "Open a file", "Ctrl-O", w.askFile)
	add("connect", "Connect to a service or a cloud", "", func() { w.askService(source.Target{}, "") })
	add("export", "Export what is seen", "e", w.askExport)
	add("reload", "Read again", "F5", w.reloadSources)
	add("undo", "Undo the last change of what is seen", "Ctrl-Z", w.back)
	add("redo", "Do again what was undone", "Ctrl-Y", w.forth)
	add("fit", "Fit: show all", "0", w.fit)
	add("clear", "Clear filter and cursors", "Esc", w.escape)
	add("pause", "Pause or follow live data", "Space", w.togglePause)
	add("table", "Show the trend as a table or graph", "", func() {
		w.show(viewTrend)
		w.trendView.asTable.Tapped(nil)
	})
	for _, c := range model.Comparisons {
		add("compare "+c.Name, "Compare the trend with "+c.Name, "", func() {
			w.show(viewTrend)
			w.trendView.compare.SetSelected(c.Name)
		})
	}
	for _, r := range model.Ranges {
		add("range "+r.Preset, "Time range: "+r.Preset, "", func() { w.ranges.SetSelected(r.Preset) })
	}
	add("clocks", "State how far clocks are off", "", w.askClocks)
	add("theme", "Dark or light colours", "", w.toggleTheme)
	add("help", "Keys", "?", w.showHelp)
	return out
}

// palette is the dialog of Ctrl-K.
type palette struct {
	w       *Window
	entry   *paletteEntry
	list    *rows
	columns columns
	choices []model.Choice
	at      int
	quiet   bool // the program itself selects
	actions []action
	dialog  *dialog.CustomDialog
}

// paletteEntry lets arrows choose a line while a text is written.
type paletteEntry struct {
	widget.Entry
	move   func(by int)
	escape func()
}

// TypedKey implements fyne.Focusable.
func (e *paletteEntry) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyDown:
		e.move(1)
	case fyne.KeyUp:
		e.move(-1)
	case fyne.KeyEscape:
		e.escape()
	default:
		e.Entry.TypedKey(k)
	}
}

// showPalette asks what to do.
func (w *Window) showPalette() {
	p := &palette{w: w, entry: &paletteEntry{}, columns: columns{0, 150}, actions: w.actions()}
	p.entry.ExtendBaseWidget(p.entry)
	p.entry.SetPlaceHolder("sags last week on …  ·  a command  ·  a meter  ·  a channel")
	p.entry.move, p.entry.escape = p.move, func() { p.dialog.Hide() }
	p.entry.OnChanged = func(string) { p.find() }
	p.entry.OnSubmitted = func(string) { p.carryOut(p.at) }
	p.list = newRows(func() int { return len(p.choices) }, func() fyne.CanvasObject { return newTextRow(w.look, &p.columns, 1) }, func(i int, o fyne.CanvasObject) {
		if i < len(p.choices) {
			o.(*textRow).set([]string{p.choices[i].Title, p.choices[i].Hint}, chart.Info, false)
		}
	})
	p.list.OnSelected = func(i int) {
		if !p.quiet { // a click
			p.carryOut(i)
		}
	}
	p.list.key, p.list.rune = p.entry.TypedKey, p.entry.TypedRune
	box := container.NewBorder(inset(0, 6, 0, 0, p.entry), nil, nil, nil, p.list)
	p.dialog = dialog.NewCustomWithoutButtons("What to do", box, w.win)
	p.dialog.Resize(fyne.NewSize(620, 420))
	p.dialog.Show()
	p.find()
	w.trace()
	w.win.Canvas().Focus(p.entry)
}

func (p *palette) find() {
	var commands []model.Command
	for _, a := range p.actions {
		commands = append(commands, a.Command)
	}
	p.choices, p.at = p.w.session.Palette(p.entry.Text, commands, p.w.trend.Known.Channels, time.Now()), 0
	p.list.Refresh()
	p.mark()
}

func (p *palette) move(by int) {
	p.at = min(max(0, p.at+by), max(0, len(p.choices)-1))
	p.mark()
}

// mark selects the line that Enter carries out.
func (p *palette) mark() {
	p.quiet = true
	defer func() { p.quiet = false }()
	p.list.UnselectAll()
	if p.at < len(p.choices) {
		p.list.Select(p.at)
	}
}

func (p *palette) carryOut(i int) {
	if i >= len(p.choices) {
		return
	}
	c := p.choices[i]
	p.dialog.Hide()
	p.w.win.Canvas().Unfocus()
	switch {
	case c.Search != nil:
		p.w.search(c.Search)
	case c.Meter != nil:
		p.w.select1(c.Meter, false)
	case c.Channel != nil:
		p.w.show(viewTrend)
		if p.w.trend.Index(c.Channel) < 0 {
			p.w.trendView.toggle(*c.Channel, false)
		}
	default:
		for _, a := range p.actions {
			if a.Name == c.Command {
				a.run()
				return
			}
		}
	}
}

// search shows the events that a phrase asks for.
func (w *Window) search(s *model.Search) {
	if len(s.Meters) > 0 {
		for _, m := range w.session.Meters() {
			m.Selected = false
		}
		for _, m := range s.Meters {
			m.Selected = true
		}
		w.tree.refresh()
	}
	filter := s.FilterOf()
	w.eventsView.severity.SetSelected(severityNames[filter.Least])
	w.events.SetFilter(filter)
	if s.First != 0 {
		w.session.Range = model.Range{Preset: "chosen", First: s.First, Last: s.Last}
		w.ranges.ClearSelected()
	}
	w.show(viewEvents)
	w.remember("")
	w.reload()
	w.status.say(s.Sentence)
}
