package retrieve

import (
	"slices"
	"strings"

	"metermanager/service/field/modbus"
)

// LineHealth is the state of one connection and of the meters that use it.
type LineHealth struct {
	Address string        `json:"address"`
	Health  modbus.Health `json:"health"`
	Units   []UnitHealth  `json:"units"`
}

// UnitHealth is how one meter answers.
type UnitHealth struct {
	Meter       Meter
	Counters    modbus.Counters
	Schedule    Schedule
	TimeoutMS   int64
	SilentMS    int64 // since when it does not answer while others at its address do; 0: it does
	LastAnswer  int64 // UTC ms, 0: never since the program started
	Unreachable bool
}

// Health returns the state of every open connection, by address, and of its meters, by unit.
func (m *Manager) Health() []LineHealth {
	m.mu.Lock()
	by := map[string]*LineHealth{}
	units := map[*unit]Meter{} // as it is listed: the unit notes on its own copy
	for addr, e := range m.endpoints {
		by[addr] = &LineHealth{Address: addr, Health: e.Health()}
	}
	for _, u := range m.units {
		units[u] = u.meter
	}
	m.mu.Unlock()
	for u, x := range units {
		l := by[x.Address]
		if l == nil {
			continue
		}
		h := UnitHealth{Meter: x, Counters: u.conn.Counters(), TimeoutMS: u.conn.Timeout().Milliseconds()}
		if t := u.conn.SilentSince(); !t.IsZero() {
			h.SilentMS = t.UnixMilli()
		}
		u.mu.Lock()
		h.Schedule, h.LastAnswer, h.Unreachable = u.st.schedule, int64(max(u.st.lastAnswer, u.st.lastSuccess)), u.st.known && !u.st.online
		u.mu.Unlock()
		l.Units = append(l.Units, h)
	}
	out := make([]LineHealth, 0, len(by))
	for _, l := range by {
		slices.SortFunc(l.Units, func(a, b UnitHealth) int { return int(a.Meter.Unit) - int(b.Meter.Unit) })
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b LineHealth) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// Find returns the meter of the list that has that name, serial number or UID.
func (m *Manager) Find(id string) (Meter, error) { return m.find(id) }
