package pq

import (
	"slices"
	"time"
)

// Sighting is an event as one meter saw it.
type Sighting struct {
	Meter string
	Event
	// ClockOffset is how far the meter's clock is known to be ahead; it is taken off before sightings are compared.
	ClockOffset time.Duration
	// ClockError is how far the corrected time may still be off.
	ClockError time.Duration
	// Ref finds the record again; grouping only carries it.
	Ref string
}

// Corrected is the start by the right time.
func (s *Sighting) Corrected() time.Time { return s.Start.Add(-s.ClockOffset) }

// EventGroup is sightings that may be one event of the network.
type EventGroup struct {
	Sightings []Sighting // in order of corrected time
	Meters    int
	// Start is the first corrected start, End the last end that is known.
	Start, End time.Time
	// Spread is how far the corrected starts lie apart, Tolerance the largest clock error in the group: a spread above it
	// means that the sightings were joined by their overlap only.
	Spread, Tolerance time.Duration
	Worst             Sighting
}

// Group joins the sightings whose corrected times, give or take the clock errors of both, overlap or lie less than `within`
// apart. A sighting whose end was not seen counts with its start alone.
func Group(sightings []Sighting, within time.Duration) []EventGroup {
	sorted := slices.Clone(sightings)
	slices.SortStableFunc(sorted, func(a, b Sighting) int { return a.Corrected().Compare(b.Corrected()) })
	var out []EventGroup
	var reach []time.Time // of each group: the latest moment that a sighting of it may cover
	for i := range sorted {
		s := &sorted[i]
		begin := s.Corrected().Add(-s.ClockError)
		end := s.Corrected().Add(max(0, s.Duration))
		if n := len(out) - 1; n >= 0 && !begin.After(reach[n].Add(within)) {
			g := &out[n]
			g.Sightings = append(g.Sightings, *s)
			g.Spread = s.Corrected().Sub(g.Start)
			g.Tolerance = max(g.Tolerance, s.ClockError)
			if end.After(g.End) {
				g.End = end
			}
			if worse(s.Ratio, g.Worst.Ratio) {
				g.Worst = *s
			}
			if r := end.Add(s.ClockError); r.After(reach[n]) {
				reach[n] = r
			}
			continue
		}
		out = append(out, EventGroup{Sightings: []Sighting{*s}, Start: s.Corrected(), End: end, Tolerance: s.ClockError, Worst: *s})
		reach = append(reach, end.Add(s.ClockError))
	}
	for i := range out {
		meters := map[string]bool{}
		for _, s := range out[i].Sightings {
			meters[s.Meter] = true
		}
		out[i].Meters = len(meters)
	}
	return out
}
