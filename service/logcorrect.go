package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// recordRef names a record.
type recordRef struct {
	Meter    string `arg:"" help:"Name, serial or UID."`
	Kind     string `arg:"" help:"Log: historical, waveform, system, limits or pq."`
	Position uint64 `placeholder:"N" help:"Position of the record in the journal of the node that reads the meter."`
	At       string `placeholder:"TIME" help:"Historical: the row of this time instead, in the meter's zone unless it says another."`
	Log      uint16 `placeholder:"N" help:"Historical, with --at: the meter's log of this number (default: 0)."`
}

// logCorrectCmd corrects a record.
type logCorrectCmd struct {
	remote
	recordRef
	JSON     bool              `name:"json" help:"Print the result as JSON."`
	Set      map[string]string `placeholder:"KEY=VALUE" help:"Historical: the right value of a channel; empty takes the value out. May be repeated."`
	Withdraw bool              `help:"Take the record out of every answer."`
	Restore  bool              `help:"Bring the original back, or --version."`
	Version  uint64            `placeholder:"N" help:"With --restore: this version, as log versions lists it."`
	Why      string            `required:"" placeholder:"TEXT" help:"Why; it is kept with your name and the time."`
}

// Help shows an example.
func (logCorrectCmd) Help() string {
	return `Examples: metermanager log correct main-incomer historical --at 2026-03-01T14:15 --set energy.interval.wh.received=160 --why "supply was lost"
metermanager log correct main-incomer historical --position 1234 --restore --why "it was right"

The original stays: log versions shows it, --restore brings it back. Answers, totals and clouds follow by themselves.`
}

// Run corrects and prints all versions.
func (c *logCorrectCmd) Run(ctx context.Context, p *program) error {
	kind, err := logdb.ParseKind(c.Kind)
	if err != nil {
		return usageError{fmt.Sprintf("log %q: want historical, waveform, system, limits or pq", c.Kind)}
	}
	q := api.CorrectionRequest{
		Position: logdb.Position(c.Position), Log: logdb.LogNo(c.Log), Withdraw: c.Withdraw, Restore: c.Restore, Version: logdb.Position(c.Version), Why: c.Why,
		Values: map[logdb.ChannelKey]api.Value{},
	}
	for key, text := range c.Set {
		v := math.NaN()
		if strings.TrimSpace(text) != "" {
			if v, err = strconv.ParseFloat(text, 64); err != nil {
				return usageError{fmt.Sprintf("--set %s=%s: want a number", key, text)}
			}
		}
		q.Values[logdb.ChannelKey(key)] = api.Value(v)
	}
	service, m, done, err := c.connectMeter(ctx, p, permission.LogsCorrect, c.Meter)
	if err != nil {
		return err
	}
	defer done()
	zone := zoneOf(m.Settings.Zone)
	if c.At != "" {
		if q.Time, err = parseWhen(c.At, zone, time.Now()); err != nil {
			return err
		}
	}
	answer, err := service.Correct(ctx, m.UID, kind, q)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, answer)
	}
	return p.versionTable(answer, zone)
}

// logVersionsCmd lists versions.
type logVersionsCmd struct {
	remote
	JSON   bool   `name:"json" help:"Print the result as JSON."`
	Meter  string `arg:"" help:"Name, serial or UID."`
	Kind   string `arg:"" help:"Log: historical, waveform, system, limits or pq."`
	Record string `arg:"" help:"position@journal:policy, as log query and verify print it."`
}

// Help shows an example.
func (logVersionsCmd) Help() string {
	return "Example: metermanager log versions main-incomer historical 1234@0011...ff:0"
}

// Run prints the versions.
func (c *logVersionsCmd) Run(ctx context.Context, p *program) error {
	kind, err := logdb.ParseKind(c.Kind)
	if err != nil {
		return usageError{fmt.Sprintf("log %q: want historical, waveform, system, limits or pq", c.Kind)}
	}
	id, err := api.ParseRecordingID(c.Record)
	if err != nil {
		return err
	}
	service, m, done, err := c.connectMeter(ctx, p, permission.LogsRead, c.Meter)
	if err != nil {
		return err
	}
	defer done()
	answer, err := service.Versions(ctx, m.UID, kind, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, answer)
	}
	return p.versionTable(answer, zoneOf(m.Settings.Zone))
}

func (p *program) versionTable(a api.VersionsAnswer, zone *time.Location) error {
	t := newTable(">Position", "", "Time", "What", "By", "When", "Why")
	for _, v := range a.Versions {
		live := ""
		if v.Live {
			live = "live"
		}
		what := v.Text
		if v.Op == "withdraw" {
			what = "withdrawn"
		}
		for _, key := range slices.Sorted(maps.Keys(v.Values)) {
			if what != "" {
				what += ", "
			}
			what += string(key) + " " + formatValue(float64(v.Values[key]))
		}
		by := v.By
		if by == "" {
			by = "the meter"
		}
		if len(what) > 100 {
			what = what[:97] + "..."
		}
		t.add(fmt.Sprint(v.Position), live, clock(v.Time, zone), what, by, clock(v.At, zone), v.Why)
	}
	return t.write(p.stdout)
}
