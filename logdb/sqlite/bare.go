package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
)

// acceptContents takes a page without positions into the journal that this node makes for its source. What
// was seen before is a repeat, and of equal records inside one page as many are kept as the page with most copies holds.
func (r *receiver) acceptContents() error {
	i := slices.IndexFunc(r.streams, func(s *stream) bool { return s.source == r.page.Source })
	if i >= 0 {
		r.stream = r.streams[i]
	} else {
		var err error
		ref := logdb.StreamID{Journal: r.s.cfg.NewJournalID(), Policy: "0"}
		if r.stream, err = r.makeStream(r.journals, ref, false, r.page.Source); err != nil {
			return err
		}
	}
	if err := r.loadSeries(r.stream); err != nil {
		return err
	}
	r.touchStream(r.stream)
	seen := newSeenValues(r)
	for b := range r.page.Rows {
		for i := range r.page.Rows[b].Len() {
			e := r.page.Rows[b].Entry(i)
			if err := r.takeRow(&e, seen); err != nil {
				return err
			}
		}
	}
	for i := range r.page.Entries {
		e := r.page.Entries[i]
		var err error
		if e.Row != nil {
			err = r.takeRow(&e, seen)
		} else {
			err = r.takeContent(&e)
		}
		if err != nil {
			return err
		}
	}
	if err := r.holdRowsOfSource(); err != nil {
		return err
	}
	return seen.save()
}

// takeRow keeps the values of a row that are new: a historical record is (series, time, value).
func (r *receiver) takeRow(e *logdb.Entry, seen *seenValues) error {
	row := logdb.Row{}
	var all []valueKey
	for i, c := range e.Row.Channels {
		key := valueKey{e.Log, c, e.Time, math.Float64bits(e.Row.Values[i])}
		isNew, err := seen.isNew(key)
		if err != nil {
			return err
		}
		if isNew {
			all = append(all, key)
			row.Channels, row.Values = append(row.Channels, c), append(row.Values, e.Row.Values[i])
		}
	}
	if len(all) == 0 { // also a row without values: it says nothing that could be new
		r.receipt.Repeats++
		return nil
	}
	e.Row = &row
	r.stream.end++
	e.Position = r.stream.end
	if reason := r.pace(e.Log, e.Position, e.Run, e.Time, row.Channels); reason != "" {
		r.skip(e.Position, e.Time, reason)
		for _, key := range all {
			seen.keep(key)
		}
		return nil
	}
	r.put(e.Position, logdb.FateRange{Fate: logdb.FateStored})
	r.entries = append(r.entries, *e)
	r.receipt.Stored++
	return nil
}

// holdRowsOfSource keeps the accepted rows, those that follow each other with the same channels as one page.
func (r *receiver) holdRowsOfSource() error {
	var h logdb.History
	flush := func() error {
		if h.Len() == 0 {
			return nil
		}
		if err := r.holdRows(r.stream, &h); err != nil {
			return err
		}
		return r.touchMarks(&h)
	}
	for i := range r.entries {
		e := &r.entries[i]
		if h.Len() == 0 || h.Log != e.Log || h.Run != e.Run || h.Generation != e.Generation || !slices.Equal(h.Channels, e.Row.Channels) {
			if err := flush(); err != nil {
				return err
			}
			h = logdb.History{Log: e.Log, Run: e.Run, Generation: e.Generation, Channels: e.Row.Channels, Columns: make([][]float64, len(e.Row.Channels))}
		}
		h.Times, h.Positions = append(h.Times, e.Time), append(h.Positions, e.Position)
		for c, v := range e.Row.Values {
			h.Columns[c] = append(h.Columns[c], v)
		}
	}
	return flush()
}

const (
	countSeen    = `SELECT count(*) FROM seen WHERE stream = ? AND digest = ?`
	insertSeen   = `INSERT INTO seen (stream, digest, n, position) VALUES (?, ?, ?, ?)`
	findStarts   = `SELECT ` + entryColumns + ` FROM entry e WHERE e.meter = ? AND e.kind = ? AND e.kind <> 1 AND e.time_ms = ? AND e.stream = ? AND e.op = 1 AND e.channel = ? AND e.code = ? ORDER BY e.position`
	findEnded    = `SELECT count(*) FROM ended WHERE stream = ? AND position = ?`
	insertEnded  = `INSERT INTO ended (stream, position) VALUES (?, ?)`
	countChanges = `SELECT count(*) FROM entry WHERE stream = ? AND target = ? AND target <> 0`
)

// takeContent keeps an event or a recording that was not seen before.
func (r *receiver) takeContent(e *logdb.Entry) error {
	digest := e.ContentDigest()
	if r.copies == nil {
		r.copies = map[logdb.Digest]int{}
	}
	r.copies[digest]++
	var n int
	if _, err := r.one([]any{&n}, countSeen, r.stream.id, digest[:]); err != nil {
		return fmt.Errorf("look for a content: %w", err)
	}
	if r.copies[digest] <= n {
		r.receipt.Repeats++
		return nil
	}
	note := func(p logdb.Position) error {
		if _, err := r.exec(insertSeen, r.stream.id, digest[:], n+1, p); err != nil {
			return fmt.Errorf("note a content: %w", err)
		}
		return nil
	}
	ended, err := r.endedAlready(e)
	if err != nil {
		return err
	}
	if ended != 0 {
		r.receipt.Repeats++
		return note(ended)
	}
	start, err := r.startOf(e)
	if err != nil {
		return err
	}
	if start != nil {
		e.Op, e.Target, e.Replaces = logdb.OpRevise, start.Position, start.ContentDigest()
	}
	r.stream.end++
	e.Position = r.stream.end
	if err := note(e.Position); err != nil {
		return err
	}
	if e.Op == logdb.OpAdd {
		reason, err := r.overLimit(e)
		if err != nil {
			return err
		}
		if reason != "" {
			r.skip(e.Position, e.Time, reason)
			return nil
		}
	}
	r.put(e.Position, logdb.FateRange{Fate: logdb.FateStored})
	before := len(r.entries)
	r.storeEntry(*e)
	// Kept at once: the next record of the page may be the end of this one.
	held := r.entries[before]
	r.entries = r.entries[:before]
	return r.hold(r.stream, &held)
}

// starts returns the adds of the source with the same kind, start, channel, type and limit id as e.
func (r *receiver) starts(e *logdb.Entry) ([]logdb.Entry, error) {
	var out []logdb.Entry
	channel, code := filterOf(e)
	err := r.each(func(rows *sql.Rows) error {
		var row entryRow
		if err := scanEntry(rows, &row); err != nil {
			return err
		}
		if err := row.decode(); err != nil {
			return err
		}
		if x := row.entry.Excursion; x != nil && row.entry.Log == e.Log && x.Type == e.Excursion.Type {
			out = append(out, row.entry)
		}
		return nil
	}, findStarts, r.stream.meter.id, r.stream.kind, e.Time, r.stream.id, channel, code)
	if err != nil {
		return nil, fmt.Errorf("look for the start of an event: %w", err)
	}
	return out, nil
}

// startOf returns the live open event that e ends, the oldest if there are several.
func (r *receiver) startOf(e *logdb.Entry) (*logdb.Entry, error) {
	if e.Excursion == nil || math.IsNaN(e.Excursion.DurationSeconds) {
		return nil, nil
	}
	starts, err := r.starts(e)
	if err != nil {
		return nil, err
	}
	for i := range starts {
		if !math.IsNaN(starts[i].Excursion.DurationSeconds) {
			continue
		}
		var n int
		if _, err := r.one([]any{&n}, countChanges, r.stream.id, starts[i].Position); err != nil {
			return nil, fmt.Errorf("look for the end of an event: %w", err)
		}
		if n == 0 {
			return &starts[i], nil
		}
	}
	return nil, nil
}

// endedAlready returns the position of the ended event that e is the late start of, 0 when there is none: an ended
// event takes the place of one start, whichever of the two is posted first.
func (r *receiver) endedAlready(e *logdb.Entry) (logdb.Position, error) {
	if e.Excursion == nil || !math.IsNaN(e.Excursion.DurationSeconds) {
		return 0, nil
	}
	starts, err := r.starts(e)
	if err != nil {
		return 0, err
	}
	for i := range starts {
		if math.IsNaN(starts[i].Excursion.DurationSeconds) {
			continue
		}
		var n int
		if _, err := r.one([]any{&n}, findEnded, r.stream.id, starts[i].Position); err != nil {
			return 0, fmt.Errorf("look for the start of an event: %w", err)
		}
		if n > 0 {
			continue
		}
		if _, err := r.exec(insertEnded, r.stream.id, starts[i].Position); err != nil {
			return 0, fmt.Errorf("note the start of an event: %w", err)
		}
		return starts[i].Position, nil
	}
	return 0, nil
}

// valueKey is the content of a historical record.
type valueKey struct {
	log     logdb.LogNo
	channel logdb.ChannelKey
	time    logdb.Millis
	bits    uint64
}

func (k *valueKey) hash() uint64 {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 128), uint16(k.log))
	b = binary.BigEndian.AppendUint64(b, uint64(k.time))
	b = binary.BigEndian.AppendUint64(b, k.bits)
	sum := sha256.Sum256(append(b, k.channel...))
	return binary.BigEndian.Uint64(sum[:])
}

// seenValues knows how often each value was seen on one page: as often as it is stored, and as it was kept when it
// was skipped or cleared.
type seenValues struct {
	r      *receiver
	copies map[valueKey]int // on this page
	stored map[valueKey]int
	loaded map[seriesKey]bool
	ranges map[logdb.LogNo]span // of the page
	kept   map[logdb.Millis][]uint64
	added  map[logdb.Millis]bool
}

func newSeenValues(r *receiver) *seenValues {
	s := &seenValues{
		r: r, copies: map[valueKey]int{}, stored: map[valueKey]int{}, loaded: map[seriesKey]bool{},
		ranges: map[logdb.LogNo]span{}, kept: map[logdb.Millis][]uint64{}, added: map[logdb.Millis]bool{},
	}
	widen := func(log logdb.LogNo, at logdb.Millis) {
		in, ok := s.ranges[log]
		if !ok {
			in = span{at, at + 1}
		}
		s.ranges[log] = span{min(in.first, at), max(in.last, at+1)}
	}
	for b := range r.page.Rows {
		for _, at := range r.page.Rows[b].Times {
			widen(r.page.Rows[b].Log, at)
		}
	}
	for i := range r.page.Entries {
		widen(r.page.Entries[i].Log, r.page.Entries[i].Time)
	}
	return s
}

// isNew counts one more copy of a value and reports whether it was not seen before.
func (s *seenValues) isNew(k valueKey) (bool, error) {
	if err := s.load(k); err != nil {
		return false, err
	}
	s.copies[k]++
	known := s.stored[k]
	hashes, err := s.keptOn(k.time.Day())
	if err != nil {
		return false, err
	}
	if len(hashes) > 0 {
		h := k.hash()
		for i, _ := slices.BinarySearch(hashes, h); i < len(hashes) && hashes[i] == h; i++ {
			known++
		}
	}
	if s.copies[k] <= known {
		return false, nil
	}
	s.stored[k]++ // it is about to be, or to be kept; then keep takes it back
	return true, nil
}

// load reads the stored values of a series within the range of the page, once.
func (s *seenValues) load(k valueKey) error {
	channel, err := s.r.channelID(k.channel)
	if err != nil {
		return err
	}
	key := seriesKey{k.log, channel}
	if s.loaded[key] {
		return nil
	}
	s.loaded[key] = true
	known := s.r.stream.series[key]
	in := s.ranges[k.log]
	if known == nil || known.n == 0 || in.first > known.last {
		return nil
	}
	view, err := s.r.viewOf(s.r.stream.id, k.log, in)
	if err != nil {
		return err
	}
	return s.r.values(&seriesRow{id: known.id, channel: k.channel}, view, in, func(b *logdb.Block) error {
		for i, v := range b.AppendValues(nil) {
			s.stored[valueKey{k.log, k.channel, b.Times[i], math.Float64bits(v)}]++
		}
		return nil
	})
}

const (
	readKept  = `SELECT data FROM kept WHERE stream = ? AND day = ?`
	writeKept = `INSERT INTO kept (stream, day, data) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data`
	dropKept  = `DELETE FROM kept WHERE stream = ? AND day = ?`
)

func (s *seenValues) keptOn(day logdb.Millis) ([]uint64, error) {
	if known, ok := s.kept[day]; ok {
		return known, nil
	}
	hashes, err := s.r.keptHashes(s.r.stream, day)
	if err != nil {
		return nil, err
	}
	s.kept[day] = hashes
	return hashes, nil
}

func (t *txn) keptHashes(s *stream, day logdb.Millis) ([]uint64, error) {
	var data []byte
	if _, err := t.one([]any{&data}, readKept, s.id, day); err != nil {
		return nil, fmt.Errorf("read the contents kept of %s: %w", day, err)
	}
	hashes := make([]uint64, 0, len(data)/8)
	for ; len(data) >= 8; data = data[8:] {
		hashes = append(hashes, binary.BigEndian.Uint64(data))
	}
	return hashes, nil
}

// keep notes the content of a value that is not stored.
func (s *seenValues) keep(k valueKey) {
	s.stored[k]--
	day := k.time.Day()
	h := k.hash()
	i, _ := slices.BinarySearch(s.kept[day], h)
	s.kept[day] = slices.Insert(s.kept[day], i, h)
	s.added[day] = true
}

func (s *seenValues) save() error {
	for day := range s.added {
		if err := s.r.saveKept(s.r.stream, day, s.kept[day]); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) saveKept(s *stream, day logdb.Millis, hashes []uint64) error {
	var err error
	if len(hashes) == 0 {
		_, err = t.exec(dropKept, s.id, day)
	} else {
		b := make([]byte, 0, 8*len(hashes))
		for _, h := range hashes {
			b = binary.BigEndian.AppendUint64(b, h)
		}
		_, err = t.exec(writeKept, s.id, day, b)
	}
	if err != nil {
		return fmt.Errorf("keep the contents of %s: %w", day, err)
	}
	return nil
}
