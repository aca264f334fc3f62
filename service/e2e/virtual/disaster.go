package virtual

import (
	"context"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/e2e/judge"
	"metermanager/service/field/sim"
)

// disaster lets something happen that changes who knows what.
func (w *world) disaster(ctx context.Context, e Event, after time.Time) {
	switch e.Kind {
	case Rewind:
		w.rewind(ctx, w.nodes[e.Host], after)
	case Clone, Second:
		w.secondSite(ctx, e.Kind == Clone)
	case Reinstall:
		w.fresh(ctx, w.nodes["site"], true)
	case EmptyCloud:
		w.fresh(ctx, w.nodes["cloud"], false)
	case WrongClock:
		n := w.nodes[e.Host]
		n.SetOffset(e.By)
		w.at(after, func(context.Context) { n.SetOffset(0) })
	case Forget:
		w.forget(ctx)
	case Channels:
		w.channels(ctx, "readings.voltage.an,readings.power.watts,energy.total.wh.received")
		w.at(after, func(ctx context.Context) { w.channels(ctx, "*") })
	case Refresh:
		w.command(ctx, "site", api.CmdCloudRefresh, nil)
	case ResetLog:
		w.losses[int(e.N)] = time.Now()
		if err := w.meter.ResetLog(int(e.N)); err != nil {
			w.problem("%v", err)
		}
	case Reprogram:
		w.reprogram(int(e.N))
	case ResetEnergy:
		w.meter.ResetEnergy()
	case Replace:
		w.replace(ctx)
	}
}

// rewind restores a node's disk later as it is now.
func (w *world) rewind(ctx context.Context, n *Node, after time.Time) {
	image, err := n.Disk().Snapshot()
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.at(after, func(ctx context.Context) {
		w.note("%s is restored", n.Host())
		if err := n.Kill(); err != nil {
			w.problem("%v", err)
		}
		if err := n.Disk().Restore(image); err != nil {
			w.problem("%v", err)
		}
		w.foreign = w.foreign || n.Host() != "cloud"
		w.start(ctx, n)
	})
}

// secondSite makes another site that reads the same meter.
func (w *world) secondSite(ctx context.Context, clone bool) {
	if w.nodes["site2"] != nil {
		return
	}
	if !clone {
		if err := w.newSite(ctx, "site2", nil); err != nil {
			w.note("the second site: %v", err)
		}
		return
	}
	image, err := w.nodes["site"].Disk().Snapshot()
	if err == nil {
		err = w.newSite(ctx, "site2", image)
	}
	if err != nil {
		w.note("the clone: %v", err)
	}
}

// fresh gives a node the disk that it had at first.
func (w *world) fresh(ctx context.Context, n *Node, joins bool) {
	if err := n.Kill(); err != nil {
		w.problem("%v", err)
	}
	if err := n.Disk().Restore(w.template.image.Moved(w.template.folder, n.cfg.Dir)); err != nil {
		w.problem("%v", err)
	}
	w.start(ctx, n)
	if !joins {
		return
	}
	w.foreign = true
	w.rejoin(ctx, n)
}

// rejoin tells a fresh site of its meter and cloud, again and again until it works.
func (w *world) rejoin(ctx context.Context, n *Node) {
	if err := w.join(ctx, n); err != nil {
		w.note("join: %v", err)
		w.at(time.Now().Add(20*time.Minute), func(ctx context.Context) { w.rejoin(ctx, n) })
	}
}

// forget lets the cloud forget an hour of every stream of a kind.
func (w *world) forget(ctx context.Context) {
	site, err := w.nodes["site"].Client()
	if err != nil {
		return
	}
	defer site.Close()
	_, uid, err := uids(ctx, site)
	if err != nil || uid == "" {
		return
	}
	cloud, err := w.nodes["cloud"].Client()
	if err != nil {
		return
	}
	defer cloud.Close()
	for _, kind := range logdb.Kinds {
		states, err := cloud.Streams(ctx, uid, kind)
		if err != nil {
			return
		}
		for _, st := range states {
			from := logdb.MillisOf(time.Now().Add(-2 * time.Hour))
			n, err := cloud.Forget(ctx, uid, kind, api.ForgetRequest{Stream: st.Stream.String(), From: from, To: from + 3_600_000})
			w.note("the cloud forgets %d of %s: %v", n, st.Stream, err)
		}
	}
}

func (w *world) channels(ctx context.Context, list string) {
	w.command(ctx, "site", api.CmdCloudSet, map[string]any{"name": "cloud.upload.channels", "value": list})
}

// command calls a command of a node that may be down.
func (w *world) command(ctx context.Context, host, name string, args map[string]any) {
	c, err := w.nodes[host].Client()
	if err != nil {
		return
	}
	defer c.Close()
	if err := c.Call(ctx, name, args, nil); err != nil {
		w.note("%s %v: %v", name, args, err)
		if name == api.CmdCloudSet { // policies must end as they began
			w.at(time.Now().Add(20*time.Minute), func(ctx context.Context) { w.command(ctx, host, name, args) })
		}
	}
}

// reprogram gives a historical log of the meter other channels, which empties it.
func (w *world) reprogram(log int) {
	truth, err := judge.Recall(w.meter)
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.earlier = append(w.earlier, reprogramed{log, truth.History(log)})
	w.losses[log] = time.Now()
	if err := w.meter.Reprogram(log, 3*time.Minute, "readings.voltage.an", "energy.total.wh.received", "readings.frequency"); err != nil {
		w.problem("%v", err)
	}
}

// replace puts another meter at the address.
func (w *world) replace(ctx context.Context) {
	truth, err := w.truth()
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.past, w.earlier = truth, nil
	for _, log := range []int{sim.LogSystem, sim.LogAlarm, sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogPQ, sim.LogWaveform} {
		w.losses[log] = time.Now()
	}
	w.meterStop()
	if err := <-w.meterDone; err != nil {
		w.problem("%v", err)
	}
	w.meterDone = nil
	if err := w.newMeter(ctx, time.Now().Add(-2*time.Hour)); err != nil {
		w.problem("%v", err)
	}
}
