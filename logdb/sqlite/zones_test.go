package sqlite_test

import (
	"archive/zip"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/logdb/sqlite"
)

// changingZones are the IANA zones that change their clock in 2023 or 2024, from the database that comes with Go.
func changingZones(t testing.TB) (out map[string][]time.Time) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("no database of zones without the compiler:", err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skip("no database of zones beside the compiler:", err)
	}
	defer z.Close()
	out = map[string][]time.Time{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		loc, err := time.LoadLocation(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2023, 2, 1, 0, 0, 0, 0, time.UTC)
		_, before := at.In(loc).Zone()
		for ; at.Year() < 2025; at = at.Add(time.Hour) {
			if _, now := at.In(loc).Zone(); now != before {
				out[f.Name] = append(out[f.Name], at)
				before = now
			}
		}
	}
	return out
}

// TestZonesAddUp checks, in every zone that changes its clock, that the hours of a day make the day and the days of a month the month, to
// the last digit: while values are in the database, in the archive, and when only the tiers are left.
func TestZonesAddUp(t *testing.T) {
	t.Parallel()
	zones := changingZones(t)
	if len(zones) < 100 {
		t.Fatalf("%d zones change their clock", len(zones))
	}
	s, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "logs.db"), sqlite.Config{Archive: newCrashFiles()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, days := 0, 0
	for zone, changes := range zones {
		if n++; testing.Short() && n%10 != 0 {
			continue
		}
		rnd := rand.New(rand.NewPCG(uint64(n), 1))
		uid := logdb.MeterUID(zone)
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutSettings(ctx, uid, logdb.Settings{UID: uid, Zone: zone}); err != nil {
			t.Fatal(err)
		}
		var want []reading
		for _, at := range changes[:min(2, len(changes))] {
			first := logdb.MillisOf(at).Floor(logdb.DayMillis) - logdb.DayMillis
			h := logdb.History{Channels: []logdb.ChannelKey{wh}, Columns: make([][]float64, 1)}
			for k := range 3 * 96 {
				r := reading{first + logdb.Millis(k)*15*minute, int64(rnd.IntN(100_000))}
				want = append(want, r)
				h.Times, h.Columns[0] = append(h.Times, r.at), append(h.Columns[0], float64(r.tenths)/10)
			}
			if _, err := s.Append(ctx, logdb.Batch{Meter: uid, Kind: logdb.KindHistorical, Rows: []logdb.History{h}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Compact(ctx, uid); err != nil {
			t.Fatal(err)
		}
		check := func(rung string) {
			for _, at := range changes[:min(2, len(changes))] {
				days += addsUp(t, s, uid, loc, rung, logdb.MillisOf(at), want)
			}
		}
		check("in the database")
		archiveAll(t, s, uid, logdb.MaxTime)
		check("in the archive")
		if n%3 == 0 {
			for _, tier := range []logdb.Tier{logdb.TierQuarter, logdb.TierHour} {
				if err := s.DropTier(ctx, uid, tier, logdb.MaxTime); err != nil {
					t.Fatal(err)
				}
			}
			check("without tiers")
			continue
		}
		if dropped, err := s.DropArchive(ctx, uid, logdb.KindHistorical, logdb.MaxTime); err != nil || dropped.Files == 0 {
			t.Fatalf("dropped %+v, %v", dropped, err)
		}
		check("without the archive")
	}
	t.Logf("%d zones change their clock; %d days were added up", len(zones), days)
}

type reading struct {
	at     logdb.Millis
	tenths int64
}

// addsUp compares hours, day and month around a change of the clock with the readings, and returns how many days it looked at.
func addsUp(t *testing.T, s *sqlite.Store, uid logdb.MeterUID, loc *time.Location, rung string, change logdb.Millis, want []reading) (days int) {
	t.Helper()
	list, err := s.Series(ctx, uid)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d series, %v", len(list), err)
	}
	sums := func(unit string, first, last logdb.Millis) (total int64, edges []logdb.Millis) {
		i, err := analysis.ParseInterval(unit)
		if err != nil {
			t.Fatal(err)
		}
		if edges, err = analysis.Edges(loc, i, first, last); err != nil {
			t.Fatal(err)
		}
		err = s.ReadBuckets(ctx, []logdb.SeriesID{list[0].ID}, edges, func(_ logdb.SeriesID, all []logdb.Bucket) error {
			for k, b := range all {
				exact := int64(0)
				for _, r := range want {
					if r.at > edges[k] && r.at <= edges[k+1] {
						exact += r.tenths
					}
				}
				if b.Count == 0 {
					b.Sum = 0
				}
				if b.Sum != float64(exact)/10 {
					t.Errorf("%s, %s: %s from %s to %s is %v, want %v", uid, rung, unit, edges[k].Time().In(loc), edges[k+1].Time().In(loc), b.Sum, float64(exact)/10)
				}
				total += exact
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return total, edges
	}
	ofMonth, month := sums("1mo", change, change+1)
	ofDays, edges := sums("1d", month[0], month[len(month)-1])
	if ofDays != ofMonth {
		t.Errorf("%s, %s: the days make %d, the month is %d", uid, rung, ofDays, ofMonth)
	}
	for k := range len(edges) - 1 {
		if edges[k+1] < change-2*logdb.DayMillis || edges[k] > change+2*logdb.DayMillis {
			continue
		}
		ofDay, _ := sums("1d", edges[k], edges[k+1])
		if ofHours, _ := sums("1h", edges[k], edges[k+1]); ofHours != ofDay {
			t.Errorf("%s, %s: the hours of %s make %d, the day is %d", uid, rung, edges[k].Time().In(loc).Format("2006-01-02"), ofHours, ofDay)
		}
		days++
	}
	return days
}
