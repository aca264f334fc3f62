package daemon

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// freeBytes is the room that is left on the disk of dir.
func freeBytes(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, fmt.Errorf("ask for the room on the disk: %w", err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("ask for the room on the disk: %w", err)
	}
	return int64(free), nil
}
