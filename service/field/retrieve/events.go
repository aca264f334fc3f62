package retrieve

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/service/field/device"
)

// events pairs the crossings of limit and PQ logs. A start waits beside the journal until
// its end comes, or until none can come any more; then it enters once.
//
// The raw of an entry is the start's record, then all records from behind the previous
// entry's up to and including the one that made this entry. So the stored raws, without
// those first records, are the meter's own sequence, which alignment needs.
type events struct {
	recSize int
	// same reports whether a start and an end, or two starts, are about one limit or one phase, by what their records say: what the
	// limit watches may have been programmed anew between them.
	same    func(a, b *logdb.Excursion) bool
	open    []logdb.OpenStart
	again   []logdb.OpenStart // those whose records come in the batch at work, read again
	carry   []byte            // records consumed since the last entry
	batch   logdb.Batch
	dirty   bool
	orphans int
}

func (d *events) size() int { return d.recSize }
func (d *events) unit() int { return 1 }

// timed returns the record of a stored raw whose time is that of its entry.
func (d *events) timed(raw []byte) []byte { return raw[:min(len(raw), d.recSize)] }

func (d *events) records(raw []byte) [][]byte {
	var out [][]byte
	for at := d.recSize; at+d.recSize <= len(raw); at += d.recSize {
		out = append(out, raw[at:at+d.recSize])
	}
	return out
}

func (d *events) begin(ctx context.Context, w *work) error {
	starts, err := w.r.Store.OpenStarts(ctx, w.t.UID, w.kind)
	if err != nil {
		return fmt.Errorf("read the open starts: %w", err)
	}
	d.open, d.again = d.open[:0], nil
	for _, o := range starts {
		if o.Log == w.log.Log {
			d.open = append(d.open, o)
		}
	}
	return nil
}

// expect sets those starts aside that wait and whose records are read again now: an end that stands before them is not theirs.
func (d *events) expect(recs [][]byte) {
	all := append(d.open, d.again...)
	d.open, d.again = nil, nil
	for _, o := range all {
		if slices.ContainsFunc(recs, func(rec []byte) bool { return bytes.Equal(rec, o.Raw) }) {
			d.again = append(d.again, o)
		} else {
			d.open = append(d.open, o)
		}
	}
}

// find returns the newest start that is about the same, -1 when none waits.
func (d *events) find(x *logdb.Excursion) int {
	for i := len(d.open) - 1; i >= 0; i-- {
		if d.same(&d.open[i].Event, x) {
			return i
		}
	}
	return -1
}

// start opens an event. One of the same kind that still waited had no end: power failed,
// say, and the meter found the condition afresh. One of the same record is that very start, read again: it stays as it was
// decoded when its limit was programmed so.
func (d *events) start(w *work, at logdb.Millis, x logdb.Excursion, rec []byte) {
	x.DurationSeconds = math.NaN()
	i := d.find(&x)
	if i >= 0 && bytes.Equal(d.open[i].Raw, rec) {
		return
	}
	for ; i >= 0; i = d.find(&x) {
		d.giveUp(w, i)
	}
	d.open = append(d.open, logdb.OpenStart{Log: w.log.Log, Start: at, Event: x, Raw: bytes.Clone(rec)})
	d.dirty = true
}

// giveUp enters an open start without an end.
func (d *events) giveUp(w *work, i int) {
	o := d.open[i]
	d.open = slices.Delete(d.open, i, i+1)
	d.add(logdb.Entry{Op: logdb.OpAdd, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: o.Start, Excursion: &o.Event}, o.Raw)
}

// end closes an event.
func (d *events) end(ctx context.Context, w *work, at logdb.Millis, x logdb.Excursion) error {
	i := d.find(&x)
	if i < 0 {
		return d.lateEnd(ctx, w, at, x)
	}
	o := d.open[i]
	d.open = slices.Delete(d.open, i, i+1)
	x = closed(o.Event, x)
	e := logdb.Entry{Op: logdb.OpAdd, Log: w.log.Log, Run: w.run, Generation: w.gen, Time: o.Start, Excursion: &x}
	if x.DurationSeconds = float64(at-o.Start) / 1000; at < o.Start {
		x.DurationSeconds, e.Why = math.NaN(), endedBefore
	}
	d.add(e, o.Raw)
	return nil
}

// endedBefore is why the duration of an event is unknown although its end was seen: how far the clock was set back is not
// in the records of events.
const endedBefore = "the end bears an earlier time than the start: the meter's clock was set back meanwhile"

// closed returns a start with the worst of what it and its end say. The end may tell of something else: its limit was programmed anew.
func closed(start, end logdb.Excursion) logdb.Excursion {
	if start.Channel == end.Channel && start.Type == end.Type {
		start.Worst, start.WorstPercent = worse(start.Type, start.Worst, end.Worst), worse(start.Type, start.WorstPercent, end.WorstPercent)
	}
	return start
}

func worse(typ int64, a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	case typ == logdb.ExcursionBelow:
		return math.Min(a, b)
	}
	return math.Max(a, b)
}

// lateEnd gives its end to an event that was given up. An end whose start was never seen
// makes no event: its start is unknown and is not invented.
func (d *events) lateEnd(ctx context.Context, w *work, at logdb.Millis, x logdb.Excursion) error {
	for i := len(d.batch.Entries) - 1; i >= 0; i-- { // not in the journal yet
		e := &d.batch.Entries[i]
		if e.Excursion == nil || !d.same(e.Excursion, &x) {
			continue
		}
		if !math.IsNaN(e.Excursion.DurationSeconds) || e.Why == endedBefore {
			d.orphans++
			return nil
		}
		ended := closed(*e.Excursion, x)
		if ended.DurationSeconds = float64(at-e.Time) / 1000; at < e.Time {
			ended.DurationSeconds, e.Why = math.NaN(), endedBefore
		}
		e.Excursion = &ended
		return nil
	}
	var found *logdb.Entry
	q := logdb.EventQuery{Meter: w.t.UID, Kind: w.kind, First: 0, Last: at, Channels: []logdb.ChannelKey{x.Channel}}
	err := w.r.Store.ReadEvents(ctx, q, func(_ logdb.StreamID, e *logdb.Entry) error {
		if e.Log == w.log.Log && e.Excursion != nil && d.same(e.Excursion, &x) {
			copied, body := *e, *e.Excursion
			copied.Excursion = &body
			found = &copied
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for the start of an event: %w", err)
	}
	// Only the newest event of its kind can be the one that ends here.
	if found == nil || !math.IsNaN(found.Excursion.DurationSeconds) || found.Generation != w.gen || found.Why == endedBefore {
		d.orphans++
		return nil
	}
	target := found.Position
	if found.Target != 0 {
		target = found.Target
	}
	x = closed(*found.Excursion, x)
	x.DurationSeconds = float64(at-found.Time) / 1000 // nothing later than at was asked for
	d.add(logdb.Entry{
		Op: logdb.OpRevise, Target: target, Replaces: found.ContentDigest(), Log: w.log.Log, Run: found.Run, Generation: found.Generation,
		Time: found.Time, Excursion: &x, By: w.r.by(), At: w.r.now(), Why: "the end was found later",
	}, nil)
	return nil
}

// add puts an entry into the batch with the records that led to it.
func (d *events) add(e logdb.Entry, start []byte) {
	raw := make([]byte, d.recSize, 2*d.recSize+len(d.carry))
	for i := range raw {
		raw[i] = 0xFF
	}
	copy(raw, start)
	d.batch.Entries = append(d.batch.Entries, e)
	d.batch.Raw = append(d.batch.Raw, append(raw, d.carry...))
	d.carry = d.carry[:0]
	d.dirty = true
}

// consume notes that rec is the record at work, and that the starts which it told of before wait for what follows it.
func (d *events) consume(rec []byte) {
	d.carry = append(d.carry, rec...)
	for i := 0; i < len(d.again); {
		if !bytes.Equal(d.again[i].Raw, rec) {
			i++
			continue
		}
		d.open = append(d.open, d.again[i])
		d.again = slices.Delete(d.again, i, i+1)
	}
}

// take returns what was gathered, with the starts that wait now.
func (d *events) take(w *work) []logdb.Batch {
	if !d.dirty {
		return nil
	}
	b := d.batch
	b.Open = &logdb.OpenSet{Log: w.log.Log, Starts: slices.Concat(d.open, d.again)}
	d.batch, d.dirty = logdb.Batch{}, false
	return []logdb.Batch{b}
}

func (d *events) waiting() []logdb.OpenStart { return d.open }

// lost enters every open start of the memory that was: the records that would close them are gone.
func (d *events) lost(_ context.Context, w *work) ([]logdb.Batch, error) {
	d.carry = d.carry[:0]
	for i := 0; i < len(d.open); {
		if w.memory[string(d.open[i].Raw)] {
			i++
			continue
		}
		d.giveUp(w, i)
	}
	out := d.take(w)
	for i := range out {
		out[i].Raw = nil // they belong to no place in the new sequence
		for k := range out[i].Entries {
			out[i].Entries[k].Why = endLost(w.t)
		}
	}
	return out, nil
}

// endLost is why the duration of an event is unknown whose end the memory did not hold any more, with what it was decoded under: it has no bytes that
// tell.
func endLost(t *Target) string {
	ratio := func(v float64) string { return strconv.FormatFloat(cmp.Or(v, 1), 'g', -1, 64) }
	return endLostBefore + strings.Join([]string{t.Zone.String(), "CT factor " + ratio(t.Correction.CT), "PT factor " + ratio(t.Correction.PT)}, ", ")
}

const endLostBefore = "the memory was reset or replaced before its end was read; decoded in zone "

// wasUnder reads what endLost tells; false for an event of an older program, or of another reason.
func wasUnder(why string) (s snapshot, ok bool) {
	text, ok := strings.CutPrefix(why, endLostBefore)
	parts := strings.Split(text, ", ")
	if !ok || len(parts) != 3 {
		return s, false
	}
	s.Zone = parts[0]
	var failed [3]error
	s.CT, failed[0] = strconv.ParseFloat(strings.TrimPrefix(parts[1], "CT factor "), 64)
	s.PT, failed[1] = strconv.ParseFloat(strings.TrimPrefix(parts[2], "PT factor "), 64)
	_, failed[2] = time.LoadLocation(s.Zone)
	return s, failed == [3]error{} && device.Correction{CT: s.CT, PT: s.PT}.Valid()
}

// broken keeps a record that does not decode.
func (d *events) broken(w *work, err error) { d.add(w.unreadable(err), nil) }
