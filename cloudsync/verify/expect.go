package verify

import (
	"context"
	"errors"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// expectation is what the receiver must hold of one cut, by day.
type expectation struct {
	view     reduce.View
	cut      *reduce.Cut
	compose  *reduce.Composer
	sets     map[logdb.StreamID]*logdb.FateSet
	days     map[key]*logdb.Tally
	pending  map[key]int64 // without channel
	apart    map[key]map[string]int64
	unsaid   map[key][]logdb.Position // decided there although nothing was decided here
	skipped  int64
	versions map[logdb.Position]logdb.Position // of rows that were changed: the version that is counted
	records  map[key]map[logdb.Position]record // of the days in wanted only
	wanted   map[key]bool
}

func newExpectation(view reduce.View, cut *reduce.Cut, sets map[logdb.StreamID]*logdb.FateSet) *expectation {
	return &expectation{
		view: view, cut: cut, sets: sets,
		compose: reduce.NewComposer(view.There, view.Kind, cut, view.Journal, reduce.Config{}),
		days:    map[key]*logdb.Tally{}, pending: map[key]int64{}, apart: map[key]map[string]int64{}, unsaid: map[key][]logdb.Position{},
		versions: map[logdb.Position]logdb.Position{}, records: map[key]map[logdb.Position]record{}, wanted: map[key]bool{},
	}
}

// read goes through the journal and adds up what the receiver must hold.
func (x *expectation) read(ctx context.Context) error {
	const batch = 500
	for next := logdb.Position(1); next <= x.view.Head.End; {
		entries, err := x.view.Journal.Entries(ctx, next, batch)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		for i := range entries {
			if entries[i].Position > x.view.Head.End {
				return nil
			}
			if err := x.entry(ctx, &entries[i]); err != nil {
				return err
			}
		}
		next = entries[len(entries)-1].Position + 1
	}
	return nil
}

func (x *expectation) entry(ctx context.Context, e *logdb.Entry) error {
	p := e.Position
	day := key{log: e.Log, day: e.Time.Day()}
	here, stream, decided := x.cut.At(p)
	if !decided {
		if x.decidedThere(p) && p < x.cut.Next {
			x.unsaid[day] = append(x.unsaid[day], p)
		} else if p < x.cut.Next {
			x.setApart(day, ReasonOpen)
		} else {
			x.pending[day]++
		}
		return nil
	}
	var there logdb.FateRange
	ok := false
	if set := x.sets[stream.ID]; set != nil {
		there, ok = set.At(p)
	}
	if !ok || stream.Asked.Has(p) { // what was asked for may have come, and its answer may be lost
		x.pending[day]++
		return nil
	}
	switch wire := reduce.Wire(here).Fate; {
	case wire == logdb.FateStored && there.Fate == logdb.FateStored:
		return x.carried(ctx, e, here)
	case wire == logdb.FateStored && there.Fate == logdb.FateSkipped, wire == there.Fate && wire != logdb.FateNotChosen:
		if there.Fate != logdb.FateHeld {
			x.skipped++
			return nil
		}
		x.setApart(day, ReasonHeld)
	case wire == there.Fate: // not chosen: accounted, never counted
	case there.Fate == logdb.FateStored:
		x.setApart(day, ReasonAsked)
	case there.Fate == logdb.FateNotChosen:
		x.setApart(day, ReasonCleared)
	case wire == logdb.FateStored && there.Fate == logdb.FateHeld && e.Target != 0 && x.storedBeside(stream.ID, p):
		return x.carried(ctx, e, here)
	default:
		x.setApart(day, "the cloud calls it "+there.Fate.String()+", this node "+here.Fate.String())
	}
	return nil
}

// storedBeside reports whether the receiver has p in another stream of the cut, by another way: a change that came there changes what it holds of
// this one too.
func (x *expectation) storedBeside(id logdb.StreamID, p logdb.Position) bool {
	for other, set := range x.sets {
		if other == id || !other.SameCut(id) {
			continue
		}
		if f, ok := set.At(p); ok && f.Fate == logdb.FateStored {
			return true
		}
	}
	return false
}

// decidedThere reports whether the receiver has decided p in any stream of the cut.
func (x *expectation) decidedThere(p logdb.Position) bool {
	for _, st := range x.cut.Streams {
		if set := x.sets[st.ID]; set != nil && set.Has(p) {
			return true
		}
	}
	return false
}

func (x *expectation) setApart(k key, reason string) {
	if x.apart[k] == nil {
		x.apart[k] = map[string]int64{}
	}
	x.apart[k][reason]++
}

// carried counts what travelled at e's position.
func (x *expectation) carried(ctx context.Context, e *logdb.Entry, here logdb.FateRange) error {
	p := e.Position
	switch {
	case here.Fate == logdb.FateReduced:
		return x.changed(ctx, here.Into, p)
	case e.Op == logdb.OpAdd:
		return x.count(ctx, p, p, 1)
	case e.Op == logdb.OpRevise, e.Op == logdb.OpWithdraw:
		target, ok := e.Target, true
		if x.view.Kind == logdb.KindHistorical {
			var err error
			if target, ok, err = x.cut.Carrier(ctx, x.view.Journal, e.Target); err != nil {
				return err
			}
		}
		switch {
		case !ok:
			return nil
		case target == p: // it travels as the row
			return x.count(ctx, p, p, 1)
		}
		return x.changed(ctx, target, p)
	}
	return nil
}

// changed takes the version of target that is counted out and counts that of p.
func (x *expectation) changed(ctx context.Context, target, p logdb.Position) error {
	_, s, ok := x.cut.At(target)
	if !ok {
		return nil
	}
	set := x.sets[s.ID]
	if set == nil {
		return nil
	}
	if there, ok := set.At(target); !ok || there.Fate != logdb.FateStored {
		return nil // the target is not there, so neither is its change
	}
	before := target
	if v, ok := x.versions[target]; ok {
		before = v
	}
	if err := x.count(ctx, target, before, -1); err != nil {
		return err
	}
	x.versions[target] = p
	return x.count(ctx, target, p, 1)
}

// count adds the record that travels at p, as it stood at version, to its days, or takes it out.
func (x *expectation) count(ctx context.Context, p, version logdb.Position, sign int) error {
	e, live, err := x.compose.Content(ctx, p, version)
	if errors.Is(err, logdb.ErrNotFound) { // not in the journal any more: what the cloud holds will tell
		return nil
	}
	if err != nil || !live {
		return err
	}
	if e.Row == nil {
		k := key{log: e.Log, day: e.Time.Day()}
		t := x.tally(k)
		if sign > 0 {
			t.AddEntry(p, e.ContentDigest())
		} else {
			t.RemoveEntry(p, e.ContentDigest())
		}
		x.remember(k, p, record{time: e.Time, content: e.ContentDigest()}, sign)
		return nil
	}
	for i, c := range e.Row.Channels {
		k := key{e.Log, c, e.Time.Day()}
		t := x.tally(k)
		if sign > 0 {
			t.AddValue(p, e.Time, e.Row.Values[i])
		} else {
			t.RemoveValue(p, e.Time, e.Row.Values[i])
		}
		x.remember(k, p, record{time: e.Time, value: e.Row.Values[i]}, sign)
	}
	return nil
}

func (x *expectation) tally(k key) *logdb.Tally {
	if x.days[k] == nil {
		x.days[k] = &logdb.Tally{}
	}
	return x.days[k]
}
