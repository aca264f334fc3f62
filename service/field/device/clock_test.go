package device_test

import (
	"testing"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// every wall time that a meter in the zone shows, in order, comes back as the instant.
func TestClockRoundTripsThroughBothChanges(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Australia/Sydney", "America/Santiago", "Asia/Kolkata", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		clock := device.NewClock(zone, 0, false)
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2026; at = at.Add(5 * time.Minute) {
			ts, err := device.ParseTStamp(device.AppendTStamp(nil, at.In(zone)))
			if err != nil {
				t.Fatal(err)
			}
			if got := clock.UTC(ts); got != logdb.MillisOf(at) {
				t.Fatalf("%s: %v is read as %v, it was %v", name, ts, got, at)
			}
		}
	}
}

// Ireland's winter time and Morocco's time in Ramadan stand in the zone data as daylight time of an hour less. Meters show daylight time when the
// clock is ahead.
func TestClockOfNegativeDaylightTime(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]int{"Europe/Dublin": 3600, "Africa/Casablanca": 3600, "Europe/London": 3600, "Australia/Lord_Howe": 11 * 3600, "Antarctica/Troll": 2 * 3600} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		clock, seen := device.NewClock(zone, 0, true), map[bool]bool{}
		for at := time.Date(2025, 12, 30, 0, 0, 0, 0, time.UTC); at.Year() < 2027; at = at.Add(15 * time.Minute) {
			local := at.In(zone)
			_, offset := local.Zone()
			want := device.TStamp{
				Year: local.Year(), Month: int(local.Month()), Day: local.Day(), Hour: local.Hour(), Minute: local.Minute(), DST: offset == ahead,
			}
			seen[want.DST] = true
			if got := clock.UTC(want); got != logdb.MillisOf(at) {
				t.Fatalf("%s: %v is read as %v, it was %v", name, want, got, at)
			}
			if got, err := device.ParseTStamp(device.AppendTStamp(nil, local)); err != nil || got != want {
				t.Fatalf("%s: %v is written as %v, %v", name, want, got, err)
			}
		}
		if len(seen) != 2 {
			t.Errorf("%s has no seasons: the test shows nothing", name)
		}
	}
}

// A zone that changes its offset for good has no daylight time for that.
func TestNoDaylightTimeOfAChangeForGood(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]time.Time{"Asia/Almaty": time.Date(2024, 2, 29, 19, 0, 0, 0, time.UTC), "Asia/Kolkata": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "UTC": {}} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{change.Add(-time.Hour), change, change.Add(time.Hour)} {
			if device.Daylight(at.In(zone)) {
				t.Errorf("%s: daylight time at %v", name, at)
			}
		}
	}
}

// Without a DST bit the order of recording decides in the repeated hour.
func TestClockWithoutBits(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	clock := device.NewClock(zone, 0, false)
	for at := time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC); at.Hour() < 9; at = at.Add(15 * time.Minute) {
		b := device.AppendTStamp(nil, at.In(zone))
		b[3] &^= 0x40
		ts, err := device.ParseTStamp(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := clock.UTC(ts); got != logdb.MillisOf(at) {
			t.Fatalf("%v is read as %v, it was %v", ts, got, at)
		}
	}
	// A record alone in the repeated hour, of a meter that is known to set the bit.
	alone := device.NewClock(zone, 0, true)
	ts := device.TStamp{Year: 2026, Month: 11, Day: 1, Hour: 1, Minute: 30}
	if got := alone.UTC(ts).Time(); got.Hour() != 6 {
		t.Errorf("01:30 without the bit is %v, want standard time 06:30Z", got)
	}
	ts.DST = true
	if got := alone.UTC(ts).Time(); got.Hour() != 5 {
		t.Errorf("01:30 with the bit is %v, want daylight time 05:30Z", got)
	}
}

// TestForesee: which pass of the repeated hour the first readings of a log without DST bits belong to.
func TestForesee(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(minutes ...int) (out []device.TStamp) { // of 1 November, when 02:00 becomes 01:00
		for _, m := range minutes {
			out = append(out, device.TStamp{Year: 2026, Month: 11, Day: 1, Hour: m / 60, Minute: m % 60})
		}
		return out
	}
	const hour = 60
	for name, c := range map[string]struct {
		next     []device.TStamp
		interval time.Duration
		read     int // minutes of that day, UTC, when the last reading was the newest; 0: not known
		want     int // hour of the first reading, UTC
	}{
		"the hour ends within an interval":       {at(hour+30, hour+45, 2*hour), 15 * time.Minute, 0, 6},
		"the same, by the readings' own":         {at(hour+30, hour+45, 2*hour), 0, 0, 6},
		"the hour comes again":                   {at(hour+30, hour+45, hour, hour+15, hour+30, hour+45, 2*hour), 15 * time.Minute, 0, 5},
		"one reading an hour, second":            {at(hour, 2*hour), time.Hour, 0, 6},
		"one reading an hour, first":             {at(hour, hour, 2*hour), time.Hour, 0, 5},
		"an hour is missing":                     {at(hour+30, hour+45, 3*hour), 15 * time.Minute, 0, 6},
		"nothing follows":                        {at(hour+30, hour+45), 15 * time.Minute, 0, 5},
		"one follows and no interval is known":   {at(hour+45, 2*hour), 0, 0, 5},
		"the interval is that of what follows":   {at(hour+45, 2*hour, 2*hour+15), 0, 0, 6},
		"the first is no reading of that hour":   {at(30, 45, hour, hour+15), 15 * time.Minute, 0, 4},
		"three hours from the first to the next": {at(hour, 3*hour), 3 * time.Hour, 0, 5},
		"the newest is of just now, second":      {at(hour+30, hour+45), 15 * time.Minute, 6*hour + 50, 6},
		"the newest is of just now, first":       {at(hour+30, hour+45), 15 * time.Minute, 5*hour + 50, 5},
		"the only one, second":                   {at(hour + 3), 3 * time.Minute, 6*hour + 4, 6},
		"a clock that is ahead":                  {at(hour + 30), 15 * time.Minute, 6*hour + 27, 6},
		"nothing was recorded since the first":   {at(hour + 15), 3 * time.Minute, 6*hour + 50, 5},
		"of both passes it could be of just now": {at(hour + 30), time.Hour, 6*hour + 31, 5},
		"what follows tells, whatever the clock": {at(hour+30, hour+45, 2*hour), 15 * time.Minute, 5*hour + 50, 6},
		"no interval is known, second":           {at(hour+30, hour+33), 0, 6*hour + 35, 6},
		"nothing was recorded since, either":     {at(hour+10, hour+13), 0, 6*hour + 35, 5},
		"one, and no interval is known":          {at(hour + 30), 0, 6*hour + 35, 5},
		"hourly, before its next":                {at(hour), time.Hour, 5*hour + 57, 5},
		"hourly, of a clock that is behind":      {at(hour), time.Hour, 6*hour + 7, 5},
		"half an hour, of one that is behind":    {at(hour + 30), 30 * time.Minute, 6*hour + 4, 5},
		"some are missing in between":            {at(hour+15, hour+45), 15 * time.Minute, 6*hour + 47, 5},
		"the clock of this node is wrong":        {at(hour + 30), 15 * time.Minute, 12 * hour, 5},
	} {
		clock := device.NewClock(zone, 0, false)
		var read time.Time
		if c.read > 0 {
			read = time.Date(2026, 11, 1, 0, c.read, 0, 0, time.UTC)
		}
		clock.Foresee(c.next, c.interval, read)
		if got := clock.UTC(c.next[0]).Time(); got.Hour() != c.want {
			t.Errorf("%s: %v, want hour %d", name, got, c.want)
		}
	}
}
