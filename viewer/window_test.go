package main

import (
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A real window, driven with mouse and keys, from "something flickered" to the exported waveform; then the service dies.
func TestWindow(t *testing.T) {
	needs(t)
	d := startDemo(t, "30d")
	s := newScreen(t, 1366, 768)
	env := []string{"MM_USER=" + d.Site.User, "MM_PASSWORD=" + d.Site.Password}
	p := run(t, s, env, "-open", d.Site.URL, "-theme", "dark", "-size", "1366x768", "-range", "all")
	p.until("events of the demonstration", func(x *state) bool { return x.View == "events" && x.Events > 50 && !x.Busy && x.Drawn > 0 })
	s.save("events-dark.png", p.now.Plot)
	s.save("events-dark.png", p.now.List)

	t.Log("filter by text")
	all := p.now.Shown
	s.do("key", "slash")
	s.do("type", "--delay", "30", "sag phase")
	p.until("fewer events", func(x *state) bool { return x.Shown > 0 && x.Shown < all })
	t.Log("select an event of the list and open its recording with Enter")
	row := p.now.List
	s.click(row[0]+300, row[1]+14+28*2)
	p.until("a selected event", func(x *state) bool { return x.Selected >= 0 })
	for try := 0; try < 40 && !p.now.Recorded; try++ {
		was := p.now.Selected
		s.do("key", "bracketright")
		p.until("the next event", func(x *state) bool { return x.Selected != was })
	}
	s.save("events-card-dark.png", [4]float64{row[0] + row[2] + 10, row[1], 250, 300})
	s.do("key", "Return")
	p.until("its waveform", func(x *state) bool { return x.View == "waveform" && x.Wave == "ready" && x.Drawn > 0 && !x.Busy })
	full := p.now.Span
	s.save("waveform-dark.png", p.now.Plot)

	t.Log("two cursors by clicks, one step by key")
	plot := p.now.Plot
	s.click(plot[0]+plot[2]*0.30, plot[1]+40)
	p.until("the first cursor", func(x *state) bool { return x.A != nil })
	s.do("sleep", "0.5") // two clicks at once would be a double click
	s.click(plot[0]+plot[2]*0.60, plot[1]+40)
	p.until("the second cursor", func(x *state) bool { return x.B != nil })
	if a, b := *p.now.A, *p.now.B; !(b > a) {
		t.Errorf("cursors at %v and %v", a, b)
	}
	was := *p.now.A
	s.do("key", "Right")
	p.until("a step of the cursor", func(x *state) bool { return x.A != nil && *x.A > was })
	s.save("waveform-cursors-dark.png", p.now.Plot)

	t.Log("drag zooms, 0 fits, the wheel zooms")
	s.drag(plot[0]+plot[2]*0.2, plot[1]+30, plot[0]+plot[2]*0.5, plot[1]+60)
	p.until("a part of the recording", func(x *state) bool { return x.Span[1]-x.Span[0] < 0.5*(full[1]-full[0]) })
	s.do("key", "0")
	p.until("all of it again", func(x *state) bool { return x.Span == full })
	s.do("mousemove", "500", "300", "click", "4", "click", "4")
	p.until("zoomed by the wheel", func(x *state) bool { return x.Span[1]-x.Span[0] < 0.8*(full[1]-full[0]) })

	t.Log("export by the dialog")
	out := filepath.Join(t.TempDir(), "sag.cff")
	s.do("key", "e")
	p.until("the dialog", func(x *state) bool { return x.Dialog })
	s.do("key", "ctrl+a")
	s.do("type", "--delay", "20", out)
	s.do("key", "Return")
	p.line("the export", func(l string) bool { return l == "exported "+out })
	again := dump(t, nil, "-open", out)
	if !strings.Contains(again, `"COMTRADE 2013"`) || !strings.Contains(again, `"view": "waveform"`) {
		t.Errorf("the exported record reads as:\n%.600s", again)
	}

	t.Log("the other views")
	for _, v := range []struct{ key, view string }{{"d", "trend"}, {"p", "cbema"}, {"b", "en50160"}} {
		s.do("key", "g", "key", v.key)
		p.until(v.view, func(x *state) bool { return x.View == v.view && !x.Busy })
	}
	p.until("the week", func(x *state) bool { return x.Week == "ready" })
	s.do("key", "g", "key", "p")
	p.until("the scatter", func(x *state) bool { return x.View == "cbema" && x.Drawn > 0 })
	s.save("cbema-dark.png", p.now.Plot)
	plot = p.now.Plot
	s.drag(plot[0]+plot[2]*0.2, plot[1]+plot[3]*0.55, plot[0]+plot[2]*0.7, plot[1]+plot[3]*0.95)
	p.until("a box as filter", func(x *state) bool { return x.Boxed })
	s.do("key", "g", "key", "d")
	p.until("the trend", func(x *state) bool { return x.View == "trend" && x.Trend == "ready" && x.Drawn > 0 && !x.Busy })
	s.save("trend-dark.png", p.now.Plot)
	full, plot = p.now.Span, p.now.Plot
	s.drag(plot[0]+plot[2]*0.4, plot[1]+40, plot[0]+plot[2]*0.6, plot[1]+60)
	p.until("a part of the trend", func(x *state) bool { return x.Span[1]-x.Span[0] < 0.4*(full[1]-full[0]) })

	t.Log("Ctrl-Z takes the zoom back, Ctrl-Y does it again")
	part := p.now.Span
	s.do("key", "ctrl+z")
	p.until("all of the trend again", func(x *state) bool { return x.Span == full })
	s.do("key", "ctrl+y")
	p.until("the part again", func(x *state) bool { return x.Span == part })

	t.Log("the palette: compare, a phrase about events, the other colours")
	s.palette(p, "compare week before")
	p.until("the week before too", func(x *state) bool { return x.Compare == "a week before" && !x.Busy })
	s.save("trend-compared-dark.png", p.now.Plot)
	s.palette(p, "swells last 60 days on main")
	p.until("swells of a meter", func(x *state) bool {
		return x.View == "events" && x.Shown > 0 && x.Shown < x.Events && !x.Busy && !x.Dialog
	})
	s.save("palette-found-dark.png", p.now.List)
	s.palette(p, "dark or light")
	p.until("light colours", func(x *state) bool { return !x.Dark })
	s.save("events-after-switch-light.png", p.now.List)
	s.palette(p, "dark or light")
	p.until("dark colours", func(x *state) bool { return x.Dark })

	t.Log("a click on a heading sorts by the duration")
	s.click(p.now.Head[0]+p.now.Head[2]-50, p.now.Head[1]+p.now.Head[3]/2)
	p.until("sorted by duration", func(x *state) bool { return x.Sorted == 5 })
	s.save("events-sorted-dark.png", p.now.List)

	t.Log("the present values, read from the meter through its service; Space stops it")
	s.do("key", "g", "key", "n")
	p.until("present values", func(x *state) bool { return x.View == "now" && x.Now == "ready" && x.Drawn > 2 })
	s.do("key", "space")
	p.until("paused", func(x *state) bool { return x.Paused })
	s.save("now-dark.png", p.now.Plot)
	s.do("key", "space")
	p.until("live again", func(x *state) bool { return !x.Paused })

	t.Log("the week as PDF")
	pdf := filepath.Join(t.TempDir(), "week.pdf")
	s.do("key", "g", "key", "b")
	p.until("the week", func(x *state) bool { return x.View == "en50160" && x.Week == "ready" && !x.Busy })
	s.do("key", "e")
	p.until("the dialog", func(x *state) bool { return x.Dialog })
	s.do("key", "ctrl+a")
	s.do("type", "--delay", "20", pdf)
	s.do("key", "Return")
	p.line("the export", func(l string) bool { return l == "exported "+pdf })
	if text, err := os.ReadFile(pdf); err != nil || !strings.HasPrefix(string(text), "%PDF") {
		t.Errorf("the week as PDF: %v, %.8q", err, text)
	}

	t.Log("the service dies: what is shown stays, and is said to be stale")
	d.stop()
	s.do("key", "F5")
	p.until("a stale source", func(x *state) bool {
		for _, state := range x.Sources {
			return state == "stale"
		}
		return false
	})
	if p.now.Window != [2]float64{1366, 768} {
		t.Errorf("the window grew to %v", p.now.Window)
	}
	s.do("key", "g", "key", "e")
	p.until("the events that were read", func(x *state) bool { return x.View == "events" && x.Events > 0 })
	s.save("stale-dark.png", p.now.List)
}

// Every kind of file is drawn and is not blank, light and dark, small and large.
func TestWindowFiles(t *testing.T) {
	needs(t)
	s := newScreen(t, 2560, 1440)
	for _, x := range []struct{ name, file, theme, size string }{
		{"comtrade-light", "../logdb/format/comtrade/testdata/strathmore.cfg", "light", "2560x1440"},
		{"comtrade-dark", "../logdb/format/comtrade/testdata/wisp_3.cfg", "dark", "1366x768"},
		{"cff-light", "../logdb/format/comtrade/testdata/sample_ascii_single_file.cff", "light", "1366x768"},
		{"pqdif-light", filepath.Join(os.Getenv("MM_SHARED_DATA"), "pqdif", "ieee_example.pqd"), "light", "1366x768"},
		{"pqdif-dark", filepath.Join(os.Getenv("MM_SHARED_DATA"), "pqdif", "ieee_example.pqd"), "dark", "2560x1440"},
		{"csv-light", "../logdb/format/csvlog/testdata/il-electricity-cdd-hdd-hourly.csv.gz", "light", "1366x768"},
	} {
		t.Run(x.name, func(t *testing.T) {
			if _, err := os.Stat(x.file); err != nil {
				t.Skipf("%s is not shipped: MM_SHARED_DATA names the collection that holds it", filepath.Base(x.file))
			}
			img := shoot(t, s, x.name, 0, "-open", x.file, "-theme", x.theme, "-size", x.size)
			if n := colours(img, middle(img)); n < 40 {
				t.Errorf("%d colours in the middle: it is blank", n)
			}
		})
	}
	t.Run("broken", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "broken.cfg")
		if err := os.WriteFile(file, []byte("station,device,1999\n12,8A,4D\n1,Ua,,,V,1,0"), 0o600); err != nil {
			t.Fatal(err)
		}
		shoot(t, s, "broken-dark", 1, "-open", file, "-theme", "dark", "-size", "1366x768")
	})
	t.Run("nobody answers", func(t *testing.T) {
		shoot(t, s, "unreachable-light", 1, "-open", "http://127.0.0.1:1", "-user", "nobody", "-theme", "light", "-size", "1366x768")
	})
}

// A wrong password is asked for again, and what is wrong stands in the dialog.
func TestWindowWrongPassword(t *testing.T) {
	needs(t)
	d := startDemo(t, "30d")
	s := newScreen(t, 1366, 768)
	p := run(t, s, []string{"MM_USER=" + d.Site.User, "MM_PASSWORD=wrong"}, "-open", d.Site.URL, "-theme", "light", "-size", "1366x768", "-range", "all")
	p.until("the dialog", func(x *state) bool { return x.Dialog })
	s.do("sleep", "0.7") // the dialog is painted at the window's own pace
	s.save("login-light.png", [4]float64{400, 200, 560, 360})
	s.do("type", "--delay", "20", d.Site.Password)
	s.do("key", "Return")
	p.until("the events, with the right password", func(x *state) bool { return x.Events > 50 && !x.Dialog && !x.Busy })
	s.save("events-light.png", p.now.List)
}

// shoot saves a picture by -shot and reads it.
func shoot(t testing.TB, s *screen, name string, code int, args ...string) image.Image {
	t.Helper()
	if err := os.MkdirAll(shotsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(shotsDir, name+".png")
	_ = os.Remove(file)
	c := exec.Command(binaryOf(t), append(args, "-shot", file)...)
	c.Env = append(os.Environ(), "DISPLAY="+s.display, "FYNE_SCALE=1", "LANG=en_US.UTF-8", "HOME="+t.TempDir())
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != code {
		t.Fatalf("exit code %d, want %d: %v\n%s", c.ProcessState.ExitCode(), code, err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func middle(img image.Image) image.Rectangle {
	b := img.Bounds()
	return image.Rect(b.Dx()/4, b.Dy()/4, b.Dx()*3/4, b.Dy()*3/4)
}

// dump runs -dump.
func dump(t testing.TB, env []string, args ...string) string {
	t.Helper()
	c := exec.Command(binaryOf(t), append([]string{"-dump"}, args...)...)
	c.Env = append(append(os.Environ(), "LANG=en_US.UTF-8"), env...)
	out, err := c.Output()
	if err != nil {
		t.Errorf("-dump: %v", err)
	}
	return string(out)
}
