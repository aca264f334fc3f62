package logdbtest

import (
	"context"
	"fmt"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// Accept implements logdb.Store.
func (m *Model) Accept(_ context.Context, p logdb.Page, limits logdb.Limits) (logdb.Receipt, error) {
	if err := p.Check(); err != nil {
		return logdb.Receipt{}, fmt.Errorf("accept: %w", err)
	}
	defer m.lock()()
	if err := m.journals(p.Meter, p.Kind).contradicts(&p); err != nil {
		return logdb.Receipt{}, fmt.Errorf("accept: %w", err)
	}
	j := m.makeJournals(p.Meter, p.Kind)
	r := &receiver{journals: j, page: &p, limits: limits}
	if p.Stream.IsZero() {
		if r.stream = j.findSource(p.Source); r.stream == nil {
			r.stream = j.add(logdb.StreamID{Journal: m.cfg.NewJournalID(), Policy: "0"}, p.Source)
		}
		r.takeContents()
	} else {
		if r.stream = j.find(p.Stream); r.stream == nil {
			r.stream = j.add(p.Stream, "")
		}
		r.takePositions()
		switch {
		case j.writes(r.stream):
			r.goOn()
		case p.JournalEnd > r.stream.end:
			r.stream.end, r.stream.chain = p.JournalEnd, p.Chain
			fallthrough
		default:
			r.stream.ends = r.stream.ends.Note(p.JournalEnd, p.Chain)
		}
	}
	r.receipt.Refused = r.refused.Ranges()
	return r.receipt, nil
}

// contradicts reports a page that cannot be of the journal it names, or whose sender does not know how that stands here.
func (j *journals) contradicts(p *logdb.Page) error {
	family := p.Stream.Journal.Family()
	own := j.own != nil && j.own.id.Journal.Family() == family
	var here logdb.End
	var written []*stream
	var known logdb.Ends
	for _, s := range j.streams {
		if s.id.Journal.Family() != family {
			continue
		}
		if s != j.own && s.end > here.Position {
			here = logdb.End{Position: s.end, Chain: s.chain}
		}
		if j.writes(s) {
			written = append(written, s)
			continue
		}
		known = append(append(known, s.ends...), logdb.End{Position: s.end, Chain: s.chain})
	}
	if p.Seen != nil && !own {
		if stated := (logdb.End{Position: p.JournalEnd, Chain: p.Chain}); !here.Same(*p.Seen) && !here.Same(stated) {
			return fmt.Errorf("%w: the end here is %v, the sender saw %v", logdb.ErrStale, here, *p.Seen)
		}
	}
	for _, s := range written {
		if !s.hadEnd(p) {
			return fmt.Errorf("%w: the journal that is written here ends at %d and never had the end %d of the page", logdb.ErrConflict, s.end, p.JournalEnd)
		}
	}
	if known.Contradict(p.JournalEnd, p.Chain) {
		return fmt.Errorf("%w: another chain at the end %d of journal %s", logdb.ErrConflict, p.JournalEnd, p.Stream.Journal)
	}
	return j.checkChanges(p.Stream, p.Entries)
}

// writes reports whether this node itself numbers the entries of s: its own journal, or one that it makes for a source.
func (j *journals) writes(s *stream) bool { return s == j.own || s.source != "" }

// hadEnd reports whether a page states an end that a journal which is written here has had, or goes on in it: only in one of a source, and only
// who passes nothing on.
func (s *stream) hadEnd(p *logdb.Page) bool {
	if !p.Chain.IsZero() {
		return s.batches[p.JournalEnd] == p.Chain
	}
	return p.JournalEnd <= s.end || s.source != "" && p.Seen == nil
}

// goOn lets the chain of a journal that this node makes for a source run over what the page adds behind its end.
func (r *receiver) goOn() {
	s := r.stream
	if r.page.JournalEnd <= s.end {
		return
	}
	all := entries(r.page.Rows, r.page.Entries)
	slices.SortFunc(all, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
	for _, e := range all {
		if e.Position > s.end {
			s.chain = e.Chain(s.chain)
		}
	}
	s.end = r.page.JournalEnd
	s.batches[s.end] = s.chain
}

// checkChanges reports a change that names another change instead of the record that both change:
// it would stand beside it as a second record.
func (j *journals) checkChanges(id logdb.StreamID, entries []logdb.Entry) error {
	for _, s := range j.streams {
		if !s.id.SameCut(id) {
			continue
		}
		for _, e := range entries {
			if e.Target == 0 {
				continue
			}
			if have := s.at(e.Target); have != nil && have.Target != 0 {
				return fmt.Errorf("%w: position %d changes position %d, which is a change itself", logdb.ErrConflict, e.Position, e.Target)
			}
			if slices.ContainsFunc(s.held, func(o logdb.Entry) bool { return o.Target == e.Position && e.Position != 0 }) {
				return fmt.Errorf("%w: position %d is a change, and was changed itself", logdb.ErrConflict, e.Position)
			}
		}
	}
	return nil
}

// receiver is one page on its way in.
type receiver struct {
	*journals
	stream  *stream
	page    *logdb.Page
	limits  logdb.Limits
	receipt logdb.Receipt
	refused logdb.FateSet
	whole   []logdb.Position // positions of combined rows that this page replaces by all that they combined
	part    []logdb.Position // and those of which it has the last row and some of the others
}

// takePositions decides what the page holds in journal order.
func (r *receiver) takePositions() {
	all := entries(r.page.Rows, r.page.Entries)
	slices.SortFunc(all, func(a, b logdb.Entry) int { return int(a.Position) - int(b.Position) })
	fates := slices.Clone(r.page.Fates)
	slices.SortFunc(fates, func(a, b logdb.FateRange) int { return int(a.First) - int(b.First) })
	if r.page.Requested {
		r.findWholeBuckets(all)
	}
	apart := map[logdb.Position]bool{} // sums of which a row came as it is meanwhile
	var parts logdb.FateSet            // skipped one by one, and combined into a row that may come
	for _, f := range fates {
		if f.Fate != logdb.FateReduced || f.Into <= f.Last || !r.open(f.Into) {
			continue
		}
		for _, held := range r.stream.fates.Within(f.First, f.Last) {
			switch held.Fate {
			case logdb.FateStored:
				apart[f.Into] = true
			case logdb.FateSkipped:
				part := f
				part.First, part.Last = held.First, held.Last
				parts.Put(part)
			}
		}
	}
	fates = slices.DeleteFunc(fates, func(f logdb.FateRange) bool { return f.Fate == logdb.FateReduced && apart[f.Into] })
	all = slices.DeleteFunc(all, func(e logdb.Entry) bool { return apart[e.Position] })
	for _, f := range parts.Ranges() {
		if !apart[f.Into] {
			r.stream.fates.Put(f)
		}
	}
	for len(all) > 0 || len(fates) > 0 {
		if len(all) == 0 || len(fates) > 0 && fates[0].First < all[0].Position {
			f := fates[0]
			fates = fates[1:]
			for _, open := range r.stream.fates.Missing(f.First, f.Last) {
				f.First, f.Last = open[0], open[1]
				r.stream.fates.Put(f)
			}
			continue
		}
		r.take(all[0])
		all = all[1:]
	}
}

// open reports whether a combined row may come with the page.
func (r *receiver) open(into logdb.Position) bool {
	f, ok := r.stream.fates.At(into)
	return !ok || r.page.Requested && (f.Fate == logdb.FateSkipped || f.Fate == logdb.FateHeld)
}

// take decides one entry of a page with positions.
func (r *receiver) take(e logdb.Entry) {
	f, decided := r.stream.fates.At(e.Position)
	switch {
	case r.elsewhere(e.Position):
		if !decided {
			r.stream.decide(e.Position, logdb.FateRange{Fate: logdb.FateHeld})
		}
		r.receipt.Repeats++
	case f.Fate != logdb.FateStored && slices.Contains(r.part, e.Position):
		r.receipt.Repeats++
	case !decided && slices.Contains(r.whole, e.Position): // the rows travel as the combined one would, which no limit refuses
		r.store(e)
	case !decided:
		r.decide(e)
	case !r.page.Requested:
		r.receipt.Repeats++
	case f.Fate == logdb.FateSkipped, f.Fate == logdb.FateHeld, f.Fate == logdb.FateReduced && slices.Contains(r.whole, f.Into):
		r.store(e)
	case slices.Contains(r.whole, e.Position):
		r.stream.hold(e) // the row itself in the place of the combined one
		r.receipt.Repeats++
	case r.isFullVariant(e):
		r.stream.hold(e)
		r.receipt.Stored++
	default:
		r.receipt.Repeats++
	}
}

// elsewhere reports whether another stream of the same cut has the record of p, as it is or reduced.
func (r *receiver) elsewhere(p logdb.Position) bool {
	for _, o := range r.streams {
		if o == r.stream || !o.id.SameCut(r.stream.id) {
			continue
		}
		if f, ok := o.fates.At(p); ok && (f.Fate == logdb.FateStored || f.Fate == logdb.FateReduced) {
			return true
		}
	}
	return false
}

// decide gives an undecided position its fate.
func (r *receiver) decide(e logdb.Entry) {
	switch e.Op {
	case logdb.OpAdd:
		if reason := r.overLimit(e); reason != "" {
			r.skip(e, reason)
			return
		}
	case logdb.OpRevise, logdb.OpWithdraw:
		f, ok := r.fateOf(r.stream, e.Target)
		if !ok && !r.page.Requested && r.tooFarAhead(e) {
			return // undecided: it comes again
		}
		switch {
		case !ok || f.Fate == logdb.FateStored || r.page.Requested && f.Fate != logdb.FateReduced:
			r.store(e)
		case f.Fate == logdb.FateSkipped:
			r.skip(e, f.Reason)
		case f.Fate == logdb.FateReduced && f.Into < e.Position: // the sum has come without it
		default:
			f.FirstTime, f.LastTime = e.Time, e.Time
			r.stream.decide(e.Position, f)
			r.receipt.Repeats++
		}
		return
	}
	r.store(e)
}

// fateOf returns the fate of a target of stream s: stored if any stream of the cut stored it.
func (j *journals) fateOf(s *stream, target logdb.Position) (fate logdb.FateRange, ok bool) {
	for _, o := range j.streams {
		if !o.id.SameCut(s.id) {
			continue
		}
		if f, known := o.fates.At(target); known && (!ok || f.Fate == logdb.FateStored || o == s && fate.Fate != logdb.FateStored) {
			fate, ok = f, true
		}
	}
	return fate, ok
}

func (r *receiver) store(e logdb.Entry) {
	if e.Waveform != nil && !r.page.Requested {
		e, _ = limit.ShortenEntry(&e, r.limits)
	}
	r.stream.decide(e.Position, logdb.FateRange{Fate: logdb.FateStored})
	r.stream.hold(e)
	if e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw {
		r.receipt.Revised++
	} else {
		r.receipt.Stored++
	}
}

func (r *receiver) skip(e logdb.Entry, reason string) {
	f := logdb.FateRange{First: e.Position, Last: e.Position, Fate: logdb.FateSkipped, Reason: reason, FirstTime: e.Time, LastTime: e.Time}
	r.stream.fates.Put(f)
	r.refused.Put(f)
	r.receipt.Skipped++
}

// overLimit returns the limit that an add breaks; if none, the add takes its slots.
func (r *receiver) overLimit(e logdb.Entry) (reason string) {
	s := r.stream
	if e.Row != nil {
		if s.marks[e.Log] == nil {
			s.marks[e.Log] = limit.Marks{}
		}
		open := func(after, before logdb.Position) bool {
			return after+1 < before && len(s.fates.Missing(after+1, before-1)) > 0
		}
		if !s.marks[e.Log].Allow(r.limits.HistoricalIntervalMillis, limit.Mark{Position: e.Position, Run: e.Run, Generation: e.Generation, Time: e.Time}, e.Row.Channels, open) {
			return limit.Refused(limit.PaceReason)
		}
		return ""
	}
	windows := r.limits.Of(r.page.Kind)
	ok, reason := limit.Decide(windows, s.counts, e.Time)
	if !ok {
		return limit.Refused(reason)
	}
	s.slots[e.Position] = slot{windows, e.Time}
	return ""
}

// tooFarAhead reports whether a revise that comes before its target must wait until that is decided: together with
// the adds of its span there are never more such revises than the limit says. They take no slot from an add.
func (r *receiver) tooFarAhead(e logdb.Entry) bool {
	if e.Op != logdb.OpRevise || e.Row != nil {
		return false
	}
	for _, w := range r.limits.Of(r.page.Kind) {
		if w.Millis <= 0 || w.Max <= 0 {
			continue
		}
		start := e.Time.Floor(w.Millis)
		n := r.stream.counts[limit.Key{Window: w.Name, Start: start}]
		for _, held := range r.stream.held {
			_, decided := r.fateOf(r.stream, held.Target)
			if held.Op == logdb.OpRevise && !decided && held.Time >= start && held.Time < start+w.Millis {
				n++
			}
		}
		if n >= w.Max {
			return true
		}
	}
	return false
}

// isFullVariant reports whether e is the whole recording of which a shortened one is held.
func (r *receiver) isFullVariant(e logdb.Entry) bool {
	have := r.stream.at(e.Position)
	return e.Waveform != nil && e.Waveform.Source == nil && have != nil && have.Op == e.Op && have.Waveform != nil &&
		have.Waveform.Source != nil && have.Waveform.Source.Digest == e.ContentDigest()
}

// findWholeBuckets lists the combined rows of which the page holds all that was combined, so
// that the rows may take the place of their sum, also of one that has not come or was skipped. One that was revised since is left alone, and a row
// that comes at its place with some of the others only, which would pass for all of them.
func (r *receiver) findWholeBuckets(all []logdb.Entry) {
	inPage, rows := map[logdb.Position]bool{}, map[logdb.Position]bool{}
	for _, e := range all {
		rows[e.Position] = e.Op == logdb.OpAdd && e.Row != nil
		// Changes that came before a combined row was sent are part of it.
		inPage[e.Position] = e.Op == logdb.OpAdd && e.Row != nil || e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw
	}
	type interval struct{ whole, all, some bool } // may take its place, is in the page, has a row in the page beside the last
	found := map[logdb.Position]interval{}        // by combined row
	for _, f := range r.stream.fates.Ranges() {
		if f.Fate != logdb.FateReduced {
			continue
		}
		x, seen := found[f.Into]
		if !seen {
			x = interval{inPage[f.Into] && r.isCombined(f.Into) && (rows[f.Into] || r.stream.fates.Has(f.Into)), true, false}
		}
		for p := f.First; p <= f.Last; p++ {
			x.all, x.some = x.all && inPage[p], x.some || rows[p]
			x.whole = x.whole && x.all && !r.elsewhere(p)
		}
		found[f.Into] = x
	}
	for into, x := range found {
		switch {
		case x.whole:
			r.whole = append(r.whole, into)
		case x.some && !x.all && rows[into]:
			r.part = append(r.part, into)
		}
	}
}

// isCombined reports whether the row at p is held as it came, or is not held at all: it has not come, or limits skipped it.
func (r *receiver) isCombined(p logdb.Position) bool {
	if r.revised(p) {
		return false
	}
	if f, ok := r.stream.fates.At(p); !ok || f.Fate == logdb.FateSkipped {
		return !r.elsewhere(p)
	}
	have := r.stream.at(p)
	return have != nil && have.Op == logdb.OpAdd
}

// revised reports whether a revise or withdraw of p is held in any stream of the cut.
func (r *receiver) revised(p logdb.Position) bool {
	for _, o := range r.streams {
		if o.id.SameCut(r.stream.id) && slices.ContainsFunc(o.held, func(e logdb.Entry) bool { return e.Target == p }) {
			return true
		}
	}
	return false
}
