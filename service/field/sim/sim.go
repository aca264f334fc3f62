package sim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/assets"
)

// Kind is the sort of meter that is simulated.
type Kind string

// The kinds.
const (
	Shark200 Kind = "shark200"  // readings and five kinds of logs
	SunSpec  Kind = "sunspec"   // readings only: models 1, 203 and 213
	Nexus    Kind = "nexus1252" // few readings and the logs of the Nexus 1252 style, in rings
)

// Kinds lists them.
var Kinds = []Kind{Shark200, SunSpec, Nexus}

// Config says what is simulated. The zero value is a Shark 200 with 60 days of history on a
// free port of the loopback.
type Config struct {
	Listen string // host:port; default "127.0.0.1:0"
	// SecondListen, when not empty, is the address of a second network card: another COM port of
	// the same meter. Everything that comes by Listen is COM3, by SecondListen COM4.
	SecondListen string
	// Open opens the ports; nil: TCP ports of this machine.
	Open func(address string) (net.Listener, error)
	Kind Kind   // default Shark200
	Unit byte   // Modbus unit id, default 1
	Seed uint64 // equal seeds and starts make equal meters
	Zone string // IANA name of the meter's clock, default "America/New_York"
	// Start is the begin of the history, rounded down to an hour. Keep it to get the same records
	// at the same places after a restart. Zero: as in the State file, else History ago.
	Start   time.Time
	History time.Duration // used when Start is zero; default 60 days
	Name    string        // at most 16 bytes; default "Sim <seed>"
	Serial  string        // at most 16 bytes; default from the seed
	Site    Site          // default Site277
	Energy  EnergyFormat  // default 8 digits, kilo, 2 decimals
	// EnergyStartWh is what the Wh received counter showed at Start; default 312 MWh. The other
	// counters start in proportion.
	EnergyStartWh float64
	// IOCard gives a Shark 200 an option card whose first output follows the power limit, and so a log of I/O changes.
	IOCard bool
	// NoLogs are the numbers of logs that a Nexus does not keep: of those from LogFlicker on.
	NoLogs []int
	// Clock says when somebody sets the meter's clock, in order; nil: it is put ahead by minutes for a while at each twelfth noon.
	// A day of the history, 24 hours from its begin on, must begin and end with a right clock.
	Clock []ClockStep
	// MaxRecords overrides how many records a log holds, by the meter's log number.
	MaxRecords map[int]int
	// RealMemory gives the logs the sizes of the real meter, so that long histories roll over.
	// Without it they are larger, and ExceedsRealMemory tells.
	RealMemory bool
	// NotReadyEvery makes about one of so many log windows need a second reading, as the real
	// meter does; default 16, negative never.
	NotReadyEvery int
	// State is a file for what cannot be computed again, the log retrievals in the system log.
	// Without it they are forgotten at the end of the process.
	State    string
	Profiles fs.FS // default assets.Profiles()
	Now      func() time.Time
	Logger   *slog.Logger
}

// ClockStep is what the meter's clock is set to, so long after the begin of the history: Ahead of the true time, or behind it.
type ClockStep struct{ After, Ahead time.Duration }

// Meter is one simulated meter.
type Meter struct {
	cfg    Config
	site   Site
	zone   *zone
	layout *layout
	model  *model
	plan   *plan
	energy *meterEnergy
	items  []item
	start  energies // mWh at the begin
	log    *slog.Logger

	listeners []net.Listener
	journal   *journal

	waveMu     sync.Mutex
	waveCached []byte
	waveIndex  int

	mu      sync.Mutex // guards all below; a meter does one thing at a time
	logs    []*meterLog
	history [3]*historical
	resets  []energyReset
	session *session
	windows int64 // read so far: decides which are not ready
	faults  faults
	// Of a Nexus: what each port wrote, its memories, the limit states behind each alarm, and by how much its logs are ahead of the
	// time.
	ports       map[int]*nexusPort
	rings       [nexusLogs]*nexusRing
	limitStates [][2]uint32
	flicker     *flicker
	lead        int64

	counters Counters
	conns    map[net.Conn]struct{}
}

// New makes a meter and opens its port, so that Addr is known; nothing is answered before Run.
func New(cfg Config) (*Meter, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	m := &Meter{cfg: cfg, site: cfg.Site, log: cfg.Logger, conns: map[net.Conn]struct{}{}}
	var err error
	if m.zone, err = newZone(cfg.Zone, cfg.Start); err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	if m.layout, err = readLayout(cfg.Profiles); err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	begin := cfg.Start.UnixMilli()
	m.model = &model{seed: seed(cfg.Seed), zone: m.zone, site: cfg.Site, begin: begin}
	m.plan = &plan{
		seed: seed(cfg.Seed), begin: begin, clock: cfg.Clock, zone: m.zone, layout: m.layout, limits: limitSettings(cfg.Site),
		tellsDST: cfg.Kind != Nexus, hertz: cfg.Site.NominalHz, perVolt: cfg.Site.NominalVolts / cfg.Site.VoltageFullScale(),
		amps: func(at int64, d *day) float64 {
			r := m.model.measure(at-1, d.disturbances)
			return r.Amps[0] / cfg.Site.CurrentFullScale()
		},
	}
	m.model.plan = m.plan
	m.energy = &meterEnergy{model: m.model}
	m.items = items()
	for i, part := range [energyCount]float64{1, 0.04, 0.31, 0.02, 1.06} {
		m.start[i] = int64(cfg.EnergyStartWh * 1000 * part)
	}
	if err := m.build(); err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	if err := m.openState(); err != nil {
		return nil, fmt.Errorf("simulated meter: %w", err)
	}
	if err := m.listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("simulated meter: %w", err), m.journal.close())
	}
	return m, nil
}

// build makes the logs.
func (m *Meter) build() error {
	if m.cfg.Kind == Nexus {
		return m.buildNexus()
	}
	m.buildLogs()
	return nil
}

func (c *Config) setDefaults() error {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Open == nil {
		c.Open = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	if c.Kind == "" {
		c.Kind = Shark200
	}
	for i, s := range c.Clock {
		ends := i == len(c.Clock)-1 || c.Clock[i+1].After/dayLong != s.After/dayLong
		if s.After <= 0 || i > 0 && s.After <= c.Clock[i-1].After || ends && s.Ahead != 0 {
			return fmt.Errorf("clock step %d, after %s by %s: steps must rise, and be taken back within a day of the history", i, s.After, s.Ahead)
		}
	}
	if !slices.Contains(Kinds, c.Kind) {
		return fmt.Errorf("kind %q, must be one of %q", c.Kind, Kinds)
	}
	if c.Unit == 0 {
		c.Unit = 1
	}
	if c.Zone == "" {
		c.Zone = "America/New_York"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.History == 0 {
		c.History = 60 * 24 * time.Hour
	}
	if c.Start.IsZero() {
		c.Start = c.Now().Add(-c.History)
		if ms, ok := startOf(c.State, c.Seed); ok {
			c.Start = time.UnixMilli(ms)
		}
	}
	c.Start = c.Start.UTC().Truncate(time.Hour)
	if c.History < 0 || c.Start.Year() < 2000 || c.Start.Year() > 2090 {
		return fmt.Errorf("start %s, must be from 2000 to 2090", c.Start.Format(time.RFC3339))
	}
	if err := c.setIdentity(); err != nil {
		return err
	}
	if c.EnergyStartWh == 0 {
		c.EnergyStartWh = 312e6
	}
	if c.NotReadyEvery == 0 {
		c.NotReadyEvery = 16
	}
	if c.Profiles == nil {
		c.Profiles = assets.Profiles()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("component", "sim", "serial", strings.TrimSpace(c.Serial))
	var err error
	c.Site, err = c.Site.withDefaults()
	return err
}

// setIdentity sets what the meter says of itself.
func (c *Config) setIdentity() error {
	if c.Name == "" {
		c.Name = fmt.Sprintf("Sim %d", c.Seed%1_000_000)
	}
	if c.Serial == "" {
		c.Serial = fmt.Sprintf("SIM%013d", c.Seed%10_000_000_000_000)
	}
	if len(c.Name) > 16 || len(c.Serial) > 16 {
		return fmt.Errorf("name %q and serial %q, at most 16 bytes each", c.Name, c.Serial)
	}
	if c.Energy == (EnergyFormat{}) {
		c.Energy = EnergyFormat{Digits: 8, Prefix: 3, Decimals: 2}
	}
	if e := c.Energy; e.Digits < 5 || e.Digits > 8 || e.Decimals < 0 || e.Decimals > 6 || e.Decimals > e.Prefix+3 ||
		e.Prefix != 0 && e.Prefix != 3 && e.Prefix != 6 {
		return fmt.Errorf("energy format %+v", e)
	}
	return nil
}

func (m *Meter) listen() error {
	for _, addr := range [...]string{m.cfg.Listen, m.cfg.SecondListen} {
		if addr == "" {
			continue
		}
		l, err := m.cfg.Open(addr)
		if err != nil {
			for _, l := range m.listeners {
				err = errors.Join(err, l.Close())
			}
			return fmt.Errorf("listen on %s: %w", addr, err)
		}
		m.listeners = append(m.listeners, l)
	}
	return nil
}

// Addr returns the address of the meter's (first) port.
func (m *Meter) Addr() net.Addr { return m.listeners[0].Addr() }

// SecondAddr returns the address of the second port, nil when there is none.
func (m *Meter) SecondAddr() net.Addr {
	if len(m.listeners) < 2 {
		return nil
	}
	return m.listeners[1].Addr()
}

// Start returns the begin of the history: what Config.Start has to be after a restart.
func (m *Meter) Start() time.Time { return m.cfg.Start }

// Serial returns the serial number that the meter answers.
func (m *Meter) Serial() string { return m.cfg.Serial }

// At returns what the model measures at t: zero while the supply was off.
func (m *Meter) At(t time.Time) Reading {
	ms := t.UnixMilli()
	if d := m.plan.day(ms); d.isOff(ms) {
		return Reading{}
	}
	return m.model.at(ms)
}

// Powered reports whether the meter's supply is on at t.
func (m *Meter) Powered(t time.Time) bool {
	ms := t.UnixMilli()
	return !m.plan.day(ms).isOff(ms)
}

// Run answers until ctx ends, then closes the ports and all connections.
func (m *Meter) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	stop := context.AfterFunc(ctx, m.closeAll)
	defer stop()
	errs := make([]error, len(m.listeners))
	for i, l := range m.listeners {
		wg.Go(func() { errs[i] = m.accept(ctx, l, 3+i) })
	}
	wg.Wait()
	m.closeAll()
	return errors.Join(errors.Join(errs...), m.journal.close())
}

func (m *Meter) closeAll() {
	for _, l := range m.listeners {
		_ = l.Close() // closing twice is fine
	}
	m.closeConns()
}

// now is the present in ms.
func (m *Meter) now() int64 { return m.cfg.Now().UnixMilli() }
