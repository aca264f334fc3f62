package logdbtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"metermanager/logdb"
)

// Disk is what a store under test writes to: one that can be made to fail.
type Disk interface {
	// Crash takes the power away; what was opened before fails from then on.
	Crash() error
	// CrashAfter lets it go after so many changes, or never with 0, and then closes the channel.
	CrashAfter(changes int64) <-chan struct{}
	// SetFreeBytes limits what may still be written; negative: no limit.
	SetFreeBytes(n int64)
	SetReadOnly(on bool)
	FailSync(n int)
	// Changes counts writes, cuts, creations, deletions and syncs.
	Changes() int64
}

// Machine is a disk with a store on it.
type Machine struct {
	Disk Disk
	// Open opens the store as the disk holds it now.
	Open func(cfg Config) (logdb.Store, error)
}

// RunCrashes plays a random sequence of operations for each seed on a machine whose power goes at any write, whose
// disk runs full, becomes read-only or fails to sync. What was answered with success must be there, once; what
// failed leaves nothing while the power stays, and is there whole or not at all when it went.
func RunCrashes(t *testing.T, machine func(t testing.TB, seed uint64) Machine, seeds ...uint64) {
	t.Helper()
	var shrunk atomic.Bool // one short sequence is enough
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			g := newGenerator(seed)
			script := g.script(10 + g.IntN(25))
			for i := range script {
				script[i].number, script[i].fault = i, g.fault()
			}
			run := func(s []operation) (string, int) { return playFaults(machine(t, seed), seed, s) }
			trouble, n := run(script)
			if trouble == "" {
				return
			}
			script = script[:n]
			if shrunk.CompareAndSwap(false, true) {
				script, trouble = shrink(script, trouble, run)
			}
			t.Errorf("seed %d, after %d operations:\n%s\n%s", seed, len(script), trace(script), trouble)
		})
	}
}

type faultKind int

const (
	noFault faultKind = iota
	crashLater
	diskFull
	diskReadOnly
	syncFails
	syncFailsThenCrash
)

var faultNames = [...]string{"", "the power goes", "the disk has few bytes left", "the disk is read-only", "a sync fails", "a sync fails, then the power goes"}

// fault is what happens to the machine during an operation.
type fault struct {
	kind faultKind
	n    int64 // changes until then, bytes that are left
}

func (g *generator) fault() fault {
	f := fault{kind: pickOne(g, noFault, noFault, noFault, crashLater, crashLater, diskFull, diskReadOnly, syncFails, syncFailsThenCrash)}
	switch f.kind {
	case crashLater:
		f.n = 1 + g.Int64N(pickOne[int64](g, 8, 40, 120))
	case diskFull:
		f.n = g.Int64N(pickOne[int64](g, 1, 5000, 40_000))
	}
	return f
}

// world is the model and what was done with it.
type world struct {
	model   *Model
	ids     *numbered
	changed map[logdb.MeterUID]bool
	done    []operation
}

// numbered makes journal ids that depend on the operation, not on how often it was tried.
type numbered struct {
	mu   sync.Mutex
	next int
}

func (n *numbered) begin(o operation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next = o.number * 1000
}

func (n *numbered) id() logdb.JournalID {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	return logdb.JournalID(fmt.Sprintf("%024x00000000", n.next))
}

func newWorld(ctx context.Context, now func() time.Time, done []operation) *world {
	w := &world{ids: &numbered{}, changed: map[logdb.MeterUID]bool{}}
	w.model = NewModel(Config{Now: now, NewJournalID: w.ids.id})
	for _, o := range done {
		_, _ = w.apply(ctx, o) // compared when it was done first
	}
	return w
}

func (w *world) apply(ctx context.Context, o operation) (string, error) {
	w.ids.begin(o)
	text, err := o.apply(ctx, w.model)
	w.changed[o.meter] = w.changed[o.meter] || changes(w.model, o.meter)
	w.done = append(w.done, o)
	return text, err
}

// trial is one run of a script.
type trial struct {
	machine Machine
	cfg     Config
	ids     *numbered
	at      look
	keys    map[logKey]bool
	store   logdb.Store
	world   *world
	// pending failed when their sync did: one of them may come back with a crash, until something else is written. They
	// stand at the same place of the disk, so that never two do.
	pending []operation
}

func playFaults(m Machine, seed uint64, script []operation) (trouble string, n int) {
	ctx := context.Background()
	now := func() time.Time { return (day0 + 40*logdb.DayMillis).Time() }
	p := &trial{machine: m, at: looks(seed), ids: &numbered{}, keys: map[logKey]bool{}, world: newWorld(ctx, now, nil)}
	p.cfg = Config{Now: now, NewJournalID: p.ids.id}
	var err error
	if p.store, err = m.Open(p.cfg); err != nil {
		return fmt.Sprintf("open: %v", err), 0
	}
	defer func() { _ = p.store.Close() }() // it may be of before a crash
	for i, o := range script {
		p.keys[logKey{o.meter, o.kind}] = true
		if trouble := p.step(ctx, o); trouble != "" {
			return trouble, i + 1
		}
	}
	return p.differs(ctx, p.world), len(script)
}

// step does one operation under its fault and compares what must be equal afterwards.
func (p *trial) step(ctx context.Context, o operation) string {
	d := p.machine.Disk
	crashed := d.CrashAfter(o.fault.changes())
	switch o.fault.kind {
	case diskFull:
		d.SetFreeBytes(o.fault.n)
	case diskReadOnly:
		d.SetReadOnly(true)
	case syncFails, syncFailsThenCrash:
		d.FailSync(1)
	}
	p.ids.begin(o)
	before := d.Changes()
	got, err := o.apply(ctx, p.store)
	wrote := d.Changes() != before
	// The power may go while the store is opened again, too.
	if o.reopen && err == nil {
		if trouble, stop := p.reopen(o); stop {
			return trouble
		}
	}
	d.CrashAfter(0)
	gone := false
	select {
	case <-crashed:
		gone = true
	default:
	}
	if strings.HasPrefix(class(err), "another error") || class(err) == logdb.ErrFull.Error() {
		if o.fault.kind == noFault {
			return fmt.Sprintf("failed without a fault: %v", err)
		}
		return p.failed(ctx, o, err, gone)
	}
	want, wantErr := p.world.apply(ctx, o)
	if class(err) != class(wantErr) || got != want && !gone {
		return fmt.Sprintf("answer: %s, %v\nwant:   %s, %v", got, err, want, wantErr)
	}
	if wrote && err == nil {
		p.pending = nil
	}
	d.SetFreeBytes(-1)
	d.SetReadOnly(false)
	d.FailSync(0)
	if gone || o.fault.kind == syncFailsThenCrash {
		return p.restart(ctx, nil)
	}
	return ""
}

// changes is after how many of them the power goes; 0: it stays.
func (f fault) changes() int64 {
	if f.kind == crashLater {
		return f.n
	}
	return 0
}

// reopen closes the store and opens it under the fault; stop tells that the step ends here.
func (p *trial) reopen(o operation) (trouble string, stop bool) {
	if len(p.pending) > 0 {
		// The system may take what a failed sync has left for written, and nobody can tell then what a power loss
		// later on leaves of it. Only a machine that starts again knows.
		return p.restart(context.Background(), nil), true
	}
	_ = p.store.Close() // the fault may hit it
	fresh, err := p.machine.Open(p.cfg)
	if err == nil {
		p.store = fresh
		return "", false
	}
	if o.fault.kind == noFault {
		return fmt.Sprintf("open again: %v", err), true
	}
	return p.restart(context.Background(), nil), true
}

// failed checks what an operation has left that the fault has hit.
func (p *trial) failed(ctx context.Context, o operation, err error, gone bool) string {
	d := p.machine.Disk
	if !gone {
		// It leaves nothing, and what is there can still be read.
		if trouble := p.differs(ctx, p.world); trouble != "" {
			return fmt.Sprintf("a failed operation (%v) has left something:\n%s", err, trouble)
		}
	}
	if o.fault.kind == diskFull && class(err) != logdb.ErrFull.Error() {
		return fmt.Sprintf("a full disk was answered by %v", err)
	}
	switch {
	case gone, o.fault.kind == syncFailsThenCrash:
		return p.restart(ctx, &o)
	case o.fault.kind == syncFails:
		p.pending = append(p.pending, o)
	}
	d.SetFreeBytes(-1)
	d.SetReadOnly(false)
	d.FailSync(0)
	return ""
}

// restart takes the power away and opens the store again: inFlight is there whole or not at all, so is what was
// pending.
func (p *trial) restart(ctx context.Context, inFlight *operation) string {
	d := p.machine.Disk
	d.SetFreeBytes(-1)
	d.SetReadOnly(false)
	d.FailSync(0)
	if err := d.Crash(); err != nil {
		return err.Error()
	}
	_ = p.store.Close() // its handles are dead
	var err error
	if p.store, err = p.machine.Open(p.cfg); err != nil {
		return fmt.Sprintf("open after the crash: %v", err)
	}
	return p.resolve(ctx, inFlight)
}

// resolve finds out whether one of the operations without an answer is there.
func (p *trial) resolve(ctx context.Context, inFlight *operation) string {
	open := p.pending
	if p.pending = nil; inFlight != nil {
		open = append(open, *inFlight)
	}
	trouble := p.differs(ctx, p.world)
	if trouble == "" {
		return ""
	}
	for _, o := range open {
		other := newWorld(ctx, p.cfg.Now, append(p.world.done[:len(p.world.done):len(p.world.done)], o))
		if more := p.differs(ctx, other); more != "" {
			trouble += "\nand with an operation that was not answered:\n" + more
			continue
		}
		p.world = other
		return ""
	}
	return "opened again:\n" + trouble
}

// differs compares the store with a model in all that can be seen.
func (p *trial) differs(ctx context.Context, w *world) string {
	for k := range p.keys {
		if trouble := compare(ctx, w.model, p.store, k, p.at, !w.changed[k.meter]); trouble != "" {
			return trouble
		}
	}
	return ""
}
