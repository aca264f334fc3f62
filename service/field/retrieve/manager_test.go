package retrieve_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/assets"
	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// memory is a State without a database.
type memory struct {
	mu      sync.Mutex
	meters  map[logdb.MeterUID]retrieve.Meter
	logs    map[logdb.MeterUID]map[string]retrieve.LogState
	history []retrieve.HistoryItem
}

func newMemory() *memory {
	return &memory{meters: map[logdb.MeterUID]retrieve.Meter{}, logs: map[logdb.MeterUID]map[string]retrieve.LogState{}}
}

func (m *memory) Meters(context.Context) ([]retrieve.Meter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.meters)), nil
}

func (m *memory) PutMeter(_ context.Context, x retrieve.Meter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meters[x.UID] = x
	return nil
}

func (m *memory) DeleteMeter(ctx context.Context, uid logdb.MeterUID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.meters, uid)
	return nil
}

func (m *memory) LogStates(_ context.Context, uid logdb.MeterUID) (map[string]retrieve.LogState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.logs[uid]), nil
}

func (m *memory) PutLogState(_ context.Context, uid logdb.MeterUID, s retrieve.LogState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.logs[uid] == nil {
		m.logs[uid] = map[string]retrieve.LogState{}
	}
	m.logs[uid][s.Log] = s
	return nil
}

func (m *memory) AddHistory(_ context.Context, h retrieve.HistoryItem, _ int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.history = append(m.history, h)
	return nil
}

func (m *memory) History(_ context.Context, uid logdb.MeterUID, limit int) ([]retrieve.HistoryItem, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.history)
	slices.Reverse(out)
	return out[:min(limit, len(out))], nil
}

// simulate starts a meter on the real clock.
func simulate(t *testing.T, cfg sim.Config) *sim.Meter {
	t.Helper()
	m, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	background(t, m.Run)
	return m
}

type events struct {
	live, data chan logdb.MeterUID
}

// offer never blocks the meter's goroutine.
func offer(c chan logdb.MeterUID, u logdb.MeterUID) {
	select {
	case c <- u:
	default:
	}
}

func newManager(t *testing.T, store retrieve.Store, state retrieve.State, cfg retrieve.Config) (*retrieve.Manager, events) {
	t.Helper()
	ev := events{make(chan logdb.MeterUID, 1000), make(chan logdb.MeterUID, 1000)}
	cfg.OnLive = func(u logdb.MeterUID, _ time.Time, _ []device.Reading) { offer(ev.live, u) }
	cfg.OnNewData = func(u logdb.MeterUID) { offer(ev.data, u) }
	m, err := retrieve.New(t.Context(), store, state, profiles(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m, ev
}

func TestManagerRunsAShark(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 3, History: 8 * time.Hour})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	m, ev := newManager(t, store, state, retrieve.Config{Live: 20 * time.Millisecond, Retrieve: time.Hour})
	background(t, m.Run)
	ctx := t.Context()

	if _, err := m.Add(ctx, retrieve.AddRequest{Address: meter.Addr().String(), Unit: 1, Zone: "Mars/Olympus"}); !errors.Is(err, retrieve.ErrInvalid) {
		t.Errorf("a zone that does not exist gives %v", err)
	}
	x, err := m.Add(ctx, retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	if x.Profile != "eig-shark-200" || x.Serial == "" {
		t.Errorf("found %+v", x)
	}
	if _, err := m.Add(ctx, retrieve.AddRequest{Name: "again", Address: meter.Addr().String(), Unit: 1}); !errors.Is(err, retrieve.ErrExists) {
		t.Errorf("adding it again gives %v", err)
	}
	<-ev.data
	item, err := m.Retrieve(ctx, "main", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", item)
	<-ev.live
	live, err := m.Read(ctx, x.Serial)
	if err != nil || len(live.Readings) == 0 {
		t.Fatalf("read gives %v, %v", live, err)
	}
	good := 0
	for _, r := range live.Readings {
		if r.Quality == device.Good {
			good++
		}
	}
	if good < 20 {
		t.Errorf("%d good readings of %d", good, len(live.Readings))
	}
	s, err := m.Show(ctx, string(x.UID))
	if err != nil || s.State != "ok" || s.LastSuccess == 0 || s.Records == 0 || len(s.Logs) == 0 || len(s.Unverified) == 0 || s.DriftMS == nil {
		t.Errorf("status %+v, %v", s, err)
	}
	settings, err := store.Settings(ctx, x.UID)
	if err != nil || settings.Serial != x.Serial || settings.PTPrimary == 0 || settings.Energy.Digits != 8 || settings.Zone != "America/New_York" {
		t.Errorf("settings %+v, %v", settings, err)
	}
	if !settings.Verified("readings.voltage.an") || settings.Verified("energy.total.wh.received") || settings.Verified("energy.interval.wh.received") {
		t.Errorf("unverified channels %q, want the energies and not the voltages", settings.UnverifiedChannels)
	}
	if got := settings.LogIntervalsMillis; len(got) < 2 || got[0] != 60_000 {
		t.Errorf("log intervals %v ms, want 60000 for the first", got)
	}
	if raws, err := store.LastRaw(ctx, x.UID, logdb.KindHistorical, 0, 1000); err != nil || len(raws) < 300 {
		t.Errorf("%d historical records, %v", len(raws), err)
	}
	off := false
	if _, err := m.Set(ctx, "main", retrieve.Change{Enabled: &off}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Remove(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	if list, err := m.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("after removal the list is %v, %v", list, err)
	}
}

// TestRemoveIsFinished: who asked for a meter to be removed may go away meanwhile: it does not come back after a restart.
func TestRemoveIsFinished(t *testing.T) {
	t.Parallel()
	meter, state := simulate(t, sim.Config{Seed: 3, History: 2 * time.Hour}), newMemory()
	m, ev := newManager(t, logdbtest.NewModel(logdbtest.Config{}), state, retrieve.Config{})
	background(t, m.Run)
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1}); err != nil {
		t.Fatal(err)
	}
	<-ev.live
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Remove(gone, "main"); err != nil {
		t.Error(err)
	}
	if list, err := state.Meters(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("kept: %v, %v", list, err)
	}
}

// TestDriftAroundAChange: a meter whose clock is right has no drift, on either side of the change of the zone and in both passes of the hour
// that repeats, whether it sets a DST bit or not.
func TestDriftAroundAChange(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind sim.Kind) {
		change := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
		for _, after := range []time.Duration{-18 * time.Hour, -30 * time.Minute, 30 * time.Minute, 18 * time.Hour} {
			now := &clock{t: change.Add(after)}
			meter := simulate(t, sim.Config{Kind: kind, Seed: 3, History: time.Hour, Zone: "America/New_York", Now: now.Now})
			m, _ := newManager(t, logdbtest.NewModel(logdbtest.Config{}), newMemory(), retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Now: now.Now})
			background(t, m.Run)
			if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Profile: profileOf[kind], Zone: "America/New_York"}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Retrieve(t.Context(), "main", logdb.KindHistorical); err != nil {
				t.Fatal(err)
			}
			s, err := m.Show(t.Context(), "main")
			if err != nil || s.DriftMS == nil || *s.DriftMS > 1000 || *s.DriftMS < -1000 {
				drift := int64(-1)
				if s.DriftMS != nil {
					drift = *s.DriftMS
				}
				t.Errorf("%s from the change: a drift of %d ms, %v", after, drift, err)
			}
		}
	})
}

// TestFailingSince: a log that somebody else has is not read, however often that is tried and however well the meter answers: there is no success, and
// the error is as old as the first attempt. An answer that was lost is over with the next one.
func TestFailingSince(t *testing.T) {
	t.Parallel()
	now := &clock{t: time.Now()}
	meter := simulate(t, sim.Config{Seed: 3, History: 2 * time.Hour})
	m, _ := newManager(t, logdbtest.NewModel(logdbtest.Config{}), newMemory(), retrieve.Config{
		Live: time.Hour, Retrieve: time.Hour, Now: now.Now, Modbus: modbus.Config{Timeout: time.Second},
	})
	background(t, m.Run)
	meter.Inject(sim.Fault{Kind: sim.FaultLogTaken, Value: sim.LogHist1})
	x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	is := func(what, state string, since, success logdb.Millis) {
		t.Helper()
		s, err := m.Show(t.Context(), string(x.UID))
		if err != nil || s.State != state || s.ErrorSince != since || s.LastSuccess != success {
			t.Errorf("%s: %s, error since %v, last success %v, %v, want %s, %v, %v", what, s.State, s.ErrorSince, s.LastSuccess, err, state, since, success)
		}
	}
	retrieve := func() {
		now.Add(time.Second)
		_, _ = m.Retrieve(t.Context(), "main", 0)
	}
	retrieve()
	first, err := m.Show(t.Context(), string(x.UID))
	if err != nil || first.ErrorSince == 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	began := first.ErrorSince
	is("in use", "error", began, 0)
	retrieve()
	is("still in use", "error", began, 0)
	meter.ClearFaults()
	retrieve()
	done := logdb.MillisOf(now.Now())
	is("free again", "ok", 0, done)
	meter.Inject(sim.Fault{Kind: sim.FaultSilence})
	now.Add(time.Second)
	if _, err := m.Read(t.Context(), "main"); err == nil {
		t.Error("a silent meter was read")
	}
	is("silent", "unreachable", logdb.MillisOf(now.Now()), done)
	meter.ClearFaults()
	if _, err := m.Read(t.Context(), "main"); err != nil {
		t.Error(err)
	}
	is("it answers", "ok", 0, done)
}

// Live readings go on while a log is retrieved, and a stop in the middle disengages.
func TestManagerStopsInMidRetrieval(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 4, History: 40 * 24 * time.Hour})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	m, ev := newManager(t, store, state, retrieve.Config{Live: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	if _, err := m.Add(ctx, retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "America/New_York"}); err != nil {
		t.Fatal(err)
	}
	for {
		s, err := m.Show(ctx, "main")
		if err != nil {
			t.Fatal(err)
		}
		if s.Session == "hist1" {
			break
		}
		<-ev.live
	}
	for len(ev.live) > 0 {
		<-ev.live
	}
	<-ev.live
	if s, err := m.Show(ctx, "main"); err != nil || s.Session == "" {
		t.Logf("the retrieval was over before a live reading: %+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	e, err := modbus.New(meter.Addr().String(), modbus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	background(t, e.Run)
	b, err := e.Unit(1, modbus.UnitConfig{}).Read(t.Context(), 3, 0xC34E, 1, modbus.User)
	if err != nil || b[1] != 0 {
		t.Errorf("a session is open after the stop: % x, %v", b, err)
	}
}

func TestManagerKeepsTheLogOfSunSpec(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Kind: sim.SunSpec, Seed: 5, History: 2 * time.Hour})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	m, ev := newManager(t, store, state, retrieve.Config{Live: 100 * time.Millisecond})
	background(t, m.Run)
	x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "pv", Address: meter.Addr().String(), Unit: 1, Zone: "Europe/Berlin", LogSeconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if x.Profile != "sunspec-3p" {
		t.Errorf("found %+v", x)
	}
	for range 3 {
		<-ev.data
	}
	if settings, err := store.Settings(t.Context(), x.UID); err != nil || !slices.Equal(settings.LogIntervalsMillis, []int64{1000}) {
		t.Errorf("settings %+v, %v, want an interval of 1 s", settings, err)
	}
	series, err := store.Series(t.Context(), x.UID)
	if err != nil {
		t.Fatal(err)
	}
	have := map[logdb.ChannelKey]logdb.Series{}
	for _, s := range series {
		have[s.Channel] = s
		if s.First%1000 != 0 || s.Last%1000 != 0 {
			t.Errorf("%s is not on whole seconds: %v to %v", s.Channel, s.First, s.Last)
		}
	}
	for _, k := range []logdb.ChannelKey{"readings.voltage.an", "readings.power.watts", "readings.frequency", "energy.total.wh.received", "energy.interval.wh.received"} {
		if have[k].Count == 0 {
			t.Errorf("nothing logged for %s", k)
		}
	}
}

// TestRetrievalRestsWithoutRoom: in the middle of a log the disk has no room any more. Nothing more is
// stored, the meter is let go and stays well, and the rest comes when there is room.
func TestRetrievalRestsWithoutRoom(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 8, History: 24 * time.Hour})
	store, state := logdbtest.NewModel(logdbtest.Config{}), newMemory()
	var asked atomic.Int32
	m, _ := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour, Room: func() error {
		if n := asked.Add(1); n >= 3 && n < 1000 {
			return fmt.Errorf("no room: %w", logdb.ErrFull)
		}
		return nil
	}})
	background(t, m.Run)
	ctx := t.Context()
	x, err := m.Add(ctx, retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(ctx, "main", 0); !errors.Is(err, logdb.ErrFull) {
		t.Fatalf("without room: %v", err)
	}
	end := func() logdb.Position {
		head, err := store.Journal(ctx, x.UID, logdb.KindHistorical)
		if err != nil && !errors.Is(err, logdb.ErrNotFound) {
			t.Fatal(err)
		}
		return head.End
	}
	stored := end()
	s, err := m.Show(ctx, "main")
	if err != nil || s.State == "unreachable" || s.LastAnswer == 0 || !strings.Contains(s.LastError, logdb.ErrFull.Error()) || stored == 0 || stored > 1000 {
		t.Errorf("%d positions are stored; %+v, %v", stored, s, err)
	}
	for i := range s.Memories {
		if l := s.Memories[i]; l.Name == "hist1" && (l.Held < 1000 || l.Behind != l.Held-int64(stored)) {
			t.Errorf("of %d records %d are stored and %d called behind", l.Held, stored, l.Behind)
		}
	}
	if _, err := m.Retrieve(ctx, "main", 0); !errors.Is(err, logdb.ErrFull) || end() != stored {
		t.Errorf("still without room: %v, the journal ends at %d", err, end())
	}
	asked.Store(1000)
	if _, err := m.Retrieve(ctx, "main", 0); err != nil {
		t.Fatal(err)
	}
	if s, err = m.Show(ctx, "main"); err != nil || s.State != "ok" || end() <= stored {
		t.Errorf("with room again: %+v, %v, the journal ends at %d", s, err, end())
	}
	for _, l := range s.Memories {
		if l.Behind != 0 || l.Looked == 0 || l.Held > 0 && l.Last == 0 {
			t.Errorf("with room again: %+v", l)
		}
	}
}

func TestTestNeedsNoList(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 6, History: time.Hour})
	r, err := retrieve.Test(t.Context(), profiles(t), meter.Addr().String(), 1, "", modbus.Config{})
	if err != nil || r.Profile != "eig-shark-200" || len(r.Readings) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := retrieve.Test(t.Context(), profiles(t), meter.Addr().String(), 1, "sunspec-3p", modbus.Config{}); !errors.Is(err, device.ErrNotSunSpec) {
		t.Errorf("as SunSpec it gives %v", err)
	}
	if _, err := retrieve.Test(t.Context(), profiles(t), "127.0.0.1:1", 1, "", modbus.Config{}); !errors.Is(err, modbus.ErrUnreachable) {
		t.Errorf("a closed port gives %v", err)
	}
}

// TestProfileIsChangedWhileItRuns: a meter goes on with a profile of one's own that takes the place of the one it has, without a restart.
func TestProfileIsChangedWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bus{wire: 10 * time.Millisecond, reads: map[byte][]time.Time{}}
		text, err := fs.ReadFile(assets.Profiles(), "eastron-sdm120.json")
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		channels := func(store logdb.Store) (out []logdb.ChannelKey) {
			list, err := store.Series(t.Context(), "m-01")
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				out = append(out, s.Channel)
			}
			return out
		}
		store := runLine(t, b, 1, func(m *retrieve.Manager) {
			time.Sleep(3 * time.Minute)
			if _, err := m.KeepProfile(folder, []byte("{}")); !errors.Is(err, device.ErrProfile) {
				t.Errorf("a profile without anything: %v", err)
			}
			changed := strings.Replace(string(text), `"readings.voltage.an"`, `"readings.voltage.ab"`, 1)
			if _, err := m.KeepProfile(folder, []byte(changed)); err != nil {
				t.Error(err)
			}
			time.Sleep(3 * time.Minute)
		})
		if have := channels(store); !slices.Contains(have, "readings.voltage.an") || !slices.Contains(have, "readings.voltage.ab") {
			t.Errorf("channels %v", have)
		}
		if n := rows(t, store, "m-01", time.Now().Add(-150*time.Second), time.Now()); n != 0 {
			t.Errorf("%d rows under the old profile", n)
		}
	})
}
