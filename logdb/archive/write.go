package archive

import (
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding"

	"metermanager/logdb"
	"metermanager/logdb/chunk"
)

// Version is of the layout, which FORMAT.md describes.
const Version = 1

// MaxRows bounds what a part may hold, and with it the memory that reading takes.
const MaxRows = 1 << 22

// Header says what a file is about.
type Header struct {
	Meter   logdb.MeterUID
	Kind    logdb.Kind // historical or waveform
	Month   Month
	Created time.Time
}

// Series names whose values a part holds. Without a channel it holds the rows of the log.
type Series struct {
	Stream  logdb.StreamID
	Log     logdb.LogNo
	Channel logdb.ChannelKey
}

// Part is where a part lies in its file: the values of one series over one span of days. Who keeps it apart from the
// file notices every byte of it that changes.
type Part struct {
	Index  int   // the row group
	Offset int64 // in bytes
	Size   int64
	CRC    uint32 // CRC-32C of those bytes
}

// Tail is where the description of the parts lies, which ends the file.
type Tail struct {
	Offset int64
	CRC    uint32
}

// The columns, in the order in which they stand in a file.
const (
	columnChannel = iota
	columnExact
	columnExponent
	columnGeneration
	columnInterval
	columnLog
	columnMantissa
	columnPosition
	columnRun
	columnStream
	columnTime
	columns
)

// schema is how files are written, plainSchema without compression: a reader takes both.
var schema, plainSchema = newSchema(packed), newSchema(parquet.Encoded)

func newSchema(packed func(parquet.Node, encoding.Encoding) parquet.Node) *parquet.Schema {
	return parquet.NewSchema("values", parquet.Group{
		"stream":     packed(parquet.String(), &parquet.RLEDictionary),
		"log":        packed(parquet.Int(32), &parquet.RLEDictionary),
		"channel":    packed(parquet.String(), &parquet.RLEDictionary),
		"time":       packed(parquet.Timestamp(parquet.Millisecond), &parquet.DeltaBinaryPacked),
		"position":   packed(parquet.Int(64), &parquet.DeltaBinaryPacked),
		"mantissa":   parquet.Optional(packed(parquet.Int(64), &parquet.DeltaBinaryPacked)),
		"exponent":   parquet.Optional(packed(parquet.Int(32), &parquet.RLEDictionary)),
		"exact":      parquet.Optional(packed(parquet.Leaf(parquet.DoubleType), &parquet.Plain)),
		"interval":   parquet.Optional(packed(parquet.Leaf(parquet.DoubleType), &parquet.RLEDictionary)),
		"run":        parquet.Optional(packed(parquet.Int(64), &parquet.DeltaBinaryPacked)),
		"generation": parquet.Optional(packed(parquet.Int(64), &parquet.DeltaBinaryPacked)),
	})
}

func packed(n parquet.Node, e encoding.Encoding) parquet.Node {
	return parquet.Compressed(parquet.Encoded(n, e), &compression)
}

var compression = zstd.Codec{Level: zstd.SpeedDefault}

// Writer writes one file. Each part stands in a row group of its own.
type Writer struct {
	out    *counter
	file   *parquet.GenericWriter[any]
	parts  int
	buffer []parquet.Value
}

// counter counts and sums what it passes on.
type counter struct {
	w   io.Writer
	at  int64
	crc uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.at += int64(n)
	c.crc = crc32.Update(c.crc, castagnoli, b[:n])
	return n, err
}

// NewWriter begins a file. Close must be called.
func NewWriter(w io.Writer, h Header) *Writer { return newWriter(w, h, schema) }

func newWriter(w io.Writer, h Header, schema *parquet.Schema) *Writer {
	out := &counter{w: w}
	file := parquet.NewGenericWriter[any](out, schema,
		parquet.CreatedBy("metermanager", strconv.Itoa(Version), ""),
		parquet.WriteBufferSize(0), parquet.PageBufferSize(1<<20), parquet.DataPageStatistics(false),
		parquet.SkipPageBounds("stream"), parquet.SkipPageBounds("log"), parquet.SkipPageBounds("position"), parquet.SkipPageBounds("mantissa"),
		parquet.SkipPageBounds("exponent"), parquet.SkipPageBounds("exact"), parquet.SkipPageBounds("run"), parquet.SkipPageBounds("generation"), parquet.SkipPageBounds("interval"),
		parquet.KeyValueMetadata("metermanager.format", strconv.Itoa(Version)),
		parquet.KeyValueMetadata("metermanager.meter", string(h.Meter)),
		parquet.KeyValueMetadata("metermanager.kind", h.Kind.String()),
		parquet.KeyValueMetadata("metermanager.month", h.Month.String()),
		parquet.KeyValueMetadata("metermanager.created", h.Created.UTC().Format(time.RFC3339)))
	return &Writer{out: out, file: file}
}

// Values appends a part with the values of a series.
func (w *Writer) Values(s Series, b *logdb.Block) (Part, error) {
	x := 0
	return w.part(s, b.Times, b.Positions, map[int]func(int) parquet.Value{
		columnMantissa: func(i int) parquet.Value { return parquet.Int64Value(b.Mantissas[i]).Level(0, 1, columnMantissa) },
		columnExponent: func(int) parquet.Value { return parquet.Int32Value(int32(b.Exponent)).Level(0, 1, columnExponent) },
		columnExact:    exact(b.Exceptions, &x),
	})
}

// Rows appends a part with the rows of a log.
func (w *Writer) Rows(s Series, m *chunk.Marks) (Part, error) {
	return w.part(s, m.Times, m.Positions, map[int]func(int) parquet.Value{
		columnRun: func(i int) parquet.Value { return parquet.Int64Value(int64(m.Runs[i])).Level(0, 1, columnRun) },
		columnGeneration: func(i int) parquet.Value {
			return parquet.Int64Value(int64(m.Generations[i])).Level(0, 1, columnGeneration)
		},
	})
}

func (w *Writer) part(s Series, times []logdb.Millis, positions []logdb.Position, more map[int]func(int) parquet.Value) (Part, error) {
	n := len(times)
	if n == 0 || n > MaxRows || len(positions) != n {
		return Part{}, fmt.Errorf("archive %d values of %s: %w", n, s.Channel, logdb.ErrInvalid)
	}
	stream, channel := parquet.ByteArrayValue([]byte(s.Stream.String())), parquet.ByteArrayValue([]byte(s.Channel))
	if more[columnChannel] == nil {
		more[columnChannel] = func(int) parquet.Value { return channel.Level(0, 0, columnChannel) }
	}
	more[columnStream] = func(int) parquet.Value { return stream.Level(0, 0, columnStream) }
	more[columnLog] = func(int) parquet.Value { return parquet.Int32Value(int32(s.Log)).Level(0, 0, columnLog) }
	more[columnTime] = func(i int) parquet.Value { return parquet.Int64Value(int64(times[i])).Level(0, 0, columnTime) }
	more[columnPosition] = func(i int) parquet.Value { return parquet.Int64Value(int64(positions[i])).Level(0, 0, columnPosition) }
	for c, out := range w.file.ColumnWriters() {
		of := more[c]
		if of == nil {
			of = func(int) parquet.Value { return parquet.NullValue().Level(0, 0, c) }
		}
		if err := w.column(out, n, of); err != nil {
			return Part{}, fmt.Errorf("archive values of %s: %w", s.Channel, err)
		}
	}
	out := Part{Index: w.parts, Offset: w.out.at}
	w.out.crc = 0
	if err := w.file.Flush(); err != nil {
		return Part{}, fmt.Errorf("archive values of %s: %w", s.Channel, err)
	}
	out.Size, out.CRC = w.out.at-out.Offset, w.out.crc
	w.parts++
	return out, nil
}

func (w *Writer) column(out *parquet.ColumnWriter, n int, of func(int) parquet.Value) error {
	const batch = 4096
	if w.buffer == nil {
		w.buffer = make([]parquet.Value, batch)
	}
	for i := 0; i < n; {
		values := w.buffer[:min(batch, n-i)]
		for k := range values {
			values[k] = of(i)
			i++
		}
		if _, err := out.WriteRowValues(values); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the file.
func (w *Writer) Close() (Tail, error) {
	out := Tail{Offset: w.out.at}
	w.out.crc = 0
	if err := w.file.Close(); err != nil {
		return out, fmt.Errorf("end an archive file: %w", err)
	}
	out.CRC = w.out.crc
	return out, nil
}

// Size returns how many bytes were written.
func (w *Writer) Size() int64 { return w.out.at }
