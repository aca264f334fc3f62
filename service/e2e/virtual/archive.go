package virtual

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"metermanager/logdb/archive"
	"metermanager/logdb/sqldb/simdisk"
)

// folder is the archive folder of a node, in memory. What was not synced when the power goes is not there afterwards.
type folder struct {
	mu    sync.Mutex
	files map[string]*content
	disk  *simdisk.Disk
	life  int // of the node: a program that has ended writes no more
}

type content struct {
	data   []byte
	synced bool
}

// view is a folder as one life of the node has it.
type view struct {
	*folder
	life int
}

var (
	_ archive.Files = view{}
	_ archive.Plain = view{}
)

func newFolder(disk *simdisk.Disk) *folder { return &folder{files: map[string]*content{}, disk: disk} }

// open begins a life.
func (f *folder) open() view {
	f.mu.Lock()
	defer f.mu.Unlock()
	return view{f, f.life}
}

// crash ends a life.
func (f *folder) crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life++
	maps.DeleteFunc(f.files, func(_ string, c *content) bool { return !c.synced })
}

func (f *folder) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.files)
}

// Plain says that files are not compressed: the packers of the process would be shared by several virtual times.
func (v view) Plain() {}

// usable reports whether the program still runs and the disk takes what it writes.
func (v view) usable(writes bool) error {
	if v.life != v.folder.life {
		return fs.ErrClosed
	}
	if writes {
		return v.disk.Writable()
	}
	return nil
}

// Create implements archive.Files.
func (v view) Create(name string) (archive.Sink, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.usable(true); err != nil {
		return nil, err
	}
	c := &content{}
	v.files[name] = c
	return &sink{v, c}, nil
}

// Rename implements archive.Files.
func (v view) Rename(from, to string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.usable(true); err != nil {
		return err
	}
	c := v.files[from]
	if c == nil {
		return fs.ErrNotExist
	}
	delete(v.files, from)
	v.files[to] = c
	return nil
}

// Remove implements archive.Files.
func (v view) Remove(name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.usable(false); err != nil {
		return err
	}
	if err := v.disk.Writable(); errors.Is(err, syscall.EROFS) { // a full disk lets files go
		return err
	}
	delete(v.files, name)
	return nil
}

// Open implements archive.Files.
func (v view) Open(name string) (archive.Source, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.usable(false); err != nil {
		return nil, err
	}
	c := v.files[name]
	if c == nil {
		return nil, fs.ErrNotExist
	}
	return source{bytes.NewReader(bytes.Clone(c.data))}, nil
}

// List implements archive.Files.
func (v view) List() ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.usable(false); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(v.files)), nil
}

type sink struct {
	of view
	to *content
}

func (s *sink) Write(b []byte) (int, error) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if err := s.of.usable(true); err != nil {
		return 0, err
	}
	s.to.data, s.to.synced = append(s.to.data, b...), false
	return len(b), nil
}

func (s *sink) Sync() error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if err := s.of.usable(true); err != nil {
		return err
	}
	if err := s.of.disk.SyncOther(); err != nil {
		return err
	}
	s.to.synced = true
	return nil
}

func (s *sink) Close() error { return nil }

type source struct{ *bytes.Reader }

func (source) Close() error { return nil }

var _ io.ReaderAt = source{}

// Image is what a node has on its disk at one moment.
type Image struct {
	dir   string // of the node
	disk  *simdisk.Image
	files map[string][]byte // of its archive
	told  time.Time         // of the meter
}

// Image copies a node's disk, archive files and databases in one moment: no file comes or goes meanwhile.
func (n *Node) Image() (*Image, error) {
	n.archive.mu.Lock()
	defer n.archive.mu.Unlock()
	disk, err := n.cfg.Disk.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("copy the disk of %s: %w", n.cfg.Host, err)
	}
	out := &Image{n.cfg.Dir, disk, map[string][]byte{}, n.Told()}
	for name, c := range n.archive.files {
		out.files[name] = bytes.Clone(c.data)
	}
	return out, nil
}

// Restore gives a node that does not run the disk of an image, of itself or another.
func (n *Node) Restore(i *Image) error {
	if err := n.cfg.Disk.Restore(i.disk.Moved(i.dir, n.cfg.Dir)); err != nil {
		return fmt.Errorf("restore %s: %w", n.cfg.Host, err)
	}
	n.mu.Lock()
	n.told = i.told
	n.mu.Unlock()
	n.archive.mu.Lock()
	defer n.archive.mu.Unlock()
	n.archive.files = map[string]*content{}
	for name, data := range i.files {
		n.archive.files[name] = &content{bytes.Clone(data), true}
	}
	return nil
}
