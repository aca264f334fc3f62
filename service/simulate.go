package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"metermanager/service/field/sim"
)

// simulateCmd runs one simulated meter.
type simulateCmd struct {
	Listen  string `default:"127.0.0.1:15020" placeholder:"HOST:PORT" help:"Address on which the meter answers Modbus TCP (default: ${default})."`
	Kind    string `enum:"shark200,sunspec,nexus1252" default:"shark200" help:"Kind of meter: shark200, nexus1252 or sunspec (default: ${default})."`
	Unit    int    `default:"1" help:"Modbus unit (default: ${default})."`
	Seed    uint64 `default:"1" help:"Number from which all values follow: the same seed and time give the same values."`
	Zone    string `default:"UTC" placeholder:"ZONE" help:"IANA time zone of the meter's clock (default: ${default})."`
	History string `default:"60d" placeholder:"SPAN" help:"How far back the logs begin, such as 12h or 60d (default: ${default})."`

	Meters int `default:"1" help:"How many meters, on ports that follow each other, with seeds that do (default: ${default})."`

	State string `type:"path" placeholder:"FILE" help:"File for the start of the history and the meter's own notes: with it a meter started again holds the same records."`

	RealMemory bool `help:"Give the logs the sizes of the real meter, so that a long history rolls over."`

	Call      string        `placeholder:"URL" help:"Instead of answering: a web-enabled meter that may only call out. It registers with this service, posts what it records and carries out its instructions."`
	Key       string        `env:"MM_API_KEY" placeholder:"KEY" help:"With --call: upload key."`
	CallEvery time.Duration `default:"1m" placeholder:"SPAN" help:"With --call: how often it calls (default: ${default})."`

	Parent bool `hidden:""`
}

// Help shows an example.
func (simulateCmd) Help() string {
	return `Example: metermanager simulate --listen 127.0.0.1:15020 --history 30d

A shark200 has the log memory of an EIG Shark 200 (it may hold more than the real one does, and says so), a nexus1252 that of the Nexus 1252 style (GE EPM 9650/9800; add it with --profile eig-nexus-1252), a sunspec only present values. History ends now and goes on in real time.`
}

// Run answers until ctx ends.
func (c *simulateCmd) Run(ctx context.Context, p *program) error {
	history, err := parseSpan(c.History)
	if err != nil {
		return err
	}
	if c.Unit < 1 || c.Unit > 247 {
		return usageError{fmt.Sprintf("--unit %d: want 1 to 247", c.Unit)}
	}
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		return usageError{fmt.Sprintf("--zone %q: want a name such as Europe/Berlin", c.Zone)}
	}
	if c.Parent {
		var cancel context.CancelFunc
		if ctx, cancel, err = parentInput(ctx, p.stdin, new(struct{})); err != nil {
			return err
		}
		defer cancel()
	}
	if c.Call != "" {
		return c.call(ctx, p, history)
	}
	if c.Meters > 1 {
		return c.several(ctx, p, history)
	}
	meter, err := sim.New(c.config(p, history))
	if err != nil {
		return err
	}
	for _, note := range meter.MemoryNotes() {
		fmt.Fprintln(p.stdout, sim.BeyondReal+note)
	}
	fmt.Fprintf(p.stdout, "Simulated %s, unit %d, answers on tcp://%s. Ctrl-C ends it.\n", c.Kind, c.Unit, meter.Addr())
	return meter.Run(ctx)
}

func (c *simulateCmd) config(p *program, history time.Duration) sim.Config {
	return sim.Config{
		Listen: c.Listen, Kind: sim.Kind(c.Kind), Unit: byte(c.Unit), Seed: c.Seed, Zone: c.Zone, History: history,
		State: c.State, RealMemory: c.RealMemory, Logger: p.newLogger(),
	}
}

// mostSimulated bounds how many meters one process simulates.
const mostSimulated = 500

// several answers for many meters in one process until ctx ends.
func (c *simulateCmd) several(ctx context.Context, p *program, history time.Duration) error {
	host, port, err := net.SplitHostPort(c.Listen)
	first, perr := strconv.Atoi(port)
	if err != nil || perr != nil || first == 0 || first+c.Meters > 65536 || c.Meters > mostSimulated || c.State != "" {
		return usageError{fmt.Sprintf("--meters %d: at most %d, on ports from that of --listen on, without --state", c.Meters, mostSimulated)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, c.Meters)
	running := 0
	for i := range c.Meters {
		cfg := c.config(p, history)
		cfg.Listen, cfg.Seed = net.JoinHostPort(host, strconv.Itoa(first+i)), c.Seed+uint64(i)
		meter, merr := sim.New(cfg)
		if merr != nil {
			err = merr
			break
		}
		running++
		go func() { ended <- meter.Run(ctx) }()
	}
	if err != nil {
		cancel()
	} else {
		fmt.Fprintf(p.stdout, "%d simulated %s, unit %d, answer on tcp://%s and the ports that follow. Ctrl-C ends them.\n", c.Meters, c.Kind, c.Unit, c.Listen)
	}
	for range running {
		if e := <-ended; e != nil && err == nil {
			err = e
			cancel()
		}
	}
	return err
}
