package archive

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/parquet-go/parquet-go"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// Source is an open file.
type Source interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// FileError says what is wrong with which file. It is a chunk.ErrDamaged where the content is.
type FileError struct {
	Name string
	Err  error
}

func (e *FileError) Error() string {
	if meter, _, month, _, ok := ParseName(e.Name); ok {
		return fmt.Sprintf("archive file %s (meter %s, %s): %v", e.Name, meter, month, e.Err)
	}
	return fmt.Sprintf("archive file %s: %v", e.Name, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// File reads a file. Its methods may be called from several goroutines.
type File struct {
	name string
	src  Source
	file *parquet.File
	tail Tail
}

// Open opens a file. With a tail that was kept apart, nothing of its description is used before it was compared.
func Open(files Files, name string, tail *Tail) (_ *File, err error) {
	src, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{name, fmt.Errorf("%w: the file is not there", chunk.ErrDamaged)}
	}
	if err != nil {
		return nil, &FileError{name, err}
	}
	f, err := newFile(name, src, tail)
	if err != nil {
		_ = src.Close() // it was only read
		return nil, err
	}
	return f, nil
}

func newFile(name string, src Source, tail *Tail) (_ *File, err error) {
	f := &File{name: name, src: src}
	defer func() { err = f.wrap(recover(), err) }()
	if tail != nil {
		f.tail = *tail
		if err := f.compare(tail.Offset, src.Size()-tail.Offset, tail.CRC, "its description"); err != nil {
			return nil, err
		}
	}
	f.file, err = parquet.OpenFile(src, src.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", chunk.ErrDamaged, err)
	}
	version, _ := f.file.Lookup("metermanager.format")
	if version != "1" {
		return nil, fmt.Errorf("%w: layout %q, this program reads 1", chunk.ErrDamaged, version)
	}
	if len(f.file.Schema().Columns()) != columns || !parquet.EqualNodes(f.file.Schema(), schema) {
		return nil, fmt.Errorf("%w: it has other columns", chunk.ErrDamaged)
	}
	for i, g := range f.file.RowGroups() {
		if g.NumRows() < 1 || g.NumRows() > MaxRows {
			return nil, fmt.Errorf("%w: part %d of %d lines", chunk.ErrDamaged, i, g.NumRows())
		}
	}
	return f, nil
}

// wrap names the file in an error, and makes one of a panic of the Parquet module, which does not expect every damage.
func (f *File) wrap(panicked any, err error) error {
	if panicked != nil {
		err = fmt.Errorf("%w: %v", chunk.ErrDamaged, panicked)
	}
	if named := (*FileError)(nil); err != nil && !errors.As(err, &named) {
		err = &FileError{f.name, err}
	}
	return err
}

// compare checks a range of bytes against what was kept apart.
func (f *File) compare(offset, size int64, crc uint32, what string) error {
	if offset < 0 || size < 0 || offset+size > f.src.Size() {
		return fmt.Errorf("%w: %s lies beyond the end of the file", chunk.ErrDamaged, what)
	}
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, io.NewSectionReader(f.src, offset, size)); err != nil {
		return err
	}
	if got := h.Sum32(); got != crc {
		return fmt.Errorf("%w: %s has checksum %08x, want %08x", chunk.ErrDamaged, what, got, crc)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.src.Close() }

// Parts returns how many parts the file has.
func (f *File) Parts() int { return len(f.file.RowGroups()) }

// Check compares the bytes of a part with what was kept apart.
func (f *File) Check(p Part) (err error) {
	defer func() { err = f.wrap(nil, err) }()
	if p.Index < 0 || p.Index >= f.Parts() {
		return fmt.Errorf("%w: it has no part %d", chunk.ErrDamaged, p.Index)
	}
	return f.compare(p.Offset, p.Size, p.CRC, fmt.Sprintf("part %d", p.Index))
}

// Values reads the values of a part into b, whose arrays are used again.
func (f *File) Values(part int, b *logdb.Block) (s Series, err error) {
	defer func() { err = f.wrap(recover(), err) }()
	r := f.part(part)
	s = r.series()
	n := r.n
	b.Times, b.Positions = grown(b.Times, n), grown(b.Positions, n)
	b.Mantissas, b.Exceptions = grown(b.Mantissas, n), b.Exceptions[:0]
	r.int64s(columnTime, func(i int, v int64) { b.Times[i] = logdb.Millis(v) })
	r.int64s(columnPosition, func(i int, v int64) { b.Positions[i] = logdb.Position(v) })
	r.int64s(columnMantissa, func(i int, v int64) { b.Mantissas[i] = v })
	e := r.constant(columnExponent).Int32()
	if e < 0 || e > 18 {
		r.fail(fmt.Errorf("exponent %d", e))
	}
	b.Exponent = uint8(e)
	r.values(columnExact, func(i int, v parquet.Value) {
		if !v.IsNull() {
			b.Exceptions = append(b.Exceptions, logdb.Exception{Index: i, Value: v.Double()})
		}
	})
	return s, r.end(part)
}

// Rows reads the rows of a part into m, whose arrays are used again.
func (f *File) Rows(part int, m *chunk.Marks) (s Series, err error) {
	defer func() { err = f.wrap(recover(), err) }()
	r := f.part(part)
	s = r.series()
	n := r.n
	m.Times, m.Positions = grown(m.Times, n), grown(m.Positions, n)
	m.Runs, m.Generations = grown(m.Runs, n), grown(m.Generations, n)
	r.int64s(columnTime, func(i int, v int64) { m.Times[i] = logdb.Millis(v) })
	r.int64s(columnPosition, func(i int, v int64) { m.Positions[i] = logdb.Position(v) })
	r.int64s(columnRun, func(i int, v int64) { m.Runs[i] = uint32(v) })
	r.int64s(columnGeneration, func(i int, v int64) { m.Generations[i] = uint32(v) })
	return s, r.end(part)
}

// Series returns whose values a part holds.
func (f *File) Series(part int) (s Series, err error) {
	defer func() { err = f.wrap(recover(), err) }()
	r := f.part(part)
	s = r.series()
	return s, r.end(part)
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
