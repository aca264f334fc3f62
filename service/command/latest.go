package command

import (
	"context"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
	"metermanager/service/cloud/account"
	"metermanager/service/cloud/registry"
)

// SeriesLister lists the series of a meter with the newest value of each, and the streams that they belong to.
type SeriesLister interface {
	analysis.StreamLister
	Series(ctx context.Context, uid logdb.MeterUID) ([]logdb.Series, error)
}

// LogHandlers are the commands about what is recorded.
func LogHandlers(logs SeriesLister, meters NodeMeters) Handlers {
	return Handlers{api.CmdLogLatest: Bind(newest{logs, meters}.latest)}
}

type newest struct {
	logs   SeriesLister
	meters NodeMeters
}

type latestArgs struct {
	Meter    string `json:"meter"`
	Channels string `json:"channels"`
}

// latest answers for the meters whose data p may read.
func (n newest) latest(ctx context.Context, p account.Principal, a latestArgs) (api.LatestAnswer, error) {
	out := api.LatestAnswer{Meters: []api.LatestMeter{}}
	if err := account.Allow(p, permission.LogsRead, account.Resource{}); err != nil {
		return out, err
	}
	list, err := n.meters.Meters(ctx, p)
	if err != nil {
		return out, err
	}
	var channels []logdb.ChannelKey
	for name := range strings.SplitSeq(a.Channels, ",") {
		if name = strings.TrimSpace(name); name != "" {
			channels = append(channels, logdb.ChannelKey(name))
		}
	}
	found := false
	for _, m := range ReadableMeters(list) {
		if a.Meter != "" && a.Meter != string(m.UID) && a.Meter != m.Settings.Name && a.Meter != m.Settings.Serial {
			continue
		}
		found = true
		series, err := n.logs.Series(ctx, m.UID)
		if err != nil {
			return out, err
		}
		if _, series, err = analysis.Current(ctx, n.logs, m.UID, series); err != nil {
			return out, err
		}
		out.Meters = append(out.Meters, LatestOf(m, series, channels))
	}
	if a.Meter != "" && !found {
		return out, logdb.ErrUnknownMeter
	}
	return out, nil
}

// ReadableMeters leaves out meters whose data nobody can read: those that are not enabled or not paid for, and those of no customer.
func ReadableMeters(list []registry.Meter) []registry.Meter {
	return slices.DeleteFunc(list, func(m registry.Meter) bool { return !m.Readable })
}

// LatestOf picks the newest value of each channel of a meter, of those channels when there are any.
func LatestOf(m registry.Meter, series []logdb.Series, channels []logdb.ChannelKey) api.LatestMeter {
	out := api.LatestMeter{MeterUID: m.UID, Name: m.Settings.Name, Values: []api.LatestValue{}}
	for _, s := range series {
		if s.Count == 0 || len(channels) > 0 && !slices.Contains(channels, s.Channel) {
			continue
		}
		one := api.LatestValue{Key: s.Channel, Time: s.Last, Value: api.Value(s.LastValue)}
		// Series stand in the order of their channels.
		if n := len(out.Values); n > 0 && out.Values[n-1].Key == s.Channel {
			if s.Last > out.Values[n-1].Time {
				out.Values[n-1] = one
			}
			continue
		}
		out.Values = append(out.Values, one)
	}
	return out
}
