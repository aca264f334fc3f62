package virtual

import (
	"context"
	"time"

	"metermanager/rpc/api"
)

// happen lets an event happen.
func (w *world) happen(ctx context.Context, e Event) {
	w.note("%s", e)
	after := time.Now().Add(e.For)
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
