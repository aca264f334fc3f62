package desktop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"metermanager/viewer/source"
)

// The views.
const (
	viewEvents    = "events"
	viewTrend     = "trend"
	viewWave      = "waveform"
	viewTolerance = "cbema"
	viewWeek      = "en50160"
	viewNow       = "now"
)

// Views are the names of the views.
var Views = []string{viewEvents, viewTrend, viewWave, viewTolerance, viewWeek, viewNow}

// viewTitles are the names of the views for people.
var viewTitles = map[string]string{viewEvents: "Events", viewTrend: "Trend", viewWave: "Waveform", viewTolerance: "CBEMA", viewWeek: "EN 50160", viewNow: "Now"}

// viewKeys are the letters behind g that go to them.
var viewKeys = map[string]string{viewEvents: "e", viewTrend: "d", viewWave: "w", viewTolerance: "p", viewWeek: "b", viewNow: "n"}

// Options are what the command line says.
type Options struct {
	Open     []source.Target
	View     string // "": what fits
	Size     string // WxH
	Theme    string // light or dark; "": as last time
	Shot     string // save a picture of the view and end
	Event    string // number of an event in the list, from 1
	Filter   string
	Channels string
	Range    string
	Version  string
	Trace    bool // print every change of state, for tests that drive the window
}

// Check reports what cannot be meant.
func (o *Options) Check() error {
	if o.View != "" && !slices.Contains(Views, o.View) {
		return fmt.Errorf("-view %s: want one of %s", o.View, strings.Join(Views, ", "))
	}
	if o.Theme != "" && o.Theme != "light" && o.Theme != "dark" {
		return fmt.Errorf("-theme %s: want light or dark", o.Theme)
	}
	if _, _, err := o.size(); err != nil {
		return err
	}
	if _, err := o.event(); err != nil {
		return err
	}
	if o.Shot != "" && !strings.HasSuffix(strings.ToLower(o.Shot), ".png") {
		return fmt.Errorf("-shot %s: the name must end with .png", o.Shot)
	}
	if (o.Shot != "") && len(o.Open) == 0 {
		return fmt.Errorf("-shot needs something to show: -open FILE or URL")
	}
	return nil
}

func (o *Options) size() (width, height int, err error) {
	if o.Size == "" {
		return 1280, 800, nil
	}
	if n, err := fmt.Sscanf(o.Size, "%dx%d", &width, &height); n != 2 || err != nil || width < 640 || height < 400 || width > 16384 || height > 16384 {
		return 0, 0, fmt.Errorf("-size %q: want 1280x800, 640x400 at least", o.Size)
	}
	return width, height, nil
}

// event is the index of the event that is asked for; -1 without.
func (o *Options) event() (int, error) {
	if o.Event == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(o.Event)
	if err != nil || n < 1 {
		return -1, fmt.Errorf("-event %q: want the number of an event, from 1", o.Event)
	}
	return n - 1, nil
}
