package retrieve_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// intervalsNoted is closed once the intervals of a meter's logs are stored.
type intervalsNoted struct {
	logdb.Store
	once  sync.Once
	noted chan struct{}
}

func (s *intervalsNoted) PutSettings(ctx context.Context, uid logdb.MeterUID, set logdb.Settings) error {
	err := s.Store.PutSettings(ctx, uid, set)
	if len(set.LogIntervalsMillis) > 0 {
		s.once.Do(func() { close(s.noted) })
	}
	return err
}

// Hole: the meter's own goroutine finds the intervals of its logs before whoever added it stores what it found: the upload then took
// the slow logs for fast ones, and parted an interval in two when it learnt better.
func TestAddKeepsWhatTheMeterToldMeanwhile(t *testing.T) {
	t.Parallel()
	meter := simulate(t, sim.Config{Seed: 7, History: time.Hour})
	store := &intervalsNoted{Store: logdbtest.NewModel(logdbtest.Config{}), noted: make(chan struct{})}
	listed := func(uid logdb.MeterUID) {
		if _, err := store.Settings(t.Context(), uid); err != nil { // it is on the list, and nothing else: this is Add
			<-store.noted
		}
	}
	m, _ := newManager(t, store, newMemory(), retrieve.Config{Live: time.Hour, Retrieve: time.Hour, OnMeter: listed})
	background(t, m.Run)
	x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Settings(t.Context(), x.UID)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.LogIntervalsMillis) == 0 || s.Name != "main" || s.Profile != x.Profile {
		t.Errorf("%+v", s)
	}
}
