package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// ErrInUse marks a folder in which another process works.
var ErrInUse = errors.New("another Meter Manager works in this folder")

// ErrReadOnly marks a folder in which nothing can be written.
var ErrReadOnly = errors.New("the data folder cannot be written to")

// LockFolder makes sure that one process at a time works in a folder. The lock ends with
// the process, however that ends.
func LockFolder(dir string) (unlock func() error, err error) {
	unlock, err = lockFile(filepath.Join(dir, "lock"))
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil, fmt.Errorf("%w: %w; give the user of the service the right to write to it, or make the disk writable", ErrReadOnly, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	return unlock, nil
}

// errLocked is what lockFile returns when somebody else has the lock.
var errLocked = errors.New("locked")
