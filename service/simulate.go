package main

import (
	"context"
	"fmt"
	"time"

	"metermanager/service/field/sim"
)

// simulateCmd runs one simulated meter.
type simulateCmd struct {
	Listen  string `default:"127.0.0.1:15020" placeholder:"HOST:PORT" help:"Address on which the meter answers Modbus TCP (default: ${default})."`
	Kind    string `enum:"shark200,sunspec" default:"shark200" help:"Kind of meter: shark200 or sunspec (default: ${default})."`
	Unit    int    `default:"1" help:"Modbus unit (default: ${default})."`
	Seed    uint64 `default:"1" help:"Number from which all values follow: the same seed and time give the same values."`
	Zone    string `default:"UTC" placeholder:"ZONE" help:"IANA time zone of the meter's clock (default: ${default})."`
	History string `default:"60d" placeholder:"SPAN" help:"How far back the logs begin, such as 12h or 60d (default: ${default})."`

	State string `type:"path" placeholder:"FILE" help:"File for the start of the history and the meter's own notes: with it a meter started again holds the same records."`

	RealMemory bool `help:"Give the logs the sizes of the real meter, so that a long history rolls over."`

	Parent bool `hidden:""`
}

// Help shows an example.
func (simulateCmd) Help() string {
	return `Example: metermanager simulate --listen 127.0.0.1:15020 --history 30d

A shark200 has the log memory of an EIG Shark 200 (it may hold more than the real one does, and says so), a sunspec only present values. History ends now and goes on in real time.`
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
	meter, err := sim.New(sim.Config{
		Listen: c.Listen, Kind: sim.Kind(c.Kind), Unit: byte(c.Unit), Seed: c.Seed, Zone: c.Zone, History: history,
		State: c.State, RealMemory: c.RealMemory, Logger: p.newLogger(),
	})
	if err != nil {
		return err
	}
	for _, note := range meter.MemoryNotes() {
		fmt.Fprintln(p.stdout, sim.BeyondReal+note)
	}
	fmt.Fprintf(p.stdout, "Simulated %s, unit %d, answers on tcp://%s. Ctrl-C ends it.\n", c.Kind, c.Unit, meter.Addr())
	return meter.Run(ctx)
}
