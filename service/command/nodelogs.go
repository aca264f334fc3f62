package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"metermanager/logdb"
	"metermanager/rpc/api"
)

// fewMeters is up to how many meters Fresh holds; with more it grows in step, so that looking at the
// status of a thousand meters never becomes what the node is busy with.
const fewMeters = 50

// logsOf tells what the store holds of each log of a meter.
func (n *Node) logsOf(ctx context.Context, uid logdb.MeterUID) ([]api.LogStatus, error) {
	now := n.cfg.Now()
	n.mu.Lock()
	c, ok := n.cache[uid]
	fresh := n.cfg.Fresh * time.Duration(1+len(n.cache)/fewMeters)
	n.mu.Unlock()
	if ok && now.Sub(c.at) < fresh {
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

// kindLogs tells of the logs of one kind: of one journal, beside which others are alternatives.
func (n *Node) kindLogs(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]api.LogStatus, error) {
	streams, err := n.logs.Streams(ctx, uid, kind)
	if err != nil || len(streams) == 0 {
		return nil, err
	}
	journal := mainJournal(streams)
	one := api.LogStatus{Kind: kind.String()}
	for i := range streams {
		s := &streams[i]
		if s.Stream.Journal != journal {
			continue
		}
		one.Records += int64(s.Fates.Count(logdb.FateStored))
		one.Skipped += int64(s.Fates.Count(logdb.FateSkipped))
		one.Reduced += int64(s.Fates.Count(logdb.FateReduced))
		one.JournalEnd = max(one.JournalEnd, s.JournalEnd)
	}
	one.Alternatives = alternatives(streams, journal)
	if one.Skipped > 0 {
		one.Note = strconv.FormatInt(one.Skipped, 10) + " records skipped by limits"
	}
	logs := []api.LogStatus{one}
	if kind == logdb.KindHistorical {
		if logs, err = n.historicalLogs(ctx, uid, journal, one); err != nil {
			return nil, err
		}
	} else if err := n.eventRange(ctx, uid, kind, journal, &logs[0]); err != nil {
		return nil, err
	}
	return logs, n.addGaps(ctx, uid, kind, journal, logs)
}

// mainJournal is the journal that a status is about: this node's own, else the one with most
// records, else the older.
func mainJournal(streams []logdb.StreamState) logdb.JournalID {
	records, created := map[logdb.JournalID]int{}, map[logdb.JournalID]logdb.Millis{}
	for i := range streams {
		s := &streams[i]
		if s.Own {
			return s.Stream.Journal
		}
		records[s.Stream.Journal] += s.Fates.Len()
		if at, ok := created[s.Stream.Journal]; !ok || s.Created < at {
			created[s.Stream.Journal] = s.Created
		}
	}
	return slices.MinFunc(slices.Collect(maps.Keys(records)), func(a, b logdb.JournalID) int {
		return cmp.Or(cmp.Compare(records[b], records[a]), cmp.Compare(created[a], created[b]), cmp.Compare(a, b))
	})
}

// mostAlternatives bounds the list in a status.
const mostAlternatives = 20

func alternatives(streams []logdb.StreamState, journal logdb.JournalID) []api.Alternative {
	var out []api.Alternative
	for i := range streams {
		s := &streams[i]
		if s.Stream.Journal != journal && len(out) < mostAlternatives {
			out = append(out, api.Alternative{
				Stream: s.Stream.String(), Source: s.Source, Records: int64(s.Fates.Count(logdb.FateStored)), End: s.JournalEnd,
			})
		}
	}
	return out
}

// historicalLogs splits the counts by the meter's own logs. A log's number of rows is
// that of its longest channel.
func (n *Node) historicalLogs(ctx context.Context, uid logdb.MeterUID, journal logdb.JournalID, all api.LogStatus) ([]api.LogStatus, error) {
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
		if s.Stream.Journal != journal {
			continue
		}
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
		if i == 0 { // what is counted by kind stands once
			l := byLog[log]
			l.Note, l.Skipped, l.Reduced, l.Alternatives = all.Note, all.Skipped, all.Reduced, all.Alternatives
		}
		out = append(out, *byLog[log])
	}
	if len(out) == 0 {
		all.Records = 0 // only gaps and closes
		out = append(out, all)
	}
	return out, nil
}

// lookBack are the spans in which the last event is looked for, one after the other.
var lookBack = [...]logdb.Millis{logdb.DayMillis, 30 * logdb.DayMillis}

// errFound ends a look for one event.
var errFound = errors.New("found")

func (n *Node) eventRange(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, out *api.LogStatus) error {
	q := logdb.EventQuery{Meter: uid, Kind: kind}
	err := n.logs.ReadEvents(ctx, q, func(s logdb.StreamID, e *logdb.Entry) error {
		if s.Journal != journal {
			return nil
		}
		out.First, out.Last = e.Time, e.Time
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) || out.First == 0 {
		return err
	}
	now := logdb.MillisOf(n.cfg.Now())
	for _, span := range lookBack {
		q = logdb.EventQuery{Meter: uid, Kind: kind, First: max(out.First, now-span)}
		err := n.logs.ReadEvents(ctx, q, func(s logdb.StreamID, e *logdb.Entry) error {
			if s.Journal == journal {
				out.Last = max(out.Last, e.Time)
			}
			return nil
		})
		if err != nil || out.Last > out.First {
			return err
		}
	}
	return nil
}

// gapsBack is the time for which gaps are counted, mostGaps how many of them are told.
const (
	gapsBack = 30 * logdb.DayMillis
	mostGaps = 20
)

// addGaps puts the gaps of a kind to the logs that they are in.
func (n *Node) addGaps(ctx context.Context, uid logdb.MeterUID, kind logdb.Kind, journal logdb.JournalID, logs []api.LogStatus) error {
	since := max(0, logdb.MillisOf(n.cfg.Now())-gapsBack)
	byLog := map[logdb.LogNo]*api.Gaps{}
	told := map[logdb.Position]bool{} // a gap goes with every part of a journal that is sent as a stream of its own
	err := n.logs.ReadEvents(ctx, logdb.EventQuery{Meter: uid, Kind: kind, First: since, Gaps: true}, func(s logdb.StreamID, e *logdb.Entry) error {
		if s.Journal != journal || e.Gap == nil || told[e.Position] {
			return nil
		}
		told[e.Position] = true
		g := byLog[e.Log]
		if g == nil {
			g = &api.Gaps{Since: since}
			byLog[e.Log] = g
		}
		g.Count++
		g.Newest = append(g.Newest, api.Gap{From: e.Gap.From, To: e.Gap.To, Cause: string(e.Gap.Cause), Detail: e.Gap.Detail})
		if len(g.Newest) > 2*mostGaps {
			g.Newest = append(g.Newest[:0], g.Newest[mostGaps:]...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the gaps: %w", err)
	}
	for i := range logs {
		if g := byLog[logs[i].Log]; g != nil {
			slices.Reverse(g.Newest)
			g.Newest = g.Newest[:min(len(g.Newest), mostGaps)]
			logs[i].Gaps = g
		}
	}
	return nil
}
