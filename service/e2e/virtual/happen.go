package virtual

import (
	"context"
	"slices"
	"time"

	"metermanager/rpc/api"
)

// aftermath is how long an event may keep somebody from retrieving beyond its own time: power that goes within the hour, what is tried again
// each 20 minutes, and the retrieval that comes each hour.
const aftermath = 4 * time.Hour

// span is a while.
type span struct{ from, to time.Time }

// disturbed reports whether anything may have kept sites from retrieving at some time between two moments.
func (w *world) disturbed(from, to time.Time) bool {
	return slices.ContainsFunc(w.troubled, func(s span) bool { return s.from.Before(to) && from.Before(s.to) })
}

// happen lets an event happen.
func (w *world) happen(ctx context.Context, e Event) {
	if e.Host != "" && w.nodes[e.Host] == nil || e.Link != (Link{}) && (w.nodes[e.Link.From] == nil || w.nodes[e.Link.To] == nil) {
		w.note("%s: not there", e)
		return
	}
	w.note("%s", e)
	after := time.Now().Add(e.For)
	w.troubled = append(w.troubled, span{time.Now(), after.Add(aftermath)})
	switch e.Kind {
	case Kill:
		w.during(ctx, e)
		w.kill(ctx, w.nodes[e.Host], after)
	case KillAfter:
		w.killAfter(ctx, e)
	case Restart:
		w.restart(ctx, w.nodes[e.Host])
	case LinkEvent, Away:
		w.net.Trouble(e.Link, e.Trouble, e.For)
	case MeterOdd:
		w.meter.Inject(e.Meter)
		w.at(after, func(context.Context) { w.meter.ClearFaults() })
	case HangUp:
		w.during(ctx, e)
		w.meter.CloseConnections()
	case DiskFull:
		w.nodes[e.Host].Disk().SetFull(true)
		w.at(after, func(context.Context) { w.nodes[e.Host].Disk().SetFull(false) })
	case ReadOnly:
		w.nodes[e.Host].Disk().SetReadOnly(true)
		w.at(after, func(context.Context) { w.nodes[e.Host].Disk().SetReadOnly(false) })
	case FailSync:
		w.nodes[e.Host].Disk().FailSync(int(e.N))
	default:
		w.disaster(ctx, e, after)
	}
	if e.Retrieve && e.Kind != Kill && e.Kind != HangUp {
		w.during(ctx, e)
	}
}

// during begins a retrieval, without waiting for its end.
func (w *world) during(ctx context.Context, e Event) {
	if !e.Retrieve || !w.nodes["site"].Running() {
		return
	}
	c, err := w.nodes["site"].Client()
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer c.Close()
		_ = c.Call(ctx, api.CmdMeterRetrieve, nil, nil) // faults are what it is for
	}()
	timer := time.NewTimer(e.At % (3 * time.Second))
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (w *world) kill(ctx context.Context, n *Node, back time.Time) {
	if !n.Running() {
		return
	}
	if err := n.Kill(); err != nil {
		w.problem("%v", err)
	}
	w.at(back, func(context.Context) { w.start(ctx, n) })
}

// killAfter lets the power go at one of the next changes of a disk.
func (w *world) killAfter(ctx context.Context, e Event) {
	n := w.nodes[e.Host]
	if !n.Running() {
		return
	}
	gone := n.Disk().CrashAfter(e.N)
	w.during(ctx, Event{At: e.At, Retrieve: e.Retrieve})
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
		n.Disk().CrashAfter(0)
	}
	select {
	case <-gone: // also at the very moment at which the hour ended
		w.note("%s: the power is gone", n.Host())
		n.Bury()
		w.at(time.Now().Add(e.For), func(context.Context) { w.start(ctx, n) })
	default:
	}
}

func (w *world) restart(ctx context.Context, n *Node) {
	if !n.Running() {
		return
	}
	if err := n.Stop(); err != nil {
		w.note("%s ends with %v", n.Host(), err)
	}
	w.start(ctx, n)
}

func (w *world) start(ctx context.Context, n *Node) {
	if n.Running() {
		return
	}
	n.Start(ctx)
	if err := n.Ready(ctx); err != nil {
		w.note("%s does not start: %v", n.Host(), err)
		_ = n.Stop()
		w.at(time.Now().Add(10*time.Minute), func(context.Context) { w.start(ctx, n) })
		return
	}
	w.note("%s is back", n.Host())
}
