package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"metermanager/logdb"
	"metermanager/logdb/limit"
)

// Accept implements logdb.Store.
func (s *Store) Accept(ctx context.Context, p logdb.Page, limits logdb.Limits) (logdb.Receipt, error) {
	if err := p.Check(); err != nil {
		return logdb.Receipt{}, fmt.Errorf("accept: %w", err)
	}
	var receipt logdb.Receipt
	err := s.write(ctx, "accept a page of "+string(p.Meter), func(t *txn) error {
		var err error
		receipt, err = t.accept(&p, limits)
		return err
	})
	if err != nil {
		return logdb.Receipt{}, err
	}
	return receipt, nil
}

func (t *txn) accept(p *logdb.Page, limits logdb.Limits) (logdb.Receipt, error) {
	j, err := t.journalsOf(p.Meter, p.Kind, false)
	if err != nil {
		return logdb.Receipt{}, err
	}
	if err := t.contradicts(j, p); err != nil {
		return logdb.Receipt{}, err
	}
	if j, err = t.journalsOf(p.Meter, p.Kind, true); err != nil {
		return logdb.Receipt{}, err
	}
	r := &receiver{txn: t, journals: j, page: p, limits: limits}
	if p.Stream.IsZero() {
		err = r.acceptContents()
	} else {
		err = r.acceptPositions()
	}
	r.receipt.Refused = r.refused.Ranges()
	return r.receipt, err
}

// contradicts reports a page that cannot be of the journal it names, or whose sender does not know how that stands here.
func (t *txn) contradicts(j *journals, p *logdb.Page) error {
	if p.Stream.IsZero() {
		return nil
	}
	var end logdb.End
	own := false
	for _, s := range j.streams {
		if s.ref.Journal.Family() != p.Stream.Journal.Family() {
			continue
		}
		own = own || s.own
		if !s.own && s.end > end.Position {
			end = logdb.End{Position: s.end, Chain: s.chain}
		}
	}
	if p.Seen != nil && !own && !end.Same(*p.Seen) && !end.Same(logdb.End{Position: p.JournalEnd, Chain: p.Chain}) {
		return fmt.Errorf("%w: journal %s ends at %d here, and at %d where it was seen", logdb.ErrStale, p.Stream.Journal, end.Position, p.Seen.Position)
	}
	for _, s := range j.streams {
		if s.ref.Journal.Family() != p.Stream.Journal.Family() {
			continue
		}
		if s.written() {
			if had, err := t.hadEnd(s, p); err != nil {
				return err
			} else if !had {
				return fmt.Errorf("%w: the journal that is written here ends at %d and never had the end %d of the page", logdb.ErrConflict, s.end, p.JournalEnd)
			}
			continue
		}
		at := logdb.Ends{{Position: s.end, Chain: s.chain}}
		if at.Contradict(p.JournalEnd, p.Chain) || s.ends.Contradict(p.JournalEnd, p.Chain) {
			return fmt.Errorf("%w: another chain at the end %d of journal %s", logdb.ErrConflict, p.JournalEnd, s.ref.Journal)
		}
	}
	return nil
}

// written reports whether this node itself numbers the entries of s: its own journal, or one that it makes for a source.
func (s *stream) written() bool { return s.own || s.source != "" }

// hadEnd reports whether a page states an end that a journal which is written here has had, or goes on in it: only in one of a source, and only
// who passes nothing on.
func (t *txn) hadEnd(s *stream, p *logdb.Page) (bool, error) {
	if p.Chain.IsZero() {
		return p.JournalEnd <= s.end || s.source != "" && p.Seen == nil, nil
	}
	chain, err := t.chainAt(s.id, p.JournalEnd)
	if errors.Is(err, logdb.ErrNotFound) {
		return false, nil
	}
	return chain == p.Chain, err
}

// receiver is one page on its way in. It decides the fates first, in journal order, and keeps what is to be stored
// afterwards: rows by column, the rest one by one.
type receiver struct {
	*txn
	*journals
	stream   *stream
	siblings []*stream // of the same cut
	page     *logdb.Page
	limits   logdb.Limits
	receipt  logdb.Receipt
	refused  logdb.FateSet

	keep    [][]bool         // per block of rows: which are to be stored
	entries []logdb.Entry    // to be stored
	instead []logdb.Entry    // to be stored in the place of what is held
	whole   []logdb.Position // combined rows that this page replaces by all that they combined
	part    []logdb.Position // and those of which it has the last row and some of the others
	counts  limit.Counts
	counted map[limit.Key]bool
	ahead   []logdb.Millis       // revises of this page that were taken before their targets
	copies  map[logdb.Digest]int // on a page without positions
}

// item is one record of the page: row of a block, or an entry when block is -1.
type item struct {
	position   logdb.Position
	block, row int
}

func (r *receiver) acceptPositions() error {
	p := r.page
	var err error
	if r.stream = r.find(p.Stream); r.stream == nil {
		if r.stream, err = r.makeStream(r.journals, p.Stream, false, ""); err != nil {
			return err
		}
	}
	for _, o := range r.stream.cut() {
		if o != r.stream {
			r.siblings = append(r.siblings, o)
		}
	}
	if err := r.loadSeries(r.stream); err != nil {
		return err
	}
	if err := r.checkChanges(r.stream.cut(), p.Entries); err != nil {
		return err
	}
	r.touchStream(r.stream) // before its fates change, so that a failure rolls them back
	if r.stream.written() {
		if err := r.goOn(); err != nil {
			return err
		}
	} else {
		if p.JournalEnd > r.stream.end {
			r.stream.end, r.stream.chain = p.JournalEnd, p.Chain
		}
		r.stream.ends = r.stream.ends.Note(p.JournalEnd, p.Chain)
	}
	if err := r.decideAll(); err != nil {
		return err
	}
	return r.holdAll()
}

// goOn lets the chain of a journal that this node makes for a source run over what the page adds behind its end.
func (r *receiver) goOn() error {
	s := r.stream
	if r.page.JournalEnd <= s.end {
		return nil
	}
	for _, it := range r.items() {
		if it.position > s.end {
			e := r.entryOf(it)
			s.chain = e.Chain(s.chain)
		}
	}
	s.end = r.page.JournalEnd
	return r.noteChain(s)
}

// decideAll walks records and fates of the page in journal order.
func (r *receiver) decideAll() error {
	items := r.items()
	fates := slices.Clone(r.page.Fates)
	slices.SortFunc(fates, func(a, b logdb.FateRange) int { return cmp.Compare(a.First, b.First) })
	if r.page.Requested {
		if err := r.findWholeBuckets(items); err != nil {
			return err
		}
	}
	apart := r.apart(fates)
	for _, f := range r.skippedParts(fates, apart) {
		r.stream.put(f)
	}
	for len(items) > 0 || len(fates) > 0 {
		if len(items) == 0 || len(fates) > 0 && fates[0].First < items[0].position {
			f := fates[0]
			fates = fates[1:]
			if f.Fate == logdb.FateReduced && apart[f.Into] {
				continue
			}
			for _, open := range r.stream.fates.Missing(f.First, f.Last) {
				f.First, f.Last = open[0], open[1]
				r.stream.put(f)
			}
			continue
		}
		if !apart[items[0].position] {
			if err := r.take(items[0]); err != nil {
				return err
			}
		}
		items = items[1:]
	}
	return nil
}

// skippedParts returns what limits have skipped here one by one, as it came by another way, of the rows that the page calls combined into one
// that has not come, or that it brings on request: they are in that, or skipped with it.
func (r *receiver) skippedParts(fates []logdb.FateRange, apart map[logdb.Position]bool) (out []logdb.FateRange) {
	for _, f := range fates {
		if f.Fate != logdb.FateReduced || f.Into <= f.Last || apart[f.Into] || !r.open(f.Into) {
			continue
		}
		for _, held := range r.stream.fates.Within(f.First, f.Last) {
			if held.Fate == logdb.FateSkipped {
				part := f
				part.First, part.Last = held.First, held.Last
				out = append(out, part)
			}
		}
	}
	return out
}

// apart returns the combined rows of the page that stay undecided, with all that is combined into them: one of that came as it is since the sender asked
// what is held here. It learns so when it asks again.
func (r *receiver) apart(fates []logdb.FateRange) map[logdb.Position]bool {
	var out map[logdb.Position]bool
	for _, f := range fates {
		if f.Fate != logdb.FateReduced || f.Into <= f.Last || !r.open(f.Into) {
			continue
		}
		if slices.ContainsFunc(r.stream.fates.Within(f.First, f.Last), func(held logdb.FateRange) bool { return held.Fate == logdb.FateStored }) {
			if out == nil {
				out = map[logdb.Position]bool{}
			}
			out[f.Into] = true
		}
	}
	return out
}

// open reports whether a combined row may come with the page: it has not come, or limits skipped it, or it was held, and it was asked for.
func (r *receiver) open(into logdb.Position) bool {
	f, ok := r.stream.fates.At(into)
	return !ok || r.page.Requested && (f.Fate == logdb.FateSkipped || f.Fate == logdb.FateHeld)
}

func (r *receiver) items() []item {
	n := len(r.page.Entries)
	for i := range r.page.Rows {
		n += r.page.Rows[i].Len()
	}
	items := make([]item, 0, n)
	r.keep = make([][]bool, len(r.page.Rows))
	for b := range r.page.Rows {
		r.keep[b] = make([]bool, r.page.Rows[b].Len())
		for row, p := range r.page.Rows[b].Positions {
			items = append(items, item{p, b, row})
		}
	}
	for i := range r.page.Entries {
		items = append(items, item{r.page.Entries[i].Position, -1, i})
	}
	if !slices.IsSortedFunc(items, func(a, b item) int { return cmp.Compare(a.position, b.position) }) {
		slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.position, b.position) })
	}
	return items
}

// entryOf returns the record of an item.
func (r *receiver) entryOf(it item) logdb.Entry {
	if it.block < 0 {
		return r.page.Entries[it.row]
	}
	return r.page.Rows[it.block].Entry(it.row)
}

// take decides one record of a page with positions.
func (r *receiver) take(it item) error {
	f, decided := r.stream.fates.At(it.position)
	switch {
	case r.elsewhere(it.position):
		if !decided {
			r.put(it.position, logdb.FateRange{Fate: logdb.FateHeld})
		}
		r.receipt.Repeats++
	case f.Fate != logdb.FateStored && slices.Contains(r.part, it.position):
		r.receipt.Repeats++
	case !decided && slices.Contains(r.whole, it.position): // the rows travel as the combined one would, which no limit refuses
		r.store(it)
	case !decided:
		return r.decide(it)
	case !r.page.Requested:
		r.receipt.Repeats++
	case f.Fate == logdb.FateSkipped, f.Fate == logdb.FateHeld, f.Fate == logdb.FateReduced && slices.Contains(r.whole, f.Into):
		r.store(it)
	case slices.Contains(r.whole, it.position):
		r.instead = append(r.instead, r.entryOf(it)) // the row itself in the place of the combined one
		r.receipt.Repeats++
	default:
		full, err := r.isFullVariant(it)
		if err != nil {
			return err
		}
		if full {
			r.instead = append(r.instead, r.entryOf(it))
			r.receipt.Stored++
		} else {
			r.receipt.Repeats++
		}
	}
	return nil
}

func (r *receiver) put(p logdb.Position, f logdb.FateRange) {
	f.First, f.Last = p, p
	r.stream.put(f)
}

// elsewhere reports whether another stream of the same cut has the record of p, as it is or reduced.
func (r *receiver) elsewhere(p logdb.Position) bool {
	for _, o := range r.siblings {
		if f, ok := o.fates.At(p); ok && (f.Fate == logdb.FateStored || f.Fate == logdb.FateReduced) {
			return true
		}
	}
	return false
}

// decide gives an undecided position its fate.
func (r *receiver) decide(it item) error {
	if it.block >= 0 {
		if reason := r.overPace(it); reason != "" {
			r.skip(it.position, r.page.Rows[it.block].Times[it.row], reason)
			return nil
		}
		r.store(it)
		return nil
	}
	e := &r.page.Entries[it.row]
	switch e.Op {
	case logdb.OpAdd:
		reason, err := r.overLimit(e)
		if err != nil {
			return err
		}
		if reason != "" {
			r.skip(e.Position, e.Time, reason)
			return nil
		}
	case logdb.OpRevise, logdb.OpWithdraw:
		f, ok := fateOf(r.stream, e.Target)
		if !ok && !r.page.Requested {
			if waits, err := r.tooFarAhead(e); err != nil || waits {
				return err
			}
		}
		switch {
		case !ok || f.Fate == logdb.FateStored || r.page.Requested && f.Fate != logdb.FateReduced:
			r.store(it)
		case f.Fate == logdb.FateSkipped:
			r.skip(e.Position, e.Time, f.Reason)
		case f.Fate == logdb.FateReduced && f.Into < e.Position: // the sum has come without it: whoever has the rows sends these, or a change of the sum
		default:
			f.FirstTime, f.LastTime = e.Time, e.Time
			r.put(e.Position, f)
			r.receipt.Repeats++
		}
		return nil
	}
	r.store(it)
	return nil
}

// fateOf returns the fate of a target of stream s: stored if any stream of the cut stored it.
func fateOf(s *stream, target logdb.Position) (fate logdb.FateRange, ok bool) {
	for _, o := range s.cut() {
		if f, known := o.fates.At(target); known && (!ok || f.Fate == logdb.FateStored || o == s && fate.Fate != logdb.FateStored) {
			fate, ok = f, true
		}
	}
	return fate, ok
}

// store decides that a record is stored and notes it to be kept.
func (r *receiver) store(it item) {
	r.put(it.position, logdb.FateRange{Fate: logdb.FateStored})
	if it.block >= 0 {
		r.keep[it.block][it.row] = true
		r.receipt.Stored++
		return
	}
	r.storeEntry(r.page.Entries[it.row])
}

func (r *receiver) storeEntry(e logdb.Entry) {
	if e.Waveform != nil && !r.page.Requested {
		e, _ = limit.ShortenEntry(&e, r.limits)
	}
	r.entries = append(r.entries, e)
	if e.Op == logdb.OpRevise || e.Op == logdb.OpWithdraw {
		r.receipt.Revised++
	} else {
		r.receipt.Stored++
	}
}

// holdAll keeps what was decided to be stored.
func (r *receiver) holdAll() error {
	for b := range r.page.Rows {
		keep := r.keep[b]
		h := pick(&r.page.Rows[b], func(i int) bool { return keep[i] })
		if err := r.holdAdds(r.stream, &h); err != nil {
			return err
		}
		if err := r.touchMarks(&h); err != nil {
			return err
		}
	}
	r.rows = nil
	for i := range r.instead { // before the changes, which may be of these
		if err := r.replace(r.stream, &r.instead[i]); err != nil {
			return err
		}
	}
	if r.kind == logdb.KindHistorical {
		var targets []logdb.Position
		for i := range r.entries {
			if r.entries[i].Target != 0 {
				targets = append(targets, r.entries[i].Target)
			}
		}
		if err := r.expect(r.stream, targets); err != nil {
			return err
		}
	}
	for i := range r.entries {
		if err := r.hold(r.stream, &r.entries[i]); err != nil {
			return err
		}
		if r.entries[i].Row != nil && r.entries[i].Op == logdb.OpAdd {
			h := rowOf(&r.entries[i])
			if err := r.touchMarks(&h); err != nil {
				return err
			}
		}
	}
	return nil
}

// touchMarks sees to it that the marks of the pace are saved, also for rows that were superseded before they came.
func (r *receiver) touchMarks(h *logdb.History) error {
	for c, key := range h.Channels {
		if !slices.ContainsFunc(h.Columns[c], func(v float64) bool { return !math.IsNaN(v) }) {
			continue
		}
		s, err := r.seriesOf(r.stream, h.Log, key)
		if err != nil {
			return err
		}
		r.touchSeries(s)
	}
	return nil
}
