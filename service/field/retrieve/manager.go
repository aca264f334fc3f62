package retrieve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
)

// The errors of the meter list.
var (
	// ErrExists: a meter with that address and unit, or that serial number, is in the list.
	ErrExists = errors.New("the meter is in the list already")
	// ErrUnknownMeter: no meter of the list has that UID, name or serial number.
	ErrUnknownMeter = errors.New("no such meter in the list")
	// ErrInvalid: a setting cannot be used.
	ErrInvalid = errors.New("invalid meter setting")
)

// Config tunes a Manager. The zero value works.
type Config struct {
	Retrieve    time.Duration // between retrievals of a meter's logs; 1 min
	System      time.Duration // between retrievals of system events, which cause one each; 15 min
	Live        time.Duration // between live readings; 5 s
	Log         time.Duration // interval of the logs that the manager keeps; 1 min
	HistoryKeep int           // retrievals remembered for each meter; 1000
	Node        string        // name of this node: who changes records by itself
	Modbus      modbus.Config // of every endpoint
	// OnNewData is told after records were stored; OnMeter after a meter was added, changed or
	// removed; OnLive of each live reading. They are called on the meter's goroutine and must not block.
	OnNewData func(logdb.MeterUID)
	OnMeter   func(logdb.MeterUID)
	OnLive    func(logdb.MeterUID, time.Time, []device.Reading)
	// Room tells whether there is room for records; nil: always. While it is an error retrieval rests, and
	// the meters keep what they have.
	Room   func() error
	Now    func() time.Time
	Logger *slog.Logger
}

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.Retrieve, time.Minute)
	set(&c.System, 15*time.Minute)
	set(&c.Live, 5*time.Second)
	set(&c.Log, time.Minute)
	if c.HistoryKeep <= 0 {
		c.HistoryKeep = 1000
	}
	if c.OnNewData == nil {
		c.OnNewData = func(logdb.MeterUID) {}
	}
	if c.OnMeter == nil {
		c.OnMeter = func(logdb.MeterUID) {}
	}
	if c.OnLive == nil {
		c.OnLive = func(logdb.MeterUID, time.Time, []device.Reading) {}
	}
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Manager runs the meters of a site: one connection for each address, live readings,
// retrieval of their memory or a log kept for them.
type Manager struct {
	store    Store
	state    State
	profiles *device.Set
	cfg      Config

	changed    chan struct{} // Run reconciles
	reconciled chan struct{} // closed and renewed after each time; guarded by mu
	edit       sync.Mutex    // one change of the list at a time
	listing    sync.Mutex    // held while a line of the list is stored
	settings   sync.Mutex    // held while what is stored of a meter's settings is changed

	mu        sync.Mutex
	meters    map[logdb.MeterUID]Meter
	units     map[logdb.MeterUID]*unit
	endpoints map[string]*endpoint
	unstored  map[logdb.MeterUID]bool // lines of the list that could not be stored
	over      bool                    // Run has ended
}

// endpoint is a shared connection and how many meters use it.
type endpoint struct {
	*modbus.Endpoint
	users  int
	cancel context.CancelFunc
	done   chan struct{}
}

// New loads the list of meters. Nothing runs before Run.
func New(ctx context.Context, store Store, state State, profiles *device.Set, cfg Config) (*Manager, error) {
	cfg.fill()
	m := &Manager{
		store: store, state: state, profiles: profiles, cfg: cfg, changed: make(chan struct{}, 1), reconciled: make(chan struct{}),
		meters: map[logdb.MeterUID]Meter{}, units: map[logdb.MeterUID]*unit{}, endpoints: map[string]*endpoint{},
		unstored: map[logdb.MeterUID]bool{},
	}
	list, err := state.Meters(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the list of meters: %w", err)
	}
	for _, x := range list {
		m.meters[x.UID] = x
	}
	return m, nil
}

// Run keeps every enabled meter running until ctx ends, then lets all of them disengage
// and closes the connections.
func (m *Manager) Run(ctx context.Context) error {
	for {
		m.reconcile(ctx)
		select {
		case <-ctx.Done():
			m.stopAll()
			return nil
		case <-m.changed:
		}
	}
}

func (m *Manager) signal() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// reconcile makes what runs equal to the list.
func (m *Manager) reconcile(ctx context.Context) {
	m.mu.Lock()
	var stop []*unit
	for uid, u := range m.units {
		if !m.current(u) {
			stop = append(stop, u)
			delete(m.units, uid)
		}
	}
	m.mu.Unlock()
	m.stop(stop)
	m.mu.Lock()
	defer m.mu.Unlock()
	for uid, x := range m.meters {
		if !x.Enabled || m.units[uid] != nil {
			continue
		}
		u, err := m.open(ctx, x)
		if err != nil {
			m.cfg.Logger.Error("cannot run meter", "meter", string(uid), "err", err)
			continue
		}
		m.units[uid] = u
	}
	close(m.reconciled)
	m.reconciled = make(chan struct{})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// current reports whether a unit runs as the list says. The caller holds mu.
func (m *Manager) current(u *unit) bool {
	p, _ := m.profiles.Get(u.meter.Profile)
	x, ok := m.meters[u.meter.UID]
	return ok && x.Enabled && x == u.meter && p == u.profile
}

// KeepProfile adds a profile of one's own, in the folder of those, or puts it in the place of one with the same id. Meters of that
// profile go on with it at once: what they have on record is decoded again where that changes anything.
func (m *Manager) KeepProfile(folder string, text []byte) (*device.Profile, error) {
	m.edit.Lock()
	defer m.edit.Unlock()
	p, err := m.profiles.Keep(folder, text)
	if err != nil {
		return nil, err
	}
	m.signal()
	return p, nil
}

// startTime is how long a command waits for a meter that was just added or changed.
const startTime = disengageTime + 3*time.Second // another one may have to stop before

// await returns the running unit of a meter, which may be about to start, or to be started again with other settings.
func (m *Manager) await(ctx context.Context, x Meter) (*unit, error) {
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	for {
		m.mu.Lock()
		u, next, over := m.units[x.UID], m.reconciled, m.over
		now, ok := m.meters[x.UID]
		if u != nil && (!m.current(u) || isClosed(u.done)) {
			u = nil
		}
		m.mu.Unlock()
		switch {
		case over:
			return nil, modbus.ErrClosed
		case !ok:
			return nil, fmt.Errorf("%w: %s was removed", ErrUnknownMeter, x.Name)
		}
		if u != nil {
			return u, nil
		}
		if !now.Enabled {
			return nil, fmt.Errorf("%w: %s is disabled", ErrInvalid, x.Name)
		}
		select {
		case <-next:
		case <-timer.C:
			return nil, fmt.Errorf("%w: %s is not running", ErrInvalid, x.Name)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// open starts a meter's goroutines. The caller holds mu.
func (m *Manager) open(ctx context.Context, x Meter) (*unit, error) {
	p, ok := m.profiles.Get(x.Profile)
	if !ok {
		return nil, fmt.Errorf("%w: profile %q is not loaded", ErrInvalid, x.Profile)
	}
	zone, err := time.LoadLocation(x.Zone)
	if err != nil {
		return nil, fmt.Errorf("%w: time zone %q: %w", ErrInvalid, x.Zone, err)
	}
	e := m.endpoints[x.Address]
	if e == nil {
		end, err := modbus.New(x.Address, m.modbusConfig())
		if err != nil {
			return nil, err
		}
		// The connection outlives the meters' goroutines, which disengage when ctx ends.
		runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		e = &endpoint{Endpoint: end, cancel: cancel, done: make(chan struct{})}
		go func() {
			defer close(e.done)
			if err := end.Run(runCtx); err != nil {
				m.cfg.Logger.Error("connection ended", "conn", x.Address, "err", err)
			}
		}()
		m.endpoints[x.Address] = e
	}
	e.users++
	unitCtx, cancel := context.WithCancel(ctx)
	u := newUnit(m, x, p, zone, e)
	u.cancel, u.ending = cancel, unitCtx.Done()
	go func() {
		defer close(u.done)
		u.run(unitCtx)
	}()
	return u, nil
}

func (m *Manager) modbusConfig() modbus.Config {
	c := m.cfg.Modbus
	if c.Logger == nil {
		c.Logger = m.cfg.Logger
	}
	return c
}

// stop ends units, waits for them, and closes connections that nobody uses any more.
func (m *Manager) stop(units []*unit) {
	for _, u := range units {
		u.cancel()
	}
	for _, u := range units {
		<-u.done
		m.mu.Lock()
		e := u.end
		e.users--
		last := e.users == 0
		if last {
			delete(m.endpoints, u.meter.Address)
		}
		m.mu.Unlock()
		if last {
			e.cancel()
			<-e.done
		}
	}
}

func (m *Manager) stopAll() {
	m.mu.Lock()
	var all []*unit
	for uid, u := range m.units {
		all = append(all, u)
		delete(m.units, uid)
	}
	m.over = true
	close(m.reconciled)
	m.reconciled = make(chan struct{})
	m.mu.Unlock()
	m.stop(all)
}

// find returns the meter with that UID, else the only one of that name or serial number.
func (m *Manager) find(id string) (Meter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x, ok := m.meters[logdb.MeterUID(id)]; ok {
		return x, nil
	}
	var hits []Meter
	for _, x := range m.meters {
		if x.Name == id || x.Serial == id {
			hits = append(hits, x)
		}
	}
	switch {
	case len(hits) == 0:
		return Meter{}, fmt.Errorf("%w: no name, serial number or UID is %q", ErrUnknownMeter, id)
	case len(hits) > 1:
		return Meter{}, fmt.Errorf("%w: %d meters are called %q; say which by its UID", ErrUnknownMeter, len(hits), id)
	}
	return hits[0], nil
}

func (m *Manager) list() []Meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Meter, 0, len(m.meters))
	for _, x := range m.meters {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Meter) int {
		if a.Added != b.Added {
			return int(a.Added - b.Added)
		}
		if a.UID < b.UID {
			return -1
		}
		return 1
	})
	return out
}

func (m *Manager) running(uid logdb.MeterUID) *unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units[uid]
}
