package simdisk

import (
	"fmt"
)

const (
	pageSize   = 4096
	sectorSize = 512
	// maxPending is how many writes a disk keeps back at most; then it writes them on its own.
	maxPending = 20_000
)

// page is a piece of a file. In a base and in an image it is never changed again.
type page struct {
	shared bool
	data   [pageSize]byte
}

// inode is a file: what is on the disk, and what programs have written since.
type inode struct {
	base base
	size int64
	// baseEnd is the shortest that the file has been since the last sync: base counts only below it.
	baseEnd int64
	dirty   map[int64]*page
	log     []change
	// clean are dirty pages that a failed sync has left behind: no later sync will write them.
	clean map[int64]bool
	// named is whether the file has its name on the disk.
	named bool
	refs  int
	locks locks
	shm   *shm
}

// change is a write or a change of size that is not synced.
type change struct {
	off  int64
	data []byte // nil: the file was cut to size
	size int64  // of the file afterwards
	// stuck is set for writes that a failed sync has left behind.
	stuck bool
}

// base is the durable content of a file.
type base interface {
	// readAt fills p; beyond the end are zeros.
	readAt(p []byte, off int64) error
	writeAt(p []byte, off int64) error
	// writePage puts a page, which nobody changes from now on; resize follows.
	writePage(i int64, pg *page) error
	resize(n int64) error
	size() int64
	close() error
}

func newInode(b base, named bool) *inode {
	return &inode{base: b, size: b.size(), baseEnd: b.size(), dirty: map[int64]*page{}, clean: map[int64]bool{}, named: named}
}

// readAt fills p from what programs have written; beyond the end are zeros.
func (f *inode) readAt(p []byte, off int64) error {
	for len(p) > 0 {
		i, in := off/pageSize, off%pageSize
		n := min(int64(len(p)), pageSize-in)
		if pg, ok := f.dirty[i]; ok {
			copy(p[:n], pg.data[in:])
		} else {
			valid := max(0, min(n, f.baseEnd-off))
			if valid > 0 {
				if err := f.base.readAt(p[:valid], off); err != nil {
					return err
				}
			}
			clear(p[valid:n])
		}
		p, off = p[n:], off+n
	}
	return nil
}

// own returns page i for changing.
func (f *inode) own(i int64) (*page, error) {
	pg, ok := f.dirty[i]
	if ok && !pg.shared {
		return pg, nil
	}
	fresh := &page{}
	if ok {
		fresh.data = pg.data
	} else if err := f.readAt(fresh.data[:], i*pageSize); err != nil {
		return nil, err
	}
	f.dirty[i] = fresh
	return fresh, nil
}

// write changes the file as programs see it.
func (f *inode) write(p []byte, off int64) error {
	data := append([]byte{}, p...)
	for at := off; len(p) > 0; {
		i, in := at/pageSize, at%pageSize
		pg, err := f.own(i)
		if err != nil {
			return err
		}
		delete(f.clean, i)
		n := copy(pg.data[in:], p)
		p, at = p[n:], at+int64(n)
	}
	f.size = max(f.size, off+int64(len(data)))
	f.log = append(f.log, change{off: off, data: data, size: f.size})
	return nil
}

// truncate cuts the file, or extends it by zeros.
func (f *inode) truncate(size int64) error {
	if size < f.size {
		last := size / pageSize
		for i := range f.dirty {
			if i > last {
				delete(f.dirty, i)
				delete(f.clean, i)
			}
		}
		if in := size % pageSize; in != 0 {
			pg, err := f.own(last)
			if err != nil {
				return err
			}
			delete(f.clean, last)
			clear(pg.data[in:])
		} else {
			delete(f.dirty, last)
			delete(f.clean, last)
		}
		f.baseEnd = min(f.baseEnd, size)
	}
	f.size = size
	f.log = append(f.log, change{size: size})
	return nil
}

// flush writes everything that is not clean to the base.
func (d *Disk) flush(f *inode) error {
	if err := f.reshape(); err != nil {
		return err
	}
	order := make([]int64, 0, len(f.dirty))
	for i := range f.dirty {
		if !f.clean[i] {
			order = append(order, i)
		}
	}
	if d.folder != "" { // the process may be killed in the middle
		d.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, i := range order {
		pg := f.dirty[i]
		if !pg.shared {
			pg.shared = true
		}
		if err := f.base.writePage(i, pg); err != nil {
			return fmt.Errorf("write page %d: %w", i, err)
		}
		delete(f.dirty, i)
	}
	if err := f.base.resize(f.size); err != nil {
		return fmt.Errorf("set the size: %w", err)
	}
	f.baseEnd = f.size
	kept := f.log[:0]
	for _, c := range f.log {
		if c.stuck && f.clean[c.off/pageSize] {
			kept = append(kept, c)
		}
	}
	clear(f.log[len(kept):])
	f.log = kept
	return nil
}

// reshape makes the sizes durable: first the cut, then the length, which is zeros as yet.
func (f *inode) reshape() error {
	if f.baseEnd < f.base.size() {
		if err := f.base.resize(f.baseEnd); err != nil {
			return fmt.Errorf("cut the file: %w", err)
		}
	}
	return nil
}

// leaveBehind is a failed sync after which the dirty pages count as clean.
func (f *inode) leaveBehind() error {
	if err := f.reshape(); err != nil {
		return err
	}
	if err := f.base.resize(f.size); err != nil {
		return fmt.Errorf("set the size: %w", err)
	}
	f.baseEnd = f.size
	var split []change
	for _, c := range f.log {
		for at, data := c.off, c.data; len(data) > 0; {
			n := min(int64(len(data)), pageSize-at%pageSize)
			if _, ok := f.dirty[at/pageSize]; ok {
				split = append(split, change{off: at, data: data[:n], size: f.size, stuck: true})
			}
			at, data = at+n, data[n:]
		}
	}
	f.log = split
	for i := range f.dirty {
		f.clean[i] = true
	}
	return nil
}
