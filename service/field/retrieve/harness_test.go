package retrieve_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/logdb/sqlite"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

const uid logdb.MeterUID = "meter-1"

// profileOf is the profile of a simulated meter.
var profileOf = map[sim.Kind]string{"": "eig-shark-200", sim.Shark200: "eig-shark-200", sim.Nexus: "eig-nexus-1252"}

// eachFamily runs a test with a meter of each family of logs.
func eachFamily(t *testing.T, test func(t *testing.T, kind sim.Kind)) {
	t.Parallel()
	for _, kind := range []sim.Kind{sim.Shark200, sim.Nexus} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// site is a simulated meter, the path to it and an empty log database.
type site struct {
	t       *testing.T
	meter   *sim.Meter
	conn    *modbus.Unit
	profile *device.Profile
	store   logdb.Store
	states  map[string]retrieve.LogState
	zone    *time.Location
	now     *clock

	correction device.Correction
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func profiles(t testing.TB) *device.Set {
	t.Helper()
	set, err := device.LoadProfiles(assets.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// newSQLite is a site over the real store, which is faster for many records.
func newSQLite(t *testing.T, cfg sim.Config) *site {
	t.Helper()
	s := newSite(t, cfg)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s.store = store
	return s
}

func newSite(t *testing.T, cfg sim.Config) *site {
	t.Helper()
	now := &clock{t: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	cfg.Now = now.Now
	if cfg.History == 0 {
		cfg.History = 3 * 24 * time.Hour
	}
	if cfg.Seed == 0 {
		cfg.Seed = 7
	}
	m, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	background(t, m.Run)
	e, err := modbus.New(m.Addr().String(), modbus.Config{Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	background(t, e.Run)
	p, _ := profiles(t).Get(profileOf[cfg.Kind])
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return &site{
		t: t, meter: m, profile: p, store: logdbtest.NewModel(logdbtest.Config{}), states: map[string]retrieve.LogState{}, zone: zone, now: now,
		conn: e.Unit(1, modbus.UnitConfig{WriteAllow: p.WriteList(), Timeout: 2 * time.Second}),
	}
}

func (s *site) target() *retrieve.Target {
	s.t.Helper()
	id, err := poll.NewSource(s.profile, s.conn, s.now.Now).Identify(s.t.Context(), modbus.User)
	if err != nil {
		s.t.Fatal(err)
	}
	return &retrieve.Target{UID: uid, Profile: s.profile, Zone: s.zone, Conn: s.conn, Identity: id, Correction: s.correction}
}

// changedProfile is the Shark's with a text replaced.
func changedProfile(t *testing.T, old, new string) *device.Profile {
	t.Helper()
	text, err := fs.ReadFile(assets.Profiles(), "eig-shark-200.json")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("the profile does not hold %s", old)
	}
	p, err := device.Parse([]byte(strings.ReplaceAll(string(text), old, new)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *site) reader() *retrieve.Reader {
	return &retrieve.Reader{Store: s.store, Priority: modbus.Logs, Now: s.now.Now}
}

// retrieve reads one log once.
func (s *site) retrieve(name string) (retrieve.Outcome, error) {
	s.t.Helper()
	log, ok := s.profile.LogOf(name)
	if !ok {
		s.t.Fatalf("no log %s", name)
	}
	st := s.states[name]
	out, err := s.reader().Log(s.t.Context(), s.target(), log, &st, true)
	s.states[name] = st
	return out, err
}

func (s *site) must(name string) retrieve.Outcome {
	s.t.Helper()
	out, err := s.retrieve(name)
	if err != nil {
		s.t.Fatalf("retrieve %s: %v", name, err)
	}
	return out
}

// raws returns all raw records of a log in journal order.
func (s *site) raws(kind logdb.Kind, log logdb.LogNo) []logdb.RawRecord {
	s.t.Helper()
	out, err := s.store.LastRaw(s.t.Context(), uid, kind, log, 1<<30)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// events returns the live events of a kind.
func (s *site) events(kind logdb.Kind, gaps bool) []logdb.Entry {
	s.t.Helper()
	var out []logdb.Entry
	err := s.store.ReadEvents(s.t.Context(), logdb.EventQuery{Meter: uid, Kind: kind, Gaps: gaps}, func(_ logdb.StreamID, e *logdb.Entry) error {
		out = append(out, *e)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// meddler is another program that writes a register by our port at one of our requests.
type meddler struct {
	retrieve.Conn
	at    int
	write [2]uint16
}

// Do lets the other program write first.
func (c *meddler) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	if c.at--; c.at == 0 {
		if _, err := c.Conn.Do(ctx, modbus.Request{FC: 6, Addr: c.write[0], Count: 1, Data: binary.BigEndian.AppendUint16(nil, c.write[1])}); err != nil {
			return nil, err
		}
	}
	return c.Conn.Do(ctx, r)
}

// sameHistory compares the rows of the first historical log byte by byte.
func (s *site) sameHistory(want *site) {
	s.t.Helper()
	a, b := s.raws(logdb.KindHistorical, 0), want.raws(logdb.KindHistorical, 0)
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i].Bytes, b[i].Bytes) {
			s.t.Fatalf("record %d is % x, want % x", i, a[i].Bytes, b[i].Bytes)
		}
	}
}

// doer lets something happen at one of our requests.
type doer struct {
	retrieve.Conn
	at int
	do func()
}

// Do does it before the request.
func (c *doer) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	if c.at--; c.at == 0 {
		c.do()
	}
	return c.Conn.Do(ctx, r)
}
