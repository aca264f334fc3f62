package virtual

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"metermanager/cloudsync"
	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/service/config"
	"metermanager/service/e2e/judge"
	"metermanager/service/field/sim"
)

// Outcome is what came of a run.
type Outcome struct {
	Problems []string
	Trace    []string // what happened, when
	Stats    judge.Stats
	Troubles map[Trouble]int
	Virtual  time.Duration
	Archived int // files in the archives of all nodes at the end
	Thinned  int // values of which the cloud let go all but their sums
}

// world is a run under way. One goroutine drives it.
type world struct {
	plan  Plan
	net   *Network
	nodes map[string]*Node
	meter *sim.Meter
	begin time.Time
	out   Outcome

	template *Template
	folder   string
	stop     context.CancelFunc
	queue    []task
	sites    []string  // hosts that read the meter
	end      time.Time // of the faults
	foreign  bool      // journals that no site knows may be at the cloud
	retired  *Node     // a copy of the cloud that is no more

	meterStop context.CancelFunc
	meterDone chan error
	meters    int           // made so far
	past      *judge.Truth  // of meters that were replaced
	earlier   []reprogramed // logs of the present meter under earlier settings
	losses    map[int]time.Time
	wanted    map[string]string // settings of the site that were changed
	isStrict  bool              // the cloud is to have limits of its own
	troubled  []span            // when events may have kept sites from retrieving
}

// reprogramed is what a log had recorded when its settings were changed.
type reprogramed struct {
	log   int
	truth *judge.Truth
}

// task is something to do at a time.
type task struct {
	at time.Time
	do func(ctx context.Context)
}

const meterAddress = "meter:502"

// Run plays a plan inside of a synctest bubble and judges its end. folder is for what nodes
// keep beside their databases. An error means that the run could not be made or judged.
func Run(ctx context.Context, plan Plan, template *Template, folder string) (Outcome, error) {
	if err := sleep(ctx, time.Until(plan.Begin)); err != nil {
		return Outcome{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	w := &world{
		plan: plan, net: NewNetwork(), nodes: map[string]*Node{}, begin: time.Now(), stop: stop,
		template: template, folder: folder, losses: map[int]time.Time{}, wanted: map[string]string{},
	}
	err := w.open(ctx)
	if err == nil {
		err = w.play(ctx)
	}
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		err = w.judge(ctx)
	}
	w.out.Troubles, w.out.Virtual = w.net.Counts(), time.Since(w.begin)
	return w.out, errors.Join(err, w.close())
}

func (w *world) note(format string, args ...any) {
	w.out.Trace = append(w.out.Trace, time.Now().UTC().Format("01-02 15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (w *world) problem(format string, args ...any) {
	w.out.Problems = append(w.out.Problems, fmt.Sprintf(format, args...))
}

// open makes the meter, the site and the cloud, and makes them know each other.
func (w *world) open(ctx context.Context) error {
	if err := w.newMeter(ctx, w.begin.Add(-w.plan.History)); err != nil {
		return err
	}
	if err := w.newNode(ctx, "cloud", config.RoleCloud, nil); err != nil {
		return err
	}
	return w.newSite(ctx, "site", nil)
}

// newMeter puts a meter at the address, in place of one that was there.
func (w *world) newMeter(ctx context.Context, start time.Time) error {
	cfg := sim.Config{
		Listen: meterAddress, Open: w.net.Listen, Seed: w.plan.Seed + uint64(w.meters)*1000, Zone: w.plan.Zone, Start: start, Name: "main", Clock: w.plan.Clock,
	}
	w.meters++
	if w.plan.Memory > 0 {
		cfg.MaxRecords = map[int]int{sim.LogHist1: w.plan.Memory, sim.LogHist2: w.plan.Memory, sim.LogHist3: w.plan.Memory}
	}
	var err error
	if w.meter, err = sim.New(cfg); err != nil {
		return fmt.Errorf("make the meter: %w", err)
	}
	ctx, w.meterStop = context.WithCancel(ctx)
	done := make(chan error, 1)
	w.meterDone = done
	go func(m *sim.Meter) { done <- m.Run(ctx) }(w.meter)
	return nil
}

// newSite makes a site: a fresh one that is told of the meter and the cloud, or one that goes
// on from somebody's image.
func (w *world) newSite(ctx context.Context, host string, image *Image) error {
	link := Link{host, "cloud"}
	w.net.Intercept(ctx, link, w.plan.Seed+uint64(len(w.sites)))
	if w.plan.Latency > 0 {
		w.net.Trouble(link, LinkFault{Trouble: Delay, Chance: 1, For: w.plan.Latency}, 1000*time.Hour)
		w.net.Trouble(link, LinkFault{Trouble: DelayAnswer, Chance: 1, For: w.plan.Latency}, 1000*time.Hour)
	}
	if err := w.newNode(ctx, host, config.RoleSite, image); err != nil {
		return err
	}
	w.sites = append(w.sites, host)
	if image == nil {
		if err := w.join(ctx, w.nodes[host]); err != nil {
			return err
		}
	}
	w.joinSecond(ctx, host)
	return nil
}

// newNode makes a node and starts it.
func (w *world) newNode(ctx context.Context, host, role string, image *Image) error {
	dir := filepath.Join(w.folder, host)
	disk, err := w.template.unpack(dir, w.plan.Seed*16+uint64(len(w.nodes)))
	if err != nil {
		return err
	}
	syncCfg, field := Calm()
	n := NewNode(w.net, NodeConfig{Host: host, Roles: []string{role}, Dir: dir, Disk: disk, Sync: syncCfg, Field: field})
	if image != nil {
		if err := n.Restore(image); err != nil {
			return err
		}
	}
	w.nodes[host] = n
	n.Start(ctx)
	return n.Ready(ctx)
}

// join tells the site of its meter and its cloud.
func (w *world) join(ctx context.Context, n *Node) error {
	c, err := n.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := w.powered(ctx); err != nil {
		return err
	}
	err = c.Call(ctx, api.CmdMeterAdd, map[string]any{
		"name": "main", "address": "tcp://" + meterAddress, "unit": 1, "profile": "eig-shark-200", "zone": w.plan.Zone,
	}, nil)
	if err != nil {
		return fmt.Errorf("add the meter: %w", err)
	}
	n.SetTold()
	settings := [][2]string{{"etheria.client~host", "http://cloud"}, {"etheria.client~port", "80"}, {"cloud.apikey", Key}}
	if w.plan.Interval > 0 {
		settings = append(settings, [2]string{"cloud.limit.historical_interval", w.plan.Interval.String()})
	}
	for _, s := range append(settings, [2]string{"etheria.client~enabled", "true"}) {
		if err := c.Call(ctx, api.CmdCloudSet, map[string]any{"name": s[0], "value": s[1]}, nil); err != nil {
			return fmt.Errorf("set %s: %w", s[0], err)
		}
	}
	return nil
}

func (w *world) at(t time.Time, do func(context.Context)) {
	i, _ := slices.BinarySearchFunc(w.queue, t, func(a task, t time.Time) int {
		if a.at.After(t) {
			return 1
		}
		return -1
	})
	w.queue = slices.Insert(w.queue, i, task{t, do})
}

// play lets the events happen.
func (w *world) play(ctx context.Context) error {
	for _, e := range w.plan.Events {
		w.at(w.begin.Add(e.At), func(ctx context.Context) { w.happen(ctx, e) })
	}
	end := w.begin.Add(w.plan.Length)
	for len(w.queue) > 0 && w.queue[0].at.Before(end) {
		next := w.queue[0]
		w.queue = w.queue[1:]
		if err := sleep(ctx, time.Until(next.at)); err != nil {
			return err
		}
		next.do(ctx)
	}
	return sleep(ctx, time.Until(end))
}

// settle ends all faults and waits until the nodes have mended everything by themselves.
func (w *world) settle(ctx context.Context) error {
	w.net.Heal()
	w.meter.ClearFaults()
	for _, n := range w.nodes {
		n.Disk().SetFull(false)
		n.Disk().SetReadOnly(false)
		n.Disk().FailSync(0)
		n.Disk().CrashAfter(0)
	}
	late := w.queue // what was to end later ends now
	w.queue = nil
	for _, t := range late {
		t.do(ctx)
	}
	for range 100 { // what could not be done is tried again, which takes its time
		if len(w.queue) == 0 {
			break
		}
		next := w.queue[0]
		w.queue = w.queue[1:]
		if err := sleep(ctx, time.Until(next.at)); err != nil {
			return err
		}
		next.do(ctx)
	}
	w.end = time.Now()
	for _, n := range w.nodes {
		if !n.Running() {
			n.Start(ctx)
		}
		if err := n.Ready(ctx); err != nil {
			w.problem("%s does not come back: %v", n.Host(), err)
			return nil
		}
	}
	w.note("faults end")
	var last string
	for i := range 96 {
		// After four hours the steps become longer: a node that began at this moment may have retrieved again at each of them.
		if err := sleep(ctx, 30*time.Minute+time.Duration(i/8)*67*time.Second); err != nil {
			return err
		}
		var quiet bool
		var err error
		if quiet, last, err = w.quiet(ctx); err != nil {
			last = err.Error()
		} else if quiet {
			w.note("quiet")
			return nil
		}
	}
	w.problem("not quiet two days after the end of the faults: %s", last)
	return nil
}

// quiet reports whether nothing is left to do at any site.
func (w *world) quiet(ctx context.Context) (bool, string, error) {
	for _, host := range w.sites {
		if quiet, why, err := w.nodes[host].quiet(ctx); !quiet || err != nil {
			return false, host + ": " + why, err
		}
	}
	if w.nodes["cloud2"] == nil {
		return true, "", nil
	}
	c, err := w.nodes["cloud"].Client()
	if err != nil {
		return false, "", err
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil || s.Sync == nil {
		return false, "cloud: no sync", err
	}
	ok, why := synced(s.Sync)
	return ok, "cloud: " + why, nil
}

func (n *Node) quiet(ctx context.Context) (bool, string, error) {
	c, err := n.Client()
	if err != nil {
		return false, "", err
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil {
		return false, "", err
	}
	if len(s.Meters) != 1 || s.Sync == nil {
		return false, fmt.Sprintf("%d meters", len(s.Meters)), nil
	}
	m := s.Meters[0]
	if m.LastError != "" && m.State == "unreachable" {
		return false, "meter: " + m.LastError, nil
	}
	if wait := m.Next.Time().Sub(n.Now()); wait > 2*time.Hour { // it is read every hour
		return false, fmt.Sprintf("meter: it is read again in %s", wait), nil
	}
	for _, l := range m.Retrieval {
		if l.LastError != "" {
			return false, "log " + l.Log + ": " + l.LastError, nil
		}
	}
	ok, why := synced(s.Sync)
	return ok, why, nil
}

// uploaded lists the meters of a node for each of its clouds.
func uploaded(s *api.SyncStatus) []api.MeterSync {
	if len(s.Clouds) == 0 {
		return s.Meters
	}
	var out []api.MeterSync
	for _, c := range s.Clouds {
		out = append(out, c.Meters...)
	}
	return out
}

// synced reports whether every cloud of a node has everything.
func synced(s *api.SyncStatus) (ok bool, why string) {
	meters := uploaded(s)
	for _, m := range meters {
		if m.State != "up_to_date" || m.Pending > 0 {
			return false, fmt.Sprintf("sync: %+v", *s)
		}
		for _, r := range m.Relayed {
			if r.Pending > 0 {
				return false, fmt.Sprintf("relay: %+v", *s)
			}
		}
	}
	if s.Pending > 0 || len(meters) == 0 {
		return false, fmt.Sprintf("sync: %+v", *s)
	}
	return true, ""
}

// judge retrieves and uploads the last records and compares everything.
func (w *world) judge(ctx context.Context) error {
	if err := w.powered(ctx); err != nil {
		return err
	}
	cloud, err := w.nodes["cloud"].Client()
	if err != nil {
		return err
	}
	defer cloud.Close()
	truth, err := w.latest(ctx)
	if err != nil {
		return err
	}
	for _, host := range w.sites {
		if err := w.judgeSite(ctx, host, cloud, truth, false); err != nil {
			return err
		}
	}
	if w.nodes["cloud2"] != nil {
		if err := w.verifyRelay(ctx, cloud); err != nil {
			return err
		}
	}
	if len(w.out.Problems) == 0 && w.plan.Requested {
		err = w.requested(ctx, cloud, truth)
	}
	if err == nil && len(w.out.Problems) == 0 && w.plan.Thin {
		err = w.thin(ctx)
	}
	return err
}

// passers are the nodes that upload to the second cloud, if there is one; who passes on what others send is the last.
func (w *world) passers() []string {
	if w.nodes["cloud2"] == nil {
		return nil
	}
	return append(slices.Clone(w.sites), "cloud")
}

// latest retrieves and uploads at all sites until the meter recorded nothing meanwhile, and returns what it recorded. A copy of a site may
// find out only now that it is one: then a command sends a share of everything under another id, and the rest follows, which takes minutes.
func (w *world) latest(ctx context.Context) (*judge.Truth, error) {
	before, err := w.truth()
	for range 20 {
		if err != nil {
			return nil, err
		}
		if err := w.powered(ctx); err != nil {
			return nil, err
		}
		problems := len(w.out.Problems)
		for _, host := range w.sites {
			if err := w.command(ctx, host, api.CmdMeterRetrieve, nil); err != nil {
				w.problem("%s: the last retrieval: %v", host, err)
			}
		}
		for range 60 {
			if err := w.upload(ctx); err != nil {
				return nil, err
			}
			quiet, _, err := w.quiet(ctx)
			if err == nil && quiet || len(w.out.Problems) > problems {
				break
			}
			if err := sleep(ctx, time.Second); err != nil {
				return nil, err
			}
		}
		var after *judge.Truth
		if after, err = w.truth(); err != nil {
			return nil, err
		}
		if len(w.out.Problems) > problems || after.Len() == before.Len() {
			return after, nil
		}
		before = after
	}
	w.problem("the meter records faster than its records are retrieved and uploaded")
	return before, nil
}

// upload sends everything to every cloud. A site may find only now that the cloud is not the one that knew its meter: it says so and
// registers the meter again by itself.
func (w *world) upload(ctx context.Context) error {
	for _, host := range w.sites {
		err := w.command(ctx, host, api.CmdCloudMeterUpload, nil)
		if errors.Is(err, fault.NotFound) {
			if err := sleep(ctx, 20*time.Minute); err != nil {
				return err
			}
			err = w.command(ctx, host, api.CmdCloudMeterUpload, nil)
		}
		if err != nil {
			w.problem("%s: the last upload: %v", host, err)
		}
	}
	for _, host := range w.passers() {
		if err := w.command(ctx, host, api.CmdCloudMeterUpload, map[string]any{"cloud": second}); err != nil {
			w.problem("%s: the last upload to the second cloud: %v", host, err)
		}
	}
	return ctx.Err()
}

// requested asks for what limits had skipped, and judges again.
func (w *world) requested(ctx context.Context, cloud *client.Client, truth *judge.Truth) error {
	for _, host := range w.sites {
		c, err := w.nodes[host].Client()
		if err != nil {
			return err
		}
		err = c.Call(ctx, api.CmdCloudMeterUpload, map[string]any{"meter": "main", "requested": true}, nil)
		c.Close()
		if err != nil {
			w.problem("%s: upload what was skipped: %v", host, err)
		}
		if err := w.judgeSite(ctx, host, cloud, truth, true); err != nil {
			return err
		}
	}
	return nil
}

// truth is what the meter, or the meters, recorded.
func (w *world) truth() (*judge.Truth, error) {
	t, err := judge.Recall(w.meter)
	if err != nil {
		return nil, err
	}
	for i := len(w.earlier) - 1; i >= 0; i-- {
		t.After(w.earlier[i].log, w.earlier[i].truth)
	}
	if w.past != nil {
		t = w.past.Then(t)
	}
	for log, at := range w.losses {
		t.MayLose(log, at)
	}
	if w.plan.holds(Zone) {
		if err := t.Misread(w.plan.Zone, wrongZone); err != nil {
			return nil, err
		}
	}
	if w.plan.Memory > 0 { // what did not fit while nobody could retrieve, and until the first retrieval after that
		for _, log := range []int{sim.LogHist1, sim.LogHist2, sim.LogHist3} {
			t.MayLose(log, w.end.Add(time.Hour))
		}
	}
	return t, nil
}

// judgeSite compares one site with the meter and the cloud.
func (w *world) judgeSite(ctx context.Context, host string, cloud *client.Client, truth *judge.Truth, requested bool) error {
	site, err := w.nodes[host].Client()
	if err != nil {
		return err
	}
	defer site.Close()
	siteUID, cloudUID, err := uids(ctx, site, cloudsync.FirstCloud)
	if err != nil {
		return err
	}
	clouds := []judge.Cloud{{Name: "cloud", Client: cloud, UID: cloudUID}}
	if w.nodes["cloud2"] != nil {
		other, err := w.nodes["cloud2"].Client()
		if err != nil {
			return err
		}
		defer other.Close()
		_, uid, err := uids(ctx, site, second)
		if err != nil {
			return err
		}
		clouds = append(clouds, judge.Cloud{Name: "cloud2", Client: other, UID: uid, Relayed: true})
	}
	if w.plan.Memory > 0 && len(w.losses) == 0 {
		truth.Overwrites(w.plan.Memory, func(from, to time.Time) bool {
			return from.Before(w.nodes[host].Told()) || w.disturbed(from, to) // nobody retrieves before he is told
		})
	}
	limits := logdb.DefaultLimits()
	if w.plan.Interval > 0 {
		limits.HistoricalIntervalMillis = w.plan.Interval.Milliseconds()
	}
	c := judge.Case{
		Site: site, SiteUID: siteUID, Zone: w.plan.Zone, Truth: truth, Limits: limits, Oversize: w.plan.has(TooLarge), Requested: requested,
		Foreign: w.foreign || len(w.sites) > 1, Lossy: len(w.losses) > 0 || w.plan.Memory > 0, Clouds: clouds,
		OtherLimits: w.plan.holds(Limits) || w.plan.holds(Strict), Misread: w.plan.holds(Zone) || w.plan.holds(Scale),
	}
	problems, stats, err := judge.Check(ctx, c)
	if err != nil {
		return fmt.Errorf("judge %s: %w", host, err)
	}
	w.out.Stats = stats
	for _, p := range problems {
		w.problem("%s: %s", host, p)
	}
	for _, c := range clouds {
		name := cloudsync.FirstCloud
		if c.Relayed {
			name = second
		}
		if err := w.verify(ctx, host, site, name); err != nil {
			return err
		}
	}
	return nil
}

// powered waits until the meter has its supply: nothing can be asked of it before.
func (w *world) powered(ctx context.Context) error {
	for !w.meter.Powered(time.Now()) {
		if err := sleep(ctx, 10*time.Minute); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether the plan holds a trouble.
func (p Plan) has(t Trouble) bool {
	return slices.ContainsFunc(p.Events, func(e Event) bool { return e.Kind == LinkEvent && e.Trouble.Trouble == t })
}

// holds reports whether the plan holds a kind of event.
func (p Plan) holds(k EventKind) bool {
	return slices.ContainsFunc(p.Events, func(e Event) bool { return e.Kind == k })
}

// uids returns the names of the meter at a site and at one of its clouds.
func uids(ctx context.Context, site *client.Client, cloud string) (here, there logdb.MeterUID, err error) {
	s, err := site.Status(ctx)
	if err != nil {
		return "", "", fmt.Errorf("ask the site: %w", err)
	}
	if len(s.Meters) != 1 || s.Sync == nil {
		return "", "", fmt.Errorf("the site has %d meters, want one", len(s.Meters))
	}
	for _, m := range uploaded(s.Sync) {
		if m.Cloud == cloud {
			return s.Meters[0].UID, m.CloudUID, nil
		}
	}
	return "", "", fmt.Errorf("the site does not know the cloud %s", cloud)
}

// verify asks the product itself.
func (w *world) verify(ctx context.Context, host string, site *client.Client, cloud string) error {
	var r api.VerifyReport
	if err := site.Call(ctx, api.CmdVerify, map[string]any{"deep": true, "cloud": cloud}, &r); err != nil {
		w.problem("%s: verify %s: %v", host, cloud, err)
		return nil
	}
	if r.Different != 0 || r.Pending != 0 || r.Compared == 0 {
		w.problem("%s: verify %s: compared %d, different %d, pending %d", host, cloud, r.Compared, r.Different, r.Pending)
		for i, d := range r.Days {
			if i < 4 {
				w.problem("verify: %+v", d)
			}
		}
	}
	return nil
}

// verifyRelay asks the cloud that passes on. Of a journal that was given up, or of a name of it that was given up at that cloud, by a site that was put
// back or has a copy, each cloud may have got other records under its id: that differs, as verify says. So may the journal of a site that never sent to the second cloud what a copy of it did: the
// relay must say that it leaves it alone.
func (w *world) verifyRelay(ctx context.Context, cloud *client.Client) error {
	own := map[logdb.JournalID]bool{}
	names := map[logdb.JournalID]bool{} // under which sites send to that cloud now
	for _, host := range w.sites {
		site, err := w.nodes[host].Client()
		if err != nil {
			return err
		}
		s, err := site.Status(ctx)
		if err != nil {
			return fmt.Errorf("ask %s: %w", host, err)
		}
		for _, m := range uploaded(s.Sync) {
			for _, l := range m.Logs {
				if id, err := logdb.ParseStream(l.Stream); err == nil && m.Cloud != second {
					names[id.Journal] = true
				}
			}
		}
		for _, m := range s.Meters {
			for _, kind := range logdb.Kinds {
				streams, err := site.Streams(ctx, m.UID, kind)
				if err != nil {
					return fmt.Errorf("ask %s for its journals: %w", host, err)
				}
				for _, st := range streams {
					own[st.Stream.Journal.Family()] = own[st.Stream.Journal.Family()] || st.Own
				}
			}
		}
	}
	var r api.VerifyReport
	if err := cloud.Call(ctx, api.CmdVerify, map[string]any{"deep": true, "cloud": second}, &r); err != nil {
		w.problem("cloud: verify %s: %v", second, err)
		return nil
	}
	if r.Compared == 0 {
		w.problem("cloud: verify %s compared nothing", second)
	}
	status, err := cloud.Status(ctx)
	if err != nil {
		return fmt.Errorf("ask the cloud: %w", err)
	}
	alone := func(stream string) bool {
		if !w.plan.holds(Clone) && !w.plan.holds(Rewind) {
			return false
		}
		if id, err := logdb.ParseStream(stream); err == nil && !names[id.Journal] {
			return true
		}
		return slices.ContainsFunc(uploaded(status.Sync), func(m api.MeterSync) bool {
			return m.Cloud == second && slices.ContainsFunc(m.Relayed, func(r api.RelaySync) bool {
				return slices.ContainsFunc(r.Conflicts, func(why string) bool { return strings.HasPrefix(why, "stream "+stream+": ") })
			})
		})
	}
	for _, d := range r.Days {
		if id, err := logdb.ParseStream(d.Stream); d.State != "not_comparable" && !alone(d.Stream) && (err != nil || own[id.Journal.Family()]) {
			w.problem("cloud: verify %s: %+v", second, d)
		}
	}
	return nil
}

// close ends everything and looks for what was left behind.
func (w *world) close() error {
	var errs []error
	if w.retired != nil {
		w.nodes[twin] = w.retired
	}
	for _, n := range w.nodes {
		w.out.Archived += n.archive.count()
		if err := n.Stop(); err != nil {
			w.problem("%s ends with %v", n.Host(), err)
		}
		if err := n.Disk().Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the disk of %s: %w", n.Host(), err))
		}
		w.complaints(n)
	}
	w.stop()
	w.net.Wait()
	for i, odd := range w.net.Odd() {
		if i < 4 {
			w.problem("%s", odd)
		}
	}
	if w.meterDone != nil {
		errs = append(errs, <-w.meterDone)
	}
	return errors.Join(errs...)
}

// complaints looks for lines of the level error that no fault explains.
func (w *world) complaints(n *Node) {
	for _, l := range n.Lines() {
		if l.Level == "ERROR" && !w.expected(n, l) {
			w.problem("%s logged at %s: %s", n.Host(), l.At.Format("01-02 15:04:05.000"), l.Whole)
		}
	}
}

// expected reports whether a fault explains an error line: a disk that fails, or a power cut.
func (w *world) expected(n *Node, l Line) bool {
	for _, e := range w.plan.Events {
		host := e.Host
		switch e.Kind { // these cut the power of one that they do not name
		case Reinstall:
			host = "site"
		case EmptyCloud, CloneCloud:
			host = "cloud"
		}
		if host == n.Host() && !l.At.Before(w.begin.Add(e.At)) {
			return true
		}
	}
	return false
}
