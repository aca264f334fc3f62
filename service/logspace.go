package main

import (
	"context"
	"fmt"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// logSpaceCmd shows what the logs take.
type logSpaceCmd struct {
	remote
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logSpaceCmd) Help() string {
	return "Example: metermanager log space\n\nPer meter and log: its share of the database's pages, and its archive files. Shares are by the lengths of rows, so that all of them and what meters have in common add up to the file."
}

// Run prints the table.
func (c *logSpaceCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.RPCRead)
	if err != nil {
		return err
	}
	defer done()
	var s api.SpaceAnswer
	if err := service.Call(ctx, api.CmdLogSpace, nil, &s); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, s)
	}
	t := newTable("Meter", "Log", ">Records MB", ">Tiers", ">Raw", ">Account", ">Archive", ">All")
	for _, m := range s.Meters {
		name := m.Name
		if name == "" {
			name = string(m.Meter)
		}
		for _, l := range m.Logs {
			t.add(name, l.Kind, megabytes(l.Records), megabytes(l.Tiers), megabytes(l.Raw), megabytes(l.Account), megabytes(l.Archive), megabytes(l.Bytes()))
		}
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	if s.LogsBytes > 0 {
		fmt.Fprintf(p.stdout, "\nLog database: %s MB, of it %s MB free (log vacuum) and %s MB of no meter. Meters, users, cloud sync: %s MB. Archive: %s MB.\n",
			megabytes(s.LogsBytes), megabytes(s.FreeBytes), megabytes(s.OtherBytes), megabytes(s.MetaBytes), megabytes(s.ArchiveBytes))
	}
	return nil
}

// logVacuumCmd gives space back to the disk.
type logVacuumCmd struct {
	remote
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logVacuumCmd) Help() string {
	return "Example: metermanager log vacuum\n\nGives what deleted records have left in the log database back to the disk, in small steps, while the service works. The service does the same by itself when much is free."
}

// Run goes on until nothing is free.
func (c *logVacuumCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.System)
	if err != nil {
		return err
	}
	defer done()
	say := p.progress()
	var total int64
	for {
		var step api.VacuumAnswer
		if err := service.Call(ctx, api.CmdLogVacuum, nil, &step); err != nil {
			return err
		}
		total += step.GivenBack
		if step.GivenBack == 0 || step.Free == 0 {
			say("")
			if c.JSON {
				return printJSON(p.stdout, api.VacuumAnswer{GivenBack: total, Free: step.Free})
			}
			_, err := fmt.Fprintf(p.stdout, "Gave back %s MB; %s MB are still free in the file.\n", megabytes(total), megabytes(step.Free))
			return err
		}
		say(fmt.Sprintf("gave back %s MB, %s MB to go", megabytes(total), megabytes(step.Free)))
	}
}
