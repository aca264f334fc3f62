package main

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The figures of a real window under Xvfb with software OpenGL. The viewer says when a picture of a chart is shown (-trace); a state that is printed
// after an action counts from the action on. The time that xdotool needs to start, some ms, is in them.

// ahead takes what the viewer has printed by now.
func (p *program) ahead() {
	for {
		select {
		case l := <-p.lines:
			if text, ok := strings.CutPrefix(l, "state "); ok {
				p.now = state{}
				if err := json.Unmarshal([]byte(text), &p.now); err != nil {
					p.t.Fatal(err)
				}
			}
		default:
			return
		}
	}
}

// pan drags to and fro with Shift, the cursor moving 40 times a second, and returns the pictures a second.
func (p *program) pan(moves int) float64 {
	p.ahead()
	plot := p.now.Plot
	x, y := plot[0]+plot[2]/2, strconv.Itoa(int(plot[1]+plot[3]/2))
	args := []string{"mousemove", strconv.Itoa(int(x)), y, "sleep", "0.1", "keydown", "shift", "mousedown", "1", "sleep", "0.05"}
	for i := range moves {
		step := i % 80
		if step > 40 {
			step = 80 - step
		}
		args = append(args, "mousemove", strconv.Itoa(int(x+float64(step-20)*plot[2]/120)), y, "sleep", "0.025")
	}
	before := p.now.Drawn
	start := time.Now()
	p.screen.do(args...)
	took := time.Since(start)
	p.ahead()
	drawn := p.now.Drawn - before
	p.screen.do("mouseup", "1", "keyup", "shift")
	return float64(drawn) / took.Seconds()
}

// sinceKeys types keys and returns how long it takes until the window is in a state.
func (p *program) sinceKeys(what string, want func(*state) bool, keys ...string) time.Duration {
	p.ahead()
	var args []string
	for _, k := range keys {
		args = append(args, "key", k)
	}
	start := time.Now()
	p.screen.do(args...)
	p.until(what, want)
	return time.Since(start)
}

// BenchmarkWindow measures a service with half a year of several meters: the first picture of its trend, and panning.
func BenchmarkWindow(b *testing.B) {
	for _, name := range []string{"Xvfb", "xdotool", "gcc", "pkg-config"} {
		if _, err := exec.LookPath(name); err != nil {
			b.Skipf("%s is not installed: tools/desktoptools.sh test installs it", name)
		}
	}
	d := startDemo(b, "180d")
	s := newScreen(b, 1600, 900)
	env := []string{"MM_USER=" + d.Site.User, "MM_PASSWORD=" + d.Site.Password}
	open := func() *program {
		p := run(b, s, env, "-open", d.Site.URL, "-theme", "light", "-size", "1600x900", "-range", "all", "-view", "events")
		p.until("events", func(x *state) bool { return x.View == "events" && x.Events > 50 && !x.Busy })
		return p
	}
	shown := func(x *state) bool { return x.View == "trend" && x.Trend == "ready" && x.Drawn > 0 }
	b.Run("trend=6months", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			p := open()
			b.StartTimer()
			b.ReportMetric(float64(p.sinceKeys("the trend", shown, "g", "d").Microseconds())/1000, "first-picture-ms")
			b.StopTimer()
			p.stop()
			b.StartTimer()
		}
	})
	p := open()
	p.sinceKeys("the trend", shown, "g", "d")
	p.sinceKeys("a part", func(x *state) bool { return shown(x) && !x.Busy }, "plus", "plus")
	b.Run("pan=trend", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(p.pan(200), "pictures/s")
		}
	})
	b.Run("pan=waveform", func(b *testing.B) {
		p.sinceKeys("the recording", func(x *state) bool { return x.View == "waveform" && x.Wave == "ready" && x.Drawn > 0 }, "g", "w")
		p.sinceKeys("a part", func(x *state) bool { return x.View == "waveform" }, "plus", "plus")
		for b.Loop() {
			b.ReportMetric(p.pan(200), "pictures/s")
		}
	})
}
