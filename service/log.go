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
	"metermanager/rpc/fault"
	"metermanager/rpc/permission"
)

// logCmd reads logs of a running service.
type logCmd struct {
	List   logListCmd   `cmd:"" help:"List the logs that the service holds, with their ranges."`
	Query  logQueryCmd  `cmd:"" help:"Print records of a log, or buckets of them."`
	Latest logLatestCmd `cmd:"" help:"Print the newest recorded values of many meters."`
	Counts logCountsCmd `cmd:"" help:"Count events per log and day, and what limits skipped or reduced."`
	Import logImportCmd `cmd:"" help:"Read COMTRADE, PQDIF, Green Button or CSV files into the log of a meter."`
	Export logExportCmd `cmd:"" help:"Write records of a log as CSV, JSON or Green Button."`

	Analyse logAnalyseCmd `cmd:"" help:"Tell what a recording shows: events, harmonics, phasors, likely causes."`
	EN50160 logWeekCmd    `cmd:"" name:"en50160" help:"Hold a week of a meter against EN 50160."`
	Chart   logChartCmd   `cmd:"" help:"Draw a log as PNG, SVG or PDF."`
	Groups  logGroupsCmd  `cmd:"" help:"Join the PQ events of several meters that may be one event of the network."`

	Correct  logCorrectCmd  `cmd:"" help:"Correct, withdraw or restore a record; the original stays."`
	Versions logVersionsCmd `cmd:"" help:"List the versions of a record: who changed it, when and why."`

	Skipped  logSkippedCmd  `cmd:"" help:"List the records that limits kept back, and why."`
	Fetch    logFetchCmd    `cmd:"" help:"Bring to the cloud what was not sent to it."`
	Space    logSpaceCmd    `cmd:"" help:"Show what each log of each meter takes."`
	Vacuum   logVacuumCmd   `cmd:"" help:"Give free space of the log database back to the disk."`
	Requests logRequestsCmd `cmd:"" help:"List what was asked for of a meter's manager, and what came."`
}

// logListCmd lists logs.
type logListCmd struct {
	remote
	JSON  bool   `name:"json" help:"Print the result as JSON."`
	Meter string `arg:"" optional:"" help:"Name, serial or UID; all meters without it."`
}

// Help shows an example.
func (logListCmd) Help() string {
	return "Example: metermanager log list main-incomer\n\nWithout a meter: one line per log. With a meter: also its channels. Times are in the meter's zone."
}

// logLine is one log of one meter.
type logLine struct {
	Meter   logdb.MeterUID    `json:"meter_uid"`
	Name    string            `json:"name"`
	Kind    string            `json:"kind"`
	Records int64             `json:"records"`
	First   logdb.Millis      `json:"first_ms,omitempty"`
	Last    logdb.Millis      `json:"last_ms,omitempty"`
	Streams int               `json:"streams"`
	Chans   []api.ChannelInfo `json:"channels,omitempty"`
	zone    *time.Location
}

// Run prints the list.
func (c *logListCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	meters, err := findMeters(ctx, service, c.Meter)
	if err != nil {
		return err
	}
	var lines []logLine
	for _, m := range meters {
		of, err := logsOf(ctx, service, m)
		if err != nil {
			return err
		}
		lines = append(lines, of...)
	}
	if c.JSON {
		return printJSON(p.stdout, map[string]any{"logs": lines})
	}
	t := newTable("Meter", "Log", ">Records", "First", "Last", ">Streams")
	for _, l := range lines {
		t.add(l.Name, l.Kind, grouped(l.Records), clock(l.First, l.zone), clock(l.Last, l.zone), fmt.Sprint(l.Streams))
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	if c.Meter != "" {
		return p.channelTable(lines)
	}
	return nil
}

func (p *program) channelTable(lines []logLine) error {
	for _, l := range lines {
		if len(l.Chans) == 0 {
			continue
		}
		fmt.Fprintln(p.stdout)
		t := newTable("Channel", "Name", "Unit", ">Log", ">Values", "First", "Last", ">Newest value")
		for _, ch := range l.Chans {
			if !ch.Shown && len(l.Chans) > 1 && shownElsewhere(l.Chans, ch) {
				continue
			}
			name := ch.Name
			if ch.Unverified {
				name += " (unverified)"
			}
			t.add(string(ch.Key), name, ch.Unit, fmt.Sprint(ch.Log), grouped(ch.Count), clock(ch.First, l.zone), clock(ch.Last, l.zone),
				formatValue(float64(ch.LastValue)))
		}
		if err := t.write(p.stdout); err != nil {
			return err
		}
	}
	return nil
}

// shownElsewhere reports whether another stream of the same log is the one that answers.
func shownElsewhere(all []api.ChannelInfo, ch api.ChannelInfo) bool {
	return slices.ContainsFunc(all, func(o api.ChannelInfo) bool { return o.Key == ch.Key && o.Log == ch.Log && o.Shown })
}

// logsOf asks for the five logs of a meter.
func logsOf(ctx context.Context, service *client.Client, m api.Meter) ([]logLine, error) {
	channels, err := service.Channels(ctx, m.UID)
	if err != nil {
		return nil, err
	}
	var out []logLine
	for _, kind := range logdb.Kinds {
		line := logLine{Meter: m.UID, Name: m.Settings.Name, Kind: kind.String(), zone: zoneOf(m.Settings.Zone)}
		if kind == logdb.KindHistorical {
			line.Chans = channels.Channels
			for _, ch := range channels.Channels {
				line.Records = max(line.Records, ch.Count)
				line.First, line.Last = earlier(line.First, ch.First), max(line.Last, ch.Last)
			}
			line.Streams = countStreams(channels.Channels)
		} else if err := eventsLine(ctx, service, m.UID, kind, &line); err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	return out, nil
}

func eventsLine(ctx context.Context, service *client.Client, meter logdb.MeterUID, kind logdb.Kind, line *logLine) error {
	streams := map[logdb.StreamID]bool{}
	query := api.EventsQuery{Kind: kind}
	for {
		answer, err := service.Events(ctx, meter, query)
		if err != nil {
			return err
		}
		for _, e := range answer.Events {
			line.Records++
			line.First, line.Last = earlier(line.First, e.Entry.Time), max(line.Last, e.Entry.Time)
			streams[e.ID.Stream] = true
		}
		if line.Streams = len(streams); answer.Next == "" {
			return nil
		}
		query.Cursor = answer.Next
	}
}

func earlier(a, b logdb.Millis) logdb.Millis {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func countStreams(channels []api.ChannelInfo) int {
	streams := map[string]bool{}
	for _, ch := range channels {
		streams[ch.Stream] = true
	}
	return len(streams)
}

// findMeters returns the meter of a name, serial or UID, or all meters for "".
func findMeters(ctx context.Context, service *client.Client, word string) ([]api.Meter, error) {
	all, err := service.Meters(ctx)
	if err != nil {
		return nil, err
	}
	if word == "" {
		return all, nil
	}
	var names []string
	for _, match := range []func(api.Meter) string{
		func(m api.Meter) string { return string(m.UID) },
		func(m api.Meter) string { return m.Settings.Name },
		func(m api.Meter) string { return m.Settings.Serial },
	} {
		var found []api.Meter
		for _, m := range all {
			if strings.EqualFold(match(m), word) {
				found = append(found, m)
			}
		}
		switch {
		case len(found) == 1:
			return found, nil
		case len(found) > 1:
			return nil, usageError{fmt.Sprintf("%d meters are called %q: name one by its UID (metermanager meter list)", len(found), word)}
		}
	}
	for _, m := range all {
		names = append(names, m.Settings.Name)
	}
	hint := "The service knows no meters."
	if len(names) > 0 {
		hint = "It knows: " + strings.Join(names, ", ")
	}
	return nil, fault.Newf(fault.NotFound, "The service has no meter %q.", word).WithHint(hint)
}

// findMeter is findMeters for exactly one.
func findMeter(ctx context.Context, service *client.Client, word string) (api.Meter, error) {
	found, err := findMeters(ctx, service, word)
	if err != nil {
		return api.Meter{}, err
	}
	if len(found) != 1 {
		return api.Meter{}, usageError{"name a meter"}
	}
	return found[0], nil
}
