package analysis

import "time"

// zoneBounds returns since when and until when the offset of t's zone holds, start not after t
// and end behind it; zero when there is no bound. Time.ZoneBounds breaks that on the last day
// of a leap year behind the end of the zone's table (Go 1.26: Europe/Berlin on 2040-12-31 ends
// at that very moment), which would keep a loop over the bounds in place for ever.
func zoneBounds(t time.Time) (start, end time.Time) {
	start, end = t.ZoneBounds()
	const days = 3
	for probe, i := t, 0; i < days && !end.IsZero() && !end.After(t); i++ {
		probe = probe.Add(24 * time.Hour)
		_, end = probe.ZoneBounds()
	}
	for probe, i := t, 0; i < days && !start.IsZero() && start.After(t); i++ {
		probe = probe.Add(-24 * time.Hour)
		start, _ = probe.ZoneBounds()
	}
	if !end.IsZero() && !end.After(t) {
		end = t.Add(24 * time.Hour)
	}
	return start, end
}
