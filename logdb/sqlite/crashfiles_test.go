package sqlite_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"metermanager/logdb/archive"
	"metermanager/logdb/sqldb/simdisk"
)

var errNoPower = errors.New("the power is gone")

// crashFiles is archive files on a disk in memory, of which a crash leaves what was synced, and half of the rest.
type crashFiles struct {
	mu    sync.Mutex
	names map[string]*crashFile // as programs see them
	disk  map[string]*crashFile // names that a crash leaves
	steps int                   // that changed something
	// last is after how many more steps the power goes; negative: it stays.
	last int
	off  func() bool // the power of the machine is gone
	gone func()      // is called when the power goes at a step here
	// spoil changes what was written, as a bad disk would, when a file gets its name.
	spoil func([]byte)
}

type crashFile struct {
	data   []byte
	synced []byte
}

func newCrashFiles() *crashFiles {
	return &crashFiles{names: map[string]*crashFile{}, disk: map[string]*crashFile{}, last: -1}
}

// step reports an error when the power is gone or goes now.
func (c *crashFiles) step() error {
	if c.off != nil && c.off() {
		return errNoPower
	}
	if c.last == 0 {
		if c.gone != nil {
			c.gone()
		}
		return errNoPower
	}
	c.last--
	c.steps++
	return nil
}

// crash leaves what is on the disk.
func (c *crashFiles) crash() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = -1
	for _, f := range c.disk {
		f.data = append(slices.Clone(f.synced), f.data[min(len(f.synced), len(f.data)):len(f.synced)+(len(f.data)-min(len(f.synced), len(f.data)))/2]...)
		f.synced = slices.Clone(f.data)
	}
	c.names = maps.Clone(c.disk)
}

type crashSink struct {
	c *crashFiles
	f *crashFile
}

func (s crashSink) Write(b []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if err := s.c.step(); err != nil {
		return 0, err
	}
	s.f.data = append(s.f.data, b...)
	return len(b), nil
}

func (s crashSink) Sync() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if err := s.c.step(); err != nil {
		return err
	}
	s.f.synced = slices.Clone(s.f.data)
	return nil
}

func (s crashSink) Close() error { return nil }

// Create makes a file whose name a crash may leave, empty.
func (c *crashFiles) Create(name string) (archive.Sink, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return nil, err
	}
	if c.names[name] != nil {
		return nil, fs.ErrExist
	}
	f := &crashFile{}
	c.names[name] = f
	if c.steps%2 == 0 {
		c.disk[name] = f
	}
	return crashSink{c, f}, nil
}

// Rename is two steps: the name, then the folder.
func (c *crashFiles) Rename(from, to string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return err
	}
	f := c.names[from]
	if f == nil {
		return fs.ErrNotExist
	}
	if c.names[to] != nil {
		return fs.ErrExist
	}
	if c.spoil != nil {
		c.spoil(f.data)
	}
	delete(c.names, from)
	c.names[to] = f
	if err := c.step(); err != nil {
		return err
	}
	delete(c.disk, from)
	c.disk[to] = f
	return nil
}

// Remove removes a name at once, on the disk perhaps later.
func (c *crashFiles) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return err
	}
	delete(c.names, name)
	if c.steps%2 == 0 {
		delete(c.disk, name)
	}
	return nil
}

type crashSource struct{ *bytes.Reader }

func (crashSource) Close() error { return nil }

func (c *crashFiles) Open(name string) (archive.Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off != nil && c.off() {
		return nil, errNoPower
	}
	f := c.names[name]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return crashSource{bytes.NewReader(f.data)}, nil
}

func (c *crashFiles) List() ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.names)), nil
}

// machineDisk is the disk of the database and of the archive: the power goes for both.
type machineDisk struct {
	*simdisk.Disk
	files *crashFiles
}

func (d *machineDisk) Crash() error {
	d.files.off = nil
	d.files.crash()
	return d.Disk.Crash()
}

func (d *machineDisk) CrashAfter(changes int64) <-chan struct{} {
	crashed := d.Disk.CrashAfter(changes)
	d.files.off = nil
	if changes > 0 {
		d.files.off = func() bool {
			select {
			case <-crashed:
				return true
			default:
				return false
			}
		}
	}
	return crashed
}
