package retrieve_test

import (
	"bytes"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
	"metermanager/service/field/sim"
)

// TestEveryRecordAcrossChanges accounts for every record of a meter's memory around both changes of
// daylight time, retrieved in pieces: none lost, none doubled, each at the instant of the meter's clock.
func TestEveryRecordAcrossChanges(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]time.Time{ // in UTC
		"Europe/Berlin":       {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
		"Europe/Dublin":       {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
		"Africa/Casablanca":   {time.Date(2026, 2, 15, 2, 0, 0, 0, time.UTC), time.Date(2026, 3, 22, 2, 0, 0, 0, time.UTC)},
		"America/New_York":    {time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
		"Australia/Lord_Howe": {time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
		"Asia/Kolkata":        {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)},
	} {
		for _, change := range changes {
			t.Run(name+" "+change.Format(time.DateOnly), func(t *testing.T) {
				t.Parallel()
				// A day before, so that the first day's step of the simulated clock stands apart.
				s := newSite(t, sim.Config{Zone: name, Start: change.Add(-30 * time.Hour)}).inZone(name)
				s.now.Add(change.Add(-40 * time.Minute).Sub(s.now.Now()))
				for range 6 {
					s.advance(31 * time.Minute)
					s.must("hist1")
				}
				raws, i, crossed := s.raws(logdb.KindHistorical, 0), 0, 0
				for r, err := range s.meter.Records(sim.LogHist1) {
					if err != nil {
						t.Fatal(err)
					}
					if i >= len(raws) || !bytes.Equal(raws[i].Bytes, r.Raw) || !raws[i].Time.Time().Equal(r.Time) {
						t.Fatalf("record %d of %d: stored %v, the meter wrote % x at %v", i, len(raws), raws[min(i, len(raws)-1)].Time, r.Raw[:6], r.Time)
					}
					if r.True.After(change.Add(-time.Hour)) && r.True.Before(change.Add(time.Hour)) {
						crossed++
					}
					i++
				}
				if i != len(raws) || crossed < 100 {
					t.Errorf("%d records stored, the meter has %d; %d around the change", len(raws), i, crossed)
				}
				if gaps := s.events(logdb.KindHistorical, true); len(gaps) != 0 {
					t.Errorf("gaps %+v", gaps)
				}
			})
		}
	}
}

// TestMemoryBeginsInTheRepeatedHour: what the meter holds begins within the hour that comes twice, for a manager that reads it for the first time
// and for one that was away, in its first pass or in its second: each row has the instant of the meter's clock, the gap ends there, and so it is
// when the records are decoded again.
func TestMemoryBeginsInTheRepeatedHour(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind sim.Kind) {
		const name, room = "America/New_York", 115
		change := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
		for _, begin := range []time.Duration{-40 * time.Minute, 0, time.Minute, 25 * time.Minute, 59 * time.Minute} {
			for _, was := range []bool{false, true} {
				s := newSite(t, sim.Config{Kind: kind, Zone: name, Start: change.Add(-30 * time.Hour), MaxRecords: map[int]int{sim.LogHist1: room}}).inZone(name)
				if was {
					s.now.Add(change.Add(-6 * time.Hour).Sub(s.now.Now()))
					s.must("hist1")
				}
				s.now.Add(change.Add(begin + room*time.Minute).Sub(s.now.Now()))
				s.must("hist1")
				rows := s.rowsAreTheMeters()
				if gaps := s.events(logdb.KindHistorical, true); was && (len(gaps) != 1 || gaps[0].Gap.To != rows[len(rows)-room]) || !was && len(gaps) != 0 {
					t.Errorf("memory from %v of the change on: gaps %+v, rows from %v on", begin, gaps, rows[max(0, len(rows)-room)])
				}
				s.inZone("UTC").redecode(false)
				if s.inZone(name).redecode(false) == 0 {
					t.Fatal("another zone changes nothing: the test shows nothing")
				}
				if gaps := s.events(logdb.KindHistorical, true); was && (len(gaps) != 1 || gaps[0].Gap.To != rows[len(rows)-room]) {
					t.Errorf("memory from %v of the change on, decoded again: gaps %+v, rows from %v on", begin, gaps, rows[len(rows)-room])
				}
				times, _ := s.liveRows(0)
				for i, raw := range s.raws(logdb.KindHistorical, 0) {
					if times[raw.Position] != rows[i] {
						t.Fatalf("memory from %v of the change on: row %d at %v, decoded again at %v", begin, i, rows[i], times[raw.Position])
					}
				}
			}
		}
	})
}

// TestLogBeginsWhileTheHourIsRepeated: a log is emptied within the hour that comes twice, in its first pass or in its second, and read before that hour is
// over, by a manager that knows the meter and by one that does not. No record behind the hour tells yet which pass it was, but that the newest one is of
// just now does. Decoded again, in that hour and later, the rows stay where they are.
func TestLogBeginsWhileTheHourIsRepeated(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind sim.Kind) {
		for name, change := range map[string]time.Time{
			"America/New_York": time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), "Australia/Lord_Howe": time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
		} {
			for _, emptied := range []time.Duration{-25 * time.Minute, 9*time.Minute + 30*time.Second} {
				for _, was := range []time.Duration{0, -6 * time.Hour, -29 * time.Minute} { // when it was read before
					s := newSite(t, sim.Config{Kind: kind, Zone: name, Start: change.Add(-30 * time.Hour)}).inZone(name)
					stay := func(when string) {
						times, _ := s.liveRows(0)
						for _, raw := range s.raws(logdb.KindHistorical, 0) {
							if times[raw.Position] != raw.Time {
								t.Fatalf("%s, emptied %v after the change, read %v after it before: a row of %v, decoded again %s at %v",
									name, emptied, was, raw.Time, when, times[raw.Position])
							}
						}
					}
					if was < 0 {
						s.now.Add(change.Add(was).Sub(s.now.Now()))
						s.must("hist1")
					}
					s.now.Add(change.Add(emptied).Sub(s.now.Now()))
					if err := s.meter.ResetLog(sim.LogHist1); err != nil {
						t.Fatal(err)
					}
					s.advance(7 * time.Minute)
					s.must("hist1")
					rows := len(s.rowsAreTheMeters())
					s.correction = device.Correction{CT: 2, PT: 0.5}
					if s.redecode(false) == 0 {
						t.Fatal("nothing was decoded again")
					}
					stay("in that hour")
					s.advance(90 * time.Minute)
					s.must("hist1")
					if more := len(s.rowsAreTheMeters()); more < rows+80 {
						t.Fatalf("%d rows after %d", more, rows)
					}
					s.correction = device.Correction{CT: 1, PT: 1}
					s.redecode(false)
					stay("later")
				}
			}
		}
	})
}

// rowsAreTheMeters compares the stored rows with the meter's newest records of log 0 and returns their times.
func (s *site) rowsAreTheMeters() (times []logdb.Millis) {
	s.t.Helper()
	truth := map[string]time.Time{}
	for r, err := range s.meter.Records(sim.LogHist1) {
		if err != nil {
			s.t.Fatal(err)
		}
		truth[string(r.Raw)] = r.Time
	}
	for _, raw := range s.raws(logdb.KindHistorical, 0) {
		if at, known := truth[string(raw.Bytes)]; known && !raw.Time.Time().Equal(at) {
			s.t.Fatalf("stored at %v, the meter wrote % x at %v", raw.Time, raw.Bytes[:8], at)
		}
		times = append(times, raw.Time)
	}
	return times
}

// TestDecodedAgainWithoutABreak: a generation that only has other settings goes on where the one before ended. Its first rows lie in the first pass
// of the repeated hour, then the supply was off until that was over: what follows looks as if the second pass had been recorded, and the row before
// says that it was not.
func TestDecodedAgainWithoutABreak(t *testing.T) {
	t.Parallel()
	change := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	s := newSite(t, sim.Config{Kind: sim.Nexus, Zone: "America/New_York", Start: change.Add(-30 * time.Hour)})
	s.now.Add(change.Add(-30 * time.Minute).Sub(s.now.Now())) // 01:30, in daylight time
	s.must("hist1")
	raws := s.raws(logdb.KindHistorical, 0)
	last := raws[len(raws)-1]
	if last.Time.Time() != change.Add(-30*time.Minute) {
		t.Fatalf("the last row is of %v", last.Time)
	}
	b := logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Snapshot: last.Snapshot}
	h := logdb.History{Run: last.Run, Generation: last.Generation + 1, Channels: []logdb.ChannelKey{"readings.voltage.an"}, Columns: make([][]float64, 1)}
	for _, after := range []time.Duration{-29, -28, -27, 60, 61, 62} {
		at := change.Add(after * time.Minute)
		h.Times, h.Columns[0] = append(h.Times, logdb.MillisOf(at)), append(h.Columns[0], 120)
		b.Raw = append(b.Raw, append(device.AppendTStamp8(nil, at.In(s.zone)), last.Bytes[8:]...))
	}
	b.Rows = []logdb.History{h}
	if _, err := s.store.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	s.inZone("UTC").redecode(false)
	s.inZone("America/New_York").redecode(false)
	times, _ := s.liveRows(0)
	for i, raw := range s.raws(logdb.KindHistorical, 0)[len(raws):] {
		if times[raw.Position] != h.Times[i] {
			t.Errorf("row %d at %v, decoded again at %v", i, h.Times[i], times[raw.Position])
		}
	}
}
