package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/sim"
)

// Truth is what a meter recorded in its life.
type Truth struct {
	logs [len(historicalLogs)][]sim.Record // every record of each historical log, in order
	held [len(historicalLogs)]int          // how many of the last ones the memory still holds
	// events of the system log but for retrievals, and those of PQ and limit logs.
	system     []sim.Record
	pq, limits []sim.Excursion
	recordings []sim.Recording
	lossy      map[int]bool // logs whose memory may have lost records before they were retrieved
}

// Recall asks a simulated meter what it recorded so far. lossy names the logs that may have
// lost records before they were retrieved; of all others every record is wanted.
func Recall(m *sim.Meter, lossy ...int) (*Truth, error) {
	t := &Truth{pq: m.PQEvents(), limits: m.LimitEvents(), recordings: slices.Collect(m.Recordings()), lossy: map[int]bool{}}
	for _, n := range lossy {
		t.lossy[n] = true
	}
	for i, number := range historicalLogs {
		for r, err := range m.Lifetime(number) {
			if err != nil {
				return nil, fmt.Errorf("recall log %d: %w", number, err)
			}
			t.logs[i] = append(t.logs[i], r)
		}
		for _, err := range m.Records(number) {
			if err != nil {
				return nil, fmt.Errorf("recall log %d: %w", number, err)
			}
			t.held[i]++
		}
	}
	for r, err := range m.Lifetime(sim.LogSystem) {
		if err != nil {
			return nil, fmt.Errorf("recall the system log: %w", err)
		}
		if r.System != logdb.SystemLogRetrieval {
			t.system = append(t.system, r)
		}
	}
	return t, nil
}

// check compares a kind of log of the site's journal with the truth and returns how many records
// are lost, each of them in the period of a gap.
func (t *Truth) check(r *report, kind logdb.Kind, journal []logdb.Entry, stats *Stats) (lost int) {
	switch kind {
	case logdb.KindHistorical:
		for log := range historicalLogs {
			lost += t.history(r, log, journal, stats)
		}
	case logdb.KindSystem:
		t.systemEvents(r, journal, stats)
	case logdb.KindPQ:
		t.excursions(r, truthOfPQ, t.pq, t.lossy[sim.LogPQ], journal, stats)
	case logdb.KindLimit:
		t.excursions(r, truthOfLimits, t.limits, t.lossy[sim.LogAlarm], journal, stats)
	case logdb.KindWaveform:
		t.waveforms(r, journal, stats)
	}
	return lost
}

// history walks a log's journal and the meter's life side by side: every record once, in order,
// with its time and values; what is not there must be lost, and a gap must stand in its place.
func (t *Truth) history(r *report, log int, journal []logdb.Entry, stats *Stats) (lost int) {
	what := fmt.Sprintf("truth of log %d", log)
	records, next, gap := t.logs[log], 0, false
	for _, e := range journal {
		if e.Log != logdb.LogNo(log) {
			continue
		}
		switch e.Op {
		case logdb.OpGap:
			gap = true
			continue
		case logdb.OpAdd:
		default:
			continue
		}
		at := next
		for at < len(records) && !sameRecord(&records[at], &e) {
			at++
		}
		if at == len(records) {
			r.add(what, "position %d at %s is no record of the meter's behind its record %d (%s)", e.Position, e.Time, next-1, describe(records, next))
			return lost
		}
		if at > next {
			if !gap {
				r.add(what, "records %d to %d (%s) are missing before position %d, and no gap says so", next, at-1, describe(records, next), e.Position)
			} else if !t.lossy[historicalLogs[log]] {
				r.add(what, "records %d to %d (%s) are lost before position %d", next, at-1, describe(records, next), e.Position)
			}
			lost += at - next
		}
		next, gap = at+1, false
		stats.Records++
	}
	if next < len(records) {
		r.add(what, "records %d to %d (%s) did not arrive; the memory holds %d", next, len(records)-1, describe(records, next), t.held[log])
	}
	return lost
}

func describe(records []sim.Record, i int) string {
	if i >= len(records) {
		return "the last"
	}
	return "from " + records[i].Time.Format(time.RFC3339)
}

// sameRecord reports whether an entry is a record of the meter: time, channels and values.
func sameRecord(r *sim.Record, e *logdb.Entry) bool {
	if !e.Time.Time().Equal(r.Time) || len(e.Row.Channels) != len(r.Values) {
		return false
	}
	for _, v := range r.Values {
		i := slices.Index(e.Row.Channels, v.Channel)
		if i < 0 || !sameReading(e.Row.Values[i], v.Value) {
			return false
		}
	}
	return true
}

// systemEvents compares the system log, retrievals and what the manager itself noted aside.
func (t *Truth) systemEvents(r *report, journal []logdb.Entry, stats *Stats) {
	type event struct {
		at  logdb.Millis
		typ logdb.SystemType
	}
	var have, want []event
	for _, v := range live(journal) {
		if s := v.entry.System; s.Type != logdb.SystemLogRetrieval && !strings.HasSuffix(s.Description, "seen by the manager)") {
			have = append(have, event{v.entry.Time, s.Type})
		}
	}
	for _, rec := range t.system {
		want = append(want, event{logdb.MillisOf(rec.Time), rec.System})
	}
	stats.Events += len(want)
	diff(r, "truth of the system log", have, want, func(e event) event { return e })
}

// excursion names an event of a limit or PQ log: equal ones are one event.
type excursion struct {
	channel logdb.ChannelKey
	limit   int64
	above   bool
	start   logdb.Millis
	seconds float64 // -1: no end
}

// near lists what is known of the same day, to explain a difference.
func near(known map[excursion]int, k excursion) []excursion {
	var out []excursion
	for x := range known {
		if x.channel == k.channel && x.limit == k.limit && x.start.Day() == k.start.Day() {
			out = append(out, x)
		}
	}
	return out
}

const truthOfPQ, truthOfLimits = "truth of pq", "truth of limits"

// excursions compares PQ or limit events. Events that still wait for their end are not in the
// journal, and events whose start the meter never saw make none.
func (t *Truth) excursions(r *report, what string, truth []sim.Excursion, lossy bool, journal []logdb.Entry, stats *Stats) {
	known := map[excursion]int{}
	for _, x := range truth {
		if x.Start.IsZero() {
			continue
		}
		k := excursion{x.Channel, int64(x.Limit), x.Above, logdb.MillisOf(x.Start), -1}
		if !x.End.IsZero() {
			k.seconds = max(0, x.End.Sub(x.Start).Seconds())
		}
		known[k]++
	}
	for _, v := range live(journal) {
		x := v.entry.Excursion
		k := excursion{x.Channel, limitNumber(what, x), x.Type == logdb.ExcursionAbove, v.entry.Time, x.DurationSeconds}
		if k.seconds != k.seconds {
			k.seconds = -1
		}
		if known[k] == 0 { // its end came with another event, after the meter had lost its supply
			k.seconds = -1
		}
		if known[k] == 0 {
			r.add(what, "position %d, %+v, is no event of the meter, or there once too often; near: %v", v.position, k, near(known, k))
			continue
		}
		known[k]--
		stats.Events++
	}
	if lossy {
		return
	}
	for k, n := range known {
		if n > 0 && k.seconds >= 0 {
			r.add(what, "%+v did not arrive", k)
		}
	}
}

// limitNumber is 1 to 8 for limits, as people count them; 0 for PQ events.
func limitNumber(what string, x *logdb.Excursion) int64 {
	if what != truthOfLimits {
		return 0
	}
	return x.LimitID + 1
}

// waveforms compares recordings by their trigger.
func (t *Truth) waveforms(r *report, journal []logdb.Entry, stats *Stats) {
	var have, want []logdb.Millis
	for _, v := range live(journal) {
		have = append(have, v.entry.Waveform.TriggerTime)
	}
	for _, w := range t.recordings {
		want = append(want, logdb.MillisOf(w.Trigger))
	}
	stats.Events += len(want)
	diff(r, "truth of the waveforms", have, want, func(m logdb.Millis) logdb.Millis { return m })
}
