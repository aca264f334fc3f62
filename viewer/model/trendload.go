package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"metermanager/logdb"
	"metermanager/viewer/source"
)

// TrendChannel is a channel of a meter in a graph.
type TrendChannel struct {
	Meter   *Meter
	Channel source.Channel
	Right   bool // on the second axis
}

// Title names the channel, and its meter where several are shown.
func (c *TrendChannel) Title(severalMeters bool) string {
	name := c.Channel.Name
	if severalMeters {
		name = c.Meter.Title() + " · " + name
	}
	return name
}

// ChannelList is what meters recorded.
type ChannelList struct {
	Channels []TrendChannel
}

// LoadChannels lists the channels of meters. It may run anywhere.
func LoadChannels(ctx context.Context, meters []*Meter) (*ChannelList, error) {
	out := &ChannelList{}
	var failed error
	n := 0
	for _, m := range meters {
		list, err := m.Source.Log.Channels(ctx, m.UID)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			failed = errors.Join(failed, err)
			n++
			continue
		}
		for _, c := range list {
			out.Channels = append(out.Channels, TrendChannel{Meter: m, Channel: c})
		}
	}
	if n > 0 && n == len(meters) {
		return nil, failed
	}
	return out, nil
}

// TrendData is what was read for a graph: [First, Last).
type TrendData struct {
	First, Last logdb.Millis
	Series      []source.Series // in the order of the channels; empty ones have no times
	// Before are the same of an earlier time, moved to this one; nil without.
	Before []source.Series
}

// LoadTrend reads channels in [first, last), at most about parts values of each. It may run anywhere.
func LoadTrend(ctx context.Context, channels []TrendChannel, first, last logdb.Millis, parts int, progress func(done, total int)) (*TrendData, error) {
	out := &TrendData{First: first, Last: last, Series: make([]source.Series, len(channels))}
	var meters []*Meter
	for _, c := range channels {
		if !slices.Contains(meters, c.Meter) {
			meters = append(meters, c.Meter)
		}
	}
	for n, m := range meters {
		if progress != nil {
			progress(n, len(meters))
		}
		q := source.Query{First: first, Last: last, Parts: parts}
		for _, c := range channels {
			if c.Meter == m {
				q.Channels = append(q.Channels, c.Channel.Key)
			}
		}
		list, err := m.Source.Log.History(ctx, m.UID, q)
		if err != nil {
			return nil, err
		}
		for i, c := range channels {
			for k := range list {
				if c.Meter == m && list[k].Channel == c.Channel.Key {
					out.Series[i] = list[k]
				}
			}
		}
	}
	return out, nil
}

// Earlier is a time before, to compare with: by the calendar, so that hours of the day lie over each other across a change of the clock.
type Earlier struct {
	Name                string // for people
	Years, Months, Days int
}

// Comparisons are those to choose from; the first compares with nothing.
var Comparisons = []Earlier{{Name: "nothing"}, {Name: "a day before", Days: 1}, {Name: "a week before", Days: 7}, {Name: "4 weeks before", Days: 28}, {Name: "a year before", Years: 1}}

// shift is how far the earlier time lies before a time.
func (e Earlier) shift(at logdb.Millis, zone *time.Location) logdb.Millis {
	return at - logdb.MillisOf(at.Time().In(zone).AddDate(-e.Years, -e.Months, -e.Days))
}

// Some reports whether there is anything to compare with.
func (e Earlier) Some() bool { return e.Years+e.Months+e.Days > 0 }

// LoadBefore reads the same channels of an earlier time into d, moved by its distance.
func (d *TrendData) LoadBefore(ctx context.Context, channels []TrendChannel, parts int, e Earlier, zone *time.Location) error {
	d.Before = nil
	if !e.Some() {
		return nil
	}
	shift := e.shift(d.First, zone)
	before, err := LoadTrend(ctx, channels, d.First-shift, d.Last-shift, parts, nil)
	if err != nil {
		return fmt.Errorf("read the earlier time: %w", err)
	}
	d.Before = before.Series
	for i := range d.Before {
		for k := range d.Before[i].Times {
			d.Before[i].Times[k] += float64(shift)
		}
	}
	return nil
}
