package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
)

// logFetchCmd brings to a cloud what was not sent to it.
type logFetchCmd struct {
	remote
	kindRange
	What   []string      `placeholder:"WORD" help:"skipped (the default), reduced (the rows of combined ones), full (recordings that were shortened); several joined by commas."`
	Wait   bool          `help:"Wait until the manager has sent it."`
	Within time.Duration `default:"10m" placeholder:"SPAN" help:"With --wait: give up after this long (default: ${default})."`
	Name   string        `name:"to-cloud" placeholder:"NAME" help:"At a site with several clouds: to this one."`
	JSON   bool          `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logFetchCmd) Help() string {
	return `Example: metermanager log fetch main-incomer --kind pq --from 2026-03-01 --to 2026-03-02 --wait --cloud

At a cloud: leaves a request for the manager of the meter, which asks for it by itself (the cloud cannot call it). At the site: sends at once. What is fetched stays; what is there already does not come twice.

Without --kind: all logs. See what can be fetched with: metermanager log skipped METER`
}

// fetched is what the command did: requests at a cloud, or what the site sent.
type fetched struct {
	Requests []api.FetchRequest `json:"requests,omitempty"`
	Sent     []sentLog          `json:"sent,omitempty"`
}

type sentLog struct {
	Kind    string         `json:"kind"`
	Stored  int            `json:"stored"`
	Repeats int            `json:"repeats"`
	Revised int            `json:"revised"`
	Skipped int            `json:"skipped"`
	Cannot  map[string]int `json:"cannot,omitempty"`
}

// Run asks for, or sends, what was not sent.
func (c *logFetchCmd) Run(ctx context.Context, p *program) error {
	if len(c.What) == 0 {
		c.What = []string{api.FetchSkipped}
	}
	for _, w := range c.What {
		if w != api.FetchSkipped && w != api.FetchReduced && w != api.FetchFull {
			return usageError{fmt.Sprintf("--what %s: want skipped, reduced or full", w)}
		}
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
	status, err := service.Status(ctx)
	if err != nil {
		return err
	}
	var out fetched
	for _, kind := range s.kinds {
		what := fitting(c.What, kind)
		if len(what) == 0 {
			continue
		}
		made, err := service.RequestRecords(ctx, s.meter.UID, api.FetchQuery{Kind: kind.String(), From: s.from, To: s.to, What: what})
		if err != nil {
			return err
		}
		out.Requests = append(out.Requests, made...)
		if len(made) == 0 && status.Sync != nil && status.Sync.Enabled {
			sent, err := c.send(ctx, service, s, kind, what)
			if err != nil {
				return err
			}
			out.Sent = append(out.Sent, sent)
		}
	}
	if c.Wait {
		if err := c.await(ctx, service, s, out.Requests); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(p.stdout, out)
	} else {
		err = p.showFetched(s, out)
	}
	if err == nil && c.Wait && slices.ContainsFunc(out.Requests, func(r api.FetchRequest) bool { return r.Open() }) {
		return exitError{exitPending}
	}
	return err
}

// fitting returns those of what that a kind of log has.
func fitting(what []string, kind logdb.Kind) (out []string) {
	for _, w := range what {
		if w == api.FetchSkipped || w == api.FetchReduced && kind == logdb.KindHistorical || w == api.FetchFull && kind == logdb.KindWaveform {
			out = append(out, w)
		}
	}
	return out
}

// send lets a site send by itself.
func (c *logFetchCmd) send(ctx context.Context, service *client.Client, s span, kind logdb.Kind, what []string) (sentLog, error) {
	args := map[string]any{"meter": string(s.meter.UID), "requested": true, "kind": kind.String(), "what": strings.Join(what, ",")}
	for name, at := range map[string]logdb.Millis{"from": s.from, "to": s.to} {
		if at != 0 {
			args[name] = fmt.Sprint(int64(at))
		}
	}
	if c.Name != "" {
		args["cloud"] = c.Name
	}
	out := sentLog{Kind: kind.String()}
	return out, service.Call(ctx, api.CmdCloudMeterUpload, args, &out)
}

// await looks at requests until none is open any more, or until it takes too long.
func (c *logFetchCmd) await(ctx context.Context, service *client.Client, s span, list []api.FetchRequest) error {
	ctx, cancel := context.WithTimeout(ctx, c.Within)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		open := 0
		for i := range list {
			if !list[i].Open() {
				continue
			}
			answer, err := service.RecordRequests(ctx, s.meter.UID, list[i].ID, "")
			if err != nil {
				if ctx.Err() != nil {
					return nil // too long: what is known is printed
				}
				return err
			}
			if len(answer.Requests) == 1 {
				list[i] = answer.Requests[0]
			}
			if list[i].Open() {
				open++
			}
		}
		if open == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *program) showFetched(s span, out fetched) error {
	if len(out.Requests) == 0 && !slices.ContainsFunc(out.Sent, func(l sentLog) bool { return l.Stored+l.Revised > 0 || len(l.Cannot) > 0 }) {
		fmt.Fprintf(p.stdout, "There is nothing to fetch of %s in that range.\n", s.meter.Settings.Name)
		return nil
	}
	for _, l := range out.Sent {
		if l.Stored+l.Revised == 0 && len(l.Cannot) == 0 {
			continue
		}
		fmt.Fprintf(p.stdout, "%s: %s records sent", l.Kind, grouped(int64(l.Stored+l.Revised)))
		if l.Repeats > 0 {
			fmt.Fprintf(p.stdout, ", %s there already", grouped(int64(l.Repeats)))
		}
		fmt.Fprintln(p.stdout, ".")
		for why, n := range l.Cannot {
			fmt.Fprintf(p.stdout, "! %s cannot be sent: %s\n", grouped(int64(n)), why)
		}
	}
	if len(out.Requests) == 0 {
		return nil
	}
	return p.requestTable(s, out.Requests)
}

func (p *program) requestTable(s span, list []api.FetchRequest) error {
	t := newTable("Request", "Log", "State", ">Wanted", ">Came", ">Cannot", "Asked ("+s.zone.String()+")", "By")
	for _, r := range list {
		cannot := 0
		for _, c := range r.Cannot {
			cannot += c.Count
		}
		what := r.Kind
		if r.Instructs() {
			what = strings.TrimSpace(r.What[0] + " " + r.Kind + r.Command)
		}
		t.add(r.ID, what, r.State, grouped(int64(r.Wanted)), grouped(int64(r.Came)), grouped(int64(cannot)), clock(r.Created, s.zone), r.By)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	waits := false
	for _, r := range list {
		if r.Result != "" {
			fmt.Fprintf(p.stdout, "  %s: %s\n", r.ID, r.Result)
		}
		if r.Reason != "" {
			fmt.Fprintf(p.stdout, "! %s: %s\n", r.ID, r.Reason)
		}
		for _, c := range r.Cannot {
			fmt.Fprintf(p.stdout, "! %s: %s cannot be sent: %s\n", r.ID, grouped(int64(c.Count)), c.Reason)
		}
		waits = waits || r.Open() && !r.Instructs()
	}
	if waits {
		fmt.Fprintf(p.stdout, "\nThe manager asks for it by itself. See what came: metermanager log requests %s\n", s.meter.Settings.Name)
	}
	return nil
}

// logRequestsCmd lists requests, or takes one back.
type logRequestsCmd struct {
	remote
	Meter  string `arg:"" help:"Name, serial or UID."`
	Cancel string `placeholder:"ID" help:"Take this request back; what is being sent may still come."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logRequestsCmd) Help() string {
	return "Example: metermanager log requests main-incomer --cloud\n\nStates: queued (no manager has seen it), taken (it sends), done, failed, cancelled."
}

// Run prints the list.
func (c *logRequestsCmd) Run(ctx context.Context, p *program) error {
	perm := permission.LogsRead
	if c.Cancel != "" {
		perm = permission.RPCControl
	}
	service, done, err := c.connect(ctx, p, perm)
	if err != nil {
		return err
	}
	defer done()
	s, err := (&kindRange{Meter: c.Meter}).resolve(ctx, service)
	if err != nil {
		return err
	}
	var list []api.FetchRequest
	if c.Cancel != "" {
		r, err := service.CancelRequest(ctx, s.meter.UID, c.Cancel)
		if err != nil {
			return err
		}
		list = append(list, r)
	} else {
		answer, err := service.RecordRequests(ctx, s.meter.UID, "", "")
		if err != nil {
			return err
		}
		list = answer.Requests
	}
	if c.JSON {
		return printJSON(p.stdout, api.FetchAnswer{Requests: list})
	}
	if len(list) == 0 {
		fmt.Fprintf(p.stdout, "Nothing was asked for of %s.\n", s.meter.Settings.Name)
		return nil
	}
	return p.requestTable(s, list)
}
