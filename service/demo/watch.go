package demo

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
)

// look is how often the progress is asked for, reviveWait how long a part's end may go unseen.
const (
	look       = time.Second
	reviveWait = time.Second
)

// setUpTries is how often the set-up is begun when a site or cloud dies during it.
const setUpTries = 3

// setUpAgain sets up, and once more when a site or cloud has died meanwhile.
func (r *runner) setUpAgain(ctx context.Context) error {
	for try := 1; ; try++ {
		err := r.setUp(ctx)
		if err == nil || ctx.Err() != nil || try == setUpTries {
			return err
		}
		again, restart := r.revive(ctx)
		if restart != nil {
			return restart
		}
		if !again {
			return err
		}
	}
}

// revive starts a dead site or cloud again and waits until it answers; again tells whether one was dead.
func (r *runner) revive(ctx context.Context) (again bool, err error) {
	for _, p := range []*part{r.cloud, r.site} {
		before := p.child
		select {
		case <-p.child.done:
		case <-time.After(reviveWait): // its end may be seen a little after its connection's
			continue
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if err := r.look(ctx, p); err != nil {
			return false, err
		}
		if p.child == before {
			continue
		}
		if err := p.wait(ctx); err != nil {
			return false, err
		}
		again = true
	}
	return again, nil
}

// setUp makes the site know its meters and its cloud. At a later start it only tells what
// has changed: an address, or a port.
func (r *runner) setUp(ctx context.Context) error {
	site, err := r.login(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = site.Logout(context.WithoutCancel(ctx)) }()
	status, err := site.Status(ctx)
	if err != nil {
		return fmt.Errorf("ask the site: %w", err)
	}
	known := map[string]api.MeterStatus{}
	for _, m := range status.Meters {
		known[m.Name] = m
	}
	for _, m := range r.state.Meters {
		if err := r.addMeter(ctx, site, m, known); err != nil {
			return err
		}
	}
	return r.joinCloud(ctx, site, status.Sync)
}

func (r *runner) addMeter(ctx context.Context, site *client.Client, m Meter, known map[string]api.MeterStatus) error {
	have, ok := known[m.Name]
	if ok && have.Address == m.hostPort() {
		return nil
	}
	name, args := api.CmdMeterAdd, map[string]any{
		"name": m.Name, "address": m.Address, "unit": m.Unit, "profile": profileOf(m.Kind), "zone": m.Zone,
	}
	if ok {
		name, args = api.CmdMeterSet, map[string]any{"meter": m.Name, "name": "address", "value": m.Address}
	}
	if err := site.Call(ctx, name, args, nil); err != nil {
		return fmt.Errorf("tell the site about the meter %s: %w", m.Name, err)
	}
	if ok {
		return nil
	}
	// What the simulated supply is declared to have, which a meter does not know.
	for _, x := range [][2]string{{"nominal_volts", "277"}, {"nominal_hz", "60"}} {
		if err := site.Call(ctx, api.CmdMeterSet, map[string]any{"meter": m.Name, "name": x[0], "value": x[1]}, nil); err != nil {
			return fmt.Errorf("tell the site about the supply of %s: %w", m.Name, err)
		}
	}
	return nil
}

// profileOf names the profile with which a simulated meter is read.
func profileOf(kind string) string {
	if kind == "sunspec" {
		return "sunspec-3p"
	}
	return "eig-shark-200"
}

func (r *runner) joinCloud(ctx context.Context, site *client.Client, have *api.SyncStatus) error {
	n := r.state.Cloud
	host, port, err := net.SplitHostPort(r.cfg.CloudListen)
	if err != nil {
		return fmt.Errorf("read the cloud's address: %w", err)
	}
	settings := [][2]string{{"etheria.client~host", "http://" + host}, {"etheria.client~port", port}}
	on := have != nil && have.Enabled
	if !on {
		settings = append(settings, [2]string{"cloud.apikey", n.APIKey})
	}
	for _, s := range settings {
		if err := site.Call(ctx, api.CmdCloudSet, map[string]any{"name": s[0], "value": s[1]}, nil); err != nil {
			return fmt.Errorf("tell the site where its cloud is (%s): %w", s[0], err)
		}
	}
	if on {
		return nil
	}
	if err := site.Call(ctx, api.CmdCloudEnable, map[string]any{"user": n.User, "pass": n.Password}, nil); err != nil {
		return fmt.Errorf("switch the cloud sync on: %w", err)
	}
	return nil
}

func (r *runner) login(ctx context.Context) (*client.Client, error) {
	n := r.state.Site
	site, err := client.New(n.URL, client.Config{Retries: -1})
	if err != nil {
		return nil, fmt.Errorf("ask the site: %w", err)
	}
	if _, err := site.Login(ctx, api.LoginRequest{User: n.User, Password: n.Password}); err != nil {
		return nil, fmt.Errorf("log in at the site: %w", err)
	}
	return site, nil
}

// beyondReal begins the lines in which a simulated meter tells which logs are larger than the real one's.
const beyondReal = "Larger than in the real meter: "

// explain says what runs, where to look and how to stop.
func (r *runner) explain() {
	s, out := &r.state, r.cfg.Out
	fmt.Fprintf(out, "\nMeter Manager demonstration, data in %s\n\n", r.cfg.Dir)
	for i, m := range s.Meters {
		what := "no log memory: the site logs it"
		if m.Kind == "shark200" {
			what = fmt.Sprintf("%.0f days of logs in its memory", r.cfg.History.Hours()/24)
			if c := r.meters[i].child; c != nil && c.said(beyondReal) {
				what += " (larger logs than a real one has)"
			}
		}
		fmt.Fprintf(out, "  meter  %s  %s, simulated %s, %s\n", m.Address, m.Name, kindName(m.Kind), what)
	}
	fmt.Fprintf(out, "  site   %s   retrieves from the meters (user %s, password %s)\n", s.Site.URL, s.Site.User, s.Site.Password)
	fmt.Fprintf(out, "  cloud  %s   gets the site's uploads (user %s, password %s)\n\n", s.Cloud.URL, s.Cloud.User, s.Cloud.Password)
	fmt.Fprintf(out, "Look:  open %s in a browser, or in another terminal:\n", s.Site.URL)
	for _, words := range []string{"status", "log query --cloud main-incomer historical --interval 1d", "verify"} {
		fmt.Fprintf(out, "         %s %s --data %s\n", r.cfg.Executable, words, r.cfg.Dir)
	}
	fmt.Fprintln(out, "Stop:  Ctrl-C. Start again: it goes on where it was.")
	fmt.Fprintln(out)
}

func kindName(kind string) string {
	if kind == "sunspec" {
		return "SunSpec meter"
	}
	return "Shark 200"
}

// watch shows the progress until the history is in, and starts a site or cloud that died
// again, until ctx ends.
func (r *runner) watch(ctx context.Context) error {
	site, err := client.New(r.state.Site.URL, client.Config{APIKey: r.state.Site.APIKey})
	if err != nil {
		return fmt.Errorf("ask the site: %w", err)
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	begun, settled, printed := time.Now(), 0, time.Time{}
	for {
		for _, p := range r.parts() {
			if err := r.look(ctx, p); err != nil {
				return err
			}
		}
		if settled < 2 {
			p := ask(ctx, site)
			settled = p.settle(settled)
			switch {
			case settled == 2:
				r.clearLine()
				fmt.Fprintf(r.cfg.Out, "%s All history is in after %s.\n", p, time.Since(begun).Round(time.Second))
			case r.cfg.Live:
				r.rewrite(p.String())
			case time.Since(printed) >= 10*time.Second:
				fmt.Fprintln(r.cfg.Out, p)
				printed = time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look starts a dead site or cloud again. A dead meter stays dead: the site then shows
// what an unreachable meter looks like.
func (r *runner) look(ctx context.Context, p *part) error {
	if p.child == nil {
		return nil
	}
	select {
	case <-p.child.done:
	default:
		p.answered = p.answered || p.ready(ctx, p.child) == nil
		return nil
	}
	if ctx.Err() != nil {
		return nil
	}
	r.clearLine()
	if !p.node {
		fmt.Fprintf(r.cfg.Out, "The %s ended. The site shows it as unreachable; the next start of the demonstration brings it back.\n", p.name)
		p.child, *p.pid = nil, 0
		return r.state.write(r.cfg.Dir)
	}
	if p.silent++; p.answered {
		p.silent = 0
	}
	if p.silent == silentEnds {
		return p.died()
	}
	fmt.Fprintf(r.cfg.Out, "The %s ended (%v); it is started again.\n", p.name, p.child.err)
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(restartDelay):
	}
	if err := r.start(p); err != nil {
		return err
	}
	return r.state.write(r.cfg.Dir)
}

func (r *runner) rewrite(line string) {
	fill := strings.Repeat(" ", max(0, r.shown-len([]rune(line))))
	fmt.Fprintf(r.cfg.Out, "\r%s%s", line, fill)
	r.shown = len([]rune(line))
}

func (r *runner) clearLine() {
	if r.shown > 0 {
		fmt.Fprintf(r.cfg.Out, "\r%s\r", strings.Repeat(" ", r.shown))
		r.shown = 0
	}
}
