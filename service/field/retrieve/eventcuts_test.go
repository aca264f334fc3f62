package retrieve_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/logdbtest"
	"metermanager/service/field/device"
	"metermanager/service/field/modbus"
	"metermanager/service/field/poll"
	"metermanager/service/field/retrieve"
)

// limitsTape is a tape whose limits may be programmed.
type limitsTape struct {
	tape
	limits []device.LimitSetting
}

// Do answers with the limits, and as the tape does.
func (m *limitsTape) Do(ctx context.Context, r modbus.Request) ([]byte, error) {
	if r.Addr == 0x754B && m.limits != nil {
		return device.AppendLimits(nil, m.limits), nil
	}
	return m.tape.Do(ctx, r)
}

// alarmSite is a meter of which only the log of limits is read.
type alarmSite struct {
	limitsTape
	t      *testing.T
	log    device.Log
	store  *logdbtest.Model
	target retrieve.Target
	st     retrieve.LogState
}

func newAlarmSite(t *testing.T, zone string) *alarmSite {
	t.Helper()
	p, _ := profiles(t).Get("eig-shark-200")
	log, _ := p.LogOf("alarm")
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s := &alarmSite{t: t, log: log, store: logdbtest.NewModel(logdbtest.Config{})}
	s.p, s.records = p, [][]byte{device.AppendFiller(nil, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), 10)}
	s.target = retrieve.Target{UID: uid, Profile: p, Zone: loc, Conn: s, Identity: poll.Identity{Serial: "T1"}}
	return s
}

// alarm is a record at a wall time, without a DST bit.
func (s *alarmSite) alarm(wall time.Time, out bool, limit int) []byte {
	return s.p.Layouts.Alarm.Append(nil, wall, device.AlarmRecord{Out: out, Limit: limit, Count: 1060})
}

func (s *alarmSite) retrieve() {
	s.t.Helper()
	r := &retrieve.Reader{Store: s.store}
	if _, err := r.Log(s.t.Context(), &s.target, s.log, &s.st, true); err != nil {
		s.t.Fatal(err)
	}
}

// told lists the events, the gaps and the starts that wait.
func (s *alarmSite) told() (out string) {
	s.t.Helper()
	for _, gaps := range []bool{false, true} {
		err := s.store.ReadEvents(s.t.Context(), logdb.EventQuery{Meter: uid, Kind: logdb.KindLimit, Gaps: gaps}, func(_ logdb.StreamID, e *logdb.Entry) error {
			if e.Gap != nil {
				out += fmt.Sprintf("gap %s %s-%s;", e.Gap.Cause, e.Gap.From.Time().Format("15:04:05"), e.Gap.To.Time().Format("15:04:05"))
				return nil
			}
			out += fmt.Sprintf("%s limit %d %s %v;", e.Time.Time().Format("15:04:05"), e.Excursion.LimitID, e.Excursion.Channel[len("readings."):], e.Excursion.DurationSeconds)
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	open, err := s.store.OpenStarts(s.t.Context(), uid, logdb.KindLimit)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range open {
		out += fmt.Sprintf("open %s limit %d %s;", o.Start.Time().Format("15:04:05"), o.Event.LimitID, o.Event.Channel[len("readings."):])
	}
	return out
}

// TestEventsInTheRepeatedHour: without a DST bit the order of recording tells the two passes of the hour apart, wherever
// retrievals cut the log: an event enters by its start, and what was recorded last is what counts.
func TestEventsInTheRepeatedHour(t *testing.T) {
	t.Parallel()
	wall := func(h, m int) time.Time { return time.Date(2026, 11, 1, h, m, 0, 0, time.UTC) }
	many := func(s *alarmSite) (out [][]byte) { // more in the second pass than is looked at, the start of the last of them in the first
		out = append(out, s.alarm(wall(1, 50), true, 0))
		for m := range 100 {
			at := wall(1, 0).Add(time.Duration(m) * 10 * time.Second)
			out = append(out, s.alarm(at, true, 1), s.alarm(at.Add(time.Second), false, 1))
		}
		return append(out, s.alarm(wall(1, 30), false, 0), s.alarm(wall(1, 40), true, 1), s.alarm(wall(1, 41), false, 1))
	}
	for name, records := range map[string]func(s *alarmSite) [][]byte{
		"the hour comes again behind an end": func(s *alarmSite) [][]byte {
			return [][]byte{s.alarm(wall(0, 30), true, 0), s.alarm(wall(1, 45), false, 0), s.alarm(wall(1, 10), true, 1), s.alarm(wall(1, 20), false, 1)}
		},
		"a start waits from the first pass on": func(s *alarmSite) [][]byte {
			return [][]byte{s.alarm(wall(1, 15), true, 0), s.alarm(wall(1, 30), true, 1), s.alarm(wall(1, 10), false, 1), s.alarm(wall(1, 20), false, 0), s.alarm(wall(1, 25), true, 1), s.alarm(wall(2, 5), false, 1)}
		},
		"many": many,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := func(cuts ...int) string {
				s := newAlarmSite(t, "America/New_York")
				all := records(s)
				for _, cut := range append(cuts, len(all)) {
					s.records = append(s.records[:1], all[:cut]...)
					s.retrieve()
					s.retrieve()
				}
				return s.told()
			}
			want := at()
			n := len(records(newAlarmSite(t, "UTC")))
			for cut := 0; cut < n; cut += 1 + n/40 {
				if got := at(cut); got != want {
					t.Errorf("cut behind %d records: %s\nin one piece: %s", cut, got, want)
				}
			}
		})
	}
}

// TestLimitProgrammedAnewWhileOut: a start that waits enters once, as what it was when it was read, however often its record is read again
// under limits that watch something else by now.
func TestLimitProgrammedAnewWhileOut(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 0, 0, second, 0, time.UTC) }
	for _, tc := range []struct {
		name    string
		records []string // "out" or "in" of limit 0, a second later each
		want    string
	}{
		{"its end comes", []string{"in", "out", "in"}, "00:00:01 limit 0 voltage.an 1;00:00:03 limit 0 voltage.an 7;00:00:11 limit 0 frequency 1;"},
		{"it begins anew", []string{"out", "in"}, "00:00:01 limit 0 voltage.an 1;00:00:03 limit 0 voltage.an NaN;00:00:10 limit 0 frequency 1;"},
		{"nothing comes", nil, "00:00:01 limit 0 voltage.an 1;open 00:00:03 limit 0 voltage.an;"},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprint(tc.name, cut), func(t *testing.T) {
				t.Parallel()
				s := newAlarmSite(t, "UTC")
				s.limits = make([]device.LimitSetting, 8)
				s.limits[0] = device.LimitSetting{Addr: 0x03E7, AboveSet: 1050}
				s.records = append(s.records, s.alarm(at(1), true, 0), s.alarm(at(2), false, 0), s.alarm(at(3), true, 0))
				s.retrieve()
				s.limits[0].Addr = 0x0401
				for i, what := range tc.records {
					s.records = append(s.records, s.alarm(at(10+i), what == "out", 0))
					if cut {
						s.retrieve()
					}
				}
				s.retrieve()
				s.retrieve()
				if got := s.told(); got != tc.want {
					t.Errorf("%s\nwant %s", got, tc.want)
				}
			})
		}
	}
}

// TestDecodedAgainUnderOtherLimits: an event whose limit was programmed anew while it was out moves with the zone and stays what it was.
func TestDecodedAgainUnderOtherLimits(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 6, 0, second, 0, time.UTC) }
	s := newAlarmSite(t, "UTC")
	s.limits = make([]device.LimitSetting, 8)
	s.limits[0] = device.LimitSetting{Addr: 0x03E7, AboveSet: 1050}
	s.limits[1] = s.limits[0]
	s.records = append(s.records, s.alarm(at(1), true, 0), s.alarm(at(2), true, 1))
	s.retrieve()
	s.limits[0].Addr, s.limits[1].Addr = 0x0401, 0x0401
	s.records = append(s.records, s.alarm(at(9), false, 0))
	s.retrieve()
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	s.target.Zone = zone
	for range 2 {
		if _, err := (&retrieve.Reader{Store: s.store}).Redecode(t.Context(), &s.target, s.log, false, false); err != nil {
			t.Fatal(err)
		}
		if got, want := s.told(), "00:30:01 limit 0 voltage.an 8;open 00:30:02 limit 1 voltage.an;"; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	s.records = append(s.records, s.alarm(at(12), false, 1))
	s.retrieve()
	if got, want := s.told(), "00:30:01 limit 0 voltage.an 8;00:30:02 limit 1 voltage.an 10;"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestStartThatWaitsFromTheFirstPass: what was recorded behind a start, in the second pass of the repeated hour, does not move it there when it is
// decoded again.
func TestStartThatWaitsFromTheFirstPass(t *testing.T) {
	t.Parallel()
	wall := func(m int) time.Time { return time.Date(2026, 11, 1, 1, m, 0, 0, time.UTC) }
	s := newAlarmSite(t, "America/New_York")
	s.records = append(s.records, s.alarm(wall(15), true, 0), s.alarm(wall(10), true, 1), s.alarm(wall(20), false, 1))
	s.retrieve()
	right := s.target.Zone
	for _, zone := range []*time.Location{time.UTC, right} {
		s.target.Zone = zone
		if _, err := (&retrieve.Reader{Store: s.store}).Redecode(t.Context(), &s.target, s.log, false, false); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := s.told(), "06:10:00 limit 1 frequency 600;open 05:15:00 limit 0 voltage.an;"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestStartsGivenUpAtABreak: a start that had no end when the memory was reset has no bytes of its own. It moves with the zone, and does not keep
// the other events of its log from moving.
func TestStartsGivenUpAtABreak(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 6, 0, second, 0, time.UTC) }
	for name, x := range map[string]struct {
		first int // second of an event before
		want  string
	}{
		"first":           {0, "06:00:10 limit 0 voltage.an NaN;06:00:11 limit 2 x0000 NaN;06:00:20 limit 1 frequency 5;gap log reset 06:00:11-06:00:20;"},
		"behind an event": {1, "06:00:01 limit 1 frequency 1;06:00:10 limit 0 voltage.an NaN;06:00:11 limit 2 x0000 NaN;06:00:20 limit 1 frequency 5;gap log reset 06:00:02-06:00:20;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAlarmSite(t, "UTC")
			if x.first > 0 {
				s.records = append(s.records, s.alarm(at(x.first), true, 1), s.alarm(at(x.first+1), false, 1))
				s.retrieve()
			}
			s.records = append(s.records, s.alarm(at(10), true, 0), s.alarm(at(11), true, 2))
			s.retrieve()
			s.records = s.records[:1]
			s.records = append(s.records, s.alarm(at(20), true, 1), s.alarm(at(25), false, 1))
			s.retrieve()
			if got := s.told(); got != x.want {
				t.Fatalf("%s\nwant %s", got, x.want)
			}
			kolkata, err := time.LoadLocation("Asia/Kolkata")
			if err != nil {
				t.Fatal(err)
			}
			moved := strings.ReplaceAll(x.want, "06:00:", "00:30:")
			for i, zone := range []*time.Location{kolkata, kolkata, time.UTC, kolkata} {
				s.target.Zone = zone
				if _, err := (&retrieve.Reader{Store: s.store}).Redecode(t.Context(), &s.target, s.log, false, false); err != nil {
					t.Fatal(err)
				}
				want := moved
				if zone == time.UTC {
					want = x.want
				}
				if got := s.told(); got != want {
					t.Fatalf("%d, in %s: %s\nwant %s", i, zone, got, want)
				}
			}
		})
	}
}

// TestGivenUpForAnUnreadableReason: what such an event says was not written here. It stays where it is, and the rest of the log moves.
func TestGivenUpForAnUnreadableReason(t *testing.T) {
	t.Parallel()
	const before = "the memory was reset or replaced before its end was read; decoded in zone "
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []string{before, before + "UTC, a, b", before + "UTC, CT factor 0, PT factor NaN", before + "Mars/Olympus, CT factor 1, PT factor 1", before + "UTC, CT factor 1", "another one"} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			s := newAlarmSite(t, "UTC")
			start := logdb.MillisOf(time.Date(2026, 5, 1, 6, 0, 10, 0, time.UTC))
			_, err := s.store.Append(t.Context(), logdb.Batch{Meter: uid, Kind: logdb.KindLimit, Entries: []logdb.Entry{{
				Op: logdb.OpAdd, Log: s.log.Log, Time: start, Why: why,
				Excursion: &logdb.Excursion{Channel: "readings.voltage.an", Type: logdb.ExcursionAbove, DurationSeconds: math.NaN()},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			s.records = append(s.records, s.alarm(start.Time().Add(10*time.Second), true, 1), s.alarm(start.Time().Add(15*time.Second), false, 1))
			s.retrieve()
			s.target.Zone = kolkata
			if _, err := (&retrieve.Reader{Store: s.store}).Redecode(t.Context(), &s.target, s.log, false, false); err != nil {
				t.Fatal(err)
			}
			if got, want := s.told(), "00:30:20 limit 1 frequency 5;06:00:10 limit 0 voltage.an NaN;"; got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}

// TestGivenUpBeforeTheZoneIsPutRight: the next event ends under another zone than the one that the start without an end was entered under.
func TestGivenUpBeforeTheZoneIsPutRight(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 6, 0, second, 0, time.UTC) }
	s := newAlarmSite(t, "UTC")
	s.records = append(s.records, s.alarm(at(1), true, 1), s.alarm(at(2), false, 1), s.alarm(at(10), true, 0))
	s.retrieve()
	s.records = s.records[:1]
	s.records = append(s.records, s.alarm(at(20), true, 1))
	s.retrieve()
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	for i, zone := range []*time.Location{kolkata, kolkata, time.UTC, kolkata} {
		s.target.Zone = zone
		if _, err := (&retrieve.Reader{Store: s.store}).Redecode(t.Context(), &s.target, s.log, false, false); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			s.records = append(s.records, s.alarm(at(25), false, 1))
			s.retrieve()
		}
		want := "06:00:01 limit 1 frequency 1;06:00:10 limit 0 voltage.an NaN;06:00:20 limit 1 frequency 5;"
		if zone == kolkata {
			want = strings.ReplaceAll(want, "06:00:", "00:30:")
		}
		if got, _, _ := strings.Cut(s.told(), "gap"); got != want {
			t.Errorf("%d, in %s: %s\nwant %s", i, zone, got, want)
		}
	}
}

// TestGivenUpInTheRepeatedHour: what has no bytes stays where it is when something else than the zone changes, and in its pass when the zone does.
func TestGivenUpInTheRepeatedHour(t *testing.T) {
	t.Parallel()
	wall := func(h, m int) time.Time { return time.Date(2026, 11, 1, h, m, 0, 0, time.UTC) }
	s := newAlarmSite(t, "America/New_York")
	s.records = append(s.records, s.alarm(wall(1, 40), true, 1), s.alarm(wall(1, 45), false, 1), s.alarm(wall(1, 10), true, 3), s.alarm(wall(1, 50), true, 0))
	s.retrieve()
	s.records = s.records[:1]
	s.records = append(s.records, s.alarm(wall(3, 20), true, 1), s.alarm(wall(3, 25), false, 1))
	s.retrieve()
	want, _, _ := strings.Cut(s.told(), "gap")
	if !strings.Contains(want, "06:50:00 limit 0 voltage.an NaN") {
		t.Fatal(want)
	}
	for _, zone := range []string{"America/New_York", "America/Toronto", "UTC", "America/New_York"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		s.target.Zone, s.target.Correction = loc, device.Correction{CT: 2}
		if _, err := (&retrieve.Reader{Store: s.store}).Redecode(t.Context(), &s.target, s.log, false, false); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(s.told(), "gap"); zone != "UTC" && got != want || zone == "UTC" && !strings.Contains(got, "01:50:00 limit 0") {
			t.Errorf("in %s: %s\nwant %s", zone, got, want)
		}
	}
}

// TestGapBehindAnEvent: what a memory that was reset may lack begins at the last record that is stored, not where the last event began.
func TestGapBehindAnEvent(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 0, 0, second, 0, time.UTC) }
	s := newAlarmSite(t, "UTC")
	s.records = append(s.records, s.alarm(at(1), true, 0), s.alarm(at(30), false, 0))
	s.retrieve()
	s.records = append(s.records[:1], s.alarm(at(40), true, 0), s.alarm(at(41), false, 0))
	s.retrieve()
	if got, want := s.told(), "00:00:01 limit 0 voltage.an 29;00:00:40 limit 0 voltage.an 1;gap log reset 00:00:30-00:00:40;"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestBreakBehindAStart: a start that waits is all that is stored when the memory is reset or another meter's. It has no end there,
// and the break is told of, once.
func TestBreakBehindAStart(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 0, 0, second, 0, time.UTC) }
	for serial, cause := range map[string]logdb.GapCause{"T1": logdb.GapReset, "T2": logdb.GapReplaced} {
		t.Run(string(cause), func(t *testing.T) {
			t.Parallel()
			s := newAlarmSite(t, "UTC")
			retrieve := func() {
				t.Helper()
				for range 3 {
					s.retrieve()
				}
			}
			s.records = append(s.records, s.alarm(at(1), true, 0))
			retrieve()
			s.records = s.records[:1]
			retrieve() // nothing follows yet
			if got, want := s.told(), "open 00:00:01 limit 0 voltage.an;"; got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
			s.target.Identity.Serial = serial
			s.records = append(s.records, s.alarm(at(40), true, 1))
			retrieve()
			s.records = append(s.records, s.alarm(at(50), false, 0))
			retrieve()
			s.records = append(s.records, s.alarm(at(60), false, 1), s.alarm(at(70), true, 0), s.alarm(at(80), false, 0))
			retrieve()
			got := s.told()
			events, gap, _ := strings.Cut(got, "gap ")
			if want := "00:00:01 limit 0 voltage.an NaN;00:00:40 limit 1 frequency 20;00:01:10 limit 0 voltage.an 10;"; events != want || !strings.HasPrefix(gap, string(cause)+" 00:00:01-") || strings.Count(gap, ";") != 1 {
				t.Errorf("%s\nwant %sone gap: %s", got, want, cause)
			}
		})
	}
}

// TestFurtherEventInTheSameSecond: of a full log the status block shows nothing of an event in the second of the one before. It is read with
// the next retrieval all the same, and a log in which nothing happens is left alone then.
func TestFurtherEventInTheSameSecond(t *testing.T) {
	t.Parallel()
	zero := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return zero.Add(time.Duration(second) * time.Second) }
	s := newAlarmSite(t, "UTC")
	var all [][]byte
	for i := range 8 {
		all = append(all, s.alarm(at(10*i), i%2 == 0, 0))
	}
	all = append(all, s.alarm(at(70), true, 1))
	now := &clock{t: at(70)}
	engaged := 0
	s.before = func() {
		if s.engaged {
			engaged++
		}
	}
	retrieve := func(from int) int {
		t.Helper()
		now.Add(time.Minute)
		engaged, s.max, s.records = 0, 8, all[from:from+8]
		out, err := (&retrieve.Reader{Store: s.store, Now: now.Now}).Log(t.Context(), &s.target, s.log, &s.st, false)
		if err != nil {
			t.Fatal(err)
		}
		return out.Records
	}
	if n := retrieve(0); n != 8 {
		t.Errorf("%d records, want 8", n)
	}
	if n := retrieve(1); n != 1 {
		t.Errorf("%d records of the same second, want 1", n)
	}
	if retrieve(1); engaged != 0 {
		t.Errorf("%d requests of a log in which nothing happens, want none", engaged)
	}
}

// TestEndBeforeAStartThatWaits: an end whose start was never seen stands before a start that waits; both are read again at each retrieval, and
// the end does not become that of the start behind it.
func TestEndBeforeAStartThatWaits(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 5, 1, 0, 0, second, 0, time.UTC) }
	s := newAlarmSite(t, "UTC")
	s.records = append(s.records, s.alarm(at(1), false, 0), s.alarm(at(3), true, 0))
	for range 3 {
		s.retrieve()
	}
	s.records = append(s.records, s.alarm(at(9), false, 0))
	for range 3 {
		s.retrieve()
	}
	if got, want := s.told(), "00:00:03 limit 0 voltage.an 6;"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
