package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
	"metermanager/rpc/client"
	"metermanager/rpc/permission"
)

// logRange says which records of which log.
type logRange struct {
	Meter    string   `arg:"" help:"Name, serial or UID."`
	Kind     string   `arg:"" optional:"" default:"historical" help:"Log: historical, waveform, system, limits or pq (default: ${default})."`
	From     string   `placeholder:"TIME" help:"First time, in the meter's zone unless it says another: 2026-03-01, 2026-03-01T14:30, RFC 3339, ms, or a span back such as 7d."`
	To       string   `placeholder:"TIME" help:"First time that is left out (default: now, and later)."`
	Channels []string `placeholder:"KEY" help:"Only these channels."`
	LimitIDs []int64  `name:"limit-ids" placeholder:"N" help:"Limit events: only these limits."`
	eventFilters
	Gaps     bool     `help:"Periods without data and their causes, instead of records."`
	Interval string   `placeholder:"SPAN" help:"Historical: buckets of this length, such as 15m, 1h, 1d or 1mo."`
	Buckets  int      `placeholder:"N" help:"Historical: so many equal buckets."`
	Agg      []string `placeholder:"NAME" help:"With buckets: mean, min, max, sum, last, first, count, coverage (default: what suits the channel)."`
	UTC      bool     `name:"utc" help:"Cut buckets and print times in UTC instead of the meter's zone."`
	Log      int      `default:"-1" placeholder:"N" help:"Historical: the meter's log of this number."`
	Limit    int      `placeholder:"N" help:"At most so many records."`
}

// query is a logRange that was read, for one meter.
type query struct {
	*logRange
	kind     logdb.Kind
	meter    api.Meter
	zone     *time.Location
	from, to logdb.Millis
	keys     []logdb.ChannelKey
	filter   filter
}

func (r *logRange) resolve(ctx context.Context, service *client.Client, now time.Time, back time.Duration) (query, error) {
	q := query{logRange: r, zone: time.UTC}
	var err error
	if q.kind, err = logdb.ParseKind(r.Kind); err != nil {
		return q, usageError{fmt.Sprintf("log %q: want historical, waveform, system, limits or pq", r.Kind)}
	}
	if err := r.fits(q.kind); err != nil {
		return q, err
	}
	if q.filter, err = r.eventFilters.read(q.kind); err != nil {
		return q, err
	}
	if q.keys, err = channelKeys(r.Channels); err != nil {
		return q, err
	}
	if q.meter, err = findMeter(ctx, service, r.Meter); err != nil {
		return q, err
	}
	if !r.UTC {
		q.zone = zoneOf(q.meter.Settings.Zone)
	}
	if r.From != "" {
		if q.from, err = parseWhen(r.From, q.zone, now); err != nil {
			return q, err
		}
	} else if back > 0 {
		q.from = logdb.MillisOf(now.Add(-back))
	}
	if r.To != "" {
		if q.to, err = parseWhen(r.To, q.zone, now); err != nil {
			return q, err
		}
	}
	return q, nil
}

// channelKeys reads the option --channels.
func channelKeys(words []string) (keys []logdb.ChannelKey, err error) {
	for _, w := range words {
		key, err := logdb.NormalizeChannel(w)
		if err != nil {
			return nil, usageError{"--channels: " + strings.TrimPrefix(err.Error(), logdb.ErrInvalid.Error()+": ")}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// fits refuses options that the log of that kind does not have: they would change nothing.
func (r *logRange) fits(kind logdb.Kind) error {
	for _, o := range []struct {
		name  string
		given bool
		kind  logdb.Kind
	}{
		{"interval", r.Interval != "", logdb.KindHistorical},
		{"buckets", r.Buckets != 0, logdb.KindHistorical},
		{"agg", len(r.Agg) > 0, logdb.KindHistorical},
		{"log", r.Log >= 0, logdb.KindHistorical},
		{"limit-ids", len(r.LimitIDs) > 0, logdb.KindLimit},
	} {
		if o.given && o.kind != kind {
			return usageError{fmt.Sprintf("--%s: only the %s log has that, not %s", o.name, o.kind, kind)}
		}
	}
	return nil
}

func (q *query) history() api.HistoryQuery {
	h := api.HistoryQuery{
		Channels: q.keys, From: q.from, To: q.to, Interval: q.Interval, Buckets: q.Buckets, Aggs: q.Agg, Limit: q.Limit,
	}
	if q.UTC {
		h.Zone = api.ZoneUTC
	}
	if q.Log >= 0 {
		n := logdb.LogNo(q.Log)
		h.Log = &n
	}
	return h
}

func (q *query) events() api.EventsQuery {
	return api.EventsQuery{
		Kind: q.kind, From: q.from, To: q.to, Channels: q.keys, Codes: q.filter.codes, LimitIDs: q.LimitIDs, Filter: q.filter.says,
		Gaps: q.Gaps, Withdrawn: q.Withdrawn, Limit: q.Limit,
	}
}

// logQueryCmd prints records.
type logQueryCmd struct {
	remote
	logRange
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Help shows an example.
func (logQueryCmd) Help() string {
	return `Example: metermanager log query main-incomer historical --from 7d --interval 1h --channels readings.power.watts

Example: metermanager log query main-incomer pq --from 2026-03-01 --type sag --max-percent 70 --min-duration 0.1

Example: metermanager log query main-incomer waveform --from 30d --text sag

Without --from: the last 24 hours; the last 60 days of events; everything when buckets are asked for.
Times are in the meter's zone, with their offset. A blank cell is an absent value, never zero.`
}

// Run prints the records.
func (c *logQueryCmd) Run(ctx context.Context, p *program) error {
	service, done, err := c.connect(ctx, p, permission.LogsRead)
	if err != nil {
		return err
	}
	defer done()
	back := 24 * time.Hour
	if kind, err := logdb.ParseKind(c.Kind); err == nil && kind != logdb.KindHistorical || c.Gaps {
		back = 60 * 24 * time.Hour
	}
	if c.Interval != "" || c.Buckets > 0 {
		back = 0
	}
	q, err := c.resolve(ctx, service, time.Now(), back)
	if err != nil {
		return err
	}
	if q.kind == logdb.KindHistorical && !c.Gaps {
		answer, err := service.History(ctx, q.meter.UID, q.history())
		if err != nil {
			return err
		}
		if c.JSON {
			return writeHistoryJSON(p.stdout, answer)
		}
		return p.historyTable(q, answer)
	}
	answer, err := service.Events(ctx, q.meter.UID, q.events())
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := p.stdout.Write(api.AppendEvents(nil, &answer))
		return err
	}
	return p.eventTable(q, answer)
}

func (p *program) historyTable(q query, a api.History) error {
	if len(a.Times) == 0 {
		return p.nothing(q)
	}
	heads := []string{"Time (" + q.zone.String() + ")"}
	for _, c := range a.Columns {
		heads = append(heads, ">"+columnHead(c, a.Columns))
	}
	t := newTable(heads...)
	for i, at := range a.Times {
		cells := []string{clock(at, q.zone)}
		for c := range a.Columns {
			cells = append(cells, formatValue(a.Values[c][i]))
		}
		t.add(cells...)
	}
	if err := t.writeCut(p.stdout); err != nil {
		return err
	}
	p.footer(len(a.Times), "record", a.Limits, a.Next)
	sayUnverified(p.stdout, a.Columns)
	if n := a.Corrected.Count; n > 0 {
		fmt.Fprintf(p.stdout, "! In this range %s not as first recorded, from %s on. See: metermanager log versions %s historical %s\n", countWas(n), clock(a.Corrected.From(), q.zone), q.meter.Settings.Name, a.Corrected.First())
	}
	for _, key := range q.keys {
		if !slices.ContainsFunc(a.Columns, func(c api.SeriesColumn) bool { return c.Key == key }) {
			fmt.Fprintf(p.stdout, "! %s has recorded no %s. What it has: metermanager meter show %s\n", q.meter.Settings.Name, key, q.meter.Settings.Name)
		}
	}
	return nil
}

// columnHead names a column: the key without its first word, the aggregate, the unit, and
// the log where several stand side by side.
func columnHead(c api.SeriesColumn, all []api.SeriesColumn) string {
	head := strings.TrimPrefix(string(c.Key), "readings.")
	if c.Agg != "" {
		head += " " + c.Agg
	}
	if inSeveralLogs(c, all) {
		head += fmt.Sprintf(" log %d", c.Log)
	}
	if c.Unit != "" {
		head += " [" + c.Unit + "]"
	}
	if c.Unverified {
		head += " (unverified)"
	}
	return head
}

// sayUnverified warns of energy whose place or scale in the meter nobody has compared with the maker's document.
func sayUnverified(w io.Writer, columns []api.SeriesColumn) {
	var keys []string
	for _, c := range columns {
		if c.Unverified && strings.HasPrefix(string(c.Key), "energy.") && !slices.Contains(keys, string(c.Key)) {
			keys = append(keys, string(c.Key))
		}
	}
	if len(keys) > 0 {
		fmt.Fprintf(w, "! Not to be billed, since their place or scale in the meter was inferred: %s\n", strings.Join(keys, ", "))
	}
}

// inSeveralLogs reports whether the same channel stands beside c from another log.
func inSeveralLogs(c api.SeriesColumn, all []api.SeriesColumn) bool {
	return slices.ContainsFunc(all, func(o api.SeriesColumn) bool { return o.Key == c.Key && o.Log != c.Log })
}

// footer says what stands not in the table, with the mark that limits raise.
func (p *program) footer(n int, noun string, l api.LimitSummary, next string) {
	fmt.Fprintf(p.stdout, "\n%s", count(int64(n), noun))
	if next != "" {
		fmt.Fprint(p.stdout, "; there are more: raise --limit, narrow the range, or use log export")
	}
	fmt.Fprintln(p.stdout)
	if l.Skipped > 0 {
		fmt.Fprintf(p.stdout, "! In this range limits skipped %s.\n", count(int64(l.Skipped), "record"))
	}
	if l.NotApplied > 0 {
		fmt.Fprintf(p.stdout, "! In this range %s came too late: the values were let go for their age, and the sums do not have it.\n", count(int64(l.NotApplied), "correction"))
	}
	if l.Lost > 0 {
		fmt.Fprintf(p.stdout, "! In this range values of %s were lost: only sums and the times of rows are left of them. See: metermanager rpc retention.losses\n", count(int64(l.Lost), "archive file"))
	}
	if l.Reduced > 0 {
		fmt.Fprintf(p.stdout, "! In this range %s went into others: at most one a minute is uploaded.\n", count(int64(l.Reduced), "record"))
	}
}

func (p *program) nothing(q query) error {
	to := "now"
	if q.to != 0 {
		to = clock(q.to, q.zone)
	}
	from := "its begin"
	if q.from != 0 {
		from = clock(q.from, q.zone)
	}
	_, err := fmt.Fprintf(p.stdout, "No records from %s to %s. What there is: metermanager log list %s\n", from, to, q.logRange.Meter)
	return err
}

func (p *program) eventTable(q query, a api.Events) error {
	if len(a.Events) == 0 {
		return p.nothing(q)
	}
	t := newTable(eventHeads(q.kind, q.Gaps, q.zone.String())...)
	for _, e := range a.Events {
		t.add(eventCells(q.kind, e, q.Gaps, q.zone)...)
	}
	if err := t.write(p.stdout); err != nil {
		return err
	}
	noun := "event"
	switch {
	case q.Gaps:
		noun = "gap"
	case q.kind == logdb.KindWaveform:
		noun = "recording"
	}
	p.footer(len(a.Events), noun, a.Limits, a.Next)
	return nil
}

func eventHeads(kind logdb.Kind, gaps bool, zone string) []string {
	start := "Time (" + zone + ")"
	switch {
	case gaps:
		return []string{start, "Until", "Cause", "Detail"}
	case kind == logdb.KindSystem:
		return []string{start, "Event", ">Code", "Description"}
	case kind == logdb.KindWaveform:
		return []string{start, "Until", "Triggers", ">Frequency [Hz]", "Recording"}
	case kind == logdb.KindLimit:
		return []string{start, ">Duration [s]", ">Limit", "Channel", "Direction", ">Worst", ">Worst [% of full scale]", ">Threshold"}
	}
	return []string{start, ">Duration [s]", "Channel", "Event", ">Worst", ">Worst [% of full scale]", ">Threshold"}
}

func eventCells(kind logdb.Kind, e api.Event, gaps bool, zone *time.Location) []string {
	at := clock(e.Entry.Time, zone)
	switch n := e.Entry; {
	case gaps && n.Gap != nil:
		return []string{clock(n.Gap.From, zone), clock(n.Gap.To, zone), string(n.Gap.Cause), n.Gap.Detail}
	case n.System != nil:
		return []string{at, n.System.Type.String(), strconv.FormatInt(n.System.Code, 10), n.System.Description}
	case n.Waveform != nil:
		return []string{at, clock(n.Waveform.End, zone), strings.Join(n.Waveform.Triggers, " "), formatValue(n.Waveform.FrequencyHz), e.ID.String()}
	case n.Excursion != nil:
		return excursionCells(kind, at, n.Excursion, n.Why)
	}
	return []string{at}
}

func excursionCells(kind logdb.Kind, at string, x *logdb.Excursion, why string) []string {
	duration := "open"
	switch {
	case !math.IsNaN(x.DurationSeconds):
		duration = formatValue(x.DurationSeconds)
	case why != "": // its end was seen: the meter's clock was set back meanwhile
		duration = "unknown"
	}
	words := [...]string{"sag", "surge"}
	if kind == logdb.KindLimit {
		words = [...]string{"below", "above"}
	}
	word := strconv.FormatInt(x.Type, 10)
	if x.Type == 0 || x.Type == 1 {
		word = words[x.Type]
	}
	cells := []string{at, duration, string(x.Channel), word, formatValue(x.Worst), formatValue(x.WorstPercent), formatValue(x.Threshold)}
	if kind == logdb.KindLimit {
		cells = slices.Insert(cells, 2, strconv.FormatInt(x.LimitID, 10))
	}
	return cells
}

// countWas says how many records are, in words.
func countWas(n int) string {
	if n == 1 {
		return "1 record is"
	}
	return grouped(int64(n)) + " records are"
}
