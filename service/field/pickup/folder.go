package pickup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/format"
	"metermanager/logdb/format/anyfile"
	"metermanager/logdb/format/comtrade"
	"metermanager/logdb/format/csvlog"
)

// The folders within a watched one where files go: taken in, and refused with the reason beside them.
const (
	doneFolder    = "done"
	refusedFolder = "refused"
	reasonEnd     = ".reason.txt" // of the name of the reason
)

// restComes is how many times longer than others a file is left that may not be whole: a COMTRADE configuration without its data, and
// a text that ends within a line.
const restComes = 120

// mark tells one state of a file from the next.
func mark(info fs.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

// rest is since when a file is as it is, by a clock that nobody sets: what the file says of its age may be of another clock.
type rest struct {
	mark  string
	since time.Time
}

// rests are the files of a place as the last look found them.
type rests map[string]rest

// note keeps what a look finds of a file in next, and returns for how long it has been so.
func (s rests) note(next rests, name, mark string, now time.Time) time.Duration {
	x, ok := s[name]
	if !ok || x.mark != mark {
		x = rest{mark, now}
	}
	next[name] = x
	return now.Sub(x.since)
}

// candidate is a file with those that belong to it.
type candidate struct {
	name  string
	parts []string // all of them, the name last: without it the others are left alone
	marks map[string]string
	quiet time.Duration // since when none of them changed
}

// candidates lists what can be taken from a folder now, the oldest first, and whether more can be soon. Hidden files and those that
// are being written are left. It tells by two looks, at least settle apart: a file that is copied may be as old as its original.
func candidates(dir string, seen rests, settle time.Duration, now time.Time) (out []candidate, next rests, soon bool, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, false, err
	}
	next = rests{}
	at, quiet := map[string]time.Time{}, map[string]time.Duration{}
	for _, e := range list {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") || unfinished(e.Name()) {
			continue
		}
		at[e.Name()], quiet[e.Name()] = info.ModTime(), seen.note(next, e.Name(), mark(info), now)
		if info.Size() == 0 {
			quiet[e.Name()] = -1
		}
	}
	for name := range at {
		if companion(name) != "" {
			continue // comes with its configuration
		}
		c := candidate{name: name, quiet: quiet[name], marks: map[string]string{}}
		if strings.EqualFold(filepath.Ext(name), ".cfg") {
			for other := range at {
				if companion(other) == stem(name) {
					c.parts, c.quiet = append(c.parts, other), min(c.quiet, quiet[other])
				}
			}
			slices.Sort(c.parts)
			if len(c.parts) == 0 && c.quiet < restComes*settle {
				continue
			}
		}
		c.parts = append(c.parts, name)
		if c.quiet < settle {
			soon = soon || c.quiet >= 0
			continue
		}
		for _, p := range c.parts {
			c.marks[p] = next[p].mark
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		if c := at[a.name].Compare(at[b.name]); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return out, next, soon, nil
}

// changed reports whether a part of the candidate is not as it was when it was found, under a name that as gives.
func (c *candidate) changed(as func(part string) string) bool {
	return slices.ContainsFunc(c.parts, func(p string) bool {
		info, err := os.Stat(as(p))
		return err != nil || mark(info) != c.marks[p]
	})
}

// openEnded reports whether a part of the candidate is a text that ends within a line. Who writes it may have stalled there, and
// half a number is a number. XML needs no end of a line, and does not parse when it is cut.
func (c *candidate) openEnded(dir string) (bool, error) {
	for _, p := range c.parts {
		open, err := endsWithinLine(filepath.Join(dir, p))
		if open || err != nil {
			return open, err
		}
	}
	return false, nil
}

func endsWithinLine(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(head[:n], []byte("\ufeff")))
	if bytes.IndexByte(text, 0) >= 0 || bytes.HasPrefix(text, []byte("<")) {
		return false, nil
	}
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n' && last[0] != '\r' && last[0] != 0x1A, nil // an end of file of DOS
}

// unfinished reports whether a name is one under which programs write what is not whole yet.
func unfinished(name string) bool {
	return slices.Contains([]string{".tmp", ".part", ".partial", ".filepart", ".crdownload"}, strings.ToLower(filepath.Ext(name)))
}

func stem(name string) string { return strings.ToLower(strings.TrimSuffix(name, filepath.Ext(name))) }

// companion returns the stem of a file that belongs to a COMTRADE configuration, "" for others.
func companion(name string) string {
	if slices.Contains(anyfile.Companions, strings.ToLower(filepath.Ext(name))) {
		return stem(name)
	}
	return ""
}

// content reads a file as the folder's settings say.
func (f *Folder) content(ctx context.Context, path string) (*format.Content, error) {
	opt := format.Options{}
	if f.Zone != "" {
		zone, err := time.LoadLocation(f.Zone)
		if err != nil {
			return nil, fmt.Errorf("time zone %q: %w", f.Zone, err)
		}
		opt.Zone = zone
	}
	m := csvlog.Mapping{Others: true}
	for _, x := range f.Map {
		name, key, _ := strings.Cut(x, "=")
		if k, err := logdb.NormalizeChannel(key); err == nil {
			m.Columns = append(m.Columns, csvlog.Column{Name: name, Key: k})
		}
	}
	c, err := anyfile.Read(ctx, anyfile.At(path), anyfile.Auto, opt, m)
	if err != nil {
		return nil, err
	}
	if f.Primary {
		c.ToPrimary()
	} else {
		c.AsRecorded()
	}
	if c.Kind == csvlog.Kind {
		return c, nil
	}
	for _, x := range f.Map {
		name, key, _ := strings.Cut(x, "=")
		if _, _, err := c.Map(name, key); err != nil && c.Kind != comtrade.Kind {
			return nil, err
		}
	}
	return c, nil
}

// move puts the parts of a file into another folder, in their order, under names that are free there. It returns what was put before their
// names for that.
func move(from, to string, parts []string, now time.Time) (prefix string, err error) {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", err
	}
	for _, p := range parts {
		if _, err := os.Lstat(filepath.Join(to, p)); !errors.Is(err, fs.ErrNotExist) {
			prefix = now.UTC().Format("20060102T150405.000Z_")
		}
	}
	for _, p := range parts {
		if err := os.Rename(filepath.Join(from, p), filepath.Join(to, prefix+p)); err != nil {
			return prefix, err
		}
	}
	return prefix, nil
}

// watchMoved is how long a file is looked after that was moved: who writes it may have stalled, and goes on in it where it is now.
const watchMoved = 24 * time.Hour

// moved is a file that was taken in or refused, as it was read.
type moved struct {
	candidate
	folder, prefix string // where it is, and what was put before its name
	at             time.Time
}

// regrown puts the files of a place that changed since they were read back, to be read again: what was stored of them is told by its content.
// It returns those that are still to be watched.
func regrown(dir string, list []moved, now time.Time, wall time.Time) (left []moved, back []string, err error) {
	var errs []error
	for _, m := range list {
		in := filepath.Join(dir, m.folder)
		if now.Sub(m.at) > watchMoved {
			continue
		}
		if !m.changed(func(p string) string { return filepath.Join(in, m.prefix+p) }) {
			left = append(left, m)
			continue
		}
		var there []string
		for _, p := range m.parts {
			if _, err := os.Stat(filepath.Join(in, m.prefix+p)); err == nil {
				there = append(there, m.prefix+p)
			}
		}
		if len(there) < len(m.parts) {
			continue // somebody took it away
		}
		if _, err := move(in, dir, there, wall); err != nil {
			errs, left = append(errs, fmt.Errorf("%s grew after it was read, but cannot be moved back: %w", m.name, err)), append(left, m)
			continue
		}
		if err := os.Remove(filepath.Join(in, m.name+reasonEnd)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		back = append(back, m.name)
	}
	return left, back, errors.Join(errs...)
}
