package sqlite

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

const (
	insertEntry = `INSERT INTO entry (meter, kind, stream, position, op, target, log, time_ms, shown, live, channel, code, digest, crc, data)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`
	insertSample = `INSERT INTO sample (entry, data) VALUES (?, ?)`
)

// insertEntry keeps an entry as a row of its own.
func (t *txn) insertEntry(s *stream, e *logdb.Entry, shown int64, live bool) (entryRow, error) {
	data, samples, err := encodeEntry(t.codec, e)
	if err != nil {
		return entryRow{}, fmt.Errorf("%w: %w", logdb.ErrInvalid, err)
	}
	channel, code := filterOf(e)
	digest := e.ContentDigest()
	crc := entryChecksum(e, digest, data, samples)
	id, err := t.insert(insertEntry, s.meter.id, s.kind, s.id, e.Position, e.Op, e.Target, e.Log, e.Time, shown, live,
		channel, code, digest[:], int64(crc), data)
	if err != nil {
		return entryRow{}, fmt.Errorf("keep entry %d of %s: %w", e.Position, s.ref, err)
	}
	if samples != nil {
		if _, err := t.exec(insertSample, id, samples); err != nil {
			return entryRow{}, fmt.Errorf("keep the samples of entry %d of %s: %w", e.Position, s.ref, err)
		}
	}
	if err := t.witness(s, e, digest); err != nil {
		return entryRow{}, err
	}
	if e.Target != 0 && !s.revised {
		s.revised = true
		t.touchStream(s)
	}
	return entryRow{id: id, stream: s.id, shown: shown, live: live, digest: digest, entry: *e}, nil
}

// filterOf returns what events are searched by, and which gap one tells of anew.
func filterOf(e *logdb.Entry) (channel string, code int64) {
	switch {
	case e.Excursion != nil:
		return string(e.Excursion.Channel), e.Excursion.LimitID
	case e.System != nil:
		return "", int64(e.System.Type)
	case e.Gap != nil:
		return "", int64(e.Gap.Replaces)
	}
	return "", 0
}

// entryChecksum covers all of an entry that the columns and blobs hold.
func entryChecksum(e *logdb.Entry, digest logdb.Digest, data, samples []byte) uint32 {
	b := make([]byte, 0, 64+len(data)+len(samples))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Position))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Target))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
	b = binary.BigEndian.AppendUint16(b, uint16(e.Log))
	b = append(b, byte(e.Op))
	b = append(b, digest[:]...)
	b = append(b, data...)
	b = append(b, samples...)
	return chunk.Checksum(b)
}

// encodeEntry writes what the columns do not hold: rows and recordings in the forms of the codec, everything else
// as logdb writes it.
func encodeEntry(codec *chunk.Codec, e *logdb.Entry) (data, samples []byte, err error) {
	bare := *e
	bare.Row = nil
	if w := e.Waveform; w != nil {
		short := *w
		short.Channels = make([]logdb.WaveChannel, len(w.Channels))
		for i, c := range w.Channels {
			short.Channels[i].Name = c.Name
		}
		short.Digital = nil
		bare.Waveform = &short
		if samples, err = encodeSamples(codec, w); err != nil {
			return nil, nil, err
		}
	}
	if data, err = bare.AppendBinary(nil); err != nil {
		return nil, nil, err
	}
	out := binary.AppendUvarint(nil, uint64(len(data)))
	out = append(out, data...)
	if e.Row != nil {
		out = appendRow(out, e.Row)
	}
	return out, samples, nil
}

func decodeEntry(data []byte, e *logdb.Entry) error {
	n, k := binary.Uvarint(data)
	if k <= 0 || n > uint64(len(data)-k) {
		return fmt.Errorf("%w: an entry ends too early", chunk.ErrDamaged)
	}
	if err := e.UnmarshalBinary(data[k : k+int(n)]); err != nil {
		return fmt.Errorf("%w: %w", chunk.ErrDamaged, err)
	}
	if rest := data[k+int(n):]; len(rest) > 0 {
		row, err := readRow(rest)
		if err != nil {
			return err
		}
		e.Row = row
	}
	return nil
}

// appendRow writes the values of a row that stands alone. It begins with 1, so that a row without values is not nothing.
func appendRow(b []byte, row *logdb.Row) []byte {
	b = append(b, 1)
	for i, c := range row.Channels {
		b = binary.AppendUvarint(b, uint64(len(c)))
		b = append(b, c...)
		if m, e, ok := chunk.Decimal(row.Values[i]); ok {
			b = binary.AppendVarint(append(b, e), m)
		} else {
			b = binary.LittleEndian.AppendUint64(append(b, 255), math.Float64bits(row.Values[i]))
		}
	}
	return b
}

func readRow(data []byte) (*logdb.Row, error) {
	short := fmt.Errorf("%w: a row ends too early", chunk.ErrDamaged)
	row := &logdb.Row{}
	if data[0] != 1 {
		return nil, fmt.Errorf("%w: unknown form of a row", chunk.ErrDamaged)
	}
	for data = data[1:]; len(data) > 0; {
		n, k := binary.Uvarint(data)
		if k <= 0 || n >= uint64(len(data)-k) {
			return nil, short
		}
		row.Channels = append(row.Channels, logdb.ChannelKey(data[k:k+int(n)]))
		data = data[k+int(n):]
		e := data[0]
		data = data[1:]
		if e == 255 {
			if len(data) < 8 {
				return nil, short
			}
			row.Values = append(row.Values, math.Float64frombits(binary.LittleEndian.Uint64(data)))
			data = data[8:]
			continue
		}
		m, k := binary.Varint(data)
		if k <= 0 || e > 18 {
			return nil, short
		}
		b := logdb.Block{Mantissas: []int64{m}, Exponent: e}
		row.Values = b.AppendValues(row.Values)
		data = data[k:]
	}
	return row, nil
}

// encodeSamples writes the samples of all channels and the digital inputs, each with its length.
func encodeSamples(codec *chunk.Codec, w *logdb.Waveform) ([]byte, error) {
	out := binary.AppendUvarint([]byte{1}, uint64(len(w.Channels)))
	add := func(values []float64) error {
		blob, err := codec.AppendSamples(nil, values)
		out = binary.AppendUvarint(out, uint64(len(blob)))
		out = append(out, blob...)
		return err
	}
	for _, c := range w.Channels {
		if err := add(c.Samples); err != nil {
			return nil, err
		}
	}
	digital := make([]float64, len(w.Digital))
	for i, d := range w.Digital {
		digital[i] = float64(d)
	}
	return out, add(digital)
}

// decodeSamples fills in the samples that encodeSamples wrote.
func decodeSamples(codec *chunk.Codec, data []byte, w *logdb.Waveform) error {
	short := fmt.Errorf("%w: samples end too early", chunk.ErrDamaged)
	if len(data) == 0 || data[0] != 1 {
		return short
	}
	data = data[1:]
	count, k := binary.Uvarint(data)
	if k <= 0 || count != uint64(len(w.Channels)) {
		return short
	}
	data = data[k:]
	next := func() ([]float64, error) {
		n, k := binary.Uvarint(data)
		if k <= 0 || n > uint64(len(data)-k) {
			return nil, short
		}
		blob := data[k : k+int(n)]
		data = data[k+int(n):]
		return codec.Samples(blob, nil)
	}
	var err error
	for i := range w.Channels {
		if w.Channels[i].Samples, err = next(); err != nil {
			return err
		}
	}
	digital, err := next()
	if err != nil {
		return err
	}
	for _, d := range digital {
		w.Digital = append(w.Digital, byte(d))
	}
	return nil
}

// entryColumns are the columns that scanEntry reads.
const entryColumns = `e.id, e.stream, e.position, e.op, e.target, e.log, e.time_ms, e.shown, e.live, e.digest, e.crc, e.data`

// entryRow is an entry as it is stored.
type entryRow struct {
	id     int64
	stream int64
	shown  int64
	live   bool
	crc    int64
	digest logdb.Digest
	data   []byte
	entry  logdb.Entry
}

// scanEntry reads a row. The columns decide over the blob, so that a change by hand of either is seen.
func scanEntry(rows *sql.Rows, r *entryRow, more ...any) error {
	var position, target logdb.Position
	var op logdb.Op
	var log logdb.LogNo
	var at logdb.Millis
	var digest []byte
	dest := append([]any{&r.id, &r.stream, &position, &op, &target, &log, &at, &r.shown, &r.live, &digest, &r.crc, &r.data}, more...)
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	r.digest = logdb.Digest{}
	copy(r.digest[:], digest)
	r.entry = logdb.Entry{Position: position, Op: op, Target: target, Log: log, Time: at}
	return nil
}

// decode fills in what the blob holds.
func (r *entryRow) decode() error {
	c := r.entry
	if err := decodeEntry(r.data, &r.entry); err != nil {
		return fmt.Errorf("entry %d: %w", c.Position, err)
	}
	r.entry.Position, r.entry.Op, r.entry.Target, r.entry.Log, r.entry.Time = c.Position, c.Op, c.Target, c.Log, c.Time
	return nil
}

const readSamples = `SELECT data FROM sample WHERE entry = ?`

// samples fills in the samples of a recording.
func (c *conn) samples(r *entryRow) error {
	if r.entry.Waveform == nil {
		return nil
	}
	var data []byte
	ok, err := c.one([]any{&data}, readSamples, r.id)
	if err != nil {
		return fmt.Errorf("read the samples of entry %d: %w", r.entry.Position, err)
	}
	if !ok {
		return c.coldSamples(r)
	}
	if err := decodeSamples(c.codec, data, r.entry.Waveform); err != nil {
		return fmt.Errorf("samples of entry %d: %w", r.entry.Position, err)
	}
	if got := entryChecksum(&r.entry, r.digest, r.data, data); int64(got) != r.crc {
		return fmt.Errorf("%w: recording %d has another checksum", chunk.ErrDamaged, r.entry.Position)
	}
	return nil
}
