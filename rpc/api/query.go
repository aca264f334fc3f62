package api

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/fault"
)

// Limits of queries.
const (
	MaxQueryChannels = 512
	MaxBuckets       = 100_000
	MaxQueryLimit    = 10_000_000
	maxParameter     = 64 << 10
)

// The zones in which calendar buckets are cut.
const (
	ZoneSite = "site" // the meter's own
	ZoneUTC  = "utc"
)

// HistoryQuery asks for historical data. Times are [From, To); a zero To means no end. With
// neither Interval nor Buckets the answer has every value.
type HistoryQuery struct {
	Channels []logdb.ChannelKey // none: all
	From, To logdb.Millis
	Interval string   // 15m, 1h, 1d, 1mo ...
	Buckets  int      // so many equal buckets
	Aggs     []string // mean, min, max, sum, last, first, count, coverage; none: the channel's own
	Zone     string   // site or utc; "" is site
	Raw      bool     // pages with positions and fates, which can be replayed
	Log      *logdb.LogNo
	Stream   logdb.StreamID
	Limit    int // rows, or positions when raw; 0: the node's default
	Cursor   string
	NaN      bool // absent values as bare NaN instead of null
}

// Aggregated reports whether the query asks for buckets.
func (q HistoryQuery) Aggregated() bool { return q.Interval != "" || q.Buckets > 0 }

// Values returns the query's parameters.
func (q HistoryQuery) Values() url.Values {
	v := url.Values{}
	setKeys(v, "channels", q.Channels)
	setTime(v, "from", q.From)
	setTime(v, "to", q.To)
	setText(v, "interval", q.Interval)
	setInt(v, "buckets", q.Buckets)
	setText(v, "agg", strings.Join(q.Aggs, ","))
	setText(v, "zone", q.Zone)
	setFlag(v, "raw", q.Raw)
	if q.Log != nil {
		v.Set("log", strconv.Itoa(int(*q.Log)))
	}
	setText(v, "stream", q.Stream.String())
	setInt(v, "limit", q.Limit)
	setText(v, "cursor", q.Cursor)
	setFlag(v, "nan", q.NaN)
	return v
}

// ParseHistoryQuery reads the parameters of a request.
func ParseHistoryQuery(v url.Values) (HistoryQuery, error) {
	p := params{values: v}
	q := HistoryQuery{
		Channels: p.channels("channels"), From: p.time("from"), To: p.time("to"),
		Interval: p.interval("interval"), Buckets: p.count("buckets", MaxBuckets), Aggs: p.aggs("agg"),
		Zone: p.zone("zone"), Raw: p.flag("raw"), Log: p.log("log"), Stream: p.stream("stream"),
		Limit: p.count("limit", MaxQueryLimit), Cursor: p.text("cursor"), NaN: p.flag("nan"),
	}
	switch {
	case p.err != nil:
	case q.To != 0 && q.To < q.From:
		p.fail("to", "to lies before from")
	case q.Interval != "" && q.Buckets > 0:
		p.fail("buckets", "ask for either interval or buckets")
	case q.Raw && q.Aggregated():
		p.fail("raw", "raw data are not aggregated")
	case len(q.Aggs) > 0 && !q.Aggregated():
		p.fail("agg", "agg needs interval or buckets")
	}
	return q, p.error()
}

// EventsQuery asks for events or for the list of recordings. Times are [From, To).
type EventsQuery struct {
	Kind      logdb.Kind
	From, To  logdb.Millis
	Channels  []logdb.ChannelKey
	Codes     []int64 // system: event types
	LimitIDs  []int64
	Filter    EventFilter
	Gaps      bool // gaps instead of records
	Withdrawn bool // dead versions too
	Raw       bool
	Stream    logdb.StreamID
	Limit     int
	Cursor    string
}

// Values returns the query's parameters, without the kind, which stands in the path.
func (q EventsQuery) Values() url.Values {
	v := url.Values{}
	setTime(v, "from", q.From)
	setTime(v, "to", q.To)
	setKeys(v, "channel", q.Channels)
	setInts(v, "code", q.Codes)
	setInts(v, "limit_id", q.LimitIDs)
	q.Filter.set(v)
	setFlag(v, "gaps", q.Gaps)
	setFlag(v, "withdrawn", q.Withdrawn)
	setFlag(v, "raw", q.Raw)
	setText(v, "stream", q.Stream.String())
	setInt(v, "limit", q.Limit)
	setText(v, "cursor", q.Cursor)
	return v
}

// ParseEventsQuery reads the parameters of a request.
func ParseEventsQuery(kind logdb.Kind, v url.Values) (EventsQuery, error) {
	p := params{values: v}
	q := EventsQuery{
		Kind: kind, From: p.time("from"), To: p.time("to"), Channels: p.channels("channel"), Codes: p.ints("code"),
		LimitIDs: p.ints("limit_id"), Filter: p.eventFilter(kind), Gaps: p.flag("gaps"), Withdrawn: p.flag("withdrawn"), Raw: p.flag("raw"),
		Stream: p.stream("stream"), Limit: p.count("limit", MaxQueryLimit), Cursor: p.text("cursor"),
	}
	switch {
	case p.err != nil:
	case q.To != 0 && q.To < q.From:
		p.fail("to", "to lies before from")
	case q.Raw && !q.Filter.IsZero():
		p.fail("raw", "raw data are not filtered by what they say")
	// A filter that cannot hold would be passed over, and everything taken for the filter's.
	case len(q.Channels) > 0 && kind != logdb.KindLimit && kind != logdb.KindPQ:
		p.fail("channel", "only limit and PQ events have a channel")
	case len(q.Codes) > 0 && kind != logdb.KindSystem:
		p.fail("code", "only system events have a type that can be asked for")
	case len(q.LimitIDs) > 0 && kind != logdb.KindLimit:
		p.fail("limit_id", "only limit events have a limit")
	}
	return q, p.error()
}

// RangeQuery asks for counts of a range. Times are [From, To); a zero To means no end.
type RangeQuery struct{ From, To logdb.Millis }

// Values returns the query's parameters.
func (q RangeQuery) Values() url.Values {
	v := url.Values{}
	setTime(v, "from", q.From)
	setTime(v, "to", q.To)
	return v
}

// ParseRangeQuery reads the parameters of a request.
func ParseRangeQuery(v url.Values) (RangeQuery, error) {
	p := params{values: v}
	q := RangeQuery{From: p.time("from"), To: p.time("to")}
	if q.To != 0 && q.To < q.From {
		p.fail("to", "to lies before from")
	}
	return q, p.error()
}

// RecordingID names a recording: its position and stream.
type RecordingID struct {
	Position logdb.Position
	Stream   logdb.StreamID
}

// String returns "<position>@<stream>".
func (r RecordingID) String() string {
	return strconv.FormatUint(uint64(r.Position), 10) + "@" + r.Stream.String()
}

// ParseRecordingID reads what String wrote.
func ParseRecordingID(text string) (RecordingID, error) {
	number, stream, ok := strings.Cut(text, "@")
	n, err := strconv.ParseUint(number, 10, 64)
	id, streamErr := logdb.ParseStream(stream)
	if !ok || err != nil || n == 0 || n > uint64(logdb.MaxPosition) || streamErr != nil || id.IsZero() {
		return RecordingID{}, fault.New(fault.NotFound, "There is no such recording.").At("recording").
			WithHint("Take the id from the list of recordings: position@journal:policy.")
	}
	return RecordingID{logdb.Position(n), id}, nil
}

// ParseTime reads milliseconds since 1970 or a time of RFC 3339 ("2026-03-01T00:00:00Z"; a
// date alone is its midnight in UTC).
func ParseTime(text string) (logdb.Millis, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if m := logdb.Millis(n); m >= logdb.MinTime && m <= logdb.MaxTime {
			return m, nil
		}
		return 0, fault.New(fault.Invalid, "a time is out of range")
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			if m := logdb.MillisOf(t); m >= logdb.MinTime && m <= logdb.MaxTime {
				return m, nil
			}
			return 0, fault.New(fault.Invalid, "a time is out of range")
		}
	}
	return 0, fault.New(fault.Invalid, "a time must be milliseconds since 1970 or RFC 3339, such as 2026-03-01T00:00:00Z")
}

// ParseInterval reads an interval: a number and s, m, h, d, w, mo or y. Months come apart, so
// that the caller can cut them by the calendar.
func ParseInterval(text string) (step logdb.Millis, months int, err error) {
	units := []struct {
		suffix string
		millis logdb.Millis
		months int
	}{{"mo", 0, 1}, {"y", 0, 12}, {"s", 1000, 0}, {"m", 60_000, 0}, {"h", 3_600_000, 0}, {"d", logdb.DayMillis, 0}, {"w", 7 * logdb.DayMillis, 0}}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 100_000 {
			break
		}
		return u.millis * logdb.Millis(n), u.months * n, nil
	}
	return 0, 0, fault.New(fault.Invalid, "an interval is a number and s, m, h, d, w, mo or y, such as 15m")
}
