package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// journal reads this node's own journal of one meter and kind, a window at a time. One
// goroutine uses it, for one action.
type journal struct {
	logs    Logs
	store   Store
	meter   logdb.MeterUID
	kind    logdb.Kind
	id      logdb.JournalID
	size    int // entries of a window at most: windows that are read in sequence grow up to it
	windows []*window
	series  []logdb.Series
	ahead   struct { // what was read above the position that is decided
		first, last logdb.Position // of the journal
		rows        []changedRow   // by log and time
	}
}

// changedRow is a row, as it was added, that the change at a position took away from its time, or left without values.
type changedRow struct {
	log              logdb.LogNo
	time             logdb.Millis
	position, change logdb.Position
}

func (r changedRow) compare(o changedRow) int {
	return cmp.Or(cmp.Compare(r.log, o.log), cmp.Compare(r.time, o.time), cmp.Compare(r.position, o.position), cmp.Compare(r.change, o.change))
}

var _ reduce.Journal = (*journal)(nil)

// window holds the entries among the positions first to last.
type window struct {
	first, last logdb.Position
	size        int // that was asked for
	entries     []logdb.Entry
	changes     []reduce.Change
}

// keptWindows is how many windows are held: the one that is read in sequence and a few that
// its revises point to. firstWindow is how many entries one has that follows no other.
const (
	keptWindows = 4
	firstWindow = 64
)

func newJournal(logs Logs, store Store, meter logdb.MeterUID, kind logdb.Kind, id logdb.JournalID) *journal {
	size := 1000
	if kind == logdb.KindWaveform {
		size = 8
	}
	return &journal{logs: logs, store: store, meter: meter, kind: kind, id: id, size: size}
}

// Entries returns at most max entries from first on.
func (j *journal) Entries(ctx context.Context, first logdb.Position, max int) ([]logdb.Entry, error) {
	page, err := j.logs.ReadStream(ctx, j.meter, j.kind, logdb.StreamID{Journal: j.id, Policy: "0"}, first, max)
	if errors.Is(err, logdb.ErrNotFound) { // its records are not gone
		head, lost := j.logs.Journal(ctx, j.meter, j.kind)
		if lost == nil && head.ID != j.id { // for another cloud, since it was looked at
			return nil, fault.New(fault.Stale, "The journal goes on under another id.")
		}
		return nil, fmt.Errorf("read the journal from position %d: %v", first, errors.Join(err, lost))
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal from position %d: %w", first, err)
	}
	out := page.Entries
	for i := range page.Rows {
		for k := range page.Rows[i].Times {
			out = append(out, page.Rows[i].Entry(k))
		}
	}
	slices.SortFunc(out, func(a, b logdb.Entry) int {
		if a.Position < b.Position {
			return -1
		}
		return 1
	})
	return out, nil
}

// Entry returns the entry at p.
func (j *journal) Entry(ctx context.Context, p logdb.Position) (logdb.Entry, error) {
	w, err := j.window(ctx, p)
	if err != nil {
		return logdb.Entry{}, err
	}
	i, ok := slices.BinarySearchFunc(w.entries, p, func(e logdb.Entry, p logdb.Position) int {
		switch {
		case e.Position < p:
			return -1
		case e.Position > p:
			return 1
		}
		return 0
	})
	if !ok {
		return logdb.Entry{}, fmt.Errorf("%w: position %d of the journal", logdb.ErrNotFound, p)
	}
	return w.entries[i], nil
}

// Changes returns the positions of the revises and withdraws of the record added at target.
func (j *journal) Changes(ctx context.Context, target logdb.Position) ([]logdb.Position, error) {
	w, err := j.window(ctx, target)
	if err != nil {
		return nil, err
	}
	var out []logdb.Position
	i, _ := slices.BinarySearchFunc(w.changes, target, func(c reduce.Change, p logdb.Position) int {
		if c.Target < p {
			return -1
		}
		return 1
	})
	for ; i < len(w.changes) && w.changes[i].Target == target; i++ {
		out = append(out, w.changes[i].Position)
	}
	return out, nil
}

// window returns the window that holds p, and reads it when it is not there.
func (j *journal) window(ctx context.Context, p logdb.Position) (*window, error) {
	size := min(j.size, firstWindow)
	for i, w := range j.windows {
		if p >= w.first && p <= w.last {
			if i > 0 { // the newest used stands first
				j.windows = slices.Insert(slices.Delete(j.windows, i, i+1), 0, w)
			}
			return w, nil
		}
		if p == w.last+1 {
			size = max(size, min(j.size, 2*w.size)) // an action that sends a page reads little more than it sends
		}
	}
	entries, err := j.Entries(ctx, p, size)
	if err != nil {
		return nil, err
	}
	w := &window{first: p, last: math.MaxInt64, size: size, entries: entries}
	if len(entries) >= size {
		w.last = entries[len(entries)-1].Position
	}
	if w.changes, err = j.store.Changes(ctx, j.id, w.first, w.last); err != nil {
		return nil, err
	}
	j.windows = slices.Insert(j.windows, 0, w)
	j.windows = j.windows[:min(len(j.windows), keptWindows)]
	return w, nil
}

// Rows returns the positions at which the live rows of a log with first <= time <= last were added, and those of rows of that time that a change at a
// position above asOf may have taken away.
func (j *journal) Rows(ctx context.Context, log logdb.LogNo, first, last logdb.Millis, asOf logdb.Position) ([]logdb.Position, error) {
	if j.series == nil {
		all, err := j.logs.Series(ctx, j.meter)
		if err != nil {
			return nil, fmt.Errorf("list the series of meter %s: %w", j.meter, err)
		}
		j.series = all
	}
	var ids []logdb.SeriesID
	for _, s := range j.series {
		if s.Log == log && s.Stream.Journal == j.id && s.Stream.Policy == "0" {
			ids = append(ids, s.ID)
		}
	}
	var out []logdb.Position
	if len(ids) > 0 {
		err := j.logs.ReadSeries(ctx, ids, first, last+1, func(_ logdb.SeriesID, b *logdb.Block) error {
			out = append(out, b.Positions...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the rows from %v to %v: %w", first, last, err)
		}
	}
	if err := j.lookAhead(ctx, asOf); err != nil { // afterwards: what was taken away meanwhile was not found above, and is found now
		return nil, err
	}
	rows := j.ahead.rows
	i, _ := slices.BinarySearchFunc(rows, changedRow{log: log, time: first}, changedRow.compare)
	for ; i < len(rows) && rows[i].log == log && rows[i].time <= last; i++ {
		if rows[i].change > asOf {
			out = append(out, rows[i].position)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// lookAhead reads on to the journal's end which rows are taken away above asOf. What it read stays read while positions are decided that rise; another cut
// begins again.
func (j *journal) lookAhead(ctx context.Context, asOf logdb.Position) error {
	a := &j.ahead
	if a.first == 0 || asOf+1 < a.first {
		a.first, a.last, a.rows = asOf+1, asOf, nil
	}
	before := len(a.rows)
	defer func() {
		if len(a.rows) > before {
			slices.SortFunc(a.rows, changedRow.compare)
		}
	}()
	for {
		page, err := j.logs.ReadStream(ctx, j.meter, j.kind, logdb.StreamID{Journal: j.id, Policy: "0"}, a.last+1, j.size)
		if errors.Is(err, logdb.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal from position %d: %w", a.last+1, err)
		}
		highest := logdb.Position(0)
		for i := range page.Rows {
			highest = max(highest, slices.Max(page.Rows[i].Positions))
		}
		for _, e := range page.Entries {
			highest = max(highest, e.Position)
			if e.Op != logdb.OpRevise && e.Op != logdb.OpWithdraw {
				continue
			}
			add, err := j.Entry(ctx, e.Target)
			if errors.Is(err, logdb.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if add.Row != nil && (e.Time != add.Time || !e.Row.HasValue()) { // else it is live still, or another change took it away
				a.rows = append(a.rows, changedRow{add.Log, add.Time, e.Target, e.Position})
			}
		}
		if highest == 0 {
			return nil
		}
		a.last = highest
	}
}

// decided forgets the windows: what they hold of changes was read before more of these were noted.
func (j *journal) decided() { j.windows = nil }
