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

// windowValues is about how many values of a long answer are held at once.
const windowValues = 1 << 18

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
	head    SeriesHead
	columns []seriesColumn
	groups  int
	rows    int
	first   logdb.Millis
	last    logdb.Millis
	started bool
	err     error
}

// NewSeriesWriter begins an answer.
func NewSeriesWriter(out io.Writer, head SeriesHead) *SeriesWriter {
	w := &SeriesWriter{out: out, head: head, columns: make([]seriesColumn, len(head.Columns)), b: make([]byte, 0, flushBytes+4096)}
	for i, c := range head.Columns {
		w.columns[i].group = max(c.Group, 0)
		w.groups = max(w.groups, c.Group+1)
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
	return append(b, '}')
}

// Started reports whether bytes have gone out: then an error can no longer be a document.
func (w *SeriesWriter) Started() bool { return w.started }

// Rows returns how many records were written.
func (w *SeriesWriter) Rows() int { return w.rows }

// Copy writes the values of ids, one for each column (0: none in this range), with first <=
// time < last. It reads in windows, so that memory stays small whatever the range. Once limit
// rows are written (0: no limit) it stops behind the present time and returns where to go
// on; otherwise it returns 0.
func (w *SeriesWriter) Copy(ctx context.Context, r SeriesReader, ids []logdb.SeriesID, span Span, limit int) (logdb.Millis, error) {
	if len(ids) != len(w.columns) {
		return 0, fmt.Errorf("%w: %d series for %d columns", logdb.ErrInvalid, len(ids), len(w.columns))
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
	step := span.step()
	for at := span.First; at < span.Last && w.err == nil; {
		end := span.Last
		if end-at > step {
			end = at + step
		}
		err := r.ReadSeries(ctx, ask, at, end, func(id logdb.SeriesID, b *logdb.Block) error {
			w.columns[column[id]].add(b)
			return nil
		})
		if err != nil {
			return 0, w.fail(fmt.Errorf("read values from %d to %d: %w", at, end, err))
		}
		if next, stop := w.merge(limit); stop {
			return next, w.err
		}
		at = end
	}
	return 0, w.err
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
	w.flush(0)
	return w.err
}

func (w *SeriesWriter) open(t logdb.Millis) {
	if w.rows > 0 {
		w.b = append(w.b, ',')
	}
	w.note(t, t, 1)
	w.b = appendMillis(append(w.b, '['), t)
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

// merge writes what the columns hold as rows in order of time and empties them.
func (w *SeriesWriter) merge(limit int) (next logdb.Millis, stop bool) {
	lowest := make([]logdb.Position, w.groups)
	absent := "null"
	if w.head.Dialect == DialectNaN {
		absent = "NaN"
	}
	last := logdb.Millis(-1)
	for w.err == nil {
		t := logdb.Millis(math.MaxInt64)
		for i := range w.columns {
			if c := &w.columns[i]; c.i < len(c.times) && c.times[c.i] < t {
				t = c.times[c.i]
			}
		}
		if t == math.MaxInt64 {
			break
		}
		if limit > 0 && w.rows >= limit && t != last {
			next, stop = t, true
			break
		}
		last = t
		w.row(t, lowest, absent)
		w.flush(flushBytes)
	}
	for i := range w.columns {
		w.columns[i].reset()
	}
	return next, stop || w.err != nil
}

// row writes the next record at t: of each group the values of its lowest position there.
func (w *SeriesWriter) row(t logdb.Millis, lowest []logdb.Position, absent string) {
	clear(lowest)
	for i := range w.columns {
		c := &w.columns[i]
		if c.i < len(c.times) && c.times[c.i] == t {
			if p := c.positions[c.i]; lowest[c.group] == 0 || p < lowest[c.group] {
				lowest[c.group] = p
			}
		}
	}
	w.open(t)
	for i := range w.columns {
		c := &w.columns[i]
		w.b = append(w.b, ',')
		if c.i < len(c.times) && c.times[c.i] == t && c.positions[c.i] == lowest[c.group] {
			w.b = c.append(w.b, absent)
		} else {
			w.b = append(w.b, absent...)
		}
	}
	w.b = append(w.b, ']')
}

// seriesColumn holds the values of one column in one window.
type seriesColumn struct {
	group      int
	times      []logdb.Millis
	positions  []logdb.Position
	mantissas  []int64
	segments   []segment
	exceptions []logdb.Exception

	i, segment, exception int // what comes next
}

// segment is a part of a column with one exponent.
type segment struct {
	end      int
	exponent uint8
}

func (c *seriesColumn) add(b *logdb.Block) {
	from := len(c.times)
	c.times = append(c.times, b.Times...)
	c.positions = append(c.positions, b.Positions...)
	for len(c.positions) < len(c.times) { // a source without positions
		c.positions = append(c.positions, 1)
	}
	c.mantissas = append(c.mantissas, b.Mantissas...)
	for _, x := range b.Exceptions {
		c.exceptions = append(c.exceptions, logdb.Exception{Index: from + x.Index, Value: x.Value})
	}
	c.segments = append(c.segments, segment{len(c.times), b.Exponent})
}

func (c *seriesColumn) reset() {
	c.times, c.positions, c.mantissas = c.times[:0], c.positions[:0], c.mantissas[:0]
	c.segments, c.exceptions = c.segments[:0], c.exceptions[:0]
	c.i, c.segment, c.exception = 0, 0, 0
}

// append writes the next value and passes on.
func (c *seriesColumn) append(b []byte, absent string) []byte {
	i := c.i
	c.i++
	for c.exception < len(c.exceptions) && c.exceptions[c.exception].Index < i {
		c.exception++
	}
	for c.segments[c.segment].end <= i {
		c.segment++
	}
	if c.exception < len(c.exceptions) && c.exceptions[c.exception].Index == i {
		v := c.exceptions[c.exception].Value
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, absent...)
		}
		return AppendFloat(b, v)
	}
	return appendDecimal(b, c.mantissas[i], c.segments[c.segment].exponent)
}

// appendDecimal appends m / 10^exponent. The text reads back as exactly that double, and is
// what AppendFloat writes for it when it has up to 15 digits.
func appendDecimal(b []byte, m int64, exponent uint8) []byte {
	if exponent == 0 && m > -1<<53 && m < 1<<53 {
		return strconv.AppendInt(b, m, 10)
	}
	u := uint64(m)
	if m < 0 {
		u = -u
	}
	if u >= 1<<53 || exponent > 15 || exponent > 6 && u < uint64(tens[exponent-6]) {
		return AppendFloat(b, float64(m)/tens[min(int(exponent), len(tens)-1)])
	}
	if m < 0 {
		b = append(b, '-')
	}
	scale := uint64(tens[exponent])
	whole, rest := u/scale, u%scale
	b = strconv.AppendUint(b, whole, 10)
	if rest == 0 {
		return b
	}
	digits := int(exponent)
	for rest%10 == 0 {
		rest /= 10
		digits--
	}
	b = append(b, '.')
	n := len(b)
	b = append(b, "000000000000000"[:digits]...)
	for i := n + digits - 1; i >= n; i-- {
		b[i] = '0' + byte(rest%10)
		rest /= 10
	}
	return b
}
