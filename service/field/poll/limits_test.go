package poll_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/poll"
)

func TestParseLimits(t *testing.T) {
	t.Parallel()
	const text = "1=readings.voltage.an above 250 back 248.5; 3=readings.frequency below 49.8 back 49.9"
	list, err := poll.ParseLimits(" 3=readings.frequency below 49.8 back 49.9;1=readings.voltage.an above 250 back 248.5; ")
	if err != nil || poll.FormatLimits(list) != text {
		t.Errorf("%q, %v", poll.FormatLimits(list), err)
	}
	if list, err := poll.ParseLimits(""); err != nil || len(list) != 0 {
		t.Errorf("none: %v, %v", list, err)
	}
	for _, bad := range []string{
		"readings.voltage.an above 250 back 248", "9=readings.voltage.an above 250 back 248", "1=readings.voltage.an over 250 back 248", "1=readings.voltage.an above 250",
		"1=readings.voltage.an above 250 back 251", "1=readings.voltage.an below 210 back 209", "1=readings.voltage.an above NaN back 1", "1=a b above 1 back 1",
		"1=readings.voltage.an above 250 back 248; 1=readings.voltage.bn above 250 back 248",
	} {
		if _, err := poll.ParseLimits(bad); !errors.Is(err, poll.ErrLimits) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseLimits(f *testing.F) {
	f.Add("1=readings.voltage.an above 250 back 248")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := poll.ParseLimits(text)
		if err != nil {
			return
		}
		again, err := poll.ParseLimits(poll.FormatLimits(list))
		if err != nil || poll.FormatLimits(again) != poll.FormatLimits(list) {
			t.Errorf("%q becomes %q, %v", text, poll.FormatLimits(list), err)
		}
	})
}

// TestLimitEvents: readings at seconds, and the events that they make. "r" starts the watcher anew, "?" is a reading that fails.
func TestLimitEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, limits, readings, want string
	}{
		{"above, with its worst", "1=readings.voltage.an above 250 back 248", "0:240 5:251 10:253 15:249 20:248 25:247", "5s above 15s worst 253"},
		{"trembles at the limit", "1=readings.voltage.an above 250 back 248", "0:249 5:251 10:249 15:251 20:249 25:248", "5s above 20s worst 251"},
		{"below", "2=readings.voltage.an below 210 back 212", "0:211 5:209 10:200 15:211 20:212", "5s below 15s worst 200"},
		{"exactly at it", "1=readings.voltage.an above 250 back 250", "0:250 5:250.1 10:250", "5s above 5s worst 250.1"},
		{"two of one value", "1=readings.voltage.an above 250 back 248; 2=readings.voltage.an above 260 back 255", "0:240 5:261 10:254 15:247", "5s above 5s worst 261;5s above 10s worst 261"},
		{"not over yet", "1=readings.voltage.an above 250 back 248", "0:240 5:251", ""},
		{"out from the beginning", "1=readings.voltage.an above 250 back 248", "0:251 5:240", "0s above 5s worst 251"},
		{"one reading fails", "1=readings.voltage.an above 250 back 248", "0:240 5:251 10:? 15:251 20:240", "5s above 15s worst 251"},
		{"nobody looked when it ended", "1=readings.voltage.an above 250 back 248", "0:240 5:251 600:240", "5s above NaNs worst 251"},
		{"its value was not known when it ended", "1=readings.voltage.an above 250 back 248", "0:240 5:251 10:x 15:240", "5s above NaNs worst 251"},
		{"restart in the middle", "1=readings.voltage.an above 250 back 248", "0:240 5:251 r 10:255 15:240", "5s above 10s worst 255"},
		{"ended while it was restarted", "1=readings.voltage.an above 250 back 248", "0:240 5:251 r 100:240", "5s above NaNs worst 251"},
		{"our clock is set back", "1=readings.voltage.an above 250 back 248", "1000:251 100:251 105:240", "1000s above NaNs worst 251"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := logdbtest.NewModel(logdbtest.Config{})
			list, err := poll.ParseLimits(c.limits)
			if err != nil {
				t.Fatal(err)
			}
			start := func(l []poll.Limit) *poll.Watcher { return poll.NewWatcher(store, uid, l, 5*time.Second, nil) }
			w := start(list)
			for _, step := range strings.Fields(c.readings) {
				if step == "r" {
					w = start(list)
					continue
				}
				var second int
				var value string
				if _, err := fmt.Sscanf(strings.Replace(step, ":", " ", 1), "%d %s", &second, &value); err != nil {
					t.Fatal(err)
				}
				if value == "?" {
					continue
				}
				r := device.Reading{Channel: "readings.voltage.an", Quality: device.Good}
				if _, err := fmt.Sscan(value, &r.Value); err != nil {
					r.Value, r.Quality = math.NaN(), device.Invalid
				}
				if err := w.Check(t.Context(), base.Add(time.Duration(second)*time.Second), []device.Reading{r}); err != nil {
					t.Fatal(err)
				}
			}
			if got := limitEvents(t, store); got != c.want {
				t.Errorf("events %q, want %q", got, c.want)
			}
		})
	}
}

// A limit that is changed while it is out ends its event: its end will never be known.
func TestLimitTakenAwayWhileOut(t *testing.T) {
	t.Parallel()
	store := logdbtest.NewModel(logdbtest.Config{})
	list, err := poll.ParseLimits("1=readings.voltage.an above 250 back 248")
	if err != nil {
		t.Fatal(err)
	}
	high := []device.Reading{{Channel: "readings.voltage.an", Quality: device.Good, Value: 260}}
	if err := poll.NewWatcher(store, uid, list, time.Second, nil).Check(t.Context(), base, high); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := poll.NewWatcher(store, uid, nil, time.Second, nil).Check(t.Context(), base.Add(time.Hour), high); err != nil {
			t.Fatal(err)
		}
	}
	if got := limitEvents(t, store); got != "0s above NaNs worst 260" {
		t.Errorf("events %q", got)
	}
	if open, err := store.OpenStarts(t.Context(), uid, logdb.KindLimit); err != nil || len(open) != 0 {
		t.Errorf("still open: %v, %v", open, err)
	}
}

func limitEvents(t *testing.T, store logdb.Store) string {
	t.Helper()
	var out []string
	err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit}, func(_ logdb.StreamID, e *logdb.Entry) error {
		x := e.Excursion
		out = append(out, fmt.Sprintf("%ds %s %vs worst %v", int(e.Time.Time().Sub(base)/time.Second), map[int64]string{0: "below", 1: "above"}[x.Type], x.DurationSeconds, x.Worst))
		return nil
	})
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		t.Fatal(err)
	}
	return strings.Join(out, ";")
}
