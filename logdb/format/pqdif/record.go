package pqdif

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
)

// headerSize is the size of a record's header.
const headerSize = 64

// record is one record with its body, inflated.
type record struct {
	index    int
	offset   int64 // of the header in the file
	typ      GUID
	body     []byte
	plain    bool // the body stands in the file as it is
	header   int64
	elements *int // what is left of the budget
}

func (rec *record) typeName() string {
	switch rec.typ {
	case recordDataSource:
		return "data source"
	case recordSettings:
		return "monitor settings"
	case recordObservation:
		return "observation"
	}
	return rec.typ.String()
}

// record reads the record at offset at and leads r.next to the one behind it. When the record itself
// cannot be read, r.next still leads on if its header could.
func (r *Reader) record(at int64) (*record, error) {
	r.next = 0
	r.visited[at] = true
	var h [headerSize]byte
	if at > r.size-headerSize {
		return nil, fmt.Errorf("the file of %d bytes ends in the header", r.size)
	}
	if _, err := r.file.ReadAt(h[:], at); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if !Is(h[:]) {
		return nil, fmt.Errorf("no record signature but %s", GUID(h[:16]))
	}
	rec := &record{index: r.Records, offset: at, typ: GUID(h[16:32]), elements: &r.elements}
	r.Records++
	size := int64(int32(binary.LittleEndian.Uint32(h[32:])))
	length := int64(int32(binary.LittleEndian.Uint32(h[36:])))
	r.follow(rec, int64(int32(binary.LittleEndian.Uint32(h[40:]))))
	if size < headerSize || length < 0 || size > r.size-at || length > r.size-at-size {
		return nil, fmt.Errorf("a header of %d and a body of %d bytes in a file of %d", size, length, r.size)
	}
	if length > int64(r.cfg.MaxRecordBytes) {
		return nil, fmt.Errorf("a body of %d bytes, at most %d are read", length, r.cfg.MaxRecordBytes)
	}
	if r.bytes -= length; r.bytes < 0 {
		return nil, fmt.Errorf("%w: too many bytes in all records", errBudget)
	}
	stored := make([]byte, length)
	if _, err := r.file.ReadAt(stored, at+size); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	rec.header, rec.body, rec.plain = size, stored, !r.deflated
	if r.deflated && length > 0 {
		var err error
		if rec.body, err = r.inflate(stored); err != nil {
			return nil, err
		}
	}
	sum := binary.LittleEndian.Uint32(h[44:])
	if sum != 0 && sum != adler32.Checksum(stored) && sum != crc32.ChecksumIEEE(rec.body) {
		r.notes.add(rec.index, at, "the checksum of a record does not fit")
	}
	return rec, nil
}

// follow sets r.next to where the header leads, unless that ends the chain.
func (r *Reader) follow(rec *record, next int64) {
	switch {
	case next == 0:
	case next < 0:
		r.notes.add(rec.index, rec.offset, "the link to the next record leads to %d", next)
	case next >= r.size:
		r.notes.add(rec.index, rec.offset, "the link to the next record leads to %d, behind the end of the file", next)
	case r.visited[next]:
		r.notes.add(rec.index, rec.offset, "the link to the next record leads back to %d", next)
	default:
		r.next = next
	}
}

// inflate undoes zlib, up to the bounds for a record and for the file.
func (r *Reader) inflate(stored []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	limit := min(int64(r.cfg.MaxRecordBytes), r.bytes)
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	if r.bytes -= int64(len(out)); r.bytes < 0 {
		return nil, fmt.Errorf("%w: too many bytes in all records", errBudget)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("%d bytes inflate to more than %d", len(stored), limit)
	}
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	return out, nil
}

// at returns where an offset of the body stands in the file; the record's own place when the body is compressed.
func (rec *record) at(offset int) int64 {
	if rec.plain {
		return rec.offset + rec.header + int64(offset)
	}
	return rec.offset
}
