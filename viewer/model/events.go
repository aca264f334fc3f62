package model

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/chart"
	"metermanager/viewer/source"
	"metermanager/viewer/timeline"
)

// EventSet is the events of some meters, newest first.
type EventSet struct {
	Meters []*Meter
	Names  []string
	List   []timeline.Event
	Zone   *time.Location // of all meters; nil when they differ
	// Failed are the meters that could not be read, with the reason.
	Failed map[*Meter]error
	zones  []*time.Location
}

// Zones are those of the meters.
func (s *EventSet) Zones() []*time.Location {
	if len(s.zones) != len(s.Meters) {
		s.zones = make([]*time.Location, len(s.Meters))
		for i, m := range s.Meters {
			s.zones[i] = m.Zone()
		}
	}
	return s.zones
}

// kindsOfEvents are the logs that hold events.
var kindsOfEvents = []logdb.Kind{logdb.KindPQ, logdb.KindWaveform, logdb.KindLimit, logdb.KindSystem}

// LoadEvents reads all event logs of meters. A meter that cannot be read is named in the set and keeps none of the others back; only when all
// fail is it an error. progress is told how many logs of how many are read, and how many events there are so far. It may run anywhere.
func LoadEvents(ctx context.Context, meters []*Meter, first, last logdb.Millis, progress func(done, total, events int)) (*EventSet, error) {
	set := &EventSet{Meters: meters, Failed: map[*Meter]error{}}
	if zone, shared := ZoneOf(meters); shared {
		set.Zone = zone
	}
	several := Several(meters)
	for _, m := range meters {
		set.Names = append(set.Names, m.FullTitle(several))
	}
	lists, errs := make([][]timeline.Event, len(meters)*len(kindsOfEvents)), make([]error, len(meters)*len(kindsOfEvents))
	jobs := make(chan int)
	var mu sync.Mutex // of what follows
	dead := make([]bool, len(meters))
	var wait sync.WaitGroup
	done, events := 0, 0
	for range min(readers, len(lists)) {
		wait.Go(func() {
			for k := range jobs {
				mu.Lock()
				skip := dead[k/len(kindsOfEvents)] // one that did not answer is not asked again
				mu.Unlock()
				if skip {
					continue
				}
				lists[k], errs[k] = loadLog(ctx, k/len(kindsOfEvents), meters[k/len(kindsOfEvents)], kindsOfEvents[k%len(kindsOfEvents)], first, last)
				mu.Lock()
				dead[k/len(kindsOfEvents)] = dead[k/len(kindsOfEvents)] || errs[k] != nil
				done, events = done+1, events+len(lists[k])
				if progress != nil {
					progress(done, len(lists), events)
				}
				mu.Unlock()
			}
		})
	}
	for k := range lists {
		jobs <- k
	}
	close(jobs)
	wait.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for k, err := range errs {
		if m := meters[k/len(kindsOfEvents)]; err != nil && set.Failed[m] == nil {
			set.Failed[m] = err
		}
	}
	if len(meters) > 0 && len(set.Failed) == len(meters) {
		return nil, set.Failed[meters[0]]
	}
	set.List = slices.Concat(lists...)
	timeline.Sort(set.List)
	return set, nil
}

// readers is how many logs are read at once: enough to hide the way to a service, few enough to leave it to others.
const readers = 4

func loadLog(ctx context.Context, meter int, m *Meter, kind logdb.Kind, first, last logdb.Millis) (list []timeline.Event, err error) {
	err = m.Source.Log.Events(ctx, m.UID, kind, first, last, func(ref source.Ref, e *logdb.Entry) error {
		v := timeline.Of(meter, kind, ref.Stream, e, m.Settings)
		v.Position = ref.Position
		list = append(list, v)
		return ctx.Err()
	})
	return list, err
}

// Events is the combined event list.
type Events struct {
	State  State
	Err    error
	Set    *EventSet
	Filter timeline.Filter
	// Shown are indices into the set, in the order of the list.
	Shown []int
	// Selected is an index into the set; -1 without.
	Selected int
	// SortColumn orders the list; SortDown turns it round.
	SortColumn int
	SortDown   bool
	// ClockError is how far every meter's clock may be off, ClockAhead how far one is known to be ahead: what events of several meters are
	// joined by.
	ClockError logdb.Millis
	ClockAhead map[logdb.MeterUID]logdb.Millis
}

// NewEvents returns an empty list.
func NewEvents() *Events {
	return &Events{Set: &EventSet{}, Selected: -1, Filter: DefaultFilter(), ClockError: timeline.StatedByNobody.Error, ClockAhead: map[logdb.MeterUID]logdb.Millis{}}
}

// DefaultFilter is that of a new list: without the traces of reading the meter, of which there are thousands.
func DefaultFilter() timeline.Filter { return timeline.Filter{NoRoutine: true} }

// Take shows a set. The selected event stays, if it is there.
func (v *Events) Take(set *EventSet) {
	var was *timeline.Event
	var meter *Meter
	if v.Selected >= 0 {
		e := v.Set.List[v.Selected]
		was, meter = &e, v.Set.Meters[e.Meter]
	}
	v.Set, v.State, v.Err, v.Selected = set, Ready, nil, -1
	if len(set.Failed) > 0 {
		v.State = Stale
	}
	v.Refilter()
	if was == nil {
		return
	}
	for i := range set.List {
		e := &set.List[i]
		if e.Time == was.Time && e.Position == was.Position && e.Kind == was.Kind && set.Meters[e.Meter] == meter {
			v.Selected = i
			return
		}
	}
}

// Fail keeps what is shown and says why there is nothing newer.
func (v *Events) Fail(err error) {
	v.Err, v.State = err, Failed
	if len(v.Set.List) > 0 {
		v.State = Stale
	}
}

// Refilter applies the filter anew.
func (v *Events) Refilter() {
	v.Shown = v.Filter.Apply(v.Set.List, v.Set.Names, v.Set.Zones())
	v.order()
}

// SetFilter changes the filter.
func (v *Events) SetFilter(f timeline.Filter) {
	v.Filter = f
	v.Refilter()
}

// Event returns the selected event, nil without.
func (v *Events) Event() *timeline.Event {
	if v.Selected < 0 || v.Selected >= len(v.Set.List) {
		return nil
	}
	return &v.Set.List[v.Selected]
}

// Meter is that of an event.
func (v *Events) Meter(e *timeline.Event) *Meter { return v.Set.Meters[e.Meter] }

// Row returns the place of the selected event among those shown; -1 when it is not.
func (v *Events) Row() int {
	for row, i := range v.Shown {
		if i == v.Selected {
			return row
		}
	}
	return -1
}

// Step selects the next (1) or previous (-1) event of the list and returns its row; -1 when there is none.
func (v *Events) Step(by int) int {
	if len(v.Shown) == 0 {
		return -1
	}
	row := v.Row()
	switch {
	case row < 0:
		row = 0
	case row+by < 0 || row+by >= len(v.Shown):
		return row
	default:
		row += by
	}
	v.Selected = v.Shown[row]
	return row
}

// Cells are the texts of a row: time, meter, log, event, details, duration.
func (v *Events) Cells(row int) [6]string {
	e := &v.Set.List[v.Shown[row]]
	return [6]string{v.Time(e), v.Set.Names[e.Meter], timeline.KindName(e.Kind), e.Name, e.Detail, timeline.Seconds(e.Seconds)}
}

// Time writes the time of an event in the zone of its site; with the offset where zones differ.
func (v *Events) Time(e *timeline.Event) string {
	if v.Set.Zone != nil {
		return Clock(e.Time, v.Set.Zone)
	}
	zone := v.Set.Meters[e.Meter].Zone()
	return Clock(e.Time, zone) + e.Time.Time().In(zone).Format(" -07:00")
}

// ZoneNote names the zone of the times in the list.
func (v *Events) ZoneNote() string {
	if v.Set.Zone == nil {
		return "each in its site's zone"
	}
	return v.Set.Zone.String()
}

// Clock writes a time with milliseconds in a zone; of a time that the clock shows twice, with the offset.
func Clock(t logdb.Millis, zone *time.Location) string {
	at := t.Time().In(zone)
	text := at.Format("2006-01-02 15:04:05.000")
	for _, d := range []time.Duration{time.Hour, -time.Hour, 30 * time.Minute, -30 * time.Minute} {
		if at.Add(d).Format("2006-01-02 15:04:05.000") == text {
			return text + at.Format(" -07:00")
		}
	}
	return text
}

// Count says how many events are shown of how many.
func (v *Events) Count() string {
	shown, all := len(v.Shown), len(v.Set.List)
	if shown == all {
		return plural(all, "event")
	}
	return fmt.Sprintf("%s of %s", thousands(shown), plural(all, "event"))
}

func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return thousands(n) + " " + word
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Timeline draws the events that are shown, a row for each meter.
func (v *Events) Timeline(first, last logdb.Millis) *chart.Timeline {
	zone := v.Set.Zone
	if zone == nil {
		zone = time.UTC
	}
	t := &chart.Timeline{Zone: zone, Rows: make([]chart.TimelineRow, len(v.Set.Meters))}
	for i, n := range v.Set.Names {
		t.Rows[i].Name = n
	}
	var low, high logdb.Millis
	for _, i := range v.Shown {
		e := &v.Set.List[i]
		if low == 0 || e.Time < low {
			low = e.Time
		}
		high = max(high, e.Time)
		r := &t.Rows[e.Meter]
		x := chart.TimelineEvent{At: int64(e.Time), Severity: e.Severity, Waveform: e.Kind == logdb.KindWaveform}
		if e.Seconds > 0 && e.Kind != logdb.KindWaveform {
			x.Millis = int64(e.Seconds * 1000)
		}
		r.Events = append(r.Events, x)
	}
	if first == 0 {
		first = low
	}
	if last == 0 {
		last = high + 1
	}
	if last-first < 1000 {
		first, last = first-500, last+500
	}
	t.From, t.To = int64(first), int64(last)
	return t
}
