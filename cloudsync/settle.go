package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
)

// settle takes up what the receiver's sets tell of what was asked for. sent are the positions that were sent and
// answered since: of a recording that is there already, the sets do not say which variant it is.
//
// It comes before anything else is decided or sent: a late row must not travel as a change of a combined row of
// which the receiver, whose answer was lost, holds the rows by now.
func (u *upload) settle(ctx context.Context, sent map[logdb.StreamID]*logdb.FateSet) error {
	turns := false // whether the receiver has got anything on request
	for _, st := range u.streams {
		there := u.received(st.ID)
		var turned, asked logdb.FateSet
		back, mixed, err := u.recombined(ctx, st, there)
		if err != nil {
			return err
		}
		if !u.shared {
			turned = st.Learn(there)
		}
		for _, r := range back {
			turned.Put(r)
		}
		done, combined := map[logdb.Position]bool{}, combinedRows(st)
		var left []logdb.Position
		for p := range each(&st.Asked) {
			if into, ok := arrived(st, there, p, sent[st.ID], combined); ok {
				done[p] = true
				if into != 0 {
					done[into] = true
				}
			} else {
				left = append(left, p)
			}
		}
		for p := range done { // beside rows of it stands no sum, whether the last one was asked for or not
			if f, _ := there.At(p); f.Fate == logdb.FateStored && !st.Asked.Has(p) {
				turned.Put(stored(p))
				st.Whole.Put(stored(p))
			}
		}
		whole := wholeIntervals(st, there, left)
		for _, p := range whole {
			done[p] = true
		}
		for _, p := range left {
			if !done[p] {
				asked.Put(stored(p))
			}
		}
		late := lateRows(st, whole)
		for _, p := range whole {
			turned.Put(stored(p))
			st.Whole.Put(stored(p))
			st.Fates.Put(stored(p))
		}
		for _, r := range late {
			for p := r.First; p <= r.Last; p++ {
				done[p] = false
			}
			turned.Put(r)
			st.Fates.Put(r)
		}
		for p := range each(&st.Asked) {
			if !done[p] {
				continue
			}
			if !combined[p] && u.asDecided(st, p) {
				st.Fetched.Put(stored(p))
				turns = true
				continue
			}
			turned.Put(stored(p))
			st.Whole.Put(stored(p))
			st.Fates.Put(stored(p))
		}
		again := lost(st, there)
		for _, p := range mixed {
			asked.Put(stored(p))
		}
		for p := range each(&again) {
			asked.Put(stored(p))
		}
		refused := refusedBy(st, there)
		turns = turns || turned.Len() > 0
		crossed, err := u.crossed(ctx, st, &refused, turns)
		if err != nil {
			return err
		}
		for p := range each(&crossed) {
			if !u.shared { // else take parts them first
				asked.Put(stored(p))
			}
		}
		if sameRanges(&asked, &st.Asked) && sameRanges(&refused, &st.Refused) && turned.Len() == 0 {
			continue
		}
		st.Asked, st.Refused = asked, refused
		if u.shared && turned.Len() == 0 && asked.Len() == 0 {
			continue // what one receiver refuses is nothing to the others that share the stream
		}
		if err := u.s.store.PutRequested(ctx, st, &turned); err != nil {
			return err
		}
	}
	return nil
}

// combinedRows returns the rows that others are combined into which were asked for.
func combinedRows(st *StoredStream) map[logdb.Position]bool {
	if st.Asked.Len() == 0 {
		return nil
	}
	out := map[logdb.Position]bool{}
	for _, r := range st.Fates.Ranges() {
		if r.Fate == logdb.FateReduced && r.Into > r.Last && st.Asked.Overlaps(r.First, r.Last) {
			out[r.Into] = true
		}
	}
	return out
}

// asDecided reports whether what was asked for at p comes as it was decided, combined: it is no part of what came, or is to come, as it was recorded,
// but what the receiver's limits skipped.
func (u *upload) asDecided(st *StoredStream, p logdb.Position) bool {
	f, _ := st.Fates.At(p)
	return u.kind == logdb.KindHistorical && reduce.Wire(f).Fate == logdb.FateStored && !st.Whole.Has(p)
}

// recombined returns what the receiver has combined by now of the rows that it got on request: it was emptied since, and got the sums by another way. What
// is decided here is put back. Of an interval of which it has other rows still these are to be sent again: mixed.
func (u *upload) recombined(ctx context.Context, st *StoredStream, there *logdb.FateSet) (back []logdb.FateRange, mixed []logdb.Position, err error) {
	if st.Whole.Len() == 0 {
		return nil, nil, nil
	}
	rows := map[logdb.Position][]logdb.FateRange{}
	for _, r := range there.Ranges() {
		if r.Fate == logdb.FateReduced && r.Into > r.Last && st.Whole.Overlaps(r.First, r.Last) {
			rows[r.Into] = append(rows[r.Into], r)
		}
	}
	for _, into := range slices.Sorted(maps.Keys(rows)) {
		p, err := u.firstWhole(ctx, st, rows[into][0].First, into)
		if err != nil {
			return nil, nil, err
		}
		for ; p < into && rows[into] != nil; p++ {
			if f, ok := there.At(p); ok && f.Fate == logdb.FateStored && st.Whole.Has(p) {
				for _, r := range rows[into] {
					for q := r.First; q <= r.Last; q++ {
						if st.Whole.Has(q) {
							mixed = append(mixed, q)
						}
					}
				}
				rows[into] = nil
			}
		}
		for _, r := range rows[into] {
			for p := r.First; p <= r.Last; p++ {
				if !st.Whole.Has(p) {
					continue
				}
				list, err := u.recombine(ctx, st, p, r)
				if err != nil {
					return nil, nil, err
				}
				back = append(back, list...)
			}
		}
	}
	return back, mixed, nil
}

// firstWhole returns the first row that was sent on request of the interval that ends in into, of which first is one.
func (u *upload) firstWhole(ctx context.Context, st *StoredStream, first, into logdb.Position) (logdb.Position, error) {
	sum, err := u.j.Entry(ctx, into)
	if errors.Is(err, logdb.ErrNotFound) {
		return first, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read position %d: %w", into, err)
	}
	for p := first; p > 1 && st.Whole.Has(p-1); {
		p--
		e, err := u.j.Entry(ctx, p)
		if err != nil && !errors.Is(err, logdb.ErrNotFound) {
			return 0, fmt.Errorf("read position %d: %w", p, err)
		}
		if err != nil || e.Op != logdb.OpAdd || e.Log != sum.Log {
			continue
		}
		if e.Run != sum.Run || e.Generation != sum.Generation || !st.Policy.SameInterval(e.Log, e.Time, sum.Time) {
			break
		}
		first = p
	}
	return first, nil
}

// recombine notes that the row at p, which was sent on request, is one of those that f says are combined, and that what came late for it
// came late for all of them.
func (u *upload) recombine(ctx context.Context, st *StoredStream, p logdb.Position, f logdb.FateRange) ([]logdb.FateRange, error) {
	e, err := u.j.Entry(ctx, p)
	if err != nil && !errors.Is(err, logdb.ErrNotFound) {
		return nil, fmt.Errorf("read position %d: %w", p, err)
	}
	if err == nil {
		f.FirstTime, f.LastTime = e.Time, e.Time
	}
	f.First, f.Last = p, p
	out := []logdb.FateRange{f}
	for _, r := range st.Fates.Ranges() {
		if r.Fate == logdb.FateReduced && r.Into == p && r.First > p {
			r.Into = f.Into
			out = append(out, r)
		}
	}
	for _, r := range out {
		st.Fates.Put(r)
	}
	st.Whole.Remove(p, p)
	st.Whole.Remove(f.Into, f.Into)
	return out, nil
}

// wholeIntervals returns, for each combined row among those asked for, its interval when the receiver has all the rows of it.
func wholeIntervals(st *StoredStream, there *logdb.FateSet, asked []logdb.Position) (out []logdb.Position) {
	has := func(p logdb.Position) bool {
		f, ok := there.At(p)
		return ok && f.Fate == logdb.FateStored
	}
	rows := map[logdb.Position][]logdb.Position{} // by combined row; nil: one of them is not there
	for _, p := range asked {
		if has(p) {
			rows[p] = []logdb.Position{p}
		}
	}
	for _, r := range st.Fates.Ranges() {
		if r.Fate != logdb.FateReduced || r.Into <= r.Last || rows[r.Into] == nil {
			continue
		}
		for p := r.First; p <= r.Last; p++ {
			if !has(p) {
				rows[r.Into] = nil
				break
			}
			rows[r.Into] = append(rows[r.Into], p)
		}
	}
	for _, p := range asked {
		if len(rows[p]) > 1 {
			out = append(out, rows[p]...)
		}
	}
	return out
}

// lateRows returns what came late for combined rows of which the receiver has the rows by now, whole: it changes the first of them.
func lateRows(st *StoredStream, whole []logdb.Position) (out []logdb.FateRange) {
	if len(whole) == 0 {
		return nil
	}
	first := map[logdb.Position]logdb.Position{} // by combined row
	for _, p := range whole {
		first[p] = 0
	}
	for _, r := range st.Fates.Ranges() {
		p, ok := first[r.Into]
		switch {
		case r.Fate != logdb.FateReduced || !ok:
		case p == 0 && r.Into > r.Last:
			first[r.Into] = r.First
		case p != 0 && r.Into < r.First:
			r.Into = p
			out = append(out, r)
		}
	}
	return out
}

// arrived reports whether the receiver has p as it was asked for. With a row that had been combined into another,
// the other one has arrived too.
func arrived(st *StoredStream, there *logdb.FateSet, p logdb.Position, sent *logdb.FateSet, combined map[logdb.Position]bool) (into logdb.Position, ok bool) {
	f, known := there.At(p)
	if !known || f.Fate != logdb.FateStored {
		return 0, false
	}
	switch here, _ := st.Fates.At(p); {
	case here.Fate == logdb.FateReduced && here.Into > p:
		return here.Into, true
	case reduce.Wire(here).Fate != logdb.FateStored, st.Refused.Has(p) && !combined[p]:
		return 0, true
	}
	return 0, !combined[p] && sent != nil && sent.Has(p)
}

// lost returns what the receiver got on request and does not have any more: it was emptied, and its
// own limits may refuse what comes unasked.
func lost(st *StoredStream, there *logdb.FateSet) (out logdb.FateSet) {
	if st.Whole.Len()+st.Fetched.Len() == 0 {
		return out
	}
	for _, w := range st.Whole.Ranges() {
		for _, m := range there.Missing(w.First, w.Last) {
			out.Put(logdb.FateRange{First: m[0], Last: m[1], Fate: logdb.FateStored})
		}
	}
	for _, r := range there.Ranges() {
		if r.Fate == logdb.FateSkipped && (st.Whole.Overlaps(r.First, r.Last) || st.Fetched.Overlaps(r.First, r.Last)) {
			for p := r.First; p <= r.Last; p++ {
				if st.Whole.Has(p) || st.Fetched.Has(p) {
					out.Put(stored(p))
				}
			}
		}
	}
	return out
}

// refusedBy returns what the receiver's own limits have skipped.
func refusedBy(st *StoredStream, there *logdb.FateSet) (out logdb.FateSet) {
	for _, r := range there.Ranges() {
		if r.Fate != logdb.FateSkipped {
			continue
		}
		for p := r.First; p <= r.Last; p++ {
			if here, ok := st.Fates.At(p); ok && reduce.Wire(here).Fate == logdb.FateStored {
				one := r
				one.First, one.Last = p, p
				out.Put(one)
			}
		}
	}
	return out
}

// crossed returns the changes that the receiver calls skipped since this was last looked at although it has their record: that came along
// one way, and along another one a cloud whose limits had skipped the record told that its change was skipped, too. With all it looks at those as well
// that it called so before: it may have got the record since.
func (u *upload) crossed(ctx context.Context, st *StoredStream, refused *logdb.FateSet, all bool) (out logdb.FateSet, err error) {
	if refused.Len() == 0 || !all && sameRanges(refused, &st.Refused) {
		return out, nil
	}
	changes, err := u.s.store.Changes(ctx, u.head.ID, 1, refused.Highest())
	if err != nil {
		return out, err
	}
	cut, _ := cutOf(u.streams, st.Cut())
	has := u.has(cut)
	for _, c := range changes {
		if !refused.Has(c.Position) || !all && st.Refused.Has(c.Position) {
			continue
		}
		target, ok := c.Target, true
		if u.kind == logdb.KindHistorical {
			if target, ok, err = cut.Carrier(ctx, u.j, target); err != nil {
				return out, err
			}
		}
		if ok && has(target) {
			out.Put(stored(c.Position))
		}
	}
	for _, r := range st.Fates.Ranges() { // what came late is a change, too
		if r.Fate != logdb.FateReduced || r.Into > r.First || !has(r.Into) {
			continue
		}
		for p := r.First; p <= r.Last; p++ {
			if refused.Has(p) && (all || !st.Refused.Has(p)) {
				out.Put(stored(p))
			}
		}
	}
	return out, nil
}

// crosses reports whether the receiver calls changes skipped of which it has the record.
func (u *upload) crosses(ctx context.Context) (bool, error) {
	for _, st := range u.streams {
		refused := refusedBy(st, u.received(st.ID))
		if crossed, err := u.crossed(ctx, st, &refused, false); err != nil || crossed.Len() > 0 {
			return err == nil, err
		}
	}
	return false, nil
}
