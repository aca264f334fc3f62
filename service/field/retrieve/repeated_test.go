package retrieve_test

import (
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// A log whose first record falls into the second pass of the hour that repeats: only the
// other logs have shown that the meter sets its DST bit.
func TestFirstRecordInTheHourThatRepeats(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 1, 0, 0, 0, time.UTC) // the clocks go back at 06:00; a power loss follows in the 20 minutes after
	now := func() time.Time { return start.Add(7 * time.Hour) }
	meter := simulate(t, sim.Config{Seed: 106, Start: start, Now: now})
	store := logdbtest.NewModel(logdbtest.Config{})
	m, ev := newManager(t, store, newMemory(), retrieve.Config{Retrieve: time.Hour, Now: now})
	background(t, m.Run)
	x, err := m.Add(t.Context(), retrieve.AddRequest{Name: "main", Address: meter.Addr().String(), Unit: 1, Zone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	<-ev.data
	if _, err := m.Retrieve(t.Context(), "main", 0); err != nil {
		t.Fatal(err)
	}
	known, second := map[logdb.Millis]bool{}, 0
	for _, e := range meter.PQEvents() {
		known[logdb.MillisOf(e.Start)] = true
	}
	err = store.ReadEvents(t.Context(), logdb.EventQuery{Meter: x.UID, Kind: logdb.KindPQ}, func(_ logdb.StreamID, e *logdb.Entry) error {
		if !known[e.Time] {
			t.Errorf("an event at %s, of which the meter knows nothing", e.Time)
		}
		if at := e.Time.Time(); at.Hour() == 6 {
			second++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if second == 0 {
		t.Error("no event fell into the hour that repeats: the test tests nothing")
	}
}
