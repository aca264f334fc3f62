package webapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"metermanager/logdb"
	"metermanager/logdb/analysis"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
	"metermanager/rpc/host"
	"metermanager/rpc/permission"
)

var historyParams = []param{
	{"channels", "Channel keys joined by commas; all without it"},
	{"from", "First time: RFC 3339, or ms since 1970"},
	{"to", "First time behind the range"},
	{"interval", "Aggregate by 15m, 1h, 1d, 1w, 1mo, 1y ... of the zone's calendar"},
	{"buckets", "Aggregate to so many equal parts"},
	{"agg", "mean, min, max, sum, last, first, count, coverage (the share of expected records, 0 to 1); the channel's own without it"},
	{"zone", "site (the meter's) or utc: whose calendar cuts the intervals"},
	{"raw", "true: pages with positions and fates, which can be replayed into another node"},
	{"log", "Only this log of the meter"},
	{"stream", "Only this stream"},
	{"limit", "At most so many records"},
	{"cursor", "next of the answer before"},
	{"gaps", "true: periods without data, with their cause, instead of records"},
	{"nan", "true: absent values as bare NaN instead of null"},
}

// maxCells bounds buckets times columns, which are held in memory.
const maxCells = 4_000_000

// history answers historical data of many channels over any range in one answer.
func (a *API) history(w http.ResponseWriter, r *http.Request, c caller) error {
	uid := logdb.MeterUID(r.PathValue("meter_uid"))
	if _, err := a.Meters.Access(r.Context(), c.Principal, permission.LogsRead, uid); err != nil {
		return err
	}
	if gaps, err := api.ParseEventsQuery(logdb.KindHistorical, r.URL.Query()); err == nil && gaps.Gaps && !gaps.Raw {
		return a.answerEvents(w, r, uid, gaps)
	}
	q, err := api.ParseHistoryQuery(r.URL.Query())
	if err != nil {
		return err
	}
	if q.Raw {
		return a.rawPages(w, r, uid, rawHistory(q))
	}
	var p *historyPlan
	err = a.together(r.Context(), func(ctx context.Context) (err error) {
		p, err = a.planHistory(ctx, uid, q)
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if q.Aggregated() {
		return a.writeBuckets(w, r, p)
	}
	return a.writeSeries(w, r, p)
}

// together makes small reads of logs as one where the store can.
func (a *API) together(ctx context.Context, f func(context.Context) error) error {
	if j, ok := a.Logs.(logdb.Joint); ok {
		return j.Together(ctx, f)
	}
	return f(ctx)
}

func rawHistory(q api.HistoryQuery) rawQuery {
	return rawQuery{
		kind: logdb.KindHistorical, from: q.From, to: q.To, stream: q.Stream, log: q.Log, limit: q.Limit, cursor: q.Cursor, dialect: dialect(q),
	}
}

func dialect(q api.HistoryQuery) api.Dialect {
	if q.NaN {
		return api.DialectNaN
	}
	return api.DialectJSON
}

// historyPlan is a query with its holes filled in.
type historyPlan struct {
	uid         logdb.MeterUID
	settings    logdb.Settings // of the meter, empty while they are unknown
	q           api.HistoryQuery
	zone        *time.Location
	first, last logdb.Millis
	choice      *analysis.Choice // nil: nothing was ever recorded
	limits      api.LimitSummary
	corrected   api.Corrected
}

func (a *API) planHistory(ctx context.Context, uid logdb.MeterUID, q api.HistoryQuery) (*historyPlan, error) {
	p := &historyPlan{uid: uid, q: q, first: q.From, last: q.To, zone: time.UTC}
	var err error
	if p.settings, err = a.Logs.Settings(ctx, uid); err != nil && !errors.Is(err, logdb.ErrUnknownMeter) { // or days of another zone, and values without their marks, would pass for right
		return nil, fmt.Errorf("read the settings of a meter: %w", err)
	}
	if q.Zone != api.ZoneUTC {
		p.zone = a.zone(p.settings.Zone)
	}
	series, err := a.seriesFor(ctx, uid, q)
	if err != nil {
		return nil, err
	}
	if p.limits, err = a.limitSummary(ctx, uid, logdb.KindHistorical, q.From, orEnd(q.To)); err != nil {
		return nil, err
	}
	newest := series
	if q.Stream.IsZero() && (p.first == 0 || p.last == 0) {
		if series, newest, err = analysis.Current(ctx, a.Logs, uid, series); err != nil {
			return nil, err
		}
	}
	if !p.fillRange(series, newest) {
		return p, nil
	}
	if q.Cursor != "" {
		if p.first, err = parseTimeCursor(q.Cursor); err != nil || p.first >= p.last {
			return nil, errCursor
		}
	}
	ask := analysis.Query{Meter: uid, Channels: q.Channels, First: p.first, Last: p.last, Zone: p.zone, Log: q.Log, Series: series}
	if !q.Stream.IsZero() {
		ask.Stream = &q.Stream
	}
	if p.choice, err = analysis.Choose(ctx, a.Logs, ask); err != nil {
		return nil, err
	}
	p.corrected, err = a.correctedIn(ctx, p)
	return p, err
}

// seriesFor lists the series that a query may read: all of the meter where they set its range.
func (a *API) seriesFor(ctx context.Context, uid logdb.MeterUID, q api.HistoryQuery) ([]logdb.Series, error) {
	if f, ok := a.Logs.(logdb.SeriesFinder); ok && len(q.Channels) > 0 && q.From != 0 && q.To != 0 {
		return f.SeriesOf(ctx, uid, q.Channels)
	}
	return a.Logs.Series(ctx, uid)
}

// fillRange replaces an open end by that of the data and reports whether anything is left.
func (p *historyPlan) fillRange(series, newest []logdb.Series) bool {
	if len(series) == 0 {
		return false
	}
	first, last := series[0].First, logdb.Millis(0)
	for _, s := range series {
		at := s.First
		if p.q.Aggregated() && logdb.LookupChannel(s.Channel).CoversInterval {
			at-- // on the edge of an interval it belongs to the one before
		}
		first = min(first, at)
	}
	for _, s := range newest {
		last = max(last, s.Last)
	}
	if p.first == 0 {
		p.first = first
	}
	if p.last == 0 {
		p.last = last + 1
	}
	return p.first < p.last
}

// siteZone is the zone of the meter's days; UTC of a meter that has no settings.
func (a *API) siteZone(ctx context.Context, uid logdb.MeterUID) (*time.Location, error) {
	s, err := a.Logs.Settings(ctx, uid)
	switch {
	case errors.Is(err, logdb.ErrUnknownMeter):
		return time.UTC, nil
	case err != nil:
		return nil, fmt.Errorf("read the settings of a meter: %w", err)
	}
	return a.zone(s.Zone), nil
}

// zone returns a time zone, UTC for an unknown name. Zones are kept, since reading the file of one takes as long as reading a day of values; names are those of the
// zone database, so they are few.
func (a *API) zone(name string) *time.Location {
	if known, ok := a.zones.Load(name); ok {
		return known.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	a.zones.Store(name, zone)
	return zone
}

func (p *historyPlan) head() api.SeriesHead {
	h := api.SeriesHead{Meter: p.uid, Dialect: dialect(p.q)}
	if p.choice == nil {
		return h
	}
	for _, c := range p.choice.Columns {
		h.Columns = append(h.Columns, api.SeriesColumn{
			Key: c.Channel, Unit: logdb.LookupChannel(c.Channel).Unit, Log: c.Log, Stream: c.Stream, Group: c.Group,
			Unverified: !p.settings.Verified(c.Channel),
		})
	}
	return h
}

// seriesWriter begins an answer. The length of a small one stands at its head, so that it needs no end of its own on the wire.
func seriesWriter(w http.ResponseWriter, head api.SeriesHead) *api.SeriesWriter {
	out := api.NewSeriesWriter(w, head)
	out.OnWhole(func(size int) { w.Header().Set("Content-Length", strconv.Itoa(size)) })
	return out
}

// writeSeries streams every value of the range.
func (a *API) writeSeries(w http.ResponseWriter, r *http.Request, p *historyPlan) error {
	out := seriesWriter(w, p.head())
	tail := api.SeriesTail{Limits: p.limits, Corrected: p.corrected}
	if p.choice != nil {
		ids := make([]logdb.SeriesID, len(p.choice.Columns))
		span := api.Span{First: p.first, Last: p.last}
		for i, c := range p.choice.Columns {
			ids[i] = logdb.SeriesID(i + 1)
			span.Values += c.Values
		}
		next, err := out.Copy(r.Context(), p.choice, ids, span, p.q.Limit)
		if err != nil {
			return a.cutOff(r, out, err)
		}
		if next != 0 {
			tail.Next = timeCursor(next)
		}
	}
	if err := out.Close(tail); err != nil {
		return a.cutOff(r, out, err)
	}
	return nil
}

// cutOff ends an answer that went wrong. When a part of it is out, the connection is
// broken, so that a client can never take the part for the whole.
func (a *API) cutOff(r *http.Request, out *api.SeriesWriter, err error) error {
	if !out.Started() {
		return err
	}
	if !errors.Is(err, context.Canceled) {
		a.log.WarnContext(r.Context(), "cut off an answer", "request_id", host.RequestID(r.Context()), "err", err)
	}
	panic(http.ErrAbortHandler)
}

// writeBuckets answers one record for each part of the range.
func (a *API) writeBuckets(w http.ResponseWriter, r *http.Request, p *historyPlan) error {
	head := p.head()
	head.Interval, head.Zone = p.q.Interval, p.zone.String()
	edges, err := p.edges()
	if err != nil {
		return err
	}
	columns := p.bucketColumns(&head)
	if len(edges)*len(columns) > maxCells {
		return fault.Newf(fault.TooLarge, "The answer would have more than %d values.", maxCells).WithHint("Ask for longer intervals, fewer channels or a shorter range.")
	}
	values := make([][]float64, len(columns))
	if p.choice != nil {
		if err := p.findSteps(r.Context(), columns); err != nil {
			return err
		}
		err = p.choice.ReadBuckets(r.Context(), edges, func(column int, b []logdb.Bucket) error {
			for i := range columns {
				if c := &columns[i]; c.column == column {
					values[i] = c.values(b, edges)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	out := seriesWriter(w, head)
	if len(columns) > 0 {
		if err := out.Columns(edges[:len(edges)-1], values); err != nil {
			return a.cutOff(r, out, err)
		}
	}
	if err := out.Close(api.SeriesTail{Limits: p.limits, Corrected: p.corrected}); err != nil {
		return a.cutOff(r, out, err)
	}
	return nil
}

func (p *historyPlan) edges() ([]logdb.Millis, error) {
	if p.first >= p.last {
		return nil, nil
	}
	var edges []logdb.Millis
	var err error
	if p.q.Buckets > 0 {
		edges, err = analysis.Buckets(p.q.Buckets, p.first, p.last)
	} else {
		var step analysis.Interval
		if step, err = analysis.ParseInterval(p.q.Interval); err == nil {
			edges, err = analysis.Edges(p.zone, step, p.first, p.last)
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "The range cannot be cut like that: too many intervals, or an interval that is not known.", err).
			At("interval").WithHint("For example 15m, 1h, 1d or 1mo, and at most 200000 of them.")
	}
	return edges, nil
}

// bucketColumn is one aggregate of one channel.
type bucketColumn struct {
	column int
	agg    string
	step   logdb.Millis // coverage: how far apart records are expected
}

// findSteps finds the interval of the columns of which the coverage is asked.
func (p *historyPlan) findSteps(ctx context.Context, columns []bucketColumn) error {
	for i := range columns {
		if columns[i].agg != "coverage" {
			continue
		}
		var err error
		if columns[i].step, err = p.choice.Step(ctx, columns[i].column); err != nil {
			return err
		}
	}
	return nil
}

// bucketColumns replaces the columns of head by one for each channel and aggregate.
func (p *historyPlan) bucketColumns(head *api.SeriesHead) []bucketColumn {
	var out []bucketColumn
	var columns []api.SeriesColumn
	for i, c := range head.Columns {
		aggs := p.q.Aggs
		if len(aggs) == 0 {
			aggs = []string{logdb.LookupChannel(c.Key).Agg.String()}
		}
		for _, agg := range aggs {
			c.Agg = agg
			if agg == "count" || agg == "coverage" {
				c.Unit = ""
			}
			columns = append(columns, c)
			out = append(out, bucketColumn{column: i, agg: agg})
		}
	}
	head.Columns = columns
	return out
}

func (c *bucketColumn) values(buckets []logdb.Bucket, edges []logdb.Millis) []float64 {
	out := make([]float64, len(buckets))
	for i, b := range buckets {
		if c.agg == "coverage" {
			out[i] = analysis.Coverage(b.Count, edges[i+1]-edges[i], c.step)
		} else {
			out[i] = c.value(b)
		}
	}
	return out
}

func (c *bucketColumn) value(b logdb.Bucket) float64 {
	switch {
	case c.agg == "count":
		return float64(b.Count)
	case b.Count == 0:
		return math.NaN()
	}
	switch c.agg {
	case "min":
		return b.Min
	case "max":
		return b.Max
	case "sum":
		return b.Sum
	case "first":
		return b.First
	case "last":
		return b.Last
	}
	return b.Mean()
}
