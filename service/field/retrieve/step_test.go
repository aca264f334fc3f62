package retrieve_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/modbus"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// TestManagersInStep: two managers that come to one meter at the same seconds of each hour, over a slow line, both have what the
// meter recorded: who finds the log taken comes again soon, and not when the other does.
func TestManagersInStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(60 * 24 * time.Hour) // the bubble begins in 2000, as the meter's calendar does
		w := newWire(9600)
		const memory = 150 // of minutes: who comes too late three times in a row has lost some
		meter, err := sim.New(sim.Config{Seed: 5, History: time.Hour, NotReadyEvery: -1, Open: func(string) (net.Listener, error) { return w, nil },
			MaxRecords: map[int]int{sim.LogHist1: memory, sim.LogHist2: memory, sim.LogHist3: memory}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 3)
		go func() { done <- meter.Run(t.Context()) }()
		var stores [2]logdb.Store
		start := time.Now()
		for i := range stores {
			stores[i] = logdbtest.NewModel(logdbtest.Config{})
			state := newMemory()
			if err := state.PutMeter(t.Context(), retrieve.Meter{UID: uid, Name: "main", Address: "10.0.0.9:502", Unit: 1, Profile: "eig-shark-200", Zone: "UTC", Enabled: true}); err != nil {
				t.Fatal(err)
			}
			m, _ := newManager(t, stores[i], state, retrieve.Config{Retrieve: time.Hour, Live: 24 * time.Hour, Modbus: modbus.Config{Dial: w.dial, Timeout: 10 * time.Second}})
			go func() { done <- m.Run(t.Context()) }()
		}
		time.Sleep(5*24*time.Hour + 30*time.Minute)
		for i, store := range stores {
			err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindHistorical, Gaps: true}, func(_ logdb.StreamID, e *logdb.Entry) error {
				if e.Gap != nil {
					t.Errorf("manager %d has a gap: %+v", i, e.Gap)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			raws, err := store.LastRaw(t.Context(), uid, logdb.KindHistorical, 0, 1<<20)
			if err != nil {
				t.Error(err)
			}
			if want := int(time.Since(start)/time.Minute) - 60; len(raws) < want {
				t.Errorf("manager %d has %d records, want %d at least", i, len(raws), want)
			}
		}
	})
}

// TestSystemLogOfAMeterThatWasAway: the system log is read at most once in so long, but a retrieval that did not come to it, since the meter could not be
// reached, does not count.
func TestSystemLogOfAMeterThatWasAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(60 * 24 * time.Hour) // the bubble begins in 2000, as the meter's calendar does
		w := newWire(115200)
		meter, err := sim.New(sim.Config{Seed: 5, History: time.Hour, NotReadyEvery: -1, Open: func(string) (net.Listener, error) { return w, nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- meter.Run(ctx) }()
		back := time.Now().Add(3 * time.Minute)
		dial := func(ctx context.Context, address string) (net.Conn, error) {
			if time.Now().Before(back) {
				return nil, errors.New("no way there")
			}
			return w.dial(ctx, address)
		}
		state := newMemory()
		if err := state.PutMeter(t.Context(), retrieve.Meter{UID: uid, Name: "main", Address: "10.0.0.9:502", Unit: 1, Profile: "eig-shark-200", Zone: "UTC", Enabled: true}); err != nil {
			t.Fatal(err)
		}
		m, _ := newManager(t, logdbtest.NewModel(logdbtest.Config{}), state, retrieve.Config{Retrieve: time.Minute, System: 24 * time.Hour, Live: 24 * time.Hour, Modbus: modbus.Config{Dial: dial, Timeout: 10 * time.Second}})
		go func() { done <- m.Run(ctx) }()
		time.Sleep(time.Hour)
		states, err := state.LogStates(t.Context(), uid)
		if err != nil {
			t.Fatal(err)
		}
		if states["hist1"].LastSuccess == 0 || states["system"].LastSuccess == 0 {
			t.Errorf("an hour after the start hist1 is %+v, system %+v", states["hist1"], states["system"])
		}
		cancel()
		<-done
		<-done
	})
}
