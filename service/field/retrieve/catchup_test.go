package retrieve_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

var errNoRoom = errors.New("the disk is full")

// fullStore takes no new versions of records while its disk is full.
type fullStore struct {
	logdb.Store
	full atomic.Bool
}

func (s *fullStore) Append(ctx context.Context, b logdb.Batch) (logdb.Appended, error) {
	if s.full.Load() && slices.ContainsFunc(b.Entries, func(e logdb.Entry) bool { return e.Op == logdb.OpRevise }) {
		return logdb.Appended{}, errNoRoom
	}
	return s.Store.Append(ctx, b)
}

// fullState keeps no line of the list while its disk is full, and tells what it was given else.
type fullState struct {
	*memory
	mu      sync.Mutex
	full    func(retrieve.Meter) bool
	decoded []string
}

func (s *fullState) PutMeter(ctx context.Context, x retrieve.Meter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil && s.full(x) {
		return errNoRoom
	}
	s.decoded = append(s.decoded, x.Decoded)
	return s.memory.PutMeter(ctx, x)
}

func (s *fullState) when(full func(retrieve.Meter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full, s.decoded = full, nil
}

// retrieving is a manager of one meter, from which everything was retrieved once.
func retrieving(t *testing.T, meter *sim.Meter, store retrieve.Store, state retrieve.State) *retrieve.Manager {
	t.Helper()
	m, _ := newManager(t, store, state, retrieve.Config{Live: time.Hour, Retrieve: time.Hour})
	background(t, m.Run)
	if _, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	return m
}

func setCT(t *testing.T, m *retrieve.Manager, factor float64) {
	t.Helper()
	if _, err := m.Set(t.Context(), "main", retrieve.Change{CTFactor: &factor}); err != nil {
		t.Fatal(err)
	}
}

// stale is how many records of a meter would still be decoded otherwise.
func stale(t *testing.T, m *retrieve.Manager) (n int64) {
	t.Helper()
	list, err := m.Redecode(t.Context(), "main", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		n += d.Changed + d.Gaps
	}
	return n
}

// TestDecodedAgainWhenThereIsRoom: what could not be decoded again, since the disk was full, is at the next retrieval, also at one that
// somebody asks for; until then whoever asks hears why.
func TestDecodedAgainWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 7, History: 2 * time.Hour})
	store := &fullStore{Store: logdbtest.NewModel(logdbtest.Config{})}
	m := retrieving(t, meter, store, newMemory())
	store.full.Store(true)
	setCT(t, m, 2.5)
	if _, err := m.Retrieve(t.Context(), "main", 0); !errors.Is(err, errNoRoom) || !strings.Contains(err.Error(), "decode the kept records again") {
		t.Errorf("with a full disk: %v", err)
	}
	if s, err := m.Show(t.Context(), "main"); err != nil || !strings.Contains(s.LastError, "decode the kept records again") {
		t.Errorf("the status does not tell: %q, %v", s.LastError, err)
	}
	if stale(t, m) == 0 {
		t.Fatal("the records are decoded again on a full disk")
	}
	store.full.Store(false)
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	if n := stale(t, m); n != 0 {
		t.Errorf("%d records are still under the former factor", n)
	}
	if s, err := m.Show(t.Context(), "main"); err != nil || s.ErrorSince != 0 {
		t.Errorf("the status still tells of it: %q since %v, %v", s.LastError, s.ErrorSince, err)
	}
}

// TestDecodingIsNotedBeforeItBegins: a note that cannot be stored is not taken for one that was. Else a program that dies within the decoding
// takes the records, after its start, for those of the former settings, to which somebody may have gone back.
func TestDecodingIsNotedBeforeItBegins(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 7, History: 2 * time.Hour})
	state := &fullState{memory: newMemory()}
	m := retrieving(t, meter, logdbtest.NewModel(logdbtest.Config{}), state)
	state.when(func(x retrieve.Meter) bool { return x.Decoded == "" })
	setCT(t, m, 2.5)
	if _, err := m.Retrieve(t.Context(), "main", 0); !errors.Is(err, errNoRoom) {
		t.Errorf("a note that cannot be stored: %v", err)
	}
	if stale(t, m) == 0 {
		t.Fatal("records are decoded again although that is not noted")
	}
	state.when(nil)
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	state.mu.Lock()
	defer state.mu.Unlock()
	if !slices.Contains(state.decoded, "") {
		t.Errorf("noted was %q, want first that it begins", state.decoded)
	}
	if n := len(state.decoded); n < 2 || !strings.Contains(state.decoded[n-1], "2.5") {
		t.Errorf("noted was %q, want last under what", state.decoded)
	}
}

// TestSettingsPutBackBeforeTheNoteWasStored: what was read meanwhile, under the settings that were put back, does not stay so.
func TestSettingsPutBackBeforeTheNoteWasStored(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).UnixMilli())
	clock := func() time.Time { return time.UnixMilli(now.Load()).UTC() }
	meter := simulate(t, sim.Config{Seed: 7, History: 2 * time.Hour, Now: clock})
	state := &fullState{memory: newMemory()}
	m := retrieving(t, meter, logdbtest.NewModel(logdbtest.Config{}), state)
	state.when(func(x retrieve.Meter) bool { return x.Decoded == "" })
	setCT(t, m, 2.5)
	now.Add(time.Hour.Milliseconds())
	if _, err := m.Retrieve(t.Context(), "main", 0); !errors.Is(err, errNoRoom) {
		t.Errorf("a note that cannot be stored: %v", err)
	}
	state.when(nil)
	setCT(t, m, 1)
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	if n := stale(t, m); n != 0 {
		t.Errorf("%d records are still under the factor that was put back", n)
	}
}
