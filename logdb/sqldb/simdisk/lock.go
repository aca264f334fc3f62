package simdisk

import (
	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// locks are the file locks of SQLite's rollback mode; with a WAL everybody holds a shared one.
type locks struct {
	shared            int
	reserved, pending *handle // also of who is exclusive
	exclusive         *handle
}

func (d *Disk) lock(h *handle, level int32) int32 {
	if h.mount.dead {
		return sqlite3.SQLITE_IOERR_LOCK
	}
	l := &h.file.locks
	if h.level >= level {
		return sqlite3.SQLITE_OK
	}
	switch level {
	case sqlite3.SQLITE_LOCK_SHARED:
		if l.pending != nil || l.exclusive != nil {
			return sqlite3.SQLITE_BUSY
		}
		l.shared++
	case sqlite3.SQLITE_LOCK_RESERVED:
		if l.reserved != nil {
			return sqlite3.SQLITE_BUSY
		}
		l.reserved = h
	default:
		if l.reserved != nil && l.reserved != h || l.pending != nil && l.pending != h {
			return sqlite3.SQLITE_BUSY
		}
		// A pending lock keeps new readers out until those that read have ended.
		l.pending = h
		h.level = sqlite3.SQLITE_LOCK_PENDING
		if l.shared > 1 {
			return sqlite3.SQLITE_BUSY
		}
		l.reserved, l.exclusive = h, h
	}
	h.level = level
	return sqlite3.SQLITE_OK
}

func (d *Disk) unlock(h *handle, level int32) {
	l := &h.file.locks
	if h.level <= level {
		return
	}
	if l.exclusive == h {
		l.exclusive = nil
	}
	if l.pending == h {
		l.pending = nil
	}
	if l.reserved == h {
		l.reserved = nil
	}
	if level == sqlite3.SQLITE_LOCK_NONE {
		l.shared--
	}
	h.level = level
}

// shm is the index of a WAL, which all connections to a file share, and its locks.
type shm struct {
	regions   []uintptr
	refs      int
	shared    [sqlite3.SQLITE_SHM_NLOCK]int
	exclusive [sqlite3.SQLITE_SHM_NLOCK]bool
}

// mapShm returns a region, 0 when there is none and none is wanted.
func (d *Disk) mapShm(tls *libc.TLS, h *handle, region int, size int64, extend bool) (uintptr, int32) {
	if h.mount.dead {
		return 0, sqlite3.SQLITE_IOERR_SHMMAP
	}
	s := h.file.shm
	if s == nil {
		if d.readOnly {
			return 0, sqlite3.SQLITE_CANTOPEN
		}
		s = &shm{}
		h.file.shm = s
	}
	if !h.mapped {
		h.mapped = true
		s.refs++
	}
	for region >= len(s.regions) {
		if !extend {
			return 0, sqlite3.SQLITE_OK
		}
		if d.free >= 0 && d.free < size {
			return 0, sqlite3.SQLITE_IOERR_SHMSIZE
		}
		p := libc.Xcalloc(tls, 1, types.Size_t(size))
		if p == 0 {
			return 0, sqlite3.SQLITE_IOERR_NOMEM
		}
		if d.free >= 0 {
			d.free -= size
		}
		s.regions = append(s.regions, p)
	}
	return s.regions[region], sqlite3.SQLITE_OK
}

func (d *Disk) lockShm(h *handle, first, count int, flags int32) int32 {
	s := h.file.shm
	if h.mount.dead || s == nil {
		return sqlite3.SQLITE_IOERR_SHMLOCK
	}
	mask := uint16(1<<(first+count) - 1<<first)
	switch flags {
	case sqlite3.SQLITE_SHM_UNLOCK | sqlite3.SQLITE_SHM_SHARED, sqlite3.SQLITE_SHM_UNLOCK | sqlite3.SQLITE_SHM_EXCLUSIVE:
		h.releaseShm(mask)
	case sqlite3.SQLITE_SHM_LOCK | sqlite3.SQLITE_SHM_SHARED:
		if h.shared&mask != 0 {
			return sqlite3.SQLITE_OK
		}
		if s.exclusive[first] {
			return sqlite3.SQLITE_BUSY
		}
		s.shared[first]++
		h.shared |= mask
	case sqlite3.SQLITE_SHM_LOCK | sqlite3.SQLITE_SHM_EXCLUSIVE:
		for i := first; i < first+count; i++ {
			bit := uint16(1) << i
			if h.exclusive&bit == 0 && (s.exclusive[i] || s.shared[i] > 0) {
				return sqlite3.SQLITE_BUSY
			}
		}
		for i := first; i < first+count; i++ {
			s.exclusive[i] = true
		}
		h.exclusive |= mask
	default:
		return sqlite3.SQLITE_MISUSE
	}
	return sqlite3.SQLITE_OK
}

// releaseShm gives up the locks of mask that h holds.
func (h *handle) releaseShm(mask uint16) {
	for i := range sqlite3.SQLITE_SHM_NLOCK {
		bit := uint16(1) << i
		if mask&bit == 0 {
			continue
		}
		if h.shared&bit != 0 {
			h.file.shm.shared[i]--
		}
		if h.exclusive&bit != 0 {
			h.file.shm.exclusive[i] = false
		}
	}
	h.shared &^= mask
	h.exclusive &^= mask
}

// unmapShm lets go of the index; the last one to do so frees it, as it does when all processes have ended.
func (d *Disk) unmapShm(h *handle) {
	if !h.mapped {
		return
	}
	h.releaseShm(^uint16(0))
	h.mapped = false
	s := h.file.shm
	if s.refs--; s.refs > 0 {
		return
	}
	tls := libc.NewTLS()
	defer tls.Close()
	for _, p := range s.regions {
		libc.Xfree(tls, p)
		if d.free >= 0 && !h.mount.dead {
			d.free += walIndexRegion
		}
	}
	h.file.shm = nil
}

// walIndexRegion is the size of a region as SQLite asks for it.
const walIndexRegion = 32 << 10
