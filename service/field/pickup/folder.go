package pickup

import (
	"context"
	"errors"
	"fmt"
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
)

// settled is how long a file must not have changed before it is taken: whoever writes it has finished.
const settled = 5 * time.Second

// candidate is a file with those that belong to it.
type candidate struct {
	name  string
	parts []string // all of them, the name too
}

// candidates lists what can be taken from a folder now, the oldest first. Hidden files and those that are being written are left.
func candidates(dir string, now time.Time) ([]candidate, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	at, size := map[string]time.Time{}, map[string]int64{}
	for _, e := range list {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") || unfinished(e.Name()) {
			continue
		}
		at[e.Name()], size[e.Name()] = info.ModTime(), info.Size()
	}
	var out []candidate
	for name := range at {
		if companion(name) != "" {
			continue // comes with its configuration
		}
		c := candidate{name, []string{name}}
		if strings.EqualFold(filepath.Ext(name), ".cfg") {
			for other := range at {
				if companion(other) == stem(name) {
					c.parts = append(c.parts, other)
				}
			}
			if len(c.parts) == 1 && now.Sub(at[name]) < 10*time.Minute { // its data may still come
				continue
			}
		}
		if slices.ContainsFunc(c.parts, func(p string) bool { return now.Sub(at[p]) < settled && !at[p].After(now) || size[p] == 0 }) {
			continue
		}
		slices.Sort(c.parts)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b candidate) int {
		if c := at[a.name].Compare(at[b.name]); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return out, nil
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

// move puts the parts of a file into a folder beside, under a name that is free there.
func move(dir, into string, parts []string, now time.Time) error {
	to := filepath.Join(dir, into)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	prefix := ""
	for _, p := range parts {
		if _, err := os.Lstat(filepath.Join(to, p)); !errors.Is(err, fs.ErrNotExist) {
			prefix = now.UTC().Format("20060102T150405.000Z_")
		}
	}
	for _, p := range parts {
		if err := os.Rename(filepath.Join(dir, p), filepath.Join(to, prefix+p)); err != nil {
			return err
		}
	}
	return nil
}
