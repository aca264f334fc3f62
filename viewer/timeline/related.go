package timeline

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/pq"
)

// Why says how an event belongs to another.
type Why string

// The ways in which events belong together.
const (
	Recording   Why = "recording of it"
	RecordedBy  Why = "what it recorded"
	SameMeter   Why = "same meter"
	OtherMeter  Why = "other meter"
	OtherPhase  Why = "other phase"
	SystemAfter Why = "system event"
)

// Link is a related event.
type Link struct {
	Index int // in the list
	Why   Why
	Delta logdb.Millis // its time less that of the event
}

// Clocks says how far the meters' clocks are off, as far as anybody stated it.
type Clocks struct {
	// Error is how far every clock may be off, either way.
	Error logdb.Millis
	// Ahead is how far a meter's clock is known to be ahead, by the index of the meter.
	Ahead map[int]logdb.Millis
}

// StatedByNobody is what the clocks of meters are good for when nobody states more: the service takes a second too.
var StatedByNobody = Clocks{Error: 1000}

// corrected is the time of an event by the right clock, as far as it is known.
func (c Clocks) corrected(e *Event) logdb.Millis { return e.Time - c.Ahead[e.Meter] }

// slack is how far the times of two events of one cause may differ as they are written.
func (c Clocks) slack() logdb.Millis {
	most := logdb.Millis(0)
	for _, a := range c.Ahead {
		most = max(most, a, -a)
	}
	return 2*(c.Error+most) + within
}

// within is how far apart events of several meters lie beyond the error of their clocks, and those of one meter, whose clock is the same.
const within, sameWithin logdb.Millis = 100, 500

// systemWithin is how far a system event may lie from what caused it.
const systemWithin logdb.Millis = 60_000

// Related returns the events that belong to event i of a list that Sort put in order: the recording first, then other phases, other meters
// and system events, the nearest first. Those of other meters are found as event groups are (pq.Group): by corrected time, with the error of the
// clocks.
func Related(list []Event, i int, clocks Clocks) []Link {
	e := &list[i]
	reach := max(systemWithin, clocks.slack())
	// The list falls in time. A recording may begin before the event that set it off, by its own length at most.
	from, _ := slices.BinarySearchFunc(list, e.end()+reach, func(x Event, t logdb.Millis) int { return cmp.Compare(t, x.Time) })
	to := from
	for to < len(list) && list[to].Time >= e.Time-reach {
		to++
	}
	together := group(list, from, to, i, clocks)
	var out []Link
	for k := from; k < to; k++ {
		x := &list[k]
		switch why, ok := e.relation(x); {
		case k == i:
		case e.Meter != x.Meter && together[k]:
			out = append(out, Link{k, OtherMeter, clocks.corrected(x) - clocks.corrected(e)})
		case ok:
			out = append(out, Link{k, why, x.Time - e.Time})
		}
	}
	rank := map[Why]int{Recording: 0, RecordedBy: 0, OtherPhase: 1, SameMeter: 2, OtherMeter: 3, SystemAfter: 4}
	slices.SortStableFunc(out, func(a, b Link) int {
		return cmp.Or(cmp.Compare(rank[a.Why], rank[b.Why]), cmp.Compare(max(a.Delta, -a.Delta), max(b.Delta, -b.Delta)))
	})
	return out
}

// group finds the events of [from, to) that may be the same event of the network as event i.
func group(list []Event, from, to, i int, clocks Clocks) map[int]bool {
	if !list[i].electrical() {
		return nil
	}
	var all []pq.Sighting
	for k := from; k < to; k++ {
		if x := &list[k]; x.electrical() {
			all = append(all, pq.Sighting{
				Meter: strconv.Itoa(x.Meter), Ref: strconv.Itoa(k), Event: pq.Event{Start: x.Time.Time(), Duration: time.Duration(x.end()-x.Time) * time.Millisecond, Ratio: x.Ratio},
				ClockOffset: time.Duration(clocks.Ahead[x.Meter]) * time.Millisecond, ClockError: time.Duration(clocks.Error) * time.Millisecond,
			})
		}
	}
	own := strconv.Itoa(i)
	for _, g := range pq.Group(all, time.Duration(within)*time.Millisecond) {
		if !slices.ContainsFunc(g.Sightings, func(s pq.Sighting) bool { return s.Ref == own }) {
			continue
		}
		out := map[int]bool{}
		for _, s := range g.Sightings {
			k, _ := strconv.Atoi(s.Ref)
			out[k] = true
		}
		return out
	}
	return nil
}

func (e *Event) electrical() bool { return e.Kind == logdb.KindPQ || e.Kind == logdb.KindWaveform }

// end is the last time that an event is known to touch.
func (e *Event) end() logdb.Millis {
	if math.IsNaN(e.Seconds) {
		return e.Time
	}
	return e.Time + logdb.Millis(min(e.Seconds, 86_400)*1000)
}

// relation says how an event of the same meter belongs to this one.
func (e *Event) relation(x *Event) (Why, bool) {
	overlap := x.Time <= e.end() && e.Time <= x.end()
	distance := max(x.Time-e.Time, e.Time-x.Time)
	switch {
	case e.Meter != x.Meter:
		return "", false
	case x.Kind == logdb.KindSystem && e.Kind == logdb.KindSystem:
		return SystemAfter, distance <= 5*sameWithin
	case x.Kind == logdb.KindSystem || e.Kind == logdb.KindSystem:
		return SystemAfter, distance <= systemWithin || overlap
	case !(overlap || distance <= sameWithin):
		return "", false
	case e.Kind != logdb.KindWaveform && x.Kind == logdb.KindWaveform:
		return Recording, true
	case e.Kind == logdb.KindWaveform && x.Kind != logdb.KindWaveform:
		return RecordedBy, true
	case e.Kind == x.Kind && e.Channel != x.Channel && e.Kind == logdb.KindPQ:
		return OtherPhase, true
	}
	return SameMeter, true
}
