package logdbtest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"metermanager/logdb"
)

// totalRules is a table: a rule a line, with its check.
func totalRules() []rule {
	return []rule{
		{"two true records at one time both count", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, wh, 5), row(2, day0, wh, 5))
			b := f.buckets(wh, day0-hour, day0)[0]
			f.want("count and sum", []any{b.Count, b.Sum}, "[2 10]")
		}},
		{"the order is time, then position", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(3, day0, volts, 3))
			f.send(logdb.KindHistorical, a1, row(2, day0+minute, volts, 2), row(1, day0, volts, 1))
			f.want("values", f.values(volts), "[1 3 2]")
			b := f.buckets(volts, day0, day0+hour)[0]
			f.want("first and last", []any{b.First, b.FirstTime, b.Last, b.LastTime}, []any{1, day0, 2, day0 + minute})
		}},
		{"a revised row keeps the place of its add among equal times", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0, volts, 2), revise(row(0, day0, volts, 10), 3, 1))
			f.want("values", f.values(volts), "[10 2]")
			list, err := f.Series(f.ctx, f.meter)
			f.must(err)
			var at []logdb.Position
			f.must(f.ReadSeries(f.ctx, []logdb.SeriesID{list[0].ID}, day0, day0+1, func(_ logdb.SeriesID, b *logdb.Block) error {
				at = append(at, b.Positions...)
				return nil
			}))
			f.want("positions", at, "[1 2]")
		}},
		{"interval quantities belong to (start, end], others to [start, end)", func(f *fixture) {
			// The seed's own table: 7,974,024 - 7,974,004 = 20, logged at 05:55 for the five minutes before.
			at := day0 + 5*hour + 55*minute
			both := row(1, at, wh, 20)
			both.Row.Channels, both.Row.Values = append(both.Row.Channels, volts), append(both.Row.Values, 120)
			f.send(logdb.KindHistorical, a1, both)
			for _, tt := range []struct {
				channel logdb.ChannelKey
				want    string
			}{{wh, "[0 1 0]"}, {volts, "[0 0 1]"}} {
				var counts []int64
				for _, b := range f.buckets(tt.channel, at-10*minute, at-5*minute, at, at+5*minute) {
					counts = append(counts, b.Count)
				}
				f.want(string(tt.channel), counts, tt.want)
			}
			// On the boundary of hour and day it belongs to what ends there.
			f.send(logdb.KindHistorical, a1, row(2, day0+day, wh, 7))
			b := f.buckets(wh, day0, day0+day, day0+2*day)
			f.want("sums of two days", []any{b[0].Sum, b[1].Count}, "[27 0]")
		}},
		{"aggregates use live versions only", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0+hour, wh, 1), row(2, day0+2*hour, wh, 2), row(3, day0+3*hour, wh, 4))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+hour, wh, 100), 4, 1), withdraw(5, 2, day0))
			b := f.buckets(wh, day0, day0+day)[0]
			f.want("bucket", []any{b.Count, b.Sum, b.Min, b.Max, b.First, b.Last}, "[2 104 4 100 100 4]")
		}},
		{"late records count wherever they belong", func(f *fixture) {
			for i := range logdb.Position(10) {
				p := 10 - i
				f.send(logdb.KindHistorical, a1, row(p, day0+logdb.Millis(p)*7*hour, wh, float64(p)))
			}
			b := f.buckets(wh, day0, day0+day, day0+2*day, day0+3*day)
			f.want("sums", []any{b[0].Sum, b[1].Sum, b[2].Sum}, "[6 15 34]")
		}},
		{"long series stay exact, whatever order their pages come in", longSeries},
		{"a bucket of no values is empty, not zero", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1))
			b := f.buckets(volts, day0+hour, day0+2*hour, day0+3*hour)
			f.want("buckets", b, []logdb.Bucket{logdb.EmptyBucket(), logdb.EmptyBucket()})
		}},
		{"values come back bit for bit", func(f *fixture) {
			list := []float64{0, math.Copysign(0, -1), 0.1, 0.1 + 0.2, 1e300, 5e-324, 1 << 53, -1<<53 - 2, 123456.789, 1e-7, 1e22, -1e15, math.Pi, math.MaxFloat64}
			var rows []any
			for i, v := range list {
				rows = append(rows, row(logdb.Position(i+1), day0+logdb.Millis(i)*minute, volts, v))
			}
			f.send(logdb.KindHistorical, a1, rows...)
			got := f.values(volts)
			for i, v := range list {
				if i >= len(got) || math.Float64bits(got[i]) != math.Float64bits(v) {
					f.Fatalf("values %v, want %v", got, list)
				}
			}
		}},
		{"a row without values is an entry, and no value", func(f *fixture) {
			p := f.page(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0+minute, volts, nan()))
			f.want("receipt", counts(f.accept(p)), "[2 0 0 0]")
			f.want("values", f.values(volts), "[1]")
			f.want("fates", f.fates(logdb.KindHistorical, a1, 2), "ss")
			page, err := f.ReadStream(f.ctx, f.meter, logdb.KindHistorical, a1, 2, 5)
			f.must(err)
			f.want("entries", len(positions(&page)), 1)
		}},
		{"series tell range, count and newest value without reading data", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(2, day0+hour, volts, 2), row(3, day0+hour, volts, 3))
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1))
			list, err := f.Series(f.ctx, f.meter)
			f.must(err)
			if len(list) != 1 {
				f.Fatalf("%d series", len(list))
			}
			s := list[0]
			f.want("series", []any{s.Stream, s.Channel, s.First, s.Last, s.Count, s.LastValue}, []any{a1, volts, day0, day0 + hour, 3, 3})
		}},
		{"events are selected by time, channel, type and limit, a few at a time", func(f *fixture) {
			one, two, three := sag(1, day0, 1), sag(2, day0, 2), sag(3, day0+hour, 3)
			two.Excursion.Channel, two.Excursion.LimitID = "readings.voltage.bn", 2
			f.send(logdb.KindLimit, a1, one, two, three)
			for _, tt := range []struct {
				name string
				q    logdb.EventQuery
				want int
			}{
				{"all", logdb.EventQuery{}, 3}, {"until", logdb.EventQuery{Last: day0 + hour}, 2}, {"from", logdb.EventQuery{First: day0 + 1}, 1},
				{"channel", logdb.EventQuery{Channels: []logdb.ChannelKey{volts}}, 2}, {"limit", logdb.EventQuery{LimitIDs: []int64{2}}, 1},
				{"at most", logdb.EventQuery{Limit: 2}, 2},
				{"after", logdb.EventQuery{After: &logdb.EventCursor{Time: day0, Stream: a1, Position: 1}}, 2},
			} {
				tt.q.Kind = logdb.KindLimit
				f.want(tt.name, len(f.events(tt.q)), tt.want)
			}
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.want("types", []int{len(f.events(logdb.EventQuery{Kind: logdb.KindSystem, Codes: []int64{1}})), len(f.events(logdb.EventQuery{Kind: logdb.KindSystem, Codes: []int64{2}}))}, "[1 0]")
		}},
	}
}

// verifyRules is a table: a rule a line, with its check.
func verifyRules() []rule {
	return []rule{
		{"a digest counts the live records of a series and UTC day, in any order", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(2, day0+day-1, volts, 2), row(3, day0+day, volts, 3))
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1))
			var first, next logdb.Tally
			first.AddValue(1, day0, 1)
			first.AddValue(2, day0+day-1, 2)
			next.AddValue(3, day0+day, 3)
			f.want("tallies", f.tallies(logdb.KindHistorical, a1), map[logdb.Millis]logdb.Tally{day0: first, day0 + day: next})
		}},
		{"a revise moves a record to its new day, a withdraw takes it out", func(f *fixture) {
			f.send(logdb.KindHistorical, a1, row(1, day0, volts, 1), row(2, day0, volts, 2))
			f.send(logdb.KindHistorical, a1, revise(row(0, day0+day, volts, 9), 3, 1), withdraw(4, 2, day0))
			var moved logdb.Tally
			moved.AddValue(1, day0+day, 9)
			f.want("tallies", f.tallies(logdb.KindHistorical, a1), map[logdb.Millis]logdb.Tally{day0 + day: moved})
		}},
		{"events and recordings are counted by their content, gaps and closes not", func(f *fixture) {
			e := sag(1, day0, 1)
			gap := logdb.Entry{Position: 2, Op: logdb.OpGap, Time: day0, Gap: &logdb.Gap{From: day0, To: day0}}
			f.send(logdb.KindPQ, a1, e, gap, logdb.Entry{Position: 3, Op: logdb.OpClose, Time: day0}, revise(sag(0, day0, 2), 4, 1))
			live := sag(0, day0, 2)
			var want logdb.Tally
			want.AddEntry(1, live.ContentDigest())
			f.want("tallies", f.tallies(logdb.KindPQ, a1), map[logdb.Millis]logdb.Tally{day0: want})
		}},
		{"digests of two nodes that hold the same are equal", func(f *fixture) {
			a := f.append(logdb.KindHistorical, row(0, day0, volts, 1), row(0, day0+minute, volts, 2), revise(row(0, day0, volts, 3), 0, 1))
			own := logdb.StreamID{Journal: a.Journal, Policy: "0"}
			page, err := f.ReadStream(f.ctx, f.meter, logdb.KindHistorical, own, 1, 10)
			f.must(err)
			page.Stream.Policy = "1"
			other := modelFixture(f)
			other.accept(page)
			f.want("tallies", f.tallies(logdb.KindHistorical, own), other.tallies(logdb.KindHistorical, page.Stream))
		}},
		{"what was cleared or forgotten is claimed no longer", func(f *fixture) {
			f.send(logdb.KindSystem, a1, system(1, day0, 1))
			f.send(logdb.KindPQ, a1, sag(1, day0, 1))
			f.must(f.Clear(f.ctx, f.meter, logdb.KindSystem))
			_, err := f.Forget(f.ctx, f.meter, logdb.KindPQ, a1, day0, day0+1)
			f.must(err)
			f.after(f)
			f.want("tallies", []int{len(f.tallies(logdb.KindSystem, a1)), len(f.tallies(logdb.KindPQ, a1))}, "[0 0]")
		}},
	}
}

// longSeries sends two months of rows in shuffled pages, changes some of them, and compares values and buckets
// of many edges with what a loop over all of them says.
func longSeries(f *fixture) {
	const n, perPage = 6000, 500
	rng := rand.New(rand.NewPCG(11, 11))
	all := make([]value, n)
	var pages [][]any
	for i := range all {
		p := logdb.Position(i + 1)
		all[i] = value{day0 + logdb.Millis(i)*15*minute, p, float64(rng.IntN(2_000_000)) / 1000}
		if i%perPage == 0 {
			pages = append(pages, nil)
		}
		pages[i/perPage] = append(pages[i/perPage], row(p, all[i].time, wh, all[i].v))
	}
	p := logdb.Position(n)
	change := []any{}
	for range 40 {
		i := rng.IntN(n)
		p++
		if all[i].v < 0 { // changed before
			change = append(change, logdb.Entry{Position: p, Op: logdb.OpClose, Time: day0})
			continue
		}
		all[i].time, all[i].v = all[i].time+logdb.Millis(rng.IntN(3))*day, -1-float64(i)/8
		change = append(change, revise(row(0, all[i].time, wh, all[i].v), p, all[i].position))
	}
	pages = append(pages, change)
	rng.Shuffle(len(pages), func(i, j int) { pages[i], pages[j] = pages[j], pages[i] })
	for _, page := range pages {
		f.accept(withEnd(f.page(logdb.KindHistorical, a1, page...), p))
	}
	slices.SortFunc(all, func(a, b value) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.position, b.position)) })
	got := f.values(wh)
	for i := range all {
		if len(got) != n || got[i] != all[i].v {
			f.Fatalf("%d values; value %d is not %v", len(got), i, all[i])
		}
	}
	edges := []logdb.Millis{day0 - day}
	for edges[len(edges)-1] < day0+70*day {
		edges = append(edges, edges[len(edges)-1]+pickOne(&generator{Rand: rng}, hour, 7*hour, day, 9*day, 7*minute, 29*day, 15*minute))
	}
	b := f.buckets(wh, edges...)
	for i := range b {
		want := bucket(all, edges[i], edges[i+1], true)
		if d := bucketsDiffer(seriesKey{}, []logdb.Bucket{want}, b[i:i+1]); d != nil {
			f.Fatalf("from %s to %s: %v", edges[i], edges[i+1], d)
		}
	}
	total := 0
	for first := logdb.Position(1); ; {
		page, err := f.ReadStream(f.ctx, f.meter, logdb.KindHistorical, a1, first, 700)
		f.must(err)
		found := positions(&page)
		if len(found) == 0 {
			break
		}
		total += len(found)
		for at := range found {
			first = max(first, at+1)
		}
	}
	f.want("positions read", total, p)
}
