package sqlite

import (
	"database/sql"
	"fmt"

	"metermanager/logdb"
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
	dirtyExtents map[*extent]bool
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
	id     int64
	ref    logdb.StreamID
	own    bool
	source string
	fates  logdb.FateSet
	// fatesFrom is the lowest position whose fate is not saved yet.
	fatesFrom logdb.Position
	end       logdb.Position
	chain     logdb.Digest
	ends      logdb.Ends
	revised   bool
	// witnessed says that what is kept apart of this stream is complete; fateSum is the tally of its fates.
	witnessed bool
	fateSum   logdb.FateTally

	loaded  bool // series and marks are here
	extents map[logdb.LogNo]*extent
	series  map[seriesKey]*series
	marks   map[logdb.LogNo]limit.Marks
}

type seriesKey struct {
	log     logdb.LogNo
	channel int64
}

// marksChannel is the channel number of a log's rows.
const marksChannel = 0

func newCache() *cache {
	return &cache{
		meters: map[logdb.MeterUID]*meter{}, journals: map[journalsKey]*journals{}, channels: map[logdb.ChannelKey]int64{},
		claims: map[claimKey]*claim{}, dirtyStreams: map[*stream]bool{}, dirtyExtents: map[*extent]bool{}, dirtyClaims: map[*claim]bool{},
	}
}

func (c *cache) tooLarge() bool { return c.series > maxCachedSeries || len(c.claims) > maxCachedClaims }

func (t *txn) touchStream(s *stream) { t.changes++; t.cache.dirtyStreams[s] = true }
func (t *txn) touchSeries(s *series) { t.changes++; t.cache.dirtyExtents[s.extent] = true }
func (t *txn) touchClaim(c *claim)   { t.changes++; t.cache.dirtyClaims[c] = true }

const (
	loadMeter   = `SELECT id, step_ms FROM meter WHERE uid = ?`
	insertMeter = `INSERT INTO meter (uid, step_ms) VALUES (?, ?) RETURNING id`
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

const loadStreams = `SELECT id, journal, policy, own, source, journal_end, chain, revised, ends, witnessed, fates_a, fates_b FROM stream WHERE meter = ? AND kind = ?`

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
	err := c.each(func(rows *sql.Rows) error {
		s := &stream{journals: j, fatesFrom: unchanged}
		var journal string
		var chain, ends []byte
		var a, b int64
		if err := rows.Scan(&s.id, &journal, &s.ref.Policy, &s.own, &s.source, &s.end, &chain, &s.revised, &ends, &s.witnessed, &a, &b); err != nil {
			return err
		}
		if err := s.ends.UnmarshalBinary(ends); err != nil {
			return err
		}
		s.fateSum = logdb.FateTally{A: uint64(a), B: uint64(b)}
		s.ref.Journal = logdb.JournalID(journal)
		copy(s.chain[:], chain)
		j.streams = append(j.streams, s)
		return nil
	}, loadStreams, meter, j.kind)
	if err != nil {
		return err
	}
	for _, s := range j.streams {
		if s.fates, err = c.fatesOf(s.id); err != nil {
			return err
		}
	}
	return nil
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

const insertStream = `INSERT INTO stream (meter, kind, journal, policy, own, source, journal_end, chain, created_ms, witnessed)
	VALUES (?, ?, ?, ?, ?, ?, 0, x'', ?, 1) RETURNING id`

func (t *txn) makeStream(j *journals, ref logdb.StreamID, own bool, source string) (*stream, error) {
	s := &stream{journals: j, ref: ref, own: own, source: source, fatesFrom: unchanged, loaded: true, witnessed: true,
		extents: map[logdb.LogNo]*extent{}, series: map[seriesKey]*series{}, marks: map[logdb.LogNo]limit.Marks{}}
	var err error
	if s.id, err = t.insert(insertStream, j.meter.id, j.kind, string(ref.Journal), ref.Policy, own, source, t.nowMillis()); err != nil {
		return nil, fmt.Errorf("note stream %s: %w", ref, err)
	}
	j.streams = append(j.streams, s)
	t.touchStream(s)
	return s, nil
}

const saveStream = `UPDATE stream SET journal_end = ?, chain = ?, revised = ?, ends = ?, fates_a = ?, fates_b = ? WHERE id = ?`

// flush writes what is dirty.
func (t *txn) flush() error {
	for s := range t.cache.dirtyStreams {
		chain := []byte{}
		if !s.chain.IsZero() {
			chain = s.chain[:]
		}
		ends, err := s.ends.AppendBinary([]byte{})
		if err != nil {
			return err
		}
		if _, err := t.exec(saveStream, s.end, chain, s.revised, ends, int64(s.fateSum.A), int64(s.fateSum.B), s.id); err != nil {
			return fmt.Errorf("save stream %s: %w", s.ref, err)
		}
		if err := t.saveFates(s); err != nil {
			return err
		}
	}
	for e := range t.cache.dirtyExtents {
		if err := t.saveExtent(e); err != nil {
			return err
		}
	}
	for c := range t.cache.dirtyClaims {
		if err := t.saveClaim(c); err != nil {
			return err
		}
	}
	clear(t.cache.dirtyStreams)
	clear(t.cache.dirtyExtents)
	clear(t.cache.dirtyClaims)
	return nil
}
