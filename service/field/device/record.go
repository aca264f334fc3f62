package device

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"metermanager/logdb"
)

// ErrRecord marks bytes of a meter that do not decode. The raw record is still kept.
var ErrRecord = errors.New("undecodable meter record")

// The fixed sizes of the eig-window family.
const (
	StatusRegs        = 16  // of a log status block
	WindowBytes       = 246 // data of one window
	WindowRegs        = 125 // a window with its status and index
	WaveWindowRegs    = 124 // as read by function code 0x23 for waveforms
	WaveRepeats       = 4
	WaveRecordSize    = 970
	WaveRecords       = 26 // of one capture
	MinRecordSize     = 10 // alarms; the manual's smallest historical record is 14
	MaxRecordSize     = WaveRecordSize
	SystemRecordSize  = 14
	AlarmRecordSize   = 10
	IORecordSize      = 10
	HistorySettings   = 192 // registers of a log's programming
	LimitSettingsRegs = 40
)

// The scopes of a log session.
const (
	ScopeNormal    byte = 0
	ScopeTimestamp byte = 1
	ScopeImage     byte = 2
)

// LogStatus is a log's status block.
type LogStatus struct {
	Max, Used    uint32
	RecordSize   uint16
	Availability uint16
	First, Last  [6]byte
}

// The values of Availability that are not a port number.
const (
	Available  uint16 = 0
	NotPresent uint16 = 0xFFFF
)

// ParseStatus reads the 32 bytes of a status block.
func ParseStatus(b []byte) (LogStatus, error) {
	if len(b) != 2*StatusRegs {
		return LogStatus{}, fmt.Errorf("%w: a log status of %d bytes, want %d", ErrRecord, len(b), 2*StatusRegs)
	}
	return LogStatus{
		Max: binary.BigEndian.Uint32(b), Used: binary.BigEndian.Uint32(b[4:]),
		RecordSize: binary.BigEndian.Uint16(b[8:]), Availability: binary.BigEndian.Uint16(b[10:]),
		First: [6]byte(b[12:18]), Last: [6]byte(b[18:24]),
	}, nil
}

// Check reports why a log with this status cannot be retrieved. want is the record size
// that the settings give, 0 when they give none.
func (s LogStatus) Check(want int) error {
	switch {
	case s.Availability == NotPresent:
		return fmt.Errorf("%w: the log is disabled", ErrRecord)
	case s.Max == 0 || s.Used == 0 || s.Used > s.Max:
		return fmt.Errorf("%w: %d of %d records used", ErrRecord, s.Used, s.Max)
	case s.RecordSize < MinRecordSize || s.RecordSize > MaxRecordSize:
		return fmt.Errorf("%w: a record size of %d bytes", ErrRecord, s.RecordSize)
	case want > 0 && int(s.RecordSize) != want:
		return fmt.Errorf("%w: a record size of %d bytes, the settings give %d", ErrRecord, s.RecordSize, want)
	case s.Max > 1<<24:
		return fmt.Errorf("%w: %d records do not fit a 24-bit index", ErrRecord, s.Max)
	}
	return nil
}

// RecordsPerWindow is how many records of a size fit one window.
func RecordsPerWindow(recordSize int) int {
	if recordSize <= 0 {
		return 0
	}
	return max(1, WindowBytes/recordSize)
}

// EngageWord is what engages a log in a scope; DisengageWord what lets it go.
func EngageWord(log, scope byte) uint16 { return uint16(log)<<8 | 0x80 | uint16(scope&0x7F) }

// DisengageWord is the enable register's value that ends a session of log.
func DisengageWord(log byte) uint16 { return uint16(log) << 8 }

// WindowSetup is the three registers that choose window size, repeats and index.
func WindowSetup(records, repeats byte, index uint32) []byte {
	return []byte{records, repeats, 0, byte(index >> 16), byte(index >> 8), byte(index)}
}

// IndexWords is the two registers that choose the index alone.
func IndexWords(index uint32) []byte {
	return []byte{0, byte(index >> 16), byte(index >> 8), byte(index)}
}

// Window is the status, index and data of one read.
type Window struct {
	Ready bool
	Index uint32
	Data  []byte
}

// ParseWindow splits a window as read from its status on.
func ParseWindow(b []byte) (Window, error) {
	if len(b) < 4 {
		return Window{}, fmt.Errorf("%w: a window of %d bytes", ErrRecord, len(b))
	}
	return Window{Ready: b[0] == 0, Index: binary.BigEndian.Uint32(b) & 0xFF_FFFF, Data: b[4:]}, nil
}

// Record returns record i of size bytes, nil when the window does not hold it.
func (w Window) Record(i, size int) []byte {
	if (i+1)*size > len(w.Data) {
		return nil
	}
	return w.Data[i*size : (i+1)*size]
}

// IsFiller reports whether rec is the dummy that stands at index 0 until a log has
// rolled over: all data bytes 0xFF.
func IsFiller(rec []byte) bool {
	if len(rec) <= 6 {
		return false
	}
	for _, c := range rec[6:] {
		if c != 0xFF {
			return false
		}
	}
	return true
}

// SystemRecord is a system event as the meter keeps it.
type SystemRecord struct {
	Time                            TStamp
	Group, Event, Modifier, Channel byte
	Params                          [4]byte
}

// ParseSystem reads 14 bytes.
func ParseSystem(b []byte) (SystemRecord, error) {
	if len(b) != SystemRecordSize {
		return SystemRecord{}, fmt.Errorf("%w: a system event of %d bytes", ErrRecord, len(b))
	}
	t, err := ParseTStamp(b)
	return SystemRecord{t, b[6], b[7], b[8], b[9], [4]byte(b[10:14])}, err
}

var systemChannels = map[byte]string{0: "firmware", 1: "COM1", 2: "COM2", 3: "COM3", 4: "COM4", 7: "face plate"}

// Event describes r for people, with its raw numbers, since the names are unverified.
func (l SystemLayout) Event(r SystemRecord) logdb.SystemEvent {
	out := logdb.SystemEvent{Type: logdb.SystemOther, Code: int64(r.Group)<<8 | int64(r.Event), Description: "event"}
	if n, ok := l.Lookup(r.Group, r.Event); ok {
		out.Type, out.Description = n.Type, n.Text
	}
	ch := systemChannels[r.Channel]
	if ch == "" {
		ch = fmt.Sprintf("channel %d", r.Channel)
	}
	out.Description += fmt.Sprintf(" (group %d event %d modifier %d, %s, % x)", r.Group, r.Event, r.Modifier, ch, r.Params)
	return out
}

// IORecord is a change at the inputs and outputs of the two option cards: bits 7 to 4 are outputs 4 to 1, bits 3 to 0 inputs 4 to 1.
type IORecord struct {
	Time            TStamp
	Changes, States [2]byte
}

// ParseIO reads 10 bytes.
func ParseIO(b []byte) (IORecord, error) {
	if len(b) != IORecordSize {
		return IORecord{}, fmt.Errorf("%w: an I/O change of %d bytes", ErrRecord, len(b))
	}
	t, err := ParseTStamp(b)
	return IORecord{t, [2]byte{b[6], b[8]}, [2]byte{b[7], b[9]}}, err
}

// Event describes r for people: what changed, and to what.
func (r IORecord) Event() logdb.SystemEvent {
	var out []string
	for card, changes := range r.Changes {
		for i := range 8 {
			bit := byte(1) << i
			if changes&bit == 0 {
				continue
			}
			name, state := fmt.Sprintf("input %d", i+1), "off"
			if i > 3 {
				name = fmt.Sprintf("output %d", i-3)
			}
			if r.States[card]&bit != 0 {
				state = "on"
			}
			out = append(out, fmt.Sprintf("card %d %s %s", card+1, name, state))
		}
	}
	if len(out) == 0 {
		out = []string{"no change"}
	}
	code := int64(r.Changes[0])<<24 | int64(r.States[0])<<16 | int64(r.Changes[1])<<8 | int64(r.States[1])
	return logdb.SystemEvent{Type: logdb.SystemOther, Code: code, Description: strings.Join(out, ", ")}
}

// AlarmRecord is one crossing of a limit.
type AlarmRecord struct {
	Time  TStamp
	Out   bool // left the limits; false: came back
	Below bool
	Limit int // 0 to 7
	Count int16
}

// Parse reads 10 bytes.
func (l AlarmLayout) Parse(b []byte) (AlarmRecord, error) {
	if len(b) != AlarmRecordSize {
		return AlarmRecord{}, fmt.Errorf("%w: an alarm of %d bytes", ErrRecord, len(b))
	}
	t, err := ParseTStamp(b)
	r := AlarmRecord{Time: t, Out: b[6] == l.Out, Below: b[7]&l.BelowMask != 0, Limit: int(b[7] & l.IDMask), Count: int16(binary.BigEndian.Uint16(b[8:]))}
	if err == nil && b[6] != l.Out && b[6] != l.In {
		err = fmt.Errorf("%w: alarm direction %d", ErrRecord, b[6])
	}
	return r, err
}

// LimitSetting is one programmed limit; the setpoints are tenths of a percent.
type LimitSetting struct {
	Addr                                         Addr // of the reading; 0 or 0xFFFF: not used
	AboveSet, AboveReturn, BelowSet, BelowReturn int16
}

// ParseLimits reads five registers for each limit.
func ParseLimits(b []byte) ([]LimitSetting, error) {
	if len(b) == 0 || len(b)%10 != 0 {
		return nil, fmt.Errorf("%w: limit settings of %d bytes", ErrRecord, len(b))
	}
	out := make([]LimitSetting, len(b)/10)
	for i := range out {
		w := func(k int) uint16 { return binary.BigEndian.Uint16(b[10*i+2*k:]) }
		out[i] = LimitSetting{Addr(w(0)), int16(w(1)), int16(w(2)), int16(w(3)), int16(w(4))}
	}
	return out, nil
}
