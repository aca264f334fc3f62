package retrieve_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// slow is a path on which a request takes some time, and now and then minutes.
type slow struct {
	*modbus.Unit
	rand *rand.Rand
}

// Do waits, asks, and waits.
func (s *slow) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	time.Sleep(s.pause())
	b, err := s.Unit.Do(ctx, r)
	time.Sleep(s.pause())
	return b, err
}

func (s *slow) pause() time.Duration {
	switch s.rand.IntN(40) {
	case 0:
		return time.Duration(s.rand.IntN(150)) * time.Second
	case 1, 2:
		return time.Duration(s.rand.IntN(10)) * time.Second
	}
	return time.Duration(s.rand.IntN(300)) * time.Millisecond
}

// TestManagersBetweenOneAnother: two managers read one meter by one port, on paths that take seconds and minutes, while its small memory
// goes round. What each stores is what the meter recorded, once, and a gap says between which records some are missing.
func TestManagersBetweenOneAnother(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { betweenOneAnother(t, seed) })
		})
	}
}

func betweenOneAnother(t *testing.T, seed uint64) {
	time.Sleep(60 * 24 * time.Hour) // the bubble begins in 2000, as the meter's calendar does
	w := newWire(115200)
	const memory = 60
	meter, err := sim.New(sim.Config{Seed: seed, History: time.Hour, Open: func(string) (net.Listener, error) { return w, nil },
		MaxRecords: map[int]int{sim.LogHist1: memory, sim.LogHist2: memory, sim.LogHist3: memory}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 5)
	go func() { done <- meter.Run(t.Context()) }()
	p, _ := profiles(t).Get("eig-shark-200")
	var logs []device.Log
	for _, name := range []string{"hist1", "hist2", "hist3"} {
		log, _ := p.LogOf(name)
		logs = append(logs, log)
	}
	ended := make(chan *logdbtest.Model, 2)
	for i := range 2 {
		e, err := modbus.New("10.0.0.9:502", modbus.Config{Dial: w.dial, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- e.Run(t.Context()) }()
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		unit := e.Unit(1, modbus.UnitConfig{WriteAllow: p.WriteList(), Timeout: 10 * time.Second})
		id, err := poll.NewSource(p, unit, nil).Identify(t.Context(), modbus.User)
		if err != nil {
			t.Fatal(err)
		}
		store := logdbtest.NewModel(logdbtest.Config{})
		target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: &slow{unit, rng}, Identity: id}
		go func() {
			reader, states := &retrieve.Reader{Store: store, Priority: modbus.Logs}, make([]retrieve.LogState, len(logs))
			for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); {
				var failed error
				for i := range logs {
					_, err := reader.Log(t.Context(), target, logs[i], &states[i], rng.IntN(2) == 0)
					failed = errors.Join(failed, err)
				}
				if failed != nil {
					time.Sleep(time.Duration(rng.IntN(60)) * time.Second)
					continue
				}
				time.Sleep(time.Duration(rng.IntN(70)) * time.Minute)
			}
			ended <- store
		}()
	}
	stores := []logdb.Store{<-ended, <-ended}
	for i, log := range logs {
		numbers := map[string]int{}
		for r, err := range meter.Lifetime(sim.LogHist1 + i) {
			if err != nil {
				t.Fatal(err)
			}
			numbers[string(r.Raw)] = r.Number
		}
		for _, store := range stores {
			inOrder(t, store, log.Log, numbers)
		}
	}
}

// inOrder checks that what a store has of a historical log follows on one another, and that a gap lies where records are missing.
func inOrder(t *testing.T, store logdb.Store, log logdb.LogNo, numbers map[string]int) {
	t.Helper()
	gaps := map[uint32]logdb.Gap{} // by the generation that they begin
	err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindHistorical, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
		if e.Log == log {
			gaps[e.Generation] = *e.Gap
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	raws, err := store.LastRaw(t.Context(), uid, logdb.KindHistorical, log, 1<<20)
	if err != nil {
		t.Error(err)
	}
	if len(raws) < len(numbers)/10 {
		t.Errorf("log %d: %d records of %d", log, len(raws), len(numbers))
	}
	last := -1
	for i, raw := range raws {
		if len(raw.Bytes) == 0 {
			continue // a gap
		}
		n, ok := numbers[string(raw.Bytes)]
		g, gap := gaps[raw.Generation]
		switch {
		case !ok:
			t.Errorf("position %d holds what the meter did not record: % x", raw.Position, raw.Bytes)
		case last >= 0 && n <= last:
			t.Errorf("record %d follows on %d", n, last)
		case last >= 0 && n != last+1 && (!gap || g.From != raws[i-1].Time || g.To != max(g.From, raw.Time)):
			t.Errorf("record %d of %s follows on %d of %s, and the gap there is %+v", n, raw.Time, last, raws[i-1].Time, g)
		}
		last = n
	}
}
