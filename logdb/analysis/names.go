package analysis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"metermanager/logdb"
)

// StreamLister lists the streams of a meter and kind.
type StreamLister interface {
	Streams(ctx context.Context, meter logdb.MeterUID, kind logdb.Kind) ([]logdb.StreamState, error)
}

// Current leaves out the series of names that were given up. A journal that comes under several names holds the same records under
// each, but its sender tells of changes under the names that it goes on with only: what another name has is as it was
// once, at times that were put right since, for one. So the series of a channel and log under one name are left out when
// another name of that journal has decided every position that the one has, and more, and stores each of those that the one stores
// of that channel. series are historical ones of the meter.
func Current(ctx context.Context, src StreamLister, meter logdb.MeterUID, series []logdb.Series) ([]logdb.Series, error) {
	first := map[logdb.JournalID]logdb.JournalID{} // the first name of a family
	several := slices.ContainsFunc(series, func(s logdb.Series) bool {
		family := s.Stream.Journal.Family()
		if _, ok := first[family]; !ok {
			first[family] = s.Stream.Journal
		}
		return first[family] != s.Stream.Journal
	})
	if !several {
		return series, nil
	}
	states, err := src.Streams(ctx, meter, logdb.KindHistorical)
	if err != nil {
		return nil, fmt.Errorf("list streams of %s: %w", meter, err)
	}
	return current(series, states), nil
}

// carrier is a journal under one of its names, as far as it carries a channel of a log.
type carrier struct {
	channel logdb.ChannelKey
	log     logdb.LogNo
	journal logdb.JournalID
}

func current(series []logdb.Series, states []logdb.StreamState) []logdb.Series {
	further := furtherNames(states)
	if len(further) == 0 {
		return series
	}
	fates := map[logdb.StreamID]*logdb.FateSet{}
	for i := range states {
		fates[states[i].Stream] = &states[i].Fates
	}
	carried, unknown := map[carrier][]logdb.StreamID{}, map[carrier]bool{}
	for _, s := range series {
		k := carrier{s.Channel, s.Log, s.Stream.Journal}
		unknown[k] = unknown[k] || fates[s.Stream] == nil // not among the states yet
		carried[k] = append(carried[k], s.Stream)
	}
	stored := map[string][]span{} // most channels are carried by the same streams
	held := func(k carrier) ([]span, string) {
		var names []string
		for _, id := range carried[k] {
			names = append(names, id.String())
		}
		slices.Sort(names)
		text := strings.Join(names, " ")
		if _, ok := stored[text]; !ok {
			var sets []*logdb.FateSet
			for _, id := range carried[k] {
				sets = append(sets, fates[id])
			}
			stored[text] = spans(sets, func(f logdb.Fate) bool { return f == logdb.FateStored })
		}
		return stored[text], text
	}
	compared := map[[2]string]bool{}
	left := map[carrier]bool{}
	for k := range carried {
		for _, name := range further[k.journal] {
			other := carrier{k.channel, k.log, name}
			if unknown[k] || unknown[other] {
				continue
			}
			mine, textA := held(k)
			theirs, textB := held(other)
			texts := [2]string{textA, textB}
			if _, ok := compared[texts]; !ok {
				compared[texts] = within(mine, theirs)
			}
			left[k] = left[k] || compared[texts]
		}
	}
	return slices.DeleteFunc(slices.Clone(series), func(s logdb.Series) bool { return left[carrier{s.Channel, s.Log, s.Stream.Journal}] })
}

// furtherNames lists, of each name of a journal, the other ones under which all that it has decided is decided, and more.
func furtherNames(states []logdb.StreamState) map[logdb.JournalID][]logdb.JournalID {
	main := map[logdb.JournalID][]*logdb.FateSet{}
	names := map[logdb.JournalID]map[logdb.JournalID]bool{}
	for i := range states {
		id := states[i].Stream
		if names[id.Journal.Family()] == nil {
			names[id.Journal.Family()] = map[logdb.JournalID]bool{}
		}
		names[id.Journal.Family()][id.Journal] = true
		if id.SameCut(logdb.StreamID{Journal: id.Journal, Policy: "0"}) {
			main[id.Journal] = append(main[id.Journal], &states[i].Fates)
		}
	}
	out := map[logdb.JournalID][]logdb.JournalID{}
	for _, family := range names {
		if len(family) < 2 {
			continue
		}
		decided := map[logdb.JournalID][]span{}
		for name := range family {
			decided[name] = spans(main[name], func(logdb.Fate) bool { return true })
		}
		for a := range family {
			for b := range family {
				if within(decided[a], decided[b]) && !within(decided[b], decided[a]) {
					out[a] = append(out[a], b)
				}
			}
		}
	}
	return out
}

// span is positions from the first to the last.
type span struct{ first, last logdb.Position }

// spans returns the positions in any of the sets whose fate is wanted, as spans that do not touch, rising.
func spans(sets []*logdb.FateSet, wanted func(logdb.Fate) bool) []span {
	var all []span
	for _, set := range sets {
		for _, r := range set.Ranges() {
			if !wanted(r.Fate) {
				continue
			}
			if n := len(all); n > 0 && all[n-1].last+1 == r.First {
				all[n-1].last = r.Last
				continue
			}
			all = append(all, span{r.First, r.Last})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	out := all[:0]
	for _, s := range all {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// within reports whether every position of a is in b.
func within(a, b []span) bool {
	i := 0
	for _, s := range a {
		for i < len(b) && b[i].last < s.first {
			i++
		}
		if i == len(b) || b[i].first > s.first || b[i].last < s.last {
			return false
		}
	}
	return true
}
