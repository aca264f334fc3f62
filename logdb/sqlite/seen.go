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
	// lost are the times of rows whose values were lost: whether one comes again cannot be told by its content.
	lost map[logdb.LogNo]map[logdb.Millis]bool
}

func newSeenValues(r *receiver) *seenValues {
	s := &seenValues{
		r: r, copies: map[valueKey]int{}, stored: map[valueKey]int{}, loaded: map[seriesKey]bool{},
		ranges: map[logdb.LogNo]span{}, kept: map[logdb.Millis][]uint64{}, added: map[logdb.Millis]bool{},
		lost: map[logdb.LogNo]map[logdb.Millis]bool{},
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
	if s.lost[k.log][k.time] && s.hadValues(k) {
		return false, nil // what it was cannot be told any more, but the sums have it
	}
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
	if err == nil && len(view.lost) > 0 && s.lost[k.log] == nil {
		s.lost[k.log], err = s.lostRows(view, k.log, in)
	}
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

// lostRows returns the times of the rows of a log within a range whose values were lost.
func (s *seenValues) lostRows(view *view, log logdb.LogNo, in span) (map[logdb.Millis]bool, error) {
	out := map[logdb.Millis]bool{}
	marks := s.r.stream.series[seriesKey{log, marksChannel}]
	if marks == nil {
		return out, nil
	}
	row := seriesRow{id: marks.id}
	list, err := s.r.chunksOf(&row, in)
	if err != nil {
		return nil, err
	}
	lost := *view
	lost.gone = view.lost
	m := seriesMerger{compactor: &compactor{txn: s.r.txn, view: view}, row: &row, marks: true}
	for _, k := range list {
		part, err := m.column(k.id)
		if err != nil {
			return nil, err
		}
		for _, at := range part.Times {
			if at >= in.first && at < in.last && lost.isRowGone(at) {
				out[at] = true
			}
		}
	}
	return out, nil
}

// hadValues reports whether the channel of a value had any on its day.
func (s *seenValues) hadValues(k valueKey) bool {
	channel, err := s.r.channelID(k.channel)
	if err != nil {
		return false
	}
	tally, err := s.r.tally(s.r.stream, k.log, channel, k.time)
	return err == nil && tally.Count > 0
}

const (
	readKept  = `SELECT data FROM kept WHERE stream = ? AND day = ?`
	writeKept = `INSERT INTO kept (stream, day, data) VALUES (?, ?, ?) ON CONFLICT (stream, day) DO UPDATE SET data = excluded.data`
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
	return t.ledger(s, ledgerKept, 0, day, func(tally *logdb.Tally) {
		*tally = logdb.Tally{}
		for _, h := range hashes {
			tally.AddBits(1, 0, h)
		}
	})
}

// keepSuperseded keeps the contents of a row that a change takes the place of, so that the page it came on stores
// nothing when it is posted again. Only sources without positions need that.
func (t *txn) keepSuperseded(s *stream, add *logdb.Entry) error {
	if s.source == "" || add.Row == nil || len(add.Row.Channels) == 0 {
		return nil
	}
	day := add.Time.Day()
	hashes, err := t.keptHashes(s, day)
	if err != nil {
		return err
	}
	hashes = append(hashes, contentsOf(add)...)
	slices.Sort(hashes)
	return t.saveKept(s, day, hashes)
}

// contentsOf returns the hashes of the values of a row.
func contentsOf(add *logdb.Entry) (out []uint64) {
	for i, c := range add.Row.Channels {
		k := valueKey{add.Log, c, add.Time, math.Float64bits(add.Row.Values[i])}
		out = append(out, k.hash())
	}
	return out
}

// forgetSuperseded lets the contents come again that keepSuperseded kept.
func (t *txn) forgetSuperseded(s *stream, add *logdb.Entry) error {
	if s.source == "" || add.Op != logdb.OpAdd || add.Row == nil {
		return nil
	}
	gone := map[uint64]bool{}
	for _, h := range contentsOf(add) {
		gone[h] = true
	}
	return t.unkeep(s, add.Time.Day(), gone)
}

// unkeep forgets contents that are kept of a day.
func (t *txn) unkeep(s *stream, day logdb.Millis, gone map[uint64]bool) error {
	have, err := t.keptHashes(s, day)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(have), func(h uint64) bool { return gone[h] })
	if len(left) == len(have) {
		return nil
	}
	return t.saveKept(s, day, left)
}

// keepContents keeps the hashes of all values of a source before they are cleared.
func (t *txn) keepContents(s *stream) error { return t.keepContentsIn(s, nil) }

// keepContentsIn keeps the contents of some cells, of all when cells is nil.
func (t *txn) keepContentsIn(s *stream, cells map[logCell]bool) error {
	days := map[logdb.Millis][]uint64{}
	for _, r := range s.series {
		if r.key.channel == marksChannel {
			continue
		}
		view, err := t.viewOf(s.id, r.key.log, everything)
		if err != nil {
			return err
		}
		row := seriesRow{id: r.id, channel: r.channel}
		covers := row.covers()
		err = t.values(&row, view, everything, func(b *logdb.Block) error {
			for i, v := range b.AppendValues(nil) {
				if cells != nil && !cells[logCell{s.id, r.key.log, cellOf(dayKey(b.Times[i], covers))}] {
					continue
				}
				key := valueKey{r.key.log, r.channel, b.Times[i], math.Float64bits(v)}
				day := b.Times[i].Day()
				days[day] = append(days[day], key.hash())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for day, hashes := range days {
		have, err := t.keptHashes(s, day)
		if err != nil {
			return err
		}
		hashes = append(hashes, have...)
		slices.Sort(hashes)
		if err := t.saveKept(s, day, hashes); err != nil {
			return err
		}
	}
	return nil
}

// forgetContents lets the content of position p come again.
func (f *forgetter) forgetContents(s *stream, p logdb.Position) error {
	var gone logdb.Tally
	err := f.each(func(rows *sql.Rows) error {
		var digest []byte
		var n int
		var at logdb.Position
		err := rows.Scan(&digest, &n, &at)
		gone.AddBits(at, 0, seenBits(digest, n))
		return err
	}, seenWith, s.id, s.id, p)
	if err == nil && gone.Count > 0 {
		err = f.ledger(s, ledgerSeen, 0, 0, func(tally *logdb.Tally) { tally.Remove(gone) })
	}
	if err == nil {
		_, err = f.exec(forgetSeen, s.id, s.id, p)
	}
	if err != nil {
		return fmt.Errorf("forget contents: %w", err)
	}
	done, err := f.exec(forgetEnded, s.id, p)
	if err != nil {
		return fmt.Errorf("forget contents: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return f.ledger(s, ledgerEnded, 0, 0, func(tally *logdb.Tally) { tally.RemoveBits(p, 0, 0) })
}
