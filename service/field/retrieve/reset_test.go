package retrieve_test

import (
	"fmt"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// TestResetWithAnOpenStart: behind a reset, or in another meter, the first record may be a start whose end
// comes much later. However often it is read until then, it makes one event.
func TestResetWithAnOpenStart(t *testing.T) {
	t.Parallel()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("alarm")
	zero := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	rec := func(second int, out bool, limit int, count int16) []byte {
		return p.Layouts.Alarm.Append(nil, zero.Add(time.Duration(second)*time.Second), device.AlarmRecord{Out: out, Limit: limit, Count: count})
	}
	for serial, cause := range map[string]logdb.GapCause{"T1": logdb.GapReset, "T2": logdb.GapReplaced} {
		t.Run(string(cause), func(t *testing.T) {
			t.Parallel()
			m := &tape{p: p, records: [][]byte{device.AppendFiller(nil, zero, 10), rec(1, true, 1, 1020), rec(2, false, 1, 1030), rec(10, true, 0, 1060)}}
			store := logdbtest.NewModel(logdbtest.Config{})
			target := &retrieve.Target{UID: uid, Profile: p, Zone: time.UTC, Conn: m, Identity: poll.Identity{Serial: "T1"}}
			r := &retrieve.Reader{Store: store}
			var st retrieve.LogState
			run := func() {
				t.Helper()
				for range 3 {
					if _, err := r.Log(t.Context(), target, log, &st, true); err != nil {
						t.Fatal(err)
					}
				}
			}
			run()
			target.Identity.Serial = serial
			m.records = [][]byte{device.AppendFiller(nil, zero.Add(time.Hour), 10), rec(3700, true, 0, 1070)}
			run()
			m.records = append(m.records, rec(3800, true, 2, 1010))
			run()
			m.records = append(m.records, rec(3900, false, 2, 1011), rec(4000, false, 0, 1090))
			run()
			got, gaps := "", ""
			visit := func(_ logdb.StreamID, e *logdb.Entry) error {
				if e.Gap != nil {
					gaps += string(e.Gap.Cause) + ";"
					return nil
				}
				got += fmt.Sprintf("%ds %v;", int(e.Time.Time().Sub(zero).Seconds()), e.Excursion.DurationSeconds)
				return nil
			}
			if err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit}, visit); err != nil {
				t.Fatal(err)
			}
			if err := store.ReadEvents(t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit, Gaps: true}, visit); err != nil {
				t.Fatal(err)
			}
			if got != "1s 1;10s NaN;3700s 300;3800s 100;" {
				t.Errorf("events %s", got)
			}
			if gaps != string(cause)+";" {
				t.Errorf("gaps %s, want one: %s", gaps, cause)
			}
		})
	}
}
