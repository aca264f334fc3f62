package applog

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Config of a Log. The zero value keeps lines in memory only.
type Config struct {
	// File is where lines are kept; "": nowhere. Its folder is made.
	File string
	// MaxBytes bounds the file, 10 MiB by default; Keep is how many older ones stay beside it, 4
	// by default.
	MaxBytes int64
	Keep     int
	// Out takes the lines too; nil: nobody.
	Out   io.Writer
	JSON  bool
	Level slog.Level
	// Lines is how many lines are kept in memory; 1,000 by default.
	Lines int
	// Same is how many equal lines may come within Window before they are only counted; 3 in a
	// minute by default.
	Same   int
	Window time.Duration
	Now    func() time.Time
}

// mostLine is where a line in memory is cut.
const mostLine = 4 << 10

// Log is the program's log.
type Log struct {
	logger *slog.Logger
	file   *file
	out    io.Writer

	mu    sync.Mutex
	ring  []string
	next  int
	total int64
}

// Open opens a log. Who opens it closes it.
func Open(cfg Config) (*Log, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 10 << 20
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 4
	}
	if cfg.Lines <= 0 {
		cfg.Lines = 1000
	}
	if cfg.Same <= 0 {
		cfg.Same = 3
	}
	if cfg.Window <= 0 {
		cfg.Window = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &Log{out: cfg.Out, ring: make([]string, 0, cfg.Lines)}
	if cfg.File != "" {
		var err error
		if l.file, err = openFile(cfg.File, cfg.MaxBytes, cfg.Keep); err != nil {
			return nil, err
		}
	}
	options := &slog.HandlerOptions{Level: cfg.Level}
	var form slog.Handler = slog.NewTextHandler(l, options)
	if cfg.JSON {
		form = slog.NewJSONHandler(l, options)
	}
	l.logger = slog.New(&damper{next: form, state: &repeats{same: cfg.Same, window: cfg.Window, now: cfg.Now}})
	return l, nil
}

// Logger returns what writes to the log.
func (l *Log) Logger() *slog.Logger { return l.logger }

// Write takes one line. A disk that is full must not stop the program, so that the line then only
// goes to the other places.
func (l *Log) Write(line []byte) (int, error) {
	l.remember(line)
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.write(line))
	}
	if l.out != nil {
		_, err := l.out.Write(line)
		errs = append(errs, err)
	}
	return len(line), errors.Join(errs...)
}

func (l *Log) remember(line []byte) {
	text := strings.TrimRight(string(line[:min(len(line), mostLine)]), "\r\n")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if len(l.ring) < cap(l.ring) {
		l.ring = append(l.ring, text)
		return
	}
	l.ring[l.next] = text
	l.next = (l.next + 1) % len(l.ring)
}

// Lines returns the last lines, oldest first, and how many there were since the start.
func (l *Log) Lines() (lines []string, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(append(make([]string, 0, len(l.ring)), l.ring[l.next:]...), l.ring[:l.next]...), l.total
}

// Close closes the file; lines that come later go to the other places.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.close()
}
