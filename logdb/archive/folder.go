package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"metermanager/logdb/chunk"
)

// Files is the file layer below the archive. Names have slashes and lie below one folder.
type Files interface {
	// Create begins a file; fs.ErrExist when there is one of that name. Its folder is made when it is missing.
	Create(name string) (Sink, error)
	// Rename gives a file its name for good: it and its folder are on the disk when it returns. fs.ErrExist when another file has it.
	Rename(from, to string) error
	// Remove removes a file; one that is not there is no error.
	Remove(name string) error
	// Open opens a file for reading; fs.ErrNotExist.
	Open(name string) (Source, error)
	// List returns the names of all files, sorted.
	List() ([]string, error)
}

// Plain is implemented by Files that want their content uncompressed: packers are shared by all that run in one process,
// which those that live in different times cannot do.
type Plain interface{ Plain() }

// Sink is a file that is being written.
type Sink interface {
	io.Writer
	Sync() error
	Close() error
}

// Temporary is what a file is called while it is written.
func Temporary(name string) string { return name + ".tmp" }

// IsTemporary reports whether a file was being written when the program ended.
func IsTemporary(name string) bool { return strings.HasSuffix(name, ".tmp") }

// Folder is a folder of the system.
type Folder struct{ Path string }

var _ Files = Folder{}

func (f Folder) at(name string) string { return filepath.Join(f.Path, filepath.FromSlash(name)) }

// Create implements Files.
func (f Folder) Create(name string) (Sink, error) {
	path := f.at(name)
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		// The folders themselves must be there after a crash, too.
		for dir := filepath.Dir(folder); ; dir = filepath.Dir(dir) {
			if err := syncFolder(dir); err != nil {
				return nil, err
			}
			if dir == filepath.Dir(f.Path) || dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Rename implements Files.
func (f Folder) Rename(from, to string) error {
	// A second name takes the place of no other file, a new name does.
	switch err := os.Link(f.at(from), f.at(to)); {
	case errors.Is(err, fs.ErrExist):
		return err
	case err == nil:
		if err := os.Remove(f.at(from)); err != nil {
			return err
		}
	default: // not every file system has second names
		if _, err := os.Stat(f.at(to)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fs.ErrExist, err)
		}
		if err := os.Rename(f.at(from), f.at(to)); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(f.at(to)))
}

// syncFolder brings the names of a folder to the disk. Windows has no such call: there a rename is in the file system's journal.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Remove implements Files.
func (f Folder) Remove(name string) error {
	if err := os.Remove(f.at(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

type osFile struct {
	*os.File
	size int64
}

func (f osFile) Size() int64 { return f.size }

// Open implements Files.
func (f Folder) Open(name string) (Source, error) {
	file, err := os.Open(f.at(name))
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return osFile{file, info.Size()}, nil
}

// List implements Files.
func (f Folder) List() ([]string, error) {
	var out []string
	err := filepath.WalkDir(f.Path, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(f.Path, path)
		out = append(out, filepath.ToSlash(name))
		return err
	})
	return out, err
}

// Written is what must be kept apart from a file.
type Written struct {
	Size   int64
	SHA256 [sha256.Size]byte
	Tail   Tail
	Parts  int
}

// Write writes a file under a temporary name, brings it to the disk and gives it its name. Whatever goes wrong, no file has that
// name.
func Write(files Files, name string, h Header, fill func(*Writer) error) (out Written, err error) {
	temporary := Temporary(name)
	sink, err := files.Create(temporary)
	if err != nil { // it may be that of another node
		return out, &FileError{name, err}
	}
	defer func() {
		if err != nil {
			err = &FileError{name, errors.Join(err, files.Remove(temporary))}
		}
	}()
	hash := sha256.New()
	w := NewWriter(io.MultiWriter(sink, hash), h)
	if _, plain := files.(Plain); plain {
		w = newWriter(io.MultiWriter(sink, hash), h, plainSchema)
	}
	if err = fill(w); err == nil {
		out.Tail, err = w.Close()
	}
	if err == nil {
		err = sink.Sync()
	}
	if err = errors.Join(err, sink.Close()); err != nil {
		return out, err
	}
	out.Size, out.Parts = w.Size(), w.parts
	hash.Sum(out.SHA256[:0])
	return out, files.Rename(temporary, name)
}

// Verify reads a file from the first byte to the last and compares it with what was kept apart.
func Verify(files Files, name string, want Written) error {
	src, err := files.Open(name)
	if err != nil {
		return &FileError{name, err}
	}
	defer func() { _ = src.Close() }() // it was only read
	hash := sha256.New()
	n, err := io.Copy(hash, io.NewSectionReader(src, 0, src.Size()))
	if err != nil {
		return &FileError{name, err}
	}
	if got := [sha256.Size]byte(hash.Sum(nil)); n != want.Size || got != want.SHA256 {
		return &FileError{name, fmt.Errorf("%w: %d bytes with SHA-256 %x, want %d with %x", chunk.ErrDamaged, n, got, want.Size, want.SHA256)}
	}
	return nil
}
