package applog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// file is a log file that begins anew when it is full: NAME, NAME.1 (the one before) and so on.
type file struct {
	path string
	most int64
	keep int

	mu   sync.Mutex
	f    *os.File // nil: could not be opened the last time, or closed
	size int64
	done bool
}

func openFile(path string, most int64, keep int) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the log: %w", err)
	}
	f := &file{path: path, most: most, keep: keep}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) open() error {
	h, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	info, err := h.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("ask for the size of the log: %w", err), h.Close())
	}
	f.f, f.size = h, info.Size()
	return nil
}

func (f *file) write(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return nil
	}
	if f.f != nil && f.size > 0 && f.size+int64(len(line)) > f.most {
		if err := f.turn(); err != nil {
			return err
		}
	}
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(line)
	f.size += int64(n)
	if err != nil {
		return fmt.Errorf("write to the log: %w", err)
	}
	return nil
}

// turn closes the file (Windows renames no open one) and moves all of them on by one.
func (f *file) turn() error {
	err := f.f.Close()
	f.f = nil
	if err != nil {
		return fmt.Errorf("close the log: %w", err)
	}
	name := func(i int) string {
		if i == 0 {
			return f.path
		}
		return fmt.Sprintf("%s.%d", f.path, i)
	}
	if err := os.Remove(name(f.keep)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the oldest log: %w", err)
	}
	for i := f.keep - 1; i >= 0; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("move a full log: %w", err)
		}
	}
	return f.open()
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
