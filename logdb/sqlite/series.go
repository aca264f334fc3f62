package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"sort"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// span is the times from first to before last.
type span struct{ first, last logdb.Millis }

var everything = span{logdb.MinTime, logdb.MaxTime + 1}

const (
	listSeries  = `SELECT s.id, st.journal, st.policy, s.log, c.key FROM series s JOIN stream st ON st.id = s.stream JOIN channel c ON c.id = s.channel WHERE s.meter = ?`
	listExtents = `SELECT data FROM extent WHERE meter = ?`
)

// Series implements logdb.Source.
func (s *Store) Series(ctx context.Context, uid logdb.MeterUID) ([]logdb.Series, error) {
	var out []logdb.Series
	err := s.snapshot(ctx, "list the series of "+string(uid), func(c *conn) error {
		meter, err := c.meterID(uid)
		if err != nil || meter == 0 {
			return err
		}
		ranges, err := c.rangesOf(meter)
		if err != nil {
			return err
		}
		return c.each(func(rows *sql.Rows) error {
			var r logdb.Series
			var journal, channel string
			if err := rows.Scan(&r.ID, &journal, &r.Stream.Policy, &r.Log, &channel); err != nil {
				return err
			}
			x := ranges[int64(r.ID)]
			if x.n == 0 {
				return nil
			}
			r.Stream.Journal, r.Channel = logdb.JournalID(journal), logdb.ChannelKey(channel)
			r.First, r.Last, r.Count, r.LastValue = x.first, x.last, x.n, x.lastValue
			out = append(out, r)
			return nil
		}, listSeries, meter)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b logdb.Series) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Log, b.Log), cmp.Compare(a.Stream.String(), b.Stream.String()))
	})
	return out, nil
}

// rangesOf returns the ranges of all series of a meter.
func (c *conn) rangesOf(meter int64) (map[int64]extentRow, error) {
	out := map[int64]extentRow{}
	err := c.each(func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		return readExtent(data, func(x extentRow) { out[x.id] = x })
	}, listExtents, meter)
	return out, err
}

// seriesRow is a series as reading needs it.
type seriesRow struct {
	id      int64
	stream  int64
	log     logdb.LogNo
	channel logdb.ChannelKey // "" for the marks of a log
}

// covers reports whether a time is the end of what it covers. Such a series is kept in chunks and steps that hold
// (start, end], so that a chunk holds whole steps.
func (r *seriesRow) covers() bool {
	return r.channel != "" && logdb.LookupChannel(r.channel).CoversInterval
}

const findSeries = `SELECT s.stream, s.log, c.key FROM series s JOIN channel c ON c.id = s.channel WHERE s.id = ?`

func (c *conn) seriesRow(id logdb.SeriesID) (*seriesRow, error) {
	r := &seriesRow{id: int64(id)}
	var channel string
	ok, err := c.one([]any{&r.stream, &r.log, &channel}, findSeries, r.id)
	if err != nil {
		return nil, fmt.Errorf("find series %d: %w", id, err)
	}
	if !ok {
		return nil, nil
	}
	r.channel = logdb.ChannelKey(channel)
	return r, nil
}

// ReadSeries implements logdb.Source.
func (s *Store) ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	in := span{max(first, logdb.MinTime), min(last, logdb.MaxTime+1)}
	if in.first >= in.last {
		return nil
	}
	return s.snapshot(ctx, fmt.Sprintf("read %d series", len(ids)), func(c *conn) error {
		views := viewCache{}
		for _, id := range ids {
			r, err := c.seriesRow(id)
			if err != nil {
				return err
			}
			if r == nil {
				continue
			}
			view, err := views.of(c, r, in)
			if err != nil {
				return err
			}
			if err := c.values(r, view, in, func(b *logdb.Block) error { return visit(id, b) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// view is what is not in chunks of one log of a stream: the head pages that touch a span, and the patches.
type view struct {
	codec   *chunk.Codec
	heads   []headPage
	patches map[logdb.Position]*patch
}

type headPage struct {
	seq  int64
	page chunk.Page
}

// patch changes one row: hide what the chunks and the head hold at a time, show another row instead.
type patch struct {
	hide, show sql.Null[logdb.Millis]
	run        uint32
	generation uint32
	row        *logdb.Row
}

// viewCache keeps the views of one read: the channels of a log share theirs.
type viewCache map[seriesKey]*view

func (v viewCache) of(c *conn, r *seriesRow, in span) (*view, error) {
	key := seriesKey{r.log, r.stream}
	if known, ok := v[key]; ok {
		return known, nil
	}
	loaded, err := c.viewOf(r.stream, r.log, in)
	if err != nil {
		return nil, fmt.Errorf("read the head of log %d: %w", r.log, err)
	}
	v[key] = loaded
	return loaded, nil
}

const (
	readHeads   = `SELECT seq, crc, data FROM head WHERE stream = ? AND log = ? AND t_max >= ? AND t_min <= ? ORDER BY seq`
	readPatches = `SELECT position, hide_ms, show_ms, run, generation, data FROM patch WHERE stream = ? AND log = ?`
)

func (c *conn) viewOf(stream int64, log logdb.LogNo, in span) (*view, error) {
	v := &view{codec: c.codec}
	err := c.each(func(rows *sql.Rows) error {
		var h headPage
		var crc int64
		var data []byte
		if err := rows.Scan(&h.seq, &crc, &data); err != nil {
			return err
		}
		if err := checked(data, crc); err != nil {
			return fmt.Errorf("head page %d: %w", h.seq, err)
		}
		if err := c.codec.Page(data, &h.page); err != nil {
			return fmt.Errorf("head page %d: %w", h.seq, err)
		}
		v.heads = append(v.heads, h)
		return nil
	}, readHeads, stream, log, in.first, in.last)
	if err != nil {
		return nil, err
	}
	v.patches, err = c.patchesOf(stream, log)
	return v, err
}

func (c *conn) patchesOf(stream int64, log logdb.LogNo) (map[logdb.Position]*patch, error) {
	var out map[logdb.Position]*patch
	err := c.each(func(rows *sql.Rows) error {
		p := &patch{}
		var position logdb.Position
		var data []byte
		if err := rows.Scan(&position, &p.hide, &p.show, &p.run, &p.generation, &data); err != nil {
			return err
		}
		if p.show.Valid {
			row, err := readRow(data)
			if err != nil {
				return fmt.Errorf("changed row %d: %w", position, err)
			}
			p.row = row
		}
		if out == nil {
			out = map[logdb.Position]*patch{}
		}
		out[position] = p
		return nil
	}, readPatches, stream, log)
	return out, err
}

// hidden reports whether the row that stands at (at, p) is no longer live.
func (v *view) hidden(p logdb.Position, at logdb.Millis) bool {
	x := v.patches[p]
	return x != nil && x.hide.Valid && x.hide.V == at
}

// fresh returns the live values of a series that are not in chunks, in order of (time, position).
func (v *view) fresh(r *seriesRow, in span) (chunk.Points, error) {
	var out chunk.Points
	var column []float64
	for h := range v.heads {
		page := &v.heads[h].page
		i := slices.Index(page.Series, r.id)
		if i < 0 {
			continue
		}
		var err error
		if column, err = v.codec.PageColumn(page, i, column[:0]); err != nil {
			return out, fmt.Errorf("head page %d: %w", v.heads[h].seq, err)
		}
		for k, value := range column {
			at, p := page.Times[k], page.Positions[k]
			if math.IsNaN(value) || at < in.first || at >= in.last || v.patches != nil && v.hidden(p, at) {
				continue
			}
			out.Times, out.Positions, out.Values = append(out.Times, at), append(out.Positions, p), append(out.Values, value)
		}
	}
	for p, x := range v.patches {
		if !x.show.Valid || x.show.V < in.first || x.show.V >= in.last {
			continue
		}
		if i := slices.Index(x.row.Channels, r.channel); i >= 0 {
			out.Times, out.Positions, out.Values = append(out.Times, x.show.V), append(out.Positions, p), append(out.Values, x.row.Values[i])
		}
	}
	sortPoints(&out)
	return out, nil
}

// sortPoints brings points into order of (time, position).
func sortPoints(p *chunk.Points) {
	less := func(i, j int) bool {
		return p.Times[i] < p.Times[j] || p.Times[i] == p.Times[j] && p.Positions[i] < p.Positions[j]
	}
	for i := 1; i < p.Len(); i++ {
		if less(i, i-1) {
			order := make([]int, p.Len())
			for k := range order {
				order[k] = k
			}
			slices.SortFunc(order, func(a, b int) int {
				return cmp.Or(cmp.Compare(p.Times[a], p.Times[b]), cmp.Compare(p.Positions[a], p.Positions[b]))
			})
			p.Times, p.Positions, p.Values = choose(p.Times, order), choose(p.Positions, order), choose(p.Values, order)
			return
		}
	}
}

// A chunk's number is its series and its first day.
const (
	dayBits  = 24
	cellDays = 28 // chunks never reach over the edge of a cell; the hour tier has a row for each
)

func chunkID(series int64, day int64) int64 { return series<<dayBits | day }

func dayOfChunk(id int64) int64 { return id & (1<<dayBits - 1) }

// dayKey is the day in whose chunk a value belongs.
func dayKey(at logdb.Millis, covers bool) int64 {
	if covers {
		at--
	}
	return max(0, int64(at.Floor(logdb.DayMillis)/logdb.DayMillis))
}

func cellOf(day int64) int64 { return day - day%cellDays }

// chunkRow is a chunk without its bytes.
type chunkRow struct {
	id, days, n int64
	tMin, tMax  logdb.Millis
	pMin, pMax  logdb.Position
}

const (
	listChunks = `SELECT id, days, n, t_min, t_max, p_min, p_max FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id`
	readChunk  = `SELECT crc, data FROM chunk WHERE id = ?`
	readChunks = `SELECT id, t_min, t_max, crc, data FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id`
)

// chunksOf lists the chunks of a series whose days touch a span.
func (c *conn) chunksOf(r *seriesRow, in span) ([]chunkRow, error) {
	var out []chunkRow
	covers := r.covers()
	err := c.each(func(rows *sql.Rows) error {
		var k chunkRow
		if err := rows.Scan(&k.id, &k.days, &k.n, &k.tMin, &k.tMax, &k.pMin, &k.pMax); err != nil {
			return err
		}
		out = append(out, k)
		return nil
	}, listChunks, chunkID(r.id, cellOf(dayKey(in.first, covers))), chunkID(r.id, dayKey(in.last, covers)))
	if err != nil {
		return nil, fmt.Errorf("list the chunks of series %d: %w", r.id, err)
	}
	return out, nil
}

// chunkData returns the bytes of one chunk.
func (c *conn) chunkData(id int64) ([]byte, error) {
	var crc int64
	var data []byte
	ok, err := c.one([]any{&crc, &data}, readChunk, id)
	if err == nil && !ok {
		err = logdb.ErrNotFound
	}
	if err == nil {
		err = checked(data, crc)
	}
	if err != nil {
		return nil, fmt.Errorf("chunk %d of series %d: %w", dayOfChunk(id), id>>dayBits, err)
	}
	return data, nil
}

// values visits the live values of a series within a span in order of (time, position).
func (c *conn) values(r *seriesRow, v *view, in span, visit func(*logdb.Block) error) error {
	fresh, err := v.fresh(r, in)
	if err != nil {
		return err
	}
	m := merger{codec: c.codec, view: v, fresh: fresh, visit: visit}
	covers := r.covers()
	var b logdb.Block
	err = c.each(func(rows *sql.Rows) error {
		var id, crc int64
		var tMin, tMax logdb.Millis
		var data sql.RawBytes
		if err := rows.Scan(&id, &tMin, &tMax, &crc, &data); err != nil {
			return err
		}
		if tMax < in.first || tMin >= in.last {
			return nil
		}
		err := checked(data, crc)
		if err == nil {
			err = c.codec.Points(data, &b)
		}
		if err != nil {
			return fmt.Errorf("chunk %d of series %d: %w", dayOfChunk(id), r.id, err)
		}
		return m.chunk(trim(&b, in))
	}, readChunks, chunkID(r.id, cellOf(dayKey(in.first, covers))), chunkID(r.id, dayKey(in.last, covers)))
	if err != nil {
		return err
	}
	return m.rest()
}

// trim returns the part of b within a span, sharing its arrays.
func trim(b *logdb.Block, in span) *logdb.Block {
	n := b.Len()
	i := sort.Search(n, func(k int) bool { return b.Times[k] >= in.first })
	j := i + sort.Search(n-i, func(k int) bool { return b.Times[i+k] >= in.last })
	if i == 0 && j == n {
		return b
	}
	out := &logdb.Block{Times: b.Times[i:j], Positions: b.Positions[i:j], Mantissas: b.Mantissas[i:j], Exponent: b.Exponent}
	for _, x := range b.Exceptions {
		if x.Index >= i && x.Index < j {
			out.Exceptions = append(out.Exceptions, logdb.Exception{Index: x.Index - i, Value: x.Value})
		}
	}
	return out
}

// merger brings chunks and fresh values into one order.
type merger struct {
	codec *chunk.Codec
	view  *view
	fresh chunk.Points
	next  int // of fresh
	visit func(*logdb.Block) error
	block logdb.Block
}

// chunk visits what is fresh and lies before b, then b, joined where they overlap.
func (m *merger) chunk(b *logdb.Block) error {
	n := b.Len()
	if n == 0 {
		return nil
	}
	if err := m.emit(m.before(b.Times[0])); err != nil {
		return err
	}
	end := m.next + sort.Search(m.fresh.Len()-m.next, func(k int) bool { return m.fresh.Times[m.next+k] > b.Times[n-1] })
	if end == m.next && !m.hides(b) {
		return m.visit(b)
	}
	joined := chunk.Points{}
	values := b.AppendValues(nil)
	for i := range n {
		at, p := b.Times[i], b.Positions[i]
		for m.next < end && (m.fresh.Times[m.next] < at || m.fresh.Times[m.next] == at && m.fresh.Positions[m.next] < p) {
			joined = appendPoint(joined, m.fresh.Times[m.next], m.fresh.Positions[m.next], m.fresh.Values[m.next])
			m.next++
		}
		if !m.view.hidden(p, at) {
			joined = appendPoint(joined, at, p, values[i])
		}
	}
	for ; m.next < end; m.next++ {
		joined = appendPoint(joined, m.fresh.Times[m.next], m.fresh.Positions[m.next], m.fresh.Values[m.next])
	}
	return m.emitPoints(joined)
}

func appendPoint(p chunk.Points, at logdb.Millis, position logdb.Position, v float64) chunk.Points {
	return chunk.Points{Times: append(p.Times, at), Positions: append(p.Positions, position), Values: append(p.Values, v)}
}

// hides reports whether a patch may hide anything of b.
func (m *merger) hides(b *logdb.Block) bool {
	for _, x := range m.view.patches {
		if x.hide.Valid && x.hide.V >= b.Times[0] && x.hide.V <= b.Times[b.Len()-1] {
			return true
		}
	}
	return false
}

// before returns the index of the first fresh value that is not before at.
func (m *merger) before(at logdb.Millis) int {
	return m.next + sort.Search(m.fresh.Len()-m.next, func(k int) bool { return m.fresh.Times[m.next+k] >= at })
}

// emit visits the fresh values up to end.
func (m *merger) emit(end int) error {
	part := m.fresh.Slice(m.next, end)
	m.next = end
	return m.emitPoints(part)
}

func (m *merger) emitPoints(p chunk.Points) error {
	if p.Len() == 0 {
		return nil
	}
	m.codec.Block(p, &m.block)
	return m.visit(&m.block)
}

func (m *merger) rest() error { return m.emit(m.fresh.Len()) }
