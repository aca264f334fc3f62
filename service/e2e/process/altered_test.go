//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/service/e2e/judge"
	"metermanager/service/field/sim"
)

// alterations is what people did to the meter, as far as it says what may be missing.
type alterations struct {
	meters  int          // how many have taken another's place
	past    *judge.Truth // of meters that are gone
	earlier []earlierLog // of the present meter
	losses  map[int]time.Time
	wanted  map[string]string // settings of the meter at the sites that were changed
}

// earlierLog is what a log had recorded until it was programmed anew.
type earlierLog struct {
	log   int
	truth *judge.Truth
}

// Acts after which a site need not have every record that the meter ever made, or has versions of them: they are judged
// as the virtual runs are, by what the meter remembers of its whole life.
var altering = []string{"reset log", "reset energy", "reprogram", "replace", "zone", "scale"}

func (p *plan) holds(what ...string) bool {
	return slices.ContainsFunc(p.acts, func(a act) bool { return slices.Contains(what, a.what) })
}

// meterSeed and meterHistory are those of the present meter.
func (w *world) meterSeed() uint64 { return w.plan.seed + uint64(w.altered.meters)*1000 }

func (w *world) meterHistory() time.Duration {
	if w.altered.meters > 0 {
		return 2 * time.Hour
	}
	return w.plan.history
}

// alter does something to the meter while it is without supply.
func (w *world) alter(a act) error {
	return w.meter.crash(a.wait/4, func() error {
		if a.what == "replace" {
			return w.replace()
		}
		m, err := w.openMeter(w.meterState())
		if err != nil {
			return err
		}
		log := []int{sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogAlarm, sim.LogPQ, sim.LogWaveform, sim.LogSystem}[a.more%7]
		switch a.what {
		case "reset log":
			w.altered.losses[log] = time.Now()
			err = m.ResetLog(log)
		case "reset energy":
			m.ResetEnergy()
		case "reprogram":
			log = logNumbers[a.more%3]
			var truth *judge.Truth
			if truth, err = judge.Recall(m); err == nil {
				w.altered.earlier = append(w.altered.earlier, earlierLog{log, truth.History(log)})
				w.altered.losses[log] = time.Now()
				err = m.Reprogram(log, 3*time.Minute, "readings.voltage.an", "energy.total.wh.received", "readings.frequency")
			}
		}
		return errors.Join(err, closeMeter(m))
	}, 0)
}

// replace puts another meter into the place of the one that was.
func (w *world) replace() error {
	truth, err := w.life()
	if err != nil {
		return err
	}
	w.altered.past, w.altered.earlier = truth, nil
	for _, log := range []int{sim.LogSystem, sim.LogAlarm, sim.LogHist1, sim.LogHist2, sim.LogHist3, sim.LogPQ, sim.LogWaveform} {
		w.altered.losses[log] = time.Now()
	}
	w.altered.meters++
	// Nobody does it within the second in which both have the same retrievals on record.
	sleep(context.Background(), 1500*time.Millisecond)
	return nil
}

// openMeter makes the meter of a state file here; its port is closed again by closeMeter.
func (w *world) openMeter(state string) (*sim.Meter, error) {
	return sim.New(sim.Config{Seed: w.meterSeed(), Zone: w.plan.zone, History: w.meterHistory(), State: state})
}

func closeMeter(m *sim.Meter) error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return m.Run(ended)
}

// twin makes the meter once more, from a copy of what it keeps.
func (w *world) twin() (*sim.Meter, error) {
	text, err := os.ReadFile(w.meterState())
	if err != nil {
		return nil, err
	}
	file := filepath.Join(w.dir, "twin.state")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	m, err := w.openMeter(file)
	if err != nil {
		return nil, err
	}
	return m, closeMeter(m)
}

// life is what the meter, or the meters, recorded.
func (w *world) life() (*judge.Truth, error) {
	m, err := w.twin()
	if err != nil {
		return nil, err
	}
	t, err := judge.Recall(m)
	if err != nil {
		return nil, err
	}
	x := &w.altered
	for i := len(x.earlier) - 1; i >= 0; i-- {
		t.After(x.earlier[i].log, x.earlier[i].truth)
	}
	if x.past != nil {
		t = x.past.Then(t)
	}
	for log, at := range x.losses {
		t.MayLose(log, at)
	}
	if w.plan.holds("zone") {
		return t, t.Misread(w.plan.zone, wrongZone)
	}
	return t, nil
}

// wrongZone is where a site believes that the meter stands for a while.
const wrongZone = "Asia/Kolkata"

// misread lets a site read the meter by another zone or factor: everything that is kept is decoded again, here and then at
// the clouds. It ends with the faults.
func (w *world) misread(a act) {
	x := w.altered.wanted
	if a.what == "zone" {
		x["zone"] = w.plan.zone
		w.tell(a, "zone", wrongZone)
		return
	}
	for name, value := range map[string]string{"ct_factor": "2.5", "pt_factor": "0.5"} {
		x[name] = "1"
		w.tell(a, name, value)
	}
}

func (w *world) tell(a act, name, value string) {
	if err := w.siteOf(a.who).set(context.Background(), name, value); err != nil {
		w.log.note("%s: %v", a.what, err) // the person will find out
	}
}

// set changes a setting of the meter at a site.
func (s *site) set(ctx context.Context, name, value string) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Call(ctx, api.CmdMeterSet, map[string]any{"meter": meterName, "name": name, "value": value}, nil)
}

// compareLives compares the sites with the whole life of the meter, and the clouds with the sites.
func (w *world) compareLives(ctx context.Context, sites []*holding) error {
	var errs []error
	for i, h := range sites {
		var clouds []*holding
		for k, n := range w.clouds {
			uid, err := w.uidAt(ctx, w.sites[i], k)
			if err != nil {
				return err
			}
			c, err := holdMeter(ctx, n, uid)
			if err != nil {
				return err
			}
			clouds = append(clouds, c)
			if errs = append(errs, c.replays(ctx)); w.plan.interval == 0 { // else what is there is what was combined
				errs = append(errs, uploaded(h, c))
			}
			w.found += fmt.Sprintf(", %d streams at the %s", len(c.kinds[logdb.KindHistorical].states), c.who)
		}
		errs = append(errs, h.replays(ctx), w.lives(ctx, h, clouds))
	}
	return errors.Join(errs...)
}

// uidAt returns the name of a site's meter at a cloud. A site that was told of the meter after it had been replaced has told the
// clouds of another one.
func (w *world) uidAt(ctx context.Context, s *site, cloud int) (logdb.MeterUID, error) {
	if cloud == 0 {
		return cloudUID(ctx, s.node, cloudsync.FirstCloud, "")
	}
	if w.plan.direct {
		return cloudUID(ctx, s.node, "second", "")
	}
	uid, err := w.uidAt(ctx, s, 0)
	if err != nil {
		return "", err
	}
	return cloudUID(ctx, w.clouds[0], "second", uid)
}

// cloudUID returns the name of a node's meter at one of its clouds; uid "": of the only one.
func cloudUID(ctx context.Context, n *node, cloud string, uid logdb.MeterUID) (logdb.MeterUID, error) {
	c, err := n.client()
	if err != nil {
		return "", err
	}
	defer c.Close()
	status, err := c.Status(ctx)
	if err != nil || status.Sync == nil {
		return "", fmt.Errorf("the %s has no sync: %w", n.name, err)
	}
	list := status.Sync.Meters
	for _, c := range status.Sync.Clouds {
		list = append(list, c.Meters...)
	}
	for _, m := range list {
		if (m.Cloud == cloud || m.Cloud == "" && cloud == cloudsync.FirstCloud) && (uid == "" || m.UID == uid) && m.CloudUID != "" {
			return m.CloudUID, nil
		}
	}
	return "", fmt.Errorf("the %s knows no name of its meter at %s", n.name, cloud)
}

// lives compares a site with the whole life of the meter, and the clouds with the site.
func (w *world) lives(ctx context.Context, site *holding, clouds []*holding) error {
	truth, err := w.life()
	if err != nil {
		return fmt.Errorf("recall the meter's life: %w", err)
	}
	limits := logdb.DefaultLimits()
	if w.plan.interval > 0 {
		limits.HistoricalIntervalMillis = w.plan.interval.Milliseconds()
	}
	c := judge.Case{
		Site: site.c, SiteUID: site.meter, Zone: w.plan.zone, Truth: truth, Limits: limits, Oversize: true,
		Foreign: len(w.sites) > 1 || w.plan.holds("restore", "reinstall", "empty"), Lossy: len(w.altered.losses) > 0, Misread: w.plan.holds("zone", "scale"),
	}
	for i, h := range clouds {
		c.Clouds = append(c.Clouds, judge.Cloud{Name: h.who, Client: h.c, UID: h.meter, Relayed: i > 0 && w.plan.chain})
	}
	problems, _, err := judge.Check(ctx, c)
	if err != nil {
		return fmt.Errorf("judge the %s: %w", site.who, err)
	}
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "\nthe %s: %s", site.who, p)
	}
	if b.Len() > 0 {
		return errors.New(b.String())
	}
	return nil
}
