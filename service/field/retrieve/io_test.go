package retrieve_test

import (
	"errors"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// TestIOChanges: the output of a card that follows the power limit makes an event at each crossing; a meter without a card has no such log.
func TestIOChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, sim.Config{IOCard: true, History: 3 * 24 * time.Hour})
	if out := s.must("io"); out.Records == 0 {
		t.Fatal("no change was recorded")
	}
	if out := s.must("io"); out.Records != 0 {
		t.Errorf("a further retrieval finds %+v", out)
	}
	want := map[logdb.Millis]string{}
	for _, e := range s.meter.LimitEvents() {
		if e.Channel != "readings.power.watts" {
			continue
		}
		want[logdb.MillisOf(e.Start)] = "card 1 output 1 on"
		if !e.End.IsZero() {
			want[logdb.MillisOf(e.End)] = "card 1 output 1 off"
		}
	}
	n := 0
	for _, e := range s.events(logdb.KindSystem, false) {
		if e.Log != 1 {
			continue
		}
		n++
		if e.System.Type != logdb.SystemOther || want[e.Time] != e.System.Description {
			t.Errorf("at %v: %+v", e.Time.Time(), e.System)
		}
	}
	if n == 0 || n != len(want) {
		t.Errorf("%d changes, the limit was crossed %d times", n, len(want))
	}
	without := newSite(t, sim.Config{History: time.Hour})
	if _, err := without.retrieve("io"); !errors.Is(err, retrieve.ErrLogDisabled) {
		t.Errorf("without a card: %v", err)
	}
}
