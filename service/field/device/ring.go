package device

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The fixed sizes of the eig-ring family.
const (
	RingHeaderRegs  = 18  // of a log header
	RingWindowRegs  = 64  // of a window into the memory of a log
	RingWindowBytes = 128 // the same in bytes: index k shows the bytes from 128 k on
	RingPointerRegs = 128 // of the data pointers of a historical log
	RingLimitRegs   = 128 // of the settings of the 32 limits
	RingLimits      = 32

	RingSystemSize      = 16
	RingLimitSize       = 32
	RingFlickerSize     = 32
	RingPQSize          = 128
	RingTriggerSize     = 256
	RingSamplesSize     = 16384
	RingMaxRecord       = 16384
	ringLeastRecord     = 9 // a time and a byte
	ringHistoryMaxBytes = 256
)

// The values of the registers of a ring log.
const (
	// RingEmpty is the last index of a log without records.
	RingEmpty = 0xFFFF
	// RingFree is the window index of a port that reads nothing.
	RingFree = 0xFFFF
	// RingRecordsRunning is the mode in which the memory is shown and the meter goes on recording. The paused mode of the manual's
	// procedure would lose what falls into the pause.
	RingRecordsRunning = 2
)

// RingAddrs is where one log of a ring lies. Each of the meter's ports has an index and a mode of its own at these addresses.
type RingAddrs struct {
	Header Addr `json:"header_addr"`
	Index  Addr `json:"index_addr"`
	Mode   Addr `json:"mode_addr"`
	Window Addr `json:"window_addr"`
}

// RingHeader is the header of a log.
type RingHeader struct {
	MemoryBytes           uint32
	RecordSize            uint16
	First, Last           uint16 // slots of the oldest and the newest record
	FirstStamp, LastStamp [8]byte
	Valid                 [8]byte // which data pointers the meter knows
	Max                   uint16  // records that the log can hold
}

// ParseRingHeader reads the 36 bytes of a header.
func ParseRingHeader(b []byte) (RingHeader, error) {
	if len(b) != 2*RingHeaderRegs {
		return RingHeader{}, fmt.Errorf("%w: a log header of %d bytes, want %d", ErrRecord, len(b), 2*RingHeaderRegs)
	}
	u := func(off int) uint16 { return binary.BigEndian.Uint16(b[off:]) }
	return RingHeader{
		MemoryBytes: binary.BigEndian.Uint32(b), RecordSize: u(4), First: u(6), Last: u(8),
		FirstStamp: [8]byte(b[10:18]), LastStamp: [8]byte(b[18:26]), Valid: [8]byte(b[26:34]), Max: u(34),
	}, nil
}

// Append appends the 36 bytes of h.
func (h RingHeader) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, h.MemoryBytes)
	for _, v := range [...]uint16{h.RecordSize, h.First, h.Last} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	b = append(append(append(b, h.FirstStamp[:]...), h.LastStamp[:]...), h.Valid[:]...)
	return binary.BigEndian.AppendUint16(b, h.Max)
}

// Used is how many records the log holds.
func (h RingHeader) Used() int {
	if h.Last == RingEmpty || h.Max == 0 {
		return 0
	}
	return (int(h.Last)-int(h.First)+int(h.Max))%int(h.Max) + 1
}

// Disabled reports whether the meter keeps no such log.
func (h RingHeader) Disabled() bool { return h.Max == 0 || h.RecordSize == 0 }

// Check reports why a log with this header cannot be read. want is the record size that is expected, 0: any.
func (h RingHeader) Check(want int) error {
	switch {
	case h.RecordSize < ringLeastRecord || h.RecordSize > RingMaxRecord:
		return fmt.Errorf("%w: a record size of %d bytes", ErrRecord, h.RecordSize)
	case want > 0 && int(h.RecordSize) != want:
		return fmt.Errorf("%w: a record size of %d bytes, want %d", ErrRecord, h.RecordSize, want)
	case h.MemoryBytes > 0 && uint64(h.MemoryBytes) < uint64(h.Max)*uint64(h.RecordSize):
		return fmt.Errorf("%w: %d records of %d bytes in %d bytes", ErrRecord, h.Max, h.RecordSize, h.MemoryBytes)
	case h.Last != RingEmpty && (h.First >= h.Max || h.Last >= h.Max):
		return fmt.Errorf("%w: records %d to %d in a memory of %d", ErrRecord, h.First, h.Last, h.Max)
	}
	return nil
}

// RingSpan is a stretch of a log's memory in bytes, [From, To).
type RingSpan struct{ From, To int }

// Spans returns where n records from slot on lie in the memory: in one stretch, or in two around its end.
func (h RingHeader) Spans(slot, n int) []RingSpan {
	size, end := int(h.RecordSize), int(h.Max)
	if slot+n <= end {
		return []RingSpan{{slot * size, (slot + n) * size}}
	}
	return []RingSpan{{slot * size, end * size}, {0, (slot + n - end) * size}}
}

// Windows are the indexes of the windows that show a stretch: the first and the one behind the last.
func (s RingSpan) Windows() (first, end int) {
	return s.From / RingWindowBytes, (s.To + RingWindowBytes - 1) / RingWindowBytes
}

// AppendTStamp8 appends the 8 bytes of t in its own location.
func AppendTStamp8(b []byte, t time.Time) []byte {
	return append(b, byte(t.Year()/100), byte(t.Year()%100), byte(t.Month()), byte(t.Day()),
		byte(t.Hour()), byte(t.Minute()), byte(t.Second()), byte(t.Nanosecond()/10_000_000))
}
