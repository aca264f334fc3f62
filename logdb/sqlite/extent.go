package sqlite

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
	"metermanager/logdb/limit"
)

// extent is all series of one log of a stream: count, range and last value of each change with every page and are
// kept in one row.
type extent struct {
	stream *stream
	log    logdb.LogNo
	series []*series
}

type series struct {
	id           int64
	stream       *stream
	extent       *extent
	key          seriesKey
	channel      logdb.ChannelKey
	n            int64
	first, last  logdb.Millis
	lastPosition logdb.Position
	lastValue    float64
	// A bound must be read again before the commit.
	staleFirst, staleLast bool
}

// extentRow is what is kept of one series.
type extentRow struct {
	id           int64
	n            int64
	first, last  logdb.Millis
	lastPosition logdb.Position
	lastValue    float64
	mark         limit.Mark // last row that passed the pace
}

func (r *extentRow) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.id))
	b = binary.AppendVarint(b, r.n)
	b = binary.AppendVarint(b, int64(r.first))
	b = binary.AppendVarint(b, int64(r.last))
	b = binary.AppendUvarint(b, uint64(r.lastPosition))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.lastValue))
	b = binary.AppendUvarint(b, uint64(r.mark.Position))
	b = binary.AppendUvarint(b, uint64(r.mark.Run)|uint64(r.mark.Generation)<<32) // the generation stood nowhere once
	return binary.AppendVarint(b, int64(r.mark.Time))
}

// readExtent visits the series of a row of the table.
func readExtent(data []byte, visit func(extentRow)) error {
	short := false
	uvarint := func() uint64 {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			short = true
			return 0
		}
		data = data[n:]
		return v
	}
	varint := func() int64 {
		v, n := binary.Varint(data)
		if n <= 0 {
			short = true
			return 0
		}
		data = data[n:]
		return v
	}
	for len(data) > 0 && !short {
		r := extentRow{id: int64(uvarint()), n: varint(), first: logdb.Millis(varint()), last: logdb.Millis(varint()), lastPosition: logdb.Position(uvarint())}
		if len(data) < 8 {
			short = true
			break
		}
		r.lastValue = math.Float64frombits(binary.LittleEndian.Uint64(data))
		data = data[8:]
		r.mark.Position = logdb.Position(uvarint())
		of := uvarint()
		r.mark.Run, r.mark.Generation, r.mark.Time = uint32(of), uint32(of>>32), logdb.Millis(varint())
		if !short {
			visit(r)
		}
	}
	if short {
		return fmt.Errorf("%w: a range ends too early", chunk.ErrDamaged)
	}
	return nil
}

const (
	loadSeries = `SELECT s.id, s.log, s.channel, coalesce(c.key, '') FROM series s LEFT JOIN channel c ON c.id = s.channel WHERE s.stream = ?`
	loadExtent = `SELECT data FROM extent WHERE stream = ?`
	saveExtent = `INSERT INTO extent (meter, stream, log, data) VALUES (?, ?, ?, ?) ON CONFLICT (stream, log) DO UPDATE SET data = excluded.data`
)

// loadSeries loads the series of a stream and their ranges.
func (t *txn) loadSeries(s *stream) error {
	if s.loaded {
		return nil
	}
	s.extents, s.series, s.marks = map[logdb.LogNo]*extent{}, map[seriesKey]*series{}, map[logdb.LogNo]limit.Marks{}
	byID := map[int64]*series{}
	err := t.each(func(rows *sql.Rows) error {
		r := &series{stream: s}
		if err := rows.Scan(&r.id, &r.key.log, &r.key.channel, &r.channel); err != nil {
			return err
		}
		r.extent = s.extentOf(r.key.log)
		r.extent.series = append(r.extent.series, r)
		s.series[r.key], byID[r.id] = r, r
		t.cache.series++
		return nil
	}, loadSeries, s.id)
	if err != nil {
		return fmt.Errorf("load the series of %s: %w", s.ref, err)
	}
	err = t.each(func(rows *sql.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		return readExtent(data, func(x extentRow) {
			r := byID[x.id]
			if r == nil {
				return
			}
			r.n, r.first, r.last, r.lastPosition, r.lastValue = x.n, x.first, x.last, x.lastPosition, x.lastValue
			if x.mark.Position != 0 {
				s.marksOf(r.key.log)[r.channel] = x.mark
			}
		})
	}, loadExtent, s.id)
	if err != nil {
		return fmt.Errorf("load the ranges of %s: %w", s.ref, err)
	}
	s.loaded = true
	return nil
}

// saveExtent writes the ranges of a log.
func (t *txn) saveExtent(e *extent) error {
	var b []byte
	marks := e.stream.marks[e.log]
	views := spanViews{} // of one log, whose series have the same bounds as a rule
	for _, r := range e.series {
		if err := t.refresh(r, views); err != nil {
			return err
		}
		x := extentRow{r.id, r.n, r.first, r.last, r.lastPosition, r.lastValue, marks[r.channel]}
		b = x.append(b)
	}
	if _, err := t.exec(saveExtent, e.stream.meter.id, e.stream.id, e.log, b); err != nil {
		return fmt.Errorf("save the ranges of log %d of %s: %w", e.log, e.stream.ref, err)
	}
	return nil
}

func (s *stream) extentOf(log logdb.LogNo) *extent {
	e := s.extents[log]
	if e == nil {
		e = &extent{stream: s, log: log}
		s.extents[log] = e
	}
	return e
}

func (s *stream) marksOf(log logdb.LogNo) limit.Marks {
	m := s.marks[log]
	if m == nil {
		m = limit.Marks{}
		s.marks[log] = m
	}
	return m
}

const (
	findChannel   = `SELECT id FROM channel WHERE key = ?`
	insertChannel = `INSERT INTO channel (key) VALUES (?) RETURNING id`
	insertSeries  = `INSERT INTO series (meter, stream, log, channel) VALUES (?, ?, ?, ?) RETURNING id`
)

func (t *txn) channelID(key logdb.ChannelKey) (int64, error) {
	if id, ok := t.cache.channels[key]; ok {
		return id, nil
	}
	var id int64
	ok, err := t.one([]any{&id}, findChannel, string(key))
	if err == nil && !ok {
		id, err = t.insert(insertChannel, string(key))
	}
	if err != nil {
		return 0, fmt.Errorf("note channel %s: %w", key, err)
	}
	t.cache.channels[key] = id
	return id, nil
}

// seriesOf returns a series, making it when it is new; key "" is the marks of the log.
func (t *txn) seriesOf(s *stream, log logdb.LogNo, key logdb.ChannelKey) (*series, error) {
	if err := t.loadSeries(s); err != nil {
		return nil, err
	}
	channel := int64(marksChannel)
	if key != "" {
		var err error
		if channel, err = t.channelID(key); err != nil {
			return nil, err
		}
	}
	if r, ok := s.series[seriesKey{log, channel}]; ok {
		return r, nil
	}
	r := &series{stream: s, key: seriesKey{log, channel}, channel: key, extent: s.extentOf(log)}
	var err error
	if r.id, err = t.insert(insertSeries, s.meter.id, s.id, log, channel); err != nil {
		return nil, fmt.Errorf("note series %s of %s: %w", key, s.ref, err)
	}
	s.series[r.key] = r
	r.extent.series = append(r.extent.series, r)
	t.cache.series++
	return r, nil
}
