package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// logCountsCmd counts events, and what limits did.
type logCountsCmd struct {
	remote
	kindRange
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logCountsCmd) Help() string {
	return `Example: metermanager log counts main-incomer --kind pq --from 30d

A line per log and UTC day: events recorded, and records that limits skipped or reduced. One by one: metermanager log query and metermanager log skipped.`
}

// dayCount is what there is of a log and day.
type dayCount struct {
	Kind    string       `json:"kind"`
	Day     logdb.Millis `json:"day_ms"`
	Events  int          `json:"events"`
	Skipped int          `json:"skipped"`
	Reduced int          `json:"reduced"`
}

// Run prints the counts.
func (c *logCountsCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	s, err := c.resolve(ctx, service)
	if err != nil {
		return err
	}
	within := api.RangeQuery{From: s.from, To: s.to}
	events, err := service.EventCounts(ctx, s.meter.UID, within)
	if err != nil {
		return err
	}
	limits, err := service.LimitCounts(ctx, s.meter.UID, within)
	if err != nil {
		return err
	}
	days := joinCounts(s.kinds, events, limits)
	if c.JSON {
		return printJSON(p.stdout, map[string]any{"meter_uid": s.meter.UID, "days": days})
	}
	if len(days) == 0 {
		_, err := fmt.Fprintf(p.stdout, "No events, and nothing that limits skipped. What there is: metermanager log list %s\n", c.Meter)
		return err
	}
	t := newTable("Log", "Day (UTC)", ">Events", ">Skipped", ">Reduced")
	for _, d := range days {
		t.add(d.Kind, d.Day.Time().Format("2006-01-02"), number(int64(d.Events)), number(int64(d.Skipped)), number(int64(d.Reduced)))
	}
	return t.write(p.stdout)
}

// joinCounts puts the counts of the same log and day into one line, in the order of the logs.
func joinCounts(kinds []logdb.Kind, events []api.EventCount, limits []api.LimitCount) []dayCount {
	out := []dayCount{}
	for _, kind := range kinds {
		days := map[logdb.Millis]*dayCount{}
		at := func(kind string, day logdb.Millis) *dayCount {
			if days[day] == nil {
				days[day] = &dayCount{Kind: kind, Day: day}
			}
			return days[day]
		}
		for _, e := range events {
			if e.Kind == kind.String() {
				at(e.Kind, e.Day).Events += e.Count
			}
		}
		for _, l := range limits {
			switch {
			case l.Kind != kind.String():
			case l.Fate == logdb.FateSkipped.String():
				at(l.Kind, l.Day).Skipped += l.Count
			default:
				at(l.Kind, l.Day).Reduced += l.Count
			}
		}
		for _, day := range slices.Sorted(maps.Keys(days)) {
			out = append(out, *days[day])
		}
	}
	return out
}
