package logdbtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// record is the live version of one record.
type record struct {
	stream   *stream        // of the original add
	position logdb.Position // of the original add
	entry    logdb.Entry    // the version that is live
	versions []versionOf    // all that are held, withdraws included
	live     bool
}

type versionOf struct {
	stream *stream
	entry  logdb.Entry
}

// records returns every record, live or not. Versions belong together by journal and cut; the one
// with the highest position counts, whatever order they came in.
func (j *journals) records() []record {
	type key struct {
		cut logdb.StreamID // journal and cut
		p   logdb.Position
	}
	var out []record
	index := map[key]int{}
	for _, s := range j.streams {
		_, cut, _ := strings.Cut(s.id.Policy, "+")
		for _, e := range s.held {
			if e.Op == logdb.OpAdd || e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw {
				k := key{logdb.StreamID{Journal: s.id.Journal, Policy: cut}, original(&e)}
				i, known := index[k]
				if !known {
					i = len(out)
					index[k] = i
					out = append(out, record{position: k.p})
				}
				out[i].versions = append(out[i].versions, versionOf{s, e})
			}
		}
	}
	for i := range out {
		r := &out[i]
		newest := slices.MaxFunc(r.versions, func(a, b versionOf) int { return cmp.Compare(a.entry.Position, b.entry.Position) })
		r.entry, r.stream, r.live = newest.entry, newest.stream, newest.entry.Op != logdb.OpWithdraw
		for _, v := range r.versions {
			if v.entry.Op == logdb.OpAdd {
				r.stream = v.stream
			}
		}
	}
	return out
}

// live returns the live records in order of (time, stream, position of the add).
func (j *journals) live() []record {
	out := slices.DeleteFunc(j.records(), func(r record) bool { return !r.live })
	slices.SortStableFunc(out, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.entry.Time, b.entry.Time), cmp.Compare(a.stream.id.String(), b.stream.id.String()),
			cmp.Compare(a.position, b.position))
	})
	return out
}

// Forget implements logdb.Store.
func (m *Model) Forget(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, id logdb.StreamID, first, last logdb.Millis) (int, error) {
	defer m.lock()()
	j := m.journals(uid, kind)
	s := j.find(id)
	switch {
	case s == nil:
		return 0, fmt.Errorf("forget in stream %s: %w", id, logdb.ErrNotFound)
	case s == j.own:
		return 0, fmt.Errorf("%w: an own journal has no holes, nothing in it can be forgotten", logdb.ErrInvalid)
	}
	n := 0
	for _, r := range j.live() {
		if r.stream != s || r.entry.Time < first || r.entry.Time >= last {
			continue
		}
		n++
		for _, v := range r.versions {
			v.stream.forget(v.entry.Position)
		}
	}
	if n > 0 {
		clear(s.marks)
		s.forgot = true
	}
	return n, nil
}

func (s *stream) forget(p logdb.Position) {
	s.drop(p)
	s.fates.Remove(p, p)
	for _, content := range s.contents[p] {
		delete(s.seen, content)
	}
	delete(s.contents, p)
	delete(s.closed, p)
	if slot, ok := s.slots[p]; ok {
		limit.Release(slot.windows, s.counts, slot.time)
		delete(s.slots, p)
	}
}

// Clear implements logdb.Store.
func (m *Model) Clear(_ context.Context, uid logdb.MeterUID, kind logdb.Kind) error {
	defer m.lock()()
	for _, s := range m.journals(uid, kind).streams {
		s.held = nil
	}
	return nil
}
