package analysis

import (
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
// another name of that journal holds every record and change of theirs, and more. series are historical ones of the meter.
func Current(ctx context.Context, src StreamLister, meter logdb.MeterUID, series []logdb.Series) ([]logdb.Series, error) {
	names := map[logdb.JournalID]logdb.JournalID{} // the first name of a family
	several := slices.ContainsFunc(series, func(s logdb.Series) bool {
		family := s.Stream.Journal.Family()
		if _, ok := names[family]; !ok {
			names[family] = s.Stream.Journal
		}
		return names[family] != s.Stream.Journal
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

// channelLog is one channel of one log.
type channelLog struct {
	channel logdb.ChannelKey
	log     logdb.LogNo
}

func current(series []logdb.Series, states []logdb.StreamState) []logdb.Series {
	sets := map[logdb.StreamID]*logdb.FateSet{}
	for i := range states {
		sets[states[i].Stream] = &states[i].Fates
	}
	// The streams of a name that carry a channel of a log.
	carried := map[channelLog]map[logdb.JournalID][]logdb.StreamID{}
	for _, s := range series {
		key := channelLog{s.Channel, s.Log}
		if carried[key] == nil {
			carried[key] = map[logdb.JournalID][]logdb.StreamID{}
		}
		carried[key][s.Stream.Journal] = append(carried[key][s.Stream.Journal], s.Stream)
	}
	gather := func(ids []logdb.StreamID) (out []*logdb.FateSet, text string) {
		names := []string{}
		for _, id := range ids {
			if sets[id] != nil {
				out, names = append(out, sets[id]), append(names, id.String())
			}
		}
		slices.Sort(names)
		return out, strings.Join(names, " ")
	}
	known := map[[2]string]bool{} // most channels are carried by the same streams
	left := map[channelLog]map[logdb.JournalID]bool{}
	for key, names := range carried {
		for a, mine := range names {
			for b, theirs := range names {
				if a == b || a.Family() != b.Family() {
					continue
				}
				these, textA := gather(mine)
				those, textB := gather(theirs)
				over, ok := known[[2]string{textA, textB}]
				if !ok {
					over = outdone(these, those)
					known[[2]string{textA, textB}] = over
				}
				if over {
					if left[key] == nil {
						left[key] = map[logdb.JournalID]bool{}
					}
					left[key][a] = true
				}
			}
		}
	}
	if len(left) == 0 {
		return series
	}
	return slices.DeleteFunc(slices.Clone(series), func(s logdb.Series) bool { return left[channelLog{s.Channel, s.Log}][s.Stream.Journal] })
}

// outdone reports whether every position that is stored in a is stored in b, and others too.
func outdone(a, b []*logdb.FateSet) bool {
	if stored(a) >= stored(b) {
		return false
	}
	for _, set := range a {
		for _, r := range set.Ranges() {
			for p := r.First; r.Fate == logdb.FateStored && p <= r.Last; {
				next := p
				for _, o := range b {
					if f, ok := o.At(p); ok && f.Fate == logdb.FateStored {
						next = max(next, f.Last+1)
					}
				}
				if next == p {
					return false
				}
				p = next
			}
		}
	}
	return true
}

// stored counts the positions that are stored.
func stored(sets []*logdb.FateSet) (n int) {
	for _, s := range sets {
		n += s.Count(logdb.FateStored)
	}
	return n
}
