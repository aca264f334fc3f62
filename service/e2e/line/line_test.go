package line_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/e2e/virtual"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

var (
	runs  = flag.Int("line.n", 40, "how many runs")
	first = flag.Uint64("line.seed", 1, "the first seed")
)

// TestSpoiledLines: a site reads a Shark 200, a Nexus and three meters without logs over lines that delay, drop, double, reorder, cut, spoil
// and refuse what is said, and answer late. Whatever is stored is what the meters hold; when the faults have ended nothing of it is missing.
func TestSpoiledLines(t *testing.T) {
	t.Parallel()
	debug.SetGCPercent(400)
	var mu sync.Mutex
	var total stats
	top, done := t, 0
	counts := map[fault]int{}
	t.Run("seed", func(t *testing.T) {
		for i := range uint64(*runs) {
			seed := *first + i
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := play(t, seed)
					mu.Lock()
					defer mu.Unlock()
					total.records, total.values, total.gaps = total.records+r.records, total.values+r.values, total.gaps+r.gaps
					for f, n := range r.counts {
						counts[f] += n
					}
					if done++; done%100 == 0 {
						top.Logf("%d runs so far", done)
					}
				})
			})
		}
	})
	t.Logf("%d runs: %d records of memories and %d values compared, %d gaps; requests: %v", *runs, total.records, total.values, total.gaps, counts)
	for _, f := range append(faults, pass) {
		if *runs >= 20 && counts[f] == 0 {
			t.Errorf("%q never happened", f)
		}
	}
}

type stats struct {
	records, values, gaps int
	counts                map[fault]int
}

// site is what a run is made of.
type site struct {
	t        *testing.T
	rng      *rand.Rand
	net      *virtual.Network
	store    logdb.Store
	state    *list
	profiles *device.Set
	gateways []*gateway
	tellers  *teller
	sims     map[logdb.MeterUID]*sim.Meter
	ends     []func()
	judged   *judge
}

// line is an address of the site.
type line struct {
	host    string
	kind    sim.Kind // "": meters without logs
	profile string
}

// lines are those of a run; that of the meters without logs has one of the profiles kept.
var lines = []line{{"shark", sim.Shark200, "eig-shark-200"}, {"nexus", sim.Nexus, "eig-nexus-1252"}, {"bus", "", ""}}

// kept are read by two requests of different lengths, and by one.
var kept = []string{"eastron-sdm120", "janitza-umg604"}

const units = 3 // on the line without logs

// play runs one seed: some minutes with faults, some without, then the judge.
func play(t *testing.T, seed uint64) stats {
	time.Sleep(60 * 24 * time.Hour) // the bubble begins in 2000, as the meters' calendar does
	s := &site{t: t, rng: rand.New(rand.NewPCG(seed, 5)), net: virtual.NewNetwork(), store: logdbtest.NewModel(logdbtest.Config{}), state: newList(), sims: map[logdb.MeterUID]*sim.Meter{}}
	var err error
	if s.profiles, err = device.LoadProfiles(assets.Profiles()); err != nil {
		t.Fatal(err)
	}
	s.tellers = &teller{start: time.Now(), units: units}
	s.judged = &judge{t: t, tellers: s.tellers}
	for i := range lines {
		s.build(i, seed)
	}
	for !s.supplied(time.Hour) {
		time.Sleep(time.Minute)
	}
	s.tellers.start = time.Now()
	for range 1 + s.rng.IntN(3) { // the program is started anew in between
		for _, g := range s.gateways {
			g.set(randomMix(s.rng))
		}
		s.run(time.Duration(3+s.rng.IntN(7))*time.Minute, nil)
	}
	for _, g := range s.gateways {
		g.set(mix{})
	}
	began := time.Now()
	var last time.Time // when the last retrieval began
	s.run(6*time.Minute+30*time.Second, func(m *retrieve.Manager) {
		last = time.Now()
		for uid := range s.sims {
			if _, err := m.Retrieve(t.Context(), string(uid), 0); err != nil {
				t.Errorf("without faults: %v", err)
			}
		}
	})
	out := s.judge(began, last)
	out.counts = map[fault]int{}
	for _, g := range s.gateways {
		for f, n := range g.counts {
			out.counts[f] += n
		}
	}
	for _, end := range s.ends {
		end()
	}
	return out
}

// build puts the meters of a line at its address, and on the site's list.
func (s *site) build(i int, seed uint64) {
	l := lines[i]
	rtu := s.rng.IntN(2) == 0
	if l.kind == "" {
		l.profile = kept[s.rng.IntN(len(kept))]
	}
	p, ok := s.profiles.Get(l.profile)
	if !ok {
		s.t.Fatalf("no profile %s", l.profile)
	}
	if l.kind == "" {
		s.tellers.profile = p
	}
	ask, n := s.tellers.ask, units
	if l.kind != "" {
		up := s.simulate(l.host, l.kind, seed)
		ask, n = up.ask, 1
	}
	g := newGateway(rtu, p.Defaults.Timeout(), seed<<2+uint64(i), ask)
	s.gateways = append(s.gateways, g)
	address := l.host + ":502"
	listener, err := s.net.Listen(address)
	if err != nil {
		s.t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); g.run(listener) }()
	s.ends = append([]func(){func() { _ = listener.Close(); g.stop(); <-served }}, s.ends...)
	if rtu {
		address = "rtu+tcp://" + address
	}
	for unit := 1; unit <= n; unit++ {
		uid := logdb.MeterUID(fmt.Sprintf("%s-%d", l.host, unit))
		x := retrieve.Meter{UID: uid, Name: string(uid), Address: address, Unit: byte(unit), Profile: l.profile, Zone: "UTC", Enabled: true,
			LiveSeconds: 20, LogSeconds: 60, RetrieveSeconds: 60, Added: logdb.Millis(unit)}
		if err := s.state.PutMeter(s.t.Context(), x); err != nil {
			s.t.Fatal(err)
		}
		if err := s.store.PutSettings(s.t.Context(), uid, logdb.Settings{UID: uid, Name: x.Name, Zone: "UTC"}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) simulate(host string, kind sim.Kind, seed uint64) *upstream {
	m, err := sim.New(sim.Config{Kind: kind, Seed: seed, Zone: "UTC", History: time.Duration(1+s.rng.IntN(5)) * time.Hour,
		Open: func(string) (net.Listener, error) { return s.net.Listen(host + "-itself:502") }})
	if err != nil {
		s.t.Fatal(err)
	}
	s.sims[logdb.MeterUID(host+"-1")] = m
	up := &upstream{net: s.net, address: host + "-itself:502"}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	s.ends = append(s.ends, func() {
		cancel()
		up.close()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	return up
}

// supplied reports whether the simulated meters, whose supply fails now and then, have it for a time to come.
func (s *site) supplied(d time.Duration) bool {
	for _, m := range s.sims {
		for at := time.Duration(0); at < d; at += time.Minute {
			if !m.Powered(time.Now().Add(at)) {
				return false
			}
		}
	}
	return true
}

// clean is a site that reads the simulated meters themselves, once and without faults.
func (s *site) clean() logdb.Store {
	s.t.Helper()
	c := *s
	c.store, c.state = logdbtest.NewModel(logdbtest.Config{}), newList()
	for uid := range s.sims {
		l := s.lineOf(uid)
		x := retrieve.Meter{UID: uid, Name: string(uid), Address: l.host + "-itself:502", Unit: 1, Profile: l.profile, Zone: "UTC", Enabled: true, Added: 1}
		if err := c.state.PutMeter(s.t.Context(), x); err != nil {
			s.t.Fatal(err)
		}
		if err := c.store.PutSettings(s.t.Context(), uid, logdb.Settings{UID: uid, Name: x.Name, Zone: "UTC"}); err != nil {
			s.t.Fatal(err)
		}
	}
	c.run(time.Second, func(m *retrieve.Manager) {
		for uid := range s.sims {
			if _, err := m.Retrieve(s.t.Context(), string(uid), 0); err != nil {
				s.t.Errorf("at the meter itself: %v", err)
			}
		}
	})
	return c.store
}

// run lets the site's program run for a time.
func (s *site) run(d time.Duration, atEnd func(*retrieve.Manager)) {
	s.t.Helper()
	m, err := retrieve.New(s.t.Context(), s.store, s.state, s.profiles, retrieve.Config{
		OnLive: s.judged.live,
		Modbus: modbus.Config{Dial: func(ctx context.Context, to string) (net.Conn, error) { return s.net.Dial(ctx, "site", to) }},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	time.Sleep(d)
	if atEnd != nil {
		atEnd(m)
	}
	cancel()
	if err := <-done; err != nil {
		s.t.Error(err)
	}
}

// list is the list of meters and where their retrieval stands, in memory.
type list struct {
	mu     sync.Mutex
	meters map[logdb.MeterUID]retrieve.Meter
	logs   map[logdb.MeterUID]map[string]retrieve.LogState
}

func newList() *list {
	return &list{meters: map[logdb.MeterUID]retrieve.Meter{}, logs: map[logdb.MeterUID]map[string]retrieve.LogState{}}
}

// Meters returns the list.
func (l *list) Meters(context.Context) (out []retrieve.Meter, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.meters {
		out = append(out, m)
	}
	return out, nil
}

// PutMeter changes a line of the list.
func (l *list) PutMeter(_ context.Context, m retrieve.Meter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meters[m.UID] = m
	return nil
}

// DeleteMeter takes a line off the list.
func (l *list) DeleteMeter(_ context.Context, uid logdb.MeterUID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.meters, uid)
	return nil
}

// LogStates returns where the retrieval of a meter's logs stands.
func (l *list) LogStates(_ context.Context, uid logdb.MeterUID) (map[string]retrieve.LogState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.logs[uid]), nil
}

// PutLogState keeps where the retrieval of a log stands.
func (l *list) PutLogState(_ context.Context, uid logdb.MeterUID, st retrieve.LogState) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.logs[uid] == nil {
		l.logs[uid] = map[string]retrieve.LogState{}
	}
	l.logs[uid][st.Log] = st
	return nil
}

// AddHistory keeps nothing.
func (l *list) AddHistory(context.Context, retrieve.HistoryItem, int) error { return nil }

// History has nothing.
func (l *list) History(context.Context, logdb.MeterUID, int) ([]retrieve.HistoryItem, error) {
	return nil, nil
}
