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
//
// newest leaves out, beside that, the series that are used for what the next name lacks: that is old, and what else they have may bear
// times that were put right since. Their Last and LastValue say nothing.
func Current(ctx context.Context, src StreamLister, meter logdb.MeterUID, series []logdb.Series) (current, newest []logdb.Series, err error) {
	names, err := namesOf(ctx, src, meter, series)
	current, newest = names.current(series), names.newest(series)
	if len(newest) == 0 { // all of the next name was withdrawn
		newest = current
	}
	return current, newest, err
}

// namesOf asks for the streams only where a journal comes under several names.
func namesOf(ctx context.Context, src StreamLister, meter logdb.MeterUID, series []logdb.Series) (givenUp, error) {
	first := map[logdb.JournalID]logdb.JournalID{} // the first name of a family
	several := slices.ContainsFunc(series, func(s logdb.Series) bool {
		family := s.Stream.Journal.Family()
		if _, ok := first[family]; !ok {
			first[family] = s.Stream.Journal
		}
		return first[family] != s.Stream.Journal
	})
	if !several {
		return nil, nil
	}
	states, err := src.Streams(ctx, meter, logdb.KindHistorical)
	if err != nil {
		return nil, fmt.Errorf("list streams of %s: %w", meter, err)
	}
	return givenUpNames(series, states), nil
}

// carrier is a journal under one of its names, as far as it carries a channel of a log.
type carrier struct {
	channel logdb.ChannelKey
	log     logdb.LogNo
	journal logdb.JournalID
}

// givenUp tells, of all that was given up under a name, what no other name has: positions that a sender did not have any more when it
// went on under the other name.
type givenUp map[carrier]leftover

// leftover are positions; all says that the other names have nothing of the channel that this one has.
type leftover struct {
	spans []span
	all   bool
}

func (g givenUp) has(s *source) bool {
	_, ok := g[s.carrier()]
	return ok
}

// current leaves out the series of which nothing is left.
func (g givenUp) current(series []logdb.Series) []logdb.Series {
	if len(g) == 0 {
		return series
	}
	return slices.DeleteFunc(slices.Clone(series), func(s logdb.Series) bool {
		left, ok := g[carrier{s.Channel, s.Log, s.Stream.Journal}]
		return ok && len(left.spans) == 0
	})
}

// newest leaves out the series of which another name has anything.
func (g givenUp) newest(series []logdb.Series) []logdb.Series {
	if len(g) == 0 {
		return series
	}
	return slices.DeleteFunc(slices.Clone(series), func(s logdb.Series) bool {
		left, ok := g[carrier{s.Channel, s.Log, s.Stream.Journal}]
		return ok && !left.all
	})
}

func givenUpNames(series []logdb.Series, states []logdb.StreamState) givenUp {
	further := furtherNames(states)
	if len(further) == 0 {
		return nil
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
	type positions struct{ stored, has []span } // has: with those that were combined into a stored row
	known := map[string]positions{}             // most channels are carried by the same streams
	held := func(k carrier) (positions, string) {
		var names []string
		for _, id := range carried[k] {
			names = append(names, id.String())
		}
		slices.Sort(names)
		text := strings.Join(names, " ")
		if _, ok := known[text]; !ok {
			var sets []*logdb.FateSet
			for _, id := range carried[k] {
				sets = append(sets, fates[id])
			}
			p := positions{stored: spans(sets, func(f logdb.FateRange) bool { return f.Fate == logdb.FateStored })}
			p.has = spans(sets, func(f logdb.FateRange) bool {
				return f.Fate == logdb.FateStored || f.Fate == logdb.FateReduced && holds(p.stored, f.Into)
			})
			known[text] = p
		}
		return known[text], text
	}
	compared := map[string][]span{}
	out := givenUp{}
	for k := range carried {
		if unknown[k] || len(further[k.journal]) == 0 {
			continue
		}
		mine, text := held(k)
		others, texts := [][]span{}, []string{text}
		for _, name := range further[k.journal] {
			other := carrier{k.channel, k.log, name}
			if unknown[other] || carried[other] == nil {
				continue
			}
			theirs, text := held(other)
			others, texts = append(others, theirs.has), append(texts, text)
		}
		if len(others) == 0 {
			continue
		}
		key := strings.Join(texts, "\n")
		left, ok := compared[key]
		if !ok {
			left = mine.stored
			for _, theirs := range others {
				left = without(left, theirs)
			}
			compared[key] = left
		}
		out[k] = leftover{left, slices.Equal(left, mine.stored)}
	}
	return out
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
			decided[name] = spans(main[name], func(logdb.FateRange) bool { return true })
		}
		for a := range family {
			for b := range family {
				if len(without(decided[a], decided[b])) == 0 && len(without(decided[b], decided[a])) > 0 {
					out[a] = append(out[a], b)
				}
			}
		}
	}
	return out
}

// span is positions from the first to the last.
type span struct{ first, last logdb.Position }

// spans returns the positions in any of the sets whose range is wanted, as spans that do not touch, rising.
func spans(sets []*logdb.FateSet, wanted func(logdb.FateRange) bool) []span {
	var all []span
	for _, set := range sets {
		for _, r := range set.Ranges() {
			if !wanted(r) {
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

// without returns the positions of a that are not in b.
func without(a, b []span) (out []span) {
	i := 0
	for _, s := range a {
		for i < len(b) && b[i].last < s.first {
			i++
		}
		for j := i; j < len(b) && b[j].first <= s.last; j++ {
			if b[j].first > s.first {
				out = append(out, span{s.first, b[j].first - 1})
			}
			s.first = b[j].last + 1
		}
		if s.first <= s.last {
			out = append(out, s)
		}
	}
	return out
}

// holds reports whether p is in a.
func holds(a []span, p logdb.Position) bool {
	_, ok := slices.BinarySearchFunc(a, p, func(s span, p logdb.Position) int {
		switch {
		case s.last < p:
			return -1
		case s.first > p:
			return 1
		}
		return 0
	})
	return ok
}
