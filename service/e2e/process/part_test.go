//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
	"metermanager/service/demo"
	"metermanager/service/e2e/faultproxy"
)

// part is one process of a run that is killed and started again.
type part struct {
	w     *world
	name  string
	args  func() []string
	env   map[string]string
	hello any
	moved func(address string) // told where it listens after each start
	begun func()               // told before each start; may be nil

	mu    sync.Mutex // one fault at a time
	child *child
	at    string // host:port
}

// start starts the process and waits until it listens.
func (p *part) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.startLocked()
}

func (p *part) launch() (*child, error) {
	if p.begun != nil {
		p.begun()
	}
	var env []string
	for _, k := range slices.Sorted(maps.Keys(p.env)) {
		env = append(env, k+"="+p.env[k])
	}
	c, err := startChild(p.w.exe, p.args(), env, p.hello, filepath.Join(p.w.dir, p.name+".log"))
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", p.name, err)
	}
	return c, nil
}

func (p *part) startLocked() (err error) {
	if p.child, err = p.launch(); err != nil {
		return err
	}
	if p.at, err = p.child.address(); err != nil {
		return fmt.Errorf("the %s does not run: %w", p.name, err)
	}
	p.moved(p.at)
	return nil
}

// crash kills the process, waits, does something to what it left behind and starts it again.
// early: it is killed a second time while it starts.
func (p *part) crash(down time.Duration, between func() error, early time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.alive(); err != nil {
		return err
	}
	p.child.kill()
	sleep(context.Background(), down)
	if between != nil {
		if err := between(); err != nil {
			return fmt.Errorf("the %s: %w", p.name, err)
		}
	}
	if early > 0 {
		c, err := p.launch()
		if err != nil {
			return err
		}
		sleep(context.Background(), early)
		c.kill()
	}
	return p.startLocked()
}

// restart stops the process in order and starts it again.
func (p *part) restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.alive(); err != nil {
		return err
	}
	p.child.stop()
	return p.startLocked()
}

// alive reports a process that ended by itself, which none may do.
func (p *part) alive() error {
	select {
	case <-p.child.done:
		return fmt.Errorf("the %s ended by itself: %w", p.name, errOr(p.child.err))
	default:
		return nil
	}
}

func (p *part) freeze(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.child.freeze()
	sleep(context.Background(), d)
	p.child.thaw()
}

// end stops the process for good.
func (p *part) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.child != nil {
		p.child.thaw()
		p.child.kill()
	}
}

func (p *part) address() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// node is a site or a cloud.
type node struct {
	part
	data   string
	secret demo.Bootstrap
	backup string                      // folder of an older copy, "" when there is none
	webs   map[string]*faultproxy.HTTP // its ways to the clouds, by their names
}

func (w *world) newNode(name, role string) *node {
	n := &node{data: filepath.Join(w.dir, name), webs: map[string]*faultproxy.HTTP{}, secret: demo.Bootstrap{
		User: name, Password: "the password of " + name, Customer: "Torture",
		APIKey: "mmk_" + strings.Repeat(fmt.Sprintf("%016x", w.rand.Uint64()), 3), Permissions: permission.Everything(),
	}}
	n.part = part{w: w, name: name, hello: n.secret, moved: func(string) {}, env: map[string]string{
		"MM_ROLES": role, "MM_LOG_LEVEL": "debug", "MM_TORTURE_PACE": pace.String(), "MM_TORTURE_PAGE": fmt.Sprint(w.plan.pageBytes),
	}}
	if w.plan.disk {
		starts := 0
		n.begun = func() {
			starts++
			n.env["MM_TORTURE_DISK"] = fmt.Sprintf("%d:%s", w.plan.seed*1000+uint64(starts), n.diskFile())
		}
	}
	n.args = func() []string {
		return []string{"run", "--parent", "--data", n.data, "--listen", "127.0.0.1:0", "--log-format", "json"}
	}
	return n
}

// diskFile names the faults of the node's disk.
func (n *node) diskFile() string { return filepath.Join(n.w.dir, n.name+".disk") }

// client calls the node directly, by no proxy.
func (n *node) client() (*client.Client, error) {
	return client.New("http://"+n.address(), client.Config{APIKey: n.secret.APIKey, Retries: -1, Timeout: 20 * time.Second})
}

// copyOf copies the node's folder as it is on the disk at one moment: of a frozen process.
func (n *node) copyTo(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.child.freeze()
	defer n.child.thaw()
	return copyFolder(n.data, dir)
}

// copyFolder copies files and folders; what stood at the target is gone.
func copyFolder(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

// site is a node with its own way to the meter and to the cloud.
type site struct {
	*node
	wire  *faultproxy.Modbus
	hosts string // file that resolves the name of the cloud, "" when it has none
	login bool   // joins by user and password
}

// setUp makes the site know its meter and its cloud, however often it is asked.
func (s *site) setUp(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	status, err := c.Status(ctx)
	if err != nil {
		return fmt.Errorf("ask %s: %w", s.name, err)
	}
	if len(status.Meters) == 0 || status.Meters[0].Address == "" {
		err := c.Call(ctx, api.CmdMeterAdd, map[string]any{
			"name": meterName, "address": "tcp://" + s.wire.Addr(), "unit": 1, "profile": "eig-shark-200", "zone": s.w.plan.zone,
		}, nil)
		if err != nil && !errors.Is(err, fault.Conflict) {
			return fmt.Errorf("tell %s of the meter: %w", s.name, err)
		}
	}
	if status.Sync == nil || !status.Sync.Enabled {
		if err := s.join(ctx, c); err != nil {
			return err
		}
	}
	return s.addSecond(ctx, c)
}

// addSecond makes a node upload to the second cloud too, when it has a way to it.
func (n *node) addSecond(ctx context.Context, c *client.Client) error {
	if n.webs["cloud2"] == nil {
		return nil
	}
	var list api.CloudList
	if err := c.Call(ctx, api.CmdCloudList, nil, &list); err != nil {
		return fmt.Errorf("ask %s for its clouds: %w", n.name, err)
	}
	for _, x := range list.Clouds {
		if x.Cloud == "second" {
			return nil
		}
	}
	err := c.Call(ctx, api.CmdCloudAdd, map[string]any{
		"name": "second", "host": "http://" + n.webs["cloud2"].Addr(), "apikey": n.w.clouds[1].secret.APIKey,
	}, nil)
	if err != nil {
		return fmt.Errorf("tell %s of the second cloud: %w", n.name, err)
	}
	return nil
}

// passOn makes a cloud pass on what it gets, when it has a way.
func (n *node) passOn(ctx context.Context) error {
	c, err := n.client()
	if err != nil {
		return err
	}
	defer c.Close()
	return n.addSecond(ctx, c)
}

// join switches the upload to the first cloud on.
func (s *site) join(ctx context.Context, c *client.Client) error {
	host, port, _ := strings.Cut(s.webs["cloud"].Addr(), ":")
	if s.hosts != "" {
		host = "cloud.torture.test"
	}
	settings := [][2]string{{"etheria.client~host", "http://" + host}, {"etheria.client~port", port}}
	args := map[string]any{"user": s.w.clouds[0].secret.User, "pass": s.w.clouds[0].secret.Password}
	if !s.login {
		settings, args = append(settings, [2]string{"cloud.apikey", s.w.clouds[0].secret.APIKey}), nil
	}
	if s.w.plan.interval > 0 {
		settings = append(settings, [2]string{"cloud.limit.historical_interval", s.w.plan.interval.String()})
	}
	for _, x := range settings {
		if err := c.Call(ctx, api.CmdCloudSet, map[string]any{"name": x[0], "value": x[1]}, nil); err != nil {
			return fmt.Errorf("tell %s where its cloud is: %w", s.name, err)
		}
	}
	if err := c.Call(ctx, api.CmdCloudEnable, args, nil); err != nil {
		return fmt.Errorf("switch the sync of %s on: %w", s.name, err)
	}
	return nil
}

// policies are what a site may be told to upload meanwhile; at the end it is everything.
var policies = []string{"*", "readings.voltage.an,energy.interval.wh.received", "readings.voltage.an,readings.voltage.ab,readings.power.watts"}

// upload changes what the site uploads. A site that knows no cloud yet is told later.
func (s *site) upload(ctx context.Context, channels string) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	status, err := c.Status(ctx)
	if err != nil {
		return fmt.Errorf("ask %s: %w", s.name, err)
	}
	if status.Sync == nil || !status.Sync.Enabled {
		return nil
	}
	if err := c.Call(ctx, api.CmdCloudSet, map[string]any{"name": "cloud.upload.channels", "value": channels}, nil); err != nil {
		return fmt.Errorf("tell %s what to upload: %w", s.name, err)
	}
	return nil
}

// resolve makes the name of the cloud known, or unknown.
func (s *site) resolve(known bool) error {
	if s.hosts == "" {
		return nil
	}
	if !known {
		return os.Remove(s.hosts)
	}
	return os.WriteFile(s.hosts, []byte(s.webs["cloud"].Addr()), 0o600)
}
