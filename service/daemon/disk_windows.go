package daemon

import "golang.org/x/sys/windows"

// freeBytes is the room that is left on the disk of dir, 0 when it cannot be told.
func freeBytes(dir string) int64 {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0
	}
	return int64(free)
}
