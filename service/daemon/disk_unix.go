//go:build !windows

package daemon

import "syscall"

// freeBytes is the room that is left on the disk of dir, 0 when it cannot be told.
func freeBytes(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
