package retrieve

import (
	"context"
	"fmt"
	"maps"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// Status is what people ask about a meter.
type Status struct {
	Meter
	// State is "ok", "starting", "unreachable", "error" or "disabled".
	State       string           `json:"state"`
	Memory      bool             `json:"memory"` // the meter keeps logs itself
	LastSuccess logdb.Millis     `json:"last_success_ms,omitempty"`
	LastAnswer  logdb.Millis     `json:"last_answer_ms,omitempty"` // to anything; LastSuccess: a retrieval
	NextDue     logdb.Millis     `json:"next_due_ms,omitempty"`
	LastError   string           `json:"last_error,omitempty"`
	ErrorAt     logdb.Millis     `json:"error_ms,omitempty"`
	Records     int64            `json:"records"` // since the program started
	Action      string           `json:"action,omitempty"`
	Session     string           `json:"session,omitempty"` // the log that is being read
	DriftMS     *int64           `json:"clock_drift_ms,omitempty"`
	ErrorSince  logdb.Millis     `json:"error_since_ms,omitempty"` // 0: LastError is over
	Logs        []LogState       `json:"logs,omitempty"`
	Memories    []Memory         `json:"-"`
	Counters    *modbus.Counters `json:"counters,omitempty"`
	Unverified  []string         `json:"unverified,omitempty"`
}

// Live is the newest live reading of a meter.
type Live struct {
	Meter    logdb.MeterUID
	At       logdb.Millis
	Readings []device.Reading
}

// AddRequest is a meter to be added. Profile "" finds it out.
type AddRequest struct {
	UID     logdb.MeterUID `json:"meter_uid,omitempty"`
	Name    string         `json:"name,omitempty"`
	Address string         `json:"address"`
	Unit    byte           `json:"unit"`
	Profile string         `json:"profile,omitempty"`
	// Serial is what stands on the meter, for one that does not tell it; "": one is made up.
	Serial          string `json:"serial,omitempty"`
	Zone            string `json:"time_zone,omitempty"`
	RetrieveSeconds int    `json:"retrieve_s,omitempty"`
	LiveSeconds     int    `json:"live_s,omitempty"`
	LogSeconds      int    `json:"log_s,omitempty"`
}

// Change is what Set changes; nil leaves a setting as it is.
type Change struct {
	Name            *string `json:"name,omitempty"`
	Address         *string `json:"address,omitempty"`
	Unit            *byte   `json:"unit,omitempty"`
	Zone            *string `json:"time_zone,omitempty"`
	Enabled         *bool   `json:"enabled,omitempty"`
	RetrieveSeconds *int    `json:"retrieve_s,omitempty"`
	LiveSeconds     *int    `json:"live_s,omitempty"`
	LogSeconds      *int    `json:"log_s,omitempty"`
	// Limits to be watched, in the form of poll.ParseLimits; "" for none. Limit sets one of them, or takes it away.
	Limits *string      `json:"limits,omitempty"`
	Limit  *LimitChange `json:"limit,omitempty"`
	// The true transformer ratio divided by the one that the meter has; 1 is right.
	CTFactor *float64 `json:"ct_factor,omitempty"`
	PTFactor *float64 `json:"pt_factor,omitempty"`
	// The declared voltage, line to neutral (of a delta line to line), and frequency of the supply, which meters do not know.
	NominalVolts *float64 `json:"nominal_voltage_v,omitempty"`
	NominalHz    *float64 `json:"nominal_frequency_hz,omitempty"`
}

// LimitChange is one limit by its number, 1 to 8: "readings.voltage.an above 250 back 248", or "" to watch it no more.
type LimitChange struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

// Meters returns the list of meters in the order in which they were added.
func (m *Manager) Meters() []Meter { return m.list() }

// List returns the status of every meter.
func (m *Manager) List(ctx context.Context) ([]Status, error) {
	var out []Status
	for _, x := range m.list() {
		s, err := m.status(ctx, x)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Show returns the status of one meter, by UID, name or serial number.
func (m *Manager) Show(ctx context.Context, id string) (Status, error) {
	x, err := m.find(id)
	if err != nil {
		return Status{}, err
	}
	return m.status(ctx, x)
}

func (m *Manager) status(ctx context.Context, x Meter) (Status, error) {
	s := Status{Meter: x, State: "disabled"}
	p, ok := m.profiles.Get(x.Profile)
	if ok {
		s.Memory, s.Unverified = p.HasMemory(), p.Unverified()
	}
	states, err := m.state.LogStates(ctx, x.UID)
	if err != nil {
		return s, fmt.Errorf("read the log states of %s: %w", x.UID, err)
	}
	u := m.running(x.UID)
	if u != nil {
		if states == nil {
			states = map[string]LogState{}
		}
		u.mu.Lock()
		maps.Copy(states, u.st.logs) // newer than what is kept
		u.mu.Unlock()
	}
	if ok {
		s.remember(p, states)
	}
	if u == nil {
		if x.Enabled {
			s.State = "starting"
		}
		return s, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.conn.Counters()
	s.Counters = &c
	s.LastSuccess, s.NextDue, s.Records = u.st.lastSuccess, u.st.nextDue, u.st.records
	s.LastAnswer = max(u.st.lastAnswer, u.st.lastSuccess)
	wrong := u.st.trouble()
	s.LastError, s.ErrorAt, s.ErrorSince = wrong.text, wrong.at, wrong.since
	s.Action, s.Session = u.st.action, u.st.session
	if u.st.drift != nil {
		ms := u.st.drift.Milliseconds()
		s.DriftMS = &ms
	}
	switch {
	case !u.st.known:
		s.State = "starting"
	case !u.st.online:
		s.State = "unreachable"
	case u.st.failing.since > 0:
		s.State = "error"
	default:
		s.State = "ok"
	}
	return s, nil
}

// History returns the newest retrievals of a meter, newest first.
func (m *Manager) History(ctx context.Context, id string, limit int) ([]HistoryItem, error) {
	x, err := m.find(id)
	if err != nil {
		return nil, err
	}
	return m.state.History(ctx, x.UID, limit)
}

// Latest returns the newest live reading without asking the meter; its Readings are nil
// before the first.
func (m *Manager) Latest(id string) (Live, error) {
	x, err := m.find(id)
	if err != nil {
		return Live{}, err
	}
	out := Live{Meter: x.UID}
	if u := m.running(x.UID); u != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		out.At, out.Readings = u.st.readAt, u.st.readings
	}
	return out, nil
}

// Read asks the meter for its present values.
func (m *Manager) Read(ctx context.Context, id string) (Live, error) {
	x, err := m.find(id)
	if err != nil {
		return Live{}, err
	}
	if u := m.running(x.UID); u != nil {
		readings, err := u.readLive(ctx, modbus.User)
		return Live{x.UID, logdb.MillisOf(m.cfg.Now()), readings}, err
	}
	r, err := m.Test(ctx, x.Address, x.Unit, x.Profile)
	return Live{x.UID, logdb.MillisOf(m.cfg.Now()), r.Readings}, err
}

// Retrieve retrieves the meter's logs of a kind (0: all) now and waits for the result.
func (m *Manager) Retrieve(ctx context.Context, id string, kind logdb.Kind) (HistoryItem, error) {
	x, err := m.find(id)
	if err != nil {
		return HistoryItem{}, err
	}
	return m.order(ctx, x, func(*unit) order { return order{kind: kind} })
}
