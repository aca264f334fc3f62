package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// logsOf counts what the store holds of each log of a meter.
func (n *Node) logsOf(ctx context.Context, uid logdb.MeterUID) ([]api.LogStatus, error) {
	now := n.cfg.Now()
	n.mu.Lock()
	c, ok := n.cache[uid]
	n.mu.Unlock()
	if ok && now.Sub(c.at) < n.cfg.Fresh {
		return slices.Clone(c.logs), nil
	}
	var logs []api.LogStatus
	for _, kind := range logdb.Kinds {
		some, err := n.kindLogs(ctx, uid, kind)
		if err != nil {
			return nil, fmt.Errorf("count the %s logs of meter %s: %w", kind, uid, err)
		}
		logs = append(logs, some...)
	}
	n.mu.Lock()
	n.cache[uid] = cachedLogs{now, logs}
	n.mu.Unlock()
	return slices.Clone(logs), nil
}

func (n *Node) kindLogs(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]api.LogStatus, error) {
	streams, err := n.logs.Streams(ctx, uid, kind)
	if err != nil {
		return nil, err
	}
	if len(streams) == 0 {
		return nil, nil
	}
	one := api.LogStatus{Kind: kind.String()}
	skipped := 0
	for i := range streams {
		s := &streams[i]
		one.Records += int64(s.Fates.Count(logdb.FateStored))
		skipped += s.Fates.Count(logdb.FateSkipped)
		one.JournalEnd = max(one.JournalEnd, s.JournalEnd)
	}
	if skipped > 0 {
		one.Note = strconv.Itoa(skipped) + " records skipped by limits"
	}
	if kind == logdb.KindHistorical {
		return n.historicalLogs(ctx, uid, one)
	}
	err = n.eventRange(ctx, uid, kind, &one)
	return []api.LogStatus{one}, err
}

// historicalLogs splits the counts by the meter's own logs. A log's number of rows is
// that of its longest channel.
func (n *Node) historicalLogs(ctx context.Context, uid logdb.MeterUID, all api.LogStatus) ([]api.LogStatus, error) {
	series, err := n.logs.Series(ctx, uid)
	if err != nil {
		return nil, err
	}
	type streamLog struct {
		stream logdb.StreamID
		log    logdb.LogNo
	}
	rows := map[streamLog]int64{}
	byLog := map[logdb.LogNo]*api.LogStatus{}
	for _, s := range series {
		l := byLog[s.Log]
		if l == nil {
			l = &api.LogStatus{Kind: all.Kind, Log: s.Log, First: s.First, JournalEnd: all.JournalEnd}
			byLog[s.Log] = l
		}
		l.First, l.Last = min(l.First, s.First), max(l.Last, s.Last)
		key := streamLog{s.Stream, s.Log}
		rows[key] = max(rows[key], s.Count)
	}
	for key, n := range rows {
		byLog[key.log].Records += n
	}
	var out []api.LogStatus
	for i, log := range slices.Sorted(maps.Keys(byLog)) {
		if i == 0 {
			byLog[log].Note = all.Note
		}
		out = append(out, *byLog[log])
	}
	if len(out) == 0 {
		out = append(out, all)
	}
	return out, nil
}

// lookBack are the spans in which the last event is looked for, one after the other.
var lookBack = [...]logdb.Millis{logdb.DayMillis, 30 * logdb.DayMillis}

func (n *Node) eventRange(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, out *api.LogStatus) error {
	q := logdb.EventQuery{Meter: uid, Kind: kind, Limit: 1}
	err := n.logs.ReadEvents(ctx, q, func(_ logdb.StreamID, e *logdb.Entry) error {
		out.First, out.Last = e.Time, e.Time
		return nil
	})
	if err != nil || out.First == 0 {
		return err
	}
	now := logdb.MillisOf(n.cfg.Now())
	for _, span := range lookBack {
		q = logdb.EventQuery{Meter: uid, Kind: kind, First: max(out.First, now-span)}
		err := n.logs.ReadEvents(ctx, q, func(_ logdb.StreamID, e *logdb.Entry) error {
			out.Last = max(out.Last, e.Time)
			return nil
		})
		if err != nil || out.Last > out.First {
			return err
		}
	}
	return nil
}
