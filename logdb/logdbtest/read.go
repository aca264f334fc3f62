package logdbtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
)

// value is one live value of a series.
type value struct {
	time     logdb.Millis
	position logdb.Position
	v        float64
}

// series returns the live values of every series of a meter in order of (time, position).
func (m *Model) series(uid logdb.MeterUID) map[seriesKey][]value {
	out := map[seriesKey][]value{}
	for _, r := range m.journals(uid, logdb.KindHistorical).live() {
		for i, c := range r.entry.Row.Channels {
			k := seriesKey{uid, r.stream.id, r.entry.Log, c}
			out[k] = append(out[k], value{r.entry.Time, r.position, r.entry.Row.Values[i]})
		}
	}
	return out
}

// Series implements logdb.Source.
func (m *Model) Series(_ context.Context, uid logdb.MeterUID) ([]logdb.Series, error) {
	defer m.lock()()
	var out []logdb.Series
	for k, values := range m.series(uid) {
		if _, ok := m.ids[k]; !ok {
			m.ids[k] = logdb.SeriesID(len(m.ids) + 1)
		}
		newest := values[len(values)-1]
		out = append(out, logdb.Series{
			ID: m.ids[k], Stream: k.stream, Log: k.log, Channel: k.channel,
			First: values[0].time, Last: newest.time, Count: int64(len(values)), LastValue: newest.v,
		})
	}
	slices.SortFunc(out, func(a, b logdb.Series) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Log, b.Log), cmp.Compare(a.Stream.String(), b.Stream.String()))
	})
	return out, nil
}

// valuesOf returns the live values of the given series, in the order asked.
func (m *Model) valuesOf(ids []logdb.SeriesID) (keys []seriesKey, values [][]value) {
	defer m.lock()()
	byID := map[logdb.SeriesID]seriesKey{}
	for k, id := range m.ids {
		byID[id] = k
	}
	all := map[logdb.MeterUID]map[seriesKey][]value{}
	for _, id := range ids {
		k := byID[id]
		if all[k.meter] == nil {
			all[k.meter] = m.series(k.meter)
		}
		keys, values = append(keys, k), append(values, all[k.meter][k])
	}
	return keys, values
}

// ReadSeries implements logdb.Source.
func (m *Model) ReadSeries(_ context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	blocks := make([]logdb.Block, len(ids))
	_, values := m.valuesOf(ids)
	for i := range ids {
		b := &blocks[i]
		for _, v := range values[i] {
			if v.time >= first && v.time < last {
				b.Exceptions = append(b.Exceptions, logdb.Exception{Index: len(b.Times), Value: v.v})
				b.Times, b.Positions, b.Mantissas = append(b.Times, v.time), append(b.Positions, v.position), append(b.Mantissas, 0)
			}
		}
	}
	for i := range blocks {
		if blocks[i].Len() == 0 {
			continue
		}
		if err := visit(ids[i], &blocks[i]); err != nil {
			return err
		}
	}
	return nil
}

// ReadBuckets implements logdb.Source.
func (m *Model) ReadBuckets(_ context.Context, ids []logdb.SeriesID, edges []logdb.Millis, visit func(logdb.SeriesID, []logdb.Bucket) error) error {
	if len(edges) < 2 || !slices.IsSorted(edges) || len(slices.Compact(slices.Clone(edges))) != len(edges) {
		return fmt.Errorf("%w: %d edges, want at least two that rise", logdb.ErrInvalid, len(edges))
	}
	keys, values := m.valuesOf(ids)
	for n, id := range ids {
		covers := logdb.LookupChannel(keys[n].channel).CoversInterval
		out := make([]logdb.Bucket, len(edges)-1)
		for i := range out {
			out[i] = bucket(values[n], edges[i], edges[i+1], covers)
		}
		if err := visit(id, out); err != nil {
			return err
		}
	}
	return nil
}

// bucket aggregates the values in [first, last), or in (first, last] where a time is the end of what it covers.
func bucket(values []value, first, last logdb.Millis, covers bool) logdb.Bucket {
	b := logdb.EmptyBucket()
	for _, v := range values {
		in := v.time >= first && v.time < last
		if covers {
			in = v.time > first && v.time <= last
		}
		if !in {
			continue
		}
		if b.Count == 0 {
			b.Min, b.Max, b.First, b.FirstTime, b.Sum = v.v, v.v, v.v, v.time, 0
		}
		b.Count++
		b.Min, b.Max, b.Sum = math.Min(b.Min, v.v), math.Max(b.Max, v.v), b.Sum+v.v
		b.Last, b.LastTime = v.v, v.time
	}
	return b
}

// ReadEvents implements logdb.Source.
func (m *Model) ReadEvents(_ context.Context, q logdb.EventQuery, visit func(logdb.StreamID, *logdb.Entry) error) error {
	type event struct {
		stream logdb.StreamID
		entry  logdb.Entry
	}
	unlock := m.lock()
	var found []event
	add := func(s logdb.StreamID, e logdb.Entry) {
		if wanted(&q, &e) {
			found = append(found, event{s, withoutSamples(e)})
		}
	}
	j := m.journals(q.Meter, q.Kind)
	for _, s := range j.streams {
		for _, e := range s.held {
			if q.Gaps && e.Op == logdb.OpGap && (q.Withdrawn || !j.replaced(s.id.Journal, &e)) {
				add(s.id, e)
			}
		}
	}
	for _, r := range j.records() {
		if q.Gaps || q.Kind == logdb.KindHistorical {
			break
		}
		for _, v := range r.versions {
			if v.entry.Op == logdb.OpWithdraw || !q.Withdrawn && (!r.live || v.entry.Position != r.entry.Position) {
				continue
			}
			add(r.stream.id, v.entry)
		}
	}
	unlock()
	place := func(e event) logdb.EventCursor {
		return logdb.EventCursor{Time: e.entry.Time, Stream: e.stream, Position: original(&e.entry), Version: e.entry.Position}
	}
	slices.SortStableFunc(found, func(a, b event) int { return compareCursors(place(a), place(b)) })
	n := 0
	for _, e := range found {
		if q.After != nil && compareCursors(place(e), *q.After) <= 0 {
			continue
		}
		if q.Limit > 0 && n == q.Limit {
			break
		}
		n++
		if err := visit(e.stream, &e.entry); err != nil {
			return err
		}
	}
	return nil
}

// replaced reports whether a gap was told of anew later on in the same journal, in whichever stream of it.
func (j *journals) replaced(journal logdb.JournalID, gap *logdb.Entry) bool {
	for _, s := range j.streams {
		if s.id.Journal == journal && slices.ContainsFunc(s.held, func(e logdb.Entry) bool {
			return e.Op == logdb.OpGap && e.Position > gap.Position && e.Gap.Replaces == cmp.Or(gap.Gap.Replaces, gap.Position)
		}) {
			return true
		}
	}
	return false
}

func compareCursors(a, b logdb.EventCursor) int {
	version := func(c logdb.EventCursor) uint64 { return uint64(c.Version) - 1 } // 0 stands behind all
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Stream.String(), b.Stream.String()), cmp.Compare(a.Position, b.Position), cmp.Compare(version(a), version(b)))
}

// original returns the position of the add that e is a version of.
func original(e *logdb.Entry) logdb.Position {
	if e.Target != 0 {
		return e.Target
	}
	return e.Position
}

func wanted(q *logdb.EventQuery, e *logdb.Entry) bool {
	switch {
	case e.Time < q.First, q.Last != 0 && e.Time >= q.Last:
		return false
	case e.Excursion != nil:
		return (len(q.Channels) == 0 || slices.Contains(q.Channels, e.Excursion.Channel)) &&
			(len(q.LimitIDs) == 0 || slices.Contains(q.LimitIDs, e.Excursion.LimitID))
	case e.System != nil:
		return len(q.Codes) == 0 || slices.Contains(q.Codes, int64(e.System.Type))
	}
	return true
}

func withoutSamples(e logdb.Entry) logdb.Entry {
	e = clone(e)
	if e.Waveform != nil {
		e.Waveform.Digital = nil
		for i := range e.Waveform.Channels {
			e.Waveform.Channels[i].Samples = nil
		}
	}
	return e
}

// Versions implements logdb.Store.
func (m *Model) Versions(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, id logdb.StreamID, p logdb.Position) ([]logdb.Entry, error) {
	defer m.lock()()
	var out []logdb.Entry
	if m.journals(uid, kind).find(id) == nil {
		return nil, fmt.Errorf("stream %s: %w", id, logdb.ErrNotFound)
	}
	for _, s := range m.journals(uid, kind).streams {
		if !s.id.SameCut(id) {
			continue
		}
		for i := range s.held {
			if e := &s.held[i]; e.Position == p && e.Op == logdb.OpAdd || e.Target == p {
				out = append(out, withoutSamples(clone(*e)))
			}
		}
	}
	slices.SortFunc(out, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
	if out = slices.CompactFunc(out, func(a, b logdb.Entry) bool { return a.Position == b.Position }); len(out) == 0 {
		return nil, fmt.Errorf("position %d of %s: %w", p, id, logdb.ErrNotFound)
	}
	return out, nil
}

// Recording implements logdb.Source.
func (m *Model) Recording(_ context.Context, uid logdb.MeterUID, id logdb.StreamID, p logdb.Position) (logdb.Entry, error) {
	defer m.lock()()
	for _, r := range m.journals(uid, logdb.KindWaveform).live() {
		if r.stream.id == id && r.position == p {
			return clone(r.entry), nil
		}
	}
	return logdb.Entry{}, fmt.Errorf("recording %d of %s: %w", p, id, logdb.ErrNotFound)
}
