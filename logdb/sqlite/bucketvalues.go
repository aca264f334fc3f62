package sqlite

import (
	"errors"
	"sort"

	"metermanager/logdb"
)

// errNotDecimal ends a try to add up values without the tier.
var errNotDecimal = errors.New("values that are not decimal numbers")

// readDirectly adds up values without the tier where every chunk has to be decoded anyway for the edges of buckets, and reports whether it
// did. Sums of decimal numbers are the same bits then; others must be made in the parts that the tier has.
func (b *bucketReader) readDirectly(all span) (bool, error) {
	if len(b.view.gone) > 0 {
		return false, nil
	}
	tier, err := b.common.droppedOf(b.series)
	if err != nil || !b.cutsEveryDay(max(tier.step, 1)) {
		return false, err
	}
	some, err := b.common.hasQuarters()
	if err == nil && some {
		one := 0
		some, err = b.one([]any{&one}, quarterOf, chunkID(b.series.id, 0), chunkID(b.series.id, 1<<dayBits-1))
	}
	if err != nil || some {
		return false, err
	}
	b.raw = []span{all}
	b.decimal = true
	err = b.readRaw()
	b.raw, b.decimal = nil, false
	if errors.Is(err, errNotDecimal) {
		clear(b.sums)
		return false, nil
	}
	return true, err
}

const quarterOf = `SELECT 1 FROM quarter WHERE id BETWEEN ? AND ? LIMIT 1`

// cutsEveryDay reports whether an edge lies within a step at least once a day.
func (b *bucketReader) cutsEveryDay(step logdb.Millis) bool {
	last := b.edges[0]
	for _, at := range b.edges {
		if at.Floor(step) != at {
			last = at
		} else if at-last > logdb.DayMillis {
			return false
		}
	}
	return b.edges[len(b.edges)-1]-last <= logdb.DayMillis
}

// readRaw adds the values of the spans that the tier could not answer.
func (b *bucketReader) readRaw() error {
	if len(b.raw) == 0 {
		return nil
	}
	spans := make([]span, len(b.raw))
	for i, keys := range b.raw {
		spans[i] = b.times(keys)
	}
	chunks, err := b.chunksOf(b.series, span{max(spans[0].first, 0), spans[len(spans)-1].last})
	if err != nil {
		return err
	}
	v := valueReader{bucketReader: b, chunks: chunks, run: newChunkRun(b.conn, chunks, spans), decoded: -1, block: takeBlock()}
	defer giveBlock(v.block)
	v.run.unordered = b.fresh.Len() == 0 && len(b.view.patches) == 0
	defer v.run.close()
	for _, in := range spans {
		if err := v.span(in); err != nil {
			return err
		}
	}
	return nil
}

// valueReader adds the values of spans, which rise. A chunk serves several of them.
type valueReader struct {
	*bucketReader
	chunks  []chunkRow
	run     *chunkRun
	next    int // of chunks
	decoded int // of chunks
	block   *logdb.Block
	at      int // of block: where the span before ended
}

func (v *valueReader) span(in span) error {
	i := sort.Search(v.fresh.Len(), func(k int) bool { return v.fresh.Times[k] >= in.first })
	j := i + sort.Search(v.fresh.Len()-i, func(k int) bool { return v.fresh.Times[i+k] >= in.last })
	m := merger{codec: v.codec, view: v.view, fresh: v.fresh.Slice(i, j), visit: v.add}
	// Nothing is put in between and nothing is hidden: values are added where they are.
	plain := i == j && len(v.view.patches) == 0
	for v.next > 0 && v.chunks[v.next-1].tMax >= in.first {
		v.next--
	}
	for ; v.next < len(v.chunks) && v.chunks[v.next].tMin < in.last; v.next++ {
		if v.chunks[v.next].tMax < in.first {
			continue
		}
		if v.decoded != v.next {
			if err := v.run.points(v.next, v.block); err != nil {
				return err
			}
			v.decoded, v.at = v.next, 0
			if v.decimal && len(v.block.Exceptions) > 0 {
				return errNotDecimal
			}
		}
		if !plain {
			if err := m.chunk(trim(v.block, in)); err != nil {
				return err
			}
			continue
		}
		from := timeFrom(v.block.Times, v.at, in.first)
		v.at = timeFrom(v.block.Times, from, in.last)
		v.addPart(v.block, from, v.at)
	}
	return m.rest()
}

// timeFrom returns the first index from i on whose time is not before at. It is mostly near.
func timeFrom(times []logdb.Millis, i int, at logdb.Millis) int {
	stride := 1
	for i < len(times) && times[i] < at {
		if k := i + stride; k < len(times) && times[k] < at {
			i, stride = k+1, stride*2
		} else if stride == 1 {
			i++
		} else {
			stride /= 2
		}
	}
	return i
}

// add sums up values in order of time.
func (b *bucketReader) add(block *logdb.Block) error {
	if b.decimal && len(block.Exceptions) > 0 {
		return errNotDecimal
	}
	b.addPart(block, 0, block.Len())
	return nil
}

// addPart sums up values [i, end) of a block.
func (b *bucketReader) addPart(block *logdb.Block, i, end int) {
	for i < end {
		bucket := b.bucketOf(b.key(block.Times[i]))
		if bucket < 0 {
			i++
			continue
		}
		if bucket >= len(b.sums) {
			return
		}
		last := b.edges[bucket+1]
		if b.covers {
			last++
		}
		j := timeFrom(block.Times[:end], i+1, last)
		b.sums[bucket].AddBlock(block, i, j)
		i = j
	}
}

// bucketOf returns the bucket of a key: that of the value before or the next one, mostly.
func (b *bucketReader) bucketOf(key logdb.Millis) int {
	for k := b.bucket; k < min(b.bucket+2, len(b.edges)-1); k++ {
		if key >= b.edges[k] && key < b.edges[k+1] {
			b.bucket = k
			return k
		}
	}
	k := sort.Search(len(b.edges), func(k int) bool { return b.edges[k] > key }) - 1
	b.bucket = max(k, 0)
	return k
}
