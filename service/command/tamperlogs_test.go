package command_test

import (
	"database/sql"
	"encoding/binary"
	"testing"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// hand is somebody with an SQL shell and our codec.
type hand struct {
	t     testing.TB
	db    tables
	codec *chunk.Codec
	log   logdb.LogNo // whose rows are changed
}

// tables is a database of either sort.
type tables interface {
	Exec(query string, args ...any) (sql.Result, error)
	QueryRow(query string, args ...any) *sql.Row
}

func (h *hand) exec(query string, args ...any) {
	h.t.Helper()
	r, err := h.db.Exec(query, args...)
	if err != nil {
		h.t.Fatalf("%s: %v", query, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		h.t.Fatalf("%s: %d rows, %v", query, n, err)
	}
}

func (h *hand) one(query string, args []any, dest ...any) {
	h.t.Helper()
	if err := h.db.QueryRow(query, args...).Scan(dest...); err != nil {
		h.t.Fatalf("%s: %v", query, err)
	}
}

// stream returns the stream of a kind that the site's journal is in, here or at the cloud.
func (h *hand) stream(kind logdb.Kind) (id int64) {
	h.t.Helper()
	h.one(`SELECT id FROM stream WHERE kind = ? AND source = '' ORDER BY id LIMIT 1`, []any{kind}, &id)
	return id
}

func (h *hand) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// page reads a head page as columns.
func (h *hand) page() (seq int64, rows logdb.History, series []int64) {
	h.t.Helper()
	var data []byte
	h.one(`SELECT seq, data FROM head WHERE stream = ? AND log = ? ORDER BY n DESC LIMIT 1`, []any{h.stream(logdb.KindHistorical), h.log}, &seq, &data)
	var p chunk.Page
	h.must(h.codec.Page(data, &p))
	rows = logdb.History{Run: p.Run, Generation: p.Generation, Times: p.Times, Positions: p.Positions}
	for i := range p.Series {
		column, err := h.codec.PageColumn(&p, i, nil)
		h.must(err)
		rows.Columns = append(rows.Columns, column)
	}
	return seq, rows, p.Series
}

func (h *hand) putPage(seq int64, rows logdb.History, series []int64) {
	h.t.Helper()
	data, err := h.codec.AppendPage(nil, &rows, series)
	h.must(err)
	n := rows.Len()
	h.exec(`UPDATE head SET t_min = ?, t_max = ?, p_min = ?, p_max = ?, n = ?, crc = ?, data = ? WHERE seq = ?`,
		rows.Times[0], rows.Times[n-1], rows.Positions[0], rows.Positions[n-1], n, int64(chunk.Checksum(data)), data, seq)
}

func cut[T any](list []T, i int) []T { return append(append([]T{}, list[:i]...), list[i+1:]...) }

// points reads the chunk of a channel, "" for the marks; chunks of the first day.
func (h *hand) points(channel logdb.ChannelKey) (id int64, p chunk.Points) {
	h.t.Helper()
	var data []byte
	h.one(`SELECT c.id, c.data FROM chunk c JOIN series s ON s.id = c.id >> 24 JOIN channel n ON n.id = s.channel WHERE s.stream = ? AND s.log = ? AND n.key = ? ORDER BY c.id LIMIT 1`,
		[]any{h.stream(logdb.KindHistorical), h.log, string(channel)}, &id, &data)
	var b logdb.Block
	h.must(h.codec.Points(data, &b))
	return id, chunk.Points{Times: b.Times, Positions: b.Positions, Values: b.AppendValues(nil)}
}

func (h *hand) putPoints(id int64, p chunk.Points) {
	h.t.Helper()
	data, err := h.codec.AppendPoints(nil, p)
	h.must(err)
	h.putChunk(id, p.Times, p.Positions, data)
}

func (h *hand) putChunk(id int64, times []logdb.Millis, positions []logdb.Position, data []byte) {
	h.t.Helper()
	n := len(times)
	h.exec(`UPDATE chunk SET n = ?, t_min = ?, t_max = ?, p_min = ?, p_max = ?, crc = ?, data = ? WHERE id = ?`,
		n, times[0], times[n-1], minOf(positions), maxOf(positions), int64(chunk.Checksum(data)), data, id)
}

func minOf(list []logdb.Position) logdb.Position {
	out := list[0]
	for _, p := range list {
		out = min(out, p)
	}
	return out
}

func maxOf(list []logdb.Position) logdb.Position {
	out := list[0]
	for _, p := range list {
		out = max(out, p)
	}
	return out
}

func (h *hand) marks() (id int64, m chunk.Marks) {
	h.t.Helper()
	var data []byte
	h.one(`SELECT c.id, c.data FROM chunk c JOIN series s ON s.id = c.id >> 24 WHERE s.stream = ? AND s.log = ? AND s.channel = 0 ORDER BY c.id LIMIT 1`,
		[]any{h.stream(logdb.KindHistorical), h.log}, &id, &data)
	h.must(h.codec.Marks(data, &m))
	return id, m
}

func (h *hand) putMarks(id int64, m chunk.Marks) {
	h.t.Helper()
	data, err := h.codec.AppendMarks(nil, m)
	h.must(err)
	h.putChunk(id, m.Times, m.Positions, data)
}

// storedEntry is a row of entry with what its blob holds.
type storedEntry struct {
	id      int64
	e       logdb.Entry
	rest    []byte // the values of a row
	samples []byte
}

func (h *hand) entry(where string, args ...any) storedEntry {
	h.t.Helper()
	var s storedEntry
	var data []byte
	var position, target, op, log, at int64
	h.one(`SELECT id, position, target, op, log, time_ms, data FROM entry WHERE `+where, args, &s.id, &position, &target, &op, &log, &at, &data)
	n, k := binary.Uvarint(data)
	h.must(s.e.UnmarshalBinary(data[k : k+int(n)]))
	s.rest = data[k+int(n):]
	s.e.Position, s.e.Target, s.e.Op, s.e.Log, s.e.Time = logdb.Position(position), logdb.Position(target), logdb.Op(op), logdb.LogNo(log), logdb.Millis(at)
	_ = h.db.QueryRow(`SELECT data FROM sample WHERE entry = ?`, s.id).Scan(&s.samples)
	return s
}

// put writes an entry back as the store would: with its digest and its checksum.
func (h *hand) put(s storedEntry) {
	h.t.Helper()
	bare := s.e
	bare.Row = nil
	raw, err := bare.AppendBinary(nil)
	h.must(err)
	data := append(binary.AppendUvarint(nil, uint64(len(raw))), raw...)
	data = append(data, s.rest...)
	digest := s.e.ContentDigest()
	b := binary.BigEndian.AppendUint64(nil, uint64(s.e.Position))
	b = binary.BigEndian.AppendUint64(b, uint64(s.e.Target))
	b = binary.BigEndian.AppendUint64(b, uint64(s.e.Time))
	b = binary.BigEndian.AppendUint16(b, uint16(s.e.Log))
	b = append(append(b, byte(s.e.Op)), digest[:]...)
	b = append(append(b, data...), s.samples...)
	h.exec(`UPDATE entry SET time_ms = ?, digest = ?, crc = ?, data = ? WHERE id = ?`, s.e.Time, digest[:], int64(chunk.Checksum(b)), data, s.id)
}

// rawRecords reads a row of raw records: position, run, generation, time, bytes of each.
type rawRecord struct {
	p               logdb.Position
	run, generation int64
	at              logdb.Millis
	data            []byte
}

func (h *hand) raw(kind logdb.Kind) (id int64, out []rawRecord) {
	h.t.Helper()
	var packed []byte
	h.one(`SELECT id, data FROM raw WHERE stream = ? AND log = 0 ORDER BY p_max - p_min DESC, id LIMIT 1`, []any{h.stream(kind)}, &id, &packed)
	data, err := h.codec.Bytes(packed)
	h.must(err)
	var last rawRecord
	for len(data) > 0 {
		next := func() int64 { v, n := binary.Varint(data); data = data[n:]; return v }
		unext := func() uint64 { v, n := binary.Uvarint(data); data = data[n:]; return v }
		last.p += logdb.Position(unext())
		last.run, last.generation = last.run+next(), last.generation+next()
		last.at += logdb.Millis(next())
		n := unext()
		last.data = append([]byte{}, data[:n]...)
		data = data[n:]
		out = append(out, last)
	}
	return id, out
}

func (h *hand) putRaw(id int64, list []rawRecord) {
	h.t.Helper()
	var b []byte
	var last rawRecord
	for _, r := range list {
		b = binary.AppendUvarint(b, uint64(r.p-last.p))
		b = binary.AppendVarint(b, r.run-last.run)
		b = binary.AppendVarint(b, r.generation-last.generation)
		b = binary.AppendVarint(b, int64(r.at-last.at))
		b = append(binary.AppendUvarint(b, uint64(len(r.data))), r.data...)
		last = r
	}
	h.exec(`UPDATE raw SET p_min = ?, p_max = ?, data = ? WHERE id = ?`, list[0].p, list[len(list)-1].p, h.codec.AppendBytes(nil, b), id)
}

func (h *hand) fates(kind logdb.Kind) (id int64, set logdb.FateSet) {
	h.t.Helper()
	var data []byte
	h.one(`SELECT id, data FROM fate WHERE stream = ? LIMIT 1`, []any{h.stream(kind)}, &id, &data)
	h.must(set.UnmarshalBinary(data))
	return id, set
}

func (h *hand) putFates(id int64, set logdb.FateSet) {
	h.t.Helper()
	data, err := set.AppendBinary(nil)
	h.must(err)
	ranges := set.Ranges()
	h.exec(`UPDATE fate SET first = ?, last = ?, data = ? WHERE id = ?`, ranges[0].First, ranges[len(ranges)-1].Last, data, id)
}
