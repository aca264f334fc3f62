package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"metermanager/logdb"
	"metermanager/logdb/sqldb"
)

// span is the times from first to before last.
type span struct{ first, last logdb.Millis }

var everything = span{logdb.MinTime, logdb.MaxTime + 1}

const (
	listSeries = `SELECT s.meter, s.id, st.journal, st.policy, s.log, c.key FROM series s JOIN stream st ON st.id = s.stream JOIN channel c ON c.id = s.channel
	WHERE s.meter = (SELECT id FROM meter WHERE uid = ?)`
	listExtents = `SELECT data FROM extent WHERE meter = ?`
)

// Series implements logdb.Source.
func (s *Store) Series(ctx context.Context, uid logdb.MeterUID) ([]logdb.Series, error) {
	return s.seriesOf(ctx, uid, func(c *conn, visit func(sqldb.Row) error) error { return c.eachKept(visit, listSeries, string(uid)) })
}

// fewChannels is up to how many channels are found one by one.
const fewChannels = 4

const findSeriesOf = `SELECT s.meter, s.id, st.journal, st.policy, s.log, c.key FROM channel c JOIN series s ON s.channel = c.id JOIN stream st ON st.id = s.stream
	WHERE c.key = ? AND s.meter = (SELECT id FROM meter WHERE uid = ?)`

// SeriesOf implements logdb.SeriesFinder.
func (s *Store) SeriesOf(ctx context.Context, uid logdb.MeterUID, channels []logdb.ChannelKey) ([]logdb.Series, error) {
	if len(channels) > fewChannels {
		all, err := s.Series(ctx, uid)
		return slices.DeleteFunc(all, func(x logdb.Series) bool { return !slices.Contains(channels, x.Channel) }), err
	}
	return s.seriesOf(ctx, uid, func(c *conn, visit func(sqldb.Row) error) error {
		for i, key := range channels {
			if slices.Contains(channels[:i], key) {
				continue
			}
			if err := c.eachKept(visit, findSeriesOf, string(key), string(uid)); err != nil {
				return err
			}
		}
		return nil
	})
}

// seriesOf reads the series that find visits.
func (s *Store) seriesOf(ctx context.Context, uid logdb.MeterUID, find func(c *conn, visit func(sqldb.Row) error) error) ([]logdb.Series, error) {
	var out []logdb.Series
	err := s.snapshot(ctx, "list the series of "+string(uid), func(c *conn) error {
		meter := int64(0)
		err := find(c, func(rows sqldb.Row) error {
			var r logdb.Series
			var journal, channel string
			err := rows.Scan(&meter, &r.ID, &journal, &r.Stream.Policy, &r.Log, &channel)
			r.Stream.Journal, r.Channel = logdb.JournalID(journal), logdb.ChannelKey(channel)
			out = append(out, r)
			return err
		})
		if err != nil || len(out) == 0 {
			return err
		}
		place := make(map[logdb.SeriesID]int, len(out))
		for i := range out {
			place[out[i].ID] = i
		}
		return c.visitRanges(meter, func(x extentRow) {
			if i, asked := place[logdb.SeriesID(x.id)]; asked {
				r := &out[i]
				r.First, r.Last, r.Count, r.LastValue = x.first, x.last, x.n, x.lastValue
			}
		})
	})
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(x logdb.Series) bool { return x.Count == 0 })
	slices.SortFunc(out, func(a, b logdb.Series) int {
		if by := cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Log, b.Log)); by != 0 {
			return by
		}
		return cmp.Compare(a.Stream.String(), b.Stream.String())
	})
	return out, nil
}

// rangesOf returns the ranges of all series of a meter.
func (c *conn) rangesOf(meter int64) (map[int64]extentRow, error) {
	out := map[int64]extentRow{}
	err := c.visitRanges(meter, func(x extentRow) { out[x.id] = x })
	return out, err
}

// visitRanges visits the ranges of all series of a meter.
func (c *conn) visitRanges(meter int64, visit func(extentRow)) error {
	return c.eachKept(func(rows sqldb.Row) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		return readExtent(data, visit)
	}, listExtents, meter)
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
	ok, err := c.oneKept([]any{&r.stream, &r.log, &channel}, findSeries, r.id)
	if err != nil {
		return nil, fmt.Errorf("find series %d: %w", id, err)
	}
	if !ok {
		return nil, nil
	}
	r.channel = logdb.ChannelKey(channel)
	return r, nil
}

const findAllSeries = `SELECT s.id, s.stream, s.log, c.key FROM series s JOIN channel c ON c.id = s.channel WHERE s.meter = (SELECT meter FROM series WHERE id = ?)`

// seriesRows finds several series, which are mostly of one meter; what is not known is left out.
func (c *conn) seriesRows(ids []logdb.SeriesID) (map[logdb.SeriesID]*seriesRow, error) {
	const few = 3
	out := map[logdb.SeriesID]*seriesRow{}
	if len(ids) > few {
		err := c.eachKept(func(rows sqldb.Row) error {
			var r seriesRow
			var channel string
			if err := rows.Scan(&r.id, &r.stream, &r.log, &channel); err != nil {
				return err
			}
			r.channel = logdb.ChannelKey(channel)
			out[logdb.SeriesID(r.id)] = &r
			return nil
		}, findAllSeries, int64(ids[0]))
		if err != nil {
			return nil, fmt.Errorf("find the series of a meter: %w", err)
		}
	}
	for _, id := range ids {
		if out[id] != nil {
			continue
		}
		r, err := c.seriesRow(id)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out[id] = r
		}
	}
	return out, nil
}

// ReadSeries implements logdb.Source.
func (s *Store) ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	in := span{max(first, logdb.MinTime), min(last, logdb.MaxTime+1)}
	if in.first >= in.last {
		return nil
	}
	return s.snapshot(ctx, fmt.Sprintf("read %d series", len(ids)), func(c *conn) error {
		views := viewCache{}
		known, err := c.seriesRows(ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r := known[id]
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
	readChunks = `SELECT ` + storedColumns + ` FROM ` + storedTables + ` WHERE c.id BETWEEN ? AND ? ORDER BY c.id`
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

// blocks are used again from one read to the next: a new one costs more than decoding into it.
var blocks = sync.Pool{New: func() any { return new(logdb.Block) }}

func takeBlock() *logdb.Block  { return blocks.Get().(*logdb.Block) }
func giveBlock(b *logdb.Block) { blocks.Put(b) }

// values visits the live values of a series within a span in order of (time, position).
func (c *conn) values(r *seriesRow, v *view, in span, visit func(*logdb.Block) error) error {
	fresh, err := v.fresh(r, in)
	if err != nil {
		return err
	}
	m := merger{codec: c.codec, view: v, fresh: fresh, visit: visit}
	covers := r.covers()
	b := takeBlock()
	defer giveBlock(b)
	var k storedChunk
	err = c.each(func(rows *sql.Rows) error {
		if err := k.scan(rows); err != nil {
			return err
		}
		if k.tMax < in.first || k.tMin >= in.last {
			return nil
		}
		if err := k.pointsIn(c, b, in); err != nil {
			return err
		}
		return m.chunk(trim(b, in))
	}, readChunks, chunkID(r.id, cellOf(dayKey(in.first, covers))), chunkID(r.id, dayKey(in.last, covers)))
	if err != nil {
		return err
	}
	return m.rest()
}
