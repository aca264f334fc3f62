package client

import (
	"context"
	"net/url"
	"strconv"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// odd marks an answer that breaks the rules of its shape.
func odd(err error) error {
	return fault.Wrap(fault.Unavailable, "The answer is not understood: is a Meter Manager at that address?", err)
}

// History asks for historical data, every value or aggregated. Answers come in parts: go
// on with Cursor set to Next until that is "".
func (c *Client) History(ctx context.Context, meter logdb.MeterUID, q api.HistoryQuery) (api.History, error) {
	q.Raw = false
	a, err := c.do(ctx, call{class: classQuery, method: get, path: escaped("meters", string(meter), "logs", "historical"), query: q.Values()})
	if err != nil {
		return api.History{}, err
	}
	out, err := api.ParseHistory(a.body, api.ScanLimits{})
	if err != nil {
		return api.History{}, odd(err)
	}
	return out, nil
}

// HistoryPages asks for historical data as pages that can be replayed into another node.
func (c *Client) HistoryPages(ctx context.Context, meter logdb.MeterUID, q api.HistoryQuery) (api.Pages, error) {
	q.Raw = true
	return c.pages(ctx, meter, logdb.KindHistorical, call{query: q.Values()})
}

// EventPages asks for events or recordings as pages that can be replayed into another node.
func (c *Client) EventPages(ctx context.Context, meter logdb.MeterUID, q api.EventsQuery) (api.Pages, error) {
	q.Raw = true
	return c.pages(ctx, meter, q.Kind, call{query: q.Values()})
}

func (c *Client) pages(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind, q call) (api.Pages, error) {
	q.class, q.method, q.path = classQuery, get, escaped("meters", string(meter), "logs", kind.String())
	a, err := c.do(ctx, q)
	if err != nil {
		return api.Pages{}, err
	}
	out, err := api.ParsePages(kind, a.body, api.ScanLimits{})
	if err != nil {
		return api.Pages{}, odd(err)
	}
	return out, nil
}

// Events asks for events, gaps, or the list of recordings. Answers come in parts: go on with
// Cursor set to Next until that is "".
func (c *Client) Events(ctx context.Context, meter logdb.MeterUID, q api.EventsQuery) (api.Events, error) {
	if !q.Kind.Valid() {
		return api.Events{}, fault.New(fault.Invalid, "A query of events needs a kind of log.").At("kind")
	}
	q.Raw = false
	a, err := c.do(ctx, call{class: classQuery, method: get, path: escaped("meters", string(meter), "logs", q.Kind.String()), query: q.Values()})
	if err != nil {
		return api.Events{}, err
	}
	out, err := api.ParseEvents(q.Kind, a.body, api.ScanLimits{})
	if err != nil {
		return api.Events{}, odd(err)
	}
	return out, nil
}

// Recording returns one recording with its samples.
func (c *Client) Recording(ctx context.Context, meter logdb.MeterUID, id api.RecordingID) (logdb.Entry, error) {
	a, err := c.do(ctx, call{class: classQuery, method: get, path: escaped("meters", string(meter), "logs", "waveform", id.String())})
	if err != nil {
		return logdb.Entry{}, err
	}
	up, err := api.ParsePage(logdb.KindWaveform, a.body, api.ScanLimits{Bytes: 1 << 30})
	if err != nil {
		return logdb.Entry{}, odd(err)
	}
	if len(up.Page.Entries) != 1 || up.Page.Entries[0].Waveform == nil {
		return logdb.Entry{}, fault.New(fault.Unavailable, "The answer does not hold one recording.")
	}
	return up.Page.Entries[0], nil
}

// LimitCounts returns what limits skipped or reduced.
func (c *Client) LimitCounts(ctx context.Context, meter logdb.MeterUID, q api.RangeQuery) ([]api.LimitCount, error) {
	a, err := ask[api.LimitCountsAnswer](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter), "limit-counts"), query: q.Values()})
	return a.Counts, err
}

// EventCounts returns the number of events per kind and day.
func (c *Client) EventCounts(ctx context.Context, meter logdb.MeterUID, q api.RangeQuery) ([]api.EventCount, error) {
	a, err := ask[api.EventCountsAnswer](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter), "event-counts"), query: q.Values()})
	return a.Counts, err
}

// Latest returns the newest recorded values of every meter that the caller may see; only of these channels unless there are none.
func (c *Client) Latest(ctx context.Context, channels []logdb.ChannelKey) ([]api.LatestMeter, error) {
	q := api.HistoryQuery{Channels: channels}
	return every(ctx, c, escaped("latest"), q.Values(), func(a api.LatestAnswer) ([]api.LatestMeter, string) { return a.Meters, a.Next })
}

// Realtime returns the present values of a meter.
func (c *Client) Realtime(ctx context.Context, meter logdb.MeterUID) (api.Realtime, error) {
	return ask[api.Realtime](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter), "realtime")})
}

// PostRealtime posts the present values of a meter.
func (c *Client) PostRealtime(ctx context.Context, meter logdb.MeterUID, r api.Realtime) error {
	body, err := document(r)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{class: classPush, method: post, path: escaped("meters", string(meter), "realtime"), body: body})
	return err
}

// Skipped lists what limits kept back of a log: record by record at the node that keeps the journal.
func (c *Client) Skipped(ctx context.Context, meter logdb.MeterUID, q api.SkippedQuery) (api.SkippedAnswer, error) {
	query := url.Values{}
	for name, n := range map[string]int64{"from": int64(q.From), "to": int64(q.To), "limit": int64(q.Limit)} {
		if n != 0 {
			query.Set(name, strconv.FormatInt(n, 10))
		}
	}
	if q.Cursor != "" {
		query.Set("cursor", q.Cursor)
	}
	return ask[api.SkippedAnswer](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter), "skipped", q.Kind.String()), query: query})
}

// RequestRecords asks the manager of a meter for what it did not send. Asking twice is asking once.
func (c *Client) RequestRecords(ctx context.Context, meter logdb.MeterUID, q api.FetchQuery) ([]api.FetchRequest, error) {
	a, err := tell[api.FetchAnswer](ctx, c, call{class: classQuery, method: post, path: escaped("meters", string(meter), "requests")}, q)
	return a.Requests, err
}

// RecordRequests lists the requests for a meter, newest first; only that of id unless it is "".
func (c *Client) RecordRequests(ctx context.Context, meter logdb.MeterUID, id, cursor string) (api.FetchAnswer, error) {
	query := url.Values{}
	if id != "" {
		query.Set("id", id)
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return ask[api.FetchAnswer](ctx, c, call{class: classQuery, method: get, path: escaped("meters", string(meter), "requests"), query: query})
}

// CancelRequest takes a request back.
func (c *Client) CancelRequest(ctx context.Context, meter logdb.MeterUID, id string) (api.FetchRequest, error) {
	return ask[api.FetchRequest](ctx, c, call{class: classQuery, method: remove, path: escaped("meters", string(meter), "requests", id)})
}

// OpenRequests returns the requests that wait for a manager: what it polls.
func (c *Client) OpenRequests(ctx context.Context) ([]api.FetchRequest, error) {
	var out []api.FetchRequest
	for cursor := ""; ; {
		a, err := ask[api.FetchAnswer](ctx, c, call{class: classPush, method: get, path: escaped("requests"), query: with(nil, cursor)})
		if err != nil {
			return nil, err
		}
		if out = append(out, a.Requests...); a.Next == "" {
			return out, nil
		}
		cursor = a.Next
	}
}

// ReportRequest says what became of a request. Saying it twice is saying it once.
func (c *Client) ReportRequest(ctx context.Context, meter logdb.MeterUID, id string, r api.FetchReport) error {
	_, err := tell[api.FetchRequest](ctx, c, call{class: classPush, method: post, path: escaped("meters", string(meter), "requests", id, "report")}, r)
	return err
}
