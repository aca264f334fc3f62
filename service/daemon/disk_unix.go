//go:build !windows

package daemon

import (
	"fmt"
	"syscall"
)

// freeBytes is the room that is left on the disk of dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for the room on the disk: %w", err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
