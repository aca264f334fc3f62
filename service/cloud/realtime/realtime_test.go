package realtime_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
	"metermanager/service/cloud/realtime"
)

func board(cfg realtime.Config) (*realtime.Board, *time.Time) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg.Now = func() time.Time { return now }
	return realtime.New(cfg), &now
}

func TestLatestAndHistory(t *testing.T) {
	t.Parallel()
	b, now := board(realtime.Config{History: 3, Stale: time.Minute})
	if _, _, ok := b.Latest("m"); ok {
		t.Error("a value before any was posted")
	}
	at := logdb.MillisOf(*now)
	// Out of order, and one time twice.
	for i, back := range []logdb.Millis{4000, 1000, 3000, 2000, 1000} {
		if err := b.Post("m", at-back, []realtime.Value{{Channel: "reading.voltage.an", Value: float64(i)}, {Channel: "readings.frequency", Value: math.NaN()}}); err != nil {
			t.Fatal(err)
		}
	}
	h := b.History("m")
	if len(h) != 3 || h[0].Time != at-3000 || h[2].Time != at-1000 || h[2].Values[0].Value != 4 {
		t.Errorf("history %+v", h)
	}
	s, stale, ok := b.Latest("m")
	if !ok || stale || len(s.Values) != 1 || s.Values[0].Channel != "readings.voltage.an" {
		t.Errorf("latest %+v, stale %v", s, stale)
	}
	*now = now.Add(2 * time.Minute)
	if _, stale, _ = b.Latest("m"); !stale {
		t.Error("a value of two minutes ago counts as present")
	}
}

func TestPostRefusals(t *testing.T) {
	t.Parallel()
	b, now := board(realtime.Config{})
	at := logdb.MillisOf(*now)
	for name, c := range map[string]struct {
		at     logdb.Millis
		values []realtime.Value
	}{
		"future":   {at + 3_600_000, nil},
		"negative": {-1, nil},
		"infinite": {at, []realtime.Value{{Channel: "readings.frequency", Value: math.Inf(1)}}},
		"twice":    {at, []realtime.Value{{Channel: "readings.frequency"}, {Channel: "reading.frequency"}}},
		"no key":   {at, []realtime.Value{{Channel: "Frequency"}}},
	} {
		if err := b.Post("m", c.at, c.values); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if err := b.Post("m", at, make([]realtime.Value, 513)); !errors.Is(err, fault.TooLarge) {
		t.Errorf("513 values: %v, want too_large", err)
	}
	if len(b.History("m")) != 0 {
		t.Error("a refused sample stands on the board")
	}
}

func TestTheLongestSilentMeterGoes(t *testing.T) {
	t.Parallel()
	b, now := board(realtime.Config{MaxMeters: 2})
	for _, m := range []logdb.MeterUID{"a", "b", "a", "c"} {
		*now = now.Add(time.Second)
		if err := b.Post(m, logdb.MillisOf(*now), nil); err != nil {
			t.Fatal(err)
		}
	}
	for m, want := range map[logdb.MeterUID]bool{"a": true, "b": false, "c": true} {
		if _, _, ok := b.Latest(m); ok != want {
			t.Errorf("meter %s is there: %v, want %v", m, ok, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b, now := board(realtime.Config{History: 5, MaxMeters: 3})
	at := logdb.MillisOf(*now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			m := logdb.MeterUID(fmt.Sprint(i % 4))
			for k := range 100 {
				_ = b.Post(m, at-logdb.Millis(k), []realtime.Value{{Channel: "readings.frequency", Value: 50}})
				b.Latest(m)
				for _, s := range b.History(m) {
					_ = s.Values
				}
			}
		})
	}
	wg.Wait()
}
