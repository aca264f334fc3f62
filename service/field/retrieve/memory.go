package retrieve

import (
	"encoding/hex"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// Memory is what a meter's own memory held of a log when it was last looked at, and how much
// of it is stored.
type Memory struct {
	Name   string
	Kind   logdb.Kind
	Log    logdb.LogNo
	Looked logdb.Millis // 0: never
	Last   logdb.Millis // time of the newest record; 0: none, or no time
	// In records; recordings where several records make one. Behind is at least so many.
	Held, Capacity, Behind int64
	LastError              string
	ErrorAt                logdb.Millis
}

// remember lists the logs of a meter's memory with their states. Before the first look after a
// start it is the kept state that tells.
func (s *Status) remember(p *device.Profile, states map[string]LogState) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	for _, l := range p.Logs {
		st, ok := states[l.Name]
		if !ok {
			continue
		}
		s.Logs = append(s.Logs, st)
		s.Memories = append(s.Memories, memoryOf(l, st, zone))
	}
}

func memoryOf(l device.Log, st LogState, zone *time.Location) Memory {
	out := Memory{Name: l.Name, Kind: l.LogKind(), Log: l.Log, LastError: st.LastError, ErrorAt: st.ErrorAt}
	look := st.Look
	if look.At == 0 {
		look = Look{At: st.LastSuccess, Used: st.Used, Max: st.Max, Last: st.LastStamp}
	}
	unit := int64(1)
	if l.Record == device.RecordWaveform {
		unit = device.WaveRecords
	}
	out.Looked, out.Capacity = look.At, int64(look.Max)/unit
	held := int64(look.Used)
	if l.Family == device.FamilyWindow && look.Used > 0 && look.Used < look.Max {
		held-- // the filler that stands first until the log rolls over
	}
	out.Held = held / unit
	if look.Used > st.Next {
		out.Behind = min((int64(look.Used-st.Next)+unit-1)/unit, out.Held)
	} else if look.Used > 0 && look.Last != st.LastStamp {
		out.Behind = 1 // a full memory stays as long as it is while new records push out the oldest
	}
	if b, err := hex.DecodeString(look.Last); err == nil && out.Held > 0 {
		if t, err := l.ParseStamp(b); err == nil {
			out.Last = device.NewClock(zone, 0, st.SetsDST).UTC(t)
		}
	}
	return out
}

// progress keeps the state of a log for those who ask.
func (u *unit) progress(st LogState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.st.logs == nil {
		u.st.logs = map[string]LogState{}
	}
	u.st.logs[st.Log] = st
}

// trouble is the newest of the errors of one kind, and since when there have been some without a success.
type trouble struct {
	text      string
	at, since logdb.Millis // since 0: it is over
}

func (t *trouble) note(err error, at logdb.Millis) {
	if t.since == 0 {
		t.since = at
	}
	t.text, t.at = err.Error(), at
}

// trouble tells what is wrong now, else what was wrong last.
func (s *liveState) trouble() trouble {
	a, b := s.silent, s.failing
	if a.at > b.at {
		a, b = b, a
	}
	switch { // b is the newer one
	case a.since > 0 && b.since == 0:
		return a
	case a.since > 0:
		b.since = min(a.since, b.since)
	}
	return b
}
