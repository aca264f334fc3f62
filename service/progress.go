package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// progress tells how far long work has come: on a terminal in one line that is written over, elsewhere in a line
// now and then, and nothing at all of work that is done at once.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	told     time.Time
	width    int
}

// The first words come after a moment; a terminal hears more often than a file.
const (
	progressAtTerminal = 200 * time.Millisecond
	progressElsewhere  = 10 * time.Second
)

func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: isTerminal(w), now: time.Now, told: time.Now()}
}

// say tells words like "2026.csv: 40 %".
func (p *progress) say(format string, args ...any) {
	every := progressElsewhere
	if p.terminal {
		every = progressAtTerminal
	}
	now := p.now()
	if now.Sub(p.told) < every {
		return
	}
	p.told = now
	line := fmt.Sprintf(format, args...)
	if !p.terminal {
		fmt.Fprintln(p.w, line)
		return
	}
	width := utf8.RuneCountInString(line)
	fmt.Fprint(p.w, "\r"+line+strings.Repeat(" ", max(0, p.width-width)))
	p.width = width
}

// bytes tells how much of a file was read.
func (p *progress) bytes(name string) func(done, total int64) {
	return func(done, total int64) {
		if total > 0 {
			p.say("%s: %d %% read", name, min(100*done/total, 100))
		} else {
			p.say("%s: %s read", name, bytesText(done))
		}
	}
}

// clear takes the line away again.
func (p *progress) clear() {
	if p.terminal && p.width > 0 {
		fmt.Fprint(p.w, "\r"+strings.Repeat(" ", p.width)+"\r")
		p.width = 0
	}
}
