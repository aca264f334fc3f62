package format

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"metermanager/logdb"
)

// blockValues is how many values a block has at most.
const blockValues = 4096

func (s *source) find(id logdb.SeriesID) *series {
	if id < 1 || int(id) > len(s.series) {
		return nil
	}
	return &s.series[id-1]
}

// from returns the index of the first value at or after t.
func (s *series) from(t logdb.Millis) int {
	return sort.Search(len(s.times), func(i int) bool { return s.times[i] >= t })
}

// ReadSeries implements logdb.Source.
func (s *source) ReadSeries(ctx context.Context, ids []logdb.SeriesID, first, last logdb.Millis, visit func(logdb.SeriesID, *logdb.Block) error) error {
	for _, id := range ids {
		sr := s.find(id)
		if sr == nil {
			continue
		}
		end := sr.from(last)
		for a := sr.from(first); a < end; a += blockValues {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := visit(id, sr.block(a, min(a+blockValues, end))); err != nil {
				return err
			}
		}
	}
	return nil
}

// block lends values [a, b), all as exceptions: a file's doubles need no decimal form.
func (s *series) block(a, b int) *logdb.Block {
	out := &logdb.Block{Times: s.times[a:b], Positions: s.positions[a:b], Mantissas: make([]int64, b-a), Exceptions: make([]logdb.Exception, b-a)}
	for i := range out.Exceptions {
		out.Exceptions[i] = logdb.Exception{Index: i, Value: s.values[a+i]}
	}
	return out
}

// ReadBuckets implements logdb.Source.
func (s *source) ReadBuckets(ctx context.Context, ids []logdb.SeriesID, edges []logdb.Millis, visit func(logdb.SeriesID, []logdb.Bucket) error) error {
	if len(edges) < 2 || !rising(edges) {
		return fmt.Errorf("%w: %d edges, want at least two that rise", logdb.ErrInvalid, len(edges))
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		out := make([]logdb.Bucket, len(edges)-1)
		for i := range out {
			out[i] = logdb.EmptyBucket()
		}
		if sr := s.find(id); sr != nil {
			sr.fill(out, edges)
		}
		if err := visit(id, out); err != nil {
			return err
		}
	}
	return nil
}

func rising(edges []logdb.Millis) bool {
	for i := 1; i < len(edges); i++ {
		if edges[i] <= edges[i-1] {
			return false
		}
	}
	return true
}

func (s *series) fill(out []logdb.Bucket, edges []logdb.Millis) {
	// A time that ends what it covers belongs to the bucket that it ends.
	var shift logdb.Millis
	if logdb.LookupChannel(s.head.Channel).CoversInterval {
		shift = 1
	}
	for k := range out {
		b := &out[k]
		for i := s.from(edges[k] + shift); i < len(s.times) && s.times[i] < edges[k+1]+shift; i++ {
			v := s.values[i]
			if b.Count == 0 {
				*b = logdb.Bucket{Min: v, Max: v, First: v, FirstTime: s.times[i]}
			}
			b.Count++
			b.Min, b.Max, b.Sum = math.Min(b.Min, v), math.Max(b.Max, v), b.Sum+v
			b.Last, b.LastTime = v, s.times[i]
		}
	}
}

// ReadEvents implements logdb.Source.
func (s *source) ReadEvents(ctx context.Context, q logdb.EventQuery, visit func(logdb.StreamID, *logdb.Entry) error) error {
	j := s.journal(q.Meter, q.Kind)
	if j == nil || q.Kind == logdb.KindHistorical {
		return nil
	}
	var found []*logdb.Entry
	for i := range j.entries {
		if e := &j.entries[i]; wanted(&q, e) && (q.After == nil || after(e, j.stream, q.After)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b *logdb.Entry) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Position, b.Position))
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	for _, e := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(j.stream, withoutSamples(e)); err != nil {
			return err
		}
	}
	return nil
}

func after(e *logdb.Entry, stream logdb.StreamID, c *logdb.EventCursor) bool {
	return cmp.Or(cmp.Compare(e.Time, c.Time), cmp.Compare(stream.String(), c.Stream.String()), cmp.Compare(e.Position, c.Position)) > 0
}

func wanted(q *logdb.EventQuery, e *logdb.Entry) bool {
	switch {
	case (e.Op == logdb.OpGap) != q.Gaps, e.Time < q.First, q.Last != 0 && e.Time >= q.Last:
		return false
	case e.Excursion != nil:
		return (len(q.Channels) == 0 || slices.Contains(q.Channels, e.Excursion.Channel)) &&
			(len(q.LimitIDs) == 0 || slices.Contains(q.LimitIDs, e.Excursion.LimitID))
	case e.System != nil:
		return len(q.Codes) == 0 || slices.Contains(q.Codes, int64(e.System.Type))
	}
	return true
}

// withoutSamples returns a copy that may be changed.
func withoutSamples(e *logdb.Entry) *logdb.Entry {
	out := *e
	if e.Waveform != nil {
		w := *e.Waveform
		w.Digital, w.Channels = nil, slices.Clone(w.Channels)
		for i := range w.Channels {
			w.Channels[i].Samples = nil
		}
		out.Waveform = &w
	}
	return &out
}

// Recording implements logdb.Source.
func (s *source) Recording(_ context.Context, meter logdb.MeterUID, stream logdb.StreamID, p logdb.Position) (logdb.Entry, error) {
	j, err := s.stream(meter, logdb.KindWaveform, stream)
	if err != nil {
		return logdb.Entry{}, err
	}
	if p < 1 || int(p) > len(j.entries) || j.entries[p-1].Waveform == nil {
		return logdb.Entry{}, fmt.Errorf("recording %d of a file: %w", p, logdb.ErrNotFound)
	}
	return j.entries[p-1], nil
}

// Streams implements logdb.Source.
func (s *source) Streams(_ context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	j := s.journal(meter, kind)
	if j == nil {
		return nil, nil
	}
	state := logdb.StreamState{Stream: j.stream, Own: true, JournalEnd: j.end, Chain: j.chain}
	state.Fates.Put(logdb.FateRange{First: 1, Last: j.end, Fate: logdb.FateStored})
	return []logdb.StreamState{state}, nil
}

// ReadStream implements logdb.Source.
func (s *source) ReadStream(_ context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID, first logdb.Position, most int) (logdb.Page, error) {
	j, err := s.stream(meter, kind, stream)
	if err != nil {
		return logdb.Page{}, err
	}
	page := logdb.Page{Meter: meter, Kind: kind, Stream: stream, JournalEnd: j.end, Chain: j.chain}
	first = max(first, 1)
	for i := range j.rows {
		h := &j.rows[i]
		a := sort.Search(h.Len(), func(i int) bool { return h.Positions[i] >= first })
		b := min(h.Len(), a+most)
		if a < b {
			page.Rows = append(page.Rows, h.Slice(a, b))
			most -= b - a
		}
	}
	if n := logdb.Position(len(j.entries)); first <= n && most > 0 {
		page.Entries = slices.Clone(j.entries[first-1 : min(n, first-1+logdb.Position(most))])
	}
	return page, nil
}

// Digests implements logdb.Source.
func (s *source) Digests(_ context.Context, meter logdb.MeterUID, kind logdb.Kind, stream logdb.StreamID) ([]logdb.DayDigest, error) {
	j, err := s.stream(meter, kind, stream)
	if err != nil {
		return nil, err
	}
	type key struct {
		log     logdb.LogNo
		channel logdb.ChannelKey
		day     logdb.Millis
	}
	days := map[key]*logdb.Tally{}
	tally := func(k key) *logdb.Tally {
		if days[k] == nil {
			days[k] = &logdb.Tally{}
		}
		return days[k]
	}
	for i := range s.series {
		if kind != logdb.KindHistorical {
			break
		}
		sr := &s.series[i]
		for n, at := range sr.times {
			tally(key{sr.head.Log, sr.head.Channel, at.Day()}).AddValue(sr.positions[n], at, sr.values[n])
		}
	}
	for i := range j.entries {
		if e := &j.entries[i]; e.Op == logdb.OpAdd {
			tally(key{e.Log, "", e.Time.Day()}).AddEntry(e.Position, e.ContentDigest())
		}
	}
	out := make([]logdb.DayDigest, 0, len(days))
	for k, t := range days {
		out = append(out, logdb.DayDigest{Log: k.log, Channel: k.channel, Day: k.day, Data: *t, Claim: *t, Full: true})
	}
	slices.SortFunc(out, func(a, b logdb.DayDigest) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Day, b.Day))
	})
	return out, nil
}
