package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

type digestKey struct {
	log     logdb.LogNo
	channel int64
	day     logdb.Millis
}

// digester counts what a stream holds, and beside it what it claims to hold.
type digester struct {
	*conn
	id      int64
	meter   int64
	kind    logdb.Kind
	damaged func(error)
	data    map[digestKey]*logdb.Tally
	claims  map[digestKey]logdb.Tally
	marks   map[digestKey]logdb.Tally // claims of the rows of logs, channel 0
	keys    map[int64]logdb.ChannelKey
	series  []seriesLine
	views   viewCache
	thinned map[digestKey]bool // days of which samples were let go
	lost    map[digestKey]bool // those among them of which samples were lost
	// visit, when not nil, is called with every value that is counted.
	visit func(k digestKey, p logdb.Point)
}

// seriesLine is a series of the stream that is counted.
type seriesLine struct {
	row     seriesRow
	channel int64
}

// newDigester looks for a stream and reads its claims.
func (s *Store) newDigester(c *conn, uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID) (*digester, error) {
	d := &digester{
		conn: c, kind: kind, data: map[digestKey]*logdb.Tally{}, claims: map[digestKey]logdb.Tally{}, marks: map[digestKey]logdb.Tally{},
		keys: map[int64]logdb.ChannelKey{}, views: viewCache{},
	}
	d.damaged = func(err error) { s.log.Error("found damaged log data", "meter", string(uid), "err", err) }
	var err error
	if d.meter, d.id, err = c.streamID(uid, kind, ref); err != nil {
		return nil, err
	}
	return d, d.readClaims()
}

// count counts all that the stream holds.
func (d *digester) count() error {
	if d.kind == logdb.KindHistorical {
		return d.countSeries()
	}
	return d.countRecords(d.kind)
}

// Digests implements logdb.Source. Data that cannot be read any more counts as missing, which is what the
// comparison with the claim is for.
func (s *Store) Digests(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, ref logdb.StreamID) ([]logdb.DayDigest, error) {
	var d *digester
	err := s.snapshot(ctx, "count stream "+ref.String(), func(c *conn) error {
		var err error
		if d, err = s.newDigester(c, uid, kind, ref); err != nil {
			return err
		}
		return d.count()
	})
	if err != nil {
		return nil, err
	}
	return d.answer(), nil
}

func (d *digester) answer() []logdb.DayDigest {
	for k := range d.claims {
		d.tally(k)
	}
	out := make([]logdb.DayDigest, 0, len(d.data))
	for k, data := range d.data {
		if *data != (logdb.Tally{}) || d.claims[k] != (logdb.Tally{}) {
			out = append(out, logdb.DayDigest{Log: k.log, Channel: d.keys[k.channel], Day: k.day, Data: *data, Claim: d.claims[k], Full: d.isFull(k), Lost: d.isLost(k)})
		}
	}
	slices.SortFunc(out, func(a, b logdb.DayDigest) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Day, b.Day))
	})
	return out
}

// isFull reports whether the day is still held at full resolution. That is kept apart from the values, so that those that are lost
// are noticed.
func (d *digester) isFull(k digestKey) bool {
	if d.kind != logdb.KindHistorical {
		return !d.thinned[k]
	}
	v := d.views[seriesKey{k.log, d.id}]
	row := seriesRow{channel: d.keys[k.channel]}
	return v == nil || v.isFull(k.day, row.covers())
}

// isLost reports whether a day is not full because something of it was lost.
func (d *digester) isLost(k digestKey) bool {
	if d.kind != logdb.KindHistorical {
		return d.lost[k]
	}
	v := d.views[seriesKey{k.log, d.id}]
	row := seriesRow{channel: d.keys[k.channel]}
	return v != nil && v.isLost(k.day, row.covers())
}

func (d *digester) tally(k digestKey) *logdb.Tally {
	if d.data[k] == nil {
		d.data[k] = new(logdb.Tally)
	}
	return d.data[k]
}

const (
	listClaims       = `SELECT log, day, data FROM claim WHERE stream = ?`
	listChannels     = `SELECT id, key FROM channel`
	listStreamSeries = `SELECT s.id, s.log, s.channel, c.key FROM series s JOIN channel c ON c.id = s.channel WHERE s.stream = ? ORDER BY s.log, s.id`
	listLive         = `SELECT ` + entryColumns + `, e.channel, e.code FROM entry e WHERE e.meter = ? AND e.kind = ? AND e.kind <> 1 AND e.shown = ? AND e.live = 1 ORDER BY e.time_ms`
)

func (d *digester) readClaims() error {
	err := d.each(func(rows *sql.Rows) error {
		var log logdb.LogNo
		var day logdb.Millis
		var data []byte
		if err := rows.Scan(&log, &day, &data); err != nil {
			return err
		}
		err := readClaim(data, func(channel int64, t logdb.Tally) {
			if channel == marksChannel && d.kind == logdb.KindHistorical {
				d.marks[digestKey{log, channel, day}] = t
				return
			}
			d.claims[digestKey{log, channel, day}] = t
		})
		if err != nil {
			d.damaged(fmt.Errorf("claim of %s: %w", day, err))
		}
		return nil
	}, listClaims, d.id)
	if err != nil {
		return err
	}
	return d.each(func(rows *sql.Rows) error {
		var id int64
		var key string
		err := rows.Scan(&id, &key)
		d.keys[id] = logdb.ChannelKey(key)
		return err
	}, listChannels)
}

func (d *digester) countSeries() error {
	err := d.each(func(rows *sql.Rows) error {
		var l seriesLine
		var key string
		err := rows.Scan(&l.row.id, &l.row.log, &l.channel, &key)
		l.row.stream, l.row.channel = d.id, logdb.ChannelKey(key)
		d.series = append(d.series, l)
		return err
	}, listStreamSeries, d.id)
	if err != nil {
		return err
	}
	for i := range d.series {
		l := &d.series[i]
		view, err := d.viewOrSoundPart(&l.row)
		if err != nil {
			return err
		}
		if err := d.countValues(&l.row, l.channel, view); err != nil {
			return err
		}
	}
	return nil
}

// viewOrSoundPart returns the view of the log of a series, or what can be read of it.
func (d *digester) viewOrSoundPart(r *seriesRow) (*view, error) {
	view, err := d.views.of(d.conn, r, everything)
	if errors.Is(err, chunk.ErrDamaged) {
		d.damaged(err)
		view, err = d.soundPart(r)
		d.views[seriesKey{r.log, r.stream}] = view
	}
	return view, err
}

// soundPart is the view of a log without the pages and changes that cannot be read.
func (d *digester) soundPart(r *seriesRow) (*view, error) {
	v := &view{codec: d.codec}
	err := d.each(func(rows *sql.Rows) error {
		var h headPage
		var crc int64
		var data []byte
		if err := rows.Scan(&h.seq, &crc, &data); err != nil {
			return err
		}
		if checked(data, crc) == nil && d.codec.Page(data, &h.page) == nil {
			v.heads = append(v.heads, h)
		}
		return nil
	}, readHeads, r.stream, r.log, everything.first, everything.last)
	if err != nil {
		return nil, err
	}
	if err := d.goneCells(v, r.stream, r.log); err != nil {
		return nil, err
	}
	v.patches, err = d.patchesOf(r.stream, r.log, 0, math.MaxInt64)
	if errors.Is(err, chunk.ErrDamaged) {
		return v, nil
	}
	return v, err
}

// countValues counts the values of one series; a chunk that cannot be read counts nothing.
func (d *digester) countValues(r *seriesRow, channel int64, v *view) error {
	count := func(b *logdb.Block) error {
		if d.visit != nil {
			for i, value := range b.AppendValues(nil) {
				d.visit(digestKey{r.log, channel, b.Times[i].Day()}, logdb.Point{Position: b.Positions[i], Time: b.Times[i], Bits: math.Float64bits(value)})
			}
			return nil
		}
		var tally *logdb.Tally
		day := logdb.Millis(-logdb.DayMillis)
		for i, value := range b.AppendValues(nil) {
			at := b.Times[i]
			if tally == nil || at < day || at >= day+logdb.DayMillis {
				day = at.Day()
				tally = d.tally(digestKey{r.log, channel, day})
			}
			tally.AddValue(b.Positions[i], at, value)
		}
		return nil
	}
	fresh, err := v.fresh(r, everything)
	if errors.Is(err, chunk.ErrDamaged) {
		d.damaged(err)
		fresh, err = chunk.Points{}, nil
	}
	if err != nil {
		return err
	}
	var b logdb.Block
	d.codec.Block(fresh, &b)
	if err := count(&b); err != nil {
		return err
	}
	list, err := d.chunksOf(r, everything)
	if err != nil {
		return err
	}
	m := merger{codec: d.codec, view: v, visit: count}
	for _, k := range list {
		err := d.points(k.id, &b)
		if errors.Is(err, chunk.ErrDamaged) {
			d.damaged(err)
			continue
		}
		if err != nil {
			return err
		}
		if err := m.chunk(&b); err != nil {
			return err
		}
	}
	return nil
}

func (d *digester) countRecords(kind logdb.Kind) error {
	var found []filedRow
	err := d.each(func(rows *sql.Rows) error {
		var r filedRow
		err := scanEntry(rows, &r.entryRow, &r.channel, &r.code)
		found = append(found, r)
		return err
	}, listLive, d.meter, kind, d.id)
	if err != nil {
		return err
	}
	for i := range found {
		d.countRecord(&found[i])
	}
	return nil
}

// filedRow is an entry with the columns by which queries filter.
type filedRow struct {
	entryRow
	channel string
	code    int64
}

// countRecord counts one live record, unless it cannot be read or queries would not find it. Its digest is made
// anew from the data.
func (d *digester) countRecord(r *filedRow) {
	p := original(&r.entry)
	err := r.decode()
	if err == nil {
		err = d.samples(&r.entryRow)
	}
	if channel, code := filterOf(&r.entry); err == nil && (channel != r.channel || code != r.code) {
		err = fmt.Errorf("%w: entry %d is filed under %q, %d instead of %q, %d", chunk.ErrDamaged, p, r.channel, r.code, channel, code)
	}
	if errors.Is(err, errSamplesGone) {
		k := digestKey{r.entry.Log, 0, r.entry.Time.Day()}
		if d.thinned == nil {
			d.thinned, d.lost = map[digestKey]bool{}, map[digestKey]bool{}
		}
		d.thinned[k] = true
		d.lost[k] = d.lost[k] || errors.Is(err, errSamplesLost)
		return
	}
	if err != nil {
		d.damaged(err)
		return
	}
	d.tally(digestKey{r.entry.Log, 0, r.entry.Time.Day()}).AddEntry(p, r.entry.ContentDigest())
}
