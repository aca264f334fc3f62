package main

import (
	"context"
	"errors"
	"fmt"

	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// checkCmd looks for damage.
type checkCmd struct {
	remote
	Folder string `type:"path" placeholder:"DIR" help:"Check this data folder, in which no service runs, instead of asking a service."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (checkCmd) Help() string {
	return `Example: metermanager check --folder /var/lib/metermanager

Looks at every page, row and index of both databases, at the checksum of every stored block and archive file, and at everything that was kept apart when records were written: lost, altered and extra records are named. Nothing is changed. A running service is asked part by part and goes on working.

Exit code 0: sound. 6: something is damaged; each line says what to do.`
}

// Run checks.
func (c *checkCmd) Run(ctx context.Context, p *program) error {
	say := p.progress()
	var findings []api.CheckFinding
	var notes []string
	var err error
	if c.Folder != "" {
		findings, notes, err = c.folder(ctx, say)
	} else {
		findings, err = c.service(ctx, p, say)
	}
	say("")
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(p.stdout, map[string]any{"findings": append([]api.CheckFinding{}, findings...), "notes": notes}); err != nil {
			return err
		}
		if len(findings) > 0 {
			return exitError{exitDifferent}
		}
		return nil
	}
	for _, text := range notes {
		fmt.Fprintln(p.stdout, "Note:", text)
	}
	return p.showFindings(findings)
}

func (c *checkCmd) folder(ctx context.Context, say func(string)) (findings []api.CheckFinding, notes []string, err error) {
	f, err := openFolder(ctx, c.Folder)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	findings, err = f.All(ctx, func(done, all int, part string) { say(fmt.Sprintf("checking %d of %d: %s", done+1, all, part)) })
	return findings, f.Notes, err
}

func (c *checkCmd) service(ctx context.Context, p *program, say func(string)) ([]api.CheckFinding, error) {
	service, done, err := c.connect(ctx, p, permission.System)
	if err != nil {
		return nil, err
	}
	defer done()
	var list api.CheckAnswer
	if err := service.Call(ctx, api.CmdNodeCheck, nil, &list); err != nil {
		return nil, err
	}
	var out []api.CheckFinding
	for i, part := range list.Parts {
		say(fmt.Sprintf("checking %d of %d: %s", i+1, len(list.Parts), part))
		var one api.CheckAnswer
		if err := service.Call(ctx, api.CmdNodeCheck, map[string]any{"part": part}, &one); err != nil {
			return nil, err
		}
		out = append(out, one.Findings...)
	}
	return out, nil
}

// showFindings prints what is damaged, and what to do once for all that has the same cure.
func (p *program) showFindings(findings []api.CheckFinding) error {
	if len(findings) == 0 {
		_, err := fmt.Fprintln(p.stdout, "Sound: nothing is damaged.")
		return err
	}
	advice, order := map[string]int{}, []string{}
	for _, f := range findings {
		where := f.Place
		if f.Meter != "" {
			where += ", meter " + string(f.Meter) + ", " + f.Kind
		}
		fmt.Fprintf(p.stdout, "%s: %s\n", where, f.Text)
		if advice[f.Advice]++; advice[f.Advice] == 1 {
			order = append(order, f.Advice)
		}
	}
	fmt.Fprintf(p.stdout, "\nDamaged: %d findings.\n", len(findings))
	for _, text := range order {
		fmt.Fprintln(p.stdout, text)
	}
	return exitError{exitDifferent}
}
