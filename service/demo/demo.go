package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"metermanager/rpc/permission"
	"metermanager/service/config"
)

// Config says how a demonstration runs. Dir, Listen and CloudListen must be set.
type Config struct {
	Dir                 string        // folder of everything that it writes, absolute
	Listen, CloudListen string        // host:port of site and cloud
	History             time.Duration // how far back the logs of the simulated meters begin; 60 days when zero
	Executable          string        // the program; this one when empty
	Out                 io.Writer     // what people read
	Live                bool          // Out is a terminal: one progress line is rewritten
	Version             string
}

// Bootstrap is what a node is told on its standard input: its first user and key.
type Bootstrap struct {
	User        string         `json:"user"`
	Password    string         `json:"password"`
	Customer    string         `json:"customer"`
	APIKey      string         `json:"apikey"`
	Permissions permission.Set `json:"permissions"`
}

// KeyPermissions is what the made-up keys may do.
func KeyPermissions() permission.Set {
	return permission.Of(permission.Upload, permission.MetersRead, permission.LogsRead, permission.RPCRead, permission.Verify)
}

// Run starts the demonstration and stays until ctx ends, then stops its children in order.
func Run(ctx context.Context, cfg Config) error {
	if cfg.History == 0 {
		cfg.History = 60 * 24 * time.Hour
	}
	if cfg.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program's file: %w", err)
		}
		cfg.Executable = exe
	}
	r := &runner{cfg: cfg}
	defer r.stopAll(context.WithoutCancel(ctx))
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.startAll(ctx); err != nil {
		return r.ended(ctx, err)
	}
	if err := r.setUpAgain(ctx); err != nil {
		return r.ended(ctx, err)
	}
	r.explain()
	return r.ended(ctx, r.watch(ctx))
}

// runner is one run of a demonstration.
type runner struct {
	cfg    Config
	state  State
	cloud  *part
	site   *part
	meters []*part
	unlock func() error
	shown  int // length of the progress line on the screen
}

// ended tells an end that was asked for from a failure.
func (r *runner) ended(ctx context.Context, err error) error {
	r.clearLine()
	if ctx.Err() != nil {
		fmt.Fprintln(r.cfg.Out, "Stopping ...")
		return nil
	}
	return err
}

// prepare makes the folder and what is made up at the first start.
func (r *runner) prepare() error {
	for _, dir := range []string{r.cfg.Dir, filepath.Join(r.cfg.Dir, "log"), filepath.Join(r.cfg.Dir, "meters")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the demonstration's folder: %w", err)
		}
	}
	unlock, err := config.LockFolder(r.cfg.Dir)
	if err != nil {
		return err
	}
	r.unlock = unlock
	state, err := ReadState(r.cfg.Dir)
	if err != nil && !errors.Is(err, ErrNoDemo) {
		return err
	}
	r.state = state
	for _, a := range []struct{ listen, option string }{{r.cfg.Listen, "--listen"}, {r.cfg.CloudListen, "--cloud-listen"}} {
		if _, _, err := net.SplitHostPort(a.listen); err != nil {
			return fmt.Errorf("%w: %s %q: want host:port, such as 127.0.0.1:8080", config.ErrInvalid, a.option, a.listen)
		}
		if err := free(a.listen); err != nil {
			return fmt.Errorf("%s cannot be listened on (%w): another program, or another demonstration, uses it; choose another with %s",
				a.listen, err, a.option)
		}
	}
	r.node(&r.state.Site, "site", r.cfg.Listen)
	r.node(&r.state.Cloud, "cloud", r.cfg.CloudListen)
	if err := r.chooseMeters(); err != nil {
		return err
	}
	return r.state.write(r.cfg.Dir)
}

func (r *runner) node(n *Node, name, listen string) {
	n.makeSecrets()
	n.Data = filepath.Join(r.cfg.Dir, name)
	c := config.Config{Listen: listen}
	n.URL, n.PID = c.URL(), 0
}

// chooseMeters makes the list of meters at the first start, and gives a meter another port
// when somebody has taken its own; the site is told.
func (r *runner) chooseMeters() error {
	if len(r.state.Meters) == 0 {
		r.state.Meters = []Meter{
			{Name: "main-incomer", Kind: "shark200", Unit: 1, Zone: "America/New_York", Seed: 200, Address: "tcp://127.0.0.1:15020"},
			{Name: "solar-roof", Kind: "sunspec", Unit: 1, Zone: "America/New_York", Seed: 201, Address: "tcp://127.0.0.1:15021"},
		}
	}
	for i := range r.state.Meters {
		m := &r.state.Meters[i]
		m.PID = 0
		if free(m.hostPort()) == nil {
			continue
		}
		address, err := freeAddress()
		if err != nil {
			return fmt.Errorf("find a port for the meter %s: %w", m.Name, err)
		}
		m.Address = "tcp://" + address
	}
	return nil
}

// freeAddress returns an address of loopback on which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (m *Meter) hostPort() string { return strings.TrimPrefix(m.Address, "tcp://") }

// free reports whether an address can be listened on.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}
