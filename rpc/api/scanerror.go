package api

import (
	"fmt"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// Refusal is the sort of reason why a body was refused.
type Refusal string

// The refusals.
const (
	RefusedSyntax    Refusal = "syntax"    // no JSON, even with bare NaN and unquoted names
	RefusedDuplicate Refusal = "duplicate" // a member stands twice in one object
	RefusedText      Refusal = "text"      // a string that is not valid UTF-8
	RefusedLimit     Refusal = "limit"     // over one of the ScanLimits
	RefusedShape     Refusal = "shape"     // JSON, but not the shape of an upload
)

// ScanError tells where a body was refused and why. It never holds text of the body.
type ScanError struct {
	Offset int // byte offset in the decompressed body; -1 when the page as a whole is at fault
	Why    Refusal
	What   string // for people
}

// Error returns the offset and the reason.
func (e *ScanError) Error() string {
	if e.Offset < 0 {
		return e.What
	}
	return fmt.Sprintf("byte %d: %s", e.Offset, e.What)
}

// Is makes a refusal count as invalid log data.
func (e *ScanError) Is(target error) bool { return target == logdb.ErrInvalid }

// Fault returns the error for the wire.
func (e *ScanError) Fault() *fault.Error {
	code := fault.Invalid
	if e.Why == RefusedLimit {
		code = fault.TooLarge
	}
	f := fault.Wrap(code, "The page was refused and nothing was stored: "+e.Error()+".", e)
	if e.Why == RefusedSyntax {
		f.Hint = "Send standard JSON. Member names without quotes and a bare NaN for an absent value are accepted, nothing else."
	}
	return f
}

// ScanLimits bound what a body may hold. A zero field means its default.
type ScanLimits struct {
	Bytes     int // of the body; 32 MiB
	Rows      int // records, and positions that they cover; 250,000
	Channels  int // of a block of historical data; 512
	Columns   int // of an event header; 64
	Blocks    int // 1,024
	Fates     int // fate ranges; 100,000
	Changes   int // 100,000
	Records   int // recordings in a page; 256
	Samples   int // of one channel of a recording; 1,048,576
	Strings   int // bytes of a string; 4,096
	Depth     int // nesting; 32
	Unknown   int // members of one unknown object; 10,000
	WaveNames int // channels, RMS values, triggers of a recording; 256
}

func (l ScanLimits) withDefaults() ScanLimits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Bytes, 32 << 20}, {&l.Rows, 250_000}, {&l.Channels, 512}, {&l.Columns, 64}, {&l.Blocks, 1024}, {&l.Fates, 100_000},
		{&l.Changes, 100_000}, {&l.Records, 256}, {&l.Samples, 1 << 20}, {&l.Strings, 4096}, {&l.Depth, 32},
		{&l.Unknown, 10_000}, {&l.WaveNames, 256},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}
