package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// extraction unpacks files into a folder.
type extraction struct {
	to       string
	progress Progress
	folders  map[string]bool
	bytes    int64
}

func (x *extraction) visit(name string, size int64, r io.Reader) error {
	inside := place(name)
	if inside == "" || !filepath.IsLocal(filepath.FromSlash(inside)) {
		return fmt.Errorf("%w: it holds a file of the name %q", ErrDamaged, name)
	}
	path := filepath.Join(x.to, filepath.FromSlash(inside))
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for dir := folder; !x.folders[dir]; dir = filepath.Dir(dir) {
		x.folders[dir] = true
		if dir == x.to {
			break
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, r)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	x.bytes += n
	x.progress.say("unpacked %d MB", x.bytes>>20)
	return nil
}

// sync puts the names on the disk.
func (x *extraction) sync() error {
	for dir := range x.folders {
		if err := syncFolder(dir); err != nil {
			return fmt.Errorf("write the folder %s: %w", dir, err)
		}
	}
	return nil
}

// syncFolder puts the names in a folder on the disk. Windows cannot, and does not need it.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
