package main

import (
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
)

// logLatestCmd prints the newest values of many meters.
type logLatestCmd struct {
	remote
	JSON     bool     `name:"json" help:"Print the result as JSON."`
	UTC      bool     `name:"utc" help:"Print times in UTC instead of the meter's zone."`
	Channels []string `placeholder:"KEY" help:"Only these channels."`
	Meters   []string `arg:"" optional:"" help:"Names, serials or UIDs; all meters without it."`
}

// Help shows an example.
func (logLatestCmd) Help() string {
	return `Example: metermanager log latest --channels readings.power.watts,readings.frequency

One call answers for all meters: what the log database keeps of each channel, without reading data. These are recorded values; what a meter measures now: metermanager meter read METER.`
}

// Run prints the values.
func (c *logLatestCmd) Run(ctx context.Context, p *program) error {
	keys, err := channelKeys(c.Channels)
	if err != nil {
		return err
	}
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	meters, err := c.wanted(ctx, service)
	if err != nil {
		return err
	}
	all, err := service.Latest(ctx, keys)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(m api.LatestMeter) bool { _, ok := meters[m.MeterUID]; return !ok })
	if c.JSON {
		return printJSON(p.stdout, api.LatestAnswer{Meters: all})
	}
	t := newTable("Meter", "Channel", ">Newest value", "Unit", "Time")
	silent := 0
	for _, m := range all {
		zone := zoneOf(meters[m.MeterUID].Settings.Zone)
		if c.UTC {
			zone = zoneOf("UTC")
		}
		if len(m.Values) == 0 {
			silent++
		}
		for _, v := range m.Values {
			known := logdb.LookupChannel(v.Key)
			t.add(firstOf(m.Name, string(m.MeterUID)), string(v.Key), formatValue(float64(v.Value)), known.Unit, clock(v.Time, zone))
		}
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	if silent > 0 {
		fmt.Fprintf(p.stdout, "! %s without such values. What there is: metermanager log list\n", count(int64(silent), "meter"))
	}
	return nil
}

// wanted returns the meters that are asked for, by UID.
func (c *logLatestCmd) wanted(ctx context.Context, service *client.Client) (map[logdb.MeterUID]api.Meter, error) {
	words := c.Meters
	if len(words) == 0 {
		words = []string{""}
	}
	out := map[logdb.MeterUID]api.Meter{}
	for _, word := range words {
		found, err := findMeters(ctx, service, word)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			out[m.UID] = m
		}
	}
	return out, nil
}
