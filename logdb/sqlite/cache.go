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

// cache is what the writer knows of the tables, so that an accepted page costs a few statements. Only the
// writer's goroutine touches it. What is dirty is written before the commit; after a rollback all is forgotten.
type cache struct {
	meters   map[logdb.MeterUID]*meter
	journals map[journalsKey]*journals
	channels map[logdb.ChannelKey]int64
	claims   map[claimKey]*claim
	series   int // loaded, for the bound

	dirtyStreams map[*stream]bool
	dirtySeries  map[*series]bool
	dirtyClaims  map[*claim]bool
}

// Bounds of the cache; beyond them it starts anew. About 200 bytes a series and 1.5 kB a claim.
const (
	maxCachedSeries = 200_000
	maxCachedClaims = 20_000
)

type journalsKey struct {
	meter int64
	kind  logdb.Kind
}

type meter struct {
	id   int64
	step logdb.Millis
}

// journals is all streams of one kind of one meter.
type journals struct {
	meter   *meter
	kind    logdb.Kind
	streams []*stream
}

type stream struct {
	*journals
	id      int64
	ref     logdb.StreamID
	own     bool
	source  string
	fates   logdb.FateSet
	end     logdb.Position
	chain   logdb.Digest
	revised bool

	loaded bool // series and marks are here
	series map[seriesKey]*series
	marks  map[logdb.LogNo]limit.Marks
}

type seriesKey struct {
	log     logdb.LogNo
	channel int64
}

// marksChannel is the channel number of a log's rows.
const marksChannel = 0

type series struct {
	id           int64
	stream       *stream
	key          seriesKey
	channel      logdb.ChannelKey
	n            int64
	first, last  logdb.Millis
	lastPosition logdb.Position
	lastValue    float64
	// A bound must be read again before the commit.
	staleFirst, staleLast bool
}

type claimKey struct {
	stream int64
	log    logdb.LogNo
	day    logdb.Millis
}

// claim is the tallies of one log and day of a stream, by channel; channel 0 for events.
type claim struct {
	key     claimKey
	tallies map[int64]*logdb.Tally
}

func newCache() *cache {
	return &cache{
		meters: map[logdb.MeterUID]*meter{}, journals: map[journalsKey]*journals{}, channels: map[logdb.ChannelKey]int64{},
		claims: map[claimKey]*claim{}, dirtyStreams: map[*stream]bool{}, dirtySeries: map[*series]bool{}, dirtyClaims: map[*claim]bool{},
	}
}

func (c *cache) tooLarge() bool { return c.series > maxCachedSeries || len(c.claims) > maxCachedClaims }

func (t *txn) touchStream(s *stream) { t.changes++; t.cache.dirtyStreams[s] = true }
func (t *txn) touchSeries(s *series) { t.changes++; t.cache.dirtySeries[s] = true }
func (t *txn) touchClaim(c *claim)   { t.changes++; t.cache.dirtyClaims[c] = true }

const (
	loadMeter   = `SELECT id, step_ms FROM meter WHERE uid = ?`
	insertMeter = `INSERT INTO meter (uid, step_ms) VALUES (?, ?)`
)

// meter returns a meter, nil when it is not known and not to be made.
func (t *txn) meter(uid logdb.MeterUID, make bool) (*meter, error) {
	if m, ok := t.cache.meters[uid]; ok {
		return m, nil
	}
	m := &meter{}
	ok, err := t.one([]any{&m.id, &m.step}, loadMeter, string(uid))
	if err != nil {
		return nil, fmt.Errorf("load meter %s: %w", uid, err)
	}
	if !ok {
		if !make {
			return nil, nil
		}
		m.step = 3_600_000
		if m.id, err = t.insert(insertMeter, string(uid), m.step); err != nil {
			return nil, fmt.Errorf("note meter %s: %w", uid, err)
		}
	}
	t.cache.meters[uid] = m
	return m, nil
}

const loadStreams = `SELECT id, journal, policy, own, source, fates, journal_end, chain, revised FROM stream WHERE meter = ? AND kind = ?`

// journalsOf returns the streams of a kind of a meter, none when the meter is not known and not to be made.
func (t *txn) journalsOf(uid logdb.MeterUID, kind logdb.Kind, make bool) (*journals, error) {
	m, err := t.meter(uid, make)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return &journals{kind: kind}, nil
	}
	key := journalsKey{m.id, kind}
	if j, ok := t.cache.journals[key]; ok {
		return j, nil
	}
	j := &journals{meter: m, kind: kind}
	if err := t.loadStreams(j, m.id); err != nil {
		return nil, fmt.Errorf("load the streams of %s: %w", uid, err)
	}
	t.cache.journals[key] = j
	return j, nil
}

// loadStreams fills in the streams of one kind of a meter.
func (c *conn) loadStreams(j *journals, meter int64) error {
	return c.each(func(rows *sql.Rows) error {
		s := &stream{journals: j}
		var journal string
		var fates, chain []byte
		if err := rows.Scan(&s.id, &journal, &s.ref.Policy, &s.own, &s.source, &fates, &s.end, &chain, &s.revised); err != nil {
			return err
		}
		s.ref.Journal = logdb.JournalID(journal)
		copy(s.chain[:], chain)
		j.streams = append(j.streams, s)
		return s.fates.UnmarshalBinary(fates)
	}, loadStreams, meter, j.kind)
}

func (j *journals) own() *stream {
	for _, s := range j.streams {
		if s.own {
			return s
		}
	}
	return nil
}

func (j *journals) find(ref logdb.StreamID) *stream {
	for _, s := range j.streams {
		if s.ref == ref {
			return s
		}
	}
	return nil
}

func (j *journals) byID(id int64) *stream {
	for _, s := range j.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}

// cut returns the streams that carry the same part of the journal as s, s included.
func (s *stream) cut() []*stream {
	var out []*stream
	for _, o := range s.streams {
		if o == s || o.ref.SameCut(s.ref) {
			out = append(out, o)
		}
	}
	return out
}

const insertStream = `INSERT INTO stream (meter, kind, journal, policy, own, source, fates, journal_end, chain, created_ms)
	VALUES (?, ?, ?, ?, ?, ?, x'', 0, x'', ?)`

func (t *txn) makeStream(j *journals, ref logdb.StreamID, own bool, source string) (*stream, error) {
	s := &stream{journals: j, ref: ref, own: own, source: source, loaded: true,
		series: map[seriesKey]*series{}, marks: map[logdb.LogNo]limit.Marks{}}
	var err error
	if s.id, err = t.insert(insertStream, j.meter.id, j.kind, string(ref.Journal), ref.Policy, own, source, t.nowMillis()); err != nil {
		return nil, fmt.Errorf("note stream %s: %w", ref, err)
	}
	j.streams = append(j.streams, s)
	t.touchStream(s)
	return s, nil
}

const loadSeries = `SELECT s.id, s.log, s.channel, coalesce(c.key, ''), s.n, s.t_first, s.t_last, s.last_position, s.last_bits, s.mark_position, s.mark_run, s.mark_time
	FROM series s LEFT JOIN channel c ON c.id = s.channel WHERE s.stream = ?`

func (t *txn) loadSeries(s *stream) error {
	if s.loaded {
		return nil
	}
	s.series, s.marks = map[seriesKey]*series{}, map[logdb.LogNo]limit.Marks{}
	err := t.each(func(rows *sql.Rows) error {
		r := &series{stream: s}
		var bits int64
		var mark limit.Mark
		if err := rows.Scan(&r.id, &r.key.log, &r.key.channel, &r.channel, &r.n, &r.first, &r.last, &r.lastPosition, &bits, &mark.Position, &mark.Run, &mark.Time); err != nil {
			return err
		}
		r.lastValue = math.Float64frombits(uint64(bits))
		s.series[r.key] = r
		t.cache.series++
		if mark.Position != 0 {
			s.marksOf(r.key.log)[r.channel] = mark
		}
		return nil
	}, loadSeries, s.id)
	if err != nil {
		return fmt.Errorf("load the series of %s: %w", s.ref, err)
	}
	s.loaded = true
	return nil
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
	insertChannel = `INSERT INTO channel (key) VALUES (?)`
	insertSeries  = `INSERT INTO series (meter, stream, log, channel, n, t_first, t_last, last_position, last_bits, mark_position, mark_run, mark_time)
	VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0)`
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
	r := &series{stream: s, key: seriesKey{log, channel}, channel: key}
	var err error
	if r.id, err = t.insert(insertSeries, s.meter.id, s.id, log, channel); err != nil {
		return nil, fmt.Errorf("note series %s of %s: %w", key, s.ref, err)
	}
	s.series[r.key] = r
	t.cache.series++
	return r, nil
}

const loadClaim = `SELECT data FROM claim WHERE stream = ? AND log = ? AND day = ?`

// tally returns the claim of a channel on the day of t, to be changed.
func (t *txn) tally(s *stream, log logdb.LogNo, channel int64, at logdb.Millis) (*logdb.Tally, error) {
	key := claimKey{s.id, log, at.Day()}
	c := t.cache.claims[key]
	if c == nil {
		c = &claim{key: key, tallies: map[int64]*logdb.Tally{}}
		var data []byte
		if _, err := t.one([]any{&data}, loadClaim, key.stream, key.log, key.day); err != nil {
			return nil, fmt.Errorf("load the claim of %s on %s: %w", s.ref, key.day, err)
		}
		if err := readClaim(data, func(channel int64, tally logdb.Tally) { c.tallies[channel] = &tally }); err != nil {
			return nil, fmt.Errorf("claim of %s on %s: %w", s.ref, key.day, err)
		}
		t.cache.claims[key] = c
	}
	t.touchClaim(c)
	tally := c.tallies[channel]
	if tally == nil {
		tally = new(logdb.Tally)
		c.tallies[channel] = tally
	}
	return tally, nil
}

// appendClaim writes the tallies of one log and day: channel, count, sums.
func appendClaim(b []byte, c *claim) []byte {
	for channel, tally := range c.tallies {
		if *tally == (logdb.Tally{}) {
			continue
		}
		b = binary.AppendUvarint(b, uint64(channel))
		b = binary.AppendVarint(b, tally.Count)
		b = binary.LittleEndian.AppendUint64(b, tally.Sum[0])
		b = binary.LittleEndian.AppendUint64(b, tally.Sum[1])
	}
	return b
}

func readClaim(data []byte, visit func(int64, logdb.Tally)) error {
	for len(data) > 0 {
		channel, n := binary.Uvarint(data)
		if n <= 0 {
			return chunk.ErrDamaged
		}
		data = data[n:]
		count, n := binary.Varint(data)
		if n <= 0 || len(data) < n+16 {
			return chunk.ErrDamaged
		}
		data = data[n:]
		visit(int64(channel), logdb.Tally{Count: count, Sum: [2]uint64{
			binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:]),
		}})
		data = data[16:]
	}
	return nil
}

const (
	saveStream = `UPDATE stream SET fates = ?, journal_end = ?, chain = ?, revised = ? WHERE id = ?`
	saveSeries = `UPDATE series SET n = ?, t_first = ?, t_last = ?, last_position = ?, last_bits = ?, mark_position = ?, mark_run = ?, mark_time = ? WHERE id = ?`
	saveClaim  = `INSERT INTO claim (stream, log, day, data) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data`
	dropClaim  = `DELETE FROM claim WHERE stream = ? AND log = ? AND day = ?`
)

// flush writes what is dirty.
func (t *txn) flush() error {
	var b []byte
	for s := range t.cache.dirtyStreams {
		b, _ = s.fates.AppendBinary(b[:0]) // it has no way to fail
		var chain []byte
		if !s.chain.IsZero() {
			chain = s.chain[:]
		} else {
			chain = []byte{}
		}
		if _, err := t.exec(saveStream, b, s.end, chain, s.revised, s.id); err != nil {
			return fmt.Errorf("save stream %s: %w", s.ref, err)
		}
	}
	for r := range t.cache.dirtySeries {
		if err := t.refresh(r); err != nil {
			return err
		}
		mark := r.stream.marks[r.key.log][r.channel]
		if _, err := t.exec(saveSeries, r.n, r.first, r.last, r.lastPosition, int64(math.Float64bits(r.lastValue)), mark.Position, mark.Run, mark.Time, r.id); err != nil {
			return fmt.Errorf("save series %d: %w", r.id, err)
		}
	}
	for c := range t.cache.dirtyClaims {
		var err error
		if b = appendClaim(b[:0], c); len(b) == 0 {
			_, err = t.exec(dropClaim, c.key.stream, c.key.log, c.key.day)
		} else {
			_, err = t.exec(saveClaim, c.key.stream, c.key.log, c.key.day, b)
		}
		if err != nil {
			return fmt.Errorf("save the claim of %s: %w", c.key.day, err)
		}
	}
	clear(t.cache.dirtyStreams)
	clear(t.cache.dirtySeries)
	clear(t.cache.dirtyClaims)
	return nil
}
