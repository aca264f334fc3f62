//go:build !windows

package backup

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// sameOwner gives all files below dir to whoever owns like, so that a restore by the superuser leaves a folder in which
// the service's user can work.
func sameOwner(dir, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	for _, path := range []string{filepath.Join(like, "lock"), filepath.Join(like, markerFile)} {
		_ = os.Lchown(path, int(owner.Uid), int(owner.Gid)) // they may not be there
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
