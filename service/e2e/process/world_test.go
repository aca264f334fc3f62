//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/service/e2e/faultproxy"
)

// meterName is the name of the meter at the sites.
const meterName = "main"

// world is one run: its parts and what happens to them.
type world struct {
	exe, dir string
	plan     *plan
	rand     *rand.Rand
	log      *journal

	meter  *part
	clouds []*node
	sites  []*site // clones included
	twins  []*twin // copies of clouds
	wg     sync.WaitGroup
	found  string // what was compared, for the log

	altered alterations
}

func newWorld(exe, dir string, p *plan) (*world, error) {
	w := &world{exe: exe, dir: dir, plan: p, rand: rand.New(rand.NewPCG(p.seed, 0x776f726c64)), log: &journal{begin: time.Now()},
		altered: alterations{losses: map[int]time.Time{}, wanted: map[string]string{}}}
	w.meter = &part{w: w, name: "meter", hello: struct{}{}, args: func() []string {
		return []string{"simulate", "--parent", "--listen", "127.0.0.1:0", "--seed", fmt.Sprint(w.meterSeed()), "--zone", p.zone,
			"--history", w.meterHistory().String(), "--state", w.meterState()}
	}}
	w.meter.moved = func(address string) {
		for _, s := range w.sites {
			s.wire.SetTarget(address)
		}
	}
	for i := range p.clouds {
		name := []string{"cloud", "cloud2"}[i]
		n := w.newNode(name, "cloud")
		n.moved = func(address string) {
			for _, from := range w.nodes() {
				if web := from.webs[name]; web != nil {
					web.SetTarget(address)
				}
			}
		}
		w.clouds = append(w.clouds, n)
	}
	if p.chain {
		var err error
		if w.clouds[0].webs["cloud2"], err = faultproxy.NewHTTP(w.rand.Uint64()); err != nil {
			return nil, err
		}
	}
	n := 1
	if p.second {
		n = 2
	}
	for i := range n {
		s, err := w.newSite([]string{"site", "site2"}[i])
		if err != nil {
			return nil, err
		}
		w.sites = append(w.sites, s)
	}
	return w, nil
}

func (w *world) meterState() string {
	return filepath.Join(w.dir, fmt.Sprintf("meter%d.state", w.altered.meters))
}

func (w *world) newSite(name string) (*site, error) {
	s := &site{node: w.newNode(name, "site"), login: w.plan.login}
	var err error
	for i, c := range w.clouds {
		if i == 1 && !w.plan.direct {
			continue
		}
		if s.webs[c.name], err = faultproxy.NewHTTP(w.rand.Uint64()); err != nil {
			return nil, err
		}
	}
	if s.wire, err = faultproxy.NewModbus(w.rand.Uint64()); err != nil {
		return nil, err
	}
	if len(w.sites) > 0 {
		s.env["MM_TORTURE_PACE"] = slowPace.String()
	}
	if w.plan.names {
		s.hosts = filepath.Join(w.dir, name+".hosts")
		s.env["MM_TORTURE_HOSTS"] = s.hosts
	}
	return s, nil
}

// run lets everything happen that the plan says, and ends with everything running and no faults.
func (w *world) run(ctx context.Context) error {
	for _, web := range w.ways() {
		w.wg.Go(func() { _ = web.Run(ctx) })
		web.SetMix(w.plan.web)
	}
	for _, s := range w.sites {
		w.wg.Go(func() { _ = s.wire.Run(ctx) })
		s.wire.SetMix(w.plan.wire)
		if err := s.resolve(true); err != nil {
			return err
		}
	}
	if err := each(w.parts(), (*part).start); err != nil {
		return err
	}
	w.log.note("everything runs")
	setting, done := context.WithCancel(ctx)
	defer done()
	var people sync.WaitGroup
	for _, setUp := range w.setUps() { // people who try until it works
		people.Go(func() {
			for setting.Err() == nil {
				if err := setUp(setting); err != nil && setting.Err() == nil {
					w.log.note("set up: %v", err)
				}
				sleep(setting, 300*time.Millisecond)
			}
		})
	}
	err := w.play(ctx)
	done()
	people.Wait()
	if err != nil {
		return err
	}
	return w.calm(ctx)
}

// play carries out the acts at their times.
func (w *world) play(ctx context.Context) error {
	begin := time.Now()
	for _, a := range w.plan.acts {
		sleep(ctx, a.at-time.Since(begin))
		w.log.note("%s", a)
		if err := w.do(a); err != nil {
			return fmt.Errorf("%s %s: %w", a.what, a.who, err)
		}
	}
	sleep(ctx, faultsFor-time.Since(begin))
	return ctx.Err()
}

// calm ends the faults.
func (w *world) calm(ctx context.Context) error {
	if err := w.endTwins(); err != nil {
		return err
	}
	for _, web := range w.ways() {
		web.SetMix(faultproxy.Mix{})
	}
	for _, s := range w.sites {
		s.wire.SetMix(faultproxy.Mix{})
		if err := s.resolve(true); err != nil {
			return err
		}
	}
	for _, web := range w.ways() {
		web.Settled()
	}
	w.log.note("the faults are over")
	todo := w.setUps()
	for _, s := range w.sites {
		todo = append(todo, func(ctx context.Context) error { return s.upload(ctx, "*") })
		for _, name := range slices.Sorted(maps.Keys(w.altered.wanted)) {
			todo = append(todo, func(ctx context.Context) error { return s.set(ctx, name, w.altered.wanted[name]) })
		}
	}
	for _, do := range todo {
		deadline := time.Now().Add(20 * time.Second)
		for {
			err := do(ctx)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("set up after the faults: %w", err)
			}
			sleep(ctx, 50*time.Millisecond)
		}
	}
	return nil
}

// close ends every process and proxy; cancel the context of run first.
func (w *world) close() {
	for _, p := range w.parts() {
		p.end()
	}
	for _, t := range w.twins {
		t.end()
	}
	w.wg.Wait()
}

// nodes lists sites and clouds.
func (w *world) nodes() []*node {
	out := slices.Clone(w.clouds)
	for _, s := range w.sites {
		out = append(out, s.node)
	}
	return out
}

// ways lists the proxies between nodes; clones share theirs.
func (w *world) ways() []*faultproxy.HTTP {
	var out []*faultproxy.HTTP
	for _, n := range w.nodes() {
		for _, name := range slices.Sorted(maps.Keys(n.webs)) {
			if !slices.Contains(out, n.webs[name]) {
				out = append(out, n.webs[name])
			}
		}
	}
	return out
}

// setUps lists what people do once, and again after a node was restored or made anew.
func (w *world) setUps() []func(context.Context) error {
	out := []func(context.Context) error{w.clouds[0].passOn}
	for _, s := range w.sites {
		out = append(out, s.setUp)
	}
	return out
}

// parts lists the processes.
func (w *world) parts() []*part {
	out := []*part{w.meter}
	for _, c := range w.clouds {
		out = append(out, &c.part)
	}
	for _, s := range w.sites {
		out = append(out, &s.part)
	}
	return out
}

// each does something with several parts at the same time.
func each(parts []*part, do func(*part) error) error {
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sleep waits: faults come at times, there is no event to wait for.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// faults tells how often messages were hit.
func (w *world) faults() string {
	var b strings.Builder
	for _, s := range w.sites {
		fmt.Fprintf(&b, "%s: Modbus %v\n", s.name, s.wire.Counts())
	}
	for _, n := range w.nodes() {
		for name, web := range n.webs {
			fmt.Fprintf(&b, "%s to %s: HTTP %v\n", n.name, name, web.Counts())
		}
	}
	return b.String()
}
