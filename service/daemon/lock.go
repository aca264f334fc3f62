package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrInUse marks a data folder in which another process works.
var ErrInUse = errors.New("another Meter Manager works in this data folder")

// lockFolder makes sure that one process at a time works in a data folder. The lock ends
// with the process, however that ends.
func lockFolder(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, dir), f.Close())
	}
	return f.Close, nil
}
