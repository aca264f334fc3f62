package timeline

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/chart"
)

// Filter says which events are shown. The zero value shows all.
type Filter struct {
	// Hidden kinds and meters are left out.
	HiddenKinds  map[logdb.Kind]bool
	HiddenMeters map[int]bool
	// First and Last bound the time, [First, Last); 0 does not.
	First, Last logdb.Millis
	Least       chart.Severity
	// Text must stand in what the event says; words apart, all of them, small and large letters alike.
	Text string
	// NoRoutine leaves out traces of reading the meter.
	NoRoutine bool
	// Box keeps PQ events of a region of the tolerance chart only.
	Box *Box
}

// Box is a region of duration and voltage.
type Box struct {
	FromSeconds, ToSeconds, FromRatio, ToRatio float64
}

// Contains reports whether an event lies in the box. An event whose end was not seen lies at the right edge of every chart.
func (b *Box) Contains(seconds, ratio float64) bool {
	if math.IsNaN(ratio) || ratio < b.FromRatio || ratio > b.ToRatio {
		return false
	}
	return !math.IsNaN(seconds) && seconds >= b.FromSeconds && seconds <= b.ToSeconds
}

// Apply returns the indices of the events that pass, in their order. names are those of the meters, which text is sought in too, zones those of
// their sites: a word such as 14:02, 14:02:33 or 2026-03-08 finds the time that people read there.
func (f *Filter) Apply(list []Event, names []string, zones []*time.Location) []int {
	words := strings.Fields(strings.ToLower(f.Text))
	layouts := make([]string, len(words))
	for i, w := range words {
		layouts[i] = layoutOf(w)
	}
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	out := make([]int, 0, len(list))
	for i := range list {
		zone := time.UTC
		if m := list[i].Meter; m < len(zones) && zones[m] != nil {
			zone = zones[m]
		}
		if f.passes(&list[i], words, layouts, lower, zone) {
			out = append(out, i)
		}
	}
	return out
}

// layoutOf is how a word writes a time; "" when it is none.
func layoutOf(word string) string {
	for _, l := range []string{"15:04", "15:04:05", time.DateOnly, "2006-01"} {
		if _, err := time.Parse(l, word); err == nil && len(word) == len(l) {
			return l
		}
	}
	return ""
}

func (f *Filter) passes(e *Event, words, layouts, names []string, zone *time.Location) bool {
	if f.HiddenKinds[e.Kind] || f.HiddenMeters[e.Meter] || e.Severity < f.Least || f.NoRoutine && e.Routine {
		return false
	}
	if f.First != 0 && e.Time < f.First || f.Last != 0 && e.Time >= f.Last {
		return false
	}
	if f.Box != nil && (e.Kind != logdb.KindPQ || !f.Box.Contains(e.Seconds, e.Ratio)) {
		return false
	}
	for i, w := range words {
		if layouts[i] != "" && e.Time.Time().In(zone).Format(layouts[i]) == w {
			continue
		}
		if !strings.Contains(e.words(), w) && !(e.Meter < len(names) && strings.Contains(names[e.Meter], w)) && !strings.Contains(strings.ToLower(KindName(e.Kind)), w) {
			return false
		}
	}
	return true
}

// Sort puts the newest first. Events of one time keep the order of their journals.
func Sort(list []Event) {
	slices.Reverse(list) // logs are read from old to new
	slices.SortFunc(list, func(a, b Event) int {
		if a.Time != b.Time {
			return cmp.Compare(b.Time, a.Time)
		}
		return cmp.Or(cmp.Compare(a.Meter, b.Meter), cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Position, a.Position), cmp.Compare(a.Stream.Journal, b.Stream.Journal), cmp.Compare(a.Stream.Policy, b.Stream.Policy))
	})
}
