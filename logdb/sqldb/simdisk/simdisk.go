package simdisk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
)

// ErrInUse is answered by Close while a database of the disk is open.
var ErrInUse = errors.New("files of the simulated disk are open")

// Config is what may be chosen about a disk. The zero value works.
type Config struct {
	// Seed decides what survives a crash.
	Seed uint64
	// Folder holds the files; all names must be inside. "": they live in memory.
	Folder string
}

// Disk is a simulated disk. Its methods may be called from several goroutines, beside running databases.
type Disk struct {
	mu     sync.Mutex
	folder string
	rng    *rand.Rand
	// mounts are the registrations with SQLite; the last one is in use unless it is dead.
	mounts []*mount
	names  map[string]*name
	closed bool

	free      int64 // bytes that may be added; negative: as many as wanted
	readOnly  bool
	failSyncs int
	crashIn   int64 // changes until the power goes; 0: it stays
	killed    bool  // or until the program is killed
	crashed   chan struct{}
	changes   int64
	failed    error // of real files, in a crash
}

// name is a path with the file that programs see there and the one that is there after a crash.
type name struct {
	live, durable *inode
}

// New makes an empty disk, or one that holds the files of a folder, and registers it with SQLite.
func New(cfg Config) (*Disk, error) {
	d := &Disk{rng: rand.New(rand.NewPCG(cfg.Seed, 0x5d15c)), names: map[string]*name{}, free: -1}
	if cfg.Folder != "" {
		abs, err := filepath.Abs(cfg.Folder)
		if err != nil {
			return nil, fmt.Errorf("find the folder of the disk: %w", err)
		}
		d.folder = abs
	}
	m, err := register(d)
	if err != nil {
		return nil, err
	}
	d.mounts = []*mount{m}
	return d, nil
}

// VFS returns the name under which SQLite knows the disk. It changes with a crash and with Restore: under the old
// name nothing can be opened any more, so that a program from before cannot go on by a new connection.
func (d *Disk) VFS() string {
	d.mu.Lock()
	m := d.mounts[len(d.mounts)-1]
	if !m.dead || d.closed {
		defer d.mu.Unlock()
		return m.name
	}
	d.mu.Unlock()
	// SQLite has locks of its own around its list, so the disk must not be locked meanwhile.
	fresh, err := register(d)
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.mounts[len(d.mounts)-1]
	if err != nil {
		return last.name // opening will fail
	}
	d.mounts = append(d.mounts, fresh)
	if !last.dead { // somebody else was faster; both belong to the same life
		return last.name
	}
	return fresh.name
}

// Close writes back what a folder has not got yet and takes the disk away from SQLite. All databases must be closed:
// ErrInUse otherwise.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	for _, m := range d.mounts {
		if len(m.open) > 0 {
			return fmt.Errorf("%w: %d", ErrInUse, len(m.open))
		}
	}
	d.closed = true
	failed := d.failed
	for path, n := range d.names {
		failed = errors.Join(failed, d.settle(path, n))
		if n.live != nil {
			failed = errors.Join(failed, d.flush(n.live), n.live.base.close())
		}
	}
	for _, m := range d.mounts {
		failed = errors.Join(failed, m.unregister())
	}
	return failed
}

// SetFull lets no file grow any more, or lifts the limit.
func (d *Disk) SetFull(full bool) {
	if full {
		d.SetFreeBytes(0)
	} else {
		d.SetFreeBytes(-1)
	}
}

// SetFreeBytes lets files grow by n bytes from now on; what they shrink by may be used again. Negative: no limit.
func (d *Disk) SetFreeBytes(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = max(n, -1)
}

// FreeBytes returns how much files may still grow; 1 TB without a limit. The folder is not looked at.
func (d *Disk) FreeBytes(string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free < 0 {
		return 1 << 40, nil
	}
	return d.free, nil
}

// SetReadOnly makes every change fail, as on a file system that was mounted again for reading.
func (d *Disk) SetReadOnly(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readOnly = on
}

// Writable returns the error that a write to a file beside the databases gets now: EROFS or ENOSPC.
func (d *Disk) Writable() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.readOnly:
		return syscall.EROFS
	case d.free == 0:
		return syscall.ENOSPC
	}
	return nil
}

// SyncOther is the sync of a file beside the databases: one of those that fail when there are any.
func (d *Disk) SyncOther() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.readOnly:
		return syscall.EROFS
	case d.failSyncs > 0:
		d.failSyncs--
		return syscall.EIO
	}
	return nil
}

// FailSync makes the next n syncs fail. What they were to sync then is on the disk after all, or waits for the next
// sync, or, as on Linux, counts as clean although it was never written: which one, the seed decides.
func (d *Disk) FailSync(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failSyncs = n
}

// CrashAfter lets the power go after n further changes (writes, truncations, creations, deletions and syncs): the n-th
// one is asked for, but never answered with success. 0 calls it off. The channel is closed when it has happened.
func (d *Disk) CrashAfter(n int64) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endAfter(n, false)
}

// KillAfter ends the program after n further changes, as CrashAfter does with the power: what was written, synced or
// not, can be read again, but only what was synced is there after a crash.
func (d *Disk) KillAfter(n int64) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endAfter(n, true)
}

func (d *Disk) endAfter(n int64, killed bool) <-chan struct{} {
	d.crashIn, d.killed = n, killed
	d.crashed = make(chan struct{})
	return d.crashed
}

// Changes counts writes, truncations, creations, deletions and syncs, so that a test can let a fault hit any of them.
func (d *Disk) Changes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}
