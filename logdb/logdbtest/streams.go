package logdbtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// Streams implements logdb.Source.
func (m *Model) Streams(_ context.Context, uid logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error) {
	defer m.lock()()
	j := m.journals(uid, kind)
	var out []logdb.StreamState
	for _, s := range j.streams {
		out = append(out, logdb.StreamState{
			Stream: s.id, Own: s == j.own, Source: s.source, Fates: s.fates.Clone(), JournalEnd: s.end, Chain: s.chain, Ends: s.ends,
		})
	}
	slices.SortFunc(out, func(a, b logdb.StreamState) int {
		if a.Own != b.Own {
			if a.Own {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Stream.String(), b.Stream.String())
	})
	return out, nil
}

// ReadStream implements logdb.Source.
func (m *Model) ReadStream(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, id logdb.StreamID, first logdb.Position, limit int) (logdb.Page, error) {
	defer m.lock()()
	j := m.journals(uid, kind)
	s := j.find(id)
	if s == nil {
		return logdb.Page{}, fmt.Errorf("read stream %s: %w", id, logdb.ErrNotFound)
	}
	page := logdb.Page{Meter: uid, Kind: kind, Stream: id, JournalEnd: s.end, Chain: s.chain}
	var fates logdb.FateSet
	for _, f := range s.fates.Ranges() {
		for p := max(f.First, first); p <= f.Last && limit > 0; p++ {
			if f.Fate != logdb.FateStored {
				part := f
				part.First = p
				fates.Put(part)
				limit--
				p = part.Last
				continue
			}
			if e := s.at(p); e != nil {
				target, decided := j.fateOf(s, e.Target)
				page.Requested = page.Requested || decided && target.Fate != logdb.FateStored
				page.Entries = append(page.Entries, clone(*e))
				limit--
			}
		}
	}
	page.Fates = slices.Clone(fates.Ranges())
	return page, nil
}

// Digests implements logdb.Source.
func (m *Model) Digests(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, id logdb.StreamID) ([]logdb.DayDigest, error) {
	defer m.lock()()
	j := m.journals(uid, kind)
	if j.find(id) == nil {
		return nil, fmt.Errorf("digests of stream %s: %w", id, logdb.ErrNotFound)
	}
	var out []logdb.DayDigest
	day := func(r *record, channel logdb.ChannelKey) *logdb.Tally {
		for i := range out {
			if d := &out[i]; d.Log == r.entry.Log && d.Channel == channel && d.Day == r.entry.Time.Day() {
				return &d.Data
			}
		}
		out = append(out, logdb.DayDigest{Log: r.entry.Log, Channel: channel, Day: r.entry.Time.Day(), Full: true})
		return &out[len(out)-1].Data
	}
	for _, r := range j.live() {
		switch {
		case r.stream.id != id:
		case r.entry.Row != nil:
			for i, c := range r.entry.Row.Channels {
				day(&r, c).AddValue(r.position, r.entry.Time, r.entry.Row.Values[i])
			}
		default:
			day(&r, "").AddEntry(r.position, r.entry.ContentDigest())
		}
	}
	for i := range out {
		out[i].Claim = out[i].Data
	}
	slices.SortFunc(out, func(a, b logdb.DayDigest) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Day, b.Day))
	})
	return out, nil
}
