package retrieve

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// history decodes the rows of a historical log.
type history struct {
	recordSize int
	interval   time.Duration // 0: not known, or none
	fixed      bool          // rows come at an interval, known or not
	dec        *device.HistoryDecoder

	// A flicker log has records of two kinds, short and long, whose intervals may end together: newest holds the last of each.
	flicker *device.RingFlicker
	newest  map[*device.HistoryDecoder][]byte
}

func newHistory(p *device.Profile, block []byte, setup device.Setup) (*history, error) {
	program, err := device.ParseHistoryProgram(block)
	if err != nil {
		return nil, fmt.Errorf("read the log's program: %w", err)
	}
	if !program.Enabled() {
		return nil, ErrLogDisabled
	}
	dec, err := p.HistoryDecoder(program, setup.Energy)
	if err != nil {
		return nil, err
	}
	if len(dec.Channels) == 0 {
		return nil, fmt.Errorf("%w: the log's program holds no numbers", ErrLogDisabled)
	}
	return &history{recordSize: program.RecordSize(), interval: program.Interval, fixed: program.Interval > 0, dec: dec}, nil
}

func (h *history) size() int                   { return h.recordSize }
func (h *history) unit() int                   { return 1 }
func (h *history) records(raw []byte) [][]byte { return [][]byte{raw} }

func (h *history) begin(_ context.Context, w *work) error {
	if h.flicker == nil {
		return nil
	}
	h.newest = map[*device.HistoryDecoder][]byte{}
	for _, rec := range w.tail {
		if dec, err := h.of(rec); err == nil {
			h.newest[dec] = rec
		}
	}
	return nil
}

// of returns what decodes a record.
func (h *history) of(rec []byte) (*device.HistoryDecoder, error) {
	if h.flicker == nil {
		return h.dec, nil
	}
	return h.flicker.Of(rec)
}

// row decodes a record.
func (h *history) row(rec []byte, c device.Correction) (*device.HistoryDecoder, device.TStamp, []float64, error) {
	dec, err := h.of(rec)
	if err != nil {
		return nil, device.TStamp{}, nil, err
	}
	row := make([]float64, len(dec.Channels))
	t, err := dec.Decode(rec, row)
	c.Values(dec.Channels, row)
	return dec, t, row, err
}

// foresee has a clock look at the times of the first records, of which a flicker log has two where a short and a long interval end together, and reports
// whether they tell what it is to know. read is when the last of them was read as the newest of its log.
func (h *history) foresee(next []device.TStamp, read time.Time, clock *device.Clock) bool {
	if h.flicker != nil {
		next = slices.CompactFunc(slices.Clone(next), func(a, b device.TStamp) bool { return a.Sub(b) == 0 })
	} else if !h.fixed {
		return false
	}
	return clock.Foresee(next, h.interval, read)
}

// again reports whether a record at the time of the one before tells of the same interval.
func (h *history) again(w *work, dec *device.HistoryDecoder, rec []byte) bool {
	if h.flicker == nil {
		return h.fixed
	}
	return w.log.SameFlicker(rec, h.newest[dec])
}

func (h *history) lost(context.Context, *work) ([]logdb.Batch, error) {
	return nil, nil
}

// decode makes one batch of rows, cut where the clock stepped back or a record does not
// decode, since a batch numbers its rows before its entries.
func (h *history) decode(ctx context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	var out []logdb.Batch
	var cur logdb.Batch
	var notes []logdb.Batch
	if w.prev == nil {
		w.foresee(w.clock, recs)
	}
	var under *device.HistoryDecoder // of the rows at the end of cur
	for _, rec := range recs {
		dec, t, row, err := h.row(rec, w.t.Correction)
		if err != nil {
			if len(cur.Rows) > 0 {
				out, cur = append(out, cur), logdb.Batch{}
			}
			out = append(out, logdb.Batch{Entries: []logdb.Entry{w.unreadable(err)}, Raw: [][]byte{rec}})
			continue
		}
		last := w.lastAt
		at, back := w.stamp(t)
		if at == last && h.again(w, dec, rec) {
			// A log of fixed intervals writes one moment twice only when its clock was set back
			// meanwhile: without a new run the two would be taken for one interval.
			back = max(1, logdb.Millis(h.interval.Milliseconds()))
			w.run++
		}
		if back > 0 {
			note, err := w.steppedBack(ctx, at, back)
			if err != nil {
				return nil, err
			}
			notes = append(notes, note...)
		}
		if h.flicker != nil {
			h.newest[dec] = rec
		}
		n := len(cur.Rows)
		if n == 0 || under != dec || cur.Rows[n-1].Run != w.run || cur.Rows[n-1].Generation != w.gen {
			cur.Rows = append(cur.Rows, logdb.History{
				Log: w.log.Log, Run: w.run, Generation: w.gen, Channels: dec.Channels, Columns: make([][]float64, len(row)),
			})
			n, under = n+1, dec
		}
		b := &cur.Rows[n-1]
		b.Times = append(b.Times, at)
		for c, v := range row {
			b.Columns[c] = append(b.Columns[c], v)
		}
		cur.Raw = append(cur.Raw, rec)
	}
	if len(cur.Rows) > 0 {
		out = append(out, cur)
	}
	return append(notes, out...), nil
}

// steppedBack is the system event that tells of a new run. Several logs see one step: the
// first tells.
func (w *work) steppedBack(ctx context.Context, at, back logdb.Millis) ([]logdb.Batch, error) {
	const hour = 3_600_000
	told := false
	q := logdb.EventQuery{Meter: w.t.UID, Kind: logdb.KindSystem, First: max(0, at-hour), Last: at + hour, Codes: []int64{int64(logdb.SystemTimeChanged)}}
	err := w.r.Store.ReadEvents(ctx, q, func(_ logdb.StreamID, e *logdb.Entry) error {
		told = told || e.System != nil && strings.HasSuffix(e.System.Description, seenByManager)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for a noted step of the clock: %w", err)
	}
	if told {
		return nil, nil
	}
	text := fmt.Sprintf("clock stepped back by about %s (log %s%s", (time.Duration(back) * time.Millisecond).String(), w.log.Name, seenByManager)
	return []logdb.Batch{{Kind: logdb.KindSystem, Entries: []logdb.Entry{{
		Op: logdb.OpAdd, Time: at, System: &logdb.SystemEvent{Type: logdb.SystemTimeChanged, Description: text},
	}}}}, nil
}

// seenByManager marks what no record of the meter says.
const seenByManager = ", seen by the manager)"

// systems decodes records that are one system event each.
type systems struct {
	recordSize int
	event      func(rec []byte) (device.TStamp, logdb.SystemEvent, error)
}

// systemEvents decodes the system log, in the layout that parse reads.
func systemEvents(lay device.SystemLayout, size int, parse func([]byte) (device.SystemRecord, error), say func(device.SystemLayout, device.SystemRecord) logdb.SystemEvent) *systems {
	return &systems{size, func(rec []byte) (device.TStamp, logdb.SystemEvent, error) {
		r, err := parse(rec)
		return r.Time, say(lay, r), err
	}}
}

// ioChanges decodes the log of inputs and outputs.
func ioChanges() *systems {
	return &systems{device.IORecordSize, func(rec []byte) (device.TStamp, logdb.SystemEvent, error) {
		r, err := device.ParseIO(rec)
		return r.Time, r.Event(), err
	}}
}

func (d *systems) size() int                          { return d.recordSize }
func (d *systems) unit() int                          { return 1 }
func (d *systems) begin(context.Context, *work) error { return nil }
func (d *systems) records(raw []byte) [][]byte        { return [][]byte{raw} }
func (d *systems) lost(context.Context, *work) ([]logdb.Batch, error) {
	return nil, nil
}

func (d *systems) decode(_ context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	var b logdb.Batch
	for _, rec := range recs {
		t, ev, err := d.event(rec)
		var e logdb.Entry
		if err != nil {
			e = w.unreadable(err)
		} else {
			at, _ := w.stamp(t)
			e = logdb.Entry{Op: logdb.OpAdd, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: at, System: &ev}
		}
		b.Entries = append(b.Entries, e)
		b.Raw = append(b.Raw, rec)
	}
	return []logdb.Batch{b}, nil
}

// waves assembles recordings.
type waves struct {
	lay   device.WaveformLayout
	setup device.Setup
	pre   int
}

func (d *waves) size() int                          { return device.WaveRecordSize }
func (d *waves) unit() int                          { return device.WaveRecords }
func (d *waves) begin(context.Context, *work) error { return nil }
func (d *waves) lost(context.Context, *work) ([]logdb.Batch, error) {
	return nil, nil
}

func (d *waves) records(raw []byte) [][]byte {
	var out [][]byte
	for len(raw) >= device.WaveRecordSize {
		out = append(out, raw[:device.WaveRecordSize])
		raw = raw[device.WaveRecordSize:]
	}
	return out
}

// rest returns what is left of a capture that stands first, up to the next record 0: the supply failed while it was written, or the memory
// begins within it. What follows is whole again.
func (d *waves) rest(recs [][]byte) [][]byte {
	for i := 1; i < len(recs); i++ {
		if r, err := device.ParseWaveRecord(recs[i]); err == nil && r.Number == 0 {
			return recs[:i]
		}
	}
	return recs
}

// decode takes the 26 records of one capture, or what is left of them. What cannot be assembled keeps its bytes, at its own time if it tells.
func (d *waves) decode(_ context.Context, w *work, recs [][]byte) ([]logdb.Batch, error) {
	raw := make([]byte, 0, len(recs)*device.WaveRecordSize)
	for _, r := range recs {
		raw = append(raw, r...)
	}
	e, err := d.recording(w, recs)
	if err != nil {
		if t, terr := w.log.ParseStamp(recs[0]); terr == nil {
			w.stamp(t)
		}
		e = w.unreadable(err)
	}
	return []logdb.Batch{{Entries: []logdb.Entry{e}, Raw: [][]byte{raw}}}, nil
}

func (d *waves) recording(w *work, recs [][]byte) (logdb.Entry, error) {
	c, err := device.AssembleCapture(recs)
	if err != nil {
		return logdb.Entry{}, err
	}
	at, _ := w.stamp(c.Time)
	wave, start, err := d.lay.Recording(c, d.setup, at, d.pre)
	if err != nil {
		return logdb.Entry{}, err
	}
	w.t.Correction.Waveform(&wave)
	for _, v := range wave.RMS {
		if math.IsInf(v.Value, 0) {
			return logdb.Entry{}, fmt.Errorf("%w: %s is infinite", device.ErrRecord, v.Name)
		}
	}
	return logdb.Entry{Op: logdb.OpAdd, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: start, Waveform: &wave}, nil
}
