package judge

import (
	"cmp"
	"fmt"
	"maps"
	"math"
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
	// meters are the indices of records with which another meter begins in its predecessor's place.
	meters [len(historicalLogs)][]int
	// events of the system log but for retrievals, and those of PQ and limit logs.
	system     []sim.Record
	pq, limits []sim.Excursion
	recordings []sim.Recording
	// before says, by the meter's log number, which records the memory may have lost before they
	// were retrieved: those made before that time.
	before map[int]time.Time
	// memory is how many records a historical log holds, and disturbed says whether anything kept sites from retrieving at
	// some time between two moments; 0: not looked at.
	memory    int
	disturbed func(from, to time.Time) bool
	local     *time.Location // where the meter stands
	// zone is the meter's and misread the one by which the site read its clock for a while, if it did.
	zone, misread *time.Location
}

// Recall asks a simulated meter what it recorded so far. Every record is wanted at the site,
// unless MayLose says otherwise.
func Recall(m *sim.Meter) (*Truth, error) {
	t := &Truth{pq: m.PQEvents(), limits: m.LimitEvents(), recordings: slices.Collect(m.Recordings()), before: map[int]time.Time{}}
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

// Len returns how many records there are in all; the end of an event is one.
func (t *Truth) Len() int {
	n := len(t.pq) + len(t.limits) + len(t.recordings) + len(t.system)
	for _, list := range [][]sim.Excursion{t.pq, t.limits} {
		for _, x := range list {
			if !x.End.IsZero() {
				n++
			}
		}
	}
	for _, log := range t.logs {
		n += len(log)
	}
	return n
}

// MayLose allows records of a log that were made up to a time to be lost, each in a gap: the
// meter was told to forget them, or had no room for more. What it made at that very moment
// nobody could have read.
func (t *Truth) MayLose(log int, until time.Time) {
	if t.before[log].Before(until) {
		t.before[log] = until
	}
}

// Overwrites says that the memory holds so many records of each historical log: of those that were lost each must have been
// disturbed while it was held. Not for meters of which logs were emptied.
func (t *Truth) Overwrites(memory int, disturbed func(from, to time.Time) bool) {
	t.memory, t.disturbed = memory, disturbed
}

// Misread says that the site took the meter's clock for one of another zone for a while. Records are read again by
// the right one (replication.md 2); a gap has nothing to be read again, so that one noted meanwhile keeps its times.
func (t *Truth) Misread(zone, misread string) error {
	var err error
	if t.zone, err = time.LoadLocation(zone); err == nil {
		t.misread, err = time.LoadLocation(misread)
	}
	if err != nil {
		return fmt.Errorf("the zones of the meter: %w", err)
	}
	return nil
}

// asMisread is the time that the site takes a record's for while it reads by the wrong zone.
func (t *Truth) asMisread(at time.Time) time.Time {
	if t.misread == nil {
		return at
	}
	l := at.In(t.zone)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), t.misread)
}

// lossy reports whether a log may have lost anything.
func (t *Truth) lossy(log int) bool { return !t.before[log].IsZero() }

// Then returns what was recorded here and afterwards by the meter that took this one's place.
func (t *Truth) Then(next *Truth) *Truth {
	out := &Truth{
		system: slices.Concat(t.system, next.system), pq: slices.Concat(t.pq, next.pq), limits: slices.Concat(t.limits, next.limits),
		recordings: slices.Concat(t.recordings, next.recordings), held: next.held, before: map[int]time.Time{},
	}
	for i := range t.logs {
		out.logs[i] = slices.Concat(t.logs[i], next.logs[i])
		out.meters[i] = append(slices.Clone(t.meters[i]), len(t.logs[i]))
	}
	for _, from := range [...]*Truth{t, next} {
		for log, at := range from.before {
			out.MayLose(log, at)
		}
	}
	return out
}

// History keeps what one historical log recorded, and nothing else.
func (t *Truth) History(log int) *Truth {
	out := &Truth{before: map[int]time.Time{}}
	for i, number := range historicalLogs {
		if number == log {
			out.logs[i] = t.logs[i]
		}
	}
	return out
}

// After puts what one historical log recorded under earlier settings before what is known.
func (t *Truth) After(log int, earlier *Truth) {
	for i, number := range historicalLogs {
		if number == log {
			t.logs[i] = append(slices.Clone(earlier.logs[i]), t.logs[i]...)
		}
	}
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
		t.excursions(r, truthOfPQ, t.pq, t.before[sim.LogPQ], journal, stats)
	case logdb.KindLimit:
		t.excursions(r, truthOfLimits, t.limits, t.before[sim.LogAlarm], journal, stats)
	case logdb.KindWaveform:
		t.waveforms(r, journal, stats)
	}
	return lost
}

// history walks a log's journal and the meter's life side by side: every record once, in order,
// with its time and values; what is not there must be lost, and a gap must stand in its place.
func (t *Truth) history(r *report, log int, journal []logdb.Entry, stats *Stats) (lost int) {
	what := fmt.Sprintf("truth of log %d", log)
	records, next := t.logs[log], 0
	gaps := gapsOf(journal, logdb.LogNo(log))
	for _, v := range live(journal) {
		e := v.entry
		if e.Log != logdb.LogNo(log) || e.Row == nil {
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
			// Before the first record that was ever retrieved of a meter there is nothing to continue.
			told := at
			for _, begun := range t.meters[log] {
				if next <= begun && begun <= at {
					told = begun
				}
			}
			if next > 0 && !(told == at && bridged(gaps, &records[next-1], &records[at])) && !t.covered(gaps, records[next:told]) &&
				!(told > next && swapped(gaps, &records[next-1], &records[told-1])) {
				r.add(what, "records %d to %d (%s) are missing before position %d, and no gap of %+v says so", next, at-1, describe(records, next), e.Position, gaps)
			} else if last := records[at-1].True; last.After(t.before[historicalLogs[log]]) {
				r.add(what, "records %d to %d (%s) are lost before position %d, the last of %s", next, at-1, describe(records, next), e.Position, last.Format(time.RFC3339))
			}
			if held := len(records) - t.held[log]; at > held {
				r.add(what, "record %d (%s) is called lost before position %d, and the memory holds it", max(next, held), describe(records, max(next, held)), e.Position)
			}
			t.calm(r, what, log, next, at)
			lost += at - next
		}
		next = at + 1
		stats.Records++
	}
	// A memory that is empty has nothing behind which a gap could be noted yet.
	if n := len(records); next < n && t.held[log] == 0 && !records[n-1].True.After(t.before[historicalLogs[log]]) {
		lost, next = lost+n-next, n
	}
	if next < len(records) {
		r.add(what, "records %d to %d (%s) did not arrive; the memory holds %d", next, len(records)-1, describe(records, next), t.held[log])
	}
	return lost
}

// calm reports records that were overwritten although nothing kept anybody from retrieving them while the memory held them.
func (t *Truth) calm(r *report, what string, log, from, to int) {
	records := t.logs[log]
	for i := from; i < to && t.memory > 0 && i+t.memory < len(records); i++ {
		made, gone := records[i].True, records[i+t.memory].True
		if !t.disturbed(made, gone) {
			r.add(what, "record %d is lost; nothing kept anybody from retrieving it from %s to %s", i, made.Format(time.RFC3339), gone.Format(time.RFC3339))
			return
		}
	}
}

func gapsOf(journal []logdb.Entry, log logdb.LogNo) []logdb.Gap {
	newest := map[logdb.Position]logdb.Gap{} // by the first version's position
	for _, e := range journal {
		if e.Op == logdb.OpGap && e.Log == log {
			newest[cmp.Or(e.Gap.Replaces, e.Position)] = *e.Gap
		}
	}
	return slices.Collect(maps.Values(newest))
}

// covered reports whether gaps tell of the time of every record. How long a meter went on that was
// taken away nobody can tell: a gap with that cause is open.
func (t *Truth) covered(gaps []logdb.Gap, lost []sim.Record) bool {
	for _, r := range lost {
		covers := func(at logdb.Millis) bool {
			return slices.ContainsFunc(gaps, func(g logdb.Gap) bool { return g.From <= at && (at <= g.To || g.Cause == logdb.GapReplaced) })
		}
		if !covers(logdb.MillisOf(r.Time)) && !covers(logdb.MillisOf(t.asMisread(r.Time))) {
			return false
		}
	}
	return true
}

// bridged reports whether a gap reaches from the last record before a hole to the first one behind it. When the meter's
// clock was set back meanwhile, what is lost may bear times behind the gap's end, which nobody can know any more, and the first
// one behind it may bear one before its begin: then it ends there.
func bridged(gaps []logdb.Gap, before, behind *sim.Record) bool {
	return slices.ContainsFunc(gaps, func(g logdb.Gap) bool {
		return g.From == logdb.MillisOf(before.Time) && g.To == max(g.From, logdb.MillisOf(behind.Time))
	})
}

// swapped reports whether a gap reaches from the last record that was read of a meter to when its last one was made, before
// another took its place: whatever its clock said by then.
func swapped(gaps []logdb.Gap, before, last *sim.Record) bool {
	return slices.ContainsFunc(gaps, func(g logdb.Gap) bool {
		return g.Cause == logdb.GapReplaced && g.From == logdb.MillisOf(before.Time) && g.To >= logdb.MillisOf(last.True)
	})
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
	var made []time.Time
	for _, v := range live(journal) {
		if s := v.entry.System; s.Type != logdb.SystemLogRetrieval && !strings.HasSuffix(s.Description, "seen by the manager)") {
			have = append(have, event{v.entry.Time, s.Type})
		}
	}
	for _, rec := range t.system {
		want, made = append(want, event{logdb.MillisOf(rec.Time), rec.System}), append(made, rec.True)
	}
	stats.Events += len(want)
	if t.lossy(sim.LogSystem) {
		want = allowLost(want, have, made, t.before[sim.LogSystem])
	}
	diff(r, "truth of the system log", have, want, func(e event) event { return e })
}

// allowLost drops from what is wanted what is not there and was made up to a time, whatever the meter's clock said: several things may be done to the
// meter at one moment, of which the reset of its memory is the last. Two
// meters may have recorded the same at one time, so that equal events are counted.
func allowLost[T comparable](want, have []T, made []time.Time, before time.Time) (out []T) {
	there := map[T]int{}
	for _, e := range have {
		there[e]++
	}
	for i, e := range want {
		if there[e] > 0 {
			there[e]--
			out = append(out, e)
		} else if made[i].After(before) {
			out = append(out, e)
		}
	}
	return out
}

// excursion names an event of a limit or PQ log: equal ones are one event.
type excursion struct {
	channel logdb.ChannelKey
	limit   int64
	above   bool
	start   logdb.Millis
	lasted  logdb.Millis // or endless, or unknown
}

const (
	endless logdb.Millis = -1 // no end was seen
	unknown logdb.Millis = -2 // the clock was set back between start and end
)

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
// journal, and events whose start the meter never saw make none. Those that began up to a time may be lost.
func (t *Truth) excursions(r *report, what string, truth []sim.Excursion, before time.Time, journal []logdb.Entry, stats *Stats) {
	known, lossy, worst, first := map[excursion]int{}, map[excursion]int{}, map[excursion][]float64{}, map[excursion][]float64{}
	early := map[excursion]excursion{} // what an event may be taken for, and what it is
	var made []time.Time
	for _, x := range truth {
		made = append(made, x.True)
	}
	for _, x := range truth {
		if x.Start.IsZero() {
			continue
		}
		k := excursion{x.Channel, int64(x.Limit), x.Above, logdb.MillisOf(x.Start), endless}
		if !x.End.IsZero() {
			if k.lasted = logdb.Millis(x.End.Sub(x.Start).Milliseconds()); k.lasted < 0 {
				k.lasted = unknown
			}
		}
		known[k]++
		worst[k], first[k] = append(worst[k], x.Worst), append(first[k], x.First)
		if shift := t.takenEarlier(x.True, made, before); shift > 0 {
			taken := k
			taken.start -= logdb.Millis(shift.Milliseconds())
			early[taken] = k
		}
		if !x.True.After(before) {
			lossy[k]++
		}
	}
	for _, v := range live(journal) {
		x := v.entry.Excursion
		k := excursion{x.Channel, limitNumber(what, x), x.Type == logdb.ExcursionAbove, v.entry.Time, endless}
		if !math.IsNaN(x.DurationSeconds) {
			k.lasted = logdb.Millis(math.Round(x.DurationSeconds * 1000))
		}
		if as, ok := early[k]; ok && known[k] == 0 {
			k = as
		}
		if known[k] == 0 && k.lasted == endless {
			k.lasted = unknown
		}
		if known[k] == 0 && !before.IsZero() && k.lasted < 0 { // its end was lost
			for x := range known {
				if x.channel == k.channel && x.limit == k.limit && x.above == k.above && x.start == k.start {
					k = x
				}
			}
		}
		if known[k] == 0 { // its end came with another event, after the meter had lost its supply
			k.lasted = endless
		}
		if known[k] == 0 {
			r.add(what, "position %d, %+v, is no event of the meter, or there once too often; near: %v", v.position, k, near(known, k))
			continue
		}
		known[k]--
		stats.Events++
		may := worst[k]
		if math.IsNaN(x.DurationSeconds) { // its end was lost, and what that said
			may = slices.Concat(may, first[k])
		}
		if !slices.ContainsFunc(may, func(w float64) bool { return sameWorst(what, x, w) }) {
			r.add(what, "position %d, %+v: the worst value is %v (%v %%), want one of %v", v.position, k, x.Worst, x.WorstPercent, may)
		}
	}
	for k, n := range known {
		if n > lossy[k] && k.lasted != endless {
			r.add(what, "%+v did not arrive", k)
		}
	}
}

// takenEarlier returns by how much an event of a log without marks of daylight time may be taken for earlier than it was: it happened in
// the second pass of the time that comes twice, and nothing that its log remembers is from before the first: then nothing tells which
// of the two it was. made are the moments of all events of the log, of which those before some moment may be lost.
func (t *Truth) takenEarlier(at time.Time, made []time.Time, before time.Time) time.Duration {
	if t.local == nil {
		return 0
	}
	turn, _ := at.In(t.local).ZoneBounds()
	if turn.IsZero() {
		return 0
	}
	_, was := turn.Add(-time.Second).In(t.local).Zone()
	_, is := at.In(t.local).Zone()
	shift := time.Duration(was-is) * time.Second
	if shift <= 0 || !at.Before(turn.Add(shift)) {
		return 0
	}
	for _, m := range made {
		if !m.Before(before) && m.Before(turn.Add(-shift)) {
			return 0
		}
	}
	return shift
}

// sameWorst reports whether an event has the meter's worst value: of limits the percentage, to which the record is exact, and of
// PQ events the volts, half a step of their record apart.
func sameWorst(what string, x *logdb.Excursion, worst float64) bool {
	if what == truthOfLimits {
		return math.Abs(x.WorstPercent-100*worst) < 1e-6
	}
	const halfStep = 0.07
	return math.Abs(x.Worst-worst) <= halfStep
}

// limitNumber is 1 to 8 for limits, as people count them; 0 for PQ events.
func limitNumber(what string, x *logdb.Excursion) int64 {
	if what != truthOfLimits {
		return 0
	}
	return x.LimitID + 1
}

// waveforms compares recordings by their trigger, and their samples.
func (t *Truth) waveforms(r *report, journal []logdb.Entry, stats *Stats) {
	var have, want []logdb.Millis
	var made []time.Time
	for _, w := range t.recordings {
		want, made = append(want, logdb.MillisOf(w.Trigger)), append(made, w.True)
	}
	early := map[logdb.Millis]logdb.Millis{} // what a trigger may be taken for, and what it is
	for i, at := range made {
		if shift := t.takenEarlier(at, made, t.before[sim.LogWaveform]); shift > 0 {
			early[want[i]-logdb.Millis(shift.Milliseconds())] = want[i]
		}
	}
	for _, v := range live(journal) {
		at := v.entry.Waveform.TriggerTime
		if as, ok := early[at]; ok && !t.recorded(at) {
			at = as
		}
		have = append(have, at)
		made := false
		for i := range t.recordings {
			if w := &t.recordings[i]; logdb.MillisOf(w.Trigger) == at {
				made = made || sameSamples(w, v.entry.Waveform)
			}
		}
		if !made && t.recorded(at) {
			r.add("truth of the waveforms", "position %d, of %s: other samples than the meter's", v.position, at)
		}
	}
	stats.Events += len(want)
	if t.lossy(sim.LogWaveform) {
		want = allowLost(want, have, made, t.before[sim.LogWaveform])
	}
	diff(r, "truth of the waveforms", have, want, func(m logdb.Millis) logdb.Millis { return m })
}

// recorded reports whether the meter has a recording with a trigger.
func (t *Truth) recorded(at logdb.Millis) bool {
	return slices.ContainsFunc(t.recordings, func(w sim.Recording) bool { return logdb.MillisOf(w.Trigger) == at })
}

// sameSamples reports whether a stored recording has all channels and samples of the meter's, in their order.
func sameSamples(want *sim.Recording, have *logdb.Waveform) bool {
	return slices.EqualFunc(want.Channels, have.Channels, func(a, b logdb.WaveChannel) bool {
		return a.Name == b.Name && slices.EqualFunc(a.Samples, b.Samples, func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Abs(x) })
	})
}
