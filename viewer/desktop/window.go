package desktop

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"metermanager/viewer/model"
	"metermanager/viewer/source"
)

// Window is the log viewer. It belongs to the window's goroutine.
type Window struct {
	app     fyne.App
	win     fyne.Window
	look    *look
	work    *work
	options Options
	code    int

	session *model.Session
	events  *model.Events
	trend   *model.Trend
	wave    *model.Wave
	week    *model.Week
	now     *model.Now
	undo    model.Undo
	undoing bool
	paused  bool // live data are not followed

	tabs    map[string]*tab
	pages   map[string]fyne.CanvasObject
	stage   *fyne.Container // shows one page
	view    string
	ranges  *widget.Select
	tree    *treePanel
	status  *statusBar
	prefix  bool // g was pressed
	welcome *welcome

	eventsView    *eventsView
	trendView     *trendView
	waveView      *waveView
	toleranceView *toleranceView
	weekView      *weekView
	nowView       *nowView
	// opened counts the sources that the command line names and that are not settled yet.
	waiting int
	settled bool
	traced  string // what -trace printed last
}

const preferDark = "dark"

// New makes the window and opens what the options name.
func New(a fyne.App, o Options) *Window {
	w := &Window{
		app: a, options: o, look: &look{dark: a.Preferences().BoolWithFallback(preferDark, false)}, session: &model.Session{}, events: model.NewEvents(),
		trend: model.NewTrend(), wave: model.NewWave(), week: model.NewWeek(), now: model.NewNow(), tabs: map[string]*tab{}, pages: map[string]fyne.CanvasObject{},
	}
	if o.Theme != "" {
		w.look.dark = o.Theme == "dark"
	}
	for _, r := range model.Ranges {
		if r.Preset == o.Range {
			w.session.Range = r
		}
	}
	a.Preferences().SetBool(preferDark, w.look.dark)
	a.Settings().SetTheme(w.look)
	w.win = a.NewWindow("Meter Manager log viewer")
	w.work = newWork(false, func() { w.status.refresh() })
	w.build()
	width, height, _ := o.size()
	scale := w.win.Canvas().Scale()
	if scale <= 0 {
		scale = 1
	}
	w.win.Resize(fyne.NewSize(float32(width)/scale, float32(height)/scale))
	w.win.SetMaster()
	w.win.SetOnDropped(w.dropped)
	if o.View != "" {
		w.show(o.View)
	} else {
		w.show(viewEvents)
	}
	w.events.Filter.Text = o.Filter
	return w
}

// dropped opens files that were dropped on the window.
func (w *Window) dropped(_ fyne.Position, files []fyne.URI) {
	for _, f := range files {
		w.open(source.Target{Place: f.Path()})
	}
}

// begin opens what the command line names. It waits for the window, so that progress can be seen.
func (w *Window) begin() {
	for _, t := range w.options.Open {
		w.waiting++
		w.open(t)
	}
	if len(w.options.Open) == 0 {
		w.settled = true
	}
}

// ShowAndRun shows the window until it is closed, or the program is told to end.
func (w *Window) ShowAndRun() {
	w.app.Lifecycle().SetOnStarted(func() {
		fmt.Println("ready")
		w.begin()
		w.follow()
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		go func() {
			<-stop
			w.work.enter(w.end)
		}()
	})
	w.win.SetCloseIntercept(w.end)
	w.win.ShowAndRun()
	w.end()
}

// end closes the sources and ends the program at once: on the way out by Quit a goroutine of Fyne 2.7.1 may send to a queue that is closed by
// then, and panic.
func (w *Window) end() {
	for _, s := range w.session.Sources {
		if s.Log != nil {
			_ = s.Log.Close()
		}
	}
	os.Exit(w.code)
}

// ExitCode is that of the program.
func (w *Window) ExitCode() int { return w.code }

func (w *Window) build() {
	w.status = newStatusBar(w)
	w.tree = newTreePanel(w)
	w.eventsView = newEventsView(w)
	w.trendView = newTrendView(w)
	w.waveView = newWaveView(w)
	w.toleranceView = newToleranceView(w)
	w.weekView = newWeekView(w)
	w.nowView = newNowView(w)
	w.welcome = newWelcome(w)
	for _, p := range []*plot{w.eventsView.strip, w.trendView.plot, w.waveView.plot, w.toleranceView.plot, w.nowView.plot} {
		p.onDrawn = w.trace
	}
	w.pages = map[string]fyne.CanvasObject{
		viewEvents: w.eventsView.root, viewTrend: w.trendView.root, viewWave: w.waveView.root, viewTolerance: w.toleranceView.root, viewWeek: w.weekView.root, viewNow: w.nowView.root,
	}
	w.stage = container.NewStack()
	split := container.NewHSplit(w.tree.root, w.stage)
	split.Offset = 0.19
	w.win.SetContent(container.NewBorder(w.topBar(), w.status.root, nil, nil, split))
	w.win.SetMainMenu(nil)
	w.keys()
}

func (w *Window) topBar() fyne.CanvasObject {
	bar := container.NewHBox()
	for _, name := range Views {
		t := newTab(w.look, viewTitles[name], func() { w.show(name) })
		w.tabs[name] = t
		bar.Add(t)
	}
	var names []string
	for _, r := range model.Ranges {
		names = append(names, r.Preset)
	}
	w.ranges = widget.NewSelect(names, func(name string) {
		for _, r := range model.Ranges {
			if r.Preset == name && name != w.session.Range.Preset {
				w.session.Range = r
				w.remember("")
				w.reload()
			}
		}
	})
	w.ranges.PlaceHolder = "chosen"
	open := widget.NewButtonWithIcon("Open", theme.FolderOpenIcon(), w.askFile)
	connect := widget.NewButtonWithIcon("Connect", theme.LoginIcon(), func() { w.askService(source.Target{}, "") })
	reload := widget.NewButtonWithIcon("", theme.ViewRefreshIcon(), w.reloadSources)
	export := widget.NewButtonWithIcon("Export", theme.DocumentSaveIcon(), w.askExport)
	shade := widget.NewButtonWithIcon("", theme.ColorPaletteIcon(), w.toggleTheme)
	help := widget.NewButtonWithIcon("", theme.HelpIcon(), w.showHelp)
	for _, b := range []*widget.Button{open, connect, reload, export, shade, help} {
		b.Importance = widget.LowImportance
	}
	right := container.NewHBox(newWords(w.look, "Time", 12, colorFaint, false), wide(92, w.ranges), reload, export, shade, help)
	row := container.NewBorder(nil, nil, inset(0, 0, 6, 0, container.NewHBox(open, connect, inset(8, 8, 4, 4, wide(1, rule(w.look))))), inset(4, 4, 0, 6, right), bar)
	return container.NewBorder(nil, rule(w.look), nil, nil, panel(w.look, row))
}

// show shows a view.
func (w *Window) show(name string) {
	w.view = name
	for n, t := range w.tabs {
		if t.chosen != (n == name) {
			t.chosen = n == name
			t.Refresh()
		}
	}
	w.restage()
	switch name {
	case viewTrend:
		w.trendView.enter()
	case viewWave:
		w.waveView.enter()
	case viewTolerance:
		w.toleranceView.refresh()
	case viewWeek:
		w.weekView.enter()
	case viewEvents:
		w.eventsView.refresh()
	case viewNow:
		w.nowView.enter()
	}
	w.status.refresh()
}

// restage shows the page of the view, or what there is to do while nothing is open.
func (w *Window) restage() {
	var page fyne.CanvasObject = w.welcome.root
	switch bad, opening := w.failedSource(), w.openingSource(); {
	case len(w.session.Sources) == 0:
	case len(w.session.Meters()) > 0 || bad == nil && opening == nil:
		page = w.pages[w.view]
	case opening != nil:
		page = w.notice(nil, "Opening "+opening.Title+" …", "", nil)
	default:
		page = w.failure(bad.Err)
	}
	if len(w.stage.Objects) != 1 || w.stage.Objects[0] != page {
		w.stage.Objects = []fyne.CanvasObject{page}
		w.stage.Refresh()
	}
}

// openingSource is a source that is being opened.
func (w *Window) openingSource() *model.Source {
	for _, s := range w.session.Sources {
		if s.State == model.Loading {
			return s
		}
	}
	return nil
}

func (w *Window) toggleTheme() {
	w.look.dark = !w.look.dark
	w.app.Preferences().SetBool(preferDark, w.look.dark)
	w.app.Settings().SetTheme(w.look)
}

// select1 looks at one meter, or at one more.
func (w *Window) select1(m *model.Meter, also bool) {
	if also {
		m.Selected = !m.Selected
	} else {
		w.session.Only(m)
	}
	w.tree.refresh()
	w.reload()
}

// failure fills a page where nothing can be shown: what did not work and what to do.
func (w *Window) failure(err error) fyne.CanvasObject {
	what, do := source.Explain(err)
	return w.notice(theme.ErrorIcon(), what, do, nil)
}

// notice is a page with a sentence in its middle.
func (w *Window) notice(icon fyne.Resource, what, do string, action fyne.CanvasObject) fyne.CanvasObject {
	title := widget.NewLabelWithStyle(what, fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	title.Wrapping = fyne.TextWrapWord
	box := container.NewVBox(layout.NewSpacer())
	if icon != nil {
		i := widget.NewIcon(icon)
		box.Add(container.NewCenter(container.NewGridWrap(fyne.NewSize(36, 36), i)))
	}
	box.Add(title)
	if do != "" {
		hint := widget.NewLabelWithStyle(do, fyne.TextAlignCenter, fyne.TextStyle{})
		hint.Wrapping = fyne.TextWrapWord
		box.Add(hint)
	}
	if action != nil {
		box.Add(container.NewCenter(action))
	}
	box.Add(layout.NewSpacer())
	return panel(w.look, container.NewCenter(wide(560, box)))
}

func bytesText(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
