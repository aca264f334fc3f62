package webapi

import (
	"context"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
)

// eventChoice tells which events are shown where several nodes keep a journal about one meter.
type eventChoice struct {
	zone    *time.Location
	journal map[logdb.Millis]logdb.JournalID // by the site's day; nil: there are no alternatives
	// hidden are the streams of which something is left out.
	hidden []string
}

// shows reports whether an event belongs to the answer.
func (c eventChoice) shows(s logdb.StreamID, at logdb.Millis) bool {
	if c.journal == nil {
		return true
	}
	chosen, ok := c.journal[dayOf(at, c.zone)]
	return !ok || chosen == s.Journal
}

// dayOf names the site's day of a time.
func dayOf(at logdb.Millis, zone *time.Location) logdb.Millis {
	y, m, d := at.Time().In(zone).Date()
	return logdb.MillisOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

// chooseEvents weighs the journals of a kind on the site's days from first to last. The choice
// is made of all events of whole days, so that it does not change with a filter or a page.
func (a *API) chooseEvents(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis) (eventChoice, error) {
	states, err := a.Logs.Streams(ctx, uid, kind)
	if err != nil || !severalJournals(states) {
		return eventChoice{}, err
	}
	zone, err := a.siteZone(ctx, uid)
	if err != nil {
		return eventChoice{}, err
	}
	c := eventChoice{zone: zone}
	counts := analysis.DayCounts{}
	streams := map[logdb.StreamID]map[logdb.Millis]bool{}
	q := logdb.EventQuery{Meter: uid, Kind: kind, First: max(first-2*logdb.DayMillis, 0), Last: min(last, logdb.MaxTime-2*logdb.DayMillis) + 2*logdb.DayMillis}
	err = a.Logs.ReadEvents(ctx, q, func(s logdb.StreamID, e *logdb.Entry) error {
		day := dayOf(e.Time, c.zone)
		counts.Add(s.Journal, day)
		if e.Time >= first && e.Time < last {
			if streams[s] == nil {
				streams[s] = map[logdb.Millis]bool{}
			}
			streams[s][day] = true
		}
		return nil
	})
	if err != nil {
		return eventChoice{}, err
	}
	c.journal = analysis.ChooseEvents(states, counts)
	for s, days := range streams {
		for day := range days {
			if c.journal[day] != s.Journal {
				c.hidden = append(c.hidden, s.String())
				break
			}
		}
	}
	slices.Sort(c.hidden)
	return c, nil
}

func severalJournals(states []logdb.StreamState) bool {
	return slices.ContainsFunc(states, func(s logdb.StreamState) bool { return s.Stream.Journal != states[0].Stream.Journal })
}
