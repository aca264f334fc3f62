package timeline

import (
	"cmp"
	"math"
	"slices"

	"metermanager/logdb"
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

// within is how far apart events of one cause lie, as far as nobody states the error of clocks: a second each, and a little.
const within logdb.Millis = 2_500

// systemWithin is how far a system event may lie from what caused it.
const systemWithin logdb.Millis = 60_000

// Related returns the events that belong to event i of a list that Sort put in order: the recording first, then other phases, other meters
// and system events, the nearest first.
func Related(list []Event, i int) []Link {
	e := &list[i]
	last := e.end()
	// The list falls in time. A recording may begin before the event that set it off, by its own length at most.
	from, _ := slices.BinarySearchFunc(list, last+systemWithin, func(x Event, t logdb.Millis) int { return cmp.Compare(t, x.Time) })
	var out []Link
	for k := from; k < len(list); k++ {
		x := &list[k]
		if x.Time < e.Time-systemWithin {
			break
		}
		if k == i {
			continue
		}
		if why, ok := e.relation(x); ok {
			out = append(out, Link{k, why, x.Time - e.Time})
		}
	}
	rank := map[Why]int{Recording: 0, RecordedBy: 0, OtherPhase: 1, SameMeter: 2, OtherMeter: 3, SystemAfter: 4}
	slices.SortStableFunc(out, func(a, b Link) int {
		return cmp.Or(cmp.Compare(rank[a.Why], rank[b.Why]), cmp.Compare(max(a.Delta, -a.Delta), max(b.Delta, -b.Delta)))
	})
	return out
}

// end is the last time that an event is known to touch.
func (e *Event) end() logdb.Millis {
	if math.IsNaN(e.Seconds) {
		return e.Time
	}
	return e.Time + logdb.Millis(min(e.Seconds, 86_400)*1000)
}

func (e *Event) relation(x *Event) (Why, bool) {
	overlap := x.Time <= e.end() && e.Time <= x.end()
	distance := max(x.Time-e.Time, e.Time-x.Time)
	electrical := func(k logdb.Kind) bool { return k == logdb.KindPQ || k == logdb.KindWaveform }
	switch {
	case x.Kind == logdb.KindSystem || e.Kind == logdb.KindSystem:
		return SystemAfter, e.Meter == x.Meter && (distance <= systemWithin || overlap) && !(x.Kind == logdb.KindSystem && e.Kind == logdb.KindSystem && distance > within)
	case e.Meter != x.Meter:
		return OtherMeter, electrical(e.Kind) && electrical(x.Kind) && distance <= within
	case !(overlap || distance <= within/5):
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
