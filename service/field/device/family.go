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

// ParseStamp reads the time at the begin of a record.
func (l Log) ParseStamp(rec []byte) (TStamp, error) {
	if l.Family == FamilyRing {
		return ParseTStamp8(rec)
	}
	return ParseTStamp(rec)
}

// StampOrder masks the state bits out of a record's time, so that bytes compare as times do.
func (l Log) StampOrder(rec []byte) []byte {
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
func (l Log) IsHistory() bool { return l.Record == RecordHistory || l.Record == RecordRingHistory }

// Pairs reports whether the log tells of begins and ends, which make one event.
func (l Log) Pairs() bool {
	return slices.Contains([]string{RecordAlarm, RecordPQ, RecordRingLimit, RecordRingPQ}, l.Record)
}
