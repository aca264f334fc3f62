package retrieve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
)

// Status is what people ask about a meter.
type Status struct {
	Meter
	// State is "ok", "starting", "unreachable", "error" or "disabled".
	State       string           `json:"state"`
	Memory      bool             `json:"memory"` // the meter keeps logs itself
	LastSuccess logdb.Millis     `json:"last_success_ms,omitempty"`
	NextDue     logdb.Millis     `json:"next_due_ms,omitempty"`
	LastError   string           `json:"last_error,omitempty"`
	ErrorAt     logdb.Millis     `json:"error_ms,omitempty"`
	Records     int64            `json:"records"` // since the program started
	Action      string           `json:"action,omitempty"`
	Session     string           `json:"session,omitempty"` // the log that is being read
	DriftMS     *int64           `json:"clock_drift_ms,omitempty"`
	Logs        []LogState       `json:"logs,omitempty"`
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
	UID             logdb.MeterUID `json:"meter_uid,omitempty"`
	Name            string         `json:"name,omitempty"`
	Address         string         `json:"address"`
	Unit            byte           `json:"unit"`
	Profile         string         `json:"profile,omitempty"`
	Zone            string         `json:"time_zone,omitempty"`
	RetrieveSeconds int            `json:"retrieve_s,omitempty"`
	LiveSeconds     int            `json:"live_s,omitempty"`
	LogSeconds      int            `json:"log_s,omitempty"`
}

// Change is what Set changes; nil leaves a setting as it is.
type Change struct {
	Name            *string `json:"name,omitempty"`
	Zone            *string `json:"time_zone,omitempty"`
	Enabled         *bool   `json:"enabled,omitempty"`
	RetrieveSeconds *int    `json:"retrieve_s,omitempty"`
	LiveSeconds     *int    `json:"live_s,omitempty"`
	LogSeconds      *int    `json:"log_s,omitempty"`
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
	if ok {
		for _, l := range p.Logs {
			if st, ok := states[l.Name]; ok {
				s.Logs = append(s.Logs, st)
			}
		}
	}
	u := m.running(x.UID)
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
	s.LastError, s.ErrorAt, s.Action, s.Session = u.st.lastError, u.st.errorAt, u.st.action, u.st.session
	if u.st.drift != nil {
		ms := u.st.drift.Milliseconds()
		s.DriftMS = &ms
	}
	switch {
	case !u.st.known:
		s.State = "starting"
	case !u.st.online:
		s.State = "unreachable"
	case u.st.errorAt > u.st.lastSuccess:
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

// Retrieve retrieves the meter's logs now and waits for the result.
func (m *Manager) Retrieve(ctx context.Context, id string) (HistoryItem, error) {
	x, err := m.find(id)
	if err != nil {
		return HistoryItem{}, err
	}
	u := m.running(x.UID)
	if u == nil {
		return HistoryItem{}, fmt.Errorf("%w: %s is not running", ErrInvalid, x.Name)
	}
	reply := make(chan retrieved, 1)
	select {
	case u.now <- reply:
	case <-u.done:
		return HistoryItem{}, modbus.ErrClosed
	case <-ctx.Done():
		return HistoryItem{}, ctx.Err()
	}
	select {
	case out := <-reply:
		return out.item, out.err
	case <-ctx.Done():
		return HistoryItem{}, ctx.Err()
	}
}

// Add identifies a meter and puts it into the list, enabled.
func (m *Manager) Add(ctx context.Context, a AddRequest) (Meter, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	addr, err := modbus.ParseAddress(a.Address)
	if err != nil {
		return Meter{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if a.Zone == "" {
		a.Zone = "UTC"
	}
	x := Meter{
		UID: a.UID, Name: strings.TrimSpace(a.Name), Address: addr, Unit: a.Unit, Zone: a.Zone, Enabled: true, Added: logdb.MillisOf(m.cfg.Now()),
		RetrieveSeconds: a.RetrieveSeconds, LiveSeconds: a.LiveSeconds, LogSeconds: a.LogSeconds,
	}
	if err := x.check(); err != nil {
		return Meter{}, err
	}
	for _, o := range m.list() {
		if o.Address == x.Address && o.Unit == x.Unit || a.UID != "" && o.UID == a.UID {
			return Meter{}, fmt.Errorf("%w: %s at %s unit %d", ErrExists, o.Name, o.Address, o.Unit)
		}
	}
	found, err := m.Test(ctx, addr, a.Unit, a.Profile)
	if err != nil {
		return Meter{}, err
	}
	x.Profile, x.Serial = found.Profile, found.Identity.Serial
	for _, o := range m.list() {
		if o.Serial == x.Serial && o.Profile == x.Profile {
			return Meter{}, fmt.Errorf("%w: %s has serial %s", ErrExists, o.Name, o.Serial)
		}
	}
	if x.Name == "" {
		x.Name = strings.TrimSpace(found.Identity.Name)
	}
	if x.Name == "" {
		x.Name = found.Profile + " " + x.Serial
	}
	if x.UID == "" {
		x.UID = newUID()
	}
	p, _ := m.profiles.Get(x.Profile)
	if err := m.store.PutSettings(ctx, x.UID, mergeSettings(logdb.Settings{}, x, p, found.Identity)); err != nil {
		return Meter{}, fmt.Errorf("store the meter's settings: %w", err)
	}
	if err := m.put(ctx, x); err != nil {
		return Meter{}, err
	}
	return x, nil
}

func (x *Meter) check() error {
	if _, err := time.LoadLocation(x.Zone); err != nil || x.Zone == "Local" {
		return fmt.Errorf("%w: time zone %q, want an IANA name such as America/New_York", ErrInvalid, x.Zone)
	}
	if len(x.Name) > 100 || len(x.UID) > 100 {
		return fmt.Errorf("%w: a name or UID of more than 100 bytes", ErrInvalid)
	}
	for name, s := range map[string]int{"retrieve_s": x.RetrieveSeconds, "live_s": x.LiveSeconds, "log_s": x.LogSeconds} {
		if s < 0 || s > 86_400 {
			return fmt.Errorf("%w: %s %d, want 0 to 86400", ErrInvalid, name, s)
		}
	}
	return nil
}

// put stores a line of the list and lets Run follow it.
func (m *Manager) put(ctx context.Context, x Meter) error {
	if err := m.state.PutMeter(ctx, x); err != nil {
		return fmt.Errorf("store meter %s: %w", x.UID, err)
	}
	m.mu.Lock()
	m.meters[x.UID] = x
	m.mu.Unlock()
	m.signal()
	m.cfg.OnMeter(x.UID)
	return nil
}

// setSerial notes the serial number of the meter that stands there now. The unit that
// found it goes on.
func (m *Manager) setSerial(ctx context.Context, uid logdb.MeterUID, serial string) error {
	m.mu.Lock()
	x, ok := m.meters[uid]
	if !ok || x.Serial == serial {
		m.mu.Unlock()
		return nil
	}
	x.Serial = serial
	m.meters[uid] = x
	if u := m.units[uid]; u != nil {
		u.meter.Serial = serial
	}
	m.mu.Unlock()
	if err := m.state.PutMeter(ctx, x); err != nil {
		return fmt.Errorf("store the serial number of %s: %w", uid, err)
	}
	return nil
}

// Set changes a meter's settings. A running meter is restarted with them.
func (m *Manager) Set(ctx context.Context, id string, c Change) (Meter, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	x, err := m.find(id)
	if err != nil {
		return Meter{}, err
	}
	if c.Name != nil {
		x.Name = strings.TrimSpace(*c.Name)
	}
	if c.Zone != nil {
		x.Zone = *c.Zone
	}
	if c.Enabled != nil {
		x.Enabled = *c.Enabled
	}
	for _, f := range []struct{ to, from *int }{{&x.RetrieveSeconds, c.RetrieveSeconds}, {&x.LiveSeconds, c.LiveSeconds}, {&x.LogSeconds, c.LogSeconds}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if x.Name == "" {
		return Meter{}, fmt.Errorf("%w: a meter needs a name", ErrInvalid)
	}
	if err := x.check(); err != nil {
		return Meter{}, err
	}
	if s, err := m.store.Settings(ctx, x.UID); err == nil && (s.Name != x.Name || s.Zone != x.Zone) {
		s.Name, s.Zone = x.Name, x.Zone
		if err := m.store.PutSettings(ctx, x.UID, s); err != nil {
			return Meter{}, fmt.Errorf("store the meter's settings: %w", err)
		}
	}
	return x, m.put(ctx, x)
}

// Remove takes a meter from the list. What it recorded stays in the log database.
func (m *Manager) Remove(ctx context.Context, id string) (Meter, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	x, err := m.find(id)
	if err != nil {
		return Meter{}, err
	}
	u := m.running(x.UID)
	m.mu.Lock()
	delete(m.meters, x.UID)
	m.mu.Unlock()
	m.signal()
	if u != nil {
		select {
		case <-u.done:
		case <-ctx.Done():
			return x, ctx.Err()
		}
	}
	if err := m.state.DeleteMeter(ctx, x.UID); err != nil {
		return x, fmt.Errorf("remove meter %s: %w", x.UID, err)
	}
	m.cfg.OnMeter(x.UID)
	return x, nil
}

// Test identifies the meter at an address and reads its present values, over the shared
// connection when there is one.
func (m *Manager) Test(ctx context.Context, address string, unit byte, profile string) (TestResult, error) {
	addr, err := modbus.ParseAddress(address)
	if err != nil {
		return TestResult{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	m.mu.Lock()
	shared := m.endpoints[addr]
	m.mu.Unlock()
	if shared != nil {
		return identify(ctx, shared.Endpoint, unit, m.profiles, profile, m.cfg.Now)
	}
	return Test(ctx, m.profiles, addr, unit, profile, m.modbusConfig())
}

// TestResult is what Test found.
type TestResult struct {
	Profile  string
	Identity poll.Identity
	Readings []device.Reading
	Took     time.Duration
	Counters modbus.Counters
}

// Test needs no service and no configuration: it connects, identifies the meter (as
// profile, or as the first that fits) and reads its present values.
func Test(ctx context.Context, profiles *device.Set, address string, unit byte, profile string, cfg modbus.Config) (TestResult, error) {
	e, err := modbus.New(address, cfg)
	if err != nil {
		return TestResult{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	runCtx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- e.Run(runCtx) }()
	out, err := identify(ctx, e, unit, profiles, profile, cfg.Now)
	cancel()
	return out, errors.Join(err, <-done)
}

func identify(ctx context.Context, e *modbus.Endpoint, unit byte, profiles *device.Set, profile string, now func() time.Time) (TestResult, error) {
	if now == nil {
		now = time.Now
	}
	start := now()
	ids := []string{profile}
	if profile == "" {
		ids = profiles.IDs()
	}
	var errs []error
	for _, id := range ids {
		p, ok := profiles.Get(id)
		if !ok {
			return TestResult{}, fmt.Errorf("%w: profile %q, have %s", ErrInvalid, id, strings.Join(profiles.IDs(), ", "))
		}
		u := e.Unit(unit, unitConfig(p))
		src := poll.NewSource(p, u, now)
		who, err := src.Identify(ctx, modbus.User)
		if err == nil {
			readings, err := src.Read(ctx, modbus.User)
			return TestResult{id, who, readings, now().Sub(start), u.Counters()}, err
		}
		errs = append(errs, fmt.Errorf("as %s: %w", id, err))
		if ctx.Err() != nil || errors.Is(err, modbus.ErrUnreachable) {
			break
		}
	}
	return TestResult{}, errors.Join(errs...)
}

// newUID makes a random UUID of version 4.
func newUID() logdb.MeterUID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return logdb.MeterUID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
