package cloudsync

import (
	"context"
	"errors"
	"fmt"
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

// sendAsked sends what was asked for, a share of the budget at most. clear is false while it is not known what became of
// something that was sent: nothing else may be sent then. more says that something is left.
func (u *upload) sendAsked(ctx context.Context, pages int) (clear, more bool, err error) {
	before := map[*StoredStream][]logdb.Position{}
	for range 2 { // what an emptied receiver refuses at first it takes when it comes again
		sent := map[logdb.StreamID]*logdb.FateSet{}
		for _, st := range u.streams {
			before[st] = slices.Collect(each(&st.Asked))
		}
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
	for st, list := range before { // what is asked for since comes with the next upload
		before[st] = slices.DeleteFunc(list, func(p logdb.Position) bool { return !st.Asked.Has(p) })
	}
	err = u.abandon(ctx, cannotTaken, before)
	return true, u.asked() > 0, err
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
		composer: reduce.NewComposer(u.conf.CloudUID, u.kind, cut, u.j, reduce.Config{PageBytes: u.s.cfg.PageBytes, Has: u.has(cut), Skipped: u.skipped(cut)})}
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
// asked for, which known remembers: 0 otherwise.
func (u *upload) skippedRows(ctx context.Context, cut *reduce.Cut, p logdb.Position, known map[logdb.Position]bool) (sum logdb.Position, of *reduce.Stream, err error) {
	if u.kind != logdb.KindHistorical {
		return 0, nil, nil
	}
	if sum, err = cut.Sum(ctx, u.j, p); err != nil || sum == 0 {
		return 0, nil, err
	}
	_, of, _ = cut.At(sum)
	rows, ok := known[sum]
	if !ok {
		rows = of != nil && isSkipped(u.received(of.ID), sum) && cut.Combines(sum, &of.Asked)
		known[sum] = rows
	}
	if !rows {
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
	gone, rows := map[string][]logdb.Position{}, map[logdb.Position]bool{}
	for p := range each(&st.Asked) {
		f, _ := st.Fates.At(p)
		into := p
		sum, of, err := u.skippedRows(ctx, cut, p, rows)
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

// abandon gives up positions that were asked for. What the receiver had once, and has no fate of
// any more, or what is not here any more, goes the way of everything else from now on, which ends in a fate. What it has combined by now, since
// it was emptied and got the sum by another way, is combined here too.
func (u *upload) abandon(ctx context.Context, why string, which map[*StoredStream][]logdb.Position) error {
	for _, st := range u.streams {
		list := which[st]
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
		var fetched logdb.FateSet
		for p := range each(&st.Asked) {
			if !gone[p] {
				left.Put(stored(p))
			}
		}
		for p := range each(&st.Fetched) {
			if !gone[p] {
				fetched.Put(stored(p))
			}
		}
		st.Asked, st.Fetched = left, fetched
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
	page.Fates = slices.DeleteFunc(page.Fates, func(f logdb.FateRange) bool {
		if f.Fate == logdb.FateNotChosen {
			gone.Put(f)
		}
		return f.Fate == logdb.FateNotChosen
	})
	if gone.Len() == 0 {
		return groups, nil
	}
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
