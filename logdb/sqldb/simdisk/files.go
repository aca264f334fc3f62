package simdisk

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// handle is a file that SQLite has open.
type handle struct {
	mount *mount
	file  *inode
	path  string
	// readOnly handles cannot change the file; temporary ones delete it when they close.
	readOnly, temporary bool
	level               int32 // of the file lock
	shared, exclusive   uint16
	mapped              bool
}

// lookup returns the file that programs see under path, nil without one.
func (d *Disk) lookup(path string) (*inode, error) {
	if n, ok := d.names[path]; ok {
		return n.live, nil
	}
	if d.folder == "" {
		return nil, nil
	}
	b, err := openReal(path, false)
	if err != nil || b == nil {
		return nil, err
	}
	f := newInode(b, true)
	d.names[path] = &name{live: f, durable: f}
	return f, nil
}

// inside is whether a name may be on this disk.
func (d *Disk) inside(path string) bool {
	if d.folder == "" {
		return true
	}
	rel, err := filepath.Rel(d.folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func (d *Disk) open(m *mount, path string, flags int32) (*handle, int32) {
	if m.dead || d.closed {
		return nil, sqlite3.SQLITE_CANTOPEN
	}
	h := &handle{mount: m, path: path, readOnly: flags&sqlite3.SQLITE_OPEN_READONLY != 0, temporary: flags&sqlite3.SQLITE_OPEN_DELETEONCLOSE != 0}
	if path == "" { // a file that nobody else sees
		h.file = newInode(&memory{}, false)
		h.temporary = true
		h.file.refs++
		return h, sqlite3.SQLITE_OK
	}
	if !d.inside(path) {
		return nil, sqlite3.SQLITE_CANTOPEN
	}
	f, err := d.lookup(path)
	if err != nil {
		d.note(path, err)
		return nil, sqlite3.SQLITE_CANTOPEN
	}
	switch {
	case f == nil && (flags&sqlite3.SQLITE_OPEN_CREATE == 0 || d.readOnly):
		return nil, sqlite3.SQLITE_CANTOPEN
	case f != nil && flags&sqlite3.SQLITE_OPEN_EXCLUSIVE != 0 && flags&sqlite3.SQLITE_OPEN_CREATE != 0:
		return nil, sqlite3.SQLITE_CANTOPEN
	case f == nil:
		f = newInode(&memory{}, false)
		if rc := d.change(m, sqlite3.SQLITE_CANTOPEN, func() int32 {
			d.names[path] = &name{live: f, durable: d.durable(path)}
			return sqlite3.SQLITE_OK
		}); rc != sqlite3.SQLITE_OK {
			return nil, rc
		}
	}
	h.readOnly = h.readOnly || d.readOnly
	h.file = f
	f.refs++
	return h, sqlite3.SQLITE_OK
}

func (d *Disk) durable(path string) *inode {
	if n, ok := d.names[path]; ok {
		return n.durable
	}
	return nil
}

// change runs op, which changes the disk, unless the power is gone or goes now. lost is what SQLite is told then.
func (d *Disk) change(m *mount, lost int32, op func() int32) int32 {
	if m.dead {
		return lost
	}
	d.changes++
	if d.crashIn == 0 {
		return op()
	}
	if d.crashIn--; d.crashIn > 0 {
		return op()
	}
	if d.rng.IntN(2) == 0 {
		op()
	}
	if d.killed {
		d.kill()
	} else {
		d.crash()
	}
	return lost
}

func (d *Disk) write(h *handle, p []byte, off int64) int32 {
	return d.change(h.mount, sqlite3.SQLITE_IOERR_WRITE, func() int32 {
		if h.readOnly {
			return sqlite3.SQLITE_READONLY
		}
		if d.readOnly {
			return sqlite3.SQLITE_IOERR_WRITE
		}
		rc := int32(sqlite3.SQLITE_OK)
		if more := off + int64(len(p)) - h.file.size; more > 0 && d.free >= 0 {
			if more > d.free {
				// What fits is written, as write(2) does.
				rc = sqlite3.SQLITE_FULL
				p = p[:max(0, int64(len(p))-(more-d.free))]
				more = max(0, off+int64(len(p))-h.file.size)
			}
			if len(p) > 0 {
				d.free -= more
			}
		}
		if len(p) == 0 {
			return rc
		}
		if err := h.file.write(p, off); err != nil {
			d.note(h.path, err)
			return sqlite3.SQLITE_IOERR_WRITE
		}
		if err := d.writeEarly(h.path, h.file); err != nil {
			d.note(h.path, err)
			return sqlite3.SQLITE_IOERR_WRITE
		}
		return rc
	})
}

func (d *Disk) truncate(h *handle, size int64) int32 {
	return d.change(h.mount, sqlite3.SQLITE_IOERR_TRUNCATE, func() int32 {
		if h.readOnly || d.readOnly {
			return sqlite3.SQLITE_IOERR_TRUNCATE
		}
		if more := size - h.file.size; d.free >= 0 {
			if more > d.free {
				return sqlite3.SQLITE_FULL
			}
			d.free -= more
		}
		if err := h.file.truncate(size); err != nil {
			d.note(h.path, err)
			return sqlite3.SQLITE_IOERR_TRUNCATE
		}
		return sqlite3.SQLITE_OK
	})
}

func (d *Disk) sync(h *handle) int32 {
	return d.change(h.mount, sqlite3.SQLITE_IOERR_FSYNC, func() int32 {
		if h.temporary {
			return sqlite3.SQLITE_OK
		}
		rc := int32(sqlite3.SQLITE_OK)
		var err error
		if d.failSyncs > 0 || d.readOnly && len(h.file.log) > 0 {
			rc = sqlite3.SQLITE_IOERR_FSYNC
		}
		if d.failSyncs > 0 {
			d.failSyncs--
		}
		switch {
		case rc == sqlite3.SQLITE_OK || !d.readOnly && d.rng.IntN(3) == 0:
			if err = d.settleFolder(h); err == nil {
				err = d.flush(h.file)
			}
		case !d.readOnly && h.file.named && d.rng.IntN(2) == 0:
			err = h.file.leaveBehind()
		}
		if err != nil {
			d.note(h.path, err)
			return sqlite3.SQLITE_IOERR_FSYNC
		}
		return rc
	})
}

// settleFolder makes all names durable when a new file is synced for the first time.
func (d *Disk) settleFolder(h *handle) error {
	if h.file.named {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		if err := d.settle(path, d.names[path]); err != nil {
			return err
		}
	}
	return nil
}

// settle makes a name durable: what programs see under it is what a crash leaves.
func (d *Disk) settle(path string, n *name) error {
	if n.live == n.durable {
		return nil
	}
	if n.durable != nil {
		if err := d.remove(path, n.durable); err != nil {
			return err
		}
		n.durable = nil
	}
	if n.live == nil {
		if d.folder == "" {
			delete(d.names, path)
		}
		return nil
	}
	if d.folder != "" {
		b, err := openReal(path, true)
		if err != nil {
			return err
		}
		n.live.base = b
	}
	n.live.named = true
	n.durable = n.live
	return nil
}

func (d *Disk) delete(m *mount, path string, synced bool) int32 {
	if m.dead {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	f, err := d.lookup(path)
	if err != nil {
		d.note(path, err)
		return sqlite3.SQLITE_IOERR_DELETE
	}
	if f == nil {
		return sqlite3.SQLITE_IOERR_DELETE_NOENT
	}
	return d.change(m, sqlite3.SQLITE_IOERR_DELETE, func() int32 {
		if d.readOnly {
			return sqlite3.SQLITE_IOERR_DELETE
		}
		if d.free >= 0 {
			d.free += f.size
		}
		n := d.names[path]
		n.live = nil
		if synced || d.folder != "" && d.rng.IntN(2) == 0 {
			if err := d.settle(path, n); err != nil {
				d.note(path, err)
				return sqlite3.SQLITE_IOERR_DELETE
			}
		}
		return sqlite3.SQLITE_OK
	})
}

func (d *Disk) close(h *handle) {
	d.unlock(h, sqlite3.SQLITE_LOCK_NONE)
	d.unmapShm(h)
	h.file.refs--
	if h.temporary && h.path != "" && !h.mount.dead {
		if n, ok := d.names[h.path]; ok && n.live == h.file {
			n.live = nil
			d.note(h.path, d.settle(h.path, n))
		}
	}
}
