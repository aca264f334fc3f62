package sim

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// FaultKind names a way in which the meter misbehaves.
type FaultKind string

// The faults. Those of the first group concern one answer, those of the second the log session,
// those of the third readings.
const (
	FaultLate             FaultKind = "late"              // the answer comes after Delay; the next request waits behind it
	FaultSilence          FaultKind = "silence"           // no answer
	FaultException        FaultKind = "exception"         // exception Code instead of the answer
	FaultWrongTransaction FaultKind = "wrong transaction" // another transaction id
	FaultWrongUnit        FaultKind = "wrong unit"        // another unit id
	FaultWrongFunction    FaultKind = "wrong function"    // another function code
	FaultWrongByteCount   FaultKind = "wrong byte count"  // the byte count says 2 more than there are
	FaultShortAnswer      FaultKind = "short answer"      // one register fewer than asked, consistently
	FaultCloseMidFrame    FaultKind = "close mid-frame"   // half of the answer, then the connection ends
	FaultClose            FaultKind = "close"             // the connection ends instead of the answer
	FaultDribble          FaultKind = "dribble"           // the answer comes byte by byte
	FaultTwoReplies       FaultKind = "two replies"       // an answer to an older request and the right one in one write
	FaultLength           FaultKind = "length"            // the frame's length field says Value
	FaultProtocol         FaultKind = "protocol"          // the frame's protocol id is not 0

	FaultWindowNotReady FaultKind = "window not ready" // the window status is 0xFF
	FaultIndexStuck     FaultKind = "index stuck"      // no auto-increment
	FaultIndexTwice     FaultKind = "index twice"      // the index moves two windows
	FaultLogTaken       FaultKind = "log taken"        // log Value is in use by port Code until the fault is cleared
	FaultSessionLost    FaultKind = "session lost"     // the meter disengages by itself
	// Value records are lost at the log's old end while it is engaged. A Nexus records so many minutes ahead meanwhile: let them pass
	// when the faults are cleared.
	FaultRolledOver      FaultKind = "rolled over"
	FaultRecordSizeZero  FaultKind = "record size 0" // in the status block
	FaultUsedOne         FaultKind = "used 1"        // in the status block: as if the log were empty
	FaultRepeatedReadOff FaultKind = "no 0x23"       // function 0x23 is answered with exception 1
	FaultRepeatedSilence FaultKind = "silent 0x23"   // function 0x23 is not answered at all

	FaultReadings    FaultKind = "readings" // 32-bit readings show the bits of Value: NaN, infinity, a sentinel
	FaultCounterZero FaultKind = "counters" // energy counters show 0
)

// Fault is one fault to inject.
type Fault struct {
	Kind FaultKind
	// Times is how often it happens; 0 means until ClearFaults.
	Times int
	// Skip lets so many chances pass first.
	Skip int
	// Function, Addr and Registers restrict a fault of the first group to requests with that
	// function code that touch these registers; 0 means any.
	Function  byte
	Addr      uint16
	Registers uint16
	Delay     time.Duration // FaultLate
	Code      byte          // FaultException: 1 to 11; FaultLogTaken: port, default 2
	Value     uint32
}

// faults is the list of what is to go wrong.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

// Inject adds faults. They happen in the order given when several could.
func (m *Meter) Inject(list ...Fault) {
	m.faults.mu.Lock()
	defer m.faults.mu.Unlock()
	for _, f := range list {
		m.faults.list = append(m.faults.list, &f)
	}
}

// ClearFaults makes the meter behave.
func (m *Meter) ClearFaults() {
	m.mu.Lock()
	m.lead = 0
	m.mu.Unlock()
	m.faults.mu.Lock()
	defer m.faults.mu.Unlock()
	m.faults.list = nil
}

// take uses up one occurrence of a fault of this kind; nil when there is none.
func (f *faults) take(kind FaultKind) *Fault {
	return f.find(func(x *Fault) bool { return x.Kind == kind })
}

func (f *faults) find(match func(*Fault) bool) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.list {
		if !match(x) {
			continue
		}
		if x.Skip > 0 {
			x.Skip--
			continue
		}
		got := *x
		if x.Times > 0 {
			if x.Times--; x.Times == 0 {
				f.list = slices.Delete(f.list, i, i+1)
			}
		}
		return &got
	}
	return nil
}

// taken returns the port that a fault says has engaged the log, 0 when none.
func (f *faults) taken(number int) uint16 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.list {
		if x.Kind == FaultLogTaken && x.Value == uint32(number) {
			if x.Code == 0 {
				return 2
			}
			return uint16(x.Code)
		}
	}
	return 0
}

// frameFaults are the kinds that concern one answer.
var frameFaults = [...]FaultKind{
	FaultLate, FaultSilence, FaultException, FaultWrongTransaction, FaultWrongUnit, FaultWrongFunction, FaultWrongByteCount,
	FaultShortAnswer, FaultCloseMidFrame, FaultClose, FaultDribble, FaultTwoReplies, FaultLength, FaultProtocol,
}

// forRequest uses up the fault, if any, that hits this request.
func (f *faults) forRequest(pdu []byte) *Fault {
	return f.find(func(x *Fault) bool {
		if !slices.Contains(frameFaults[:], x.Kind) || x.Function != 0 && x.Function != pdu[0] {
			return false
		}
		if x.Registers == 0 {
			return true
		}
		if len(pdu) < 5 {
			return false
		}
		addr, count := int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
		if pdu[0] == 6 {
			count = 1
		}
		return addr < int(x.Addr)+int(x.Registers) && int(x.Addr) < addr+count
	})
}
