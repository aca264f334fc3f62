package format

import (
	"bufio"
	"compress/gzip"
	"io"
	"io/fs"
)

// Gunzip returns dir with every file that gzip packed opened unpacked, under its own name.
func Gunzip(dir fs.FS) fs.FS { return gunzip{dir} }

type gunzip struct{ fs.FS }

// Open implements fs.FS.
func (g gunzip) Open(name string) (fs.File, error) {
	f, err := g.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	in := bufio.NewReader(f)
	if head, err := in.Peek(2); err != nil || head[0] != 0x1f || head[1] != 0x8b {
		return &reading{f, in}, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		_ = f.Close()
		return nil, &fs.PathError{Op: "unpack", Path: name, Err: err}
	}
	return &reading{f, z}, nil
}

// ReadDir implements fs.ReadDirFS.
func (g gunzip) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(g.FS, name) }

// reading is a file whose bytes come from elsewhere.
type reading struct {
	fs.File
	in io.Reader
}

// Read implements fs.File.
func (r *reading) Read(b []byte) (int, error) { return r.in.Read(b) }
