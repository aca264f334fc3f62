package main

import (
	"context"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// verifyCmd compares meters, site and cloud.
type verifyCmd struct {
	remote
	JSON  bool   `name:"json" help:"Print the result as JSON."`
	Meter string `placeholder:"NAME" help:"Only this meter: name, serial or UID."`
	Kind  string `placeholder:"LOG" help:"Only this log: historical, waveform, system, limits or pq."`
	With  string `placeholder:"CLOUD" help:"Only with the cloud of this name (see cloud.list); all clouds without it."`
	Deep  bool   `help:"Read every record of the meters' memories again, not only the newest 5,000 of each log."`
}

// Help shows an example.
func (verifyCmd) Help() string {
	return `Example: metermanager verify --data .demo

Compares what the meter holds with what the site recorded, what the site claims with what it holds, and what it sent with what the cloud holds, stream by stream and day by day.

Exit code 0: nothing differs and nothing is pending. 6: records differ. 7: nothing differs, but records wait for the cloud.`
}

// Run compares and prints what was found.
func (c *verifyCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.Verify)
	if err != nil {
		return err
	}
	defer done()
	args := map[string]any{}
	if c.Meter != "" {
		args["meter"] = c.Meter
	}
	if c.Kind != "" {
		args["kind"] = c.Kind
	}
	if c.With != "" {
		args["cloud"] = c.With
	}
	if c.Deep {
		args["deep"] = true
	}
	var report api.VerifyReport
	if err := service.Call(ctx, api.CmdVerify, args, &report); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(p.stdout, report)
	} else {
		err = p.showVerify(report)
	}
	switch {
	case err != nil:
		return err
	case report.Different > 0:
		return exitError{exitDifferent}
	case report.Pending > 0:
		return exitError{exitPending}
	}
	return nil
}
