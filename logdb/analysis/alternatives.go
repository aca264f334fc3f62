package analysis

import (
	"cmp"

	"metermanager/logdb"
)

// DayCounts is the number of live events of each journal on each day; what a day is called is
// the caller's choice.
type DayCounts map[logdb.JournalID]map[logdb.Millis]int

// Add counts one event.
func (c DayCounts) Add(journal logdb.JournalID, day logdb.Millis) {
	if c[journal] == nil {
		c[journal] = map[logdb.Millis]int{}
	}
	c[journal][day]++
}

// ChooseEvents returns the journal whose events are shown on each day that has any. The journals
// of several nodes about one meter are alternatives, never added: the one with most events is
// taken, of equals the older one. states tell how old journals are.
func ChooseEvents(states []logdb.StreamState, counts DayCounts) map[logdb.Millis]logdb.JournalID {
	created := map[logdb.JournalID]logdb.Millis{}
	for _, s := range states {
		if at, ok := created[s.Stream.Journal]; !ok || s.Created < at {
			created[s.Stream.Journal] = s.Created
		}
	}
	out := map[logdb.Millis]logdb.JournalID{}
	for journal, days := range counts {
		for day, n := range days {
			best, ok := out[day]
			if !ok || cmp.Or(
				cmp.Compare(n, counts[best][day]),
				cmp.Compare(created[best], created[journal]),
				cmp.Compare(best, journal), // equals in everything: always the same one
			) > 0 {
				out[day] = journal
			}
		}
	}
	return out
}
