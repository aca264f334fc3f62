package judge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// checkQuestions asks a node for single channels of one of its logs: a part of the time in small pages, and what it makes of intervals. answered
// is all that it answers of every channel, from which each of those answers follows.
func checkQuestions(ctx context.Context, r *report, who string, node Cloud, zone *time.Location, answered []point) error {
	if len(answered) == 0 {
		return nil
	}
	var logs []logdb.LogNo
	for _, p := range answered {
		if !slices.Contains(logs, p.log) {
			logs = append(logs, p.log)
		}
	}
	log := logs[len(answered)%len(logs)]
	all := map[logdb.ChannelKey][]point{}
	for _, p := range answered {
		if p.log == log {
			all[p.channel] = append(all[p.channel], p)
		}
	}
	q := newQuestion(ctx, r, who, node, log, zone, all)
	for _, ask := range []func() error{q.part, q.calendar, q.equal} {
		if err := ask(); err != nil {
			return err
		}
	}
	return nil
}

// question asks for two channels of a log, one of which covers intervals where there is such a one.
type question struct {
	ctx    context.Context
	r      *report
	who    string
	node   Cloud
	zone   *time.Location
	rng    *rand.Rand
	query  api.HistoryQuery
	values map[logdb.ChannelKey][]point // of those channels, in order of time
	// first and last are when some of them begin and end.
	first, last logdb.Millis
}

func newQuestion(ctx context.Context, r *report, who string, node Cloud, log logdb.LogNo, zone *time.Location, all map[logdb.ChannelKey][]point) *question {
	keys := slices.Sorted(maps.Keys(all))
	q := &question{
		ctx: ctx, r: r, who: fmt.Sprintf("%s, log %d", who, log), node: node, zone: zone, values: map[logdb.ChannelKey][]point{},
		rng: rand.New(rand.NewPCG(uint64(len(keys)), uint64(all[keys[0]][0].time))), query: api.HistoryQuery{Log: &log},
	}
	q.rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	slices.SortStableFunc(keys[1:], func(a, b logdb.ChannelKey) int {
		covers := func(c logdb.ChannelKey) int {
			return map[bool]int{true: 0, false: 1}[logdb.LookupChannel(c).CoversInterval]
		}
		return cmp.Compare(covers(a), covers(b))
	})
	q.query.Channels = keys[:min(2, len(keys))]
	for _, c := range q.query.Channels {
		list := slices.Clone(all[c])
		slices.SortStableFunc(list, func(a, b point) int { return cmp.Compare(a.time, b.time) })
		q.values[c] = list
		if q.first == 0 || list[0].time < q.first {
			q.first = list[0].time
		}
		q.last = max(q.last, list[len(list)-1].time)
	}
	return q
}

// mostPages is about how many pages are asked for one after the other: a node limits what comes from one address.
const mostPages = 20

// some returns a range that holds some of the time.
func (q *question) some() (from, to logdb.Millis) {
	const beyond = 90 * 60_000
	length := int64(q.last-q.first) + 2*beyond
	from = q.first - beyond + logdb.Millis(q.rng.Int64N(length))
	return from, from + 1 + logdb.Millis(q.rng.Int64N(length))
}

// part asks for what lies within a range, a few records at a time.
func (q *question) part() error {
	ask := q.query
	ask.From, ask.To = q.some()
	what := fmt.Sprintf("%s, values from %s to %s", q.who, ask.From, ask.To)
	var have, want []point
	for _, c := range ask.Channels {
		for _, p := range q.values[c] {
			if p.time >= ask.From && p.time < ask.To {
				want = append(want, p)
			}
		}
	}
	ask.Limit = []int{0, max(7, len(want)/mostPages), max(30, len(want)/mostPages)}[q.rng.IntN(3)]
	at := logdb.Millis(0)
	for {
		h, err := q.node.Client.History(q.ctx, q.node.UID, ask)
		if err != nil {
			return fmt.Errorf("query a part of the time: %w", err)
		}
		for i, t := range h.Times {
			if t < at {
				q.r.add(what, "%s comes behind %s", t, at)
			}
			at = t
			for c, column := range h.Columns {
				if v := h.Values[c][i]; v == v {
					have = append(have, point{column.Key, *ask.Log, t, v})
				}
			}
		}
		if ask.Cursor = h.Next; ask.Cursor == "" {
			break
		}
	}
	samePoints(q.r, what, have, want)
	return nil
}

// calendar asks for what intervals of the calendar hold, over all of the time.
func (q *question) calendar() error {
	ask := q.query
	ask.Interval = []string{"10m", "15m", "1h", "3h", "1d"}[q.rng.IntN(5)]
	edges := calendarEdges(q.zone, ask.Interval, q.first, q.last)
	return q.intervals(ask, ask.Interval, func(times []logdb.Millis) []logdb.Millis {
		i := slices.Index(edges, times[0])
		return edges[max(i, 0):min(max(i, 0)+len(times)+1, len(edges))]
	})
}

// equal asks for what equal parts of a range hold.
func (q *question) equal() error {
	ask := q.query
	ask.From, ask.To = q.some()
	ask.Buckets = 1 + q.rng.IntN(12)
	var edges []logdb.Millis
	for k := range ask.Buckets + 1 {
		edges = append(edges, ask.From+(ask.To-ask.From)*logdb.Millis(k)/logdb.Millis(ask.Buckets))
	}
	return q.intervals(ask, fmt.Sprintf("%d parts from %s to %s", ask.Buckets, ask.From, ask.To), func([]logdb.Millis) []logdb.Millis { return slices.Compact(edges) })
}

// calendarEdges returns where intervals begin by a zone's clock, from a few days before a time to a few days after another one, minute by
// minute: where the clock shows a multiple of them or has jumped over one, and where a date begins that was not before.
func calendarEdges(zone *time.Location, interval string, first, last logdb.Millis) (edges []logdb.Millis) {
	const minute = 60_000
	shows := func(at logdb.Millis) logdb.Millis {
		_, offset := at.Time().In(zone).Zone()
		return at + logdb.Millis(offset)*1000
	}
	step := logdb.DayMillis
	if d, err := time.ParseDuration(interval); err == nil {
		step = logdb.Millis(d.Milliseconds())
	}
	latest := shows(first - 3*logdb.DayMillis).Floor(step)
	for at := (first - 3*logdb.DayMillis).Floor(minute); at < last+3*logdb.DayMillis; at += minute {
		now := shows(at)
		edge := now == now.Floor(step) || now.Floor(step) != shows(at-minute).Floor(step)
		if interval == "1d" {
			edge = now.Floor(step) > latest
			latest = max(latest, now.Floor(step))
		}
		if edge {
			edges = append(edges, at)
		}
	}
	return edges
}

var everyAgg = []string{"count", "sum", "mean", "min", "max", "first", "last"}

// intervals asks for aggregates and compares them with what the values make. cut says between which times, when it is told where the answer
// says that intervals begin. Where nothing bounds the time each value must be in one.
func (q *question) intervals(ask api.HistoryQuery, intervals string, cut func(times []logdb.Millis) []logdb.Millis) error {
	ask.Aggs = everyAgg
	h, err := q.node.Client.History(q.ctx, q.node.UID, ask)
	if err != nil {
		return fmt.Errorf("query intervals: %w", err)
	}
	what := fmt.Sprintf("%s, by %s", q.who, intervals)
	if len(h.Times) == 0 {
		q.r.add(what, "no answer")
		return nil
	}
	edges := cut(h.Times)
	if len(edges) != len(h.Times)+1 || !slices.Equal(edges[:len(h.Times)], h.Times) {
		q.r.add(what, "intervals begin at %v, want %v", h.Times, edges)
		return nil
	}
	answers := map[logdb.ChannelKey]map[string][]float64{}
	for c, column := range h.Columns {
		if answers[column.Key] == nil {
			answers[column.Key] = map[string][]float64{}
		}
		answers[column.Key][column.Agg] = h.Values[c]
	}
	for _, c := range q.query.Channels {
		var shift logdb.Millis // intervals are (start, end] for quantities that cover one
		if logdb.LookupChannel(c).CoversInterval {
			shift = 1
		}
		within, outside := make([][]point, len(h.Times)), 0
		for _, p := range q.values[c] {
			if i := sort.Search(len(edges), func(i int) bool { return edges[i]+shift > p.time }) - 1; i >= 0 && i < len(within) {
				within[i] = append(within[i], p)
			} else {
				outside++
			}
		}
		what := fmt.Sprintf("%s, %s by %s", q.who, c, intervals)
		if outside > 0 && ask.From == 0 && ask.To == 0 {
			q.r.add(what, "%d values are in no interval of %v", outside, edges)
		}
		for _, agg := range everyAgg {
			have := answers[c][agg]
			if len(have) != len(within) {
				q.r.add(what, "%d answers of %s, want %d", len(have), agg, len(within))
				continue
			}
			for i, list := range within {
				if !follows(agg, have[i], list) {
					q.r.add(what, "%s from %s to %s is %v of %v", agg, edges[i], edges[i+1], have[i], list)
				}
			}
		}
	}
	return nil
}

// follows reports whether values in order of time make an aggregate. Of several at one time each may be the first or last.
func follows(agg string, have float64, list []point) bool {
	if agg == "count" {
		return have == float64(len(list))
	}
	if len(list) == 0 {
		return math.IsNaN(have)
	}
	low, high, sum, size := math.Inf(1), math.Inf(-1), 0.0, 0.0
	for _, p := range list {
		low, high, sum, size = min(low, p.value), max(high, p.value), sum+p.value, size+math.Abs(p.value)
	}
	at := func(t logdb.Millis) bool {
		return slices.ContainsFunc(list, func(p point) bool { return p.time == t && p.value == have })
	}
	switch agg {
	case "min":
		return have == low
	case "max":
		return have == high
	case "sum":
		return math.Abs(have-sum) <= 1e-9*size
	case "mean":
		return math.Abs(have-sum/float64(len(list))) <= 1e-9*size/float64(len(list))
	case "first":
		return at(list[0].time)
	}
	return at(list[len(list)-1].time)
}

// checkLatest asks a node for the newest values. Of several journals they are those of any, so that nothing is compared.
func checkLatest(ctx context.Context, r *report, who string, node Cloud, held *Holding, answered []point) error {
	if len(held.Journals()) != 1 {
		return nil
	}
	list, err := node.Client.Latest(ctx, nil)
	if err != nil {
		return fmt.Errorf("ask for the newest values: %w", err)
	}
	newest := map[logdb.ChannelKey]logdb.Millis{}
	for _, p := range answered {
		newest[p.channel] = max(newest[p.channel], p.time)
	}
	what := who + ", newest values"
	for _, m := range list {
		if m.MeterUID != node.UID {
			continue
		}
		for _, v := range m.Values {
			if v.Time != newest[v.Key] || !slices.ContainsFunc(answered, func(p point) bool { return p.channel == v.Key && p.time == v.Time && p.value == float64(v.Value) }) {
				r.add(what, "%s is %v at %s, and the last one at %s", v.Key, v.Value, v.Time, newest[v.Key])
			}
			delete(newest, v.Key)
		}
	}
	for c, at := range newest {
		r.add(what, "%s of %s is missing", c, at)
	}
	return nil
}

// record names a record of a node: its journal, and the position at which it was added.
type record struct {
	journal  logdb.JournalID
	position logdb.Position
}

// checkEvents asks a node for events as people do: all, and those of a part of the time, a few at a time. Each of the site's days
// shows those of one journal, of which none has more.
func checkEvents(ctx context.Context, r *report, who string, node Cloud, kind logdb.Kind, zone *time.Location, held *Holding) error {
	what := who + ", events that a query answers"
	day := func(at logdb.Millis) string { return at.Time().In(zone).Format(time.DateOnly) }
	want := map[string]map[logdb.JournalID]int{} // how many events of a day each journal has
	versions := map[record]logdb.Entry{}
	for _, j := range held.Journals() {
		for _, v := range live(held.Entries(j)) {
			d := day(v.entry.Time)
			if want[d] == nil {
				want[d] = map[logdb.JournalID]int{}
			}
			want[d][j]++
			versions[record{j, v.position}] = v.entry
		}
	}
	all, err := events(ctx, node, api.EventsQuery{Kind: kind})
	if err != nil || len(all)+len(want) == 0 {
		return err
	}
	have, seen := map[string]map[logdb.JournalID]int{}, map[record]bool{}
	for _, e := range all {
		k := record{e.ID.Stream.Journal, e.ID.Position}
		version, ok := versions[k]
		switch {
		case !ok:
			r.add(what, "position %d of journal %s is no live event there", k.position, k.journal)
		case seen[k]:
			r.add(what, "position %d of journal %s comes twice", k.position, k.journal)
		case kind != logdb.KindWaveform && e.Entry.ContentDigest() != version.ContentDigest(), e.Entry.Time != version.Time: // a list has no samples
			r.add(what, "position %d of journal %s is %+v, want %+v", k.position, k.journal, e.Entry, version)
		}
		seen[k] = true
		d := day(e.Entry.Time)
		if have[d] == nil {
			have[d] = map[logdb.JournalID]int{}
		}
		have[d][k.journal]++
	}
	for d, counts := range want {
		most := 0
		for _, n := range counts {
			most = max(most, n)
		}
		if len(have[d]) != 1 {
			r.add(what, "%d journals on %s", len(have[d]), d)
		}
		for j, n := range have[d] {
			if n != counts[j] || n != most {
				r.add(what, "%d on %s, of journal %s, which has %d; the most is %d", n, d, j, counts[j], most)
			}
		}
	}
	return partOfEvents(ctx, r, who, node, kind, all)
}

func events(ctx context.Context, node Cloud, q api.EventsQuery) (all []api.Event, err error) {
	for {
		out, err := node.Client.Events(ctx, node.UID, q)
		if err != nil {
			return nil, fmt.Errorf("query events of %s: %w", q.Kind, err)
		}
		all = append(all, out.Events...)
		if q.Cursor = out.Next; q.Cursor == "" {
			return all, nil
		}
	}
}

// partOfEvents asks for the events of a part of the time.
func partOfEvents(ctx context.Context, r *report, who string, node Cloud, kind logdb.Kind, all []api.Event) error {
	if len(all) == 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(uint64(len(all)), uint64(all[0].Entry.Time)))
	a, b := all[rng.IntN(len(all))].Entry.Time, all[rng.IntN(len(all))].Entry.Time
	q := api.EventsQuery{Kind: kind, From: min(a, b), To: max(a, b) + logdb.Millis(rng.IntN(2)), Limit: max(1+rng.IntN(20), len(all)/mostPages)}
	if q.To == q.From {
		q.To++
	}
	some, err := events(ctx, node, q)
	if err != nil {
		return err
	}
	names := func(list []api.Event, within func(logdb.Millis) bool) (out []record) {
		for _, e := range list {
			if within(e.Entry.Time) {
				out = append(out, record{e.ID.Stream.Journal, e.ID.Position})
			}
		}
		return out
	}
	what := fmt.Sprintf("%s, events from %s to %s", who, q.From, q.To)
	want := names(all, func(at logdb.Millis) bool { return at >= q.From && at < q.To })
	diff(r, what, names(some, func(logdb.Millis) bool { return true }), want, func(k record) record { return k })
	for i := 1; i < len(some); i++ {
		if some[i].Entry.Time < some[i-1].Entry.Time {
			r.add(what, "%s comes behind %s", some[i].Entry.Time, some[i-1].Entry.Time)
		}
	}
	return nil
}
