package logdbtest

import (
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
)

// visited is one event, without its samples.
type visited struct {
	stream logdb.StreamID
	entry  logdb.Entry
}

func (e visited) String() string {
	x := withoutSamples(e.entry)
	if x.Waveform != nil {
		x.Waveform.Channels = nil
		return fmt.Sprintf("%s %6d log %d at %d recording %s", e.stream, original(&x), x.Log, x.Time, x.ContentDigest())
	}
	return fmt.Sprintf("%s %6d log %d at %d %s", e.stream, original(&x), x.Log, x.Time, bodyText(&x))
}

func (v *view) visit(ctx context.Context, s logdb.Store, q logdb.EventQuery) ([]visited, error) {
	var out []visited
	err := s.ReadEvents(ctx, q, func(id logdb.StreamID, e *logdb.Entry) error {
		if n := len(out); n > 0 {
			before := &out[n-1]
			if before.entry.Time > e.Time || before.stream == id && before.entry.Time == e.Time && (original(&before.entry) > original(e) || original(&before.entry) == original(e) && before.entry.Position >= e.Position) {
				v.wrong("events are not in order: %v after %v", e.Time, before.entry.Time)
			}
		}
		out = append(out, visited{id, clone(*e)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return out, nil
}

func (v *view) seeEvents(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, at look) error {
	queries := map[string]logdb.EventQuery{
		"all":       {},
		"part":      {First: at.edges[1], Last: at.edges[len(at.edges)-2]},
		"channel":   {Channels: []logdb.ChannelKey{"readings.voltage.an"}},
		"code":      {Codes: []int64{1, 12}},
		"limit":     {LimitIDs: []int64{1}},
		"withdrawn": {Withdrawn: true},
	}
	for name, q := range queries {
		q.Meter, q.Kind = uid, kind
		found, err := v.visit(ctx, s, q)
		if err != nil {
			return err
		}
		for _, e := range found {
			if q.Withdrawn {
				e.stream = logdb.StreamID{} // a dead version may be shown under either stream of its cut
				if e.entry.Op == logdb.OpWithdraw {
					continue
				}
			}
			v.line("event (%s) %v", name, e)
		}
		if name != "all" && !q.Withdrawn {
			continue
		}
		if err := v.pageEvents(ctx, s, q, found, at.page); err != nil {
			return err
		}
		if q.Withdrawn {
			continue
		}
		for _, e := range found {
			if kind != logdb.KindWaveform {
				break
			}
			full, err := s.Recording(ctx, uid, e.stream, original(&e.entry))
			if err != nil {
				return fmt.Errorf("recording %d of %s: %w", original(&e.entry), e.stream, err)
			}
			v.line("recording %s %d at %d %s", e.stream, original(&e.entry), full.Time, full.ContentDigest())
		}
	}
	return nil
}

// pageEvents reads the same events a few at a time.
func (v *view) pageEvents(ctx context.Context, s logdb.Store, q logdb.EventQuery, want []visited, limit int) error {
	q.Limit = limit
	var got []visited
	for {
		part, err := v.visit(ctx, s, q)
		if err != nil {
			return err
		}
		got = append(got, part...)
		if len(part) == 0 || len(got) > len(want) {
			break
		}
		last := part[len(part)-1]
		after := logdb.CursorAt(last.stream, &last.entry)
		q.After = &after
	}
	if !slices.EqualFunc(got, want, func(a, b visited) bool { return a.String() == b.String() }) {
		v.wrong("events read %d at a time: %v; at once: %v", limit, got, want)
	}
	return nil
}

func (v *view) seeGaps(ctx context.Context, s logdb.Store, uid logdb.MeterUID, kind logdb.Kind, _ look) error {
	found, err := v.visit(ctx, s, logdb.EventQuery{Meter: uid, Kind: kind, Gaps: true})
	for _, e := range found {
		v.line("gap %v", e)
	}
	return err
}
