package simdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// earlyOneIn is how seldom a write of a folder's file goes through before it is synced.
const earlyOneIn = 8

// real is the durable content of a file of a folder.
type real struct {
	f     *os.File
	bytes int64
}

// openReal opens a file of a folder; nil when it does not exist and is not to be made. A made file is empty.
func openReal(path string, create bool) (base, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &real{f: f, bytes: info.Size()}, nil
}

func (r *real) size() int64  { return r.bytes }
func (r *real) close() error { return r.f.Close() }

func (r *real) readAt(p []byte, off int64) error {
	n, err := r.f.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		clear(p[n:])
		return nil
	}
	return err
}

func (r *real) writeAt(p []byte, off int64) error {
	_, err := r.f.WriteAt(p, off)
	r.bytes = max(r.bytes, off+int64(len(p)))
	return err
}

func (r *real) writePage(i int64, pg *page) error { return r.writeAt(pg.data[:], i*pageSize) }

func (r *real) resize(n int64) error {
	if n == r.bytes {
		return nil
	}
	if err := r.f.Truncate(n); err != nil {
		return err
	}
	r.bytes = n
	return nil
}

// remove takes the durable file of a name away. Who has it open keeps what it held.
func (d *Disk) remove(path string, f *inode) error {
	if d.folder == "" {
		return nil
	}
	kept := &memory{}
	if f.refs > 0 {
		for i := range (f.base.size() + pageSize - 1) / pageSize {
			pg := &page{shared: true}
			if err := f.base.readAt(pg.data[:], i*pageSize); err != nil {
				return err
			}
			_ = kept.writePage(i, pg) // memory does not fail
		}
		kept.bytes = f.base.size()
	}
	if err := errors.Join(f.base.close(), os.Remove(path)); err != nil {
		return err
	}
	f.base, f.named = kept, false
	return nil
}

// writeEarly lets something go to the disk before it is synced, by chance, or when too much waits.
func (d *Disk) writeEarly(path string, f *inode) error {
	if len(f.log) > maxPending && path != "" {
		if n := d.names[path]; n != nil && n.live == f {
			if err := d.settle(path, n); err != nil {
				return err
			}
		}
		return d.flush(f)
	}
	if d.folder == "" || !f.named || len(f.log) == 0 || d.rng.IntN(earlyOneIn) > 0 {
		return nil
	}
	c := f.log[d.rng.IntN(len(f.log))]
	if len(c.data) == 0 || c.stuck {
		return nil
	}
	at := (c.off + d.rng.Int64N(int64(len(c.data)))) / sectorSize * sectorSize
	n := min(sectorSize, f.size-at)
	if n <= 0 {
		return nil
	}
	b := make([]byte, n)
	if err := f.readAt(b, at); err != nil {
		return err
	}
	if err := f.reshape(); err != nil { // sizes change in order
		return err
	}
	return f.base.writeAt(b, at)
}
