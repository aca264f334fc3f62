package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"metermanager/logdb"
)

// flushBytes is how much of a long answer is gathered before it goes out.
const flushBytes = 64 << 10

// SeriesColumn describes one column of an answer of historical data.
type SeriesColumn struct {
	Key    logdb.ChannelKey
	Agg    string // of aggregated answers: mean, min, ...
	Unit   string
	Log    logdb.LogNo
	Stream logdb.StreamID
	// Group marks columns whose values belong to one row when their positions are equal: those
	// of one stream and log. Columns of different groups share a row when their times are equal.
	Group int
	// Unverified: the channel's place or scale in the meter was inferred. Energy of it is not billed.
	Unverified bool
}

// SeriesHead is what stands before the records of an answer.
type SeriesHead struct {
	Meter    logdb.MeterUID
	Columns  []SeriesColumn
	Interval string // of aggregated answers
	Zone     string // IANA name, of aggregated answers
	Dialect  Dialect
}

// SeriesTail is what stands behind the records of an answer.
type SeriesTail struct {
	Limits LimitSummary
	// Corrected marks what was changed since it was recorded.
	Corrected Corrected
	Next      string // cursor, "" at the end
}

// SeriesReader is the part of a log database that a long answer is read from.
type SeriesReader interface {
	ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error
}

// SeriesWriter writes an answer of historical data of any length in little memory, straight
// from mantissas: no row is ever a slice of doubles. Nothing reaches the client before the
// first 64 KB; an error after that must end the connection, so that a cut answer is never a
// valid document (Started tells).
type SeriesWriter struct {
	out     io.Writer
	b       []byte
	room    *seriesRoom
	head    SeriesHead
	groups  []int // of the columns
	absent  string
	rows    int
	first   logdb.Millis
	last    logdb.Millis
	started bool
	whole   func(int)
	err     error
}

// NewSeriesWriter begins an answer.
func NewSeriesWriter(out io.Writer, head SeriesHead) *SeriesWriter {
	w := &SeriesWriter{out: out, head: head, groups: make([]int, len(head.Columns)), room: seriesRooms.Get().(*seriesRoom), absent: "null"}
	w.b = w.room.text[:0]
	if head.Dialect == DialectNaN {
		w.absent = "NaN"
	}
	for i, c := range head.Columns {
		w.groups[i] = max(c.Group, 0)
	}
	b := append(w.b, `{"meter_uid":`...)
	b = AppendString(b, string(head.Meter))
	if head.Interval != "" {
		b = AppendString(append(b, `,"interval":`...), head.Interval)
	}
	if head.Zone != "" {
		b = AppendString(append(b, `,"zone":`...), head.Zone)
	}
	b = append(b, `,"channels":[`...)
	for i, c := range head.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSeriesColumn(b, c)
	}
	w.b = append(b, `],"records":[`...)
	return w
}

func appendSeriesColumn(b []byte, c SeriesColumn) []byte {
	b = AppendString(append(b, `{"chan_key":`...), string(c.Key))
	if c.Agg != "" {
		b = AppendString(append(b, `,"agg":`...), c.Agg)
	}
	if c.Unit != "" {
		b = AppendString(append(b, `,"unit":`...), c.Unit)
	}
	if c.Log != 0 {
		b = strconv.AppendUint(append(b, `,"log":`...), uint64(c.Log), 10)
	}
	if !c.Stream.IsZero() {
		b = AppendString(append(b, `,"stream":`...), c.Stream.String())
	}
	if c.Unverified {
		b = append(b, `,"unverified":true`...)
	}
	return append(b, '}')
}

// OnWhole has f called with the length of the answer before it goes out, if it goes out in one piece.
func (w *SeriesWriter) OnWhole(f func(size int)) { w.whole = f }

// Started reports whether bytes have gone out: then an error can no longer be a document.
func (w *SeriesWriter) Started() bool { return w.started }

// Rows returns how many records were written.
func (w *SeriesWriter) Rows() int { return w.rows }

// Copy writes the values of ids, one for each column (0: none in this range), with first <=
// time < last. It reads in windows, so that memory stays small whatever the range. Once limit
// rows are written (0: no limit) it stops behind the present time and returns where to go
// on; otherwise it returns 0.
func (w *SeriesWriter) Copy(ctx context.Context, r SeriesReader, ids []logdb.SeriesID, span Span, limit int) (logdb.Millis, error) {
	if len(ids) != len(w.groups) {
		return 0, fmt.Errorf("%w: %d series for %d columns", logdb.ErrInvalid, len(ids), len(w.groups))
	}
	column := make(map[logdb.SeriesID]int, len(ids))
	var ask []logdb.SeriesID
	for i, id := range ids {
		if id == 0 {
			continue
		}
		if _, twice := column[id]; twice {
			return 0, fmt.Errorf("%w: a series stands in two columns", logdb.ErrInvalid)
		}
		column[id] = i
		ask = append(ask, id)
	}
	if len(ask) == 0 {
		return 0, w.err
	}
	return w.copyWindows(span, limit, func(c *window, first, last logdb.Millis) error {
		err := r.ReadSeries(ctx, ask, first, last, func(id logdb.SeriesID, b *logdb.Block) error {
			c.columns[column[id]].add(b)
			return nil
		})
		if err != nil {
			return fmt.Errorf("read values from %d to %d: %w", first, last, err)
		}
		return nil
	})
}

// Span is a range of time with about how many values it holds, which sets the windows.
type Span struct {
	First, Last logdb.Millis
	Values      int64
}

// step returns the length of a window.
func (s Span) step() logdb.Millis {
	n := s.Values/windowValues + 1
	return max((s.Last-s.First)/logdb.Millis(n)+1, 60_000)
}

// Close ends the document and sends what is left.
func (w *SeriesWriter) Close(tail SeriesTail) error {
	if w.err != nil {
		return w.err
	}
	b := append(w.b, ']')
	if w.rows > 0 {
		b = appendMillis(append(b, `,"time_first":`...), w.first)
		b = appendMillis(append(b, `,"time_last":`...), w.last)
	}
	b = strconv.AppendInt(append(b, `,"limit_counts":{"skipped":`...), int64(tail.Limits.Skipped), 10)
	b = strconv.AppendInt(append(b, `,"reduced":`...), int64(tail.Limits.Reduced), 10)
	if tail.Limits.NotApplied > 0 {
		b = strconv.AppendInt(append(b, `,"not_applied":`...), int64(tail.Limits.NotApplied), 10)
	}
	if tail.Limits.Lost > 0 {
		b = strconv.AppendInt(append(b, `,"lost":`...), int64(tail.Limits.Lost), 10)
	}
	b = append(b, '}')
	if tail.Corrected.Count > 0 {
		doc, err := json.Marshal(tail.Corrected)
		if err != nil {
			return w.fail(fmt.Errorf("write what was corrected: %w", err))
		}
		b = append(append(b, `,"corrected":`...), doc...)
	}
	if tail.Next != "" {
		b = AppendString(append(b, `,"next":`...), tail.Next)
	}
	w.b = append(b, '}', '\n')
	if !w.started && w.whole != nil {
		w.whole(len(w.b))
	}
	w.flush(0)
	w.leave()
	return w.err
}

// note counts records of a range of times.
func (w *SeriesWriter) note(first, last logdb.Millis, rows int) {
	if w.rows > 0 {
		first, last = min(w.first, first), max(w.last, last)
	}
	w.first, w.last, w.rows = first, last, w.rows+rows
}

func (w *SeriesWriter) appendValue(b []byte, f float64) []byte {
	if w.head.Dialect == DialectNaN && math.IsNaN(f) {
		return append(b, "NaN"...)
	}
	return AppendFloat(b, f)
}

func (w *SeriesWriter) flush(atLeast int) {
	if len(w.b) < atLeast || len(w.b) == 0 || w.err != nil {
		return
	}
	w.started = true
	if _, err := w.out.Write(w.b); err != nil {
		w.fail(fmt.Errorf("send answer: %w", err))
	}
	w.b = w.b[:0]
}

func (w *SeriesWriter) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}
