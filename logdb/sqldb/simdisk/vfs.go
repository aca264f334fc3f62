package simdisk

import (
	"crypto/rand"
	"path/filepath"
	"runtime"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// julianUnixMillis is 1970 in SQLite's count of milliseconds.
const julianUnixMillis = 210_866_760_000_000

func (m *mount) xOpen(_ *libc.TLS, _, zName, pFile uintptr, flags int32, pOutFlags uintptr) int32 {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	file := (*sqlite3.Tsqlite3_file)(pointer(pFile))
	file.FpMethods = 0 // nothing to close yet
	path := ""
	if zName != 0 {
		path = libc.GoString(zName)
	}
	h, rc := d.open(m, path, flags)
	if rc != sqlite3.SQLITE_OK {
		return rc
	}
	if pOutFlags != 0 {
		if h.readOnly {
			flags = flags&^sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_READONLY
		}
		*(*int32)(pointer(pOutFlags)) = flags
	}
	m.open[pFile] = h
	file.FpMethods = m.methods
	return sqlite3.SQLITE_OK
}

func (m *mount) xDelete(_ *libc.TLS, _, zName uintptr, syncDir int32) int32 {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	return m.disk.delete(m, libc.GoString(zName), syncDir != 0)
}

func (m *mount) xAccess(_ *libc.TLS, _, zName uintptr, flags int32, pResOut uintptr) int32 {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.dead {
		return sqlite3.SQLITE_IOERR_ACCESS
	}
	f, err := d.lookup(libc.GoString(zName))
	if err != nil {
		return sqlite3.SQLITE_IOERR_ACCESS
	}
	ok := f != nil
	switch flags {
	case sqlite3.SQLITE_ACCESS_EXISTS:
		ok = ok && f.size > 0 // as SQLite's own layers say it
	case sqlite3.SQLITE_ACCESS_READWRITE:
		ok = ok && !d.readOnly
	}
	*(*int32)(pointer(pResOut)) = libc.Bool32(ok)
	return sqlite3.SQLITE_OK
}

func (m *mount) xFullPathname(_ *libc.TLS, _, zName uintptr, nOut int32, zOut uintptr) int32 {
	path := libc.GoString(zName)
	if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:] // /C:/data of a URI
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if len(path)+1 > int(nOut) {
		return sqlite3.SQLITE_CANTOPEN
	}
	out := bytesAt(zOut, nOut)
	out[copy(out, path)] = 0
	return sqlite3.SQLITE_OK
}

func (m *mount) xRandomness(_ *libc.TLS, _ uintptr, n int32, zOut uintptr) int32 {
	_, _ = rand.Read(bytesAt(zOut, n)) // never fails
	return n
}

// xSleep sleeps by Go's clock, which may be a test's.
func (m *mount) xSleep(_ *libc.TLS, _ uintptr, micros int32) int32 {
	time.Sleep(time.Duration(micros) * time.Microsecond)
	return micros
}

func (m *mount) xCurrentTime(_ *libc.TLS, _, pTime uintptr) int32 {
	*(*float64)(pointer(pTime)) = float64(time.Now().UnixMilli()+julianUnixMillis) / 86_400_000
	return sqlite3.SQLITE_OK
}

func (m *mount) xCurrentTimeInt64(_ *libc.TLS, _, pTime uintptr) int32 {
	*(*int64)(pointer(pTime)) = time.Now().UnixMilli() + julianUnixMillis
	return sqlite3.SQLITE_OK
}

func (m *mount) xGetLastError(*libc.TLS, uintptr, int32, uintptr) int32 { return 0 }

// with runs f on an open file, under the disk's lock.
func (m *mount) with(pFile uintptr, f func(d *Disk, h *handle) int32) int32 {
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	h, ok := m.open[pFile]
	if !ok {
		return sqlite3.SQLITE_IOERR
	}
	return f(d, h)
}

func (m *mount) xClose(_ *libc.TLS, pFile uintptr) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 {
		d.close(h)
		delete(m.open, pFile)
		return sqlite3.SQLITE_OK
	})
}

func (m *mount) xRead(_ *libc.TLS, pFile, zBuf uintptr, n int32, off int64) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 {
		if m.dead {
			return sqlite3.SQLITE_IOERR_READ
		}
		b := bytesAt(zBuf, n)
		valid := max(0, min(int64(n), h.file.size-off))
		if err := h.file.readAt(b[:valid], off); err != nil {
			d.note(h.path, err)
			return sqlite3.SQLITE_IOERR_READ
		}
		if clear(b[valid:]); valid < int64(n) {
			return sqlite3.SQLITE_IOERR_SHORT_READ
		}
		return sqlite3.SQLITE_OK
	})
}

func (m *mount) xWrite(_ *libc.TLS, pFile, zBuf uintptr, n int32, off int64) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 { return d.write(h, bytesAt(zBuf, n), off) })
}

func (m *mount) xTruncate(_ *libc.TLS, pFile uintptr, size int64) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 { return d.truncate(h, size) })
}

func (m *mount) xSync(_ *libc.TLS, pFile uintptr, _ int32) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 { return d.sync(h) })
}

func (m *mount) xFileSize(_ *libc.TLS, pFile, pSize uintptr) int32 {
	return m.with(pFile, func(_ *Disk, h *handle) int32 {
		if m.dead {
			return sqlite3.SQLITE_IOERR_FSTAT
		}
		*(*int64)(pointer(pSize)) = h.file.size
		return sqlite3.SQLITE_OK
	})
}

func (m *mount) xLock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 { return d.lock(h, level) })
}

func (m *mount) xUnlock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 {
		d.unlock(h, level)
		return sqlite3.SQLITE_OK
	})
}

func (m *mount) xCheckReservedLock(_ *libc.TLS, pFile, pResOut uintptr) int32 {
	return m.with(pFile, func(_ *Disk, h *handle) int32 {
		*(*int32)(pointer(pResOut)) = libc.Bool32(h.file.locks.reserved != nil)
		return sqlite3.SQLITE_OK
	})
}

func (m *mount) xFileControl(*libc.TLS, uintptr, int32, uintptr) int32 {
	return sqlite3.SQLITE_NOTFOUND
}

func (m *mount) xSectorSize(*libc.TLS, uintptr) int32 { return sectorSize }

func (m *mount) xDeviceCharacteristics(*libc.TLS, uintptr) int32 {
	return sqlite3.SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

func (m *mount) xShmMap(tls *libc.TLS, pFile uintptr, region, size, extend int32, pp uintptr) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 {
		p, rc := d.mapShm(tls, h, int(region), int64(size), extend != 0)
		*(*uintptr)(pointer(pp)) = p
		return rc
	})
}

func (m *mount) xShmLock(_ *libc.TLS, pFile uintptr, first, count, flags int32) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 { return d.lockShm(h, int(first), int(count), flags) })
}

// xShmBarrier orders what connections see of the index: every lock does.
func (m *mount) xShmBarrier(_ *libc.TLS, _ uintptr) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
}

func (m *mount) xShmUnmap(_ *libc.TLS, pFile uintptr, _ int32) int32 {
	return m.with(pFile, func(d *Disk, h *handle) int32 {
		d.unmapShm(h)
		return sqlite3.SQLITE_OK
	})
}
