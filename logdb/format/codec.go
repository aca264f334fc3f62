package format

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Codec reads one format.
type Codec struct {
	// Kind is the name of the format in reports: "comtrade", "csv", ...
	Kind string
	// Title names the format for people.
	Title string
	// Sniff reports whether a file of this name and beginning (up to SniffBytes) is of this
	// format. Content counts, the name only where it cannot decide.
	Sniff func(name string, head []byte) bool
	// Read reads the file and, where the format has several, those that belong to it.
	Read func(ctx context.Context, f File, o Options) (*Content, error)
}

// SniffBytes is how much of a file Sniff sees.
const SniffBytes = 4096

// File is a file and its neighbours.
type File struct {
	Dir  fs.FS
	Name string // within Dir
}

// Options are what a reader may be told.
type Options struct {
	// Zone is that of times which carry none; nil: UTC, and Assumed says so.
	Zone *time.Location
	// Progress, when not nil, is told now and then how many bytes of how many were read.
	Progress func(done, total int64)
	// Charset is that of a file's text ("utf-8", "iso-8859-1", "windows-1251", "gb18030"); "": it is guessed.
	Charset string
	// LineHz replaces the line frequency that a file states, 0: not.
	LineHz float64
	// MaxBytes bounds what is read of one file, unpacked; 0: DefaultMaxBytes.
	MaxBytes int64
}

// DefaultMaxBytes bounds a file. What a file holds is kept in memory, as much or several times as much.
const DefaultMaxBytes = 256 << 20

// Bytes returns the bound of one file.
func (o Options) Bytes() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return DefaultMaxBytes
}

// Location returns the zone of times that carry none.
func (o Options) Location() *time.Location {
	if o.Zone == nil {
		return time.UTC
	}
	return o.Zone
}

// Report tells the progress.
func (o Options) Report(done, total int64) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// Error says why a file cannot be read: what, where, and what to do.
type Error struct {
	File   string
	Line   int   // from 1; 0: not in a line
	Sample int   // from 1; 0: not in a sample
	Offset int64 // in bytes, where Line and Sample are 0; -1 or 0: not known
	What   string
	Do     string // what to do, a sentence; "" when there is nothing
	Err    error  // the cause, if it is another's
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	switch {
	case e.Line > 0:
		fmt.Fprintf(&b, ", line %d", e.Line)
	case e.Sample > 0:
		fmt.Fprintf(&b, ", sample %d", e.Sample)
	case e.Offset > 0:
		fmt.Fprintf(&b, ", byte %d", e.Offset)
	}
	b.WriteString(": " + e.What)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Do != "" {
		b.WriteString(". " + e.Do)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Plain takes the name of the file off an error, for one that names it already.
func Plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
