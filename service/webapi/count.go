package webapi

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/permission"
)

// MeterRange is the meter of a path and a range of time.
type MeterRange struct {
	MeterPath
	From string `query:"from" maxLength:"64" doc:"First time: RFC 3339, or ms since 1970"`
	To   string `query:"to" maxLength:"64" doc:"First time behind the range"`
}

// span reads the range of a request; without an end it has none.
func (in MeterRange) span() (first, last logdb.Millis, err error) {
	q, err := api.ParseRangeQuery(map[string][]string{"from": {in.From}, "to": {in.To}})
	if err != nil {
		return 0, 0, err
	}
	if q.To == 0 {
		q.To = logdb.MaxTime
	}
	return q.From, q.To, nil
}

type countsInput struct {
	MeterRange
	RestInput
}

func (a *API) limitCounts(ctx context.Context, c caller, in *countsInput) (*api.LimitCountsAnswer, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.LogsRead, in.UID); err != nil {
		return nil, err
	}
	first, last, err := in.span()
	if err != nil {
		return nil, err
	}
	out := &api.LimitCountsAnswer{MeterUID: in.UID, Counts: []api.LimitCount{}}
	for _, kind := range logdb.Kinds {
		counts, err := a.countLimits(ctx, in.UID, kind, first, last)
		if err != nil {
			return nil, err
		}
		out.Counts = append(out.Counts, counts...)
	}
	out.Counts, out.Next, err = pageIn(in.page(), "lc", out.Counts, func(n api.LimitCount) string {
		return fmt.Sprintf("%s %s %d %s %s %s", n.Kind, n.Stream, n.Day, n.Fate, n.By, n.Reason)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// countLimits derives from the fates what limits did to a kind in [first, last). A record that came along two ways is
// one record: what one stream skipped and another one brought was not skipped, and what both skipped counts once. A day of a stream has
// one count for each fate and reason, also where limits took turns.
func (a *API) countLimits(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis) ([]api.LimitCount, error) {
	streams, err := a.Logs.Streams(ctx, uid, kind)
	if err != nil {
		return nil, err
	}
	var out []api.LimitCount
	at := map[api.LimitCount]int{} // by what tells counts of a kind apart
	for i, s := range streams {
		others := countedElsewhere(streams, i)
		for _, r := range s.Fates.Ranges() {
			if r.Fate != logdb.FateSkipped && r.Fate != logdb.FateReduced || r.LastTime < first && r.FirstTime < first || r.FirstTime >= last && r.LastTime >= last {
				continue
			}
			n := 0
			for _, left := range others[r.Fate].Missing(r.First, r.Last) {
				n += int(left[1] - left[0] + 1)
			}
			if n == 0 {
				continue
			}
			one := api.LimitCount{
				Kind: kind.String(), Stream: s.Stream.String(), Day: r.FirstTime.Day(), Fate: r.Fate.String(),
				Count: n, FirstMS: min(r.FirstTime, r.LastTime), LastMS: max(r.FirstTime, r.LastTime),
			}
			if r.Fate == logdb.FateSkipped {
				one.By, one.Reason = limit.Who(r.Reason)
			}
			key := one
			key.Count, key.FirstMS, key.LastMS = 0, 0, 0
			if n, known := at[key]; known {
				out[n].Count += one.Count
				out[n].FirstMS, out[n].LastMS = min(out[n].FirstMS, one.FirstMS), max(out[n].LastMS, one.LastMS)
				continue
			}
			at[key] = len(out)
			out = append(out, one)
		}
	}
	return out, nil
}

// countedElsewhere returns which skipped and which reduced positions of stream i do not count, for another stream has
// the record, or counts it.
func countedElsewhere(streams []logdb.StreamState, i int) map[logdb.Fate]*logdb.FateSet {
	skipped, reduced := &logdb.FateSet{}, &logdb.FateSet{}
	for j, o := range streams {
		if j == i || !o.Stream.SameRecords(streams[i].Stream) {
			continue
		}
		for _, r := range o.Fates.Ranges() {
			covered := logdb.FateRange{First: r.First, Last: r.Last, Fate: logdb.FateStored}
			if r.Fate == logdb.FateStored || r.Fate == logdb.FateReduced || r.Fate == logdb.FateSkipped && j < i {
				skipped.Put(covered)
			}
			if r.Fate == logdb.FateStored || r.Fate == logdb.FateReduced && j < i {
				reduced.Put(covered)
			}
		}
	}
	return map[logdb.Fate]*logdb.FateSet{logdb.FateSkipped: skipped, logdb.FateReduced: reduced}
}

// limitSummary stands in the answer of every query of a range.
func (a *API) limitSummary(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis) (api.LimitSummary, error) {
	var sum api.LimitSummary
	counts, err := a.countLimits(ctx, uid, kind, first, last)
	for _, n := range counts {
		if n.Fate == logdb.FateSkipped.String() {
			sum.Skipped += n.Count
		} else {
			sum.Reduced += n.Count
		}
	}
	if l, ok := a.Logs.(logdb.Ladder); ok && err == nil && kind == logdb.KindHistorical {
		var late []logdb.NotApplied
		late, err = l.NotApplied(ctx, uid, first, last)
		sum.NotApplied = len(late)
	}
	if l, ok := a.Logs.(logdb.Ladder); ok && err == nil && (kind == logdb.KindHistorical || kind == logdb.KindWaveform) {
		var losses []logdb.Loss
		losses, err = l.Losses(ctx, uid)
		for _, n := range losses {
			if n.Kind == kind && n.Last >= first && n.First < last {
				sum.Lost++
			}
		}
	}
	return sum, err
}

func (a *API) eventCounts(ctx context.Context, c caller, in *countsInput) (*api.EventCountsAnswer, error) {
	if _, err := a.Meters.Access(ctx, c.Principal, permission.LogsRead, in.UID); err != nil {
		return nil, err
	}
	first, last, err := in.span()
	if err != nil {
		return nil, err
	}
	out := &api.EventCountsAnswer{MeterUID: in.UID, Counts: []api.EventCount{}}
	for _, kind := range logdb.Kinds {
		if kind == logdb.KindHistorical {
			continue
		}
		days := map[logdb.Millis]int{}
		choice, err := a.chooseEvents(ctx, in.UID, kind, first, last)
		if err != nil {
			return nil, err
		}
		q := logdb.EventQuery{Meter: in.UID, Kind: kind, First: first, Last: last}
		err = a.Logs.ReadEvents(ctx, q, func(s logdb.StreamID, e *logdb.Entry) error {
			if choice.shows(s, e.Time) {
				days[e.Time.Day()]++
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out.Alternatives = append(out.Alternatives, choice.hidden...)
		for _, day := range slices.Sorted(maps.Keys(days)) {
			out.Counts = append(out.Counts, api.EventCount{Kind: kind.String(), Day: day, Count: days[day]})
		}
	}
	out.Counts, out.Next, err = pageIn(in.page(), "ec", out.Counts, func(n api.EventCount) string { return fmt.Sprintf("%s %d", n.Kind, n.Day) })
	if err != nil {
		return nil, err
	}
	return out, nil
}
