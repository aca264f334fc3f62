package main

import (
	"context"
	"fmt"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// meterInstructCmd leaves instructions for a meter that only calls out.
type meterInstructCmd struct {
	remote
	kindRange
	Interval string            `placeholder:"SPAN" help:"Of rows: only those at this interval, such as 15m."`
	Set      map[string]string `placeholder:"NAME=VALUE" help:"Instead: settings that the meter is to take; can be given several times."`
	Command  string            `placeholder:"NAME" help:"Instead: a command that the meter is to carry out, as the meter calls it."`
	Arg      map[string]string `placeholder:"NAME=VALUE" help:"With --command: its arguments."`
	JSON     bool              `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (meterInstructCmd) Help() string {
	return `Example: metermanager meter instruct web-7 --kind historical --from=-1h --interval 15m
         metermanager meter instruct web-7 --command reset_energy

For a meter that may only call out: it asks for its instructions by itself, posts what they ask for and reports. At a cloud the manager that the meter posts to passes them on. See what came of them: metermanager log requests METER

Without --set and --command: post the records of a log (without --kind: of all logs) in the range.`
}

// Run leaves them.
func (c *meterInstructCmd) Run(ctx context.Context, p *program) error {
	if c.Command != "" && len(c.Set) > 0 || len(c.Arg) > 0 && c.Command == "" {
		return usageError{"give either --set or --command, and --arg with --command only"}
	}
	interval := 0
	if c.Interval != "" {
		d, err := parseSpan(c.Interval)
		if err != nil {
			return err
		}
		interval = int(d.Seconds())
	}
	service, done, err := c.connect(ctx, p, permission.RPCControl)
	if err != nil {
		return err
	}
	defer done()
	s, err := c.resolve(ctx, service)
	if err != nil {
		return err
	}
	var queries []api.FetchQuery
	switch {
	case c.Command != "":
		queries = append(queries, api.FetchQuery{What: []string{api.FetchCommand}, Instruction: api.Instruction{Command: c.Command, Args: c.Arg}})
	case len(c.Set) > 0:
		queries = append(queries, api.FetchQuery{What: []string{api.FetchSettings}, Instruction: api.Instruction{Set: c.Set}})
	default:
		for _, kind := range s.kinds {
			q := api.FetchQuery{Kind: kind.String(), From: s.from, To: s.to, What: []string{api.FetchPost}}
			if kind.String() == "historical" {
				q.IntervalSeconds = interval
			}
			queries = append(queries, q)
		}
	}
	var out api.FetchAnswer
	for _, q := range queries {
		made, err := service.RequestRecords(ctx, s.meter.UID, q)
		if err != nil {
			return err
		}
		out.Requests = append(out.Requests, made...)
	}
	if c.JSON {
		return printJSON(p.stdout, out)
	}
	fmt.Fprintf(p.stdout, "%s finds them when it calls.\n\n", s.meter.Settings.Name)
	return p.requestTable(s, out.Requests)
}
