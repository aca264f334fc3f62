package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// ReadBuckets implements logdb.Source. Whole steps of the hour tier are taken from there; the edges of buckets, and
// steps that changed since they were compacted, from the values.
func (s *Store) ReadBuckets(ctx context.Context, ids []logdb.SeriesID, edges []logdb.Millis, visit func(logdb.SeriesID, []logdb.Bucket) error) error {
	if len(edges) < 2 || !slices.IsSorted(edges) || len(slices.Compact(slices.Clone(edges))) != len(edges) {
		return fmt.Errorf("%w: %d edges, want at least two that rise", logdb.ErrInvalid, len(edges))
	}
	return s.snapshot(ctx, fmt.Sprintf("sum up %d series", len(ids)), func(c *conn) error {
		known, err := c.seriesRows(ids)
		if err != nil {
			return err
		}
		in := span{max(edges[0], logdb.MinTime), min(edges[len(edges)-1]+1, logdb.MaxTime+1)}
		q := bucketQuery{common: &bucketCommon{conn: c}, views: viewCache{}, in: in, edges: edges}
		defer q.close()
		// While the tier of some series is added up, what the next ones have is read: the database is asked by one only.
		slots := max(1, min(bucketSlots, len(ids), mostBucketSums/len(edges)))
		for k := range len(ids) + slots {
			if k >= slots {
				if err := q.finish(ids[k-slots], visit); err != nil {
					return err
				}
			}
			if k < len(ids) {
				if err := q.begin(known[ids[k]]); err != nil {
					return fmt.Errorf("series %d: %w", ids[k], err)
				}
			}
		}
		return nil
	})
}

const (
	// bucketSlots is how many series of a query are under way: enough that the one that asks the database seldom waits.
	bucketSlots = 8
	// mostBucketSums is how many buckets of all of them are held; one series may have more.
	mostBucketSums = 1 << 16
)

// bucketQuery is the series of one query that are under way, in their order.
type bucketQuery struct {
	common *bucketCommon
	views  viewCache
	in     span // of times
	edges  []logdb.Millis
	under  []*bucketReader
}

// begin reads what the database has of a series, nil when it has none, and has its tier added up.
func (q *bucketQuery) begin(r *seriesRow) error {
	room := bucketRooms.Get().(*bucketRoom)
	b := &bucketReader{conn: q.common.conn, common: q.common, series: r, room: room, edges: q.edges, sums: room.empty(len(q.edges) - 1), tiered: map[int64]bool{}}
	q.under = append(q.under, b)
	if r == nil || q.in.first >= q.in.last {
		return nil
	}
	b.covers = r.covers()
	var err error
	if b.view, err = q.views.of(b.conn, r, q.in); err != nil {
		return err
	}
	return b.begin()
}

// finish visits the first series under way with its buckets.
func (q *bucketQuery) finish(id logdb.SeriesID, visit func(logdb.SeriesID, []logdb.Bucket) error) error {
	b := q.under[0]
	if err := b.finish(); err != nil {
		return fmt.Errorf("series %d: %w", id, err)
	}
	out := b.room.buckets(len(b.sums))
	for i := range out {
		b.sums[i].To(&out[i])
	}
	err := visit(id, out)
	b.room.giveBack()
	q.under = q.under[1:]
	return err
}

// close waits for what is still under way after an error.
func (q *bucketQuery) close() {
	for _, b := range q.under {
		b.adding.Wait()
		b.room.giveBack()
	}
}

// bucketRoom is memory that one series after the other uses.
type bucketRoom struct {
	sums  []chunk.Accumulator
	out   []logdb.Bucket
	roll  chunk.Roll
	cells rollCells
}

var bucketRooms = sync.Pool{New: func() any { return new(bucketRoom) }}

// giveBack keeps room for another series, but not that of a very long answer.
func (r *bucketRoom) giveBack() {
	const most = 1 << 14
	if cap(r.sums) > most {
		r.sums, r.out = nil, nil
	}
	r.cells.clear()
	bucketRooms.Put(r)
}

// buckets returns n buckets, with anything in them.
func (r *bucketRoom) buckets(n int) []logdb.Bucket {
	if cap(r.out) < n {
		r.out = make([]logdb.Bucket, n)
	}
	return r.out[:n]
}

// empty returns n sums of nothing.
func (r *bucketRoom) empty(n int) []chunk.Accumulator {
	if cap(r.sums) < n {
		r.sums = make([]chunk.Accumulator, n)
	}
	clear(r.sums[:n])
	return r.sums[:n]
}

// bucketReader sums up one series. It reckons in keys: a time, less one where times end what they cover, so that
// every bucket and every step holds its first key and not its last.
type bucketReader struct {
	*conn
	common  *bucketCommon
	room    *bucketRoom
	series  *seriesRow
	covers  bool
	view    *view
	edges   []logdb.Millis
	sums    []chunk.Accumulator
	bucket  int  // of the value that was added last
	decimal bool // anything else ends it with errNotDecimal

	fresh   chunk.Points
	changed []logdb.Millis // keys at which the tier may be wrong, rising
	raw     []span         // of keys that must be read from values, rising
	tiered  map[int64]bool // cells that have an hour tier
	tierEnd logdb.Millis   // keys up to which the tier was looked at

	all     span // of keys
	gone    []span
	direct  bool           // the values were added without the tier
	adding  sync.WaitGroup // of the tier, to its end
	tierErr error
}

// bucketCommon is what the series of one query have in common, read when it is needed first.
type bucketCommon struct {
	*conn
	looked   bool
	quarters bool              // there is a 15-minute tier of anything
	dropped  map[int64]dropped // of the meter of a stream
}

// dropped says which steps the hour tier of a meter has, and up to which day it was dropped for its age.
type dropped struct {
	step logdb.Millis
	from int64
}

// hasQuarters reports whether anything has a 15-minute tier.
func (b *bucketCommon) hasQuarters() (bool, error) {
	if !b.looked {
		one := 0
		known, err := b.one([]any{&one}, anyQuarter)
		if err != nil {
			return false, err
		}
		b.looked, b.quarters = true, known
	}
	return b.quarters, nil
}

// droppedOf tells it of the meter of a series.
func (b *bucketCommon) droppedOf(r *seriesRow) (d dropped, err error) {
	d, known := b.dropped[r.stream]
	if known {
		return d, nil
	}
	if _, err = b.one([]any{&d.step, &d.from}, droppedHours, r.id); err != nil {
		return d, err
	}
	if b.dropped == nil {
		b.dropped = map[int64]dropped{}
	}
	b.dropped[r.stream] = d
	return d, nil
}

const anyQuarter = `SELECT 1 FROM quarter LIMIT 1`

func (b *bucketReader) key(at logdb.Millis) logdb.Millis {
	if b.covers {
		return at - 1
	}
	return at
}

// times turns a span of keys into one of times.
func (b *bucketReader) times(keys span) span {
	if b.covers {
		return span{keys.first + 1, keys.last + 1}
	}
	return keys
}

// begin reads what is needed to add up the tier, which goes on beside.
func (b *bucketReader) begin() error {
	b.all = span{b.edges[0], b.edges[len(b.edges)-1]}
	var err error
	if b.fresh, err = b.view.fresh(b.series, b.times(b.all)); err != nil {
		return err
	}
	for _, at := range b.fresh.Times {
		b.changed = append(b.changed, b.key(at))
	}
	for _, x := range b.view.patches {
		if x.hide.Valid {
			b.changed = append(b.changed, b.key(x.hide.V))
		}
	}
	slices.Sort(b.changed)
	if b.direct, err = b.readDirectly(b.all); b.direct || err != nil {
		return err
	}
	if b.gone, err = b.readGone(b.all); err != nil {
		return err
	}
	if err := b.fetchTier(); err != nil {
		return err
	}
	b.adding.Go(func() { b.tierErr = b.addTier() })
	return nil
}

// finish adds what the tier could not answer.
func (b *bucketReader) finish() error {
	b.adding.Wait()
	if b.view == nil || b.direct || b.tierErr != nil {
		return b.tierErr
	}
	b.need(span{b.tierEnd, b.all.last})
	b.withoutGone(b.gone)
	if err := b.readQuarters(); err != nil {
		return err
	}
	return b.readRaw()
}

// fetchTier reads the cells of the tier. Those of very many years are added up as they come, so that what is held does not grow with them.
func (b *bucketReader) fetchTier() error {
	const most = 1 << 19 // bytes
	b.tierEnd = b.all.first
	first := cellOf(dayKey(max(b.all.first, 0), false))
	last := max(0, int64((b.all.last-1).Floor(logdb.DayMillis)/logdb.DayMillis))
	cells := &b.room.cells
	return b.eachRoll(chunkID(b.series.id, first), chunkID(b.series.id, cellOf(last)), func(id, crc int64, data []byte) error {
		if cells.add(id, crc, data); len(cells.data) > most {
			return b.addTier()
		}
		return nil
	})
}

// addTier adds what whole steps of the cells that were read give, and notes what is to be read from values. It does not ask the database.
func (b *bucketReader) addTier() error {
	roll := &b.room.roll
	err := b.room.cells.each(func(id, crc int64, data []byte) error {
		day := dayOfChunk(id)
		cell := cellKeys(day)
		cell.first, cell.last = max(cell.first, b.all.first), min(cell.last, b.all.last)
		if cell.first >= cell.last {
			return nil
		}
		err := checked(data, crc)
		if err == nil {
			err = b.codec.Steps(data, roll)
		}
		if err != nil {
			return fmt.Errorf("hour tier of day %d: %w", day, err)
		}
		if roll.Covers != b.covers {
			return nil // the catalogue has learned better since; the values are read
		}
		b.need(span{b.tierEnd, cell.first})
		b.tierEnd = cell.last
		b.tiered[day] = true
		if _, gone := slices.BinarySearch(b.view.gone, day); gone {
			return nil
		}
		b.addSteps(roll, cell)
		return nil
	})
	b.room.cells.clear()
	return err
}

// addSteps adds the whole steps within a cell to the buckets that hold them.
func (b *bucketReader) addSteps(roll *chunk.Roll, cell span) {
	i := sort.Search(len(b.edges), func(k int) bool { return b.edges[k] > cell.first }) - 1
	for ; i < len(b.sums) && b.edges[i] < cell.last; i++ {
		part := span{max(b.edges[i], cell.first), min(b.edges[i+1], cell.last)}
		lo, hi := ceilStep(part.first, roll.Step), part.last.Floor(roll.Step)
		if lo >= hi {
			b.need(part)
			continue
		}
		b.need(span{part.first, lo})
		b.steps(roll, i, span{lo, hi})
		b.need(span{hi, part.last})
	}
}

func ceilStep(t, step logdb.Millis) logdb.Millis {
	if f := t.Floor(step); f != t {
		return f + step
	}
	return t
}

// steps adds the steps of a span, but for those that changed, to bucket i.
func (b *bucketReader) steps(roll *chunk.Roll, i int, in span) {
	from := stepFrom(roll, 0, in.first)
	c := sort.Search(len(b.changed), func(k int) bool { return b.changed[k] >= in.first })
	for ; c < len(b.changed) && b.changed[c] < in.last; c++ {
		step := b.changed[c].Floor(roll.Step)
		to := stepFrom(roll, from, step)
		roll.AddTo(&b.sums[i], from, to)
		b.need(span{step, step + roll.Step})
		from = to
		if from < len(roll.Steps) && logdb.Millis(roll.Steps[from])*roll.Step == step {
			from++
		}
		for c+1 < len(b.changed) && b.changed[c+1] < step+roll.Step {
			c++
		}
	}
	roll.AddTo(&b.sums[i], from, stepFrom(roll, from, in.last))
}

// stepFrom returns the first step from index i on that does not begin before a time at which one may begin.
func stepFrom(roll *chunk.Roll, i int, at logdb.Millis) int {
	step := int64(at.Floor(roll.Step) / roll.Step)
	if i >= len(roll.Steps) || roll.Steps[i] >= step {
		return i
	}
	// Where no step is missing, its index is known.
	if k := int64(i) + step - roll.Steps[i]; k < int64(len(roll.Steps)) && roll.Steps[k] == step {
		return int(k)
	}
	return i + sort.Search(len(roll.Steps)-i, func(k int) bool { return roll.Steps[i+k] >= step })
}

// need notes keys that must be read from values; they come in rising order.
func (b *bucketReader) need(keys span) {
	if keys.first >= keys.last {
		return
	}
	if n := len(b.raw); n > 0 && b.raw[n-1].last >= keys.first {
		b.raw[n-1].last = max(b.raw[n-1].last, keys.last)
		return
	}
	b.raw = append(b.raw, keys)
}
