package reduce

import (
	"context"
	"errors"
	"fmt"
	"math"

	"metermanager/logdb"
)

// bucket is an interval of one run of one log that is still open. It holds positions only:
// what they hold is read again when the page is made.
type bucket struct {
	end       logdb.Millis
	rows      []logdb.Position // adds, rising
	rowTimes  []logdb.Millis
	changes   []logdb.Position // revises and withdraws of those rows, rising
	times     []logdb.Millis
	log       logdb.LogNo
	run, gene uint32
}

// none stands for "no interval closed yet".
const none logdb.Millis = math.MinInt64

// bucketEnd returns the end of the interval (end-step, end] that holds t: a row of energy
// carries the end of what it covers, so the row on the full minute belongs to the minute before.
func bucketEnd(t, step logdb.Millis) logdb.Millis {
	if f := t.Floor(step); f != t {
		t = f + step
	}
	return min(t, logdb.MaxTime)
}

// row decides a historical row.
func (d *Decider) row(ctx context.Context, e *logdb.Entry) error {
	policy := &d.cut.Current().Policy
	d.advance(e)
	if !policy.within(e.Position) || policy.choose(e.Row) == nil {
		d.notChosen(e.Position)
		return nil
	}
	return d.place(ctx, e)
}

// place decides what becomes of a row that is carried.
func (d *Decider) place(ctx context.Context, e *logdb.Entry) error {
	policy := &d.cut.Current().Policy
	switch {
	case policy.step() <= 0:
		d.store(e.Position)
		return nil
	case policy.slow(e.Log):
		return d.slowRow(ctx, e)
	}
	end, ls := bucketEnd(e.Time, policy.step()), d.state.Logs[e.Log]
	if e.Run != ls.Run || e.Generation != ls.Generation || end <= ls.Closed {
		return d.lateRow(ctx, e, end-policy.step()+1, end)
	}
	list := d.open[e.Log]
	i := 0
	for i < len(list) && list[i].end < end {
		i++
	}
	if i == len(list) || list[i].end != end {
		list = append(list, nil)
		copy(list[i+1:], list[i:])
		list[i] = &bucket{end: end, log: e.Log, run: e.Run, gene: e.Generation}
		d.open[e.Log] = list
	}
	b := list[i]
	b.rows = append(b.rows, e.Position)
	b.rowTimes = append(b.rowTimes, e.Time)
	d.holds[e.Position] = b
	return nil
}

// slowRow decides a row of a log that needs no reduction: it travels as it is, at once. Only
// a second row in the same interval would be over the limit and is combined with the first.
// These intervals begin on the full minute, as the receiver's limit counts them.
func (d *Decider) slowRow(ctx context.Context, e *logdb.Entry) error {
	step := d.cut.Current().Policy.step()
	first := e.Time.Floor(step)
	ls := d.state.Logs[e.Log]
	if e.Run == ls.Run && e.Generation == ls.Generation {
		if ls.Last == 0 || first > ls.Closed {
			d.store(e.Position)
			d.newest(e)
			return nil
		}
		if first == ls.Closed {
			if d.sameRules(ls.Last) {
				d.reduceInto(e, ls.Last)
				return nil
			}
		}
	}
	return d.lateRow(ctx, e, first, first+step-1)
}

// newest notes the row of the newest interval of a slow log.
func (d *Decider) newest(e *logdb.Entry) {
	policy := &d.cut.Current().Policy
	ls := d.state.Logs[e.Log]
	if policy.step() <= 0 || !policy.slow(e.Log) || e.Run != ls.Run || e.Generation != ls.Generation {
		return
	}
	if first := e.Time.Floor(policy.step()); ls.Last == 0 || first > ls.Closed {
		ls.Last, ls.Closed = e.Position, first
		d.state.Logs[e.Log] = ls
	}
}

// lateRow decides a row for a closed interval, first to last: it becomes a revise of the row that
// carries the interval, or travels by itself where none does. Whoever decides it later, when these rows were changed, decides the same while the journal
// holds them: a cloud may get both.
func (d *Decider) lateRow(ctx context.Context, e *logdb.Entry, first, last logdb.Millis) error {
	candidates, err := d.journal.Rows(ctx, e.Log, first, last, e.Position)
	if err != nil {
		return fmt.Errorf("look for the rows of %v: %w", last, err)
	}
	for _, q := range candidates {
		if q >= e.Position {
			continue
		}
		carrier := q
		if lead, err := d.lead(ctx, q); err != nil {
			return err
		} else if lead != 0 {
			carrier = lead
		}
		into, ok := d.cut.Row(carrier)
		if !ok || !d.sameRules(into) || !d.sameRules(q) {
			continue
		}
		add, err := d.journal.Entry(ctx, q)
		if errors.Is(err, logdb.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read position %d: %w", q, err)
		}
		if add.Op == logdb.OpAdd && add.Log == e.Log && add.Run == e.Run && add.Generation == e.Generation &&
			add.Time >= first && add.Time <= last {
			was, err := d.versionAt(ctx, &add, e.Position)
			if err != nil {
				return err
			}
			if was.Time < first || was.Time > last || !was.Row.HasValue() {
				continue
			}
			d.reduceInto(e, into)
			return nil
		}
	}
	d.store(e.Position)
	return nil
}

// versionAt returns the version of the row add that was live before position p: the row itself or its last change.
func (d *Decider) versionAt(ctx context.Context, add *logdb.Entry, p logdb.Position) (logdb.Entry, error) {
	changes, err := d.journal.Changes(ctx, add.Position)
	if err != nil {
		return logdb.Entry{}, fmt.Errorf("read the changes of position %d: %w", add.Position, err)
	}
	at := add.Position
	for _, q := range changes {
		if q < p {
			at = max(at, q)
		}
	}
	for _, c := range d.out.Changes { // the journal may not tell of these yet
		if c.Target == add.Position && c.Position < p {
			at = max(at, c.Position)
		}
	}
	if at == add.Position {
		return *add, nil
	}
	e, err := d.journal.Entry(ctx, at)
	if errors.Is(err, logdb.ErrNotFound) { // what it was cannot be told, so that nothing can be combined with it
		return logdb.Entry{}, nil
	}
	if err != nil {
		return logdb.Entry{}, fmt.Errorf("read position %d: %w", at, err)
	}
	return e, nil
}

// sameRules reports whether p was decided under the rules that hold now: a row that is
// combined with one of another policy would lose the channels that only one of them carries.
func (d *Decider) sameRules(p logdb.Position) bool {
	_, s, ok := d.cut.At(p)
	current := d.cut.Current()
	return ok && (s == current || s.Policy.SameRules(current.Policy))
}

func (d *Decider) reduceInto(e *logdb.Entry, into logdb.Position) {
	d.put(logdb.FateRange{
		First: e.Position, Last: e.Position, Fate: logdb.FateReduced, Into: into, FirstTime: e.Time, LastTime: e.Time,
	})
}

// advance notes how far a log has come and closes what e lies beyond by two intervals.
func (d *Decider) advance(e *logdb.Entry) {
	step := d.cut.Current().Policy.step()
	ls, known := d.state.Logs[e.Log]
	switch {
	case !known || e.Run > ls.Run || e.Run == ls.Run && e.Generation > ls.Generation:
		if known {
			d.closeLog(e.Log)
		}
		ls = LogEnd{Run: e.Run, Generation: e.Generation, Max: e.Time, Closed: none}
	case e.Run != ls.Run || e.Generation != ls.Generation:
		return // of an older run: all its intervals are closed
	case e.Time > ls.Max:
		ls.Max = e.Time
	}
	if step > 0 && !d.cut.Current().Policy.slow(e.Log) {
		// An interval that ends at x is closed when there is an entry at x + 2 steps or later.
		ls.Closed = max(ls.Closed, (ls.Max - 2*step).Floor(step))
	}
	d.state.Logs[e.Log] = ls
	list := d.open[e.Log]
	for len(list) > 0 && list[0].end <= ls.Closed {
		d.closeBucket(list[0])
		list = list[1:]
	}
	d.open[e.Log] = list
}

// closeLog closes every open interval of a log.
func (d *Decider) closeLog(log logdb.LogNo) {
	ls, known := d.state.Logs[log]
	for _, b := range d.open[log] {
		d.closeBucket(b)
		ls.Closed = max(ls.Closed, b.end)
	}
	delete(d.open, log)
	if known {
		d.state.Logs[log] = ls
	}
}

// closeBucket decides everything in b: the last row carries all of it.
func (d *Decider) closeBucket(b *bucket) {
	last := b.rows[len(b.rows)-1]
	for i, p := range b.rows {
		delete(d.holds, p)
		if p != last {
			d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateReduced, Into: last, FirstTime: b.rowTimes[i], LastTime: b.rowTimes[i]})
		}
	}
	d.store(last)
	for i, p := range b.changes {
		if p < last { // the combined row has it already
			d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateReduced, Into: last, FirstTime: b.times[i], LastTime: b.times[i]})
			continue
		}
		d.store(p)
	}
}
