package judge

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"metermanager/logdb"
)

// alternatives computes what a query must answer of the journals that a node holds about one meter, straight from the
// contract: for each step of the hour tier those of one journal, the one with most values there, and of equals the older
// (replication.md 5), or the one that came further where one journal came under several names. What stands under a name that was given up
// is answered where no other name has the record (takenOver), with what the best of those has. Two true records at one time both count, so that the values are a multiset.
func (h *Holding) alternatives(zone string) []point {
	journals := h.Journals()
	created, told := map[logdb.JournalID]logdb.Millis{}, map[logdb.JournalID]logdb.Position{}
	for _, st := range h.States {
		for _, j := range []logdb.JournalID{st.Stream.Journal, family(st.Stream.Journal)} {
			if at, ok := created[j]; !ok || st.Created < at {
				created[j] = st.Created
			}
			told[j] = max(told[j], st.JournalEnd)
		}
	}
	// Of one journal under several names the one that came further, of different ones the older, and of equals the one that
	// a node lists first is used.
	slices.SortStableFunc(journals, func(a, b logdb.JournalID) int {
		return cmp.Or(cmp.Compare(created[family(a)], created[family(b)]), cmp.Compare(told[b], told[a]), cmp.Compare(created[a], created[b]))
	})
	step := tierStep(zone)
	type place struct {
		channel logdb.ChannelKey
		log     logdb.LogNo
		step    logdb.Millis
	}
	best, mine := map[place][]point{}, map[logdb.JournalID]map[place][]point{}
	taken, carried := h.takenOver()
	successor := func(c carrier) logdb.JournalID {
		for _, j := range journals {
			next := carrier{c.channel, c.log, j}
			if _, up := taken[next]; !up && carried[next] && family(j) == family(c.journal) {
				return j
			}
		}
		return c.journal
	}
	used := map[carrier]map[logdb.Position]bool{} // of what was given up, by who has it now
	for _, j := range journals {
		now := map[carrier][]logdb.Position{}
		for _, p := range h.placed(j) {
			at := p.time
			if logdb.LookupChannel(p.channel).CoversInterval { // (start, end]
				at--
			}
			owner, c := j, carrier{p.channel, p.log, j}
			if over, up := taken[c]; up && over[p.position] {
				continue
			} else if up {
				owner = successor(c)
				next := carrier{p.channel, p.log, owner}
				if used[next][p.position] {
					continue
				}
				now[next] = append(now[next], p.position)
			}
			if mine[owner] == nil {
				mine[owner] = map[place][]point{}
			}
			k := place{p.channel, p.log, at.Floor(step)}
			mine[owner][k] = append(mine[owner][k], p.point)
		}
		for next, list := range now {
			if used[next] == nil {
				used[next] = map[logdb.Position]bool{}
			}
			for _, p := range list {
				used[next][p] = true
			}
		}
	}
	for _, j := range journals {
		for k, list := range mine[j] {
			if len(list) > len(best[k]) {
				best[k] = list
			}
		}
	}
	var out []point
	for _, list := range best {
		out = append(out, list...)
	}
	return out
}

// family is what all names of one journal begin with.
func family(j logdb.JournalID) logdb.JournalID { return j[:min(24, len(j))] }

// furthest returns under which name most of a journal was told: a cloud that is sent other channels than another one gets
// it under a name of its own.
func (h *Holding) furthest(own logdb.JournalID) logdb.JournalID {
	best, end := own, logdb.Position(0)
	for _, st := range h.States {
		if family(st.Stream.Journal) == family(own) && (st.JournalEnd > end || st.JournalEnd == end && st.Stream.Journal == own) {
			best, end = st.Stream.Journal, st.JournalEnd
		}
	}
	return best
}

// carrier is a journal as far as it carries a channel of a log.
type carrier struct {
	channel logdb.ChannelKey
	log     logdb.LogNo
	journal logdb.JournalID
}

// takenOver returns, of each channel of a log under a name of a journal that was given up, the positions that are stored under another
// name which carries it and has decided all that this one has, and more: the records there are that one's. carried says what each name carries.
func (h *Holding) takenOver() (taken map[carrier]map[logdb.Position]bool, carried map[carrier]bool) {
	decided, stored := map[logdb.JournalID]map[logdb.Position]bool{}, map[logdb.StreamID]map[logdb.Position]bool{}
	for _, st := range h.States {
		j := st.Stream.Journal
		if decided[j] == nil {
			decided[j] = map[logdb.Position]bool{}
		}
		stored[st.Stream] = map[logdb.Position]bool{}
		for _, r := range st.Fates.Ranges() {
			for p := r.First; p <= r.Last; p++ {
				if st.Stream.SameCut(logdb.StreamID{Journal: j, Policy: "0"}) {
					decided[j][p] = true
				}
				if r.Fate == logdb.FateStored {
					stored[st.Stream][p] = true
				}
			}
		}
	}
	further := map[[2]logdb.JournalID]bool{}
	for a := range decided {
		for b := range decided {
			if family(a) == family(b) && len(decided[b]) > len(decided[a]) && contains(decided[b], decided[a]) {
				further[[2]logdb.JournalID{a, b}] = true
			}
		}
	}
	if len(further) == 0 {
		return nil, nil
	}
	carried = map[carrier]bool{}
	held := map[carrier]map[logdb.Position]bool{}
	for k, streams := range h.carried() {
		held[k] = map[logdb.Position]bool{}
		for id := range streams {
			maps.Copy(held[k], stored[id])
		}
		into := maps.Clone(held[k]) // what was combined into a row that is stored is there too
		for _, st := range h.States {
			for _, r := range st.Fates.Ranges() {
				for p := r.First; p <= r.Last && r.Fate == logdb.FateReduced && streams[st.Stream] && into[r.Into]; p++ {
					held[k][p] = true
				}
			}
		}
	}
	taken = map[carrier]map[logdb.Position]bool{}
	for a := range held {
		carried[a] = true
		for names := range further {
			over := held[carrier{a.channel, a.log, names[1]}]
			if names[0] != a.journal || over == nil {
				continue
			}
			if taken[a] == nil {
				taken[a] = map[logdb.Position]bool{}
			}
			maps.Copy(taken[a], over)
		}
	}
	return taken, carried
}

// carried returns the streams that brought a live row with a channel of a log. What changed since then lies where the row was added.
func (h *Holding) carried() map[carrier]map[logdb.StreamID]bool {
	out := map[carrier]map[logdb.StreamID]bool{}
	for _, j := range h.Journals() {
		for _, cut := range append(h.Added(j), logdb.StreamID{Journal: j, Policy: "0"}) {
			added := map[logdb.Position]logdb.StreamID{}
			for i := range h.Pages {
				p := &h.Pages[i]
				if !p.Stream.SameCut(cut) {
					continue
				}
				for _, rows := range p.Rows {
					for _, at := range rows.Positions {
						added[at] = p.Stream
					}
				}
				for _, e := range p.Entries {
					if e.Op == logdb.OpAdd {
						added[e.Position] = p.Stream
					}
				}
			}
			for _, v := range live(h.cut(cut)) {
				for _, c := range v.entry.Row.Channels {
					k := carrier{c, v.entry.Log, j}
					if out[k] == nil {
						out[k] = map[logdb.StreamID]bool{}
					}
					out[k][added[v.position]] = true
				}
			}
		}
	}
	return out
}

// contains reports whether all of the small set is in the large one.
func contains(large, small map[logdb.Position]bool) bool {
	for p := range small {
		if !large[p] {
			return false
		}
	}
	return true
}

// placed is a value with the position at which its row was added.
type placed struct {
	point
	position logdb.Position
}

// placed are the live values of a journal, of all its cuts.
func (h *Holding) placed(journal logdb.JournalID) []placed {
	var out []placed
	for _, cut := range append([]logdb.StreamID{{Journal: journal, Policy: "0"}}, h.Added(journal)...) {
		for _, v := range live(h.cut(cut)) {
			for _, p := range points([]version{v}) {
				out = append(out, placed{p, v.position})
			}
		}
	}
	return out
}

// values are the live values of a journal.
func (h *Holding) values(journal logdb.JournalID) []point {
	var out []point
	for _, p := range h.placed(journal) {
		out = append(out, p.point)
	}
	return out
}

// tierStep is 60, 30 or 15 minutes: the largest that divides every offset of the zone since 1970.
func tierStep(zone string) logdb.Millis {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	step := 3600
	for at := time.Unix(0, 0); at.Year() < 2040; at = at.Add(7 * 24 * time.Hour) {
		for _, offset := at.In(loc).Zone(); offset%step != 0 && step > 900; {
			step /= 2
		}
	}
	return logdb.Millis(step) * 1000
}
