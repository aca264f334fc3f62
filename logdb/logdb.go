package logdb

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Millis is a time: milliseconds since 1970-01-01T00:00:00Z. It is the only
// representation of time on the wire and at rest.
type Millis int64

// MillisOf converts t, cutting below the millisecond.
func MillisOf(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time returns m in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// String prints m as RFC 3339 with milliseconds, in UTC.
func (m Millis) String() string { return m.Time().Format("2006-01-02T15:04:05.000Z") }

// DayMillis is the length of a UTC day.
const DayMillis Millis = 86_400_000

// Day returns the start of the UTC day that holds m (also for times before 1970).
func (m Millis) Day() Millis { return m.Floor(DayMillis) }

// Floor returns the largest multiple of step that is not after m.
func (m Millis) Floor(step Millis) Millis {
	r := m % step
	if r < 0 {
		r += step
	}
	return m - r
}

// Bounds of every time that is accepted: year 1970 to the end of 9999. Anything
// outside is a decoding error at its source, never data.
const (
	MinTime Millis = 0
	MaxTime Millis = 253_402_300_799_999
)

// MeterUID names a measuring point. It survives the replacement of the meter.
type MeterUID string

// JournalID names a journal: 32 lower-case hex digits, random, made when the
// journal is created and never configured.
//
// A sender that sends other channels of one journal to one receiver than to another gives it another name there:
// digits 25 to 32 differ. See Family.
type JournalID string

// familyDigits is how much of its id a journal keeps under every name.
const familyDigits = 24

// Family returns what all names of one journal have in common: positions under them name the same records.
func (j JournalID) Family() JournalID { return j[:min(len(j), familyDigits)] }

// Named returns the name of a journal under which something else of it travels, told apart by the last digits of d.
func (j JournalID) Named(d Digest) JournalID {
	return j.Family() + JournalID(hex.EncodeToString(d[len(d)-4:]))
}

// Position numbers the entries of a journal: 1, 2, 3 ... without holes. 0 is none.
type Position uint64

// MaxPosition bounds positions so that every peer's numbers hold them exactly.
const MaxPosition Position = 1<<53 - 1

// LogNo is the meter's own number of a log within a kind; 0 is the only or first one.
type LogNo uint16

// Kind is one of the five sorts of log. Each has its own journal per meter.
type Kind uint8

// The kinds. The numbers are stored: never renumber.
const (
	KindHistorical Kind = 1
	KindWaveform   Kind = 2
	KindSystem     Kind = 3
	KindLimit      Kind = 4
	KindPQ         Kind = 5
)

// Kinds lists all kinds in their order.
var Kinds = [...]Kind{KindHistorical, KindWaveform, KindSystem, KindLimit, KindPQ}

var kindNames = [...]string{"", "historical", "waveform", "system", "limits", "pq"}

// String returns the kind's name as it stands in paths and documents.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Valid reports whether k is one of the five kinds.
func (k Kind) Valid() bool { return k >= KindHistorical && k <= KindPQ }

// ParseKind reads a kind's name ("limit" is taken for "limits").
func ParseKind(s string) (Kind, error) {
	if s == "limit" {
		return KindLimit, nil
	}
	for k := KindHistorical; k <= KindPQ; k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("%w: log kind %q, want one of %s", ErrInvalid, s, strings.Join(kindNames[1:], ", "))
}

// The errors that stores and sources return, to be tested with errors.Is.
var (
	// ErrInvalid marks data that breaks a rule of this package; nothing was stored.
	ErrInvalid = errors.New("invalid log data")
	// ErrUnknownMeter marks a meter that the store has never seen.
	ErrUnknownMeter = errors.New("unknown meter")
	// ErrNotFound marks a recording, stream or journal that is not there.
	ErrNotFound = errors.New("not found in the log database")
	// ErrConflict marks an entry that contradicts what a journal already holds.
	ErrConflict = errors.New("conflicts with stored log data")
	// ErrStale marks a page whose sender saw another end of its journal than stands here: nothing was stored, and the
	// sender must ask for the streams again.
	ErrStale = errors.New("the journal does not end where the sender saw it")
	// ErrFull marks a write that the disk refused; nothing was stored.
	ErrFull = errors.New("the log database cannot be written: the disk is full")
)
