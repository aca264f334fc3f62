package virtual

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/service/config"
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
		const some = "readings.voltage.an,readings.power.watts,energy.total.wh.received"
		w.policy(ctx, after, api.CmdCloudSet, "cloud.upload.channels", some, "*")
	case Limits:
		w.policy(ctx, after, api.CmdCloudSet, "cloud.limit.pq", "1/min 3/h", "default")
		w.policy(ctx, after, api.CmdCloudSet, "cloud.limit.limits", "1/h", "default")
		w.policy(ctx, after, api.CmdCloudSet, "cloud.limit.system", "1/min 2/h", "default")
	case Strict:
		w.strict(ctx, true)
		w.at(after, func(ctx context.Context) { w.strict(ctx, false) })
	case Zone:
		w.policy(ctx, after, api.CmdMeterSet, "zone", wrongZone, w.plan.Zone)
	case Scale:
		w.policy(ctx, after, api.CmdMeterSet, "ct_factor", "2.5", "1")
		w.policy(ctx, after, api.CmdMeterSet, "pt_factor", "0.5", "1")
	case SecondUp:
		w.secondCloud(ctx)
	case Refresh:
		_ = w.command(ctx, "site", api.CmdCloudRefresh, nil) // it may be down
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
	case CloneCloud:
		w.cloneCloud(ctx, e.N, after)
	case Archive:
		w.archived(ctx, w.nodes[e.Host])
	}
}

// rewind restores a node's disk later as it is now.
func (w *world) rewind(ctx context.Context, n *Node, after time.Time) {
	image, err := n.Image()
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.at(after, func(ctx context.Context) {
		w.note("%s is restored", n.Host())
		if err := n.Kill(); err != nil {
			w.problem("%v", err)
		}
		if err := n.Restore(image); err != nil {
			w.problem("%v", err)
		}
		w.foreign = w.foreign || slices.Contains(w.sites, n.Host())
		w.start(ctx, n)
		w.joinSecond(ctx, n.Host()) // the backup may be older
		w.again(ctx, n.Host())
		if slices.Contains(w.sites, n.Host()) && w.isBare(ctx, n.Host()) { // older than that anybody had set it up
			w.rejoin(ctx, n)
		}
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
			if n := w.nodes["site2"]; n != nil {
				w.rejoin(ctx, n)
			}
		}
		return
	}
	image, err := w.nodes["site"].Image()
	if err == nil {
		err = w.newSite(ctx, "site2", image)
	}
	if err != nil {
		w.note("the clone: %v", err)
		return
	}
	if w.isBare(ctx, "site2") { // copied before anybody had set up the first one
		w.rejoin(ctx, w.nodes["site2"])
		return
	}
	w.again(ctx, "site2") // the first one may have been told meanwhile what its disk did not say yet
}

// isBare reports whether a site was not told of its meter yet.
func (w *world) isBare(ctx context.Context, host string) bool {
	site, err := w.nodes[host].Client()
	if err != nil {
		return false
	}
	defer site.Close()
	s, err := site.Status(ctx)
	return err == nil && len(s.Meters) == 0
}

// fresh gives a node the disk that it had at first.
func (w *world) fresh(ctx context.Context, n *Node, joins bool) {
	if err := n.Kill(); err != nil {
		w.problem("%v", err)
	}
	if err := n.Restore(&Image{dir: w.template.folder, disk: w.template.image}); err != nil {
		w.problem("%v", err)
	}
	w.start(ctx, n)
	if !joins {
		w.joinSecond(ctx, n.Host())
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
		return
	}
	w.joinSecond(ctx, n.Host())
	w.again(ctx, n.Host())
}

// again sets what is wanted once more: a site that went back to a backup or begins anew has other settings.
func (w *world) again(ctx context.Context, host string) {
	if host == "cloud" && w.plan.holds(Strict) {
		w.limitCloud(ctx)
	}
	if !slices.Contains(w.sites, host) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.wanted)) {
		command := api.CmdCloudSet
		if !strings.HasPrefix(name, "cloud.") {
			command = api.CmdMeterSet
		}
		w.set(ctx, host, command, name)
	}
}

// forget lets the cloud forget an hour of every stream of a kind.
func (w *world) forget(ctx context.Context) {
	site, err := w.nodes["site"].Client()
	if err != nil {
		return
	}
	defer site.Close()
	_, uid, err := uids(ctx, site, cloudsync.FirstCloud)
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

// policy changes a setting of the sites for a while.
func (w *world) policy(ctx context.Context, until time.Time, command, name, value, back string) {
	set := func(ctx context.Context, value string) {
		w.wanted[name] = value
		for _, host := range w.sites {
			w.set(ctx, host, command, name)
		}
	}
	set(ctx, value)
	w.at(until, func(ctx context.Context) { set(ctx, back) })
}

// strict gives the cloud limits of its own, or takes them away.
func (w *world) strict(ctx context.Context, on bool) {
	w.isStrict = on
	w.limitCloud(ctx)
}

// limitCloud tells the cloud its limits, again and again until it works.
func (w *world) limitCloud(ctx context.Context) {
	for _, l := range [][2]string{{"pq", "1/min 2/h"}, {"limits", "1/h"}, {"system", "1/min 2/h"}, {"waveform", "1/h"}} {
		if !w.isStrict {
			l[1] = "default"
		}
		if w.command(ctx, "cloud", api.CmdLimitSet, map[string]any{"name": l[0], "value": l[1]}) != nil {
			w.at(time.Now().Add(20*time.Minute), w.limitCloud)
			return
		}
	}
}

// set tells a site what is wanted of a setting at present, again and again until it works.
func (w *world) set(ctx context.Context, host, command, name string) {
	args := map[string]any{"name": name, "value": w.wanted[name]}
	if command == api.CmdMeterSet {
		args["meter"] = "main"
	}
	if err := w.command(ctx, host, command, args); err != nil {
		w.at(time.Now().Add(20*time.Minute), func(ctx context.Context) { w.set(ctx, host, command, name) })
	}
}

// secondCloud makes another cloud, to which a record comes along two ways: from the sites, and from the first cloud.
func (w *world) secondCloud(ctx context.Context) {
	if w.nodes["cloud2"] != nil {
		return
	}
	for i, from := range []string{"site", "site2", "cloud"} {
		w.net.Intercept(ctx, Link{from, "cloud2"}, w.plan.Seed+100+uint64(i))
	}
	if err := w.newNode(ctx, "cloud2", config.RoleCloud, nil); err != nil {
		w.problem("%v", err)
		return
	}
	w.joinSecond(ctx, "cloud")
	for _, host := range w.sites {
		w.joinSecond(ctx, host)
	}
}

// joinSecond tells a node of the second cloud, where there is one, again and again until it works. A site that nobody could tell of its meter
// and the first cloud yet (rejoin) is told afterwards.
func (w *world) joinSecond(ctx context.Context, host string) {
	if w.nodes["cloud2"] == nil || host == "cloud2" || slices.Contains(w.sites, host) && w.nodes[host].Told().IsZero() {
		return
	}
	err := w.command(ctx, host, api.CmdCloudAdd, map[string]any{"name": second, "host": "http://cloud2", "apikey": Key})
	if err != nil && !errors.Is(err, fault.Conflict) { // Conflict: it knows
		w.at(time.Now().Add(20*time.Minute), func(ctx context.Context) { w.joinSecond(ctx, host) })
	}
}

// wrongZone is where the site believes that the meter stands for a while.
const wrongZone = "Asia/Kathmandu"

// second is what nodes call the second cloud.
const second = "second"

// command calls a command of a node that may be down.
func (w *world) command(ctx context.Context, host, name string, args map[string]any) error {
	c, err := w.nodes[host].Client()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Call(ctx, name, args, nil); err != nil {
		w.note("%s %v: %v", name, args, err)
		return err
	}
	return nil
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
		w.losses[log] = time.Now().Add(time.Millisecond) // what it recorded in this very moment too
	}
	w.meterStop()
	if err := <-w.meterDone; err != nil {
		w.problem("%v", err)
	}
	w.meterDone = nil
	// Nobody does it within the second in which both have the same retrievals on record.
	if err := sleep(ctx, 10*time.Second); err != nil {
		w.problem("%v", err)
		return
	}
	if err := w.newMeter(ctx, time.Now().Add(-2*time.Hour)); err != nil {
		w.problem("%v", err)
	}
}
