package pqdif

import (
	"errors"
	"fmt"
	"io"
)

// ErrFormat marks a file that is not PQDIF or that breaks before its first data.
var ErrFormat = errors.New("not a readable PQDIF file")

// Config bounds what a file may ask for. The zero value works.
type Config struct {
	MaxRecordBytes int   // of one record's body when inflated; default 64 MiB
	MaxTotalBytes  int64 // of all bodies together; default 1 GiB or 64 times the file, whichever is more
	MaxElements    int   // of all collections together; default 8 million
	MaxValues      int   // of all series together, after expansion; default 32 million
}

func (c Config) withDefaults(size int64) Config {
	if c.MaxRecordBytes == 0 {
		c.MaxRecordBytes = 64 << 20
	}
	if c.MaxTotalBytes == 0 {
		c.MaxTotalBytes = max(1<<30, 64*size)
	}
	if c.MaxElements == 0 {
		c.MaxElements = 8 << 20
	}
	if c.MaxValues == 0 {
		c.MaxValues = 32 << 20
	}
	return c
}

// Is reports whether a file that begins with head is PQDIF.
func Is(head []byte) bool { return len(head) >= 16 && GUID(head[:16]) == signature }

// Reader reads the records of a file in order and gives out its observations one by one, so that
// only one record is held at a time.
type Reader struct {
	// Container is the file's first record.
	Container Container
	// Records counts the records read so far, the container included.
	Records int
	// Source is the data source that the next observation belongs to; nil before there is one.
	Source *Source

	file     io.ReaderAt
	size     int64
	cfg      Config
	next     int64 // offset of the next record, 0 at the end
	visited  map[int64]bool
	deflated bool
	settings settings
	notes    notes
	elements int
	values   int
	bytes    int64
	failed   int  // observations that could not be read
	failure  Note // of the first of them
}

// Container is what the file says of itself.
type Container struct {
	FileName string
	Version  [4]uint32 // writer major and minor, compatible major and minor
	Created  Timestamp
	// Style and Algorithm say how the other records are compressed: 0 and 0 not at all, 2 and 1
	// each by zlib.
	Style, Algorithm uint32
}

// NewReader reads the first record of a file of size bytes. ErrFormat when it is not PQDIF.
func NewReader(file io.ReaderAt, size int64, cfg Config) (*Reader, error) {
	cfg = cfg.withDefaults(size)
	r := &Reader{file: file, size: size, cfg: cfg, visited: map[int64]bool{},
		elements: cfg.MaxElements, values: cfg.MaxValues, bytes: cfg.MaxTotalBytes}
	rec, err := r.record(0)
	if err != nil {
		return nil, fmt.Errorf("%w: record 0: %w", ErrFormat, err)
	}
	if rec.typ != recordContainer {
		return nil, fmt.Errorf("%w: the first record is of type %s, not a container", ErrFormat, rec.typ)
	}
	if err := r.container(rec); err != nil {
		return nil, fmt.Errorf("%w: container: %w", ErrFormat, err)
	}
	return r, nil
}

// Notes returns what was not understood so far, most important things first met first.
func (r *Reader) Notes() []Note { return r.notes.list }

// Next returns the next observation, io.EOF after the last. Records that cannot be read are named in
// Notes and passed over; only a file that asks for too much ends with an error.
func (r *Reader) Next() (*Observation, error) {
	for r.next != 0 {
		at := r.next
		rec, err := r.record(at)
		if errors.Is(err, errBudget) {
			return nil, fmt.Errorf("record %d at offset %d: %w", r.Records, at, err)
		}
		if err != nil {
			r.notes.add(r.Records, at, "a record cannot be read: %v", err)
			continue
		}
		o, err := r.take(rec)
		if errors.Is(err, errBudget) {
			return nil, fmt.Errorf("record %d at offset %d: %w", rec.index, at, err)
		}
		if err != nil {
			r.notes.add(rec.index, at, "a record of type %s cannot be read: %v", rec.typeName(), err)
			if rec.typ == recordObservation {
				if r.failed++; r.failed == 1 {
					r.failure = Note{Record: rec.index, Offset: at, Text: err.Error(), Count: 1}
				}
			}
			continue
		}
		if o != nil {
			return o, nil
		}
	}
	return nil, io.EOF
}

// take reads the body of a record by its type; the observation is nil for all others.
func (r *Reader) take(rec *record) (*Observation, error) {
	switch rec.typ {
	case recordDataSource:
		s, err := r.source(rec)
		if err != nil {
			return nil, err
		}
		r.Source, r.settings = s, settings{}
	case recordSettings:
		s, err := r.monitorSettings(rec)
		if err != nil {
			return nil, err
		}
		r.settings = s
	case recordObservation:
		return r.observation(rec)
	case recordBlank:
	case recordContainer:
		r.notes.add(rec.index, rec.offset, "a second container record")
	default:
		r.notes.add(rec.index, rec.offset, "a record of the unknown type %s", rec.typ)
	}
	return nil, nil
}

func (r *Reader) container(rec *record) error {
	t, err := r.table(rec, 0, "container", nil)
	if err != nil {
		return err
	}
	c := &r.Container
	c.FileName = t.text(tagFileName)
	c.Created, _ = t.timestamp(tagCreation)
	c.Style, c.Algorithm = t.uint(tagCompressionStyle, 0), t.uint(tagCompressionAlgorithm, 0)
	if e := t.find(tagVersionInfo); e != nil {
		for i := range c.Version {
			v, ok := e.number(i)
			if !ok {
				t.wrong(e, "version", "four numbers")
				break
			}
			c.Version[i] = uint32(v)
		}
	}
	switch {
	case c.Style == 0 && c.Algorithm == 0:
	case c.Style == 2 && c.Algorithm == 1:
		r.deflated = true
	default:
		return fmt.Errorf("compression style %d with algorithm %d is not supported, only single records by zlib (2, 1)", c.Style, c.Algorithm)
	}
	return nil
}
