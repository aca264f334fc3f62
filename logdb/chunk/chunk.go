package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/huff0"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
)

// MaxPoints bounds what one blob holds, and with it the memory that decoding takes.
const MaxPoints = 1 << 22

var (
	// ErrDamaged marks bytes that this package did not write, or not like this.
	ErrDamaged = errors.New("damaged chunk of log data")
	// ErrTooLarge marks more points than one blob may hold.
	ErrTooLarge = errors.New("too many points for one chunk of log data")
)

// The first byte of every blob: version in the high half, what it holds in the low half. Version 2 of a blob is written only where it
// differs from version 1.
const (
	secondVersion = 0x10 // added to the first byte

	formatPoints  = 0x11
	formatMarks   = 0x12
	formatPage    = 0x13
	formatRoll    = 0x14
	formatSamples = 0x15
	formatBytes   = 0x16
)

// Codec encodes and decodes. It may be used by several goroutines.
type Codec struct {
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	bits    delta.BinaryPackedEncoding
	scratch sync.Pool
}

// scratch is what one call needs besides its result.
type scratch struct {
	ints    []int64
	more    []int64
	floats  []float64
	packed  []byte
	bytes   []byte
	failed  []int
	skipped []int64

	tight          bool // what is written stays for long: look for the smallest way
	second         bool // what was written needs version 2
	classes, extra []byte
	huffman        huff0.Scratch
}

// New returns a codec.
func New() (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("prepare to compress: %w", err)
	}
	// The cap keeps a hostile frame from growing beyond the size stated beside it, which is checked.
	dec, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(MaxPoints*16))
	if err != nil {
		return nil, fmt.Errorf("prepare to decompress: %w", err)
	}
	return &Codec{enc: enc, dec: dec, scratch: sync.Pool{New: func() any { return new(scratch) }}}, nil
}

// Close frees what the codec holds.
func (c *Codec) Close() error {
	c.dec.Close()
	return c.enc.Close()
}

func (c *Codec) get() *scratch  { return c.scratch.Get().(*scratch) }
func (c *Codec) put(s *scratch) { s.tight, s.second = false, false; c.scratch.Put(s) }

// version marks the blob that begins at data[0] when it needs version 2.
func (s *scratch) version(data []byte) {
	if s.second {
		data[0] += secondVersion
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C that is kept beside a blob.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// reader takes values off data; after the first error it returns zeros.
type reader struct {
	data   []byte
	err    error
	second bool // version 2
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, why)
	}
	r.data = nil
}

func (r *reader) format(want byte) {
	switch r.byte() {
	case want:
	case want + secondVersion:
		r.second = true
	default:
		r.fail("unknown format")
	}
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.fail("it ends too early")
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.fail("it ends too early")
		return nil
	}
	out := r.data[:n:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.data = r.data[n:]
	return v
}

// count reads a number of points.
func (r *reader) count() int {
	n := r.uvarint()
	if n > MaxPoints {
		r.fail("too many points")
		return 0
	}
	return int(n)
}

// end reports what went wrong, bytes that are left over included.
func (r *reader) end() error {
	if r.err == nil && len(r.data) > 0 {
		r.fail("bytes are left over")
	}
	return r.err
}

// grown returns s with length n; its content is undefined.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
