package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // Windows has no zone database

	"fyne.io/fyne/v2/app"

	"metermanager/viewer/desktop"
	"metermanager/viewer/source"
)

// version is set by the linker.
var version = "dev"

// places gathers repeated -open.
type places []string

func (p *places) String() string { return strings.Join(*p, " ") }

// Set implements flag.Value.
func (p *places) Set(s string) error {
	*p = append(*p, s)
	return nil
}

func main() { os.Exit(execute(os.Args[1:])) }

func execute(args []string) int {
	var open places
	flags := flag.NewFlagSet("metermanager-viewer", flag.ContinueOnError)
	flags.Var(&open, "open", "open `FILE|URL`: a file, or the address of a service; again for more (files may also stand behind the options)")
	user := flags.String("user", os.Getenv("MM_USER"), "user of a service; the password comes from MM_PASSWORD (MM_USER)")
	view := flags.String("view", "", "show this `VIEW`: "+strings.Join(desktop.Views, ", "))
	size := flags.String("size", "", "size of the window, `WxH`")
	theme := flags.String("theme", "", "light or dark (default: as last time)")
	shot := flags.String("shot", "", "draw the view, save it as `FILE.png`, and end")
	dump := flags.Bool("dump", false, "print what the view shows as JSON, and end; needs no window")
	selected := flags.String("event", "", "select the event of this `number` in the list, from 1 (for -shot and -dump)")
	filter := flags.String("filter", "", "filter the events by this `TEXT`")
	channels := flags.String("channels", "", "trend: these channels, joined by commas; one after + gets the right axis")
	span := flags.String("range", "", "24 h, 7 d, 30 d, 90 d, 1 y or all")
	trace := flags.Bool("trace", false, "print every change of the window's state as JSON, for tests that drive it")
	about := flags.Bool("version", false, "print the version")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "Usage: metermanager-viewer [options] [FILE|URL ...]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	if *about {
		fmt.Println("metermanager-viewer", version)
		return 0
	}
	o := desktop.Options{View: *view, Size: *size, Theme: *theme, Shot: *shot, Event: *selected, Filter: *filter, Channels: *channels, Range: *span, Version: version, Trace: *trace}
	for _, place := range append(open, flags.Args()...) {
		o.Open = append(o.Open, source.Target{Place: place, User: *user, Password: os.Getenv("MM_PASSWORD"), Key: os.Getenv("MM_KEY")})
	}
	if err := o.Check(); err != nil {
		fmt.Fprintln(os.Stderr, "metermanager-viewer:", err)
		return 2
	}
	if *dump {
		if err := desktop.Dump(os.Stdout, o); err != nil {
			fmt.Fprintln(os.Stderr, "metermanager-viewer:", err)
			return 1
		}
		return 0
	}
	if os.Getenv("LANG") == "" { // Fyne logs an error without it
		_ = os.Setenv("LANG", "en_US.UTF-8")
	}
	w := desktop.New(app.NewWithID("metermanager.viewer"), o)
	w.ShowAndRun()
	return w.ExitCode()
}
