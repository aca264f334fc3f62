package reduce

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// Journal is what the decisions and the pages read of a node's own journal.
type Journal interface {
	// Entry returns the entry at p; logdb.ErrNotFound when it is not there.
	Entry(ctx context.Context, p logdb.Position) (logdb.Entry, error)
	// Changes returns the positions of the revises and withdraws of the record added at target, rising.
	Changes(ctx context.Context, target logdb.Position) ([]logdb.Position, error)
	// Entries returns at most max entries from first on, rising; empty at the end.
	Entries(ctx context.Context, first logdb.Position, max int) ([]logdb.Entry, error)
	// Rows returns the positions at which rows of a log were added that are live with first <= time <= last, and those of rows of that time
	// that a change at a position above asOf may have taken away, rising.
	Rows(ctx context.Context, log logdb.LogNo, first, last logdb.Millis, asOf logdb.Position) ([]logdb.Position, error)
}

// RelayedReason is the reason of a skip that came with the journal and states none.
const RelayedReason = "relayed"

// State is what a decider must remember between runs, beside the fates and limit counts.
type State struct {
	Next logdb.Position         `json:"next"` // first position that was never seen
	From logdb.Position         `json:"from"` // no position before it is undecided
	Logs map[logdb.LogNo]LogEnd `json:"logs,omitempty"`
}

// LogEnd is how far a historical log has come. Buckets are per run and generation, so that
// nothing of an older one is open any more.
type LogEnd struct {
	Run        uint32         `json:"run"`
	Generation uint32         `json:"generation"`
	Max        logdb.Millis   `json:"max"`    // newest time in the run
	Closed     logdb.Millis   `json:"closed"` // buckets that end at or before it are closed
	Last       logdb.Position `json:"last"`   // slow logs: the row of the newest interval
}

// Change is a revise or withdraw of the record added at Target.
type Change struct{ Target, Position logdb.Position }

// Decision is what was decided since the last Take: it is to be kept in one transaction.
type Decision struct {
	Fates   logdb.FateSet // of the current stream
	Counts  limit.Counts  // the totals of those spans that were touched
	Changes []Change
	State   State
}

// Empty reports whether there is nothing to keep but perhaps the state.
func (d *Decision) Empty() bool { return d.Fates.Len() == 0 && len(d.Changes) == 0 }

// Decider decides the fates of one journal's positions, in journal order, each once.
type Decider struct {
	kind    logdb.Kind
	cut     *Cut
	journal Journal
	state   State
	counts  limit.Counts
	open    map[logdb.LogNo][]*bucket // oldest first
	holds   map[logdb.Position]*bucket
	leads   map[logdb.Position]logdb.Position // of rows that were not chosen: the change that travels as the row
	out     Decision
	touched map[limit.Key]bool
}

// New makes a decider that goes on from state. counts holds the spans that the
// entries to come may fall into; it is changed.
func New(kind logdb.Kind, cut *Cut, journal Journal, state State, counts limit.Counts) *Decider {
	d := &Decider{
		kind: kind, cut: cut, journal: journal, state: state, counts: counts,
		open: map[logdb.LogNo][]*bucket{}, holds: map[logdb.Position]*bucket{}, leads: map[logdb.Position]logdb.Position{}, touched: map[limit.Key]bool{},
	}
	d.state.Next = max(d.state.Next, 1)
	d.state.Logs = map[logdb.LogNo]LogEnd{}
	for k, v := range state.Logs {
		d.state.Logs[k] = v
	}
	if d.counts == nil {
		d.counts = limit.Counts{}
	}
	return d
}

// Start returns the position from which entries must be fed: the first undecided one.
func (d *Decider) Start() logdb.Position {
	return d.cut.Undecided(max(d.state.From, 1), d.state.Next-1)
}

// Feed takes the entries in journal order, beginning at Start, without holes.
func (d *Decider) Feed(ctx context.Context, e *logdb.Entry) error {
	if err := d.feed(ctx, e); err != nil {
		return err
	}
	if until := d.cut.Current().Policy.Until; until != 0 && e.Position >= until {
		d.Flush()
	}
	return nil
}

func (d *Decider) feed(ctx context.Context, e *logdb.Entry) error {
	p := e.Position
	isNew := p >= d.state.Next
	if p > d.state.Next {
		return fmt.Errorf("%w: position %d of the journal comes after %d", logdb.ErrInvalid, p, d.state.Next-1)
	}
	if isNew {
		d.state.Next = p + 1
		if e.Target != 0 && (e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw) {
			d.out.Changes = append(d.out.Changes, Change{e.Target, p})
		}
	}
	if r, _, ok := d.cut.At(p); ok {
		if isNew {
			d.adopt(e, r)
		}
		return nil
	}
	switch e.Op {
	case logdb.OpAdd:
		if d.kind == logdb.KindHistorical {
			return d.row(ctx, e)
		}
		d.event(e)
	case logdb.OpRevise, logdb.OpWithdraw:
		return d.change(ctx, e)
	case logdb.OpSkip:
		reason := e.Why
		if reason == "" || len(reason) > 64 {
			reason = RelayedReason
		}
		d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateSkipped, Reason: reason, FirstTime: e.Time, LastTime: e.Time})
	case logdb.OpClose:
		d.store(p)
		d.closeLog(e.Log)
	default: // a gap
		d.store(p)
		if d.kind == logdb.KindHistorical {
			d.advance(e)
		}
	}
	return nil
}

// Skip passes over the positions first to last, which are not in the journal any more: they
// were cleared before they were decided.
func (d *Decider) Skip(first, last logdb.Position) {
	for p := first; p <= last; p++ {
		if _, _, ok := d.cut.At(p); !ok {
			d.notChosen(p)
		}
		d.state.Next = max(d.state.Next, p+1)
	}
}

// Flush closes every open bucket: the stream ends here.
func (d *Decider) Flush() {
	for _, log := range sortedLogs(d.open) {
		d.closeLog(log)
	}
}

// Waiting returns how many positions were seen and are not decided yet, since their minute is open.
func (d *Decider) Waiting() int {
	n := 0
	for _, list := range d.open {
		for _, b := range list {
			n += len(b.rows) + len(b.changes)
		}
	}
	return n
}

// Take returns what was decided since the last call.
func (d *Decider) Take() Decision {
	out := d.out
	out.Counts = limit.Counts{}
	for k := range d.touched {
		out.Counts[k] = d.counts[k]
	}
	d.state.From = d.cut.Undecided(d.state.From, d.state.Next-1)
	out.State = d.state
	out.State.Logs = map[logdb.LogNo]LogEnd{}
	for k, v := range d.state.Logs {
		out.State.Logs[k] = v
	}
	d.out = Decision{}
	clear(d.touched)
	return out
}

func (d *Decider) put(r logdb.FateRange) {
	d.cut.Put(r)
	d.out.Fates.Put(r)
}

func (d *Decider) store(p logdb.Position) {
	d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored})
}

func (d *Decider) notChosen(p logdb.Position) {
	d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateNotChosen})
}

func (d *Decider) windows() []logdb.Window { return d.cut.Current().Policy.Limits.Of(d.kind) }

func (d *Decider) count(t logdb.Millis) (ok bool, reason string) {
	windows := d.windows()
	ok, reason = limit.Decide(windows, d.counts, t)
	if ok {
		for _, k := range limit.Keys(windows, t) {
			d.touched[k] = true
		}
	}
	return ok, reason
}

// event decides an event or a recording.
func (d *Decider) event(e *logdb.Entry) {
	p := e.Position
	if e.System != nil && e.System.Type == logdb.SystemLogRetrieval {
		d.notChosen(p)
		return
	}
	// A receiver counts a recording by the start that it gets, that of the shortened one.
	short, _ := limit.ShortenEntry(e, d.cut.Current().Policy.Limits)
	if ok, reason := d.count(short.Time); !ok {
		d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateSkipped, Reason: reason, FirstTime: e.Time, LastTime: e.Time})
		return
	}
	d.store(p)
}

// change decides a revise or withdraw: it inherits the fate of its target. That of a row
// which was reduced travels, as a revise of the row that it was reduced into. The first one that gives a row
// which was not chosen something that is chosen travels as that row, like one that comes late.
func (d *Decider) change(ctx context.Context, e *logdb.Entry) error {
	p, target := e.Position, e.Target
	if r, _, ok := d.cut.At(target); ok && r.Fate == logdb.FateNotChosen && d.kind == logdb.KindHistorical {
		lead, err := d.lead(ctx, target)
		if err != nil {
			return err
		}
		if lead == 0 {
			if leads, err := d.brings(ctx, e); err != nil || leads {
				return err
			}
		} else {
			target = lead
		}
	}
	if b := d.holds[target]; b != nil {
		b.changes = append(b.changes, p)
		b.times = append(b.times, e.Time)
		return nil
	}
	r, _, ok := d.cut.At(target)
	switch {
	case !ok || target >= p:
		// A target to come supersedes it: the live version is the one with the highest position.
		d.notChosen(p)
	case r.Fate == logdb.FateStored || r.Fate == logdb.FateReduced:
		d.store(p)
	case r.Fate == logdb.FateSkipped:
		d.put(logdb.FateRange{First: p, Last: p, Fate: logdb.FateSkipped, Reason: r.Reason, FirstTime: e.Time, LastTime: e.Time})
	default:
		d.put(logdb.FateRange{First: p, Last: p, Fate: r.Fate})
	}
	return nil
}

// lead returns the change that travels as the row at target, which was not chosen; 0 when none does.
func (d *Decider) lead(ctx context.Context, target logdb.Position) (logdb.Position, error) {
	if q, ok := d.leads[target]; ok {
		return q, nil
	}
	return d.cut.lead(ctx, d.journal, target)
}

// brings decides the change e as the row that it changes, which was not chosen, if it gives that something that is chosen. The
// rules are those under which the row was not: what they leave out goes in another cut.
func (d *Decider) brings(ctx context.Context, e *logdb.Entry) (bool, error) {
	_, s, _ := d.cut.At(e.Target)
	policy := &s.Policy
	if row := policy.choose(e.Row); row == nil || len(row.Channels) == 0 || !policy.within(e.Target) {
		return false, nil
	}
	add, err := d.journal.Entry(ctx, e.Target)
	if errors.Is(err, logdb.ErrNotFound) { // it was cleared before the receiver had it
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read position %d: %w", e.Target, err)
	}
	if add.Op != logdb.OpAdd {
		return false, nil
	}
	d.leads[e.Target] = e.Position
	if !d.sameRules(e.Target) {
		d.store(e.Position)
		return true, nil
	}
	return true, d.place(ctx, e)
}

// adopt takes up what the fate r, decided before this decider began, means for what follows.
func (d *Decider) adopt(e *logdb.Entry, r logdb.FateRange) {
	switch {
	case e.Op == logdb.OpClose:
		d.closeLog(e.Log)
	case d.kind == logdb.KindHistorical && (e.Op == logdb.OpAdd || e.Op == logdb.OpGap):
		d.advance(e)
		if e.Op == logdb.OpAdd && r.Fate == logdb.FateStored {
			d.newest(e)
		}
	case e.Op == logdb.OpAdd && r.Fate == logdb.FateStored:
		windows := d.windows()
		short, _ := limit.ShortenEntry(e, d.cut.Current().Policy.Limits)
		for _, k := range limit.Keys(windows, short.Time) {
			d.counts[k]++
			d.touched[k] = true
		}
	}
}

func sortedLogs(m map[logdb.LogNo][]*bucket) []logdb.LogNo {
	out := make([]logdb.LogNo, 0, len(m))
	for log := range m {
		out = append(out, log)
	}
	slices.Sort(out)
	return out
}
