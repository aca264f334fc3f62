package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
)

// kindRange says which log of which meter, and when.
type kindRange struct {
	Meter string `arg:"" help:"Name, serial or UID."`
	Kind  string `placeholder:"LOG" help:"Only this log: historical, waveform, system, limits or pq."`
	From  string `placeholder:"TIME" help:"First time, in the meter's zone unless it says another: 2026-03-01, 2026-03-01T14:30, RFC 3339, ms, or a span back such as 7d."`
	To    string `placeholder:"TIME" help:"First time that is left out."`
}

// span is a kindRange that was read.
type span struct {
	meter    api.Meter
	kinds    []logdb.Kind
	zone     *time.Location
	from, to logdb.Millis
}

func (r *kindRange) resolve(ctx context.Context, service *client.Client) (s span, err error) {
	s.kinds = logdb.Kinds[:]
	if r.Kind != "" {
		kind, err := logdb.ParseKind(r.Kind)
		if err != nil {
			return s, usageError{fmt.Sprintf("log %q: want historical, waveform, system, limits or pq", r.Kind)}
		}
		s.kinds = []logdb.Kind{kind}
	}
	if s.meter, err = findMeter(ctx, service, r.Meter); err != nil {
		return s, err
	}
	s.zone = zoneOf(s.meter.Settings.Zone)
	now := time.Now()
	if r.From != "" {
		if s.from, err = parseWhen(r.From, s.zone, now); err != nil {
			return s, err
		}
	}
	if r.To != "" {
		if s.to, err = parseWhen(r.To, s.zone, now); err != nil {
			return s, err
		}
	}
	return s, nil
}

// logSkippedCmd lists what limits kept back.
type logSkippedCmd struct {
	remote
	kindRange
	Limit int  `placeholder:"N" help:"At most so many lines of each log (default: all)."`
	JSON  bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logSkippedCmd) Help() string {
	return `Example: metermanager log skipped main-incomer --kind pq --from 7d

At the site: every record that a limit kept from a cloud, with its time, the limit, and whose it was. At the cloud: what is not there; of what the sender skipped only positions, the times of the first and last record of a range, and the limit are known there.

Fetch it with: metermanager log fetch main-incomer --kind pq`
}

// skippedLog is what was skipped of one log.
type skippedLog struct {
	Kind    string        `json:"kind"`
	Skipped []api.Skipped `json:"skipped"`
	More    bool          `json:"more,omitempty"`
}

// Run prints the list.
func (c *logSkippedCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	s, err := c.resolve(ctx, service)
	if err != nil {
		return err
	}
	var logs []skippedLog
	for _, kind := range s.kinds {
		l, err := skippedOf(ctx, service, s, kind, c.Limit)
		if err != nil {
			return err
		}
		logs = append(logs, l)
	}
	if c.JSON {
		return printJSON(p.stdout, map[string]any{"meter_uid": s.meter.UID, "logs": logs})
	}
	return p.skippedTable(s, logs)
}

// skippedOf asks for all lines of one log, or for as many as limit says.
func skippedOf(ctx context.Context, service *client.Client, s span, kind logdb.Kind, limit int) (skippedLog, error) {
	out := skippedLog{Kind: kind.String(), Skipped: []api.Skipped{}}
	q := api.SkippedQuery{Kind: kind, From: s.from, To: s.to, Limit: 10_000}
	for {
		if limit > 0 {
			q.Limit = min(10_000, limit-len(out.Skipped))
		}
		answer, err := service.Skipped(ctx, s.meter.UID, q)
		if err != nil {
			return out, err
		}
		out.Skipped = append(out.Skipped, answer.Skipped...)
		if answer.Next == "" {
			return out, nil
		}
		if q.Cursor = answer.Next; limit > 0 && len(out.Skipped) >= limit {
			out.More = true
			return out, nil
		}
	}
}

func (p *program) skippedTable(s span, logs []skippedLog) error {
	t := newTable("Log", "Time ("+s.zone.String()+")", ">Position", ">Records", "What", "Why", "Whose limit", "Cloud")
	n, more, ranges := 0, false, false
	for _, l := range logs {
		for _, k := range l.Skipped {
			n += k.Count
			at, position, whose := clock(k.From, s.zone), fmt.Sprint(k.First), k.By
			if k.Count > 1 {
				ranges = true
				at += " - " + clock(k.To, s.zone)
				position = fmt.Sprintf("%d-%d", k.First, k.Last)
			}
			why := reasonText(k)
			switch k.Fate {
			case "reduced":
				why = fmt.Sprintf("into position %d", k.Into)
			case "held":
				why = "there from another source"
			}
			t.add(l.Kind, at, position, grouped(int64(k.Count)), k.Fate, why, whose, k.Cloud)
		}
		more = more || l.More
	}
	if n == 0 {
		fmt.Fprintf(p.stdout, "Nothing of %s was skipped or reduced.\n", s.meter.Settings.Name)
		return nil
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\n%s records.", grouped(int64(n)))
	if more {
		fmt.Fprint(p.stdout, " There are more.")
	}
	if ranges {
		fmt.Fprint(p.stdout, " Of what was not sent, this node knows ranges only; the site lists each record.")
	}
	fmt.Fprintf(p.stdout, "\nFetch them: metermanager log fetch %s\n", s.meter.Settings.Name)
	return nil
}

// reasonText says which limit a record was over.
func reasonText(k api.Skipped) string {
	switch k.Reason {
	case "second", "minute", "hour", "day":
		return "too many in a " + k.Reason
	case "size":
		return "too large"
	}
	return strings.ReplaceAll(k.Reason, ":", ": ")
}
