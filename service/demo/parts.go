package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"metermanager/rpc/client"
)

// readyWithin is how long a part may take from its start until it answers.
const readyWithin = 60 * time.Second

// restartDelay is how long a site or cloud stays down after it died, silentEnds how many
// starts in a row may end without an answer.
const (
	restartDelay = time.Second
	silentEnds   = 3
)

// part is one of the processes of a demonstration.
type part struct {
	name  string
	args  []string
	hello any
	log   string
	ready func(context.Context, *child) error // whether it answers
	pid   *int                                // where demo.json keeps its process id
	node  bool                                // site or cloud: started again when it dies, as a service would be
	child *child

	answered bool // since the last start
	silent   int  // starts in a row that ended without an answer
}

func (r *runner) startAll(ctx context.Context) error {
	for i := range r.state.Meters {
		if err := r.startMeter(ctx, &r.state.Meters[i]); err != nil {
			return err
		}
	}
	r.cloud = r.nodePart("cloud", &r.state.Cloud, r.cfg.CloudListen)
	r.site = r.nodePart("site", &r.state.Site, r.cfg.Listen)
	nodes := []*part{r.cloud, r.site}
	for _, p := range nodes {
		if err := r.start(p); err != nil {
			return err
		}
	}
	if err := r.state.write(r.cfg.Dir); err != nil {
		return err
	}
	for _, p := range nodes {
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// portTries is how many ports are tried for a meter: between finding a free one and
// listening on it somebody else may take it.
const portTries = 5

// startMeter starts a meter and waits until it listens.
func (r *runner) startMeter(ctx context.Context, m *Meter) error {
	p := r.meterPart(m)
	r.meters = append(r.meters, p)
	for try := 1; ; try++ {
		if err := r.start(p); err != nil {
			return err
		}
		err := p.wait(ctx)
		if err == nil || try == portTries || ctx.Err() != nil {
			return err
		}
		p.child.stop(ctx)
		address, err := freeAddress()
		if err != nil {
			return fmt.Errorf("find a port for the meter %s: %w", m.Name, err)
		}
		m.Address = "tcp://" + address
		p.args = r.meterPart(m).args
	}
}

// parts lists the processes in the order in which they start.
func (r *runner) parts() []*part {
	out := append([]*part{}, r.meters...)
	for _, p := range []*part{r.cloud, r.site} {
		if p != nil {
			out = append(out, p)
		}
	}
	return out
}

func (r *runner) meterPart(m *Meter) *part {
	return &part{
		name: "meter " + m.Name, log: filepath.Join(r.cfg.Dir, "log", m.Name+".log"), pid: &m.PID,
		args: []string{"simulate", "--parent", "--listen", m.hostPort(), "--kind", m.Kind, "--unit", fmt.Sprint(m.Unit),
			"--seed", fmt.Sprint(m.Seed), "--zone", m.Zone, "--history", r.cfg.History.String(),
			"--state", filepath.Join(r.cfg.Dir, "meters", m.Name+".state")},
		ready: func(_ context.Context, c *child) error {
			if !c.said("answers on " + m.Address) {
				return errors.New("it does not listen yet")
			}
			return nil
		},
	}
}

func (r *runner) nodePart(name string, n *Node, listen string) *part {
	return &part{
		name: name, log: filepath.Join(r.cfg.Dir, "log", name+".log"), pid: &n.PID, node: true,
		args:  []string{"run", "--parent", "--data", n.Data, "--listen", listen},
		hello: Bootstrap{User: n.User, Password: n.Password, Customer: "Demo", APIKey: n.APIKey, Permissions: KeyPermissions()},
		ready: func(ctx context.Context, _ *child) error {
			c, err := client.New(n.URL, client.Config{Retries: -1})
			if err != nil {
				return err
			}
			return c.Ready(ctx)
		},
	}
}

func (r *runner) start(p *part) error {
	c, err := start(r.cfg.Executable, p.args, p.hello, p.log)
	if err != nil {
		return err
	}
	p.child, p.answered, *p.pid = c, false, c.pid()
	return nil
}

// wait returns when the part answers.
func (p *part) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ready(ctx, p.child)
		select {
		case <-p.child.done:
			return p.died() // whoever answered was somebody else
		default:
		}
		if err == nil {
			p.answered = true
			return nil
		}
		select {
		case <-p.child.done:
			return p.died()
		case <-ctx.Done():
			return fmt.Errorf("the %s does not answer: %w (its log: %s)", p.name, err, p.log)
		case <-tick.C:
		}
	}
}

// died says how a part ended, with what it said last.
func (p *part) died() error {
	how := "it ended"
	if p.child.err != nil {
		how = p.child.err.Error()
	}
	text := lastLines(p.log, 5)
	return errors.New(strings.TrimSpace(fmt.Sprintf("the %s does not run: %s (its log: %s)\n%s", p.name, how, p.log, text)))
}

// stopAll ends the parts: first who uploads, then who receives, then the meters.
func (r *runner) stopAll(ctx context.Context) {
	for _, p := range []*part{r.site, r.cloud} {
		if p != nil && p.child != nil {
			p.child.stop(ctx)
		}
	}
	for _, p := range r.meters {
		if p.child != nil {
			_ = p.child.stdin.Close() // all at once
		}
	}
	for _, p := range r.meters {
		if p.child != nil {
			p.child.stop(ctx)
		}
	}
	for _, p := range r.parts() {
		*p.pid = 0
	}
	if r.site != nil { // nothing was started otherwise, and the file says what was before
		_ = r.state.write(r.cfg.Dir)
	}
	if r.unlock != nil {
		_ = r.unlock()
	}
}
