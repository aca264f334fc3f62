package device

import "slices"

// The families of logs: by which protocol a meter gives its records, and in which form their times are.
const (
	// FamilyWindow is the Shark 200 and its relatives: an engaged session with an indexed window.
	FamilyWindow = "eig-window"
	// FamilyRing is the Nexus 1252 style, the EPM 9650/9800 interface of GE: windows into the raw memory of a ring.
	FamilyRing = "eig-ring"
)

var stampMasks = map[string][]byte{
	FamilyWindow: {0x7F, 0x0F, 0x1F, 0x1F, 0x3F, 0x3F},
	FamilyRing:   {0x7F, 0x7F, 0x0F, 0x1F, 0x1F, 0x3F, 0x3F, 0x7F},
}

// StampBytes is how many bytes of a record are its time.
func (l Log) StampBytes() int { return len(stampMasks[l.Family]) }

// ParseStamp reads the time of a record, which stands at its begin in all logs but that of flicker.
func (l Log) ParseStamp(rec []byte) (TStamp, error) {
	if l.Family == FamilyRing {
		return ParseTStamp8(l.timed(rec))
	}
	return ParseTStamp(rec)
}

// timed is a record from its time on, which is how rows and events come by theirs. A flicker record begins with a time of its own and names the end of
// its interval behind it: the end is the row's time, as in every other log of intervals. Of the bare time in a header nothing is left out.
func (l Log) timed(rec []byte) []byte {
	if l.Record == RecordRingFlicker && len(rec) == RingFlickerSize {
		return rec[ringFlickerEnd:]
	}
	return rec
}

// StampOrder masks the state bits out of a record's time, so that bytes compare as times do.
func (l Log) StampOrder(rec []byte) []byte {
	rec = l.timed(rec)
	out := slices.Clone(stampMasks[l.Family])
	for i := range out {
		if i < len(rec) {
			out[i] &= rec[i]
		} else {
			out[i] = 0
		}
	}
	return out
}

// IsHistory reports whether the log's records are rows of values.
func (l Log) IsHistory() bool {
	return l.Record == RecordHistory || l.Record == RecordRingHistory || l.Record == RecordRingFlicker
}

// Pairs reports whether the log tells of begins and ends, which make one event.
func (l Log) Pairs() bool {
	return slices.Contains([]string{RecordAlarm, RecordPQ, RecordRingLimit, RecordRingPQ}, l.Record)
}
