package webapi

import (
	"context"
	"errors"
	"fmt"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

type channelsInput struct {
	MeterPath
	PageInput
}

// channels lists what was recorded, with its range, without touching data.
func (a *API) channels(ctx context.Context, c caller, in *channelsInput) (*api.ChannelsAnswer, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.LogsRead, in.UID); err != nil {
		return nil, err
	}
	series, err := a.Logs.Series(ctx, in.UID)
	if err != nil {
		return nil, err
	}
	shown, err := a.shownSeries(ctx, in.UID, series)
	if err != nil {
		return nil, err
	}
	settings, err := a.Logs.Settings(ctx, in.UID)
	if err != nil && !errors.Is(err, logdb.ErrUnknownMeter) {
		return nil, err
	}
	series, next, err := pageIn(in.PageInput, "h", series, func(s logdb.Series) string { return fmt.Sprintf("%s %s %d", s.Channel, s.Stream, s.Log) })
	if err != nil {
		return nil, err
	}
	out := &api.ChannelsAnswer{MeterUID: in.UID, Channels: []api.ChannelInfo{}, Next: next}
	for _, s := range series {
		line := logdb.LookupChannel(s.Channel)
		out.Channels = append(out.Channels, api.ChannelInfo{
			Key: s.Channel, Name: line.Name, Unit: line.Unit, Aggregation: line.Agg.String(), CoversInterval: line.CoversInterval,
			Log: s.Log, Stream: s.Stream.String(), First: s.First, Last: s.Last, Count: s.Count, LastValue: api.Value(s.LastValue),
			Unverified: !settings.Verified(s.Channel), Shown: shown[shownKey{s.Channel, s.Stream.Journal, s.Log}],
		})
	}
	return out, nil
}

type shownKey struct {
	channel logdb.ChannelKey
	journal logdb.JournalID
	log     logdb.LogNo
}

// shownSeries tells which journal and log a query of a channel's newest data takes.
func (a *API) shownSeries(ctx context.Context, uid logdb.MeterUID, series []logdb.Series) (map[shownKey]bool, error) {
	out := map[shownKey]bool{}
	if len(series) == 0 {
		return out, nil
	}
	_, newest, err := analysis.Current(ctx, a.Logs, uid, series)
	if err != nil {
		return nil, err
	}
	last := logdb.Millis(0)
	for _, s := range newest {
		last = max(last, s.Last)
	}
	zone, err := a.siteZone(ctx, uid)
	if err != nil {
		return nil, err
	}
	choice, err := analysis.Choose(ctx, a.Logs, analysis.Query{
		Meter: uid, First: max(last-logdb.DayMillis, 0), Last: last + 1, Zone: zone, Series: series,
	})
	if err != nil {
		return nil, err
	}
	for _, c := range choice.Columns {
		out[shownKey{c.Channel, c.Stream.Journal, c.Log}] = true
	}
	return out, nil
}
