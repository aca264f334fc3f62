package verify

import (
	"cmp"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// ReasonSum is why rows here cannot be compared with their sum at the receiver: one of them was changed since, or not all is held here.
const ReasonSum = "one side has the rows, the other one their sum, and they cannot be compared"

// sums is what the receiver was told to be combined and is held here as rows, which came on request: it must hold what they make together.
type sums struct {
	into    map[logdb.Position]logdb.Position // by row, or change of one
	entries map[logdb.Position][]logdb.Entry  // by combined row: what is held here of it
	want    map[logdb.Position]logdb.Entry    // the combined rows
	unclear map[logdb.Position]bool           // combined rows that cannot be compared: as those of which the receiver has the rows
	days    map[key]bool                      // on which a combined row must be found
}

// asRows finds the combined rows here of which rows stand at the receiver one by one: they do not go there, nor do their changes. That of the rows comes
// from whoever has them so.
func (x *relayed) asRows() {
	x.theirs = map[logdb.Position]bool{}
	if x.view.Kind != logdb.KindHistorical {
		return
	}
	for i := range x.here {
		there := x.fates(x.here[i].Stream)
		for _, f := range x.here[i].Fates.Ranges() {
			for p := f.First; p <= f.Last && f.Fate == logdb.FateReduced; p++ {
				if t, ok := there.At(p); ok && t.Fate == logdb.FateStored {
					x.theirs[f.Into] = true
					break
				}
			}
		}
	}
}

// combined finds the combined rows of which one side has the rows.
func (x *relayed) combined() {
	x.sums = sums{
		into: map[logdb.Position]logdb.Position{}, entries: map[logdb.Position][]logdb.Entry{}, want: map[logdb.Position]logdb.Entry{},
		unclear: map[logdb.Position]bool{}, days: map[key]bool{},
	}
	if x.view.Kind != logdb.KindHistorical {
		return
	}
	for i := range x.here {
		id := x.here[i].Stream
		there, here := x.fates(id), &x.here[i].Fates
		other := func(f logdb.FateRange, set *logdb.FateSet, visit func(p logdb.Position)) {
			if f.Fate != logdb.FateReduced || !x.both[id].Has(f.Into) {
				return
			}
			n := 0
			for p := f.First; p <= f.Last; p++ {
				if o, ok := set.At(p); ok && o.Fate == logdb.FateStored {
					visit(p)
					n++
				}
			}
			if n > 0 && n < f.Count() {
				x.sums.unclear[f.Into] = true
			}
		}
		for _, f := range there.Ranges() {
			other(f, here, func(p logdb.Position) { x.sums.into[p], x.sums.into[f.Into] = f.Into, f.Into })
		}
		combined := map[logdb.Position]bool{}
		for _, f := range there.Ranges() {
			if f.Fate == logdb.FateReduced {
				combined[f.Into] = true
			}
		}
		for _, f := range here.Ranges() {
			other(f, there, func(logdb.Position) { x.sums.unclear[f.Into] = true })
			if f.Fate == logdb.FateReduced && !combined[f.Into] && x.both[id].Has(f.Into) { // a row may stand there, the others are to come
				x.sums.unclear[f.Into] = true
			}
		}
	}
}

// gather keeps what is held here of what the receiver combined.
func (x *relayed) gather(e *logdb.Entry) {
	if into, ok := x.sums.into[e.Position]; ok {
		x.sums.entries[into] = append(x.sums.entries[into], *e)
	} else if into, ok := x.sums.into[e.Target]; ok && e.Target != 0 {
		x.sums.unclear[into] = true // changed since: the receiver may hold the change as one of the sum
	}
}

// combine makes the combined rows that the receiver must hold.
func (x *relayed) combine() {
	rows := map[logdb.Position]int{}
	for _, into := range x.sums.into {
		rows[into]++
	}
	for into, list := range x.sums.entries {
		slices.SortFunc(list, func(a, b logdb.Entry) int { return cmp.Compare(a.Position, b.Position) })
		live := map[logdb.Position]logdb.Entry{}
		var order []logdb.Position
		for _, e := range list {
			if e.Op == logdb.OpAdd {
				order = append(order, e.Position)
				live[e.Position] = e
			} else {
				live[e.Target] = e
			}
		}
		if _, changed := x.newest[into]; changed || x.sums.unclear[into] || len(list) != rows[into] || len(order) == 0 || order[len(order)-1] != into {
			x.sums.unclear[into] = true // or not all of it is held
			continue
		}
		var made []logdb.Entry
		sum := list[len(list)-1]
		for _, p := range order {
			if e := live[p]; e.Row != nil && e.Op != logdb.OpWithdraw {
				made = append(made, e)
				sum.Time = max(sum.Time, e.Time)
			}
		}
		if len(made) == 0 {
			x.sums.unclear[into] = true
			continue
		}
		sum.Row = reduce.Combine(made)
		x.sums.want[into] = sum
		for _, c := range sum.Row.Channels {
			x.sums.days[key{sum.Log, c, sum.Time.Day()}] = true
		}
	}
}

// ofSum reports whether e changes a row here of which the receiver has the sum, which that keeps: it is not all here as rows, so that these cannot take
// its place, or the receiver has what came later and is not known here, as a change of that sum.
func (x *relayed) ofSum(id logdb.StreamID, e *logdb.Entry) bool {
	there := x.fates(id)
	t, ok := there.At(e.Target)
	if e.Target == 0 || !ok || t.Fate != logdb.FateReduced {
		return false
	}
	here := &logdb.FateSet{}
	if i := slices.IndexFunc(x.here, func(st logdb.StreamState) bool { return st.Stream == id }); i >= 0 {
		here = &x.here[i].Fates
	}
	stored := func(p logdb.Position) bool {
		f, ok := here.At(p)
		return ok && f.Fate == logdb.FateStored
	}
	for _, f := range there.Ranges() {
		for p := f.First; p <= f.Last && f.Fate == logdb.FateReduced && f.Into == t.Into; p++ {
			if !stored(p) {
				return true
			}
		}
		if f.Fate == logdb.FateStored && f.Last > t.Into && len(here.Missing(max(f.First, t.Into+1), f.Last)) > 0 {
			return true
		}
	}
	return !stored(t.Into)
}

// countSum counts a record of which the receiver has the sum; false for any other.
func (x *relayed) countSum(e *logdb.Entry) bool {
	into, ok := x.sums.into[e.Position]
	if !ok || into == e.Position {
		return false
	}
	if _, ok := x.sums.want[into]; ok {
		x.report.Skipped++ // as where this node has the sum
	} else {
		x.setApart(key{log: e.Log, day: e.Time.Day()}, ReasonSum, 1)
	}
	return true
}

// putSums puts the sum in the place of the row at its position here. It stands at the end of its interval, which only the receiver and the
// site know. What cannot be compared is taken out on both sides.
func (x *relayed) putSums(here, there map[key]map[logdb.Position]relayedRecord) {
	find := func(m map[key]map[logdb.Position]relayedRecord, p logdb.Position, take func(k key, r relayedRecord)) {
		for k, list := range m {
			if r, ok := list[p]; ok {
				take(k, r)
			}
		}
	}
	for into := range x.sums.unclear {
		var at *key
		find(here, into, func(k key, _ relayedRecord) {
			delete(here[k], into)
			at = &key{log: k.log, day: k.day}
		})
		find(there, into, func(k key, _ relayedRecord) { delete(there[k], into) })
		if at != nil {
			x.setApart(*at, ReasonSum, 1)
		}
	}
	for into, sum := range x.sums.want {
		ends := map[logdb.ChannelKey]logdb.Millis{}
		find(there, into, func(k key, r relayedRecord) { ends[k.channel] = r.time })
		find(here, into, func(k key, _ relayedRecord) { delete(here[k], into) })
		for i, c := range sum.Row.Channels {
			at := sum.Time
			if end := ends[c]; end > at && end < at+logdb.DayMillis {
				at = end
			}
			k := key{sum.Log, c, at.Day()}
			if here[k] == nil {
				here[k] = map[logdb.Position]relayedRecord{}
			}
			here[k][into] = relayedRecord{record: record{time: at, value: sum.Row.Values[i]}}
		}
	}
}
