package analysis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"metermanager/logdb"
)

// Query asks for historical channels of one meter.
type Query struct {
	Meter       logdb.MeterUID
	Channels    []logdb.ChannelKey // all that were recorded, in the catalogue's order, when empty
	First, Last logdb.Millis       // [First, Last)
	Zone        *time.Location     // of the site, whose days decide between logs; UTC when nil
	Log         *logdb.LogNo       // only this log, when not nil
	Stream      *logdb.StreamID    // only this stream, when not nil
	Series      []logdb.Series     // of the meter, by who has read them already
}

// Column is one channel of an answer.
type Column struct {
	Channel logdb.ChannelKey
	Stream  logdb.StreamID // of the newest part
	Log     logdb.LogNo    // of the newest part
	// Group is equal for columns whose rows can be told apart by position: all of one journal and log.
	Group int
	// Values is about how many values the range holds.
	Values int64
	// Journals counts the sources that recorded the channel; more than one are alternatives,
	// of which each step uses one.
	Journals int
}

// Choice is the answer's plan: for each channel which log and which journal is used when. Two
// logs are never mixed in one bucket, alternatives are never added.
type Choice struct {
	Columns []Column
	src     logdb.Source
	query   Query
	sources [][]source // per column
	parts   [][]part   // per column, in order of time
}

// source is one log of one journal: its streams are parts of one whole.
type source struct {
	journal logdb.JournalID
	channel logdb.ChannelKey
	age     age
	log     logdb.LogNo
	ids     []logdb.SeriesID
	stream  logdb.StreamID
	values  int64
	newest  logdb.Millis // of all that is stored
	older   []older      // earlier names of the journal, which were given up
}

// older is a name of a journal that was given up, as far as it is still used: for the positions that no later name has.
type older struct {
	ids  []logdb.SeriesID
	left []span
}

// part says which source is used from first up to last.
type part struct {
	source      int
	first, last logdb.Millis
}

// Choose plans a query. A channel that was never recorded gets no column.
func Choose(ctx context.Context, src logdb.Source, q Query) (*Choice, error) {
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	if q.Last <= q.First {
		return nil, fmt.Errorf("%w: a range from %s to %s", logdb.ErrInvalid, q.First, q.Last)
	}
	series, err := q.Series, error(nil)
	if series == nil {
		if series, err = src.Series(ctx, q.Meter); err != nil {
			return nil, fmt.Errorf("list channels of %s: %w", q.Meter, err)
		}
	}
	states, err := journalStates(ctx, src, q.Meter, series)
	if err != nil {
		return nil, err
	}
	var names givenUp
	if q.Stream == nil {
		names = givenUpNames(series, states)
		series = names.current(series)
	}
	ages := journalAges(states)
	c := &Choice{src: src, query: q}
	byChannel := map[logdb.ChannelKey][]logdb.Series{}
	var order []logdb.ChannelKey
	for _, s := range series {
		if q.Log != nil && s.Log != *q.Log || q.Stream != nil && s.Stream != *q.Stream {
			continue
		}
		if byChannel[s.Channel] == nil {
			order = append(order, s.Channel)
		}
		byChannel[s.Channel] = append(byChannel[s.Channel], s)
	}
	if len(q.Channels) > 0 {
		order = q.Channels
	} else {
		inCatalogueOrder(order)
	}
	groups := map[[2]string]int{}
	for _, key := range order {
		if len(byChannel[key]) == 0 {
			continue
		}
		sources := gather(byChannel[key], ages, names)
		parts, err := c.plan(ctx, key, sources, nil)
		if err != nil {
			return nil, err
		}
		c.addColumn(key, sources, parts, groups)
	}
	return c, nil
}

// inCatalogueOrder sorts channels as people expect them: voltages first, what the catalogue lacks last.
func inCatalogueOrder(keys []logdb.ChannelKey) {
	catalogue := logdb.Catalogue()
	place := make(map[logdb.ChannelKey]int, len(catalogue))
	for i, c := range catalogue {
		place[c.Key] = i - len(catalogue)
	}
	slices.SortStableFunc(keys, func(a, b logdb.ChannelKey) int {
		return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(a, b))
	})
}

// age says which journal is used where several hold as much: of different nodes the older one, and of one that came under
// several names the name under which most of it was told, since it holds the changes that the others lack.
type age struct {
	family, created logdb.Millis // when any of its names was first heard of, and this one
	end             logdb.Position
}

func (a age) compare(b age) int {
	return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(b.end, a.end), cmp.Compare(a.created, b.created))
}

// journalStates returns the streams of the meter, which are asked for only when a choice needs them.
func journalStates(ctx context.Context, src logdb.Source, meter logdb.MeterUID, series []logdb.Series) ([]logdb.StreamState, error) {
	if !slices.ContainsFunc(series, func(s logdb.Series) bool { return s.Stream.Journal != series[0].Stream.Journal }) {
		return nil, nil
	}
	states, err := src.Streams(ctx, meter, logdb.KindHistorical)
	if err != nil {
		return nil, fmt.Errorf("list streams of %s: %w", meter, err)
	}
	return states, nil
}

// journalAges returns the age of each journal.
func journalAges(states []logdb.StreamState) map[logdb.JournalID]age {
	out := map[logdb.JournalID]age{}
	families := map[logdb.JournalID]logdb.Millis{}
	for _, s := range states {
		a := out[s.Stream.Journal]
		if a.created == 0 || s.Created < a.created {
			a.created = s.Created
		}
		a.end = max(a.end, s.JournalEnd)
		out[s.Stream.Journal] = a
		if at, ok := families[s.Stream.Journal.Family()]; !ok || s.Created < at {
			families[s.Stream.Journal.Family()] = s.Created
		}
	}
	for j, a := range out {
		a.family = families[j.Family()]
		out[j] = a
	}
	return out
}

// gather groups the series of a channel by journal and log, those to prefer first.
func gather(series []logdb.Series, ages map[logdb.JournalID]age, names givenUp) []source {
	var out []source
	for _, s := range series {
		i := slices.IndexFunc(out, func(o source) bool { return o.journal == s.Stream.Journal && o.log == s.Log })
		if i < 0 {
			i = len(out)
			out = append(out, source{journal: s.Stream.Journal, channel: s.Channel, age: ages[s.Stream.Journal], log: s.Log, stream: s.Stream})
		}
		out[i].ids = append(out[i].ids, s.ID)
		out[i].values += s.Count
		out[i].newest = max(out[i].newest, s.Last)
		if s.Stream.Policy > out[i].stream.Policy {
			out[i].stream = s.Stream
		}
	}
	slices.SortStableFunc(out, func(a, b source) int { return a.age.compare(b.age) })
	return underOneName(out, names)
}

// underOneName makes the names of a journal that were given up a part of the source that has the next name, the best of these: a record
// is the same under both, and each stands under one of them.
func underOneName(sources []source, names givenUp) []source {
	out := slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return names.has(&s) })
	for _, s := range sources {
		i := slices.IndexFunc(out, func(o source) bool { return o.log == s.log && o.journal.Family() == s.journal.Family() })
		if !names.has(&s) || i < 0 { // there is always one that was not given up
			continue
		}
		left := names[s.carrier()].spans
		for _, o := range out[i].older { // of two that were given up the better one
			left = without(left, o.left)
		}
		if len(left) > 0 {
			out[i].older = append(out[i].older, older{s.ids, left})
		}
	}
	return out
}

func (s *source) carrier() carrier { return carrier{s.channel, s.log, s.journal} }

func (c *Choice) addColumn(key logdb.ChannelKey, sources []source, parts []part, groups map[[2]string]int) {
	newest := sources[parts[len(parts)-1].source]
	name := [2]string{string(newest.journal), fmt.Sprint(newest.log)}
	if len(parts) > 1 {
		name = [2]string{"composed", string(key)}
	}
	if _, ok := groups[name]; !ok {
		groups[name] = len(groups)
	}
	journals := map[logdb.JournalID]bool{}
	col := Column{Channel: key, Stream: newest.stream, Log: newest.log, Group: groups[name]}
	for _, s := range sources {
		journals[s.journal] = true
		col.Values = max(col.Values, s.values)
	}
	col.Journals = len(journals)
	c.Columns = append(c.Columns, col)
	c.sources = append(c.sources, sources)
	c.parts = append(c.parts, parts)
}

// plan decides which source is used when. edges, when given, are the buckets of an aggregated query.
func (c *Choice) plan(ctx context.Context, key logdb.ChannelKey, sources []source, edges []logdb.Millis) ([]part, error) {
	first, last := c.query.First, c.query.Last
	if len(edges) > 1 {
		first, last = edges[0], edges[len(edges)-1]
	} else if logdb.LookupChannel(key).CoversInterval {
		first-- // what stands at the first moment belongs to the step before
	}
	if len(sources) == 1 {
		return []part{{0, first, last}}, nil
	}
	grid, err := c.grid(ctx, sources, first, last)
	if err != nil {
		return nil, fmt.Errorf("weigh the sources of %s: %w", key, err)
	}
	days, err := Edges(c.query.Zone, Interval{1, Day}, first, last)
	if err != nil {
		return nil, err
	}
	var parts []part
	for a := 0; a < len(grid.edges)-1; {
		end := periodEnd(grid.edges[a], days, edges)
		b := a + 1
		for b < len(grid.edges)-1 && grid.edges[b] < end {
			b++
		}
		log := grid.bestLog(a, b)
		for i := a; i < b; i++ {
			parts = appendPart(parts, grid.bestSource(log, i), grid.edges[i], grid.edges[i+1])
		}
		a = b
	}
	return clip(parts, first, last), nil
}

// periodEnd returns where the period that holds t ends: the site's day, or the bucket where that is
// longer than a day.
func periodEnd(t logdb.Millis, days, edges []logdb.Millis) logdb.Millis {
	day := days[min(sort.Search(len(days), func(i int) bool { return days[i] > t }), len(days)-1)]
	if i := sort.Search(len(edges), func(i int) bool { return edges[i] > t }); i > 0 && i < len(edges) {
		// Where a bucket crosses midnight, the day that it begins in decides for all of it.
		return max(day, edges[i])
	}
	return day
}

func appendPart(parts []part, source int, first, last logdb.Millis) []part {
	if n := len(parts); n > 0 && (parts[n-1].source == source || source < 0) {
		parts[n-1].last = last
		return parts
	}
	if len(parts) == 0 && source < 0 {
		return parts
	}
	return append(parts, part{source, first, last})
}

// clip makes the parts cover exactly first to last: what precedes the first part goes to it.
func clip(parts []part, first, last logdb.Millis) []part {
	var out []part
	for _, p := range parts {
		p.first, p.last = max(p.first, first), min(p.last, last)
		if p.first < p.last {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return []part{{0, first, last}}
	}
	out[0].first, out[len(out)-1].last = first, last
	return out
}

// grid is the number of values of every source in each step of the hour tier.
type grid struct {
	edges    []logdb.Millis
	sources  []source
	counts   [][]int64 // per source and step
	logs     []logdb.LogNo
	expected map[logdb.LogNo]int64 // values in a full step, at least 1
}

func (c *Choice) grid(ctx context.Context, sources []source, first, last logdb.Millis) (*grid, error) {
	step := RollStep(c.query.Zone.String(), first)
	g := &grid{sources: sources, expected: map[logdb.LogNo]int64{}}
	// A bound on memory: beyond it the steps grow, and the choice is made for longer times at once.
	for (last-first)/step > MaxEdges {
		step *= 2
	}
	for t := first.Floor(step); ; t += step {
		g.edges = append(g.edges, t)
		if t >= last {
			break
		}
	}
	for _, s := range sources {
		counts := make([]int64, len(g.edges)-1)
		err := c.sourceBuckets(ctx, &s, g.edges, func(i int, b logdb.Bucket) { counts[i] += b.Count })
		if err != nil {
			return nil, err
		}
		g.counts = append(g.counts, counts)
		if _, ok := g.expected[s.log]; !ok {
			g.logs = append(g.logs, s.log)
		}
		g.expected[s.log] = max(g.expected[s.log], slices.Max(counts), 1)
	}
	// Finest first: of two logs that cover alike the first one wins.
	slices.SortStableFunc(g.logs, func(a, b logdb.LogNo) int { return int(min(max(g.expected[b]-g.expected[a], -1), 1)) })
	return g, nil
}

// bestSource returns the source of a log that holds most values in step i, the first of equals; -1 for none.
func (g *grid) bestSource(log logdb.LogNo, i int) int {
	best, most := -1, int64(0)
	for s := range g.sources {
		if g.sources[s].log == log && g.counts[s][i] > most {
			best, most = s, g.counts[s][i]
		}
	}
	return best
}

// bestLog returns the finest log that is complete from step a to b, else the one with the best coverage.
func (g *grid) bestLog(a, b int) logdb.LogNo {
	best, most := g.logs[0], -1.0
	for _, log := range g.logs {
		covered := 0.0
		for i := a; i < b; i++ {
			if s := g.bestSource(log, i); s >= 0 {
				covered += min(1, float64(g.counts[s][i])/float64(g.expected[log]))
			}
		}
		if covered > most+1e-9 {
			best, most = log, covered
		}
		if covered >= float64(b-a) {
			break
		}
	}
	return best
}
