package simdisk

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// mount is a registration of a disk with SQLite. It lasts until the next crash.
type mount struct {
	disk *Disk
	name string
	// SQLite's tables, in memory of C: the VFS, its name, the methods of files.
	vfs, cname, methods uintptr
	// calls are the Go functions that the tables point to: SQLite's pointers do not keep them.
	calls []any
	open  map[uintptr]*handle // by sqlite3_file
	dead  bool
}

// registered holds the mounts that SQLite points to: its list is one for the process, and the garbage collector
// does not see it.
var registered sync.Map

// register tells SQLite of the disk.
func register(d *Disk) (*mount, error) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	m := &mount{disk: d, name: "simdisk-" + hex.EncodeToString(b[:]), open: map[uintptr]*handle{}}
	tls := libc.NewTLS()
	defer tls.Close()
	cname, err := libc.CString(m.name)
	if err != nil {
		return nil, fmt.Errorf("register the disk: %w", err)
	}
	m.cname = cname
	m.vfs = libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	m.methods = libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{})))
	if m.vfs == 0 || m.methods == 0 {
		m.free(tls)
		return nil, fmt.Errorf("register the disk: out of memory")
	}
	m.fillMethods((*sqlite3.Tsqlite3_io_methods)(pointer(m.methods)))
	m.fillVFS((*sqlite3.Tsqlite3_vfs)(pointer(m.vfs)))
	if rc := sqlite3.Xsqlite3_vfs_register(tls, m.vfs, 0); rc != sqlite3.SQLITE_OK {
		m.free(tls)
		return nil, fmt.Errorf("register the disk: SQLite answers %d", rc)
	}
	registered.Store(m, true)
	return m, nil
}

func (m *mount) unregister() error {
	tls := libc.NewTLS()
	defer tls.Close()
	if rc := sqlite3.Xsqlite3_vfs_unregister(tls, m.vfs); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("take the disk away: SQLite answers %d", rc)
	}
	registered.Delete(m)
	m.free(tls)
	return nil
}

func (m *mount) free(tls *libc.TLS) {
	for _, p := range []uintptr{m.vfs, m.methods, m.cname} {
		if p != 0 {
			libc.Xfree(tls, p)
		}
	}
	m.vfs, m.methods, m.cname = 0, 0, 0
}

// pointer is the address that SQLite gave us.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// bytesAt are n bytes of SQLite's memory.
func bytesAt(p uintptr, n int32) []byte { return unsafe.Slice((*byte)(pointer(p)), int(n)) }

// call makes a function pointer of f as the translated C code wants it, and keeps f.
func call[F any](m *mount, f F) uintptr {
	m.calls = append(m.calls, f)
	return *(*uintptr)(unsafe.Pointer(&f))
}

func (m *mount) fillVFS(v *sqlite3.Tsqlite3_vfs) {
	v.FiVersion = 2
	v.FszOsFile = int32(unsafe.Sizeof(sqlite3.Tsqlite3_file{}))
	v.FmxPathname = 1024
	v.FzName = m.cname
	v.FxOpen = call(m, m.xOpen)
	v.FxDelete = call(m, m.xDelete)
	v.FxAccess = call(m, m.xAccess)
	v.FxFullPathname = call(m, m.xFullPathname)
	v.FxRandomness = call(m, m.xRandomness)
	v.FxSleep = call(m, m.xSleep)
	v.FxCurrentTime = call(m, m.xCurrentTime)
	v.FxGetLastError = call(m, m.xGetLastError)
	v.FxCurrentTimeInt64 = call(m, m.xCurrentTimeInt64)
}

func (m *mount) fillMethods(v *sqlite3.Tsqlite3_io_methods) {
	v.FiVersion = 2 // with shared memory, without mapped files
	v.FxClose = call(m, m.xClose)
	v.FxRead = call(m, m.xRead)
	v.FxWrite = call(m, m.xWrite)
	v.FxTruncate = call(m, m.xTruncate)
	v.FxSync = call(m, m.xSync)
	v.FxFileSize = call(m, m.xFileSize)
	v.FxLock = call(m, m.xLock)
	v.FxUnlock = call(m, m.xUnlock)
	v.FxCheckReservedLock = call(m, m.xCheckReservedLock)
	v.FxFileControl = call(m, m.xFileControl)
	v.FxSectorSize = call(m, m.xSectorSize)
	v.FxDeviceCharacteristics = call(m, m.xDeviceCharacteristics)
	v.FxShmMap = call(m, m.xShmMap)
	v.FxShmLock = call(m, m.xShmLock)
	v.FxShmBarrier = call(m, m.xShmBarrier)
	v.FxShmUnmap = call(m, m.xShmUnmap)
}
