package logdbtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
)

var _ logdb.Changes = (*Model)(nil)

// ReadChanged implements logdb.Changes.
func (m *Model) ReadChanged(_ context.Context, uid logdb.MeterUID, kind logdb.Kind, first, last logdb.Millis, most int, visit func(logdb.StreamID, []logdb.Entry) error) (int, error) {
	unlock := m.lock()
	changed := slices.DeleteFunc(m.journals(uid, kind).records(), func(r record) bool {
		return r.entry.Target == 0 || r.entry.Time < first || r.entry.Time >= last
	})
	unlock()
	slices.SortFunc(changed, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.entry.Time, b.entry.Time), cmp.Compare(a.stream.id.Journal, b.stream.id.Journal), cmp.Compare(a.position, b.position))
	})
	for i := range min(most, len(changed)) {
		r := &changed[i]
		slices.SortFunc(r.versions, func(a, b versionOf) int { return cmp.Compare(a.entry.Position, b.entry.Position) })
		var versions []logdb.Entry
		for _, v := range r.versions {
			versions = append(versions, clone(v.entry))
		}
		if err := visit(r.versions[len(versions)-1].stream.id, versions); err != nil {
			return 0, err
		}
	}
	return len(changed), nil
}

// seeChanged asks for what was changed, of all times and of a part.
func (v *view) seeChanged(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, at look) error {
	changes, ok := s.(logdb.Changes)
	if !ok {
		return nil
	}
	spans := [][2]logdb.Millis{{logdb.MinTime, logdb.MaxTime + 1}}
	if len(at.edges) > 2 {
		spans = append(spans, [2]logdb.Millis{at.edges[1], at.edges[len(at.edges)-2]})
	}
	for i, span := range spans {
		before := logdb.MinTime
		n, err := changes.ReadChanged(ctx, uid, kind, span[0], span[1], 1000, func(stream logdb.StreamID, versions []logdb.Entry) error {
			newest := &versions[len(versions)-1]
			if newest.Time < before {
				v.wrong("changed records are not in order of time: %d after %d", newest.Time, before)
			}
			before = newest.Time
			for k := range versions {
				e := versions[k]
				e.Row = inOrder(e.Row)
				text := entryText(&e)
				if e.Waveform != nil { // it comes without samples, which are part of the digest
					text = fmt.Sprintf("%s of %d log %d at %d, recording until %d by %q", e.Op, e.Target, e.Log, e.Time, e.Waveform.End, e.By)
				}
				v.line("changed (%d) %d of %s: %d %s", i, original(newest), stream.Journal, e.Position, text)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read what was changed: %w", err)
		}
		v.line("changed (%d) %d", i, n)
	}
	return nil
}

// inOrder returns a row with its channels sorted: their order says nothing.
func inOrder(row *logdb.Row) *logdb.Row {
	if row == nil {
		return nil
	}
	out := &logdb.Row{Channels: slices.Sorted(slices.Values(row.Channels))}
	for _, c := range out.Channels {
		out.Values = append(out.Values, row.Values[slices.Index(row.Channels, c)])
	}
	return out
}
