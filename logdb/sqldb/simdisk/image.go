package simdisk

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Image is what the files of a disk held at one moment. It never changes and shares what it holds with disks.
type Image struct {
	files map[string]memory
}

// Names returns the paths of the files.
func (i *Image) Names() []string {
	var out []string
	for path := range i.files {
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

// Snapshot copies what programs see now, synced or not, of all files that were used since New, in one moment.
func (d *Disk) Snapshot() (*Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := &Image{files: map[string]memory{}}
	for path, n := range d.names {
		if n.live == nil {
			continue
		}
		m, err := n.live.copy()
		if err != nil {
			return nil, fmt.Errorf("copy %s: %w", path, err)
		}
		out.files[path] = m
	}
	return out, nil
}

// copy shares the pages of the file.
func (f *inode) copy() (memory, error) {
	count := (f.size + pageSize - 1) / pageSize
	out := memory{pages: make([]*page, count), bytes: f.size}
	b, inMemory := f.base.(*memory)
	for i := range count {
		switch pg, ok := f.dirty[i]; {
		case ok:
			if !pg.shared {
				pg.shared = true
			}
			out.pages[i] = pg
		case inMemory && (i+1)*pageSize <= f.baseEnd && i < int64(len(b.pages)):
			out.pages[i] = b.pages[i]
		default:
			pg := &page{shared: true}
			if err := f.readAt(pg.data[:], i*pageSize); err != nil {
				return memory{}, err
			}
			out.pages[i] = pg
		}
	}
	return out, nil
}

// Restore replaces all files that were used since New by those of an image, all of it synced. Open handles fail
// from now on, as after a crash.
func (d *Disk) Restore(i *Image) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
	for path, n := range d.names {
		n.live = nil
		if err := d.settle(path, n); err != nil {
			return fmt.Errorf("remove %s: %w", path, err)
		}
		delete(d.names, path)
	}
	for path, m := range i.files {
		if !d.inside(path) {
			return fmt.Errorf("restore %s: it is outside of the disk", path)
		}
		b, err := d.fill(path, m)
		if err != nil {
			return fmt.Errorf("restore %s: %w", path, err)
		}
		f := newInode(b, true)
		d.names[path] = &name{live: f, durable: f}
	}
	return nil
}

func (d *Disk) fill(path string, m memory) (base, error) {
	if d.folder == "" {
		return &memory{pages: slices.Clone(m.pages), bytes: m.bytes}, nil
	}
	b, err := openReal(path, true)
	if err != nil {
		return nil, err
	}
	for i, pg := range m.pages {
		if pg == nil {
			continue
		}
		if err := b.writePage(int64(i), pg); err != nil {
			return nil, err
		}
	}
	return b, b.resize(m.bytes)
}

// Moved returns the image as one of another folder: for a second machine with the same data.
func (i *Image) Moved(from, to string) *Image {
	out := &Image{files: make(map[string]memory, len(i.files))}
	for path, m := range i.files {
		if rest, err := filepath.Rel(from, path); err == nil && filepath.IsLocal(rest) {
			path = filepath.Join(to, rest)
		}
		out.files[path] = m
	}
	return out
}
