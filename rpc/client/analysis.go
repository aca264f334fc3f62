package client

import (
	"context"
	"net/url"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// Analysis asks what a recording shows.
func (c *Client) Analysis(ctx context.Context, meter logdb.MeterUID, id api.RecordingID) (api.RecordingAnalysis, error) {
	return ask[api.RecordingAnalysis](ctx, c, call{
		class: classQuery, method: get, path: escaped("meters", string(meter), "logs", "waveform", id.String(), "analysis"),
	})
}

// EN50160 asks for a week held against EN 50160; week and rules may be empty.
func (c *Client) EN50160(ctx context.Context, meter logdb.MeterUID, week, rules string) (api.WeekEvaluation, error) {
	q := url.Values{}
	if week != "" {
		q.Set("week", week)
	}
	if rules != "" {
		q.Set("rules", rules)
	}
	return ask[api.WeekEvaluation](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter), "en50160"), query: q})
}

// EventGroups asks for PQ events of several meters that may be one event of the network.
func (c *Client) EventGroups(ctx context.Context, q api.GroupsQuery) (api.EventGroupsAnswer, error) {
	var out api.EventGroupsAnswer
	groups, err := every(ctx, c, escaped("event-groups"), q.Values(), func(a api.EventGroupsAnswer) ([]api.EventGroup, string) {
		out = a
		return a.Groups, a.Next
	})
	out.Groups, out.Next = groups, ""
	return out, err
}
