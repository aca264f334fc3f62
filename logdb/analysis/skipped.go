package analysis

import (
	"fmt"
	"sort"

	"metermanager/logdb"
)

// underName is what a receiver knows of a journal under one of several names.
type underName struct {
	has  []span // stored, or combined into what is
	lost []loss
}

// loss are positions that limits skipped, or that were combined into such a one, and their times.
type loss struct {
	span
	first, last logdb.Millis
}

// skippedNames returns, by journal, what is known under the names of journals that came under several, where limits skipped something under one of
// these. nil when there is no such journal.
func skippedNames(states []logdb.StreamState) map[logdb.JournalID]underName {
	main := map[logdb.JournalID][]*logdb.FateSet{}
	for i := range states {
		if id := states[i].Stream; id.SameCut(logdb.StreamID{Journal: id.Journal, Policy: "0"}) {
			main[id.Journal] = append(main[id.Journal], &states[i].Fates)
		}
	}
	names, skipped := map[logdb.JournalID]int{}, map[logdb.JournalID]bool{}
	var out map[logdb.JournalID]underName
	for j, sets := range main {
		names[j.Family()]++
		for _, set := range sets {
			for _, r := range set.Ranges() {
				skipped[j.Family()] = skipped[j.Family()] || r.Fate == logdb.FateSkipped
			}
		}
	}
	for j, sets := range main {
		if names[j.Family()] < 2 || !skipped[j.Family()] {
			continue
		}
		stored := spans(sets, func(f logdb.FateRange) bool { return f.Fate == logdb.FateStored })
		u := underName{has: spans(sets, func(f logdb.FateRange) bool {
			return f.Fate == logdb.FateStored || f.Fate == logdb.FateReduced && holds(stored, f.Into)
		})}
		for _, set := range sets {
			for _, r := range set.Ranges() {
				if at, _ := set.At(r.Into); r.Fate == logdb.FateSkipped || r.Fate == logdb.FateReduced && at.Fate == logdb.FateSkipped {
					u.lost = append(u.lost, loss{span{r.First, r.Last}, r.FirstTime, r.LastTime})
				}
			}
		}
		if out == nil {
			out = map[logdb.JournalID]underName{}
		}
		out[j] = u
	}
	return out
}

// madeUp tells for each step between edges whether limits skipped records of it under the name a, and all of them are there under the name b.
func (c *Choice) madeUp(a, b logdb.JournalID, edges []logdb.Millis) []bool {
	theirs, ok := c.names[b]
	if !ok || len(c.names[a].lost) == 0 {
		return nil
	}
	key := fmt.Sprint(a, b, edges[0], len(edges)) // most channels are carried by the same names
	if out, ok := c.made[key]; ok {
		return out
	}
	out, lacks := make([]bool, len(edges)-1), make([]bool, len(edges)-1)
	step := func(t logdb.Millis) int { return sort.Search(len(edges), func(i int) bool { return edges[i] > t }) - 1 }
	for _, l := range c.names[a].lost {
		there := len(without([]span{l.span}, theirs.has)) == 0
		for i := max(step(l.first-1), 0); i <= min(step(l.last), len(out)-1); i++ { // a sum at an edge is of the step before
			out[i], lacks[i] = out[i] || there, lacks[i] || !there
		}
	}
	for i := range out {
		out[i] = out[i] && !lacks[i]
	}
	if c.made == nil {
		c.made = map[string][]bool{}
	}
	c.made[key] = out
	return out
}
