package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"metermanager/cloudsync/reduce"
	"metermanager/logdb"
	"metermanager/logdb/limit"
	"metermanager/rpc/api"
	"metermanager/rpc/fault"
)

// cannotTaken is why something that was sent on request is given up.
const cannotTaken = "the cloud does not take it"

// place is one position of a stream at one destination.
type place struct {
	destination DestinationID
	stream      logdb.StreamID
	position    logdb.Position
}

// settle takes up what the receiver's sets tell of what was asked for. sent are the positions that were sent and
// answered since: of a recording that is there already, the sets do not say which variant it is.
//
// It comes before anything else is decided or sent: a late row must not travel as a change of a combined row of
// which the receiver, whose answer was lost, holds the rows by now.
func (u *upload) settle(ctx context.Context, sent map[logdb.StreamID]*logdb.FateSet) error {
	turns := false // whether any stream has
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

// sendAsked sends what was asked for, a share of the budget at most. clear is false while it is not known what became of
// something that was sent: nothing else may be sent then. more says that something is left.
func (u *upload) sendAsked(ctx context.Context, pages int) (clear, more bool, err error) {
	for range 2 { // what an emptied receiver refuses at first it takes when it comes again
		sent := map[logdb.StreamID]*logdb.FateSet{}
		for _, name := range cutNames(u.streams) {
			_, parts := cutOf(u.streams, name)
			for _, st := range parts {
				if st.Asked.Len() == 0 {
					continue
				}
				sent[st.ID] = &logdb.FateSet{}
				if err := u.sendAskedOf(ctx, parts, st, &pages, sent[st.ID]); err != nil {
					return false, true, err
				}
			}
		}
		if u.unsure {
			return false, true, nil
		}
		if len(sent) == 0 {
			return true, false, nil
		}
		if err := u.ask(ctx); err != nil {
			return false, true, err
		}
		if err := u.settle(ctx, sent); err != nil {
			return false, true, err
		}
		if err := u.abandon(ctx, cannotTaken, u.notTaken(sent)); err != nil {
			return false, true, err
		}
		if pages <= 0 {
			return true, u.asked() > 0, nil
		}
	}
	return true, false, u.abandon(ctx, cannotTaken, nil)
}

// asked counts what is still to be sent on request.
func (u *upload) asked() (n int) {
	for _, st := range u.streams {
		n += st.Asked.Len()
	}
	return n
}

// sendAskedOf sends what was asked for of one stream and notes in sent what was answered.
func (u *upload) sendAskedOf(ctx context.Context, parts []*StoredStream, st *StoredStream, pages *int, sent *logdb.FateSet) error {
	groups, err := u.groups(ctx, parts, st)
	if err != nil || len(groups) == 0 {
		return err
	}
	// As if all of it were turned already: a row that is asked for is not combined any more.
	var copies []*reduce.Stream
	var own *reduce.Stream
	for _, o := range parts {
		c := o.Stream
		c.Fates, c.Whole = o.Fates.Clone(), o.Whole.Clone()
		if o == st {
			own = &c
			for _, g := range groups {
				for _, p := range g {
					switch f, _ := c.Fates.At(p); {
					case len(g) == 1 && u.asDecided(st, p):
					case f.Fate == logdb.FateReduced && f.Into < p: // it came late, and changes the first of the rows
						f.First, f.Last, f.Into = p, p, g[0]
						c.Fates.Put(f)
					default: // also those that only the receiver knows of: they travel as they are
						c.Fates.Put(stored(p))
						c.Whole.Put(stored(p))
					}
				}
			}
		}
		copies = append(copies, &c)
	}
	cut := reduce.NewCut(copies...)
	x := &asking{upload: u, st: st, stream: own, sent: sent, pages: pages,
		composer: reduce.NewComposer(u.conf.CloudUID, u.kind, cut, u.j, reduce.Config{PageBytes: u.s.cfg.PageBytes, Has: u.has(cut)})}
	err = x.send(ctx, groups)
	if errors.Is(err, errMore) {
		return nil
	}
	return err
}

// intervalThere returns the interval of the combined row at into as the receiver knows it, that row last.
func intervalThere(there *logdb.FateSet, into logdb.Position) (g reduce.Group) {
	for _, r := range there.Ranges() {
		for q := r.First; q <= r.Last && r.Fate == logdb.FateReduced && r.Into == into && r.Into > r.Last; q++ {
			g = append(g, q)
		}
	}
	return append(g, into)
}

// skippedRows returns the combined row that p is a part of, or changes, and its stream, if the receiver's limits skipped it and its rows were
// asked for: 0 otherwise.
func (u *upload) skippedRows(ctx context.Context, cut *reduce.Cut, p logdb.Position) (sum logdb.Position, of *reduce.Stream, err error) {
	if u.kind != logdb.KindHistorical {
		return 0, nil, nil
	}
	if sum, err = cut.Sum(ctx, u.j, p); err != nil || sum == 0 {
		return 0, nil, err
	}
	if _, of, _ = cut.At(sum); of == nil || !isSkipped(u.received(of.ID), sum) || !cut.Combines(sum, &of.Asked) {
		return 0, nil, nil
	}
	return sum, of, nil
}

// isSkipped reports whether limits skipped the record at p.
func isSkipped(there *logdb.FateSet, p logdb.Position) bool {
	f, _ := there.At(p)
	return f.Fate == logdb.FateSkipped
}

// groups sorts what was asked for of a stream into what must travel together. What cannot be sent is given up.
func (u *upload) groups(ctx context.Context, parts []*StoredStream, st *StoredStream) ([]reduce.Group, error) {
	cut, _ := cutOf(parts, st.Cut())
	var out []reduce.Group
	seen, combined, there := map[logdb.Position]bool{}, combinedRows(st), u.received(st.ID)
	gone := map[string][]logdb.Position{}
	for p := range each(&st.Asked) {
		f, _ := st.Fates.At(p)
		into := p
		sum, of, err := u.skippedRows(ctx, cut, p)
		if err != nil {
			return nil, err
		}
		if sum != 0 && of.ID != st.ID {
			continue // it follows the rows that it changes
		}
		if sum != 0 {
			into = sum
		} else if f.Fate == logdb.FateReduced && f.Into > p {
			into = f.Into
		} else if x, _ := there.At(p); x.Fate == logdb.FateReduced && x.Into > p { // there it is one of an interval still
			if !seen[x.Into] {
				seen[x.Into] = true
				out = append(out, intervalThere(there, x.Into))
			}
			continue
		} else if !combined[p] {
			if _, err := u.j.Entry(ctx, p); errors.Is(err, logdb.ErrNotFound) {
				gone[reduce.CannotCleared] = append(gone[reduce.CannotCleared], p)
				continue
			} else if err != nil {
				return nil, err
			}
			out = append(out, reduce.Group{p})
			continue
		}
		if seen[into] {
			continue
		}
		seen[into] = true
		g, why, err := cut.Bucket(ctx, u.j, into, isSkipped(there, into))
		if err != nil {
			return nil, err
		}
		if why != "" {
			for q := range each(&st.Asked) {
				if r, _ := st.Fates.At(q); q == p || q == into || r.Fate == logdb.FateReduced && r.Into == into {
					gone[why] = append(gone[why], q)
				}
			}
			continue
		}
		out = append(out, g)
	}
	for why, list := range gone {
		if err := u.abandon(ctx, why, map[*StoredStream][]logdb.Position{st: list}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// notTaken returns what was sent since, and answered, and will not be taken the next time either: rows that the receiver keeps combined, and what it
// holds from elsewhere. Else a share of pages that nobody takes would be sent again and again, and what comes behind them never.
func (u *upload) notTaken(sent map[logdb.StreamID]*logdb.FateSet) map[*StoredStream][]logdb.Position {
	out := map[*StoredStream][]logdb.Position{}
	for _, st := range u.streams {
		there := u.received(st.ID)
		for p := range each(&st.Asked) {
			f, known := there.At(p)
			refused := known && (f.Fate == logdb.FateHeld || f.Fate == logdb.FateNotChosen || f.Fate == logdb.FateReduced && f.Into > p)
			if refused && sent[st.ID] != nil && sent[st.ID].Has(p) {
				out[st] = append(out[st], p)
			}
		}
	}
	return out
}

// abandon gives up what was asked for: some positions, or with nil all that is left. What the receiver had once, and has no fate of
// any more, or what is not here any more, goes the way of everything else from now on, which ends in a fate. What it has combined by now, since
// it was emptied and got the sum by another way, is combined here too.
func (u *upload) abandon(ctx context.Context, why string, which map[*StoredStream][]logdb.Position) error {
	for _, st := range u.streams {
		list, some := which[st]
		if which == nil {
			list = slices.Collect(each(&st.Asked))
		} else if !some {
			continue
		}
		if len(list) == 0 {
			continue
		}
		var left, back logdb.FateSet
		gone, there := map[logdb.Position]bool{}, u.received(st.ID)
		for _, p := range list {
			gone[p] = true
			if !there.Has(p) || why == reduce.CannotCleared {
				st.Whole.Remove(p, p)
			}
			st.Fetched.Remove(p, p)
			if f, _ := there.At(p); f.Fate == logdb.FateReduced && f.Into > p && st.Whole.Has(p) {
				list, err := u.recombine(ctx, st, p, f)
				if err != nil {
					return err
				}
				for _, r := range list {
					back.Put(r)
				}
			}
		}
		for p := range each(&st.Asked) {
			if !gone[p] {
				left.Put(stored(p))
			}
		}
		st.Asked = left
		if err := u.s.store.PutRequested(ctx, st, &back); err != nil {
			return err
		}
		u.s.giveUp(u.dest.ID, st.ID, list, why)
	}
	return nil
}

// asking sends what was asked for of one stream.
type asking struct {
	*upload
	st       *StoredStream
	stream   *reduce.Stream // with everything turned
	composer *reduce.Composer
	sent     *logdb.FateSet
	pages    *int
}

func (x *asking) send(ctx context.Context, groups []reduce.Group) error {
	return x.composer.Groups(ctx, x.stream, groups, func(page *logdb.Page, of []reduce.Group) error {
		if *x.pages <= 0 {
			return errMore
		}
		*x.pages--
		page.JournalEnd, page.Chain = x.head.End, x.head.Chain
		return x.push(ctx, page, of)
	})
}

// push sends one requested page, in halves while the receiver finds it too large.
func (x *asking) push(ctx context.Context, page *logdb.Page, groups []reduce.Group) error {
	groups, err := x.told(ctx, page, groups)
	if err != nil || len(groups) == 0 {
		return err
	}
	answer, err := x.deliver(ctx, page)
	switch {
	case errors.Is(err, fault.TooLarge) && len(groups) > 1:
		*x.pages += 2
		half := len(groups) / 2
		if err := x.send(ctx, groups[:half]); err != nil {
			return err
		}
		return x.send(ctx, groups[half:])
	case errors.Is(err, fault.TooLarge):
		return x.tooLarge(ctx, page, groups[0])
	case err != nil:
		return err
	}
	if counted(answer) == 0 {
		x.unsure = true
		return nil
	}
	for _, g := range groups {
		for _, p := range g {
			x.sent.Put(stored(p))
		}
	}
	return nil
}

// told takes out of a page what turned out not to be here any more, and gives it up.
func (x *asking) told(ctx context.Context, page *logdb.Page, groups []reduce.Group) ([]reduce.Group, error) {
	var gone logdb.FateSet
	for _, f := range page.Fates {
		gone.Put(f)
	}
	if gone.Len() == 0 {
		return groups, nil
	}
	page.Fates = nil
	var list []logdb.Position
	groups = slices.DeleteFunc(slices.Clone(groups), func(g reduce.Group) bool {
		out := slices.ContainsFunc(g, gone.Has)
		if out {
			list = append(list, g...)
		}
		return out
	})
	return groups, x.abandon(ctx, reduce.CannotCleared, map[*StoredStream][]logdb.Position{x.st: list})
}

func (x *asking) deliver(ctx context.Context, page *logdb.Page) (answer api.UploadAnswer, err error) {
	answer, err = x.upload.deliver(ctx, page)
	if err != nil {
		return answer, fmt.Errorf("send a requested page of %s: %w", x.kind, err)
	}
	x.sum.took(answer)
	return answer, nil
}

// tooLarge sends, of a recording that no page can hold whole, the shortened one, if that was skipped too.
func (x *asking) tooLarge(ctx context.Context, page *logdb.Page, g reduce.Group) error {
	p := g[0]
	here, _ := x.st.Fates.At(p)
	if len(page.Entries) == 1 && page.Entries[0].Waveform != nil && (here.Fate == logdb.FateSkipped || x.st.Refused.Has(p)) {
		if short, changed := limit.ShortenEntry(&page.Entries[0], x.st.Policy.Limits); changed {
			// From now on the shortened one is what travels there, whether or not it is answered.
			var turned logdb.FateSet
			turned.Put(stored(p))
			x.st.Asked.Remove(p, p)
			x.st.Fates.Put(stored(p))
			if err := x.s.store.PutRequested(ctx, x.st, &turned); err != nil {
				return err
			}
			page.Entries[0] = short
			_, err := x.deliver(ctx, page)
			if err == nil || !errors.Is(err, fault.TooLarge) {
				x.s.giveUp(x.dest.ID, x.st.ID, []logdb.Position{p}, "sent shortened: the whole recording is too large")
				return err
			}
		}
	}
	return x.abandon(ctx, "too large for any page", map[*StoredStream][]logdb.Position{x.st: g})
}

// giveUp remembers why positions cannot be sent, so that a request comes to its end.
func (s *Service) giveUp(d DestinationID, stream logdb.StreamID, list []logdb.Position, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.gaveUp) > 100_000 {
		clear(s.gaveUp)
	}
	for _, p := range list {
		s.gaveUp[place{d, stream, p}] = why
	}
}

// stored is the fate stored of one position.
func stored(p logdb.Position) logdb.FateRange {
	return logdb.FateRange{First: p, Last: p, Fate: logdb.FateStored}
}

// each visits the positions of a set, rising.
func each(set *logdb.FateSet) func(yield func(logdb.Position) bool) {
	ranges := set.Ranges()
	return func(yield func(logdb.Position) bool) {
		for _, r := range ranges {
			for p := r.First; p <= r.Last; p++ {
				if !yield(p) {
					return
				}
			}
		}
	}
}

func sameRanges(a, b *logdb.FateSet) bool { return slices.Equal(a.Ranges(), b.Ranges()) }
