package retrieve_test

import (
	"context"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
	"metermanager/service/field/sim"
)

// TestReprogrammedDuringRetrieval: at whatever request of a retrieval the log is programmed anew, for other channels whose records are as long or
// longer, what is stored under a channel is what the meter recorded of it.
func TestReprogrammedDuringRetrieval(t *testing.T) { eachFamily(t, reprogrammedDuringRetrieval) }

func reprogrammedDuringRetrieval(t *testing.T, kind sim.Kind) {
	for name, channels := range map[string][]logdb.ChannelKey{
		"records as long": {"readings.voltage.cn", "readings.voltage.an"}, "longer records": {"readings.voltage.cn", "readings.voltage.an", "readings.voltage.bn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := 0
			for at := 1; ; at++ {
				s := newSite(t, sim.Config{Kind: kind, History: 10 * time.Minute})
				program := func(channels ...logdb.ChannelKey) {
					t.Helper()
					if err := s.meter.Reprogram(sim.LogHist1, time.Minute, channels...); err != nil {
						t.Fatal(err)
					}
				}
				program("readings.voltage.an", "readings.voltage.bn")
				s.now.Add(40 * time.Minute)
				s.must("hist1")
				s.now.Add(30 * time.Minute)
				var since time.Time
				target := s.target()
				target.Conn = &doer{Conn: s.conn, at: at, do: func() {
					since = s.now.Now()
					program(channels...)
					s.now.Add(time.Minute)
				}}
				log, _ := s.profile.LogOf("hist1")
				st := s.states["hist1"]
				if out, err := s.reader().Log(t.Context(), target, log, &st, true); err == nil && !since.IsZero() && out.Gap == logdb.GapSettings {
					within++
				}
				if since.IsZero() { // it is over before
					break
				}
				s.states["hist1"] = st
				s.now.Add(3 * time.Minute)
				s.must("hist1")
				s.valuesAreTheMeters(at, since)
			}
			if within == 0 {
				t.Error("no retrieval noticed the new program and went on")
			}
		})
	}
}

// valuesAreTheMeters compares the rows since a moment, and what stands before them, with what the meter recorded.
func (s *site) valuesAreTheMeters(at int, since time.Time) {
	s.t.Helper()
	want := map[logdb.Millis]map[logdb.ChannelKey]float64{}
	for r, err := range s.meter.Lifetime(sim.LogHist1) {
		if err != nil {
			s.t.Fatal(err)
		}
		values := map[logdb.ChannelKey]float64{}
		for _, v := range r.Values {
			values[v.Channel] = v.Value
		}
		want[logdb.MillisOf(r.Time)] = values
	}
	n := 0
	for _, e := range s.stream(logdb.KindHistorical) {
		switch {
		case e.Gap != nil && e.Gap.Cause != logdb.GapSettings:
			s.t.Errorf("request %d: a gap %+v", at, e.Gap)
		case e.Row != nil && e.Time.Time().After(since):
			n++
			got := map[logdb.ChannelKey]float64{}
			for c, key := range e.Row.Channels {
				got[key] = e.Row.Values[c]
			}
			if !maps.EqualFunc(got, want[e.Time], func(a, b float64) bool { return math.Abs(a-b) < 1e-4 }) {
				s.t.Errorf("request %d: the row of %v is %v, the meter recorded %v", at, e.Time, got, want[e.Time])
			}
		}
	}
	if n != len(want) {
		s.t.Errorf("request %d: %d rows are stored, the meter recorded %d", at, n, len(want))
	}
}

// limitsMeter is a meter whose limits may be set otherwise, which empties no log.
type limitsMeter struct {
	tape
	limits [8]device.LimitSetting
}

// Do answers with the limits as well.
func (m *limitsMeter) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	b, err := m.tape.Do(ctx, r)
	if r.Addr == 0x754B {
		return device.AppendLimits(nil, m.limits[:]), nil
	}
	return b, err
}

// TestLimitsSetDuringRetrieval: at whatever request a limit is set to watch something else, the events behind that are of what it watches now.
func TestLimitsSetDuringRetrieval(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("alarm")
	zero := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	rec := func(second int, out bool) []byte {
		return p.Layouts.Alarm.Append(nil, zero.Add(time.Duration(second)*time.Second), device.AlarmRecord{Out: out, Count: 1060})
	}
	for at := 1; ; at++ {
		m := &limitsMeter{tape: tape{p: p, records: [][]byte{device.AppendFiller(nil, zero, 10), rec(1, true), rec(2, false)}}}
		m.limits[0] = device.LimitSetting{Addr: 0x03E7, AboveSet: 1050}
		store := logdbtest.NewModel(logdbtest.Config{})
		target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1"}}
		r := &retrieve.Reader{Store: store}
		var st retrieve.LogState
		run := func() {
			t.Helper()
			if _, err := r.Log(t.Context(), target, log, &st, true); err != nil {
				t.Fatal(err)
			}
		}
		run()
		set, n := false, 0
		m.before = func() {
			if n++; n == at {
				set = true
				m.limits[0].Addr = 0x0401
				m.records = append(m.records, rec(100, true), rec(101, false))
			}
		}
		run()
		m.before = nil
		run()
		if !set {
			return
		}
		var got []logdb.ChannelKey
		err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit}, func(_ logdb.StreamID, e *logdb.Entry) error {
			got = append(got, e.Excursion.Channel)
			return nil
		})
		if err != nil || !slices.Equal(got, []logdb.ChannelKey{"readings.voltage.an", "readings.frequency"}) {
			t.Errorf("request %d: events of %v, %v", at, got, err)
		}
	}
}
